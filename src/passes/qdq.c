// SPDX-License-Identifier: Apache-2.0
// Turns explicit 8-bit quantisation into recorded scales and zero points: DequantizeLinear(QuantizeLinear(x)) goes, and
// x remembers the grid, to which everything that reads it reads it rounded. uint8 is int8 with another zero point.
// Where something reads x without the pair, or with another one, the pair stays as two nodes and its output has the
// scale: INT8 layers take the integers between the two. Where INT8 then runs is the numeric plan's decision. Other
// pairs are executed as they are.
#include <math.h>

#include "ops/element.h"
#include "passes/rewrite.h"

ferry_status ferry_pass_qdq(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

typedef struct grid {
    float scale;
    int32_t zero; // as int8's
} grid;

static bool same(const grid *a, const grid *b)
{
    return a->scale == b->scale && a->zero == b->zero;
}

// One constant scale and zero point for integers of that type, which is int8 or uint8.
static bool read_grid(const ferry_graph *graph, const ferry_node *node, ferry_dtype integers, grid *out)
{
    const ferry_value_id scale = ferry_rewrite_input(node, 1), zero = ferry_rewrite_input(node, 2);
    double s = 0, z = 0;
    if (integers != FERRY_S8 && integers != FERRY_U8) return false;
    if (scale == FERRY_NO_VALUE || !ferry_rewrite_scalar(graph, scale, &s) || !(s > 0.0) || !isfinite(s)) return false;
    if (zero != FERRY_NO_VALUE && !ferry_rewrite_scalar(graph, zero, &z)) return false;
    *out = (grid){(float)s, (int32_t)z - (integers == FERRY_U8 ? 128 : 0)};
    return true;
}

static bool is_quantise(const ferry_graph *graph, const ferry_node *node, grid *out)
{
    return ferry_node_is(node, "QuantizeLinear") && read_grid(graph, node, graph->values[node->outputs[0]].dtype, out);
}

// Every reader of x, in the lists made before anything changed, reads it through a pair with this grid.
static bool is_read_through_pairs(const ferry_graph *graph, ferry_value_id x, const grid *of, const int32_t *offsets,
                                  const ferry_node_id *users)
{
    grid other;
    if (graph->values[x].is_output) return false;
    for (int32_t u = offsets[x]; u < offsets[x + 1]; u++) {
        const ferry_node *q = &graph->nodes[users[u]];
        if (!is_quantise(graph, q, &other) || q->inputs[0] != x || !same(&other, of)) return false;
        const ferry_value_id y = q->outputs[0];
        if (graph->values[y].is_output) return false;
        for (int32_t v = offsets[y]; v < offsets[y + 1]; v++) {
            const ferry_node *reader = &graph->nodes[users[v]];
            if (reader->op && !ferry_node_is(reader, "DequantizeLinear")) return false;
        }
    }
    return true;
}

static ferry_status record(ferry_graph *graph, ferry_value_id value, const grid *of, bool *changed, ferry_error *err)
{
    ferry_quant *known = &graph->values[value].quant;
    if (known->dtype != FERRY_DTYPE_NONE) return FERRY_OK;
    const float *scale = ferry_arena_copy(&graph->arena, &of->scale, sizeof of->scale);
    const int32_t *zero = of->zero ? ferry_arena_copy(&graph->arena, &of->zero, sizeof of->zero) : NULL;
    if (!scale || (of->zero && !zero)) return ferry_fail_memory(err, "a scale");
    *known = (ferry_quant){.dtype = FERRY_S8, .axis = -1, .count = 1, .scales = scale, .zero_points = zero};
    *changed = true;
    return FERRY_OK;
}

static ferry_status absorb(ferry_graph *graph, ferry_node_id dq_id, const int32_t *offsets, const ferry_node_id *users,
                           bool *changed, ferry_error *err)
{
    const ferry_node *dq = &graph->nodes[dq_id];
    const ferry_node_id q_id = ferry_rewrite_made_by(graph, dq->inputs[0], "QuantizeLinear");
    grid of, back;
    if (q_id == FERRY_NO_NODE || !is_quantise(graph, &graph->nodes[q_id], &of) ||
        !read_grid(graph, dq, graph->values[dq->inputs[0]].dtype, &back) || !same(&of, &back))
        return FERRY_OK;
    const ferry_value_id x = graph->nodes[q_id].inputs[0], y = dq->outputs[0];
    const ferry_quant *known = &graph->values[x].quant;
    if (ferry_rewrite_is_constant(graph, x) || graph->values[x].dtype != graph->values[y].dtype) return FERRY_OK;
    const bool rounded = known->dtype == FERRY_S8 && known->count == 1 && known->scales[0] == of.scale &&
                         ferry_rewrite_zero_point(known) == of.zero;
    const bool own = known->dtype == FERRY_DTYPE_NONE && is_read_through_pairs(graph, x, &of, offsets, users);
    if ((!rounded && !own) || graph->values[y].is_output || !ferry_graph_can_replace(graph, y, x))
        return record(graph, y, &of, changed, err);
    FERRY_TRY(record(graph, x, &of, changed, err));
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
