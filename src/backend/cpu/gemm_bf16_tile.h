// SPDX-License-Identifier: Apache-2.0
// The tile of gemm_half.h for bf16, written once: a file per instruction set includes it after its simd headers, with
// MR, NV = 2, the vectors of a panel, and KERNEL, the function's name.
#include "backend/cpu/finish_rows_bf16.h"
#include "backend/cpu/gemm_half.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define CACHE_LINE 64
#define UNROLL _Pragma("GCC unroll 16")

// The sums of one pair of each row, in every column.
#define ADD_PAIR(load)                                                                                                 \
    do {                                                                                                               \
        vp column[NV];                                                                                                 \
        __builtin_prefetch(ahead, 0, 2);                                                                               \
        UNROLL                                                                                                         \
        for (size_t n = 0; n < nv; n++) column[n] = vp_load(w + n * 2 * VEC);                                          \
        UNROLL                                                                                                         \
        for (size_t m = 0; m < mr; m++) {                                                                              \
            const vp pair = load(row[m] + k);                                                                          \
            UNROLL                                                                                                     \
            for (size_t n = 0; n < nv; n++) acc[m][n] = vp_dot(acc[m][n], column[n], pair);                            \
        }                                                                                                              \
        w += nv * 2 * VEC;                                                                                             \
        ahead += line;                                                                                                 \
    } while (0)

// The usual store: residual before a clamp. whole: every column of NV vectors exists.
static ALWAYS_INLINE void store_clamped(const ferry_gemm_half_tile *t, vf acc[MR][NV], const size_t mr, const size_t nv,
                                        const bool whole)
{
    const ferry_finish *f = t->finish;
    const vf low = vf_set1(f->low), high = vf_set1(f->high), mult = vf_set1(f->r_mult);
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        vf v[NV] = {vf_set1(0), vf_set1(0)};
        UNROLL
        for (size_t n = 0; n < nv; n++) {
            v[n] = acc[m][n];
            if (t->r) {
                const uint16_t *r = t->r + m * t->r_stride + n * VEC;
                const size_t left = t->cols - n * VEC;
                v[n] = vf_fma(whole || left >= VEC ? vf_load_bf16(r) : vf_load_bf16_part(r, left), mult, v[n]);
            }
            v[n] = vf_at_most(high, vf_at_least(low, v[n]));
        }
        const vp to = vp_from_two(v[0], v[1]);
        if (whole)
            vp_store(t->y + m * t->y_stride, to);
        else
            vp_store_part(t->y + m * t->y_stride, to, t->cols);
    }
}

static ALWAYS_INLINE void tile_of(const ferry_gemm_half_tile *t, const size_t mr, const size_t nv)
{
    vf acc[MR][NV];
    UNROLL
    for (size_t n = 0; n < nv; n++) {
        const vf bias = vf_load((const float *)t->w + n * VEC);
        UNROLL
        for (size_t m = 0; m < mr; m++) acc[m][n] = bias;
    }
    const uint16_t *w = (const uint16_t *)(t->w + nv * VEC * sizeof(float));
    const void *const *x = t->x;
    const size_t kc = t->kc;
    const char *ahead = t->ahead ? t->ahead : t->w;
    const size_t line = t->ahead ? CACHE_LINE : 0;
    for (size_t taps = t->taps; taps > 0; taps--, x += MR) {
        const uint16_t *row[MR];
        UNROLL
        for (size_t m = 0; m < mr; m++) row[m] = x[m];
        size_t k = 0;
        for (; k + 2 <= kc; k += 2) ADD_PAIR(vp_set1);
        if (k < kc) ADD_PAIR(vp_set1_last);
    }
    const ferry_finish *f = t->finish;
    if (!t->sums && f->kind == FERRY_FINISH_CLAMP && !(t->r && f->act_first)) {
        if (t->cols == nv * VEC && nv == NV)
            store_clamped(t, acc, mr, nv, true);
        else
            store_clamped(t, acc, mr, nv, false);
        return;
    }
    float near[MR * NV * VEC], *sums = t->sums ? t->sums : near;
    const size_t width = t->sums ? t->y_stride : nv * VEC;
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < nv; n++) vf_store(sums + m * width + n * VEC, acc[m][n]);
    }
    if (t->sums) return;
    const vf_rows rows = {f, t->rows, t->cols, t->y, t->r, t->y_stride, t->r_stride};
    vf_finish_rows(&rows, sums, nv * VEC);
}

static __attribute__((noinline)) void tile_rows_1(const ferry_gemm_half_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 1);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}

static __attribute__((noinline)) void tile_rows_2(const ferry_gemm_half_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 2);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}

void KERNEL(const ferry_gemm_half_tile *tile);
void KERNEL(const ferry_gemm_half_tile *tile)
{
    if (tile->cols <= VEC)
        tile_rows_1(tile);
    else
        tile_rows_2(tile);
}
