// SPDX-License-Identifier: Apache-2.0
// What the files of the ONNX importer share: one reader for one model, from the unpacked messages to a graph.
#ifndef FERRY_SRC_IMPORT_ONNX_READER_H_
#define FERRY_SRC_IMPORT_ONNX_READER_H_

#include "import/onnx/external.h"
#include "import/onnx/tensor.h"
#include "ops/walk.h"

/// Opsets of the default domain whose forms of operators are known.
#define FERRY_ONNX_OLDEST_OPSET 7
#define FERRY_ONNX_NEWEST_OPSET 23
#define FERRY_ONNX_NEWEST_IR 11

typedef struct ferry_onnx_reader {
    const ferry_heap *heap;
    ferry_report *report;
    ferry_onnx_file file;
    bool mapped;   // the file's bytes may be borrowed: they live as long as the graph
    bool borrowed; // and some are
    bool allow_nan;
    ferry_onnx_externals externals;
    ferry_arena scratch;             // dies with the reader
    const Ferry__Onnx__Model *model; // NULL: the graph is built node by node
    ferry_graph *graph;
    ferry_infer_walk walk; // shapes of what was read so far
    int64_t opset;
    bool bad;   // some problem was more than something unsupported
    bool *used; // [n_used] by value: some node or output of the graph reads it
    size_t n_used;
} ferry_onnx_reader;

/// A node on its way from the file's form to the newest one. Arrays have room for FERRY_ONNX_ROOM more entries.
#define FERRY_ONNX_ROOM 8
typedef struct ferry_onnx_node {
    ferry_onnx_reader *reader;
    const char *op_type; // "" domain
    const char *name;    // or its first output's
    ferry_value_id *inputs, *outputs;
    int32_t n_inputs, n_outputs;
    ferry_attr *attrs;
    int32_t n_attrs;
} ferry_onnx_node;

// --- model.c ---

/// An error in the report: `what` 'name'. `status` decides what the whole import answers.
void ferry_onnx_problem(ferry_onnx_reader *reader, ferry_status status, const char *what, const char *name,
                        const char *text);

/// Reads reader->model into reader->graph. Problems go into the report; a status other than FERRY_OK means that reading
/// could not go on (memory), or that there were problems.
ferry_status ferry_onnx_read_model(ferry_onnx_reader *reader, ferry_error *err);

// --- constants.c ---

/// Finds or decodes the tensor's elements, for as long as the graph lives.
ferry_status ferry_onnx_constant_data(ferry_onnx_reader *reader, const Ferry__Onnx__Tensor *tensor, ferry_dtype *dtype,
                                      ferry_shape *shape, const void **data, size_t *data_bytes, ferry_error *err);
/// All initialisers as constants.
ferry_status ferry_onnx_read_initializers(ferry_onnx_reader *reader, ferry_error *err);

// --- attributes.c ---

/// One attribute, its payload in the reader's scratch.
ferry_status ferry_onnx_read_attribute(ferry_onnx_reader *reader, const Ferry__Onnx__Attribute *from, ferry_attr *to,
                                       ferry_error *err);

// --- constant_node.c ---

/// A Constant node of the model: its output becomes a constant.
ferry_status ferry_onnx_read_constant(ferry_onnx_node *node, const Ferry__Onnx__Node *from, ferry_error *err);
/// The same of a node whose one attribute is unpacked already.
ferry_status ferry_onnx_add_constant_node(ferry_onnx_node *node, ferry_error *err);

// --- refuse.c ---

/// True where some form of the operator is taken. `domain` may be NULL: ONNX's own.
bool ferry_onnx_is_known(const char *domain, const char *op_type);
/// FERRY_OK, or the reason and the way round.
ferry_status ferry_onnx_check_known(const ferry_onnx_reader *reader, const char *domain, const char *op_type,
                                    ferry_error *err);
/// What to do about an operator that is not taken. Static storage.
const char *ferry_onnx_way_round(const char *op_type);

// --- nodes.c ---

ferry_status ferry_onnx_read_nodes(ferry_onnx_reader *reader, ferry_error *err);

// --- emit.c ---

/// The shapes of these values cannot be told, and why is in the report: nothing is to be said of what reads them.
void ferry_onnx_mark_failed(ferry_onnx_reader *reader, const ferry_value_id *ids, int32_t n);
/// Checks the node against its operator's row, adds it to the graph and infers its shapes.
ferry_status ferry_onnx_emit(ferry_onnx_node *node, ferry_error *err);

// --- node_edit.c: what upgrades are made of ---

/// Removes the attribute and returns it, or NULL. It lives in the reader's scratch.
const ferry_attr *ferry_onnx_take_attr(ferry_onnx_node *node, const char *name);
int64_t ferry_onnx_take_int(ferry_onnx_node *node, const char *name, int64_t otherwise);
float ferry_onnx_take_float(ferry_onnx_node *node, const char *name, float otherwise);
const ferry_attr *ferry_onnx_find_attr(const ferry_onnx_node *node, const char *name);
ferry_status ferry_onnx_set_int(ferry_onnx_node *node, const char *name, int64_t value, ferry_error *err);
ferry_status ferry_onnx_set_string(ferry_onnx_node *node, const char *name, const char *value, ferry_error *err);

/// The input's value, or FERRY_NO_VALUE; `index` may be beyond the inputs.
ferry_value_id ferry_onnx_get_input(const ferry_onnx_node *node, int32_t index);
/// `index` is at most FERRY_ONNX_ROOM beyond the inputs that the file had.
void ferry_onnx_set_input(ferry_onnx_node *node, int32_t index, ferry_value_id value);
/// New constants as inputs, named after the node's first output.
ferry_status ferry_onnx_set_input_ints(ferry_onnx_node *node, int32_t index, const char *what, const int64_t *values,
                                       int32_t count, ferry_error *err);
ferry_status ferry_onnx_set_input_floats(ferry_onnx_node *node, int32_t index, const char *what, ferry_dtype dtype,
                                         const float *values, int32_t count, ferry_error *err);

/// What is known so far of a value.
const ferry_inferred *ferry_onnx_inferred(const ferry_onnx_node *node, ferry_value_id value);

// --- upgrade.c ---

/// Rewrites a node of an older opset into the newest form; it may become a constant or several nodes, which are then
/// emitted (*done).
ferry_status ferry_onnx_upgrade(ferry_onnx_node *node, bool *done, ferry_error *err);
/// True for operators that have no row of their own but an upgrade to another one (Upsample, Scatter).
bool ferry_onnx_is_upgraded(const char *op_type);

#endif // FERRY_SRC_IMPORT_ONNX_READER_H_
