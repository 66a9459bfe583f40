// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for AVX-512 VNNI: four products a lane and instruction. Rows get 128 added while they
// are spread, by one instruction; the panel's start values take it back.
#include "backend/cpu/x86/simd_avx512.h"

#include <string.h>

#define MR 14
#define NV 2
#define KERNEL ferry_gemm_s8_14x32__avx512vnni
#define WIDTH 16
#define KQ 4

typedef int8_t x_element;
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
    return _mm512_loadu_si512(p);
}
static inline quad quad_load(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_xor_si512(_mm512_set1_epi32(four), _mm512_set1_epi8(-128));
}
static inline sums multiply(sums total, weights w, quad x)
{
    return _mm512_dpbusd_epi32(total, x, w);
}

#include "backend/cpu/gemm_s8_sums.h"
#include "backend/cpu/gemm_s8_tile.h"
