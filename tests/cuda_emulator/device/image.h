// SPDX-License-Identifier: Apache-2.0
// What a module says of itself: its kernels with their parameters, and where its shared memory lies. The compiler's
// stand-in writes a table of these behind the program.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_IMAGE_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_IMAGE_H_

extern "C" {
// The linker's; absent when no kernel has static shared memory.
extern char __start_ferry_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_ferry_shared[] __attribute__((weak, visibility("hidden")));
}

template <unsigned... I> struct ferry_indices {
};

template <auto KERNEL> struct ferry_kernel;
template <typename... P, void (*KERNEL)(P...)> struct ferry_kernel<KERNEL> {
    struct layout {
        unsigned sizes[sizeof...(P) + 1], offsets[sizeof...(P) + 1];
        constexpr layout() : sizes{sizeof(P)..., 0}, offsets{}
        {
            const unsigned alignments[] = {alignof(P)..., 1};
            unsigned at = 0;
            for (unsigned i = 0; i <= sizeof...(P); i++) {
                offsets[i] = at = (at + alignments[i] - 1) / alignments[i] * alignments[i];
                at += sizes[i];
            }
        }
    };
    static constexpr layout parameters = {};

    template <unsigned... I> static void call(void *const *arguments, ferry_indices<I...>)
    {
        (void)arguments;
        KERNEL(*static_cast<P *>(arguments[I])...);
    }
    static void run(void *const *arguments)
    {
        call(arguments, ferry_indices<__integer_pack(sizeof...(P))...>());
    }
    static constexpr emulated_kernel row(const char *name, unsigned most_threads)
    {
        return {name, run, sizeof...(P), parameters.sizes, parameters.offsets, most_threads};
    }
};

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_IMAGE_H_
