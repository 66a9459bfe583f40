// SPDX-License-Identifier: Apache-2.0
// Turns explicit INT8 quantisation into recorded scales: DequantizeLinear(QuantizeLinear(x)) with zero point 0 goes,
// and x remembers the scale. Where INT8 then runs is the numeric plan's decision. Other pairs stay and are executed as
// they are.
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

static ferry_status absorb(ferry_graph *graph, ferry_node_id dq_id, bool *changed, ferry_error *err)
{
    const ferry_node *dq = &graph->nodes[dq_id];
    const ferry_node_id q_id = ferry_rewrite_made_by(graph, dq->inputs[0], "QuantizeLinear");
    if (q_id == FERRY_NO_NODE) return FERRY_OK;
    const ferry_node *q = &graph->nodes[q_id];
    float scale = 0, dq_scale = 0;
    if (!is_zero_s8(graph, ferry_rewrite_input(q, 2), ferry_node_int(q, "output_dtype", 0) == 3 /* ONNX's INT8 */) ||
        !is_zero_s8(graph, ferry_rewrite_input(dq, 2), true) || !read_scale(graph, q->inputs[1], &scale) ||
        !read_scale(graph, dq->inputs[1], &dq_scale) || scale != dq_scale)
        return FERRY_OK;
    const ferry_value_id x = q->inputs[0], y = dq->outputs[0];
    ferry_quant *known = &graph->values[x].quant;
    if (ferry_rewrite_is_constant(graph, x) || graph->values[x].dtype != graph->values[y].dtype) return FERRY_OK;
    // Two pairs of different scales on one tensor: the second stays a rounding that is executed.
    if (known->dtype != FERRY_DTYPE_NONE && known->scales[0] != scale) return FERRY_OK;
    if (!ferry_graph_can_replace(graph, y, x)) return FERRY_OK;
    const float *own = ferry_arena_copy(&graph->arena, &scale, sizeof scale);
    if (!own) return ferry_fail_memory(err, "a scale");
    *known = (ferry_quant){.dtype = FERRY_S8, .axis = -1, .count = 1, .scales = own};
    ferry_rewrite_bypass(graph, dq_id, x);
    *changed = true;
    return FERRY_OK;
}

ferry_status ferry_pass_qdq(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    (void)context;
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (ferry_node_is(&graph->nodes[n], "DequantizeLinear"))
            FERRY_TRY(absorb(graph, (ferry_node_id)n, changed, err));
    return FERRY_OK;
}
