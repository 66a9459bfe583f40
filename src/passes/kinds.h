// SPDX-License-Identifier: Apache-2.0
// What each node could do in INT8 or in 16-bit floats, by its operator and constants alone: the facts that the numeric
// plan chooses from and that lowering acts upon.
#ifndef FERRY_SRC_PASSES_KINDS_H_
#define FERRY_SRC_PASSES_KINDS_H_

#include "passes/rewrite.h"

typedef enum ferry_int8_kind {
    FERRY_INT8_NONE = 0, // stays in float
    FERRY_INT8_CONV,
    FERRY_INT8_GEMM,
    FERRY_INT8_MATMUL, // two activations: only when a rule asks for it
    FERRY_INT8_ADD,    // Add, Sub
    FERRY_INT8_MUL,
    FERRY_INT8_AVERAGE_POOL,
    FERRY_INT8_GLOBAL_AVERAGE_POOL,
    FERRY_INT8_RESIZE, // linear
    FERRY_INT8_TABLE,  // any function of one tensor
    FERRY_INT8_MOVE    // moves elements; inputs and outputs share one scale
} ferry_int8_kind;

/// *out_why, when not NULL, gets a static text for the user where the answer is FERRY_INT8_NONE.
ferry_int8_kind ferry_int8_kind_of(const ferry_graph *graph, ferry_node_id node, ferry_arena *scratch,
                                   const char **out_why);

/// Sums of products, the reason for INT8: conversions are worth it for these.
static inline bool ferry_int8_is_core(ferry_int8_kind kind)
{
    return kind == FERRY_INT8_CONV || kind == FERRY_INT8_GEMM || kind == FERRY_INT8_MATMUL;
}

/// Inputs that an INT8 node of that kind reads as int8, as indices; at most `node->n_inputs` of them. A residual (input
/// 3 of fused operators) is not among them: it may be of either kind.
int32_t ferry_int8_inputs(ferry_int8_kind kind, const ferry_node *node, int32_t *out, int32_t most);

/// False where the arithmetic of an INT8 node of that kind needs 0 as zero point of its input `i`, or of what it makes.
bool ferry_int8_takes_zero(ferry_int8_kind kind, const ferry_node *node, int32_t i);
bool ferry_int8_makes_zero(ferry_int8_kind kind, const ferry_node *node);

/// Bit i is set when input i has the node's floating-point type and may be given as f16, bf16 or f32 alike; 0 when the
/// operator must be left as the model has it. Inputs from 31 on share bit 31.
uint32_t ferry_float_inputs(const ferry_node *node);

static inline bool ferry_float_input(uint32_t mask, int32_t i)
{
    return mask >> (i < 31 ? i : 31) & 1u;
}

/// The activation input of a FERRY_INT8_TABLE node.
int32_t ferry_int8_table_input(const ferry_graph *graph, const ferry_node *node);

#endif // FERRY_SRC_PASSES_KINDS_H_
