// SPDX-License-Identifier: Apache-2.0
// The IR: values joined by nodes. It knows neither file formats nor devices.
//
// Values and nodes are named by index, so that a graph can be copied, grown and written to a file without pointer
// surgery. All memory except the three tables lives in the graph's arena and dies with the graph; large constants may
// instead be borrowed from a file map that the graph keeps alive (see ferry_graph_keep).
#ifndef FERRY_SRC_GRAPH_GRAPH_H_
#define FERRY_SRC_GRAPH_GRAPH_H_

#include "base/arena.h"
#include "base/report.h"
#include "base/status.h"

typedef int32_t ferry_value_id; // index into ferry_graph.values; FERRY_NO_VALUE where an optional input is absent
typedef int32_t ferry_node_id;  // index into ferry_graph.nodes
#define FERRY_NO_VALUE ((ferry_value_id)-1)
#define FERRY_NO_NODE ((ferry_node_id)-1)
#define FERRY_DIM_UNKNOWN ((int64_t)-1)
#define FERRY_RANK_UNKNOWN ((int32_t)-1)
#define FERRY_NO_SYMBOL ((int32_t)-1)

/// Sizes of a tensor. A dimension is >= 0, or FERRY_DIM_UNKNOWN with, perhaps, the symbol that names it ("batch").
typedef struct ferry_shape {
    int32_t rank; // 0 for a scalar; FERRY_RANK_UNKNOWN
    int64_t dims[FERRY_MAX_RANK];
    int32_t symbols[FERRY_MAX_RANK]; // index into ferry_graph.symbols, or FERRY_NO_SYMBOL
} ferry_shape;

/// How integers stand for reals: real = scale * (integer - zero_point). All pointers live in the graph's arena.
typedef struct ferry_quant {
    ferry_dtype dtype;          // of the stored integers; FERRY_DTYPE_NONE: not quantised
    int32_t axis;               // the dimension that scales and zero points run along; -1: one for the whole tensor
    int32_t count;              // of scales
    const float *scales;        // [count], > 0
    const int32_t *zero_points; // [count], or NULL when all are 0
} ferry_quant;

/// A tensor: a graph input, a constant, or an output of exactly one node.
typedef struct ferry_value {
    const char *name; // the model's own name; unique, never NULL or empty
    ferry_dtype dtype;
    ferry_shape shape;
    const void *data;  // NULL unless constant: row-major, little-endian, in the arena or in a kept file map
    size_t data_bytes; // of data
    ferry_quant quant;
    ferry_node_id producer; // FERRY_NO_NODE for inputs and constants
    bool is_input, is_output;
} ferry_value;

typedef enum ferry_attr_kind {
    FERRY_ATTR_INT = 1,
    FERRY_ATTR_FLOAT = 2,
    FERRY_ATTR_STRING = 3,
    FERRY_ATTR_INTS = 4,
    FERRY_ATTR_FLOATS = 5,
    FERRY_ATTR_STRINGS = 6,
    FERRY_ATTR_TENSOR = 7
} ferry_attr_kind;

typedef struct ferry_attr {
    const char *name;
    ferry_attr_kind kind;
    int32_t count; // of ints, floats, strings; 1 for single ones
    union {
        const int64_t *ints; // also for a single INT: ints[0]
        const float *floats;
        const char *const *strings;
        const struct ferry_tensor *tensor;
    } u;
} ferry_attr;

struct ferry_op; // ops/op.h

typedef struct ferry_node {
    const struct ferry_op *op; // NULL: deleted, to be swept by ferry_graph_compact
    const char *name;          // the model's node name, or one made from the first output; never NULL
    const char *absorbed;      // names of original nodes merged into this one, joined with " + "; NULL: none
    ferry_value_id *inputs;    // [n_inputs]; FERRY_NO_VALUE where absent
    ferry_value_id *outputs;   // [n_outputs]; FERRY_NO_VALUE where unused
    int32_t n_inputs, n_outputs;
    const ferry_attr *attrs; // [n_attrs]
    int32_t n_attrs;
} ferry_node;

/// Free text that travels with the model (ONNX metadata_props).
typedef struct ferry_metadata {
    const char *key, *value;
} ferry_metadata;

