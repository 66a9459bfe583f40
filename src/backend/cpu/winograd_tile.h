// SPDX-License-Identifier: Apache-2.0
// The transforms of winograd.h, written once: a file per instruction set and type includes it after its simd header and
// the header that finishes rows of that type, with ROW, the name of the row that it defines, ISA_NAME and ISA_BITS;
// with BF16 for tensors of that type.
#include "backend/cpu/isa.h"
#include "backend/cpu/winograd.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#ifdef BF16
typedef uint16_t element;
#define LOAD vf_load_bf16
#define LOAD_PART vf_load_bf16_part
#define STORE vf_store_bf16
#else
typedef float element;
#define LOAD vf_load
#define LOAD_PART vf_load_part
#define STORE vf_store
#endif

#define MOST_N 6
#define MOST_M 4

// --- One direction -------------------------------------------------------------------------------------------------
//
// Bt times a line of n inputs, At times a line of n products: half of the results at a time, so that both directions of
// a tile go through registers. Halves of the former are the first and the last n / 2 results, of the latter the even
// and the odd ones: those share terms.

static ALWAYS_INLINE void evaluate_2(const bool last, const vf *d, vf *out)
{
    out[0] = last ? vf_sub(d[2], d[1]) : vf_sub(d[0], d[2]);
    out[1] = last ? vf_sub(d[3], d[1]) : vf_add(d[2], d[1]);
}

// With a^2 = 1/2, b^2 = 2 and so a b^2 = b, b a^2 = a.
static ALWAYS_INLINE void evaluate_4(const bool last, const vf *d, vf *out)
{
    const float point = (float)(last ? FERRY_WINOGRAD_B : FERRY_WINOGRAD_A);
    const vf minus_other_squared = vf_set1(last ? -0.5f : -2), minus_both = vf_set1(-2.5f);
    const vf even = vf_fma(minus_other_squared, d[2], d[4]), odd = vf_fma(minus_other_squared, d[1], d[3]);
    const vf at_plus = vf_fma(vf_set1(point), odd, even), at_minus = vf_fma(vf_set1(-point), odd, even);
    if (last) {
        out[0] = at_plus;
        out[1] = at_minus;
        out[2] = vf_fma(minus_both, d[3], vf_add(d[1], d[5]));
    } else {
        out[0] = vf_fma(minus_both, d[2], vf_add(d[0], d[4]));
        out[1] = at_plus;
        out[2] = at_minus;
    }
}

static ALWAYS_INLINE void interpolate_2(const bool odd, const vf *p, vf *out)
{
    out[0] = odd ? vf_add(vf_sub(p[1], p[2]), p[3]) : vf_add(p[0], vf_add(p[1], p[2]));
}

static ALWAYS_INLINE void interpolate_4(const bool odd, const vf *p, vf *out)
{
    const float a = (float)FERRY_WINOGRAD_A, b = (float)FERRY_WINOGRAD_B;
    if (odd) {
        const vf at_a = vf_sub(p[1], p[2]), at_b = vf_sub(p[3], p[4]);
        out[0] = vf_fma(vf_set1(b), at_b, vf_mul(vf_set1(a), at_a));
        out[1] = vf_fma(vf_set1(2 * b), at_b, vf_fma(vf_set1(0.5f * a), at_a, p[5]));
    } else {
        const vf at_a = vf_add(p[1], p[2]), at_b = vf_add(p[3], p[4]);
        out[0] = vf_add(p[0], vf_add(at_a, at_b));
        out[1] = vf_fma(vf_set1(2), at_b, vf_mul(vf_set1(0.5f), at_a));
    }
}

// [n / 2] results
static ALWAYS_INLINE void evaluate(const size_t m, const bool last, const vf *d, vf *out)
{
    if (m == 2)
        evaluate_2(last, d, out);
    else
        evaluate_4(last, d, out);
}

// [m / 2] results
static ALWAYS_INLINE void interpolate(const size_t m, const bool odd, const vf *p, vf *out)
{
    if (m == 2)
        interpolate_2(odd, p, out);
    else
        interpolate_4(odd, p, out);
}

// --- Both directions, a vector of channels at a time ---------------------------------------------------------------

// The values at the first or the last n / 2 points down, and all points across.
static ALWAYS_INLINE void input_half(const ferry_winograd_input *t, const size_t m, const bool last, size_t c,
                                     const size_t count)
{
    const size_t n = m + 2;
    vf down[MOST_N / 2][MOST_N];
    UNROLL
    for (size_t j = 0; j < n; j++) {
        vf d[MOST_N], e[MOST_N / 2];
        UNROLL
        for (size_t i = 0; i < n; i++) {
            const element *x = (const element *)t->x[i * n + j] + c;
            d[i] = count < VEC ? LOAD_PART(x, count) : LOAD(x);
        }
        evaluate(m, last, d, e);
        UNROLL
        for (size_t i = 0; i < n / 2; i++) down[i][j] = e[i];
    }
    UNROLL
    for (size_t i = 0; i < n / 2; i++) {
        vf e[MOST_N];
        evaluate(m, false, down[i], e);
        evaluate(m, true, down[i], e + n / 2);
        float *v = t->v + ((last ? n / 2 : 0) + i) * n * t->v_step + c;
        UNROLL
        for (size_t j = 0; j < n; j++) vf_store(v + j * t->v_step, e[j]);
    }
}

