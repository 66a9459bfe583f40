// SPDX-License-Identifier: Apache-2.0
// Operators that move elements: Concat, Split, Transpose and Tile here, and the family's table.
#include "ops/movement.h"

#include <inttypes.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_movement[];

static inline char *element_at(const ferry_tensor *tensor, int64_t i)
{
    return (char *)tensor->data + i * (int64_t)ferry_dtype_bytes(tensor->dtype);
}

// --- Concat ----------------------------------------------------------------------------------------------------------

// Joins the dims of input `i` into `out`: equal but for the axis, where they add up.
static ferry_status join_input(const ferry_infer *infer, int32_t i, int32_t axis, ferry_shape *out, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[i];
    if (in->rank != out->rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "input %" PRId32 " has %" PRId32 " dimensions, the inputs before it %" PRId32, i, in->rank,
                          out->rank);
    }
    for (int32_t d = 0; d < in->rank; d++) {
        if (d == axis) {
            int64_t sum;
            FERRY_TRY(ferry_dim_add(out->dims[d], in->dims[d], &sum, err));
            ferry_set_dim(out, d, sum);
        } else if (out->dims[d] < 0) {
            if (in->dims[d] >= 0 || out->symbols[d] == FERRY_NO_SYMBOL) ferry_copy_dim(out, d, in, d);
        } else if (in->dims[d] >= 0 && in->dims[d] != out->dims[d]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimension %" PRId32 " of input %" PRId32 " is %" PRId64
                              ", of the inputs before it %" PRId64 "; only axis %" PRId32 " may differ",
                              d, i, in->dims[d], out->dims[d], axis);
        }
    }
    return FERRY_OK;
}

static ferry_status infer_concat(ferry_infer *infer, ferry_error *err)
{
    const ferry_node *node = infer->node;
    int32_t known = -1; // an input whose rank is known
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (!ferry_has_input(node, i)) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %" PRId32 " is missing", i);
        FERRY_TRY(ferry_need_same_type(infer, i, err));
        if (infer->out_dtypes[0] == FERRY_DTYPE_NONE) infer->out_dtypes[0] = infer->in_dtypes[i];
        if (infer->in_shapes[i].rank >= 0) known = i;
    }
    if (known < 0) return FERRY_OK;
    const int32_t rank = infer->in_shapes[known].rank;
    int32_t axis;
    FERRY_TRY(ferry_axis(ferry_node_int(node, "axis", 0), rank, &axis, err));
    ferry_shape out = ferry_shape_of_rank(rank);
    ferry_set_dim(&out, axis, 0);
    bool all_known = true;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (infer->in_shapes[i].rank < 0) {
            all_known = false;
        } else {
            FERRY_TRY(join_input(infer, i, axis, &out, err));
        }
    }
    if (!all_known) ferry_set_dim(&out, axis, FERRY_DIM_UNKNOWN);
    if (node->n_inputs == 1) out = infer->in_shapes[0];
    infer->out_shapes[0] = out;
    return ferry_check_size(infer, &out, infer->out_dtypes[0], err);
}

static ferry_status eval_concat(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *y = &eval->out[0];
    int32_t axis;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 0), y->rank, &axis, err));
    if (ferry_elements(y) == 0) return FERRY_OK;
    int64_t to[FERRY_MAX_RANK], from[FERRY_MAX_RANK], at = 0;
    ferry_dense_strides(y->rank, y->dims, to);
    for (int32_t i = 0; i < eval->node->n_inputs; i++) {
        const ferry_tensor *x = &eval->in[i];
        if (at + x->dims[axis] > y->dims[axis]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "the inputs have %" PRId64 " and more along axis %" PRId32 ", the output %" PRId64,
                              at + x->dims[axis], axis, y->dims[axis]);
        }
        ferry_dense_strides(x->rank, x->dims, from);
        ferry_copy_strided(ferry_dtype_bytes(x->dtype), x->rank, x->dims, element_at(y, at * to[axis]), to, x->data,
                           from);
        at += x->dims[axis];
    }
    return FERRY_OK;
}

