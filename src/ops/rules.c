// SPDX-License-Identifier: Apache-2.0
// Checks that shape inference functions share. Every text states the fact with both numbers.
#include "ops/rules.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"

static void list_types(uint32_t types, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (int d = FERRY_F32; d <= FERRY_BOOL; d++) {
        if (!(types >> d & 1u) || used >= out_bytes) continue;
        const int n =
            snprintf(out + used, out_bytes - used, "%s%s", used ? ", " : "", ferry_dtype_name((ferry_dtype)d));
        used += n > 0 ? (size_t)n : 0;
    }
}

ferry_status ferry_need_types(const ferry_infer *infer, int32_t i, uint32_t types, ferry_error *err)
{
    if (!ferry_has_input(infer->node, i)) return FERRY_OK;
    const ferry_dtype dtype = infer->in_dtypes[i];
    if (dtype == FERRY_DTYPE_NONE || (types >> dtype & 1u)) return FERRY_OK;
    char allowed[192];
    list_types(types, allowed, sizeof allowed);
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %" PRId32 " is of type %s; %s takes %s", i,
                      ferry_dtype_name(dtype), infer->node->op->name, allowed);
}

ferry_status ferry_need_same_type(const ferry_infer *infer, int32_t i, ferry_error *err)
{
    if (!ferry_has_input(infer->node, i)) return FERRY_OK;
    const ferry_dtype a = infer->in_dtypes[0], b = infer->in_dtypes[i];
    if (a == b || a == FERRY_DTYPE_NONE || b == FERRY_DTYPE_NONE) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                      "input %" PRId32 " is of type %s, input 0 of type %s: they must be the same", i,
                      ferry_dtype_name(b), ferry_dtype_name(a));
}

ferry_status ferry_need_rank(const ferry_infer *infer, int32_t i, int32_t rank, ferry_error *err)
{
    if (!ferry_has_input(infer->node, i)) return FERRY_OK;
    const int32_t is = infer->in_shapes[i].rank;
    if (is == rank || is == FERRY_RANK_UNKNOWN) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %" PRId32 " has %" PRId32 " dimensions; %s takes %" PRId32, i,
                      is, infer->node->op->name, rank);
}

void ferry_infer_like_first(ferry_infer *infer)
{
    infer->out_shapes[0] = infer->in_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
}

ferry_status ferry_read_ints(const ferry_tensor *tensor, const char *what, int32_t most, int64_t *out,
                             int32_t *out_count, ferry_error *err)
{
    *out_count = 0;
    if (tensor->dtype != FERRY_S64 && tensor->dtype != FERRY_S32) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s is of type %s; it must be int64 or int32", what,
                          ferry_dtype_name(tensor->dtype));
    }
    const int64_t count = ferry_elements(tensor);
    if (count > most) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s has %" PRId64 " elements; at most %" PRId32 " make sense here",
                          what, count, most);
    }
    for (int64_t i = 0; i < count; i++) out[i] = ferry_load_s64(tensor, (size_t)i);
    *out_count = (int32_t)count;
    return FERRY_OK;
}

ferry_status ferry_infer_ints(const ferry_infer *infer, int32_t i, const char *what, int64_t *out, int32_t *out_count,
                              ferry_error *err)
{
    const ferry_shape *shape = &infer->in_shapes[i];
    size_t elements;
    *out_count = -1;
    if (ferry_shape_elements(shape, &elements) && elements == 0) {
        *out_count = 0; // an empty list is known without data
    } else if (infer->in_data[i].data) {
        return ferry_read_ints(&infer->in_data[i], what, FERRY_MAX_RANK, out, out_count, err);
    }
    return FERRY_OK;
}

ferry_status ferry_infer_shape_input(const ferry_infer *infer, int32_t i, const char *what, int64_t *out,
                                     bool *out_known, int32_t *out_count, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, i, FERRY_TYPES_INDEX, err));
    FERRY_TRY(ferry_infer_ints(infer, i, what, out, out_count, err));
    for (int32_t d = 0; d < *out_count; d++) out_known[d] = true;
    if (*out_count >= 0) return FERRY_OK;
    size_t elements;
    if (!ferry_shape_elements(&infer->in_shapes[i], &elements)) return FERRY_OK;
    if (elements > FERRY_MAX_RANK) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "%s has %zu elements; tensors of at most %d dimensions can be handled", what, elements,
                          FERRY_MAX_RANK);
    }
    *out_count = (int32_t)elements;
    const ferry_tensor *partial = infer->in_partial ? &infer->in_partial[i] : NULL;
    for (int32_t d = 0; d < *out_count; d++) {
        out_known[d] = partial && partial->data && infer->in_known[i][d];
        out[d] = out_known[d] ? ferry_load_s64(partial, (size_t)d) : FERRY_DIM_UNKNOWN;
    }
    return FERRY_OK;
}

