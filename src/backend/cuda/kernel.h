// SPDX-License-Identifier: Apache-2.0
// A prepared CUDA kernel: launches whose arguments are numbers, constants on the device, scratch, and bindings.
#ifndef FERRY_SRC_BACKEND_CUDA_KERNEL_H_
#define FERRY_SRC_BACKEND_CUDA_KERNEL_H_

#include "backend/backend.h"
#include "backend/cuda/driver.h"

#define FERRY_CUDA_MOST_LAUNCHES 4
#define FERRY_CUDA_MOST_ARGUMENTS 32

typedef enum ferry_cuda_argument_kind {
    FERRY_CUDA_VALUE = 0,     // `value`, a number or an address that stays
    FERRY_CUDA_IN = 1,        // the address of input binding `at`
    FERRY_CUDA_OUT = 2,       // the address of output binding `at`
    FERRY_CUDA_WORKSPACE = 3, // the address of scratch, `value` bytes from its beginning
} ferry_cuda_argument_kind;

typedef struct ferry_cuda_argument {
    ferry_cuda_argument_kind kind;
    int32_t at;
    uint64_t value; // its first bytes are what the kernel reads
} ferry_cuda_argument;

/// What one of NVIDIA's libraries queues where ferry has no kernel of its own. Each library's own struct begins with
/// this.
typedef struct ferry_cuda_call {
    /// Queues it on a stream, which may be one that captures; `arguments` are the launch's. The device's context is
    /// current.
    ferry_status (*run)(const struct ferry_cuda_call *call, ferry_cu_stream stream, const uint64_t *arguments,
                        ferry_error *err);
    void (*release)(struct ferry_cuda_call *call);
} ferry_cuda_call;

typedef struct ferry_cuda_launch {
    ferry_cuda_call *call; // owned; NULL: a function of a package's
    ferry_cu_function function;
    unsigned grid[3], block[3], shared_bytes;
    bool waits; // the kernel calls grid_dependency_wait before it touches any tensor or scratch: where the chip can, it
                // begins while the kernel before it ends. Attention, softmax and normalisations do not: a small ViT of
                // one picture took 5 to 9 % longer on an H200 when they did
    int32_t n_arguments;
    ferry_cuda_argument arguments[FERRY_CUDA_MOST_ARGUMENTS];
} ferry_cuda_launch;

typedef struct ferry_cuda_kernel {
    ferry_kernel base;
    struct ferry_cuda_resident *resident; // the package on the device; NULL: a kernel without one
    int32_t n_launches;
    ferry_cuda_launch launches[FERRY_CUDA_MOST_LAUNCHES];
} ferry_cuda_kernel;

/// A launch of the function of that name in a cubin of the kernel's package, behind those added before. Grid sizes of 0
/// leave it out. FERRY_ERR_BAD_ENGINE when there is no such function, or a grid is beyond what devices take.
ferry_status ferry_cuda_kernel_launch(ferry_cuda_kernel *kernel, int32_t cubin, const char *function,
                                      const uint64_t grid[3], const unsigned block[3], size_t shared_bytes,
                                      ferry_cuda_launch **out, ferry_error *err);

/// A call of a library in place of a launch. The kernel owns it from now on, even on failure.
ferry_status ferry_cuda_kernel_call(ferry_cuda_kernel *kernel, ferry_cuda_call *call, ferry_cuda_launch **out,
                                    ferry_error *err);

/// Arguments, in the kernel's order. A binding or constant that is absent (at < 0) is passed as a null pointer.
void ferry_cuda_pass_in(ferry_cuda_launch *launch, int32_t at);
void ferry_cuda_pass_out(ferry_cuda_launch *launch, int32_t at);
void ferry_cuda_pass_int(ferry_cuda_launch *launch, int64_t value); // an int of 32 bits
void ferry_cuda_pass_long(ferry_cuda_launch *launch, int64_t value);
void ferry_cuda_pass_float(ferry_cuda_launch *launch, float value);
void ferry_cuda_pass_null(ferry_cuda_launch *launch);
void ferry_cuda_pass_workspace(ferry_cuda_launch *launch, size_t offset);
/// The package's constants on the device, `offset` bytes from their beginning.
void ferry_cuda_pass_constants(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel, size_t offset);

/// Bytes of constants that the kernel's package has.
size_t ferry_cuda_kernel_constant_bytes(const ferry_cuda_kernel *kernel);

// Members of the backend.
ferry_status ferry_cuda_enqueue(ferry_device_stream *stream, const ferry_kernel *kernel, const ferry_binding *in,
                                const ferry_binding *out, void *workspace, ferry_error *err);
void ferry_cuda_release(ferry_kernel *kernel);

#endif // FERRY_SRC_BACKEND_CUDA_KERNEL_H_
