// SPDX-License-Identifier: Apache-2.0
// The functions of warpgroup.cuh: products of tiles in shared memory that go on while their threads do other things.
// In every second block they are made as late as the wait allows, in the others at once.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_WARPGROUP_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_WARPGROUP_H_

#if __CUDA_ARCH__ == 900
struct ferry_wgmma {
    void (*make)(const ferry_wgmma &);
    void *sums;
    unsigned long long left, right;
    unsigned columns, group;
};
// Of each thread of the block that runs.
struct ferry_wgmma_queue {
    ferry_wgmma waiting[64];
    unsigned count, group;
};
static ferry_wgmma_queue ferry_wgmma_queues[1024];

static inline ferry_wgmma_queue &ferry_wgmma_of_thread()
{
    return ferry_wgmma_queues[threadIdx.x];
}

// Sixteenths of an address, as the chip's descriptors count.
static inline unsigned long long shared_rows(const void *first)
{
    const unsigned long long at = reinterpret_cast<unsigned long long>(first);
    if (at % 1024 != 0) __trap();
    return at / 16;
}
// Marked by the highest bit; how far chunks lie apart is above all addresses.
static inline unsigned long long shared_cores(const void *first, unsigned along)
{
    const unsigned long long at = reinterpret_cast<unsigned long long>(first);
    if (at % 16 != 0 || along % 16 != 0 || along >= 1 << 18) __trap();
    return at / 16 | static_cast<unsigned long long>(along / 16) << 48 | 1ull << 63;
}
// Element `k` of 32 bytes of a row.
template <class T> static inline const T &ferry_wgmma_element(unsigned long long rows, unsigned row, unsigned k)
{
    if (rows >> 63) {
        const unsigned long long chunk = rows % (1ull << 48) + row + k * sizeof(T) / 16 * (rows >> 48 & 0x3fff);
        return reinterpret_cast<const T *>(chunk * 16)[k % (16 / sizeof(T))];
    }
    const unsigned long long chunk = rows % 8 + k * sizeof(T) / 16;
    const char *const tile = reinterpret_cast<const char *>(rows / 64 * 1024);
    return reinterpret_cast<const T *>(tile + row * 128 + ((chunk ^ (row % 8)) << 4))[k % (16 / sizeof(T))];
}
struct ferry_wgmma_f16 {
    unsigned short bits;
    float value() const
    {
        return f16_to_f32(bits);
    }
};
struct ferry_wgmma_bf16 {
    unsigned short bits;
    float value() const
    {
        return bf16_to_f32(bits);
    }
};
struct ferry_wgmma_s8 {
    signed char bits;
    int value() const
    {
        return bits;
    }
};
template <class T, class S> static void ferry_wgmma_make(const ferry_wgmma &w)
{
    constexpr unsigned depth = 32 / sizeof(T);
    const unsigned lane = threadIdx.x % 32, first = threadIdx.x / 32 % 4 * 16 + lane / 4;
    for (unsigned half = 0; half < 2; half++) {
        S row[depth];
        for (unsigned k = 0; k < depth; k++) row[k] = ferry_wgmma_element<T>(w.left, first + 8 * half, k).value();
        for (unsigned n = 0; n < w.columns / 4; n++) { // pairs
            const unsigned column = n / 2 * 8 + n % 2 + lane % 4 * 2;
            S sum = static_cast<S *>(w.sums)[n / 2 * 4 + half * 2 + n % 2];
            for (unsigned k = 0; k < depth; k++) sum += row[k] * ferry_wgmma_element<T>(w.right, column, k).value();
            static_cast<S *>(w.sums)[n / 2 * 4 + half * 2 + n % 2] = sum;
        }
    }
}
template <class T, class S, int N>
static inline void ferry_wgmma_begin(S (&d)[N], unsigned long long left, unsigned long long right)
{
    __syncwarp();
    ferry_wgmma_queue &q = ferry_wgmma_of_thread();
    const ferry_wgmma w = {ferry_wgmma_make<T, S>, d, left, right, 2 * N, q.group};
    if (blockIdx.x % 2 != 0) {
        w.make(w);
    } else {
        if (q.count == 64) __trap();
        q.waiting[q.count++] = w;
    }
}
#define FERRY_WGMMA(name, type, sum)                                                                                   \
    template <int N> static inline void name(sum(&d)[N], unsigned long long left, unsigned long long right)            \
    {                                                                                                                  \
        ferry_wgmma_begin<type>(d, left, right);                                                                       \
    }
FERRY_WGMMA(wgmma_f16, ferry_wgmma_f16, float)
FERRY_WGMMA(wgmma_bf16, ferry_wgmma_bf16, float)
FERRY_WGMMA(wgmma_s8, ferry_wgmma_s8, int)
#undef FERRY_WGMMA

static inline void wgmma_fence()
{
    __syncwarp();
}
static inline void wgmma_commit()
{
    ferry_wgmma_of_thread().group++;
}
template <int PENDING> static inline void wgmma_wait()
{
    __syncwarp();
    ferry_wgmma_queue &q = ferry_wgmma_of_thread();
    unsigned done = 0;
    for (; done < q.count && q.waiting[done].group + PENDING < q.group; done++) q.waiting[done].make(q.waiting[done]);
    for (unsigned i = done; i < q.count; i++) q.waiting[i - done] = q.waiting[i];
    q.count -= done;
}
template <class S, int N> static inline void wgmma_read(S (&)[N])
{
}
static inline void shared_stores_fence()
{
}
#endif

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_WARPGROUP_H_
