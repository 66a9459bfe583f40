// SPDX-License-Identifier: Apache-2.0
// ScatterElements and ScatterND: a copy of the data in which chosen elements are replaced, or combined with updates.
#include <inttypes.h>
#include <string.h>

#include "base/status.h"
#include "ops/binary.h"
#include "ops/element.h"
#include "ops/gather.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

typedef enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN } reduction;

static ferry_status read_reduction(const ferry_node *node, reduction *out, ferry_error *err)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *name = ferry_node_string(node, "reduction", "none");
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (reduction)i;
        return FERRY_OK;
    }
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "reduction is '%s'; it must be none, add, mul, max or min", name);
}

#define COMBINE(a, b, max, min)                                                                                        \
    (how == REDUCE_ADD ? (a) + (b) : how == REDUCE_MUL ? (a) * (b) : how == REDUCE_MAX ? (max) : (min))

// y[at .. at + n) = how(y, updates[from .. from + n))
static void apply(reduction how, const ferry_tensor *y, int64_t at, const ferry_tensor *updates, int64_t from,
                  int64_t n)
{
    const size_t bytes = ferry_dtype_bytes(y->dtype);
    if (how == REDUCE_NONE) {
        memcpy((char *)y->data + (size_t)at * bytes, (const char *)updates->data + (size_t)from * bytes,
               (size_t)n * bytes);
        return;
    }
    for (int64_t i = 0; i < n; i += FERRY_ROW) {
        const int64_t run = n - i < FERRY_ROW ? n - i : FERRY_ROW;
        if (ferry_number_class_of(y->dtype) == FERRY_NUMBER_FLOAT) {
            double a[FERRY_ROW], b[FERRY_ROW];
            ferry_row_load_f64(y->dtype, y->data, at + i, 1, run, a);
            ferry_row_load_f64(y->dtype, updates->data, from + i, 1, run, b);
            for (int64_t k = 0; k < run; k++) {
                a[k] = COMBINE(a[k], b[k], FERRY_MAX_FLOAT(a[k], b[k]), FERRY_MIN_FLOAT(a[k], b[k]));
            }
            ferry_row_store_f64(y->dtype, y->data, at + i, 1, run, a);
        } else {
            // Signed numbers keep their order as unsigned ones once the sign bit is turned over.
            const uint64_t flip = ferry_number_class_of(y->dtype) == FERRY_NUMBER_SIGNED ? (uint64_t)1 << 63 : 0;
            uint64_t a[FERRY_ROW], b[FERRY_ROW];
            ferry_row_load_u64(y->dtype, y->data, at + i, 1, run, a);
            ferry_row_load_u64(y->dtype, updates->data, from + i, 1, run, b);
            for (int64_t k = 0; k < run; k++) {
                const bool larger = (a[k] ^ flip) > (b[k] ^ flip);
                a[k] = COMBINE(a[k], b[k], larger ? a[k] : b[k], larger ? b[k] : a[k]);
            }
            ferry_row_store_u64(y->dtype, y->data, at + i, 1, run, a);
        }
    }
}

static void copy_data(const ferry_eval *eval)
{
    const size_t bytes = (size_t)ferry_elements(&eval->in[0]) * ferry_dtype_bytes(eval->in[0].dtype);
    if (bytes) memcpy(eval->out[0].data, eval->in[0].data, bytes);
}

static ferry_status infer_common(ferry_infer *infer, ferry_error *err)
{
    reduction how;
    FERRY_TRY(read_reduction(infer->node, &how, err));
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    FERRY_TRY(ferry_need_same_type(infer, 2, err));
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

// --- ScatterElements -------------------------------------------------------------------------------------------------

static ferry_status check_elements(int32_t rank, const int64_t *data, int32_t index_rank, const int64_t *indices,
                                   int32_t update_rank, const int64_t *updates, int32_t axis, ferry_error *err)
{
    if (index_rank != rank || update_rank != rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "data, indices and updates have %" PRId32 ", %" PRId32 " and %" PRId32
                          " dimensions: they must have the same",
                          rank, index_rank, update_rank);
    }
    for (int32_t d = 0; d < rank; d++) {
        if (indices[d] >= 0 && updates[d] >= 0 && indices[d] != updates[d]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimension %" PRId32 " of the indices is %" PRId64 ", of the updates %" PRId64, d,
                              indices[d], updates[d]);
        }
    }
    return ferry_index_fits(rank, indices, data, axis, err);
}

