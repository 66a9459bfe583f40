// SPDX-License-Identifier: Apache-2.0
// Gather, GatherElements, GatherND, and the family's table.
#include "ops/gather.h"

#include <inttypes.h>
#include <string.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_gather[];

ferry_status ferry_index_at(const ferry_tensor *indices, int64_t i, int64_t dim, int32_t axis, int64_t *out,
                            ferry_error *err)
{
    const int64_t index = ferry_load_s64(indices, (size_t)i);
    if (index < -dim || index >= dim) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "index %" PRId64 " is out of range: dimension %" PRId32 " has %" PRId64 " elements", index,
                          axis, dim);
    }
    *out = index < 0 ? index + dim : index;
    return FERRY_OK;
}

ferry_status ferry_index_offset(const ferry_tensor *indices, int64_t i, int32_t depth, const int64_t *dims,
                                const int64_t *strides, int64_t *out, ferry_error *err)
{
    *out = 0;
    for (int32_t d = 0; d < depth; d++) {
        int64_t index = 0;
        FERRY_TRY(ferry_index_at(indices, i + d, dims[d], d, &index, err));
        *out += index * strides[d];
    }
    return FERRY_OK;
}

ferry_status ferry_index_fits(int32_t rank, const int64_t *index_dims, const int64_t *data_dims, int32_t axis,
                              ferry_error *err)
{
    for (int32_t d = 0; d < rank; d++) {
        if (d == axis || index_dims[d] < 0 || data_dims[d] < 0 || index_dims[d] <= data_dims[d]) continue;
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "dimension %" PRId32 " of the indices is %" PRId64 ", of the data %" PRId64
                          "; only along axis %" PRId32 " may it be larger",
                          d, index_dims[d], data_dims[d], axis);
    }
    return FERRY_OK;
}

// --- Gather ----------------------------------------------------------------------------------------------------------

static ferry_status infer_gather(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0], *indices = &infer->in_shapes[1];
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    if (in->rank < 0) return FERRY_OK;
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", 0), in->rank, &axis, err));
    if (indices->rank < 0) return FERRY_OK;
    const int32_t rank = in->rank - 1 + indices->rank;
    if (rank > FERRY_MAX_RANK) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "data of %" PRId32 " dimensions and indices of %" PRId32 " give %" PRId32
                          "; at most %d can be handled",
                          in->rank, indices->rank, rank, FERRY_MAX_RANK);
    }
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(rank);
    int32_t o = 0;
    for (int32_t d = 0; d < axis; d++) ferry_copy_dim(out, o++, in, d);
    for (int32_t d = 0; d < indices->rank; d++) ferry_copy_dim(out, o++, indices, d);
    for (int32_t d = axis + 1; d < in->rank; d++) ferry_copy_dim(out, o++, in, d);
    return ferry_check_size(infer, out, infer->out_dtypes[0], err);
}

static ferry_status eval_gather(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *indices = &eval->in[1];
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 0), x->rank, &axis, err));
    if (ferry_elements(&eval->out[0]) == 0) return FERRY_OK;
    const int64_t outer = ferry_dims_elements(axis, x->dims), n = ferry_elements(indices);
    const size_t bytes =
        (size_t)ferry_dims_elements(x->rank - axis - 1, x->dims + axis + 1) * ferry_dtype_bytes(x->dtype);
    char *to = eval->out[0].data;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < n; i++) {
            int64_t at = 0;
            FERRY_TRY(ferry_index_at(indices, i, x->dims[axis], axis, &at, err));
            if (bytes == 0) continue;
            memcpy(to, (const char *)x->data + (size_t)(o * x->dims[axis] + at) * bytes, bytes);
            to += bytes;
        }
    }
    return FERRY_OK;
}

// --- GatherElements --------------------------------------------------------------------------------------------------

static ferry_status infer_gather_elements(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0], *indices = &infer->in_shapes[1];
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    infer->out_shapes[0] = *indices;
    if (in->rank < 0 || indices->rank < 0) return FERRY_OK;
    FERRY_TRY(ferry_need_rank(infer, 1, in->rank, err));
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", 0), in->rank, &axis, err));
    return ferry_index_fits(in->rank, indices->dims, in->dims, axis, err);
}

static ferry_status eval_gather_elements(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *indices = &eval->in[1];
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 0), x->rank, &axis, err));
    FERRY_TRY(ferry_index_fits(x->rank, indices->dims, x->dims, axis, err));
    int64_t index_strides[FERRY_MAX_RANK], data_strides[FERRY_MAX_RANK];
    ferry_dense_strides(x->rank, indices->dims, index_strides);
    ferry_dense_strides(x->rank, x->dims, data_strides);
    const int64_t axis_stride = data_strides[axis];
    data_strides[axis] = 0; // the index goes along it
    const int64_t *const strides[] = {index_strides, data_strides};
    const size_t bytes = ferry_dtype_bytes(x->dtype);
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, x->rank, indices->dims, 2, strides); more;
         more = ferry_loops_next(&loops)) {
        for (int64_t i = 0; i < loops.row; i++) {
            const int64_t to = loops.offsets[0] + i;
            int64_t index = 0;
            FERRY_TRY(ferry_index_at(indices, to, x->dims[axis], axis, &index, err));
            const int64_t from = loops.offsets[1] + i * loops.row_strides[1] + index * axis_stride;
            memcpy((char *)eval->out[0].data + (size_t)to * bytes, (const char *)x->data + (size_t)from * bytes, bytes);
        }
    }
    return FERRY_OK;
}

// --- GatherND --------------------------------------------------------------------------------------------------------

