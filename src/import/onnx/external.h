// SPDX-License-Identifier: Apache-2.0
// Weights beside the model: files that tensors name, mapped once each, and only from the model's own folder.
#ifndef FERRY_SRC_IMPORT_ONNX_EXTERNAL_H_
#define FERRY_SRC_IMPORT_ONNX_EXTERNAL_H_

#include "graph/graph.h"
#include "onnx.pb-c.h"

/// The mapped files. They stay open until closed, or until a graph has taken them over.
typedef struct ferry_onnx_externals {
    const ferry_heap *heap;
    const char *folder;                          // of the model, borrowed; NULL: external data are refused
    const char *real_folder, *real_model_folder; // symbolic links resolved; owned by the arena
    ferry_arena arena;
    struct ferry_onnx_external *files;
} ferry_onnx_externals;

/// `model_path` may be NULL (a model in memory).
void ferry_onnx_externals_init(ferry_onnx_externals *externals, const ferry_heap *heap, const char *folder,
                               const char *model_path);
void ferry_onnx_externals_deinit(ferry_onnx_externals *externals);

/// The `bytes` bytes that the tensor's external_data point to, mapped; unaligned perhaps.
ferry_status ferry_onnx_externals_find(ferry_onnx_externals *externals, const Ferry__Onnx__Tensor *tensor, size_t bytes,
                                       const uint8_t **out, ferry_error *err);

/// Gives the files to the graph, which keeps them open as long as constants point into them.
ferry_status ferry_onnx_externals_keep(ferry_onnx_externals *externals, ferry_graph *graph, ferry_error *err);

#endif // FERRY_SRC_IMPORT_ONNX_EXTERNAL_H_