// --- Split -----------------------------------------------------------------------------------------------------------

// In how many parts the input is cut: outputs that nobody reads may be left out at the end of the node's list.
static int64_t split_parts(const ferry_node *node)
{
    const int64_t named = ferry_node_int(node, "num_outputs", node->n_outputs);
    return named > node->n_outputs ? named : node->n_outputs;
}

// Size of part `i` when an axis of `dim` is cut into equal parts, the last ones smaller or empty.
static int64_t equal_part(int64_t dim, int64_t parts, int64_t i)
{
    const int64_t size = dim / parts + (dim % parts != 0);
    if (size == 0 || i > dim / size) return 0;
    const int64_t left = dim - i * size;
    return left < size ? left : size;
}

static ferry_status check_split(const ferry_tensor *split, int64_t parts, int64_t dim, ferry_error *err)
{
    const int64_t count = ferry_elements(split);
    if (count != parts) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "split has %" PRId64 " sizes, the node has %" PRId64 " outputs",
                          count, parts);
    }
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t size = ferry_load_s64(split, (size_t)i);
        if (size < 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "split %" PRId64 " is %" PRId64, i, size);
        FERRY_TRY(ferry_dim_add(sum, size, &sum, err));
    }
    if (dim >= 0 && sum != dim) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the split sizes add up to %" PRId64 ", the axis has %" PRId64, sum,
                          dim);
    }
    return FERRY_OK;
}

static ferry_status infer_split(ferry_infer *infer, ferry_error *err)
{
    const ferry_node *node = infer->node;
    const ferry_shape *in = &infer->in_shapes[0];
    for (int32_t o = 0; o < node->n_outputs; o++) infer->out_dtypes[o] = infer->in_dtypes[0];
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    if (in->rank < 0) return FERRY_OK;
    int32_t axis;
    FERRY_TRY(ferry_axis(ferry_node_int(node, "axis", 0), in->rank, &axis, err));
    const int64_t dim = in->dims[axis], parts = split_parts(node);
    const bool has_split = ferry_has_input(node, 1);
    const bool known = has_split && infer->in_data[1].data;
    if (known) FERRY_TRY(check_split(&infer->in_data[1], parts, dim, err));
    for (int32_t o = 0; o < node->n_outputs; o++) {
        infer->out_shapes[o] = *in;
        if (known) {
            ferry_set_dim(&infer->out_shapes[o], axis, ferry_load_s64(&infer->in_data[1], (size_t)o));
        } else if (has_split || dim < 0) {
            ferry_set_dim(&infer->out_shapes[o], axis, parts == 1 ? dim : FERRY_DIM_UNKNOWN);
        } else {
            ferry_set_dim(&infer->out_shapes[o], axis, equal_part(dim, parts, o));
        }
    }
    return FERRY_OK;
}

static ferry_status eval_split(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    int32_t axis;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 0), x->rank, &axis, err));
    const int64_t parts = split_parts(eval->node);
    const ferry_tensor *split = ferry_has_input(eval->node, 1) ? &eval->in[1] : NULL;
    if (split) FERRY_TRY(check_split(split, parts, x->dims[axis], err));
    int64_t from[FERRY_MAX_RANK], to[FERRY_MAX_RANK], at = 0;
    ferry_dense_strides(x->rank, x->dims, from);
    for (int32_t o = 0; o < eval->node->n_outputs; o++) {
        const int64_t size = split ? ferry_load_s64(split, (size_t)o) : equal_part(x->dims[axis], parts, o);
        const ferry_tensor *y = &eval->out[o];
        if (y->data) {
            if (y->dims[axis] != size) {
                return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                                  "part %" PRId32 " has %" PRId64 " along the axis, its output %" PRId64, o, size,
                                  y->dims[axis]);
            }
            if (ferry_elements(y) > 0) {
                ferry_dense_strides(y->rank, y->dims, to);
                ferry_copy_strided(ferry_dtype_bytes(x->dtype), y->rank, y->dims, y->data, to,
                                   element_at(x, at * from[axis]), from);
            }
        }
        at += size;
    }
    return FERRY_OK;
}

