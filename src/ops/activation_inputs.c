// SPDX-License-Identifier: Apache-2.0
// Clip, PRelu and Shrink: activations with bounds or slopes as inputs, or defined for integers in a way of their own.
#include <inttypes.h>
#include <math.h>

#include "base/status.h"
#include "ops/activation.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

static inline int64_t run_length(int64_t left)
{
    return left < FERRY_ROW ? left : FERRY_ROW;
}

// --- Clip ------------------------------------------------------------------------------------------------------------

ferry_status ferry_clip_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    for (int32_t i = 1; i < infer->node->n_inputs; i++) {
        FERRY_TRY(ferry_need_same_type(infer, i, err));
        size_t elements;
        if (ferry_has_input(infer->node, i) && ferry_shape_elements(&infer->in_shapes[i], &elements) && elements != 1) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "the bound in input %" PRId32 " has %zu elements; it must have 1", i, elements);
        }
    }
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

// When low > high, ONNX gives high everywhere; NaN stays NaN.
#define CLIP(x, low, high) ((x) < (low) ? ((low) > (high) ? (high) : (low)) : (x) > (high) ? (high) : (x))

static void clip_f32(const float *x, float *y, int64_t n, float low, float high)
{
    for (int64_t i = 0; i < n; i++) y[i] = CLIP(x[i], low, high);
}

ferry_status ferry_clip_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0];
    const ferry_tensor *low = ferry_has_input(eval->node, 1) ? &eval->in[1] : NULL;
    const ferry_tensor *high = ferry_has_input(eval->node, 2) ? &eval->in[2] : NULL;
    const int64_t n = ferry_elements(x);
    if ((low && ferry_elements(low) != 1) || (high && ferry_elements(high) != 1)) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a bound of Clip must have 1 element");
    }
    double low_f = -INFINITY, high_f = INFINITY;
    if (low) ferry_row_load_f64(low->dtype, low->data, 0, 1, 1, &low_f);
    if (high) ferry_row_load_f64(high->dtype, high->data, 0, 1, 1, &high_f);
    if (x->dtype == FERRY_F32) {
        clip_f32(x->data, y->data, n, (float)low_f, (float)high_f);
        return FERRY_OK;
    }
    int64_t low_s = INT64_MIN, high_s = INT64_MAX;
    if (low) ferry_row_load_s64(low->dtype, low->data, 0, 1, 1, &low_s);
    if (high) ferry_row_load_s64(high->dtype, high->data, 0, 1, 1, &high_s);
    uint64_t low_u = 0, high_u = UINT64_MAX;
    if (low) ferry_row_load_u64(low->dtype, low->data, 0, 1, 1, &low_u);
    if (high) ferry_row_load_u64(high->dtype, high->data, 0, 1, 1, &high_u);
    for (int64_t i = 0; i < n; i += FERRY_ROW) {
        const int64_t run = run_length(n - i);
        double f[FERRY_ROW];
        int64_t s[FERRY_ROW];
        uint64_t u[FERRY_ROW];
        switch (ferry_number_class_of(x->dtype)) {
        case FERRY_NUMBER_FLOAT:
            ferry_row_load_f64(x->dtype, x->data, i, 1, run, f);
            for (int64_t k = 0; k < run; k++) f[k] = CLIP(f[k], low_f, high_f);
            ferry_row_store_f64(y->dtype, y->data, i, 1, run, f);
            break;
        case FERRY_NUMBER_SIGNED:
            ferry_row_load_s64(x->dtype, x->data, i, 1, run, s);
            for (int64_t k = 0; k < run; k++) s[k] = CLIP(s[k], low_s, high_s);
            ferry_row_store_s64(y->dtype, y->data, i, 1, run, s);
            break;
        case FERRY_NUMBER_UNSIGNED:
            ferry_row_load_u64(x->dtype, x->data, i, 1, run, u);
            for (int64_t k = 0; k < run; k++) u[k] = CLIP(u[k], low_u, high_u);
            ferry_row_store_u64(y->dtype, y->data, i, 1, run, u);
            break;
        }
    }
    return FERRY_OK;
}

// --- PRelu -----------------------------------------------------------------------------------------------------------

