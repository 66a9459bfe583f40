// SPDX-License-Identifier: Apache-2.0
// Kernels of the emulator's own tests: each shows one rule of the device, and some break one.
#include "primitives.cuh"

struct mixed {
    char tag;
    double wide;
    int narrow;
};

__constant__ int table[4] = {1, 2, 3, 4};

extern "C" __global__ void __launch_bounds__(64) arguments(int *out, signed char small, float real, mixed m, long long big)
{
    if (threadIdx.x != 0) return;
    out[0] = small;
    out[1] = (int)real;
    out[2] = m.tag + (int)m.wide + m.narrow;
    out[3] = (int)(big >> 32);
    out[4] = table[0] + table[3];
}

extern "C" __global__ void places(unsigned *out)
{
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = block * 1000 + thread;
}

// Each thread writes its own value and reads its neighbour's on both sides.
extern "C" __global__ void neighbours(int *out, int with_barrier)
{
    __shared__ int values[256];
    const int t = threadIdx.x, n = blockDim.x;
    values[t] = t;
    if (with_barrier) __syncthreads();
    out[blockIdx.x * n + t] = values[(t + 1) % n] * 1000 + values[(t + n - 1) % n];
}

extern "C" __global__ void votes(int *out)
{
    const int t = threadIdx.x;
    out[t] = __syncthreads_count(t % 3 == 0) + (__syncthreads_or(t == 5) ? 1000 : 0) +
             (__syncthreads_and(t < 1000) ? 2000 : 0) + (__syncthreads_and(t != 7) ? 4000 : 0);
}

extern "C" __global__ void never_written(int *out)
{
    __shared__ int values[32];
    out[threadIdx.x] = values[threadIdx.x];
}

extern "C" __global__ void shuffles(int *out)
{
    const int lane = threadIdx.x;
    int *const mine = out + lane * 8;
    mine[0] = __shfl_sync(0xffffffffu, lane, lane * 7);
    mine[1] = __shfl_up_sync(0xffffffffu, lane, 3, 16);
    mine[2] = __shfl_down_sync(0xffffffffu, lane, 3, 8);
    mine[3] = __shfl_xor_sync(0xffffffffu, lane, 5);
    mine[4] = (int)__shfl_xor_sync(0xffffffffu, lane * 0.5f, 1) + (int)(__shfl_sync(0xffffffffu, lane + (1ll << 40), 2) >> 38);
    mine[5] = (int)__ballot_sync(0xffffffffu, lane % 5 == 0);
    mine[6] = __any_sync(0xffffffffu, lane == 31) + 2 * __all_sync(0xffffffffu, lane < 32);
    if (lane < 8) mine[7] = __shfl_xor_sync(0xffu, lane, 1);
}

extern "C" __global__ void diverge(int *out)
{
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1, 1);
    __syncthreads();
}

extern "C" __global__ void write_beyond(int *out, long long at)
{
    out[at] = 1;
}

extern "C" __global__ void write_beyond_shared()
{
    FERRY_DYNAMIC_SHARED(char, bytes);
    bytes[blockDim.x] = 1;
}

extern "C" __global__ void misaligned(const char *x, uint4 *y)
{
    *y = *(const uint4 *)(x + 4);
}

// Two stages: 16 bytes a thread each; `groups_left` is what the wait leaves open.
extern "C" __global__ void copy_through(const uint4 *x, uint4 *y, int wait)
{
    FERRY_DYNAMIC_SHARED(uint4, stage);
    const int t = threadIdx.x, n = blockDim.x;
    cp_async_16(stage + t, x + t, true);
    cp_async_commit();
    cp_async_16(stage + n + t, x + n + t, t % 2 == 0);
    cp_async_commit();
    if (wait) cp_async_wait<1>();
    y[t] = stage[t];
    cp_async_wait<0>();
    y[n + t] = stage[n + t];
}

extern "C" __global__ void matrices(const unsigned short *x, unsigned *out)
{
    FERRY_DYNAMIC_SHARED(unsigned short, rows);
    const int lane = threadIdx.x;
    for (int i = 0; i < 8; i++) rows[lane * 8 + i] = x[lane * 8 + i];
    __syncwarp();
    unsigned r[4], two[2];
    ldmatrix_x4(r, rows + lane * 8);
    for (int i = 0; i < 4; i++) out[lane * 12 + i] = r[i];
    ldmatrix_x4_trans(r, rows + lane * 8);
    for (int i = 0; i < 4; i++) out[lane * 12 + 4 + i] = r[i];
    ldmatrix_x2(two, rows + lane % 16 * 8);
    for (int i = 0; i < 2; i++) out[lane * 12 + 8 + i] = two[i];
    ldmatrix_x2_trans(two, rows + lane % 16 * 8);
    for (int i = 0; i < 2; i++) out[lane * 12 + 10 + i] = two[i];
}