typedef struct ferry_graph {
    const ferry_heap *heap; // borrowed
    ferry_arena arena;
    const char *name; // of the model; "" when unknown
    ferry_value *values;
    ferry_node *nodes; // in topological order whenever a stage hands the graph on
    const char **symbols;
    ferry_value_id *inputs, *outputs; // in the model's order; inputs without initialisers
    ferry_metadata *metadata;
    size_t n_values, n_nodes, n_symbols, n_inputs, n_outputs, n_metadata;
    size_t cap_values, cap_nodes, cap_symbols, cap_inputs, cap_outputs, cap_metadata;
    int64_t opset; // of the default domain, as the model said; ops are in their newest form all the same
    struct ferry_graph_kept *kept;
    struct ferry_name_index *names; // private: value names to ids; always asked through ferry_graph_find_value
    struct ferry_constant_pool
        *constants; // private: where copied constant data goes; it outlives the graph while copies share it
} ferry_graph;

/// A dense row-major tensor in host memory: what reference kernels read and write, and what constants are.
typedef struct ferry_tensor {
    ferry_dtype dtype;
    int32_t rank;
    int64_t dims[FERRY_MAX_RANK];
    void *data;
    const ferry_quant *quant; // borrowed; NULL when the tensor is not quantised
} ferry_tensor;

// --- Lifetime ------------------------------------------------------------------------------------------------------

void ferry_graph_init(ferry_graph *graph, const ferry_heap *heap);
void ferry_graph_deinit(ferry_graph *graph); // a zeroed graph is accepted

/// A deep copy of everything but constant data and kept resources, which both share (the kept ones are
/// reference-counted).
ferry_status ferry_graph_copy(const ferry_graph *from, ferry_graph *out, ferry_error *err);

/// Keeps something alive until the last graph that shares it is gone; `release` is then called. Takes ownership at
/// once: on failure `release` has been called.
ferry_status ferry_graph_keep(ferry_graph *graph, void *object, void (*release)(void *object), ferry_error *err);

// --- Building ------------------------------------------------------------------------------------------------------

/// A new value. The name is copied; when it is taken, or NULL, a unique one is made from it ("name_1").
ferry_status ferry_graph_add_value(ferry_graph *graph, const char *name, ferry_dtype dtype, const ferry_shape *shape,
                                   ferry_value_id *out, ferry_error *err);
/// A constant whose data is copied into the arena (`copy`), or borrowed for the graph's lifetime.
ferry_status ferry_graph_add_constant(ferry_graph *graph, const char *name, ferry_dtype dtype, const ferry_shape *shape,
                                      const void *data, size_t data_bytes, bool copy, ferry_value_id *out,
                                      ferry_error *err);
/// Turns a value that nothing makes into a constant. `data` is borrowed for the lifetime of the graph and its copies.
ferry_status ferry_graph_make_constant(ferry_graph *graph, ferry_value_id value, ferry_dtype dtype,
                                       const ferry_shape *shape, const void *data, size_t data_bytes, ferry_error *err);
/// Zeroed room for constant data, alive as long as the graph or a copy of it is; NULL when memory is gone.
void *ferry_graph_constant_room(ferry_graph *graph, size_t bytes);
/// Small helper: a 1-D int64 constant (or a scalar when count < 0).
ferry_status ferry_graph_add_constant_s64(ferry_graph *graph, const char *name, const int64_t *values, int32_t count,
                                          ferry_value_id *out, ferry_error *err);
/// A new node at the end of the list; arrays and attributes are copied (attribute payloads too). Sets the outputs'
/// producer.
ferry_status ferry_graph_add_node(ferry_graph *graph, const struct ferry_op *op, const char *name,
                                  const ferry_value_id *inputs, int32_t n_inputs, const ferry_value_id *outputs,
                                  int32_t n_outputs, const ferry_attr *attrs, int32_t n_attrs, ferry_node_id *out,
                                  ferry_error *err);
ferry_status ferry_graph_mark_input(ferry_graph *graph, ferry_value_id value, ferry_error *err);
ferry_status ferry_graph_mark_output(ferry_graph *graph, ferry_value_id value, ferry_error *err);
/// The index of a symbol, added when new. FERRY_NO_SYMBOL when memory is gone.
int32_t ferry_graph_symbol(ferry_graph *graph, const char *name);
ferry_status ferry_graph_add_metadata(ferry_graph *graph, const char *key, const char *value, ferry_error *err);

/// A point in a graph's growth, to go back to when what was being added turns out wrong.
typedef struct ferry_graph_mark {
    size_t n_values, n_nodes, n_symbols, n_inputs, n_outputs, n_metadata;
} ferry_graph_mark;
ferry_graph_mark ferry_graph_here(const ferry_graph *graph);
/// Takes back what was added since the mark. Between the two nothing may have changed that was there before, except by
/// being read or marked as input or output. The memory stays in the arena.
void ferry_graph_take_back(ferry_graph *graph, const ferry_graph_mark *mark);

/// Replaces the node's attribute of that name (or adds it).
ferry_status ferry_node_set_attr(ferry_graph *graph, ferry_node_id node, const ferry_attr *attr, ferry_error *err);

