// SPDX-License-Identifier: Apache-2.0
// The reference kernel of ferry.QResize: linear interpolation of the last two of four dimensions.
#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/integer.h"
#include "ops/rules.h"

ferry_status ferry_resize_mode_read(const ferry_node *node, ferry_resize_mode *out, ferry_error *err)
{
    static const char *const names[] = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
    const char *mode = ferry_node_string(node, "coordinate_transformation_mode", names[0]);
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        if (strcmp(mode, names[i]) == 0) {
            *out = (ferry_resize_mode)i;
            return FERRY_OK;
        }
    }
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "coordinate_transformation_mode '%s'", mode);
}

ferry_resize_tap ferry_resize_tap_at(ferry_resize_mode mode, int64_t o, int64_t in_size, int64_t out_size, double scale)
{
    double x = 0.0;
    switch (mode) {
    case FERRY_RESIZE_HALF_PIXEL:
        x = ((double)o + 0.5) / scale - 0.5;
        break;
    case FERRY_RESIZE_PYTORCH_HALF_PIXEL:
        x = out_size > 1 ? ((double)o + 0.5) / scale - 0.5 : 0.0;
        break;
    case FERRY_RESIZE_ALIGN_CORNERS:
        x = out_size > 1 ? (double)o * (double)(in_size - 1) / (double)(out_size - 1) : 0.0;
        break;
    case FERRY_RESIZE_ASYMMETRIC:
        x = (double)o / scale;
        break;
    }
    if (!(x > 0.0)) x = 0.0;
    if (x > (double)(in_size - 1)) x = (double)(in_size - 1);
    const int64_t i0 = (int64_t)floor(x);
    return (ferry_resize_tap){.i0 = i0, .i1 = i0 + 1 < in_size ? i0 + 1 : in_size - 1, .w = (float)(x - (double)i0)};
}

// Inputs are X, scales (f32), sizes (s64) as Resize has them; one of the two is present.
ferry_status ferry_qresize_infer(ferry_infer *infer, ferry_error *err)
{
    ferry_resize_mode mode = FERRY_RESIZE_HALF_PIXEL;
    FERRY_TRY(ferry_resize_mode_read(infer->node, &mode, err));
    FERRY_TRY(ferry_epilogue_dtype(infer->node, &infer->out_dtypes[0], err));
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_FLOAT, err));
    FERRY_TRY(ferry_need_types(infer, 2, FERRY_TYPES_INDEX, err));
    const ferry_shape *x = &infer->in_shapes[0];
    if (x->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (x->rank != 4) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "QResize of rank %d", x->rank);
    const ferry_node *node = infer->node;
    ferry_shape *y = &infer->out_shapes[0];
    *y = *x;
    const bool has_sizes = node->n_inputs > 2 && node->inputs[2] != FERRY_NO_VALUE;
    if (!has_sizes && (node->n_inputs < 2 || node->inputs[1] == FERRY_NO_VALUE))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "QResize has neither scales nor sizes");
    const ferry_tensor *given = &infer->in_data[has_sizes ? 2 : 1];
    for (int32_t d = 2; d < 4; d++) y->dims[d] = FERRY_DIM_UNKNOWN, y->symbols[d] = FERRY_NO_SYMBOL;
    if (!given->data) return FERRY_OK;
    if (ferry_tensor_elements(given) != 4)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "QResize needs four sizes or scales");
    for (int32_t d = 0; d < 4; d++) {
        const double value = ferry_load_f64(given, (size_t)d);
        const int64_t in = x->dims[d];
        if (in == FERRY_DIM_UNKNOWN && (d < 2 || !has_sizes)) continue;
        const double size = has_sizes ? value : floor((double)in * value);
        if (!(value >= 0) || !(size <= INT32_MAX) || (in == 0 && size != 0))
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "QResize of %lld elements, dimension %d, to %g", (long long)in,
                              d, size);
        if (d < 2 && size != (double)in)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "QResize of dimension %d; only the last two can be", d);
        if (d >= 2) y->dims[d] = (int64_t)size;
    }
    return FERRY_OK;
}

static float lerp_row(const int8_t *row, ferry_resize_tap t)
{
    return fmaf((float)(row[t.i1] - row[t.i0]), t.w, (float)row[t.i0]);
}

ferry_status ferry_qresize_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *sizes = ferry_eval_optional(eval, 2), *scales = ferry_eval_optional(eval, 1);
    ferry_tensor *y = &eval->out[0];
    ferry_resize_mode mode = FERRY_RESIZE_HALF_PIXEL;
    FERRY_TRY(ferry_resize_mode_read(eval->node, &mode, err));
    const float mult = ferry_node_float(eval->node, "mult", 1.0f), shift = ferry_node_float(eval->node, "shift", 0.0f);
    const int64_t in_h = x->dims[2], in_w = x->dims[3], out_h = y->dims[2], out_w = y->dims[3];
    double scale[2];
    for (int i = 0; i < 2; i++)
        scale[i] = scales && !sizes ? ferry_load_f64(scales, (size_t)(2 + i))
                                    : (double)y->dims[2 + i] / (double)x->dims[2 + i];
    const int64_t planes = x->dims[0] * x->dims[1];
    size_t to = 0;
    for (int64_t plane = 0; plane < planes; plane++) {
        const int8_t *from = (const int8_t *)x->data + plane * in_h * in_w;
        for (int64_t h = 0; h < out_h; h++) {
            const ferry_resize_tap row = ferry_resize_tap_at(mode, h, in_h, out_h, scale[0]);
            for (int64_t w = 0; w < out_w; w++) {
                const ferry_resize_tap column = ferry_resize_tap_at(mode, w, in_w, out_w, scale[1]);
                const float h0 = lerp_row(from + row.i0 * in_w, column), h1 = lerp_row(from + row.i1 * in_w, column);
                ferry_epilogue_store(y, to++, fmaf(fmaf(h1 - h0, row.w, h0), mult, shift));
            }
        }
    }
    return FERRY_OK;
}