static ferry_status need_one(const ferry_tensor *tensor, const char *what, ferry_error *err)
{
    const int64_t count = ferry_elements(tensor);
    if (count == 1) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s has %" PRId64 " elements; it must have 1", what, count);
}

ferry_status ferry_read_int(const ferry_tensor *tensor, const char *what, int64_t *out, ferry_error *err)
{
    FERRY_TRY(need_one(tensor, what, err));
    *out = ferry_load_s64(tensor, 0);
    return FERRY_OK;
}

ferry_status ferry_read_number(const ferry_tensor *tensor, const char *what, double *out, ferry_error *err)
{
    FERRY_TRY(need_one(tensor, what, err));
    *out = ferry_load_f64(tensor, 0);
    return FERRY_OK;
}

ferry_status ferry_axes_flags(const int64_t *axes, int32_t count, int32_t rank, bool *out_flags, ferry_error *err)
{
    for (int32_t d = 0; d < rank; d++) out_flags[d] = false;
    for (int32_t i = 0; i < count; i++) {
        int32_t axis;
        FERRY_TRY(ferry_axis(axes[i], rank, &axis, err));
        if (out_flags[axis]) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "axis %" PRId32 " is named twice", axis);
        out_flags[axis] = true;
    }
    return FERRY_OK;
}

#define MOST_DIM ((int64_t)1 << 62)

ferry_status ferry_dim_mul(int64_t a, int64_t b, int64_t *out, ferry_error *err)
{
    if (a == 0 || b == 0) {
        *out = 0;
    } else if (a < 0 || b < 0) {
        *out = FERRY_DIM_UNKNOWN;
    } else if (__builtin_mul_overflow(a, b, out) || *out > MOST_DIM) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a dimension would be %" PRId64 " x %" PRId64 ": too large", a, b);
    }
    return FERRY_OK;
}

ferry_status ferry_dim_add(int64_t a, int64_t b, int64_t *out, ferry_error *err)
{
    if (a < 0 || b < 0) {
        *out = FERRY_DIM_UNKNOWN;
    } else if (__builtin_add_overflow(a, b, out) || *out > MOST_DIM) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a dimension would be %" PRId64 " + %" PRId64 ": too large", a, b);
    }
    return FERRY_OK;
}

ferry_status ferry_check_size(const ferry_infer *infer, const ferry_shape *shape, ferry_dtype dtype, ferry_error *err)
{
    size_t bytes = ferry_dtype_bytes(dtype) ? ferry_dtype_bytes(dtype) : 1;
    for (int32_t d = 0; d < shape->rank; d++)
        if (shape->dims[d] == 0) return FERRY_OK;
    for (int32_t d = 0; d < shape->rank; d++) {
        if (shape->dims[d] < 0) continue;
        if (!ferry_mul_size(bytes, (size_t)shape->dims[d], &bytes) || bytes > PTRDIFF_MAX) {
            char text[160];
            ferry_shape_text(infer->graph, shape, text, sizeof text);
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "the output would have the shape %s: more than memory can address", text);
        }
    }
    return FERRY_OK;
}

ferry_shape ferry_shape_of_rank(int32_t rank)
{
    ferry_shape shape = {.rank = rank};
    for (int32_t d = 0; d < FERRY_MAX_RANK; d++) ferry_set_dim(&shape, d, FERRY_DIM_UNKNOWN);
    return shape;
}

ferry_dtype ferry_dtype_from_onnx(int64_t number)
{
    static const uint8_t types[] = {
        [1] = FERRY_F32,  [2] = FERRY_U8,   [3] = FERRY_S8,    [4] = FERRY_U16,  [5] = FERRY_S16,
        [6] = FERRY_S32,  [7] = FERRY_S64,  [9] = FERRY_BOOL,  [10] = FERRY_F16, [11] = FERRY_F64,
        [12] = FERRY_U32, [13] = FERRY_U64, [16] = FERRY_BF16,
    };
    return number > 0 && number < (int64_t)sizeof types ? (ferry_dtype)types[number] : FERRY_DTYPE_NONE;
}
