// SPDX-License-Identifier: Apache-2.0
// Slice and Compress: a part of a tensor, by ranges or by flags.
#include <inttypes.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/movement.h"
#include "ops/rules.h"

// --- Slice -----------------------------------------------------------------------------------------------------------

typedef struct slice_range {
    int64_t start, step, count;
} slice_range;

// start:end:step of a dimension, negative numbers counting from its end, everything clamped to it.
static slice_range clamp_range(int64_t start, int64_t end, int64_t step, int64_t dim)
{
    const int64_t least = step > 0 ? 0 : -1;       // where an end may lie
    const int64_t most = step > 0 ? dim : dim - 1; // where a start or an end may lie
    if (start < 0) start += dim;
    if (end < 0) end += dim;
    start = start < 0 ? 0 : start > most ? most : start;
    end = end < least ? least : end > most ? most : end;
    const uint64_t way = step > 0 ? (uint64_t)(end - start) : (uint64_t)(start - end);
    const uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    const bool empty = dim == 0 || (step > 0 ? end <= start : start <= end);
    return (slice_range){start, step, empty ? 0 : (int64_t)((way - 1) / stride + 1)};
}

// What the inputs of Slice say, by entry; not known entries have known false.
typedef struct slice_inputs {
    int64_t starts[FERRY_MAX_RANK], ends[FERRY_MAX_RANK], axes[FERRY_MAX_RANK], steps[FERRY_MAX_RANK];
    bool start_known[FERRY_MAX_RANK], end_known[FERRY_MAX_RANK], axes_known, step_known[FERRY_MAX_RANK];
    int32_t count; // -1: unknown
} slice_inputs;

static ferry_status same_count(int32_t *count, int32_t other, const char *what, ferry_error *err)
{
    if (*count >= 0 && other >= 0 && *count != other) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "starts has %" PRId32 " entries, %s has %" PRId32, *count, what,
                          other);
    }
    if (*count < 0) *count = other;
    return FERRY_OK;
}

static ferry_status read_slice(const ferry_infer *infer, slice_inputs *s, ferry_error *err)
{
    int32_t count;
    bool axis_known[FERRY_MAX_RANK];
    FERRY_TRY(ferry_infer_shape_input(infer, 1, "starts", s->starts, s->start_known, &s->count, err));
    FERRY_TRY(ferry_infer_shape_input(infer, 2, "ends", s->ends, s->end_known, &count, err));
    FERRY_TRY(same_count(&s->count, count, "ends", err));
    if (ferry_has_input(infer->node, 3)) {
        FERRY_TRY(ferry_infer_shape_input(infer, 3, "axes", s->axes, axis_known, &count, err));
        FERRY_TRY(same_count(&s->count, count, "axes", err));
        s->axes_known = count >= 0;
        for (int32_t i = 0; i < count; i++) s->axes_known = s->axes_known && axis_known[i];
    } else {
        s->axes_known = true;
        for (int32_t i = 0; i < FERRY_MAX_RANK; i++) s->axes[i] = i;
    }
    if (ferry_has_input(infer->node, 4)) {
        FERRY_TRY(ferry_infer_shape_input(infer, 4, "steps", s->steps, s->step_known, &count, err));
        FERRY_TRY(same_count(&s->count, count, "steps", err));
        for (int32_t i = 0; i < FERRY_MAX_RANK && count < 0; i++) s->step_known[i] = false;
    } else {
        for (int32_t i = 0; i < FERRY_MAX_RANK; i++) {
            s->steps[i] = 1;
            s->step_known[i] = true;
        }
    }
    return FERRY_OK;
}

// Fills the output dimension that entry `i` decides.
static ferry_status slice_dim(const ferry_shape *in, const slice_inputs *s, int32_t i, ferry_shape *out,
                              ferry_error *err)
{
    int32_t axis;
    FERRY_TRY(ferry_axis(s->axes[i], in->rank, &axis, err));
    if (s->step_known[i] && s->steps[i] == 0) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the step along axis %" PRId32 " is 0", axis);
    }
    const int64_t dim = in->dims[axis];
    const bool known = s->start_known[i] && s->end_known[i] && s->step_known[i];
    if (known && dim >= 0) {
        ferry_set_dim(out, axis, clamp_range(s->starts[i], s->ends[i], s->steps[i], dim).count);
    } else if (known && s->starts[i] == 0 && s->ends[i] >= INT32_MAX && s->steps[i] == 1) {
        ferry_copy_dim(out, axis, in, axis); // [0:] of a dimension of any size
    } else {
        ferry_set_dim(out, axis, FERRY_DIM_UNKNOWN);
    }
    return FERRY_OK;
}

ferry_status ferry_slice_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    slice_inputs s = {0};
    FERRY_TRY(read_slice(infer, &s, err));
    ferry_infer_like_first(infer);
    if (in->rank < 0) return FERRY_OK;
    if (s.count > in->rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "starts has %" PRId32 " entries, the input %" PRId32 " dimensions",
                          s.count, in->rank);
    }
    if (s.count < 0 || !s.axes_known) {
        infer->out_shapes[0] = ferry_shape_of_rank(in->rank);
        return FERRY_OK;
    }
    bool named[FERRY_MAX_RANK];
    FERRY_TRY(ferry_axes_flags(s.axes, s.count, in->rank, named, err));
    for (int32_t i = 0; i < s.count; i++) FERRY_TRY(slice_dim(in, &s, i, &infer->out_shapes[0], err));
    return FERRY_OK;
}

