// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for AVX-512 without VNNI: pairs as int16, which vpmaddwd multiplies and adds exactly.
#include "backend/cpu/x86/simd_avx512.h"

#include <string.h>

#define MR 14
#define NV 2
#define KERNEL ferry_gemm_s8_14x32__avx512
#define WIDTH 16
#define KQ 2

typedef int16_t x_element;
typedef __m512i sums, weights, quad;

static inline sums sums_load(const int32_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline void sums_store(int32_t *p, sums v)
{
    _mm512_storeu_si512(p, v);
}
static inline weights weights_load(const int8_t *p)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p));
}
static inline quad quad_load(const int16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}
static inline sums multiply(sums total, weights w, quad x)
{
    return _mm512_add_epi32(total, _mm512_madd_epi16(w, x));
}

#include "backend/cpu/gemm_s8_sums.h"
#include "backend/cpu/gemm_s8_tile.h"
