// SPDX-License-Identifier: Apache-2.0
// Finishes rows of sums that lie in scratch memory and stores them: every activation and residual, a narrow last
// vector. After one of the simd headers.
#include "backend/cpu/finish_vf.h"

typedef struct vf_rows {
    const ferry_finish *finish;
    size_t rows, cols;
    float *y;       // row i at y + i * y_stride
    const float *r; // the residual, like y; NULL: none
    size_t y_stride, r_stride;
} vf_rows;

static inline void vf_rows_add(const vf_rows *to, float *sums, size_t width)
{
    const vf mult = vf_set1(to->finish->r_mult);
    for (size_t m = 0; m < to->rows; m++) {
        for (size_t n = 0; n < to->cols; n += VEC) {
            const float *r = to->r + m * to->r_stride + n;
            float *at = sums + m * width + n;
            const vf v = to->cols - n >= VEC ? vf_load(r) : vf_load_part(r, to->cols - n);
            vf_store(at, vf_fma(v, mult, vf_load(at)));
        }
    }
}

static inline void vf_rows_copy(const vf_rows *to, const float *sums, size_t width)
{
    for (size_t m = 0; m < to->rows; m++) {
        const float *from = sums + m * width;
        float *y = to->y + m * to->y_stride;
        size_t n = 0;
        for (; n + VEC <= to->cols; n += VEC) vf_store(y + n, vf_load(from + n));
        if (n < to->cols) vf_store_part(y + n, vf_load(from + n), to->cols - n);
    }
}

static inline void vf_rows_act(const vf_rows *to, const float *sums, size_t width)
{
    const ferry_finish f = *to->finish;
    for (size_t m = 0; m < to->rows; m++) {
        for (size_t n = 0; n < to->cols; n += VEC) {
            const size_t left = to->cols - n;
            vf v = vf_load(sums + m * width + n);
            float *y = to->y + m * to->y_stride + n;
            if (to->r) {
                const float *r = to->r + m * to->r_stride + n;
                v = vf_act_residual(&f, v, left >= VEC ? vf_load(r) : vf_load_part(r, left));
            } else {
                v = vf_act(&f, v);
            }
            if (left >= VEC)
                vf_store(y, v);
            else
                vf_store_part(y, v, left);
        }
    }
}

// sums [rows][width], width a multiple of VEC, are overwritten.
static __attribute__((noinline)) void vf_finish_rows(const vf_rows *to, float *sums, size_t width)
{
    const ferry_finish *f = to->finish;
    if (f->kind != FERRY_FINISH_LOOP) {
        vf_rows_act(to, sums, width);
        return;
    }
    if (to->r && !f->act_first) vf_rows_add(to, sums, width);
    f->loop(sums, sums, to->rows * width, f->parameters);
    if (to->r && f->act_first) vf_rows_add(to, sums, width);
    vf_rows_copy(to, sums, width);
}
