// SPDX-License-Identifier: Apache-2.0
// Model files to graphs. The format is told by the file's content and name; those that ferry does not read are refused
// with the way round.
#ifndef FERRY_SRC_IMPORT_IMPORT_H_
#define FERRY_SRC_IMPORT_IMPORT_H_

#include "graph/graph.h"

/// Zero means the default in every field; NULL for all defaults.
typedef struct ferry_import_options {
    const ferry_heap *heap; ///< borrowed by the graph; NULL: the process heap
    /// What a model in memory is called: the beginning of error texts, and its folder has the external data (then
    /// `folder` is not looked at). The file is not opened. Not for files
    const char *path;
    const char *folder; ///< where external data of a model in memory lie; NULL: it may have none. Not for files
    bool allow_nan;     ///< take weights that hold NaN, which are otherwise taken for damaged
} ferry_import_options;

/// Reads a model. Opsets 7 to 23, newer ones with a warning where every operator is known. On success `*out` has passed
/// ferry_graph_verify and ferry_graph_infer (shapes of dynamic inputs stay unknown) and is to be freed with
/// ferry_graph_deinit; on failure it is zeroed. The file stays mapped as long as the graph or a copy of it lives.
///
/// All problems of the model go into `report` (may be NULL), each with the node or tensor it concerns; `err` has the
/// first few. Warnings go to `logger` (may be NULL) too. FERRY_ERR_IO, FERRY_ERR_BAD_MODEL, FERRY_ERR_OUT_OF_MEMORY;
/// FERRY_ERR_UNSUPPORTED when the model is well-formed and all its problems are things that ferry does not do.
ferry_status ferry_import(const char *path, const ferry_import_options *options, ferry_graph *out, ferry_report *report,
                          const ferry_logger *logger, ferry_error *err);

/// The same for an ONNX model in memory, which is copied from and may be freed afterwards.
ferry_status ferry_import_memory(const void *data, size_t bytes, const ferry_import_options *options, ferry_graph *out,
                                 ferry_report *report, const ferry_logger *logger, ferry_error *err);

/// Reads one tensor in ONNX's form (a .pb file of ONNX's test data). Name and data are in the arena.
ferry_status ferry_onnx_read_tensor_file(const char *path, ferry_arena *arena, ferry_tensor *out, const char **out_name,
                                         ferry_error *err);

#endif // FERRY_SRC_IMPORT_IMPORT_H_