static ALWAYS_INLINE void input_vector(const ferry_winograd_input *t, const size_t m, size_t c, const size_t count)
{
    input_half(t, m, false, c, count);
    input_half(t, m, true, c, count);
}

static ALWAYS_INLINE void input_of(const ferry_winograd_input *t, const size_t m)
{
    size_t c = 0;
    for (; c + VEC <= t->channels; c += VEC) input_vector(t, m, c, VEC);
    if (c < t->channels) input_vector(t, m, c, t->channels - c);
}

// Line `i` of the tile's outputs from channel `c` on.
static inline vf_rows outputs_line(const ferry_winograd_output *t, size_t i, size_t c)
{
    return (vf_rows){.finish = t->finish,
                     .rows = t->columns,
                     .cols = t->channels - c < VEC ? t->channels - c : VEC,
                     .y = (element *)t->y + i * t->y_row + c,
                     .r = t->r ? (const element *)t->r + i * t->r_row + c : NULL,
                     .y_stride = t->y_column,
                     .r_stride = t->r_column};
}

// A loop over all sums at once: lines of one vector are short for it.
static void finish_by_loop(const ferry_winograd_output *t, size_t m, size_t c, float *sums)
{
    const ferry_finish *f = t->finish;
    const ferry_finish rest = {.low = -INFINITY, .high = INFINITY, .r_mult = f->r_mult, .act_first = true};
    for (size_t i = 0; t->r && !f->act_first && i < t->rows; i++) {
        const vf_rows to = outputs_line(t, i, c);
        vf_rows_add(&to, sums + i * m * VEC, VEC);
    }
    f->loop(sums, sums, m * m * VEC, f->parameters);
    for (size_t i = 0; i < t->rows; i++) {
        vf_rows to = outputs_line(t, i, c);
        to.finish = &rest;
        if (!f->act_first) to.r = NULL;
        vf_finish_rows(&to, sums + i * m * VEC, VEC);
    }
}

// The store with everything: residual, odd activations, a tile or vector that is not whole. sums: [m][m][VEC].
static __attribute__((noinline)) void finish_outputs(const ferry_winograd_output *t, size_t m, size_t c, float *sums)
{
    if (t->finish->kind == FERRY_FINISH_LOOP) {
        finish_by_loop(t, m, c, sums);
        return;
    }
    for (size_t i = 0; i < t->rows; i++) {
        const vf_rows to = outputs_line(t, i, c);
        vf_finish_rows(&to, sums + i * m * VEC, VEC);
    }
}

// The even or the odd lines of outputs; `sums` gets them where the store is not plain.
static ALWAYS_INLINE void output_half(const ferry_winograd_output *t, const size_t m, const bool odd, size_t c,
                                      const bool plain, float *sums)
{
    const size_t n = m + 2;
    vf down[MOST_M / 2][MOST_N];
    UNROLL
    for (size_t j = 0; j < n; j++) {
        vf p[MOST_N], e[MOST_M / 2];
        UNROLL
        for (size_t i = 0; i < n; i++) p[i] = vf_load(t->p + (i * n + j) * t->p_step + c);
        interpolate(m, odd, p, e);
        UNROLL
        for (size_t i = 0; i < m / 2; i++) down[i][j] = e[i];
    }
    element *y = t->y;
    const vf bias = vf_load(t->bias + c), low = vf_set1(t->finish->low), high = vf_set1(t->finish->high);
    UNROLL
    for (size_t i = 0; i < m / 2; i++) {
        const size_t line = 2 * i + odd;
        UNROLL
        for (size_t j = 0; j < 2; j++) {
            vf e[MOST_M / 2];
            interpolate(m, j, down[i], e);
            UNROLL
            for (size_t k = 0; k < m / 2; k++) {
                const size_t column = 2 * k + j;
                const vf sum = vf_add(e[k], bias);
                if (plain)
                    STORE(y + line * t->y_row + column * t->y_column + c, vf_at_most(high, vf_at_least(low, sum)));
                else
                    vf_store(sums + (line * m + column) * VEC, sum);
            }
        }
    }
}

static ALWAYS_INLINE void output_vector(const ferry_winograd_output *t, const size_t m, size_t c, const bool plain)
{
    float sums[MOST_M * MOST_M * VEC];
    output_half(t, m, false, c, plain, sums);
    output_half(t, m, true, c, plain, sums);
    if (!plain) finish_outputs(t, m, c, sums);
}

static ALWAYS_INLINE void output_of(const ferry_winograd_output *t, const size_t m)
{
    size_t c = 0;
    if (!t->r && t->finish->kind == FERRY_FINISH_CLAMP && t->rows == m && t->columns == m)
        for (; c + VEC <= t->channels; c += VEC) output_vector(t, m, c, true);
    for (; c < t->channels; c += VEC) output_vector(t, m, c, false);
}

static void input_2(const ferry_winograd_input *tile)
{
    input_of(tile, 2);
}
static void input_4(const ferry_winograd_input *tile)
{
    input_of(tile, 4);
}
static void output_2(const ferry_winograd_output *tile)
{
    output_of(tile, 2);
}
static void output_4(const ferry_winograd_output *tile)
{
    output_of(tile, 4);
}

extern const ferry_winograd_row ROW;
const ferry_winograd_row ROW = {ISA_NAME, ISA_BITS, VEC, {input_2, output_2}, {input_4, output_4}};
