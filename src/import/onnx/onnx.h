// SPDX-License-Identifier: Apache-2.0
// The importer of ONNX, as import.c calls it.
#ifndef FERRY_SRC_IMPORT_ONNX_ONNX_H_
#define FERRY_SRC_IMPORT_ONNX_ONNX_H_

#include "base/file_map.h"
#include "graph/graph.h"

/// Where a model comes from.
typedef struct ferry_onnx_input {
    const char *path; // NULL: from memory
    const uint8_t *data;
    size_t bytes;
    ferry_file_map *map; // of `data`, zeroed when the graph has taken it over; NULL: from memory
    const char *folder;  // for external data of a model from memory; NULL: none
} ferry_onnx_input;

ferry_status ferry_onnx_import(const ferry_onnx_input *input, const ferry_heap *heap, bool allow_nan, ferry_graph *out,
                               ferry_report *report, ferry_error *err);

#endif // FERRY_SRC_IMPORT_ONNX_ONNX_H_
