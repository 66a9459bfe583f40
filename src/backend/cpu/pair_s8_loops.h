// SPDX-License-Identifier: Apache-2.0
// Sums and products of two int8 tensors, part of elementwise_s8_loops.h: written once over the vectors of the simd
// headers, after one of them.
#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/finish_vf.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

typedef struct pair_terms {
    vf a_mult, b_mult, shift, a_zero, b_zero;
} pair_terms;

// Differences of int8 and their products are exact as floats.
static ALWAYS_INLINE vf combine(const pair_terms t, const bool product, vf a, vf b)
{
    if (!product) return vf_fma(b, t.b_mult, vf_fma(a, t.a_mult, t.shift));
    return vf_fma(vf_mul(vf_sub(a, t.a_zero), vf_sub(b, t.b_zero)), t.a_mult, t.shift);
}

static ALWAYS_INLINE void store_any(const ferry_pair_s8 *p, size_t at, vf t, size_t n)
{
    t = vf_act(p->finish, t);
    if (p->y)
        vf_store_sat8(p->y + at, t, n);
    else if (n < VEC)
        vf_store_part(p->real + at, t, n);
    else
        vf_store(p->real + at, t);
}

// usual: int8 results behind bounds alone, which are one with int8's own; operands are finite, so nothing is NaN.
static ALWAYS_INLINE void pair_rows(const ferry_pair_s8 *pair, size_t rows, size_t n, const bool product,
                                    const bool a_many, const bool b_many, const bool usual)
{
    // Read once: what is written could be anything's bytes.
    const pair_terms terms = {vf_set1(pair->a_mult), vf_set1(pair->b_mult), vf_set1(pair->shift), vf_set1(pair->a_zero),
                              vf_set1(pair->b_zero)};
    const size_t a_row = pair->a_row, b_row = pair->b_row, y_row = pair->y_row;
    const int8_t *a = pair->a, *b = pair->b;
    int8_t *const out = pair->y;
    const vf least = vf_set1(-128), most = vf_set1(127);
    const vf low = vf_at_most(most, vf_at_least(least, vf_set1(pair->finish->low)));
    const vf high = vf_at_least(least, vf_at_most(most, vf_set1(pair->finish->high)));
    for (size_t row = 0; row < rows; row++, a += a_row, b += b_row) {
        vf x = vf_set1(a[0]), y = vf_set1(b[0]);
        for (size_t i = 0; i < n; i += VEC) {
            const size_t left = n - i < VEC ? n - i : VEC, at = row * y_row + i;
            if (a_many) x = vf_load_s8(a + i, left);
            if (b_many) y = vf_load_s8(b + i, left);
            const vf t = combine(terms, product, x, y);
            if (usual)
                vf_store_s8(out + at, vf_at_most(high, vf_at_least(low, t)), left);
            else
                store_any(pair, at, t, left);
        }
    }
}

static ALWAYS_INLINE void pair_of(const ferry_pair_s8 *p, size_t rows, size_t n, const bool product)
{
    if (!p->y || p->finish->kind != FERRY_FINISH_CLAMP)
        pair_rows(p, rows, n, product, p->a_many, p->b_many, false);
    else if (p->a_many && p->b_many)
        pair_rows(p, rows, n, product, true, true, true);
    else
        pair_rows(p, rows, n, product, p->a_many, p->b_many, true);
}

static void add(const ferry_pair_s8 *p, size_t rows, size_t n)
{
    pair_of(p, rows, n, false);
}

static void mul(const ferry_pair_s8 *p, size_t rows, size_t n)
{
    pair_of(p, rows, n, true);
}
