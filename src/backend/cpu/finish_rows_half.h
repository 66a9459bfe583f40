// SPDX-License-Identifier: Apache-2.0
// Finishes rows of sums that lie in scratch memory and stores them as 16-bit floats: every activation and residual, a
// narrow last vector. Included with HALF_LOAD, HALF_STORE and their _PART forms, which widen and round VEC elements.
#include "backend/cpu/finish_vf.h"

typedef struct vf_rows {
    const ferry_finish *finish;
    size_t rows, cols;
    uint16_t *y;       // row i at y + i * y_stride
    const uint16_t *r; // the residual, like y; NULL: none
    size_t y_stride, r_stride;
} vf_rows;

static inline vf vf_rows_residual(const vf_rows *to, size_t m, size_t n)
{
    const uint16_t *r = to->r + m * to->r_stride + n;
    return to->cols - n >= VEC ? HALF_LOAD(r) : HALF_LOAD_PART(r, to->cols - n);
}

static inline void vf_rows_store(const vf_rows *to, size_t m, size_t n, vf v)
{
    uint16_t *y = to->y + m * to->y_stride + n;
    if (to->cols - n >= VEC)
        HALF_STORE(y, v);
    else
        HALF_STORE_PART(y, v, to->cols - n);
}

static inline void vf_rows_add(const vf_rows *to, float *sums, size_t width)
{
    const vf mult = vf_set1(to->finish->r_mult);
    for (size_t m = 0; m < to->rows; m++)
        for (size_t n = 0; n < to->cols; n += VEC) {
            float *at = sums + m * width + n;
            vf_store(at, vf_fma(vf_rows_residual(to, m, n), mult, vf_load(at)));
        }
}

// sums [rows][width], width a multiple of VEC, are overwritten.
static __attribute__((noinline)) void vf_finish_rows(const vf_rows *to, float *sums, size_t width)
{
    const ferry_finish f = *to->finish;
    const bool loop = f.kind == FERRY_FINISH_LOOP;
    if (loop && to->r && !f.act_first) vf_rows_add(to, sums, width);
    if (loop) f.loop(sums, sums, to->rows * width, f.parameters);
    if (loop && to->r && f.act_first) vf_rows_add(to, sums, width);
    for (size_t m = 0; m < to->rows; m++)
        for (size_t n = 0; n < to->cols; n += VEC) {
            vf v = vf_load(sums + m * width + n);
            if (!loop) v = to->r ? vf_act_residual(&f, v, vf_rows_residual(to, m, n)) : vf_act(&f, v);
            vf_rows_store(to, m, n, v);
        }
}
