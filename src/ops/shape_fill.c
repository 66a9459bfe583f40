// SPDX-License-Identifier: Apache-2.0
// Expand, ConstantOfShape, Range, EyeLike: tensors made from a shape or from bounds.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rules.h"
#include "ops/shape.h"

// The shape in input `i`, unknown dimensions where it is not known; rank unknown when not even their number is.
static ferry_status read_shape(const ferry_infer *infer, int32_t i, ferry_shape *out, ferry_error *err)
{
    int64_t dims[FERRY_MAX_RANK];
    bool known[FERRY_MAX_RANK];
    int32_t count;
    FERRY_TRY(ferry_infer_shape_input(infer, i, "the shape", dims, known, &count, err));
    *out = ferry_shape_of_rank(count < 0 ? 0 : count);
    if (count < 0) out->rank = FERRY_RANK_UNKNOWN;
    for (int32_t d = 0; d < count; d++) {
        if (!known[d]) continue;
        if (dims[d] < 0) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %" PRId32 " of the shape is %" PRId64, d, dims[d]);
        }
        ferry_set_dim(out, d, dims[d]);
    }
    return FERRY_OK;
}

// --- Expand ----------------------------------------------------------------------------------------------------------

ferry_status ferry_expand_infer(ferry_infer *infer, ferry_error *err)
{
    ferry_shape pair[2] = {infer->in_shapes[0]};
    FERRY_TRY(read_shape(infer, 1, &pair[1], err));
    FERRY_TRY(ferry_broadcast_shapes(pair, 2, &infer->out_shapes[0], err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    return ferry_check_size(infer, &infer->out_shapes[0], infer->out_dtypes[0], err);
}

ferry_status ferry_expand_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    int64_t from[FERRY_MAX_RANK], to[FERRY_MAX_RANK];
    ferry_broadcast_strides(x, y->rank, y->dims, from);
    ferry_dense_strides(y->rank, y->dims, to);
    ferry_copy_strided(ferry_dtype_bytes(x->dtype), y->rank, y->dims, y->data, to, x->data, from);
    return FERRY_OK;
}

// --- ConstantOfShape -------------------------------------------------------------------------------------------------

ferry_status ferry_constant_of_shape_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_attr *value = ferry_node_attr(infer->node, "value");
    infer->out_dtypes[0] = value ? value->u.tensor->dtype : FERRY_F32;
    if (value && ferry_elements(value->u.tensor) != 1) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "value has %" PRId64 " elements; it must have 1",
                          ferry_elements(value->u.tensor));
    }
    FERRY_TRY(read_shape(infer, 0, &infer->out_shapes[0], err));
    return ferry_check_size(infer, &infer->out_shapes[0], infer->out_dtypes[0], err);
}

ferry_status ferry_constant_of_shape_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *y = &eval->out[0];
    const ferry_attr *value = ferry_node_attr(eval->node, "value");
    static const uint64_t zero = 0;
    int64_t from[FERRY_MAX_RANK] = {0}, to[FERRY_MAX_RANK];
    ferry_dense_strides(y->rank, y->dims, to);
    ferry_copy_strided(ferry_dtype_bytes(y->dtype), y->rank, y->dims, y->data, to,
                       value ? value->u.tensor->data : &zero, from);
    return FERRY_OK;
}

// --- Range -----------------------------------------------------------------------------------------------------------

#define RANGE_TYPES (FERRY_TYPES_FLOAT | 1u << FERRY_S16 | 1u << FERRY_S32 | 1u << FERRY_S64)

