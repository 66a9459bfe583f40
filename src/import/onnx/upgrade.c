// SPDX-License-Identifier: Apache-2.0
// Which operators changed their form, and in which opset: everything behind the importer meets the newest form only.
#include "import/onnx/upgrade.h"

#include <string.h>

static ferry_status rename_scatter(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    (void)err;
    node->op_type = "ScatterElements";
    return FERRY_OK;
}

static const struct {
    const char *op_type;
    int64_t before; // models of an older opset are rewritten
    ferry_onnx_upgrade_function upgrade;
} rows[] = {
    {"Squeeze", 13, ferry_onnx_upgrade_axes},
    {"Unsqueeze", 13, ferry_onnx_upgrade_axes},
    {"ReduceSum", 13, ferry_onnx_upgrade_axes},
    {"ReduceMax", 18, ferry_onnx_upgrade_axes},
    {"ReduceMin", 18, ferry_onnx_upgrade_axes},
    {"ReduceMean", 18, ferry_onnx_upgrade_axes},
    {"ReduceProd", 18, ferry_onnx_upgrade_axes},
    {"ReduceL1", 18, ferry_onnx_upgrade_axes},
    {"ReduceL2", 18, ferry_onnx_upgrade_axes},
    {"ReduceLogSum", 18, ferry_onnx_upgrade_axes},
    {"ReduceLogSumExp", 18, ferry_onnx_upgrade_axes},
    {"ReduceSumSquare", 18, ferry_onnx_upgrade_axes},
    {"Split", 18, ferry_onnx_upgrade_split},
    {"Clip", 11, ferry_onnx_upgrade_clip},
    {"Slice", 10, ferry_onnx_upgrade_slice},
    {"Pad", 11, ferry_onnx_upgrade_pad},
    {"TopK", 10, ferry_onnx_upgrade_topk},
    {"Dropout", INT64_MAX, ferry_onnx_upgrade_dropout},
    {"BatchNormalization", INT64_MAX, ferry_onnx_upgrade_batch_norm},
    {"GroupNormalization", 21, ferry_onnx_upgrade_group_norm},
    {"Upsample", INT64_MAX, ferry_onnx_upgrade_upsample},
    {"Resize", 11, ferry_onnx_upgrade_resize10},
    {"Resize", INT64_MAX, ferry_onnx_upgrade_resize},
    {"GridSample", 20, ferry_onnx_upgrade_grid_sample},
    {"Softmax", 13, ferry_onnx_upgrade_softmax},
    {"LogSoftmax", 13, ferry_onnx_upgrade_softmax},
    {"Hardmax", 13, ferry_onnx_upgrade_softmax},
    {"Scatter", INT64_MAX, rename_scatter},
};

ferry_status ferry_onnx_upgrade(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    const char *op_type = node->op_type; // as the file has it: a row may rename the node
    *done = false;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows) && !*done; i++)
        if (node->reader->opset < rows[i].before && strcmp(rows[i].op_type, op_type) == 0)
            FERRY_TRY(rows[i].upgrade(node, done, err));
    return FERRY_OK;
}

bool ferry_onnx_is_upgraded(const char *op_type)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if (strcmp(rows[i].op_type, op_type) == 0) return true;
    return false;
}
