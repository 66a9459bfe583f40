// SPDX-License-Identifier: Apache-2.0
// Turns explicit INT8 quantisation into recorded scales: DequantizeLinear(QuantizeLinear(x)) with zero point 0 goes,
// and x remembers the scale, with which everything that reads it reads it rounded. Where something reads x without the
// pair, or with another one, the pair stays as two nodes and its output has the scale: INT8 layers take the integers
// between the two. Where INT8 then runs is the numeric plan's decision. Other pairs are executed as they are.
#include <math.h>

#include "ops/element.h"
#include "passes/rewrite.h"

ferry_status ferry_pass_qdq(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

// A constant int8 zero point of 0, or none where `optional`.
static bool is_zero_s8(const ferry_graph *graph, ferry_value_id zero, bool optional)
{
    double z = 1;
    if (zero == FERRY_NO_VALUE) return optional;
    return graph->values[zero].dtype == FERRY_S8 && ferry_rewrite_scalar(graph, zero, &z) && z == 0.0;
}

static bool read_scale(const ferry_graph *graph, ferry_value_id value, float *out)
{
    double s = 0;
    if (value == FERRY_NO_VALUE || !ferry_rewrite_scalar(graph, value, &s) || !(s > 0.0) || !isfinite(s)) return false;
    *out = (float)s;
    return true;
}

// A QuantizeLinear to INT8 with one constant scale and zero point 0.
static bool is_quantise(const ferry_graph *graph, const ferry_node *node, float *out_scale)
{
    enum { ONNX_INT8 = 3 };
    return ferry_node_is(node, "QuantizeLinear") &&
           is_zero_s8(graph, ferry_rewrite_input(node, 2), ferry_node_int(node, "output_dtype", 0) == ONNX_INT8) &&
           read_scale(graph, node->inputs[1], out_scale);
}

// Every reader of x, in the lists made before anything changed, reads it through a pair with this scale.
static bool is_read_through_pairs(const ferry_graph *graph, ferry_value_id x, float scale, const int32_t *offsets,
                                  const ferry_node_id *users)
{
    float other = 0;
    if (graph->values[x].is_output) return false;
    for (int32_t u = offsets[x]; u < offsets[x + 1]; u++) {
        const ferry_node *q = &graph->nodes[users[u]];
        if (!is_quantise(graph, q, &other) || q->inputs[0] != x || other != scale) return false;
        const ferry_value_id y = q->outputs[0];
        if (graph->values[y].is_output) return false;
        for (int32_t v = offsets[y]; v < offsets[y + 1]; v++) {
            const ferry_node *reader = &graph->nodes[users[v]];
            if (reader->op && !ferry_node_is(reader, "DequantizeLinear")) return false;
        }
    }
    return true;
}

static ferry_status record(ferry_graph *graph, ferry_value_id value, float scale, bool *changed, ferry_error *err)
{
    ferry_quant *known = &graph->values[value].quant;
    if (known->dtype != FERRY_DTYPE_NONE) return FERRY_OK;
    const float *own = ferry_arena_copy(&graph->arena, &scale, sizeof scale);
    if (!own) return ferry_fail_memory(err, "a scale");
    *known = (ferry_quant){.dtype = FERRY_S8, .axis = -1, .count = 1, .scales = own};
    *changed = true;
    return FERRY_OK;
}

static ferry_status absorb(ferry_graph *graph, ferry_node_id dq_id, const int32_t *offsets, const ferry_node_id *users,
                           bool *changed, ferry_error *err)
{
    const ferry_node *dq = &graph->nodes[dq_id];
    const ferry_node_id q_id = ferry_rewrite_made_by(graph, dq->inputs[0], "QuantizeLinear");
    float scale = 0, dq_scale = 0;
    if (q_id == FERRY_NO_NODE || !is_quantise(graph, &graph->nodes[q_id], &scale) ||
        !is_zero_s8(graph, ferry_rewrite_input(dq, 2), true) || !read_scale(graph, dq->inputs[1], &dq_scale) ||
        scale != dq_scale)
        return FERRY_OK;
    const ferry_value_id x = graph->nodes[q_id].inputs[0], y = dq->outputs[0];
    const ferry_quant *known = &graph->values[x].quant;
    if (ferry_rewrite_is_constant(graph, x) || graph->values[x].dtype != graph->values[y].dtype) return FERRY_OK;
    const bool rounded = known->dtype == FERRY_S8 && known->count == 1 && known->scales[0] == scale;
    const bool own = known->dtype == FERRY_DTYPE_NONE && is_read_through_pairs(graph, x, scale, offsets, users);
    if ((!rounded && !own) || graph->values[y].is_output || !ferry_graph_can_replace(graph, y, x))
        return record(graph, y, scale, changed, err);
    FERRY_TRY(record(graph, x, scale, changed, err));
    ferry_rewrite_bypass(graph, dq_id, x);
    *changed = true;
    return FERRY_OK;
}

ferry_status ferry_pass_qdq(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    FERRY_TRY(ferry_graph_users(graph, context->scratch, &offsets, &users, err));
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (ferry_node_is(&graph->nodes[n], "DequantizeLinear"))
            FERRY_TRY(absorb(graph, (ferry_node_id)n, offsets, users, changed, err));
    return FERRY_OK;
}
