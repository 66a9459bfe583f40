// SPDX-License-Identifier: Apache-2.0
// Tiles of f16 matrix products for NEON's f16 arithmetic, eight products an instruction. Runs of RUN products are
// summed in f16 and then added to sums in f32: both kinds of sums, the weights of a step and the rows' elements fill
// the registers.
#include "backend/cpu/arm/simd_neon.h"
#include "backend/cpu/arm/simd_f16_neon.h"
#include "backend/cpu/gemm_half.h"

#define HALF_LOAD vf_load_f16
#define HALF_LOAD_PART vf_load_f16_part
#define HALF_STORE vf_store_f16
#define HALF_STORE_PART vf_store_f16_part
#include "backend/cpu/finish_rows_half.h"

#define MR 4
#define NV 2
#define KERNEL ferry_gemm_f16_4x16__neonfp16
#define WIDTH 8 // columns of a vector
#define RUN 64  // products summed in f16: a multiple of 8

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

static inline float16x8_t load_half(const uint16_t *p)
{
    return vreinterpretq_f16_u16(vld1q_u16(p));
}

// sum + w * x[lane]. Written out, since compilers copy an element that is used twice to a register of its own instead;
// only the first sixteen registers can give one. Volatile keeps the order, in which neighbours do not wait for each
// other.
#define ADD_BY_LANE(sum, w, x, lane) __asm__ volatile("fmla %0.8h, %1.8h, %2.h[" #lane "]" : "+w"(sum) : "w"(w), "x"(x))

// The products of one element of each row, which `lane` picks from elements[m], with every column.
#define ADD_PRODUCTS(lane)                                                                                             \
    do {                                                                                                               \
        float16x8_t column[NV];                                                                                        \
        UNROLL                                                                                                         \
        for (size_t n = 0; n < nv; n++) column[n] = load_half(w + n * WIDTH);                                          \
        UNROLL                                                                                                         \
        for (size_t m = 0; m < mr; m++) {                                                                              \
            UNROLL                                                                                                     \
            for (size_t n = 0; n < nv; n++) ADD_BY_LANE(run[m][n], column[n], elements[m], lane);                      \
        }                                                                                                              \
        w += nv * WIDTH;                                                                                               \
    } while (0)

// Adds the runs to the sums, and begins new ones.
static ALWAYS_INLINE void end_runs(float16x8_t run[MR][NV], float32x4_t sum[MR][2 * NV], const float *scale,
                                   const size_t mr, const size_t nv)
{
    UNROLL
    for (size_t n = 0; n < nv; n++) {
        const float32x4_t low = vld1q_f32(scale + n * WIDTH), high = vld1q_f32(scale + n * WIDTH + 4);
        UNROLL
        for (size_t m = 0; m < mr; m++) {
            sum[m][2 * n] = vfmaq_f32(sum[m][2 * n], vcvt_f32_f16(vget_low_f16(run[m][n])), low);
            sum[m][2 * n + 1] = vfmaq_f32(sum[m][2 * n + 1], vcvt_high_f32_f16(run[m][n]), high);
            run[m][n] = vdupq_n_f16(0);
        }
    }
}

static ALWAYS_INLINE void store_clamped(const ferry_gemm_half_tile *t, float32x4_t sum[MR][2 * NV], const size_t mr,
                                        const size_t nv)
{
    const vf low = vf_set1(t->finish->low), high = vf_set1(t->finish->high);
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < 2 * nv; n++)
            vf_store_f16(t->y + m * t->y_stride + n * VEC, vf_at_most(high, vf_at_least(low, sum[m][n])));
    }
}

static ALWAYS_INLINE void tile_of(const ferry_gemm_half_tile *t, const size_t mr, const size_t nv)
{
    float32x4_t sum[MR][2 * NV];
    float16x8_t run[MR][NV];
    const float *bias = (const float *)t->w, *scale = bias + nv * WIDTH;
    const uint16_t *w = (const uint16_t *)(scale + nv * WIDTH);
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < 2 * nv; n++) sum[m][n] = vf_load(bias + n * VEC);
        UNROLL
        for (size_t n = 0; n < nv; n++) run[m][n] = vdupq_n_f16(0);
    }
    const void *const *x = t->x;
    const size_t kc = t->kc;
    size_t left = RUN; // products that the runs still take
    for (size_t taps = t->taps; taps > 0; taps--, x += MR) {
        const uint16_t *row[MR];
        float16x8_t elements[MR];
        UNROLL
        for (size_t m = 0; m < mr; m++) row[m] = x[m];
        size_t k = 0;
        for (; k + 8 <= kc; k += 8) {
            if (left < 8) {
                end_runs(run, sum, scale, mr, nv);
                left = RUN;
            }
            left -= 8;
            UNROLL
            for (size_t m = 0; m < mr; m++) elements[m] = load_half(row[m] + k);
            ADD_PRODUCTS(0);
            ADD_PRODUCTS(1);
            ADD_PRODUCTS(2);
            ADD_PRODUCTS(3);
            ADD_PRODUCTS(4);
            ADD_PRODUCTS(5);
            ADD_PRODUCTS(6);
            ADD_PRODUCTS(7);
        }
        if (left < kc - k) {
            end_runs(run, sum, scale, mr, nv);
            left = RUN;
        }
        left -= kc - k;
        for (; k < kc; k++) {
            UNROLL
            for (size_t m = 0; m < mr; m++) elements[m] = vreinterpretq_f16_u16(vld1q_dup_u16(row[m] + k));
            ADD_PRODUCTS(0);
        }
    }
    end_runs(run, sum, scale, mr, nv);
    if (t->finish->kind == FERRY_FINISH_CLAMP && !t->r && t->cols == nv * WIDTH) {
        store_clamped(t, sum, mr, nv);
        return;
    }
    float sums[MR * NV * WIDTH];
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < 2 * nv; n++) vf_store(sums + m * nv * WIDTH + n * VEC, sum[m][n]);
    }
    const vf_rows rows = {t->finish, t->rows, t->cols, t->y, t->r, t->y_stride, t->r_stride};
    vf_finish_rows(&rows, sums, nv * WIDTH);
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
    if (tile->cols <= WIDTH)
        tile_rows_1(tile);
    else
        tile_rows_2(tile);
}
