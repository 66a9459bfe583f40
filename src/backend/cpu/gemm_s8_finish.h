// SPDX-License-Identifier: Apache-2.0
// What becomes of a tile's int32 sums, as docs/INT8.md has it; after one of the simd headers.
#include "backend/cpu/finish_vf.h"
#include "backend/cpu/gemm_s8.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect((x), 1)

// What sums become, as docs/INT8.md has it. The usual kinds have loops of their own.
typedef enum finish_kind { TO_S8, ADD_THEN_ACT_TO_S8, ACT_THEN_ADD_TO_S8, TO_F32, ANY_FINISH } finish_kind;

static finish_kind kind_of(const ferry_gemm_s8_tile *t)
{
    if (t->finish->kind != FERRY_FINISH_CLAMP || (t->r && (t->r_float || t->y_float))) return ANY_FINISH;
    if (t->y_float) return TO_F32;
    return !t->r ? TO_S8 : t->finish->act_first ? ACT_THEN_ADD_TO_S8 : ADD_THEN_ACT_TO_S8;
}

static ALWAYS_INLINE vf load_residual(const ferry_gemm_s8_tile *t, size_t at, size_t n)
{
    if (!t->r_float) return vf_load_s8((const int8_t *)t->r + at, n);
    return n < VEC ? vf_load_part((const float *)t->r + at, n) : vf_load((const float *)t->r + at);
}

static ALWAYS_INLINE void store_float(float *y, vf v, size_t n)
{
    if (LIKELY(n == VEC))
        vf_store(y, v);
    else
        vf_store_part(y, v, n);
}

static __attribute__((noinline)) void finish_any(const ferry_gemm_s8_tile *t, const int32_t *totals, size_t width)
{
    const ferry_finish f = *t->finish;
    const float *mult = (const float *)(t->w + width * sizeof(int32_t)), *bias = mult + width;
    for (size_t m = 0; m < t->rows; m++) {
        for (size_t n = 0; n < t->cols; n += VEC) {
            const size_t left = t->cols - n < VEC ? t->cols - n : VEC, at = m * t->y_stride + n;
            vf v = vf_fma(vf_load_s32(totals + m * width + n), vf_load(mult + n), vf_load(bias + n));
            v = t->r ? vf_act_residual(&f, v, load_residual(t, m * t->r_stride + n, left)) : vf_act(&f, v);
            if (t->y_float)
                store_float((float *)t->y + at, v, left);
            else
                vf_store_sat8((int8_t *)t->y + at, v, left);
        }
    }
}

// Bounds alone as activation, no float operand: nothing is NaN, and int8's own bounds are one with those of an
// activation that comes last. A column of vectors at a time, whose constants stay in registers.
static ALWAYS_INLINE void finish_clamp(const ferry_gemm_s8_tile *t, const int32_t *totals, const size_t width,
                                       const finish_kind kind)
{
    const vf low = vf_set1(t->finish->low), high = vf_set1(t->finish->high), r_mult = vf_set1(t->finish->r_mult);
    const vf least = vf_set1(-128), most = vf_set1(127);
    const vf first = kind == TO_F32 ? low : vf_at_most(most, vf_at_least(least, low));
    const vf last = kind == TO_F32 ? high : vf_at_least(least, vf_at_most(most, high));
    const float *mult = (const float *)(t->w + width * sizeof(int32_t)), *bias = mult + width;
    for (size_t n = 0; n < t->cols; n += VEC) {
        const size_t left = t->cols - n < VEC ? t->cols - n : VEC;
        const vf m_here = vf_load(mult + n), b_here = vf_load(bias + n);
        const int32_t *from = totals + n;
        const int8_t *r = t->r ? (const int8_t *)t->r + n : NULL;
        char *y = (char *)t->y + n * (kind == TO_F32 ? sizeof(float) : 1);
        for (size_t m = t->rows; m > 0; m--, from += width) {
            vf v = vf_fma(vf_load_s32(from), m_here, b_here);
            if (kind == ADD_THEN_ACT_TO_S8) v = vf_fma(vf_load_s8(r, left), r_mult, v);
            if (kind == ACT_THEN_ADD_TO_S8) {
                v = vf_fma(vf_load_s8(r, left), r_mult, vf_at_most(high, vf_at_least(low, v)));
                v = vf_at_most(most, vf_at_least(least, v));
            } else {
                v = vf_at_most(last, vf_at_least(first, v));
            }
            if (kind == TO_F32)
                store_float((float *)y, v, left);
            else
                vf_store_s8((int8_t *)y, v, left);
            y += t->y_stride * (kind == TO_F32 ? sizeof(float) : 1);
            if (kind == ADD_THEN_ACT_TO_S8 || kind == ACT_THEN_ADD_TO_S8) r += t->r_stride;
        }
    }
}

static __attribute__((noinline)) void finish_tile(const ferry_gemm_s8_tile *t, const int32_t *totals, size_t width)
{
    switch (kind_of(t)) {
    case TO_S8:
        finish_clamp(t, totals, width, TO_S8);
        break;
    case ADD_THEN_ACT_TO_S8:
        finish_clamp(t, totals, width, ADD_THEN_ACT_TO_S8);
        break;
    case ACT_THEN_ADD_TO_S8:
        finish_clamp(t, totals, width, ACT_THEN_ADD_TO_S8);
        break;
    case TO_F32:
        finish_clamp(t, totals, width, TO_F32);
        break;
    case ANY_FINISH:
        finish_any(t, totals, width);
        break;
    }
}