static ferry_status check_gather_nd(int32_t rank, int32_t index_rank, int64_t depth, int64_t batch, ferry_error *err)
{
    if (index_rank < 1) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the indices are a scalar; they need a dimension");
    if (batch < 0 || batch >= index_rank || batch > rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "batch_dims is %" PRId64 ", the data has %" PRId32 " dimensions, the indices %" PRId32, batch,
                          rank, index_rank);
    }
    if (depth == 0 || depth > rank - batch) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the indices have %" PRId64 " numbers each, the data has %" PRId64 " dimensions to index",
                          depth, rank - batch);
    }
    return FERRY_OK;
}

static ferry_status infer_gather_nd(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0], *indices = &infer->in_shapes[1];
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    if (in->rank < 0 || indices->rank < 0) return FERRY_OK;
    const int64_t batch = ferry_node_int(infer->node, "batch_dims", 0);
    const int64_t depth = indices->rank > 0 ? indices->dims[indices->rank - 1] : 0;
    FERRY_TRY(check_gather_nd(in->rank, indices->rank, depth, batch, err));
    for (int32_t d = 0; d < batch; d++) {
        if (in->dims[d] >= 0 && indices->dims[d] >= 0 && in->dims[d] != indices->dims[d]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "batch dimension %" PRId32 " is %" PRId64 " in the data, %" PRId64 " in the indices", d,
                              in->dims[d], indices->dims[d]);
        }
    }
    if (depth < 0) return FERRY_OK;
    const int32_t first = (int32_t)(batch + depth), rank = indices->rank - 1 + in->rank - first;
    if (rank > FERRY_MAX_RANK) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "the output would have %" PRId32 " dimensions; at most %d can be handled", rank,
                          FERRY_MAX_RANK);
    }
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(rank);
    int32_t o = 0;
    for (int32_t d = 0; d + 1 < indices->rank; d++) ferry_copy_dim(out, o++, indices, d);
    for (int32_t d = first; d < in->rank; d++) ferry_copy_dim(out, o++, in, d);
    return ferry_check_size(infer, out, infer->out_dtypes[0], err);
}

static ferry_status eval_gather_nd(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *indices = &eval->in[1];
    const int64_t batch_dims = ferry_node_int(eval->node, "batch_dims", 0);
    const int64_t depth = indices->rank > 0 ? indices->dims[indices->rank - 1] : 0;
    FERRY_TRY(check_gather_nd(x->rank, indices->rank, depth, batch_dims, err));
    const int32_t b = (int32_t)batch_dims, k = (int32_t)depth;
    const int64_t batches = ferry_dims_elements(b, x->dims);
    const int64_t per_batch = ferry_dims_elements(indices->rank - 1 - b, indices->dims + b);
    const int64_t batch_elements = ferry_dims_elements(x->rank - b, x->dims + b);
    const size_t elem_bytes = ferry_dtype_bytes(x->dtype);
    const size_t bytes = (size_t)ferry_dims_elements(x->rank - b - k, x->dims + b + k) * elem_bytes;
    int64_t strides[FERRY_MAX_RANK];
    ferry_dense_strides(x->rank, x->dims, strides);
    char *to = eval->out[0].data;
    for (int64_t i = 0; i < batches * per_batch; i++) {
        int64_t at = 0;
        FERRY_TRY(ferry_index_offset(indices, i * k, k, x->dims + b, strides + b, &at, err));
        if (bytes == 0) continue;
        memcpy(to, (const char *)x->data + (size_t)(i / per_batch * batch_elements + at) * elem_bytes, bytes);
        to += bytes;
    }
    return FERRY_OK;
}

// --- The table -------------------------------------------------------------------------------------------------------

static const ferry_attr_schema axis_attrs[] = {{"axis", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema gather_nd_attrs[] = {{"batch_dims", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema scatter_elements_attrs[] = {
    {"axis", FERRY_ATTR_INT, false}, {"reduction", FERRY_ATTR_STRING, false}, {0}};
static const ferry_attr_schema scatter_nd_attrs[] = {{"reduction", FERRY_ATTR_STRING, false}, {0}};

#define ROW(op_name, inputs, opset, op_flags, schema, infer_function, eval_function)                                   \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = inputs, .max_inputs = inputs, .min_outputs = 1, .max_outputs = 1, \
        .since = opset, .flags = op_flags, .attrs = schema, .infer = infer_function, .eval = eval_function             \
    }

const ferry_op ferry_ops_gather[] = {
    ROW("Gather", 2, 1, FERRY_OP_MOVES_DATA, axis_attrs, infer_gather, eval_gather),
    ROW("GatherElements", 2, 11, FERRY_OP_MOVES_DATA, axis_attrs, infer_gather_elements, eval_gather_elements),
    ROW("GatherND", 2, 11, FERRY_OP_MOVES_DATA, gather_nd_attrs, infer_gather_nd, eval_gather_nd),
    // Scatter is the deprecated name of ScatterElements. With several data inputs and reductions, none of these hand a
    // quantised input's scale on.
    ROW("Scatter", 3, 9, FERRY_OP_NONE, axis_attrs, ferry_scatter_elements_infer, ferry_scatter_elements_eval),
    ROW("ScatterElements", 3, 11, FERRY_OP_NONE, scatter_elements_attrs, ferry_scatter_elements_infer,
        ferry_scatter_elements_eval),
    ROW("ScatterND", 3, 11, FERRY_OP_NONE, scatter_nd_attrs, ferry_scatter_nd_infer, ferry_scatter_nd_eval),
    ROW("OneHot", 3, 9, FERRY_OP_NONE, axis_attrs, ferry_one_hot_infer, ferry_one_hot_eval),
    {.name = NULL},
};