// --- Transpose -------------------------------------------------------------------------------------------------------

// The permutation of a tensor of that rank; without the attribute, the dims in reverse.
static ferry_status read_perm(const ferry_node *node, int32_t rank, int32_t *out, ferry_error *err)
{
    int32_t count;
    const int64_t *perm = ferry_node_ints(node, "perm", &count);
    bool seen[FERRY_MAX_RANK];
    if (!perm && !ferry_node_attr(node, "perm")) {
        for (int32_t d = 0; d < rank; d++) out[d] = rank - 1 - d;
        return FERRY_OK;
    }
    if (count != rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "perm has %" PRId32 " entries, the input %" PRId32 " dimensions",
                          count, rank);
    }
    FERRY_TRY(ferry_axes_flags(perm, count, rank, seen, err));
    for (int32_t d = 0; d < rank; d++) FERRY_TRY(ferry_axis(perm[d], rank, &out[d], err));
    return FERRY_OK;
}

static ferry_status infer_transpose(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    ferry_infer_like_first(infer);
    if (in->rank < 0) return FERRY_OK;
    int32_t perm[FERRY_MAX_RANK];
    FERRY_TRY(read_perm(infer->node, in->rank, perm, err));
    for (int32_t d = 0; d < in->rank; d++) ferry_copy_dim(&infer->out_shapes[0], d, in, perm[d]);
    return FERRY_OK;
}

static ferry_status eval_transpose(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    int32_t perm[FERRY_MAX_RANK];
    FERRY_TRY(read_perm(eval->node, x->rank, perm, err));
    int64_t dense[FERRY_MAX_RANK], from[FERRY_MAX_RANK], to[FERRY_MAX_RANK];
    ferry_dense_strides(x->rank, x->dims, dense);
    for (int32_t d = 0; d < x->rank; d++) from[d] = dense[perm[d]];
    ferry_dense_strides(y->rank, y->dims, to);
    ferry_copy_strided(ferry_dtype_bytes(x->dtype), y->rank, y->dims, y->data, to, x->data, from);
    return FERRY_OK;
}

// --- Tile ------------------------------------------------------------------------------------------------------------

static ferry_status infer_tile(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
    int64_t repeats[FERRY_MAX_RANK];
    bool known[FERRY_MAX_RANK];
    int32_t count;
    FERRY_TRY(ferry_infer_shape_input(infer, 1, "repeats", repeats, known, &count, err));
    if (in->rank >= 0 && count >= 0 && count != in->rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "repeats has %" PRId32 " entries, the input %" PRId32 " dimensions",
                          count, in->rank);
    }
    const int32_t rank = in->rank >= 0 ? in->rank : count;
    if (rank < 0) return FERRY_OK;
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(rank);
    for (int32_t d = 0; d < rank && count >= 0; d++) {
        if (!known[d]) continue;
        if (repeats[d] < 0) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "repeat %" PRId32 " is %" PRId64, d, repeats[d]);
        }
        int64_t dim;
        FERRY_TRY(ferry_dim_mul(in->rank >= 0 ? in->dims[d] : FERRY_DIM_UNKNOWN, repeats[d], &dim, err));
        ferry_set_dim(out, d, dim);
        if (repeats[d] == 1 && in->rank >= 0) ferry_copy_dim(out, d, in, d);
    }
    return ferry_check_size(infer, out, infer->out_dtypes[0], err);
}

