// SPDX-License-Identifier: Apache-2.0
// Loops over INT8 elements for AVX-512 with permutations of bytes: a table of 256 is two look-ups of 128 entries each.
#include "backend/cpu/x86/simd_avx512.h"

static void look_up(const int8_t *x, const int8_t *table, int8_t *y, size_t n)
{
    __m512i part[4];
    for (int k = 0; k < 4; k++) part[k] = _mm512_loadu_si512(table + 64 * k);
    for (size_t i = 0; i < n; i += 64) {
        const __mmask64 here = n - i < 64 ? ((__mmask64)1 << (n - i)) - 1 : ~(__mmask64)0;
        // A permutation looks at an element's low seven bits; its sign says in which half of the table it is.
        const __m512i at = _mm512_maskz_loadu_epi8(here, x + i);
        const __m512i below = _mm512_permutex2var_epi8(part[0], at, part[1]);
        const __m512i above = _mm512_permutex2var_epi8(part[2], at, part[3]);
        _mm512_mask_storeu_epi8(y + i, here, _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), above, below));
    }
}

#define LOOK_UP look_up
#define ROW ferry_elementwise_s8__avx512vbmi
#define ISA "avx512vbmi", FERRY_ISA_AVX512VBMI
#include "backend/cpu/elementwise_s8_loops.h"
