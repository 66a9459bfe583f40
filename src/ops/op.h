// SPDX-License-Identifier: Apache-2.0
// What an operator is: a row with schema, shape inference and a reference kernel.
//
// Operators are ONNX's, in the form of its newest opset that ferry knows: the importer rewrites older forms (attributes
// that became inputs, changed defaults), so that everything behind it meets one form. ferry's own operators (fused and
// integer ones, made by passes) have the domain "ferry".
#ifndef FERRY_SRC_OPS_OP_H_
#define FERRY_SRC_OPS_OP_H_

#include "graph/graph.h"

/// What shape inference may look at and must fill in. All arrays have as many entries as the node has inputs / outputs.
typedef struct ferry_infer {
    const ferry_graph *graph; // for texts only
    const ferry_node *node;
    const ferry_shape *in_shapes; // rank unknown where not known; undefined where the input is absent
    const ferry_dtype *in_dtypes; // FERRY_DTYPE_NONE where the input is absent
    const ferry_tensor
        *in_data; // data == NULL unless the input's elements are known (constants, folded shape arithmetic)
    /// data == NULL unless only some elements of a small integer input are known, such as a target shape [batch, 128];
    /// element e is known where in_known[i][e]. Both arrays are never NULL. In in_data such inputs have data == NULL.
    const ferry_tensor *in_partial;
    const bool *const *in_known;
    ferry_shape *out_shapes; // preset to unknown rank
    ferry_dtype *out_dtypes; // preset to FERRY_DTYPE_NONE
    bool bounded; // set to true when out dims are upper bounds that only the data decides (NonMaxSuppression)
} ferry_infer;

/// What a reference kernel reads and writes. Inputs that are absent have data == NULL and dtype FERRY_DTYPE_NONE.
/// Outputs have dtype, dims and room for them; a kernel with data-dependent shape lowers out[i].dims.
/// Outputs never overlap inputs. An unused output has data == NULL: compute nothing for it.
typedef struct ferry_eval {
    const ferry_node *node;
    const ferry_tensor *in;
    ferry_tensor *out;
    void *scratch; // scratch_bytes() bytes, 64-byte aligned
} ferry_eval;

typedef enum ferry_op_flags {
    FERRY_OP_NONE = 0,
    /// Output elements are input elements, moved: any element type; a quantised input passes its scale on.
    FERRY_OP_MOVES_DATA = 1 << 0,
    /// out[0] depends element by element on the inputs, with broadcasting.
    FERRY_OP_ELEMENTWISE = 1 << 1,
    /// Reads its inputs' shapes only (Shape, Size): never keeps data alive.
    FERRY_OP_SHAPE_ONLY = 1 << 2,
    /// Not a function of its inputs (random): never folded.
    FERRY_OP_IMPURE = 1 << 3,
    /// The shape of an output depends on data: infer gives upper bounds.
    FERRY_OP_DATA_SHAPE = 1 << 4,
    /// The op only re-labels memory (Reshape, Squeeze, Identity ...): out[0] has in[0]'s bytes in the same order.
    FERRY_OP_VIEW = 1 << 5,
} ferry_op_flags;

typedef struct ferry_attr_schema {
    const char *name; // NULL ends the list
    ferry_attr_kind kind;
    bool required;
} ferry_attr_schema;

typedef struct ferry_op {
    const char *name;                 // NULL ends a family's table
    const char *domain;               // "" for ONNX, "ferry" for our own
    int16_t min_inputs, max_inputs;   // max -1: any number
    int16_t min_outputs, max_outputs; // max -1: any number
    int16_t since, until;             // opsets whose form the importer takes; until 0: no end
    uint32_t flags;                   // FERRY_OP_*
    const ferry_attr_schema *attrs;   // NULL: none
    ferry_status (*infer)(ferry_infer *infer, ferry_error *err);
    /// The oracle: plain C that follows ONNX's text, exact and slow. FERRY_ERR_UNSUPPORTED for element types it lacks.
    ferry_status (*eval)(const ferry_eval *eval, ferry_error *err);
    /// Scratch that eval needs for these tensors (data may be NULL). NULL: none.
    size_t (*scratch_bytes)(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out);
} ferry_op;

/// The row, or NULL. Domains "" and "ai.onnx" are the same.
const ferry_op *ferry_op_find(const char *domain, const char *name);
/// Visits every row: index from 0 until NULL is returned.
const ferry_op *ferry_op_at(size_t index);

/// Runs the reference kernel, unless every output is empty: its other dims may then be so large that walking them would
/// take for ever.
ferry_status ferry_op_eval(const ferry_eval *eval, ferry_error *err);

static inline bool ferry_op_is(const ferry_node *node, const ferry_op *op)
{
    return node->op == op;
}
/// True if the node's operator has that name (ONNX's domain, or ferry's for fused and integer ones).
bool ferry_node_is(const ferry_node *node, const char *name);

#endif // FERRY_SRC_OPS_OP_H_
