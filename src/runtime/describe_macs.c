// SPDX-License-Identifier: Apache-2.0
// How much of an engine's arithmetic runs in which precision: counting layers says little where one holds half the
// work.
#include <string.h>

#include "ops/op.h"
#include "runtime/internal.h"

static uint64_t elements_of(const ferry_shape *shape, int32_t from)
{
    uint64_t n = shape->rank < 0 ? 0 : 1;
    for (int32_t d = from; d < shape->rank; d++) n *= shape->dims[d] > 0 ? (uint64_t)shape->dims[d] : 0;
    return n;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0) return true;
    return false;
}

uint64_t ferry_node_macs(const ferry_node *node, const ferry_shape *shapes)
{
    static const char *const convolutions[] = {"Conv", "FusedConv", "QConv", "ConvInteger", NULL};
    static const char *const transposed[] = {"ConvTranspose", NULL};
    static const char *const products[] = {"Gemm", "FusedGemm", "QGemm", NULL};
    static const char *const stacked[] = {"MatMul", "QMatMul", "MatMulInteger", NULL};
    if (node->n_inputs < 2 || node->inputs[0] == FERRY_NO_VALUE || node->inputs[1] == FERRY_NO_VALUE) return 0;
    const ferry_shape *in = &shapes[node->inputs[0]], *weights = &shapes[node->inputs[1]];
    const ferry_shape *out = &shapes[node->outputs[0]];
    const char *op = node->op->name;
    // Weights are [out channels, in channels of a group, kernel...]; transposed ones the other way round.
    if (is_one_of(op, convolutions)) return elements_of(out, 0) * elements_of(weights, 1);
    if (is_one_of(op, transposed)) return elements_of(in, 0) * elements_of(weights, 1);
    if (is_one_of(op, products) && out->rank > 0) return elements_of(in, 0) * elements_of(out, out->rank - 1);
    if (is_one_of(op, stacked) && in->rank > 0) return elements_of(out, 0) * elements_of(in, in->rank - 1);
    return 0;
}

const char *ferry_node_precision(const ferry_graph *graph, const ferry_node *node)
{
    switch (graph->values[node->inputs[0]].dtype) {
    case FERRY_F32:
        return "fp32";
    case FERRY_F16:
        return "fp16";
    case FERRY_BF16:
        return "bf16";
    case FERRY_S8:
    case FERRY_U8:
        return "int8";
    default:
        return "other";
    }
}