ferry_status ferry_prelu_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_need_same_type(infer, 1, err));
    // The slope is broadcast to x, never the other way round.
    const ferry_shape *x = &infer->in_shapes[0], *slope = &infer->in_shapes[1];
    if (x->rank >= 0 && slope->rank > x->rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the slope has %" PRId32 " dimensions, the input %" PRId32,
                          slope->rank, x->rank);
    }
    for (int32_t d = 0; x->rank >= 0 && d < slope->rank; d++) {
        const int64_t has = slope->dims[d], needs = x->dims[x->rank - slope->rank + d];
        if (has >= 0 && has != 1 && needs >= 0 && has != needs) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimension %" PRId32 " of the slope is %" PRId64 "; it must be 1 or the input's %" PRId64,
                              d, has, needs);
        }
    }
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

// A run of inputs with one slope (slope_step 0) or a slope each.
static void prelu_run(ferry_dtype dtype, void *y, const void *x, int64_t at, const void *slope, int64_t slope_at,
                      int64_t slope_step, int64_t n)
{
    if (dtype == FERRY_F32) {
        const float *x_f = (const float *)x + at, *slope_f = (const float *)slope + slope_at;
        float *y_f = (float *)y + at;
        for (int64_t i = 0; i < n; i++) y_f[i] = x_f[i] < 0 ? x_f[i] * slope_f[i * slope_step] : x_f[i];
    } else if (ferry_number_class_of(dtype) == FERRY_NUMBER_FLOAT) {
        double a[FERRY_ROW], b[FERRY_ROW];
        ferry_row_load_f64(dtype, x, at, 1, n, a);
        ferry_row_load_f64(dtype, slope, slope_at, slope_step, n, b);
        for (int64_t i = 0; i < n; i++) a[i] = a[i] < 0 ? a[i] * b[i] : a[i];
        ferry_row_store_f64(dtype, y, at, 1, n, a);
    } else {
        int64_t a[FERRY_ROW], b[FERRY_ROW];
        const bool is_signed = ferry_number_class_of(dtype) == FERRY_NUMBER_SIGNED;
        ferry_row_load_s64(dtype, x, at, 1, n, a);
        ferry_row_load_s64(dtype, slope, slope_at, slope_step, n, b);
        for (int64_t i = 0; i < n; i++)
            if (is_signed && a[i] < 0) a[i] = (int64_t)((uint64_t)a[i] * (uint64_t)b[i]);
        ferry_row_store_s64(dtype, y, at, 1, n, a);
    }
}

ferry_status ferry_prelu_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0], *slope = &eval->in[1];
    int64_t x_strides[FERRY_MAX_RANK], slope_strides[FERRY_MAX_RANK];
    ferry_dense_strides(x->rank, x->dims, x_strides);
    ferry_broadcast_strides(slope, x->rank, x->dims, slope_strides);
    const int64_t *const strides[] = {x_strides, slope_strides};
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, x->rank, x->dims, 2, strides); more; more = ferry_loops_next(&loops)) {
        const int64_t step = loops.row_strides[1];
        for (int64_t i = 0; i < loops.row; i += FERRY_ROW) {
            prelu_run(x->dtype, eval->out[0].data, x->data, loops.offsets[0] + i, slope->data,
                      loops.offsets[1] + i * step, step, run_length(loops.row - i));
        }
    }
    return FERRY_OK;
}

// --- Shrink ----------------------------------------------------------------------------------------------------------

ferry_status ferry_shrink_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0];
    const double bias = (double)ferry_node_float(eval->node, "bias", 0.0f);
    const double lambd = (double)ferry_node_float(eval->node, "lambd", 0.5f);
    const int64_t n = ferry_elements(x);
    double v[FERRY_ROW];
    for (int64_t i = 0; i < n; i += FERRY_ROW) {
        const int64_t run = run_length(n - i);
        ferry_row_load_f64(x->dtype, x->data, i, 1, run, v);
        for (int64_t k = 0; k < run; k++) v[k] = v[k] < -lambd ? v[k] + bias : v[k] > lambd ? v[k] - bias : 0;
        ferry_row_store_f64(y->dtype, y->data, i, 1, run, v);
    }
    return FERRY_OK;
}
