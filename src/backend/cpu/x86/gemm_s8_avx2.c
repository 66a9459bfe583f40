// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for AVX2: pairs as int16, which vpmaddwd multiplies and adds exactly.
#include "backend/cpu/x86/simd_avx2.h"

#include <string.h>

#define MR 6
#define NV 2
#define KERNEL ferry_gemm_s8_6x16__avx2
#define WIDTH 8
#define KQ 2

typedef int16_t x_element;
typedef __m256i sums, weights, quad;

static inline sums sums_load(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void sums_store(int32_t *p, sums v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}
static inline weights weights_load(const int8_t *p)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
}
static inline quad quad_load(const int16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}
static inline sums multiply(sums total, weights w, quad x)
{
    return _mm256_add_epi32(total, _mm256_madd_epi16(w, x));
}

#include "backend/cpu/gemm_s8_sums.h"
#include "backend/cpu/gemm_s8_tile.h"
