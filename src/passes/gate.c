// SPDX-License-Identifier: Apache-2.0
// Turns x * g + x, a gate with a shortcut around it, into x * (g + 1): where the gate has one number for a whole plane,
// a pass over the tensor less.
#include "passes/rewrite.h"

ferry_status ferry_pass_gate(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

typedef struct gate {
    ferry_node_id product;
    ferry_value_id x, g;
} gate;

static bool is_smaller(const ferry_graph *graph, ferry_value_id g, ferry_value_id x)
{
    size_t n_g = 0, n_x = 0;
    return ferry_shape_elements(&graph->values[g].shape, &n_g) && ferry_shape_elements(&graph->values[x].shape, &n_x) &&
           n_g < n_x;
}

static bool find(const ferry_graph *graph, ferry_node_id id, gate *out)
{
    const ferry_node *add = &graph->nodes[id];
    for (int i = 0; i < 2; i++) {
        out->x = add->inputs[1 - i];
        out->product = ferry_rewrite_made_by(graph, add->inputs[i], "Mul");
        if (out->product == FERRY_NO_NODE || ferry_rewrite_is_constant(graph, out->x) ||
            ferry_rewrite_only_user(graph, add->inputs[i]) != id)
            continue;
        const ferry_node *product = &graph->nodes[out->product];
        if (ferry_rewrite_other_input(product, out->x, &out->g) && !ferry_rewrite_is_constant(graph, out->g) &&
            ferry_rewrite_same_shape(graph, out->x, add->outputs[0]) && is_smaller(graph, out->g, out->x) &&
            ferry_rewrite_is_real(graph->values[out->x].dtype) && !ferry_rewrite_is_rounded(graph, out->g))
            return true;
    }
    return false;
}

static ferry_status rewrite(ferry_graph *graph, ferry_node_id id, const gate *found, ferry_error *err)
{
    static const double one = 1;
    const ferry_shape scalar = {.rank = 0};
    const ferry_dtype dtype = graph->values[found->x].dtype;
    ferry_value_id constant = FERRY_NO_VALUE, sum = FERRY_NO_VALUE;
    FERRY_TRY(ferry_rewrite_constant(graph, "one", dtype, &scalar, &one, 1, NULL, &constant, err));
    const ferry_value_id terms[2] = {found->g, constant};
    FERRY_TRY(ferry_rewrite_add_node(graph, "", "Add", graph->values[found->g].name, terms, 2, dtype, NULL, &sum, err));
    const ferry_value_id factors[2] = {found->x, sum};
    FERRY_TRY(ferry_rewrite_set_op(graph, id, "", "Mul", err));
    FERRY_TRY(ferry_rewrite_set_inputs(graph, id, factors, 2, err));
    FERRY_TRY(ferry_rewrite_absorb(graph, id, found->product, err));
    ferry_graph_remove_node(graph, found->product);
    return FERRY_OK;
}

ferry_status ferry_pass_gate(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    (void)context;
    const size_t n_nodes = graph->n_nodes;
    for (size_t n = 0; n < n_nodes; n++) {
        gate found;
        if (!ferry_node_is(&graph->nodes[n], "Add") || graph->nodes[n].n_inputs != 2 ||
            !find(graph, (ferry_node_id)n, &found))
            continue;
        FERRY_TRY(rewrite(graph, (ferry_node_id)n, &found, err));
        *changed = true;
    }
    return FERRY_OK;
}
