// SPDX-License-Identifier: Apache-2.0
// The transforms of winograd_f32.h, written once: a file per instruction set includes it after its simd header, with
// ROW, the name of the row that it defines, ISA_NAME and ISA_BITS.
#include "backend/cpu/finish_rows.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/winograd_f32.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define MOST_N 6
#define MOST_M 4

// --- One direction: Bt times a line of n inputs, At times a line of n products
// ------------------------------------------

static ALWAYS_INLINE void evaluate_2(const vf *d, vf *out)
{
    out[0] = vf_sub(d[0], d[2]);
    out[1] = vf_add(d[2], d[1]);
    out[2] = vf_sub(d[2], d[1]);
    out[3] = vf_sub(d[3], d[1]);
}

// With a^2 = 1/2, b^2 = 2 and so a b^2 = b, b a^2 = a.
static ALWAYS_INLINE void evaluate_4(const vf *d, vf *out)
{
    const vf a = vf_set1((float)FERRY_WINOGRAD_A), b = vf_set1((float)FERRY_WINOGRAD_B);
    const vf minus_a = vf_set1(-(float)FERRY_WINOGRAD_A), minus_b = vf_set1(-(float)FERRY_WINOGRAD_B);
    const vf minus_half = vf_set1(-0.5f), minus_two = vf_set1(-2), minus_both = vf_set1(-2.5f);
    const vf even_a = vf_fma(minus_two, d[2], d[4]), odd_a = vf_fma(minus_two, d[1], d[3]);
    const vf even_b = vf_fma(minus_half, d[2], d[4]), odd_b = vf_fma(minus_half, d[1], d[3]);
    out[0] = vf_fma(minus_both, d[2], vf_add(d[0], d[4]));
    out[1] = vf_fma(a, odd_a, even_a);
    out[2] = vf_fma(minus_a, odd_a, even_a);
    out[3] = vf_fma(b, odd_b, even_b);
    out[4] = vf_fma(minus_b, odd_b, even_b);
    out[5] = vf_fma(minus_both, d[3], vf_add(d[1], d[5]));
}

static ALWAYS_INLINE void interpolate_2(const vf *p, vf *out)
{
    out[0] = vf_add(p[0], vf_add(p[1], p[2]));
    out[1] = vf_add(vf_sub(p[1], p[2]), p[3]);
}

static ALWAYS_INLINE void interpolate_4(const vf *p, vf *out)
{
    const vf a = vf_set1((float)FERRY_WINOGRAD_A), b = vf_set1((float)FERRY_WINOGRAD_B);
    const vf half = vf_set1(0.5f), two = vf_set1(2);
    const vf half_a = vf_set1(0.5f * (float)FERRY_WINOGRAD_A), two_b = vf_set1(2 * (float)FERRY_WINOGRAD_B);
    const vf even_a = vf_add(p[1], p[2]), odd_a = vf_sub(p[1], p[2]);
    const vf even_b = vf_add(p[3], p[4]), odd_b = vf_sub(p[3], p[4]);
    out[0] = vf_add(p[0], vf_add(even_a, even_b));
    out[1] = vf_fma(b, odd_b, vf_mul(a, odd_a));
    out[2] = vf_fma(two, even_b, vf_mul(half, even_a));
    out[3] = vf_fma(two_b, odd_b, vf_fma(half_a, odd_a, p[5]));
}

static ALWAYS_INLINE void evaluate(const size_t m, const vf *d, vf *out)
{
    if (m == 2)
        evaluate_2(d, out);
    else
        evaluate_4(d, out);
}

static ALWAYS_INLINE void interpolate(const size_t m, const vf *p, vf *out)
{
    if (m == 2)
        interpolate_2(p, out);
    else
        interpolate_4(p, out);
}

// --- Both directions, a vector of channels at a time
// ----------------------------------------------------------------------

static ALWAYS_INLINE void input_vector(const ferry_winograd_f32_input *t, const size_t m, size_t c, const size_t count)
{
    const size_t n = m + 2;
    vf half[MOST_N][MOST_N];
    UNROLL
    for (size_t j = 0; j < n; j++) {
        vf d[MOST_N], e[MOST_N];
        UNROLL
        for (size_t i = 0; i < n; i++) {
            const float *x = t->x[i * n + j] + c;
            d[i] = count < VEC ? vf_load_part(x, count) : vf_load(x);
        }
        evaluate(m, d, e);
        UNROLL
        for (size_t i = 0; i < n; i++) half[i][j] = e[i];
    }
    UNROLL
    for (size_t i = 0; i < n; i++) {
        vf e[MOST_N];
        evaluate(m, half[i], e);
        UNROLL
        for (size_t j = 0; j < n; j++) vf_store(t->v + (i * n + j) * t->v_step + c, e[j]);
    }
}

