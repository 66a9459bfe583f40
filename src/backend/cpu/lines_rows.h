// SPDX-License-Identifier: Apache-2.0
// The loops of lines.h, most for the compiler to vectorise: a file per instruction set includes it after its simd
// header, with ROW, the name of its table, ISA, its name and bit, and MADD for math_f32.h.
#include <math.h>
#include <string.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/lines.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/math_f32.h"
#include "backend/cpu/math_vf.h"

#define LANES 8
#define COLUMNS FERRY_LINES_COLUMNS

static double fold(const double *lane)
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

// The larger one; a NaN in x wins, and one in `most` stays.
MATH_INLINE float larger(float x, float most)
{
    return ((x > most) | (x != x)) ? x : most;
}

// Integers in the order of the floats, every NaN above all numbers, and back: a maximum of integers may be taken in any
// order, so compilers make vectors of it.
MATH_INLINE int32_t to_order(float x)
{
    const uint32_t bits = ferry_f32_bits(x), magnitude = bits & 0x7fffffffu;
    const int32_t ordered = (int32_t)(bits ^ ((uint32_t)((int32_t)bits >> 31) & 0x7fffffffu));
    return magnitude > 0x7f800000u ? (int32_t)magnitude : ordered;
}

MATH_INLINE float from_order(int32_t i)
{
    return ferry_f32_from_bits((uint32_t)i ^ ((uint32_t)(i >> 31) & 0x7fffffffu));
}

static float max(const float *x, size_t n)
{
    int32_t most = INT32_MIN;
    for (size_t i = 0; i < n; i++) {
        const int32_t at = to_order(x[i]);
        most = at > most ? at : most;
    }
    return from_order(most);
}

// A sum of `term`, an expression of x[at], in eight lanes.
#define SUM_LINE(term)                                                                                                 \
    double lane[LANES] = {0};                                                                                          \
    size_t k = 0;                                                                                                      \
    for (; k + LANES <= n; k += LANES)                                                                                 \
        for (size_t l = 0; l < LANES; l++) {                                                                           \
            const size_t at = k + l;                                                                                   \
            lane[l] += (term);                                                                                         \
        }                                                                                                              \
    for (size_t l = 0; k < n; k++, l++) {                                                                              \
        const size_t at = k;                                                                                           \
        lane[l] += (term);                                                                                             \
    }                                                                                                                  \
    return fold(lane)

static double sum(const float *x, size_t n)
{
    SUM_LINE((double)x[at]);
}

static double squares(const float *x, size_t n, double mean)
{
    SUM_LINE(((double)x[at] - mean) * ((double)x[at] - mean));
}

static double exps(const float *x, size_t n, float most, float *y)
{
    const vf minus_1 = vf_set1(-1), mosts = vf_set1(most);
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) vf_store(y + i, vf_exp(vf_fma(mosts, minus_1, vf_load(x + i))));
    if (i < n) vf_store_part(y + i, vf_exp(vf_fma(mosts, minus_1, vf_load_part(x + i, n - i))), n - i);
    return sum(y, n);
}

static void scale(float *y, size_t n, float factor)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] *= factor;
}

static void affine(const float *x, size_t n, double mean, float factor, float shift, float *y)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = (float)((double)x[i] - mean) * factor + shift;
}

static void max_columns(const float *x, size_t n, size_t step, size_t columns, float *out)
{
    for (size_t c = 0; c < columns; c++) out[c] = -INFINITY;
    for (size_t k = 0; k < n; k++, x += step) {
        FERRY_VECTORS
        for (size_t c = 0; c < columns; c++) out[c] = larger(x[c], out[c]);
    }
}

#define SUM_COLUMNS(term)                                                                                              \
    double lanes[LANES][COLUMNS];                                                                                      \
    memset(lanes, 0, sizeof lanes);                                                                                    \
    for (size_t k = 0; k < n; k++) {                                                                                   \
        double *lane = lanes[k % LANES];                                                                               \
        const float *row = x + k * step;                                                                               \
        FERRY_VECTORS                                                                                                  \
        for (size_t c = 0; c < columns; c++) lane[c] += (term);                                                        \
    }                                                                                                                  \
    for (size_t c = 0; c < columns; c++) {                                                                             \
        double own[LANES];                                                                                             \
        for (size_t l = 0; l < LANES; l++) own[l] = lanes[l][c];                                                       \
        out[c] = fold(own);                                                                                            \
    }

static void sum_columns(const float *x, size_t n, size_t step, size_t columns, double *out)
{
    SUM_COLUMNS((double)row[c])
}

static void squares_columns(const float *x, size_t n, size_t step, size_t columns, const double *mean, double *out)
{
    SUM_COLUMNS(((double)row[c] - mean[c]) * ((double)row[c] - mean[c]))
}

static void exp_columns(const float *x, size_t n, size_t step, size_t columns, const float *most, float *y, double *out)
{
    const vf minus_1 = vf_set1(-1);
    for (size_t c = 0; c < columns; c += VEC) {
        const size_t some = columns - c < VEC ? columns - c : VEC;
        const vf mosts = some == VEC ? vf_load(most + c) : vf_load_part(most + c, some);
        for (size_t at = c; at < n * step; at += step) {
            const vf t = vf_fma(mosts, minus_1, some == VEC ? vf_load(x + at) : vf_load_part(x + at, some));
            if (some == VEC)
                vf_store(y + at, vf_exp(t));
            else
                vf_store_part(y + at, vf_exp(t), some);
        }
    }
    sum_columns(y, n, step, columns, out);
}

static void affine_columns(const float *x, size_t n, size_t step, size_t columns, const double *mean,
                           const float *factor, const float *shift, float *y)
{
    for (size_t k = 0; k < n; k++) {
        FERRY_VECTORS
        for (size_t c = 0; c < columns; c++)
            y[k * step + c] = (float)((double)x[k * step + c] - mean[c]) * factor[c] + shift[c];
    }
}

static void arg_max_columns(const float *x, size_t n, size_t step, size_t columns, bool last, int64_t *out)
{
    float most[COLUMNS];
    int32_t where[COLUMNS];
    for (size_t c = 0; c < columns; c++) {
        most[c] = x[c];
        where[c] = 0;
    }
    for (size_t k = 1; k < n; k++) {
        const float *row = x + k * step;
        FERRY_VECTORS
        for (size_t c = 0; c < columns; c++) {
            const float v = row[c], m = most[c];
            const bool more = (v > m) | ((v != v) & (m == m)), same = (v == m) | ((v != v) & (m != m));
            const bool take = more | (same & last);
            most[c] = take ? v : m;
            where[c] = take ? (int32_t)k : where[c];
        }
    }
    for (size_t c = 0; c < columns; c++) out[c] = where[c];
}

extern const ferry_lines_row ROW;
const ferry_lines_row ROW = {ISA,
                             max,
                             sum,
                             squares,
                             exps,
                             scale,
                             affine,
                             max_columns,
                             sum_columns,
                             squares_columns,
                             exp_columns,
                             affine_columns,
                             arg_max_columns};
