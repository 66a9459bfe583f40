// SPDX-License-Identifier: Apache-2.0
// The loops of softmax_rows.h: a file per instruction set includes it after its simd headers, with ROW, the name of its
// table, and ISA, its name and bit; and with NARROW where it has vectors of bf16.
#include <math.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/math_vf.h"
#include "backend/cpu/softmax_rows.h"

// x = e^(scale * (x - the largest)); returns 1 / its sum. A NaN may hide from the maximum, but not from the sum.
static float exp_row(float *x, size_t n, float scale)
{
    vf most = vf_load(x), sum = vf_set1(0);
    for (size_t i = VEC; i < n; i += VEC) most = vf_at_least(most, vf_load(x + i));
    const vf scales = vf_set1(scale), shift = vf_set1(-vf_most(most) * scale);
    for (size_t i = 0; i < n; i += VEC) {
        const vf e = vf_exp(vf_fma(vf_load(x + i), scales, shift));
        sum = vf_add(sum, e);
        vf_store(x + i, e);
    }
    return 1 / vf_sum(sum);
}

static void wide(const ferry_softmax_rows *rows)
{
    for (size_t r = 0; r < rows->rows; r++) {
        float *x = rows->x + r * rows->stride;
        const vf factor = vf_set1(exp_row(x, rows->n, rows->scale));
        for (size_t i = 0; i < rows->n; i += VEC) vf_store(x + i, vf_mul(vf_load(x + i), factor));
    }
}

#ifdef NARROW
static void narrow(const ferry_softmax_rows *rows)
{
    for (size_t r = 0; r < rows->rows; r++) {
        float *x = rows->x + r * rows->stride;
        uint16_t *y = rows->narrow + r * rows->stride;
        const vf factor = vf_set1(exp_row(x, rows->n, rows->scale));
        for (size_t i = 0; i < rows->n; i += VEC) vf_store_bf16(y + i, vf_mul(vf_load(x + i), factor));
    }
}
#else
#define narrow NULL
#endif

extern const ferry_softmax_row ROW;
const ferry_softmax_row ROW = {ISA, VEC, wide, narrow};