static ALWAYS_INLINE void input_of(const ferry_winograd_f32_input *t, const size_t m)
{
    size_t c = 0;
    for (; c + VEC <= t->channels; c += VEC) input_vector(t, m, c, VEC);
    if (c < t->channels) input_vector(t, m, c, t->channels - c);
}

// Line `i` of the tile's outputs from channel `c` on.
static inline vf_rows outputs_line(const ferry_winograd_f32_output *t, size_t i, size_t c)
{
    const size_t at = i * t->y_row + c;
    return (vf_rows){.finish = t->finish,
                     .rows = t->columns,
                     .cols = t->channels - c < VEC ? t->channels - c : VEC,
                     .y = t->y + at,
                     .r = t->r ? t->r + at : NULL,
                     .y_stride = t->y_column,
                     .r_stride = t->y_column};
}

// A loop over all sums at once: lines of one vector are short for it.
static void finish_by_loop(const ferry_winograd_f32_output *t, size_t m, size_t c, float *sums)
{
    const ferry_finish *f = t->finish;
    for (size_t i = 0; t->r && !f->act_first && i < t->rows; i++) {
        const vf_rows to = outputs_line(t, i, c);
        vf_rows_add(&to, sums + i * m * VEC, VEC);
    }
    f->loop(sums, sums, m * m * VEC, f->parameters);
    for (size_t i = 0; i < t->rows; i++) {
        const vf_rows to = outputs_line(t, i, c);
        if (t->r && f->act_first) vf_rows_add(&to, sums + i * m * VEC, VEC);
        vf_rows_copy(&to, sums + i * m * VEC, VEC);
    }
}

// The store with everything: residual, odd activations, a tile or vector that is not whole. sums: [m][m][VEC].
static __attribute__((noinline)) void finish_outputs(const ferry_winograd_f32_output *t, size_t m, size_t c,
                                                     float *sums)
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

static ALWAYS_INLINE void output_vector(const ferry_winograd_f32_output *t, const size_t m, size_t c, const bool plain)
{
    const size_t n = m + 2;
    vf half[MOST_M][MOST_N];
    float sums[MOST_M * MOST_M * VEC];
    UNROLL
    for (size_t j = 0; j < n; j++) {
        vf p[MOST_N], e[MOST_M];
        UNROLL
        for (size_t i = 0; i < n; i++) p[i] = vf_load(t->p + (i * n + j) * t->p_step + c);
        interpolate(m, p, e);
        UNROLL
        for (size_t i = 0; i < m; i++) half[i][j] = e[i];
    }
    const vf bias = vf_load(t->bias + c), low = vf_set1(t->finish->low), high = vf_set1(t->finish->high);
    UNROLL
    for (size_t i = 0; i < m; i++) {
        vf e[MOST_M];
        interpolate(m, half[i], e);
        UNROLL
        for (size_t j = 0; j < m; j++) {
            const vf sum = vf_add(e[j], bias);
            if (plain)
                vf_store(t->y + i * t->y_row + j * t->y_column + c, vf_at_most(high, vf_at_least(low, sum)));
            else
                vf_store(sums + (i * m + j) * VEC, sum);
        }
    }
    if (!plain) finish_outputs(t, m, c, sums);
}

static ALWAYS_INLINE void output_of(const ferry_winograd_f32_output *t, const size_t m)
{
    size_t c = 0;
    if (!t->r && t->finish->kind == FERRY_FINISH_CLAMP && t->rows == m && t->columns == m)
        for (; c + VEC <= t->channels; c += VEC) output_vector(t, m, c, true);
    for (; c < t->channels; c += VEC) output_vector(t, m, c, false);
}

static void input_2(const ferry_winograd_f32_input *tile)
{
    input_of(tile, 2);
}
static void input_4(const ferry_winograd_f32_input *tile)
{
    input_of(tile, 4);
}
static void output_2(const ferry_winograd_f32_output *tile)
{
    output_of(tile, 2);
}
static void output_4(const ferry_winograd_f32_output *tile)
{
    output_of(tile, 4);
}

extern const ferry_winograd_f32_row ROW;
const ferry_winograd_f32_row ROW = {ISA_NAME, ISA_BITS, VEC, {input_2, output_2}, {input_4, output_4}};
