// SPDX-License-Identifier: Apache-2.0
// Recognises HardSigmoid, HardSwish and SiLU where exporters spelled them out.
#include <math.h>

#include "passes/rewrite.h"

ferry_status ferry_pass_swish(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

// clip(x + 3, 0, 6): returns x.
static bool is_relu6_of_plus_3(const ferry_graph *graph, ferry_value_id value, ferry_value_id *out_x)
{
    const ferry_node_id clip = ferry_rewrite_made_by(graph, value, "Clip");
    double low = 1, high = 0, three = 0;
    if (clip == FERRY_NO_NODE) return false;
    const ferry_node *c = &graph->nodes[clip];
    if (ferry_rewrite_input(c, 1) == FERRY_NO_VALUE || ferry_rewrite_input(c, 2) == FERRY_NO_VALUE ||
        !ferry_rewrite_scalar(graph, c->inputs[1], &low) || !ferry_rewrite_scalar(graph, c->inputs[2], &high) ||
        low != 0.0 || high != 6.0)
        return false;
    const ferry_node_id add = ferry_rewrite_made_by(graph, c->inputs[0], "Add");
    return add != FERRY_NO_NODE && ferry_rewrite_with_scalar(graph, &graph->nodes[add], &three, out_x) && three == 3.0;
}

// value / 6, or value * (1 / 6): returns value.
static bool is_sixth(const ferry_graph *graph, const ferry_node *node, ferry_value_id *out_value)
{
    double s = 0;
    if (ferry_node_is(node, "Div") && ferry_rewrite_scalar_is(graph, node->inputs[1], 6.0)) {
        *out_value = node->inputs[0];
        return true;
    }
    return ferry_node_is(node, "Mul") && ferry_rewrite_with_scalar(graph, node, &s, out_value) &&
           fabs(s * 6.0 - 1.0) < 1e-5;
}

static ferry_status become_unary(ferry_graph *graph, ferry_node_id id, const char *domain, const char *op,
                                 ferry_value_id x, bool *changed, ferry_error *err)
{
    FERRY_TRY(ferry_rewrite_set_op(graph, id, domain, op, err));
    FERRY_TRY(ferry_rewrite_set_inputs(graph, id, &x, 1, err));
    *changed = true;
    return FERRY_OK;
}

static ferry_status try_sixth(ferry_graph *graph, ferry_node_id id, bool *changed, ferry_error *err)
{
    ferry_value_id six = FERRY_NO_VALUE, x = FERRY_NO_VALUE;
    if (!is_sixth(graph, &graph->nodes[id], &six)) return FERRY_OK;
    if (is_relu6_of_plus_3(graph, six, &x)) {
        FERRY_TRY(become_unary(graph, id, "", "HardSigmoid", x, changed, err));
        FERRY_TRY(ferry_rewrite_set_float(graph, id, "alpha", 1.0f / 6.0f, err));
        return ferry_rewrite_set_float(graph, id, "beta", 0.5f, err);
    }
    const ferry_node_id mul = ferry_rewrite_made_by(graph, six, "Mul");
    if (mul == FERRY_NO_NODE) return FERRY_OK;
    for (int i = 0; i < 2; i++)
        if (is_relu6_of_plus_3(graph, graph->nodes[mul].inputs[i], &x) && graph->nodes[mul].inputs[1 - i] == x)
            return become_unary(graph, id, "", "HardSwish", x, changed, err);
    return FERRY_OK;
}

static ferry_status try_product(ferry_graph *graph, ferry_node_id id, bool *changed, ferry_error *err)
{
    for (int i = 0; i < 2; i++) {
        const ferry_value_id x = graph->nodes[id].inputs[i], gate = graph->nodes[id].inputs[1 - i];
        ferry_node_id g = ferry_rewrite_made_by(graph, gate, "Sigmoid");
        if (g != FERRY_NO_NODE && graph->nodes[g].inputs[0] == x && ferry_rewrite_is_real(graph->values[x].dtype))
            return become_unary(graph, id, "ferry", "Silu", x, changed, err);
        g = ferry_rewrite_made_by(graph, gate, "HardSigmoid");
        if (g != FERRY_NO_NODE && graph->nodes[g].inputs[0] == x &&
            fabs((double)ferry_node_float(&graph->nodes[g], "alpha", 0.2f) * 6.0 - 1.0) < 1e-5 &&
            ferry_node_float(&graph->nodes[g], "beta", 0.5f) == 0.5f)
            return become_unary(graph, id, "", "HardSwish", x, changed, err);
        // x * (relu6(x + 3) / 6) has become x * HardSigmoid(x) by now.
    }
    return FERRY_OK;
}

ferry_status ferry_pass_swish(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    (void)context;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (!ferry_node_is(&graph->nodes[n], "Mul") && !ferry_node_is(&graph->nodes[n], "Div")) continue;
        FERRY_TRY(try_sixth(graph, (ferry_node_id)n, changed, err));
        if (ferry_node_is(&graph->nodes[n], "Mul")) FERRY_TRY(try_product(graph, (ferry_node_id)n, changed, err));
    }
    return FERRY_OK;
}
