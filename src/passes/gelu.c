// SPDX-License-Identifier: Apache-2.0
// Recognises Gelu spelled out: x * 0.5 * (1 + erf(x / sqrt(2))), in each order of the factors.
#include <math.h>

#include "passes/rewrite.h"

ferry_status ferry_pass_gelu(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

// 1 + erf(x / sqrt(2)): returns x.
static bool is_one_plus_erf(const ferry_graph *graph, ferry_value_id value, ferry_value_id *out_x)
{
    double s = 0;
    ferry_value_id e = FERRY_NO_VALUE;
    const ferry_node_id add = ferry_rewrite_made_by(graph, value, "Add");
    if (add == FERRY_NO_NODE || !ferry_rewrite_with_scalar(graph, &graph->nodes[add], &s, &e) || s != 1.0) return false;
    const ferry_node_id erf_node = ferry_rewrite_made_by(graph, e, "Erf");
    if (erf_node == FERRY_NO_NODE) return false;
    const ferry_node_id scaled = ferry_rewrite_producer(graph, graph->nodes[erf_node].inputs[0]);
    if (scaled == FERRY_NO_NODE) return false;
    const ferry_node *n = &graph->nodes[scaled];
    if (ferry_node_is(n, "Div")) {
        *out_x = n->inputs[0];
        return ferry_rewrite_scalar_is(graph, n->inputs[1], sqrt(2.0));
    }
    return ferry_node_is(n, "Mul") && ferry_rewrite_with_scalar(graph, n, &s, out_x) && fabs(s - sqrt(0.5)) < 1e-5;
}

// value * 0.5 or value / 2: returns value.
static bool is_half(const ferry_graph *graph, ferry_value_id value, ferry_value_id *out)
{
    double s = 0;
    const ferry_node_id n = ferry_rewrite_producer(graph, value);
    if (n == FERRY_NO_NODE) return false;
    if (ferry_node_is(&graph->nodes[n], "Div") && ferry_rewrite_scalar_is(graph, graph->nodes[n].inputs[1], 2.0)) {
        *out = graph->nodes[n].inputs[0];
        return true;
    }
    return ferry_node_is(&graph->nodes[n], "Mul") && ferry_rewrite_with_scalar(graph, &graph->nodes[n], &s, out) &&
           s == 0.5;
}

// a * b where one is 1 + erf(x / sqrt(2)) and the other x: returns x.
static bool is_x_times_one_plus_erf(const ferry_graph *graph, ferry_value_id value, ferry_value_id *out_x)
{
    const ferry_node_id mul = ferry_rewrite_made_by(graph, value, "Mul");
    for (int i = 0; mul != FERRY_NO_NODE && i < 2; i++)
        if (is_one_plus_erf(graph, graph->nodes[mul].inputs[i], out_x) && graph->nodes[mul].inputs[1 - i] == *out_x)
            return true;
    return false;
}

static bool match(const ferry_graph *graph, const ferry_node *node, ferry_value_id *out_x)
{
    ferry_value_id rest = FERRY_NO_VALUE, x = FERRY_NO_VALUE;
    if (is_half(graph, node->outputs[0], &rest) && is_x_times_one_plus_erf(graph, rest, out_x)) return true;
    for (int i = 0; i < 2 && ferry_node_is(node, "Mul"); i++) {
        const ferry_value_id a = node->inputs[i], b = node->inputs[1 - i];
        if (is_one_plus_erf(graph, a, &x) && is_half(graph, b, &rest) && rest == x) {
            *out_x = x; // (0.5 x) (1 + erf)
            return true;
        }
        if (is_half(graph, a, &rest) && is_one_plus_erf(graph, rest, &x) && b == x) {
            *out_x = x; // x (0.5 (1 + erf))
            return true;
        }
    }
    return false;
}

ferry_status ferry_pass_gelu(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    (void)context;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        ferry_value_id x = FERRY_NO_VALUE;
        const ferry_node *node = &graph->nodes[n];
        if ((!ferry_node_is(node, "Mul") && !ferry_node_is(node, "Div")) || !match(graph, node, &x)) continue;
        FERRY_TRY(ferry_rewrite_set_op(graph, (ferry_node_id)n, "", "Gelu", err));
        FERRY_TRY(ferry_rewrite_set_inputs(graph, (ferry_node_id)n, &x, 1, err));
        *changed = true;
    }
    return FERRY_OK;
}
