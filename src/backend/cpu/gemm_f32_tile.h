// SPDX-License-Identifier: Apache-2.0
// The tile of gemm_f32.h, written once: a file per instruction set includes it after its simd header, with MR, the
// number of vectors NV of a panel, and KERNEL, the function's name; and with LINES for the kernel of lines.
#include "backend/cpu/finish_rows.h"
#include "backend/cpu/gemm_f32.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define CACHE_LINE 64

#ifdef LINES
#define TAP_POINTERS 1
static ALWAYS_INLINE const float *row_pointer(const ferry_gemm_f32_tile *t, const void *const *x, size_t m)
{
    return (const float *)x[0] + m * t->x_step;
}
#else
#define TAP_POINTERS MR
static ALWAYS_INLINE const float *row_pointer(const ferry_gemm_f32_tile *t, const void *const *x, size_t m)
{
    (void)t;
    return x[m];
}
#endif

// What most stores are, without a way through memory: bounds, after or before a residual.
static ALWAYS_INLINE void store_clamped(const ferry_gemm_f32_tile *t, vf (*acc)[NV], const size_t mr, const size_t nv,
                                        const bool residual)
{
    const vf low = vf_set1(t->finish->low), high = vf_set1(t->finish->high), mult = vf_set1(t->finish->r_mult);
    const bool act_first = t->finish->act_first;
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < nv; n++) {
            const size_t left = t->cols - n * VEC;
            const bool narrow = n + 1 == nv && left < VEC;
            float *y = t->y + m * t->y_stride + n * VEC;
            vf v = acc[m][n];
            if (residual) {
                const float *from = t->r + m * t->r_stride + n * VEC;
                const vf r = narrow ? vf_load_part(from, left) : vf_load(from);
                v = vf_fma(r, mult, act_first ? vf_at_most(high, vf_at_least(low, v)) : v);
            }
            if (!residual || !act_first) v = vf_at_most(high, vf_at_least(low, v));
            if (narrow)
                vf_store_part(y, v, left);
            else
                vf_store(y, v);
        }
    }
}

static ALWAYS_INLINE void tile_of(const ferry_gemm_f32_tile *t, const size_t mr, const size_t nv)
{
    vf acc[MR][NV];
    const float *w = t->w;
    UNROLL
    for (size_t n = 0; n < nv; n++) {
        const vf bias = vf_load(w + n * VEC);
        UNROLL
        for (size_t m = 0; m < mr; m++) acc[m][n] = bias;
    }
    w += nv * VEC;
    const void *const *x = t->x;
    const size_t kc = t->kc;
    const char *ahead = t->ahead ? t->ahead : (const char *)w;
    const size_t line = t->ahead ? CACHE_LINE : 0;
    for (size_t taps = t->taps; taps > 0; taps--, x += TAP_POINTERS) {
        const float *rows[MR];
        UNROLL
        for (size_t m = 0; m < mr; m++) rows[m] = row_pointer(t, x, m);
        for (size_t k = 0; k < kc; k++, w += nv * VEC, ahead += line) {
            vf column[NV];
            __builtin_prefetch(ahead, 0, 2);
            UNROLL
            for (size_t n = 0; n < nv; n++) column[n] = vf_load(w + n * VEC);
            UNROLL
            for (size_t m = 0; m < mr; m++) {
                const vf element = vf_set1(rows[m][k]);
                UNROLL
                for (size_t n = 0; n < nv; n++) acc[m][n] = vf_fma(element, column[n], acc[m][n]);
            }
        }
    }
    if (t->finish->kind == FERRY_FINISH_CLAMP) {
        if (t->r)
            store_clamped(t, acc, mr, nv, true);
        else
            store_clamped(t, acc, mr, nv, false);
        return;
    }
    float sums[MR * NV * VEC];
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < nv; n++) vf_store(sums + (m * nv + n) * VEC, acc[m][n]);
    }
    const vf_rows to = {t->finish, t->rows, t->cols, t->y, t->r, t->y_stride, t->r_stride};
    vf_finish_rows(&to, sums, nv * VEC);
}

static __attribute__((noinline)) void tile_rows_1(const ferry_gemm_f32_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 1);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}

#if NV >= 2
static __attribute__((noinline)) void tile_rows_2(const ferry_gemm_f32_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 2);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}
#endif

void KERNEL(const ferry_gemm_f32_tile *tile);
void KERNEL(const ferry_gemm_f32_tile *tile)
{
    switch ((tile->cols + VEC - 1) / VEC) {
    case 1:
        tile_rows_1(tile);
        return;
#if NV >= 2
    case 2:
        tile_rows_2(tile);
        return;
#endif
    }
}