// Row-major a (16 x k) and b (k x 8, column by column) of 16-bit elements; d is 16 x 8 and is added to.
template <class MMA, int K> static __device__ void multiply_halves(const unsigned *a, const unsigned *b, float *d)
{
    const int group = threadIdx.x / 4, pair = threadIdx.x % 4;
    unsigned ra[K / 4], rb[K / 8];
    for (int i = 0; i < K / 4; i++) ra[i] = a[(group + i % 2 * 8) * (K / 2) + pair + i / 2 * 4];
    for (int i = 0; i < K / 8; i++) rb[i] = b[group * (K / 2) + pair + i * 4];
    float sums[4];
    for (int i = 0; i < 4; i++) sums[i] = d[(group + i / 2 * 8) * 8 + pair * 2 + i % 2];
    MMA::run(sums, ra, rb);
    for (int i = 0; i < 4; i++) d[(group + i / 2 * 8) * 8 + pair * 2 + i % 2] = sums[i];
}
struct use_f16 {
    static __device__ void run(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { mma_f16(d, a, b); }
};
struct use_f16_k8 {
    static __device__ void run(float (&d)[4], const unsigned (&a)[2], const unsigned (&b)[1]) { mma_f16_k8(d, a, b); }
};
extern "C" __global__ void products_f16(const unsigned *a, const unsigned *b, float *d)
{
    multiply_halves<use_f16, 16>(a, b, d);
}
extern "C" __global__ void products_f16_k8(const unsigned *a, const unsigned *b, float *d)
{
    multiply_halves<use_f16_k8, 8>(a, b, d);
}
#if __CUDA_ARCH__ >= 800
struct use_bf16 {
    static __device__ void run(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { mma_bf16(d, a, b); }
};
extern "C" __global__ void products_bf16(const unsigned *a, const unsigned *b, float *d)
{
    multiply_halves<use_bf16, 16>(a, b, d);
}

extern "C" __global__ void products_tf32(const unsigned *a, const unsigned *b, float *d)
{
    const int group = threadIdx.x / 4, at = threadIdx.x % 4;
    unsigned ra[4], rb[2];
    for (int i = 0; i < 4; i++) ra[i] = a[(group + i % 2 * 8) * 8 + at + i / 2 * 4];
    for (int i = 0; i < 2; i++) rb[i] = b[group * 8 + at + i * 4];
    float sums[4];
    for (int i = 0; i < 4; i++) sums[i] = d[(group + i / 2 * 8) * 8 + at * 2 + i % 2];
    mma_tf32(sums, ra, rb);
    for (int i = 0; i < 4; i++) d[(group + i / 2 * 8) * 8 + at * 2 + i % 2] = sums[i];
}

extern "C" __global__ void products_s8(const unsigned *a, const unsigned *b, int *d)
{
    const int group = threadIdx.x / 4, at = threadIdx.x % 4;
    unsigned ra[4], rb[2];
    for (int i = 0; i < 4; i++) ra[i] = a[(group + i % 2 * 8) * 8 + at + i / 2 * 4];
    for (int i = 0; i < 2; i++) rb[i] = b[group * 8 + at + i * 4];
    int sums[4];
    for (int i = 0; i < 4; i++) sums[i] = d[(group + i / 2 * 8) * 8 + at * 2 + i % 2];
    mma_s8(sums, ra, rb);
    for (int i = 0; i < 4; i++) d[(group + i / 2 * 8) * 8 + at * 2 + i % 2] = sums[i];
}
#endif

extern "C" __global__ void halves(const float *x, unsigned short *f16, unsigned short *bf16, float *back, int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    f16[i] = f32_to_f16(x[i]);
    bf16[i] = f32_to_bf16(x[i]);
    back[i] = f16_to_f32(f16[i]);
}

extern "C" __global__ void fused(const unsigned *a, const unsigned *b, const unsigned *c, unsigned *out)
{
    const int i = threadIdx.x;
    out[i] = fma_f16x2(a[i], b[i], c[i]);
}

extern "C" __global__ void increment(int *x, int by)
{
    atomicAdd(x, by);
}

extern "C" __global__ void add_to(const int *x, int *y, int by)
{
    y[threadIdx.x] = x[threadIdx.x] + by;
}
