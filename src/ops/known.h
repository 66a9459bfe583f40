// SPDX-License-Identifier: Apache-2.0
// Values whose elements shape inference can tell: shape arithmetic, evaluated with the reference kernels.
#ifndef FERRY_SRC_OPS_KNOWN_H_
#define FERRY_SRC_OPS_KNOWN_H_

#include "ops/op.h"

/// Tensors of more elements are not followed: shape arithmetic is small, and weights are no business of inference.
#define FERRY_KNOWN_MOST_ELEMENTS ((size_t)4096)

/// Most bytes that a tensor may have: far beyond any machine, and far from overflowing sums of sizes.
#define FERRY_TENSOR_MOST_BYTES ((size_t)1 << 47)

/// What is known of a value's elements.
typedef struct ferry_known {
    ferry_tensor tensor; // data == NULL: nothing
    const bool *mask;    // [elements], true where the element is known (others hold 1); NULL: all are
} ferry_known;

/// What inference has found about a node's inputs and outputs.
typedef struct ferry_known_node {
    const ferry_node *node;
    const ferry_shape *in_shapes;
    const ferry_dtype *in_dtypes;
    const bool *in_bounded;
    const ferry_known *in; // [n_inputs]
    const ferry_shape *out_shapes;
    const ferry_dtype *out_dtypes;
} ferry_known_node;

/// Fills in out[0 .. n_outputs) with what can be told of the outputs; memory comes from `arena`. FERRY_OK also when
/// that is nothing.
ferry_status ferry_known_propagate(const ferry_known_node *what, ferry_known *out, ferry_arena *arena,
                                   ferry_error *err);

/// Runs the reference kernel into outputs whose dtype and dims are set; allocates their data and the scratch.
ferry_status ferry_node_run_reference(const ferry_node *node, const ferry_tensor *in, ferry_tensor *out,
                                      ferry_arena *arena, ferry_error *err);

/// False when the dimensions that are known and not zero would make more than FERRY_TENSOR_MOST_BYTES: no product of
/// dimensions of such a shape can overflow, not even beside a zero.
bool ferry_shape_fits(const ferry_shape *shape, ferry_dtype dtype);
/// Bytes of a known shape; false when unknown or when it does not fit.
bool ferry_shape_bytes(const ferry_shape *shape, ferry_dtype dtype, size_t *out);

#endif // FERRY_SRC_OPS_KNOWN_H_
