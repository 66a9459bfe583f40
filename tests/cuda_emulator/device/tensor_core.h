// SPDX-License-Identifier: Apache-2.0
// ldmatrix and mma: the whole warp comes, the device computes (execute/matrix.c).
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_TENSOR_CORE_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_TENSOR_CORE_H_

#if __CUDA_ARCH__ >= 750
template <unsigned COUNT>
static inline void ferry_ldmatrix(emulated_collective what, unsigned (&r)[COUNT], const void *row)
{
    const emulated_ldmatrix operands = {row, COUNT};
    ferry_runtime->collective(what, EMULATED_ALL_LANES, &operands, r);
}
static inline void ldmatrix_x4(unsigned (&r)[4], const void *row)
{
    ferry_ldmatrix(EMULATED_LDMATRIX, r, row);
}
static inline void ldmatrix_x4_trans(unsigned (&r)[4], const void *row)
{
    ferry_ldmatrix(EMULATED_LDMATRIX_TRANS, r, row);
}
static inline void ldmatrix_x2(unsigned (&r)[2], const void *row)
{
    ferry_ldmatrix(EMULATED_LDMATRIX, r, row);
}
static inline void ldmatrix_x2_trans(unsigned (&r)[2], const void *row)
{
    ferry_ldmatrix(EMULATED_LDMATRIX_TRANS, r, row);
}

static inline void ferry_mma(emulated_collective what, void *d, const unsigned *a, const unsigned *b)
{
    const emulated_mma operands = {a, b};
    ferry_runtime->collective(what, EMULATED_ALL_LANES, &operands, d);
}
static inline void mma_f16_k8(float (&d)[4], const unsigned (&a)[2], const unsigned (&b)[1])
{
    ferry_mma(EMULATED_MMA_F16_K8, d, a, b);
}
#endif

#if __CUDA_ARCH__ >= 800
static inline void mma_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    ferry_mma(EMULATED_MMA_F16, d, a, b);
}
static inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    ferry_mma(EMULATED_MMA_BF16, d, a, b);
}
static inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    ferry_mma(EMULATED_MMA_TF32, d, a, b);
}
static inline void mma_s8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    ferry_mma(EMULATED_MMA_S8, d, a, b);
}
#elif __CUDA_ARCH__ >= 750
static inline void mma_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    ferry_mma(EMULATED_MMA_F16_K8, d, a, b);
    ferry_mma(EMULATED_MMA_F16_K8, d, a + 2, b + 1);
}
#endif

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_TENSOR_CORE_H_