ferry_status ferry_slice_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    int64_t entries[4][FERRY_MAX_RANK]; // starts, ends, axes, steps
    int32_t count = 0, others;
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    for (int32_t k = 0; k < 4; k++) {
        if (ferry_has_input(eval->node, k + 1)) {
            FERRY_TRY(ferry_read_ints(&eval->in[k + 1], names[k], x->rank, entries[k], &others, err));
            if (k == 0) count = others;
            FERRY_TRY(same_count(&count, others, names[k], err));
        } else {
            for (int32_t i = 0; i < FERRY_MAX_RANK; i++) entries[k][i] = k == 2 ? i : 1;
        }
    }
    int64_t dense[FERRY_MAX_RANK], from[FERRY_MAX_RANK], to[FERRY_MAX_RANK], at = 0;
    ferry_dense_strides(x->rank, x->dims, dense);
    ferry_dense_strides(y->rank, y->dims, to);
    slice_range ranges[FERRY_MAX_RANK];
    for (int32_t d = 0; d < x->rank; d++) ranges[d] = (slice_range){0, 1, x->dims[d]};
    for (int32_t i = 0; i < count; i++) {
        int32_t axis;
        FERRY_TRY(ferry_axis(entries[2][i], x->rank, &axis, err));
        if (entries[3][i] == 0)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the step along axis %" PRId32 " is 0", axis);
        ranges[axis] = clamp_range(entries[0][i], entries[1][i], entries[3][i], x->dims[axis]);
    }
    for (int32_t d = 0; d < x->rank; d++) {
        if (ranges[d].count != y->dims[d]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "the slice has %" PRId64 " along axis %" PRId32 ", the output %" PRId64, ranges[d].count,
                              d, y->dims[d]);
        }
    }
    if (ferry_elements(y) == 0) return FERRY_OK;
    for (int32_t d = 0; d < x->rank; d++) {
        at += ranges[d].start * dense[d];
        // A single element takes no step, and a step larger than the dimension would overflow.
        from[d] = ranges[d].count > 1 ? ranges[d].step * dense[d] : 0;
    }
    const size_t bytes = ferry_dtype_bytes(x->dtype);
    ferry_copy_strided(bytes, y->rank, y->dims, y->data, to, (const char *)x->data + at * (int64_t)bytes, from);
    return FERRY_OK;
}

// --- Compress --------------------------------------------------------------------------------------------------------

ferry_status ferry_compress_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0], *flags = &infer->in_shapes[1];
    ferry_shape *out = &infer->out_shapes[0];
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_BOOL, err));
    FERRY_TRY(ferry_need_rank(infer, 1, 1, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    const bool flat = ferry_node_attr(infer->node, "axis") == NULL;
    if (in->rank < 0) {
        if (flat) *out = ferry_shape_of_rank(1);
        return FERRY_OK;
    }
    int32_t axis = 0;
    int64_t most = 1;
    if (flat) {
        *out = ferry_shape_of_rank(1);
        for (int32_t d = 0; d < in->rank; d++) FERRY_TRY(ferry_dim_mul(most, in->dims[d], &most, err));
    } else {
        FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", 0), in->rank, &axis, err));
        *out = *in;
        most = in->dims[axis];
    }
    if (infer->in_data[1].data && most >= 0) {
        const uint8_t *condition = infer->in_data[1].data;
        const int64_t n = ferry_elements(&infer->in_data[1]);
        int64_t count = 0;
        for (int64_t i = 0; i < n && i < most; i++) count += condition[i] != 0;
        most = count;
    } else {
        if (flags->rank == 1 && flags->dims[0] >= 0 && (most < 0 || flags->dims[0] < most)) most = flags->dims[0];
        infer->bounded = true;
    }
    ferry_set_dim(out, axis, most);
    return FERRY_OK;
}

ferry_status ferry_compress_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0];
    const uint8_t *flags = eval->in[1].data;
    const bool flat = ferry_node_attr(eval->node, "axis") == NULL;
    int32_t axis = 0;
    if (!flat) FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 0), x->rank, &axis, err));
    const int64_t dim = flat ? ferry_elements(x) : x->dims[axis];
    const int64_t outer = flat ? 1 : ferry_dims_elements(axis, x->dims);
    const int64_t inner = flat ? 1 : ferry_dims_elements(x->rank - axis - 1, x->dims + axis + 1);
    const int64_t n = ferry_elements(&eval->in[1]) < dim ? ferry_elements(&eval->in[1]) : dim;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += flags[i] != 0;
    if (count > y->dims[axis]) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%" PRId64 " flags are set, there is room for %" PRId64, count,
                          y->dims[axis]);
    }
    y->dims[axis] = count;
    if (ferry_elements(x) == 0) return FERRY_OK;
    const int64_t run[] = {inner}, one[] = {1};
    const int64_t bytes = (int64_t)ferry_dtype_bytes(x->dtype);
    char *to = y->data;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < n; i++) {
            if (!flags[i]) continue;
            ferry_copy_strided((size_t)bytes, 1, run, to, one, (const char *)x->data + (o * dim + i) * inner * bytes,
                               one);
            to += inner * bytes;
        }
    }
    return FERRY_OK;
}