ferry_status ferry_scatter_elements_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = infer->in_shapes;
    FERRY_TRY(infer_common(infer, err));
    if (in[0].rank < 0 || in[1].rank < 0 || in[2].rank < 0) return FERRY_OK;
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", 0), in[0].rank, &axis, err));
    return check_elements(in[0].rank, in[0].dims, in[1].rank, in[1].dims, in[2].rank, in[2].dims, axis, err);
}

ferry_status ferry_scatter_elements_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *indices = &eval->in[1], *updates = &eval->in[2];
    reduction how = REDUCE_NONE;
    int32_t axis = 0;
    FERRY_TRY(read_reduction(eval->node, &how, err));
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 0), x->rank, &axis, err));
    FERRY_TRY(check_elements(x->rank, x->dims, indices->rank, indices->dims, updates->rank, updates->dims, axis, err));
    copy_data(eval);
    int64_t index_strides[FERRY_MAX_RANK], data_strides[FERRY_MAX_RANK];
    ferry_dense_strides(x->rank, indices->dims, index_strides);
    ferry_dense_strides(x->rank, x->dims, data_strides);
    const int64_t axis_stride = data_strides[axis];
    data_strides[axis] = 0; // the index goes along it
    const int64_t *const strides[] = {index_strides, data_strides};
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, x->rank, indices->dims, 2, strides); more;
         more = ferry_loops_next(&loops)) {
        for (int64_t i = 0; i < loops.row; i++) {
            const int64_t from = loops.offsets[0] + i;
            int64_t index = 0;
            FERRY_TRY(ferry_index_at(indices, from, x->dims[axis], axis, &index, err));
            apply(how, &eval->out[0], loops.offsets[1] + i * loops.row_strides[1] + index * axis_stride, updates, from,
                  1);
        }
    }
    return FERRY_OK;
}

// --- ScatterND -------------------------------------------------------------------------------------------------------

// Updates have the indices' dims but the last, then the data's dims that the indices leave.
static ferry_status check_nd(int32_t rank, const int64_t *data, int32_t index_rank, const int64_t *indices,
                             int32_t update_rank, const int64_t *updates, ferry_error *err)
{
    if (rank < 1 || index_rank < 1) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "data and indices have %" PRId32 " and %" PRId32 " dimensions; both need 1 or more", rank,
                          index_rank);
    }
    const int64_t depth = indices[index_rank - 1];
    if (depth == 0 || depth > rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the indices have %" PRId64 " numbers each, the data has %" PRId32 " dimensions", depth,
                          rank);
    }
    if (depth < 0) return FERRY_OK;
    if (update_rank != index_rank - 1 + rank - depth) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the updates have %" PRId32 " dimensions; indices and data need %" PRId64, update_rank,
                          index_rank - 1 + rank - depth);
    }
    for (int32_t d = 0; d < update_rank; d++) {
        const int64_t needs = d < index_rank - 1 ? indices[d] : data[depth + d - (index_rank - 1)];
        if (updates[d] >= 0 && needs >= 0 && updates[d] != needs) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimension %" PRId32 " of the updates is %" PRId64 "; indices and data need %" PRId64, d,
                              updates[d], needs);
        }
    }
    return FERRY_OK;
}

ferry_status ferry_scatter_nd_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = infer->in_shapes;
    FERRY_TRY(infer_common(infer, err));
    if (in[0].rank < 0 || in[1].rank < 0 || in[2].rank < 0) return FERRY_OK;
    return check_nd(in[0].rank, in[0].dims, in[1].rank, in[1].dims, in[2].rank, in[2].dims, err);
}

ferry_status ferry_scatter_nd_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *indices = &eval->in[1], *updates = &eval->in[2];
    reduction how = REDUCE_NONE;
    FERRY_TRY(read_reduction(eval->node, &how, err));
    FERRY_TRY(check_nd(x->rank, x->dims, indices->rank, indices->dims, updates->rank, updates->dims, err));
    copy_data(eval);
    const int32_t depth = (int32_t)indices->dims[indices->rank - 1];
    const int64_t n = ferry_dims_elements(indices->rank - 1, indices->dims);
    const int64_t slice = ferry_dims_elements(x->rank - depth, x->dims + depth);
    int64_t strides[FERRY_MAX_RANK];
    ferry_dense_strides(x->rank, x->dims, strides);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        FERRY_TRY(ferry_index_offset(indices, i * depth, depth, x->dims, strides, &at, err));
        if (slice > 0) apply(how, &eval->out[0], at, updates, i * slice, slice);
    }
    return FERRY_OK;
}
