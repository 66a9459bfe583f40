// SPDX-License-Identifier: Apache-2.0
// The loop of norm_rows.h: a file per instruction set includes it after its simd header, with ROW, the name of its
// table, and ISA, its name and bit; and with NARROW where it has vectors of bf16.
//
// The mean is summed in float; the deviations from it are then nearly exact, and their own mean, which would be 0,
// makes up for its error. So nothing is lost where the mean is large beside the variance.
#include <math.h>
#include <stdbool.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/norm_rows.h"

// Sums of squares below this lose bits, unless epsilon hides it.
#define LEAST 1e-25f

#define ALWAYS_INLINE inline __attribute__((always_inline))

// How a row's elements are stored.
typedef enum kept {
    WIDE,  // as floats
    BRAIN, // as bf16
    BYTES  // only written: as int8
} kept;

// Elements [i, i + some) of a row; some < VEC only where it ends.
static ALWAYS_INLINE vf read(const void *x, size_t i, size_t some, const kept as)
{
#ifdef NARROW
    const uint16_t *brain = (const uint16_t *)x + i;
    if (as == BRAIN) return some >= VEC ? vf_load_bf16(brain) : vf_load_bf16_part(brain, some);
#endif
    (void)as;
    return some >= VEC ? vf_load((const float *)x + i) : vf_load_part((const float *)x + i, some);
}

static ALWAYS_INLINE void write_floats(float *y, size_t some, vf v)
{
    if (some >= VEC)
        vf_store(y, v);
    else
        vf_store_part(y, v, some);
}

#ifdef NARROW
static ALWAYS_INLINE void write_brain(uint16_t *y, size_t some, vf v)
{
    if (some >= VEC)
        vf_store_bf16(y, v);
    else
        vf_store_bf16_part(y, v, some);
}
#else
#define write_brain(y, some, v) (void)(y)
#endif

static ALWAYS_INLINE float mean_of(const void *x, size_t n, const kept as)
{
    vf sum[2] = {vf_set1(0), vf_set1(0)};
    size_t i = 0;
    for (; i + 2 * VEC <= n; i += 2 * VEC) {
        sum[0] = vf_add(sum[0], read(x, i, VEC, as));
        sum[1] = vf_add(sum[1], read(x, i + VEC, VEC, as));
    }
    for (; i < n; i += VEC) sum[0] = vf_add(sum[0], read(x, i, n - i, as));
    return vf_sum(vf_add(sum[0], sum[1])) / (float)n;
}

// The sum of the deviations from `mean`, and of their squares.
static ALWAYS_INLINE float sum_deviations(const void *x, size_t n, float mean, float *out_squares, const kept as)
{
    vf sum[2] = {vf_set1(0), vf_set1(0)}, squares[2] = {vf_set1(0), vf_set1(0)};
    const vf means = vf_set1(mean);
    size_t i = 0;
    for (; i + 2 * VEC <= n; i += 2 * VEC)
        for (size_t k = 0; k < 2; k++) {
            const vf d = vf_sub(read(x, i + k * VEC, VEC, as), means);
            sum[k] = vf_add(sum[k], d);
            squares[k] = vf_fma(d, d, squares[k]);
        }
    for (; i < n; i += VEC) {
        float lane[VEC];
        vf_store(lane, means); // elements that are not there deviate by 0
        const vf d = vf_sub(read(x, i, n - i, as), n - i >= VEC ? means : vf_load_part(lane, n - i));
        sum[0] = vf_add(sum[0], d);
        squares[0] = vf_fma(d, d, squares[0]);
    }
    *out_squares = vf_sum(vf_add(squares[0], squares[1]));
    return vf_sum(vf_add(sum[0], sum[1]));
}

// y_scale: of BYTES. False when the sums do not fit floats.
static ALWAYS_INLINE bool normalise(const ferry_norm *norm, const void *x, void *y, const kept x_as, const kept y_as,
                                    float y_scale)
{
    const size_t n = norm->n;
    float squares = 0;
    const float mean = mean_of(x, n, x_as), shift = sum_deviations(x, n, mean, &squares, x_as) / (float)n;
    if (!isfinite(squares) || (squares < LEAST && norm->epsilon < (double)LEAST)) return false;
    const float least = squares / (float)n - shift * shift, variance = least > 0 ? least : 0;
    const vf means = vf_set1(mean), shifts = vf_set1(shift), scales = vf_set1(y_scale);
    const vf inverse = vf_set1(1 / sqrtf(variance + (float)norm->epsilon));
    for (size_t i = 0; i < n; i += VEC) {
        const size_t some = n - i;
        const vf d = vf_mul(vf_sub(vf_sub(read(x, i, some, x_as), means), shifts), inverse);
        const vf bias = norm->bias ? read(norm->bias, i, some, WIDE) : vf_set1(0);
        const vf v = vf_fma(d, read(norm->scale, i, some, WIDE), bias);
        if (y_as == BYTES)
            vf_store_sat8((int8_t *)y + i, vf_div(v, scales), some < VEC ? some : VEC);
        else if (y_as == BRAIN)
            write_brain((uint16_t *)y + i, some, v);
        else
            write_floats((float *)y + i, some, v);
    }
    return true;
}

static void run(const ferry_norm *norm, const float *x, float *y)
{
    if (!normalise(norm, x, y, WIDE, WIDE, 1)) ferry_norm_in_double(norm, x, y);
}

static bool run_s8(const ferry_norm *norm, const float *x, float scale, int8_t *y)
{
    return normalise(norm, x, y, WIDE, BYTES, scale);
}

#ifdef NARROW
static void run_bf16(const ferry_norm *norm, const uint16_t *x, uint16_t *y)
{
    if (!normalise(norm, x, y, BRAIN, BRAIN, 1)) ferry_norm_bf16_in_double(norm, x, y);
}
#else
#define run_bf16 NULL
#endif

extern const ferry_norm_row ROW;
const ferry_norm_row ROW = {ISA, run, run_s8, run_bf16};
