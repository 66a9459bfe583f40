// SPDX-License-Identifier: Apache-2.0
// The rewriting of older opsets, by theme. Each function is one row of the table in upgrade.c.
#ifndef FERRY_SRC_IMPORT_ONNX_UPGRADE_H_
#define FERRY_SRC_IMPORT_ONNX_UPGRADE_H_

#include "import/onnx/reader.h"

/// Rewrites the node in place, or emits others in its stead and sets *done.
typedef ferry_status (*ferry_onnx_upgrade_function)(ferry_onnx_node *node, bool *done, ferry_error *err);

// upgrade_inputs.c: attributes that became inputs
ferry_status ferry_onnx_upgrade_axes(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_split(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_clip(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_slice(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_pad(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_topk(ferry_onnx_node *node, bool *done, ferry_error *err);

// upgrade_training.c: operators that once could train
ferry_status ferry_onnx_upgrade_dropout(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_batch_norm(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_group_norm(ferry_onnx_node *node, bool *done, ferry_error *err);

// upgrade_resize.c
ferry_status ferry_onnx_upgrade_upsample(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_resize10(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_resize(ferry_onnx_node *node, bool *done, ferry_error *err);
ferry_status ferry_onnx_upgrade_grid_sample(ferry_onnx_node *node, bool *done, ferry_error *err);

// upgrade_softmax.c
ferry_status ferry_onnx_upgrade_softmax(ferry_onnx_node *node, bool *done, ferry_error *err);

#endif // FERRY_SRC_IMPORT_ONNX_UPGRADE_H_