// --- Changing ------------------------------------------------------------------------------------------------------

/// Every use of `from`, graph outputs too, becomes a use of `to`. When `from` is a graph output, the two values
/// exchange names, so that outputs keep the model's names; a graph output stays `from` where ferry_graph_can_replace
/// says false.
void ferry_graph_replace_uses(ferry_graph *graph, ferry_value_id from, ferry_value_id to);
/// False when `from` is a graph output and `to` is a graph input or output too: their names could not both be kept, so
/// the node between them has to stay.
bool ferry_graph_can_replace(const ferry_graph *graph, ferry_value_id from, ferry_value_id to);
/// Another name for a value, copied. FERRY_ERR_INVALID_ARGUMENT when it is empty or another value has it.
ferry_status ferry_graph_rename_value(ferry_graph *graph, ferry_value_id value, const char *name, ferry_error *err);
/// The value is no output any more; those after it move up.
void ferry_graph_unmark_output(ferry_graph *graph, ferry_value_id value);
/// Marks a node deleted; its outputs lose their producer.
void ferry_graph_remove_node(ferry_graph *graph, ferry_node_id node);
/// Drops deleted nodes and values that nothing uses, renumbering both, and sorts nodes topologically (stable).
/// FERRY_ERR_BAD_MODEL names the nodes of a cycle.
ferry_status ferry_graph_compact(ferry_graph *graph, ferry_error *err);

// --- Asking --------------------------------------------------------------------------------------------------------

static inline bool ferry_value_is_constant(const ferry_value *v)
{
    return v->data != NULL;
}
ferry_value_id ferry_graph_find_value(const ferry_graph *graph,
                                      const char *name); // by hash; FERRY_NO_VALUE when absent
/// Number of node inputs (plus one if it is a graph output) that read the value.
size_t ferry_graph_use_count(const ferry_graph *graph, ferry_value_id value);
/// The only node that reads the value, or FERRY_NO_NODE if there are none, several, or the value is a graph output.
ferry_node_id ferry_graph_only_user(const ferry_graph *graph, ferry_value_id value);
/// fills users[value] lists: CSR arrays owned by the arena given. offsets has n_values + 1 entries.
ferry_status ferry_graph_users(const ferry_graph *graph, ferry_arena *arena, int32_t **out_offsets,
                               ferry_node_id **out_users, ferry_error *err);

bool ferry_shape_is_known(const ferry_shape *shape);
/// Elements of a fully known shape; false when unknown or when the product overflows.
bool ferry_shape_elements(const ferry_shape *shape, size_t *out);
bool ferry_shape_equal(const ferry_shape *a, const ferry_shape *b); // dims only, unknown equals unknown
ferry_shape ferry_shape_of(int32_t rank, const int64_t *dims);      // no symbols
ferry_shape ferry_shape_unknown(void);
/// "1x3x224x224", "Nx3x?x?", "scalar", "unknown rank". Always terminated.
void ferry_shape_text(const ferry_graph *graph, const ferry_shape *shape, char *out, size_t out_bytes);

const ferry_attr *ferry_node_attr(const ferry_node *node, const char *name); // NULL when absent
int64_t ferry_node_int(const ferry_node *node, const char *name, int64_t otherwise);
float ferry_node_float(const ferry_node *node, const char *name, float otherwise);
const char *ferry_node_string(const ferry_node *node, const char *name, const char *otherwise);
/// The ints of an attribute, or NULL with *out_count = 0.
const int64_t *ferry_node_ints(const ferry_node *node, const char *name, int32_t *out_count);

/// A tensor that views a constant value. The value's data must not be NULL.
ferry_tensor ferry_value_tensor(const ferry_value *value);
size_t ferry_tensor_elements(const ferry_tensor *tensor);
size_t ferry_tensor_bytes(const ferry_tensor *tensor);

// --- Checking and showing ------------------------------------------------------------------------------------------

/// Every rule a graph must keep between stages: indices in range, one producer, topological order, arity and attribute
/// kinds by the op's schema, constants whose size matches shape and type, unique names. Findings go into `report`.
ferry_status ferry_graph_verify(const ferry_graph *graph, ferry_report *report, ferry_error *err);

/// "node 'conv1' (Conv)": the subject of findings about a node. Always terminated.
void ferry_node_label(const ferry_node *node, char *out, size_t out_bytes);

/// A line a node: "name = Op(inputs) {attrs} -> shapes". Written through `write(user, text)`.
void ferry_graph_print(const ferry_graph *graph, void (*write)(void *user, const char *text), void *user);

#endif // FERRY_SRC_GRAPH_GRAPH_H_