// max(ceil((limit - start) / delta), 0)
static ferry_status range_length(const ferry_tensor *in, int64_t *out, ferry_error *err)
{
    static const char *const names[] = {"start", "limit", "delta"};
    double f[3];
    int64_t s[3];
    for (int k = 0; k < 3; k++) {
        FERRY_TRY(ferry_read_number(&in[k], names[k], &f[k], err));
        s[k] = ferry_load_s64(&in[k], 0);
    }
    if (f[2] == 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "delta is 0");
    if (ferry_dtype_is_float(in[0].dtype)) {
        const double n = ceil((f[1] - f[0]) / f[2]);
        if (!(n < 0x1p47)) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a range from %g to %g in steps of %g is endless", f[0], f[1],
                              f[2]);
        }
        *out = n > 0 ? (int64_t)n : 0;
        return FERRY_OK;
    }
    const bool up = s[2] > 0;
    if (up ? s[1] <= s[0] : s[1] >= s[0]) {
        *out = 0;
        return FERRY_OK;
    }
    const uint64_t way = up ? (uint64_t)s[1] - (uint64_t)s[0] : (uint64_t)s[0] - (uint64_t)s[1];
    const uint64_t step = up ? (uint64_t)s[2] : 0 - (uint64_t)s[2];
    const uint64_t n = (way - 1) / step + 1;
    if (n > (uint64_t)1 << 47) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "a range from %" PRId64 " to %" PRId64 " in steps of %" PRId64 " is endless", s[0], s[1],
                          s[2]);
    }
    *out = (int64_t)n;
    return FERRY_OK;
}

ferry_status ferry_range_infer(ferry_infer *infer, ferry_error *err)
{
    for (int32_t i = 0; i < 3; i++) {
        FERRY_TRY(ferry_need_types(infer, i, RANGE_TYPES, err));
        FERRY_TRY(ferry_need_same_type(infer, i, err));
    }
    infer->out_dtypes[0] = infer->in_dtypes[0];
    infer->out_shapes[0] = ferry_shape_of_rank(1);
    if (!infer->in_data[0].data || !infer->in_data[1].data || !infer->in_data[2].data) return FERRY_OK;
    int64_t n;
    FERRY_TRY(range_length(infer->in_data, &n, err));
    ferry_set_dim(&infer->out_shapes[0], 0, n);
    return FERRY_OK;
}

ferry_status ferry_range_eval(const ferry_eval *eval, ferry_error *err)
{
    ferry_tensor *y = &eval->out[0];
    int64_t n;
    FERRY_TRY(range_length(eval->in, &n, err));
    if (n != y->dims[0]) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the range has %" PRId64 " elements, there is room for %" PRId64, n,
                          y->dims[0]);
    }
    if (ferry_dtype_is_float(y->dtype)) {
        const double start = ferry_load_f64(&eval->in[0], 0), delta = ferry_load_f64(&eval->in[2], 0);
        for (int64_t i = 0; i < n; i++) ferry_store_f64(y, (size_t)i, start + (double)i * delta);
    } else {
        const uint64_t start = (uint64_t)ferry_load_s64(&eval->in[0], 0);
        const uint64_t delta = (uint64_t)ferry_load_s64(&eval->in[2], 0);
        for (int64_t i = 0; i < n; i++) ferry_store_s64(y, (size_t)i, (int64_t)(start + (uint64_t)i * delta));
    }
    return FERRY_OK;
}

// --- EyeLike ---------------------------------------------------------------------------------------------------------

ferry_status ferry_eye_like_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_rank(infer, 0, 2, err));
    ferry_infer_like_first(infer);
    const ferry_attr *dtype = ferry_node_attr(infer->node, "dtype");
    if (!dtype) return FERRY_OK;
    infer->out_dtypes[0] = ferry_dtype_from_onnx(dtype->u.ints[0]);
    if (infer->out_dtypes[0] != FERRY_DTYPE_NONE) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "dtype is %" PRId64 " (TensorProto.DataType), which ferry lacks",
                      dtype->u.ints[0]);
}

ferry_status ferry_eye_like_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    ferry_tensor *y = &eval->out[0];
    const int64_t n = ferry_elements(y), rows = y->dims[0], columns = y->dims[1];
    const int64_t k = ferry_node_int(eval->node, "k", 0);
    if (n > 0) memset(y->data, 0, (size_t)n * ferry_dtype_bytes(y->dtype));
    if (k <= -rows || k >= columns) return FERRY_OK;
    for (int64_t row = k < 0 ? -k : 0; row < rows && row + k < columns; row++) {
        ferry_store_s64(y, (size_t)(row * columns + row + k), 1);
    }
    return FERRY_OK;
}
