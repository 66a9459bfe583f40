// SPDX-License-Identifier: Apache-2.0
// Operators about shapes: Shape, Size and Dropout here, and the family's table.
#include "ops/shape.h"

#include <string.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_shape[];

// --- Shape and Size --------------------------------------------------------------------------------------------------

// The dims [*start, *end) that `start` and `end` choose, clamped as ONNX says.
static void shape_range(const ferry_node *node, int32_t rank, int32_t *start, int32_t *end)
{
    const int64_t from = ferry_node_int(node, "start", 0), to = ferry_node_int(node, "end", rank);
    const int64_t a = from < 0 ? from + rank : from, b = to < 0 ? to + rank : to;
    *start = (int32_t)(a < 0 ? 0 : a > rank ? rank : a);
    *end = (int32_t)(b < 0 ? 0 : b > rank ? rank : b);
    if (*end < *start) *end = *start;
}

static ferry_status infer_shape(ferry_infer *infer, ferry_error *err)
{
    (void)err;
    infer->out_dtypes[0] = FERRY_S64;
    infer->out_shapes[0] = ferry_shape_of_rank(1);
    const int32_t rank = infer->in_shapes[0].rank;
    if (rank < 0) return FERRY_OK;
    int32_t start, end;
    shape_range(infer->node, rank, &start, &end);
    ferry_set_dim(&infer->out_shapes[0], 0, end - start);
    return FERRY_OK;
}

static ferry_status eval_shape(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    int32_t start, end;
    shape_range(eval->node, eval->in[0].rank, &start, &end);
    for (int32_t d = start; d < end; d++) ferry_store_s64(&eval->out[0], (size_t)(d - start), eval->in[0].dims[d]);
    return FERRY_OK;
}

static ferry_status infer_size(ferry_infer *infer, ferry_error *err)
{
    (void)err;
    infer->out_dtypes[0] = FERRY_S64;
    infer->out_shapes[0] = ferry_shape_of_rank(0);
    return FERRY_OK;
}

static ferry_status eval_size(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    ferry_store_s64(&eval->out[0], 0, ferry_elements(&eval->in[0]));
    return FERRY_OK;
}

// --- Dropout ---------------------------------------------------------------------------------------------------------

// Inputs 1 and 2 are ratio and training_mode. Dropping nothing (ratio 0) is the same in training.
static ferry_status refuse_training(const ferry_node *node, const ferry_tensor *in, ferry_error *err)
{
    if (!ferry_has_input(node, 2) || !in[2].data || ferry_elements(&in[2]) == 0 || !ferry_load_s64(&in[2], 0)) {
        return FERRY_OK;
    }
    if (ferry_has_input(node, 1) && in[1].data && ferry_elements(&in[1]) == 1 && ferry_load_f64(&in[1], 0) == 0) {
        return FERRY_OK;
    }
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                      "training_mode is true: random dropout is for training; export the model in evaluation mode");
}

static ferry_status infer_dropout(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    FERRY_TRY(refuse_training(infer->node, infer->in_data, err));
    ferry_infer_like_first(infer);
    if (ferry_has_output(infer->node, 1)) {
        infer->out_shapes[1] = infer->in_shapes[0];
        infer->out_dtypes[1] = FERRY_BOOL;
    }
    return FERRY_OK;
}

static ferry_status eval_dropout(const ferry_eval *eval, ferry_error *err)
{
    FERRY_TRY(refuse_training(eval->node, eval->in, err));
    if (eval->out[0].data) FERRY_TRY(ferry_view_eval(eval, err));
    const int64_t n = ferry_elements(&eval->in[0]);
    if (ferry_has_output(eval->node, 1) && eval->out[1].data && n > 0) memset(eval->out[1].data, 1, (size_t)n);
    return FERRY_OK;
}

// --- The table -------------------------------------------------------------------------------------------------------

static const ferry_attr_schema shape_attrs[] = {{"start", FERRY_ATTR_INT, false}, {"end", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema reshape_attrs[] = {{"allowzero", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema flatten_attrs[] = {{"axis", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema dropout_attrs[] = {{"seed", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema value_attrs[] = {{"value", FERRY_ATTR_TENSOR, false}, {0}};
static const ferry_attr_schema eye_attrs[] = {{"dtype", FERRY_ATTR_INT, false}, {"k", FERRY_ATTR_INT, false}, {0}};

#define ROW(op_name, least, most, opset, op_flags, schema, infer_function, eval_function)                              \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = least, .max_inputs = most, .min_outputs = 1, .max_outputs = 1,    \
        .since = opset, .flags = op_flags, .attrs = schema, .infer = infer_function, .eval = eval_function             \
    }
#define VIEW (FERRY_OP_VIEW | FERRY_OP_MOVES_DATA)

const ferry_op ferry_ops_shape[] = {
    ROW("Shape", 1, 1, 1, FERRY_OP_SHAPE_ONLY, shape_attrs, infer_shape, eval_shape),
    ROW("Size", 1, 1, 1, FERRY_OP_SHAPE_ONLY, NULL, infer_size, eval_size),
    ROW("Reshape", 2, 2, 5, VIEW, reshape_attrs, ferry_reshape_infer, ferry_view_eval),
    ROW("Squeeze", 1, 2, 1, VIEW, NULL, ferry_squeeze_infer, ferry_view_eval),
    ROW("Unsqueeze", 2, 2, 1, VIEW, NULL, ferry_unsqueeze_infer, ferry_view_eval),
    ROW("Flatten", 1, 1, 1, VIEW, flatten_attrs, ferry_flatten_infer, ferry_view_eval),
    ROW("Identity", 1, 1, 1, VIEW, NULL, ferry_identity_infer, ferry_view_eval),
    // Not a view, because its mask has to be written; without a mask it is Identity.
    {.name = "Dropout",
     .domain = "",
     .min_inputs = 1,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 2,
     .since = 7,
     .flags = FERRY_OP_MOVES_DATA,
     .attrs = dropout_attrs,
     .infer = infer_dropout,
     .eval = eval_dropout},
    ROW("Expand", 2, 2, 8, FERRY_OP_MOVES_DATA, NULL, ferry_expand_infer, ferry_expand_eval),
    ROW("ConstantOfShape", 1, 1, 9, FERRY_OP_NONE, value_attrs, ferry_constant_of_shape_infer,
        ferry_constant_of_shape_eval),
    ROW("Range", 3, 3, 11, FERRY_OP_NONE, NULL, ferry_range_infer, ferry_range_eval),
    ROW("EyeLike", 1, 1, 9, FERRY_OP_NONE, eye_attrs, ferry_eye_like_infer, ferry_eye_like_eval),
    {.name = NULL},
};