static ferry_status eval_tile(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    if (ferry_elements(y) == 0) return FERRY_OK;
    int64_t x_dense[FERRY_MAX_RANK], y_dense[FERRY_MAX_RANK];
    ferry_dense_strides(x->rank, x->dims, x_dense);
    ferry_dense_strides(y->rank, y->dims, y_dense);
    // Each dimension is two: which repeat, and where in it.
    int64_t dims[FERRY_LOOPS_RANK], from[FERRY_LOOPS_RANK], to[FERRY_LOOPS_RANK];
    for (int32_t d = 0; d < x->rank; d++) {
        dims[2 * d] = y->dims[d] / x->dims[d];
        from[2 * d] = 0;
        to[2 * d] = y_dense[d] * x->dims[d];
        dims[2 * d + 1] = x->dims[d];
        from[2 * d + 1] = x_dense[d];
        to[2 * d + 1] = y_dense[d];
    }
    ferry_copy_strided(ferry_dtype_bytes(x->dtype), 2 * x->rank, dims, y->data, to, x->data, from);
    return FERRY_OK;
}

// --- The table -------------------------------------------------------------------------------------------------------

static const ferry_attr_schema concat_attrs[] = {{"axis", FERRY_ATTR_INT, true}, {0}};
static const ferry_attr_schema split_attrs[] = {
    {"axis", FERRY_ATTR_INT, false}, {"num_outputs", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema transpose_attrs[] = {{"perm", FERRY_ATTR_INTS, false}, {0}};
static const ferry_attr_schema pad_attrs[] = {{"mode", FERRY_ATTR_STRING, false}, {0}};
static const ferry_attr_schema block_attrs[] = {
    {"blocksize", FERRY_ATTR_INT, true}, {"mode", FERRY_ATTR_STRING, false}, {0}};
static const ferry_attr_schema reverse_sequence_attrs[] = {
    {"batch_axis", FERRY_ATTR_INT, false}, {"time_axis", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema trilu_attrs[] = {{"upper", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema compress_attrs[] = {{"axis", FERRY_ATTR_INT, false}, {0}};

#define ROW(op_name, least, most, opset, schema, infer_function, eval_function)                                        \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = least, .max_inputs = most, .min_outputs = 1, .max_outputs = 1,    \
        .since = opset, .flags = FERRY_OP_MOVES_DATA, .attrs = schema, .infer = infer_function, .eval = eval_function  \
    }

const ferry_op ferry_ops_movement[] = {
    ROW("Concat", 1, -1, 4, concat_attrs, infer_concat, eval_concat),
    {.name = "Split",
     .domain = "",
     .min_inputs = 1,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = -1,
     .since = 2,
     .flags = FERRY_OP_MOVES_DATA,
     .attrs = split_attrs,
     .infer = infer_split,
     .eval = eval_split},
    ROW("Transpose", 1, 1, 1, transpose_attrs, infer_transpose, eval_transpose),
    ROW("Tile", 2, 2, 6, NULL, infer_tile, eval_tile),
    ROW("Slice", 3, 5, 1, NULL, ferry_slice_infer, ferry_slice_eval),
    ROW("Pad", 2, 4, 2, pad_attrs, ferry_pad_infer, ferry_pad_eval),
    ROW("DepthToSpace", 1, 1, 1, block_attrs, ferry_depth_to_space_infer, ferry_depth_to_space_eval),
    ROW("SpaceToDepth", 1, 1, 1, block_attrs, ferry_space_to_depth_infer, ferry_space_to_depth_eval),
    ROW("ReverseSequence", 2, 2, 10, reverse_sequence_attrs, ferry_reverse_sequence_infer, ferry_reverse_sequence_eval),
    ROW("Trilu", 1, 2, 14, trilu_attrs, ferry_trilu_infer, ferry_trilu_eval),
    {.name = "Compress",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 9,
     .flags = FERRY_OP_MOVES_DATA | FERRY_OP_DATA_SHAPE,
     .attrs = compress_attrs,
     .infer = ferry_compress_infer,
     .eval = ferry_compress_eval},
    {.name = NULL},
};
