// SPDX-License-Identifier: Apache-2.0
// Attributes that became inputs over the opsets, so that they could be computed.
#include <float.h>
#include <string.h>

#include "import/onnx/upgrade.h"

// Moves a list of ints from an attribute to an input. Without the attribute the input stays as it is.
static ferry_status ints_to_input(ferry_onnx_node *node, const char *attr, int32_t index, ferry_error *err)
{
    const ferry_attr *a = ferry_onnx_take_attr(node, attr);
    if (!a) return FERRY_OK;
    if (a->kind != FERRY_ATTR_INTS)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' should be a list of ints", attr);
    return ferry_onnx_set_input_ints(node, index, attr, a->u.ints, a->count, err);
}

ferry_status ferry_onnx_upgrade_axes(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    return ints_to_input(node, "axes", 1, err);
}

ferry_status ferry_onnx_upgrade_split(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    if (node->reader->opset < 13) FERRY_TRY(ints_to_input(node, "split", 1, err));
    // Up to opset 17 the number of outputs was what decided into how many equal parts to split.
    if (ferry_onnx_get_input(node, 1) == FERRY_NO_VALUE)
        FERRY_TRY(ferry_onnx_set_int(node, "num_outputs", node->n_outputs, err));
    return FERRY_OK;
}

// The type of the node's first input, for a constant that has to have it too.
static ferry_dtype data_dtype(const ferry_onnx_node *node)
{
    return ferry_onnx_inferred(node, ferry_onnx_get_input(node, 0))->dtype;
}

ferry_status ferry_onnx_upgrade_clip(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    const float least = ferry_onnx_take_float(node, "min", -FLT_MAX),
                most = ferry_onnx_take_float(node, "max", FLT_MAX);
    if (least > -FLT_MAX) FERRY_TRY(ferry_onnx_set_input_floats(node, 1, "min", data_dtype(node), &least, -1, err));
    if (most < FLT_MAX) FERRY_TRY(ferry_onnx_set_input_floats(node, 2, "max", data_dtype(node), &most, -1, err));
    return FERRY_OK;
}

ferry_status ferry_onnx_upgrade_slice(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    FERRY_TRY(ints_to_input(node, "starts", 1, err));
    FERRY_TRY(ints_to_input(node, "ends", 2, err));
    return ints_to_input(node, "axes", 3, err);
}

ferry_status ferry_onnx_upgrade_pad(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    FERRY_TRY(ints_to_input(node, "pads", 1, err));
    const float value = ferry_onnx_take_float(node, "value", 0);
    if (value == 0) return FERRY_OK; // what an absent input means
    return ferry_onnx_set_input_floats(node, 2, "value", data_dtype(node), &value, -1, err);
}

ferry_status ferry_onnx_upgrade_topk(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    const ferry_attr *k = ferry_onnx_take_attr(node, "k");
    if (!k || k->kind != FERRY_ATTR_INT) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "lacks the attribute 'k'");
    return ferry_onnx_set_input_ints(node, 1, "k", k->u.ints, 1, err);
}
