// SPDX-License-Identifier: Apache-2.0
// Adding to a graph node by node, in ONNX's words: what a program that builds a network does in place of a file.
#ifndef FERRY_SRC_IMPORT_ONNX_APPEND_H_
#define FERRY_SRC_IMPORT_ONNX_APPEND_H_

#include "graph/graph.h"

/// What is known of the graph's values between two additions. One for a graph; good until the graph changes otherwise.
typedef struct ferry_onnx_appender ferry_onnx_appender;

/// `graph` is borrowed, sorted and free of problems; its opset says in which form nodes come.
ferry_status ferry_onnx_appender_create(ferry_graph *graph, ferry_onnx_appender **out, ferry_error *err);
void ferry_onnx_appender_destroy(ferry_onnx_appender *appender); // NULL accepted

/// A node as an ONNX file of the graph's opset would have it.
typedef struct ferry_onnx_words {
    const char *op_type, *domain, *name; // domain and name may be NULL
    const ferry_value_id *inputs;        // FERRY_NO_VALUE where an optional input is left out
    const char *const *output_names;     // NULL, or an entry that is NULL: ferry names it; "": not wanted
    const ferry_attr *attrs;             // copied
    int32_t n_inputs, n_outputs, n_attrs;
} ferry_onnx_words;

/// Adds the node, in its newest form (perhaps as several nodes, or as a constant), and infers its shapes. `outputs`
/// [n_outputs] get the values. On failure the graph is as it was, and the text names the node.
ferry_status ferry_onnx_append(ferry_onnx_appender *appender, const ferry_onnx_words *words, ferry_value_id *outputs,
                               ferry_error *err);

/// True where models of that opset (0: the newest) may hold the operator, in some form. `domain` may be NULL.
bool ferry_onnx_supports(const char *op_type, const char *domain, int64_t opset);
/// Makes the newest opset of 0; FERRY_ERR_UNSUPPORTED for those whose forms are not known.
ferry_status ferry_onnx_check_opset(int64_t *opset, ferry_error *err);

#endif // FERRY_SRC_IMPORT_ONNX_APPEND_H_
