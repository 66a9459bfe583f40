// SPDX-License-Identifier: Apache-2.0
// OneHot: indices become vectors with one element switched on.
#include <inttypes.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/gather.h"
#include "ops/loops.h"
#include "ops/rules.h"

ferry_status ferry_one_hot_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *indices = &infer->in_shapes[0];
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_NUMBER, err));
    infer->out_dtypes[0] = infer->in_dtypes[2];
    size_t values;
    if (ferry_shape_elements(&infer->in_shapes[2], &values) && values != 2) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "values has %zu elements; it must have 2: off and on", values);
    }
    if (indices->rank < 0) return FERRY_OK;
    if (indices->rank + 1 > FERRY_MAX_RANK) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "the output would have %" PRId32 " dimensions; at most %d can be handled", indices->rank + 1,
                          FERRY_MAX_RANK);
    }
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", -1), indices->rank + 1, &axis, err));
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(indices->rank + 1);
    for (int32_t d = 0; d < indices->rank; d++) ferry_copy_dim(out, d < axis ? d : d + 1, indices, d);
    if (infer->in_data[1].data) {
        int64_t depth = 0;
        FERRY_TRY(ferry_read_int(&infer->in_data[1], "depth", &depth, err));
        if (depth < 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "depth is %" PRId64, depth);
        ferry_set_dim(out, axis, depth);
    }
    return ferry_check_size(infer, out, infer->out_dtypes[0], err);
}

ferry_status ferry_one_hot_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *indices = &eval->in[0], *values = &eval->in[2];
    const ferry_tensor *y = &eval->out[0];
    int32_t axis = 0;
    int64_t depth = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", -1), y->rank, &axis, err));
    FERRY_TRY(ferry_read_int(&eval->in[1], "depth", &depth, err));
    if (depth != y->dims[axis] || ferry_elements(values) != 2) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "depth is %" PRId64 ", the output has %" PRId64 "; values has %" PRId64
                          " elements, it must have 2",
                          depth, y->dims[axis], ferry_elements(values));
    }
    if (ferry_elements(y) == 0) return FERRY_OK;
    const size_t bytes = ferry_dtype_bytes(y->dtype);
    const int64_t none[FERRY_MAX_RANK] = {0}, one = 1;
    int64_t dense[FERRY_MAX_RANK];
    ferry_dense_strides(y->rank, y->dims, dense);
    ferry_copy_strided(bytes, y->rank, y->dims, y->data, dense, values->data, none);
    const int64_t outer = ferry_dims_elements(axis, y->dims),
                  inner = ferry_dims_elements(y->rank - axis - 1, y->dims + axis + 1);
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < inner; i++) {
            const int64_t index = ferry_load_s64(indices, (size_t)(o * inner + i));
            if (index < -depth || index >= depth) continue; // ONNX: such a vector is all off
            const int64_t at = (o * depth + (index < 0 ? index + depth : index)) * inner + i;
            ferry_copy_strided(bytes, 1, &one, (char *)y->data + (size_t)at * bytes, &one,
                               (const char *)values->data + bytes, &one);
        }
    }
    return FERRY_OK;
}
