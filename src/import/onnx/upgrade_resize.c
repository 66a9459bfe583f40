// SPDX-License-Identifier: Apache-2.0
// Upsample and the Resize of opset 10 place samples as later ones do with 'asymmetric' coordinates, rounding down.
#include <string.h>

#include "import/onnx/upgrade.h"
#include "ops/element.h"

static ferry_status set_old_rules(ferry_onnx_node *node, ferry_error *err)
{
    FERRY_TRY(ferry_onnx_set_string(node, "coordinate_transformation_mode", "asymmetric", err));
    return ferry_onnx_set_string(node, "nearest_mode", "floor", err);
}

ferry_status ferry_onnx_upgrade_upsample(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    node->op_type = "Resize";
    ferry_value_id scales = ferry_onnx_get_input(node, 1);
    if (node->n_inputs > 1) node->n_inputs = 1;
    const ferry_attr *a = ferry_onnx_take_attr(node, "scales");
    if (a && a->kind == FERRY_ATTR_FLOATS)
        FERRY_TRY(ferry_onnx_set_input_floats(node, 2, "scales", FERRY_F32, a->u.floats, a->count, err));
    else if (scales != FERRY_NO_VALUE)
        ferry_onnx_set_input(node, 2, scales);
    else
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "Upsample has no scales");
    return set_old_rules(node, err);
}

// The nearest sample is the one before where an axis grows, but the one behind where it shrinks: so do ONNX's test data
// for opset 10, and ONNX Runtime.
static ferry_status set_nearest(ferry_onnx_node *node, ferry_error *err)
{
    const ferry_known *scales = &ferry_onnx_inferred(node, ferry_onnx_get_input(node, 2))->known;
    const ferry_attr *mode = ferry_onnx_find_attr(node, "mode");
    const bool nearest = !mode || mode->kind != FERRY_ATTR_STRING || strcmp(mode->u.strings[0], "nearest") == 0;
    bool grows = false, shrinks = false;
    for (size_t i = 0; nearest && scales->tensor.data && !scales->mask && i < ferry_tensor_elements(&scales->tensor);
         i++) {
        const double scale = ferry_load_f64(&scales->tensor, i);
        grows = grows || scale > 1;
        shrinks = shrinks || scale < 1;
    }
    if (grows && shrinks)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "enlarges one dimension and shrinks another, in the way of opset 10: export with opset 11");
    return shrinks ? ferry_onnx_set_string(node, "nearest_mode", "ceil", err) : FERRY_OK;
}

ferry_status ferry_onnx_upgrade_resize10(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    if (node->n_inputs != 2)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has %d inputs, Resize takes 2 in opset 10", node->n_inputs);
    const ferry_value_id scales = node->inputs[1];
    ferry_onnx_set_input(node, 1, FERRY_NO_VALUE);
    ferry_onnx_set_input(node, 2, scales);
    FERRY_TRY(set_old_rules(node, err));
    return set_nearest(node, err);
}

// Exporters fill optional inputs with empty tensors, since the first version of opset 11 asked for them.
ferry_status ferry_onnx_upgrade_resize(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    (void)err;
    for (int32_t i = 1; i < node->n_inputs; i++) {
        const ferry_shape *shape = &ferry_onnx_inferred(node, node->inputs[i])->shape;
        if (shape->rank == 1 && shape->dims[0] == 0) node->inputs[i] = FERRY_NO_VALUE;
    }
    return FERRY_OK;
}

ferry_status ferry_onnx_upgrade_grid_sample(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    const ferry_attr *a = ferry_onnx_find_attr(node, "mode");
    if (!a || a->kind != FERRY_ATTR_STRING) return FERRY_OK;
    if (strcmp(a->u.strings[0], "bilinear") == 0) return ferry_onnx_set_string(node, "mode", "linear", err);
    if (strcmp(a->u.strings[0], "bicubic") == 0) return ferry_onnx_set_string(node, "mode", "cubic", err);
    return FERRY_OK;
}
