// SPDX-License-Identifier: Apache-2.0
// Data movement that need not happen: neighbouring Transposes and Reshapes merge, Transposes that move only dimensions
// of size 1 become Reshapes, and a Transpose goes past an elementwise node when another one waits behind it.
#include "passes/rewrite.h"

ferry_status ferry_pass_transpose(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                  ferry_error *err);

static int32_t read_perm(const ferry_graph *graph, const ferry_node *node, int64_t *perm)
{
    int32_t n = 0;
    const int64_t *given = ferry_node_ints(node, "perm", &n);
    const int32_t rank = graph->values[node->inputs[0]].shape.rank;
    if (!given) n = rank;
    if (n < 1 || n > FERRY_MAX_RANK || (rank != FERRY_RANK_UNKNOWN && n != rank)) return 0;
    for (int32_t i = 0; i < n; i++) perm[i] = given ? given[i] : n - 1 - i;
    for (int32_t i = 0; i < n; i++)
        if (perm[i] < 0 || perm[i] >= n) return 0;
    return n;
}

// Transpose(Transpose(x)): the second reads x directly.
static ferry_status merge_pair(ferry_graph *graph, ferry_node_id id, bool *changed, ferry_error *err)
{
    const ferry_node *second = &graph->nodes[id];
    const ferry_node_id first_id = ferry_rewrite_made_by(graph, second->inputs[0], "Transpose");
    int64_t a[FERRY_MAX_RANK], b[FERRY_MAX_RANK], both[FERRY_MAX_RANK];
    if (first_id == FERRY_NO_NODE) return FERRY_OK;
    const int32_t n = read_perm(graph, &graph->nodes[first_id], a);
    if (n == 0 || read_perm(graph, second, b) != n) return FERRY_OK;
    for (int32_t i = 0; i < n; i++) both[i] = a[b[i]];
    FERRY_TRY(ferry_rewrite_set_ints(graph, id, "perm", both, n, err));
    FERRY_TRY(ferry_rewrite_set_input(graph, id, 0, graph->nodes[first_id].inputs[0], err));
    *changed = true;
    return FERRY_OK;
}

static ferry_status become_reshape(ferry_graph *graph, ferry_node_id id, bool *changed, ferry_error *err)
{
    int64_t perm[FERRY_MAX_RANK], last = -1;
    const int32_t n = read_perm(graph, &graph->nodes[id], perm);
    const ferry_value_id x = graph->nodes[id].inputs[0], y = graph->nodes[id].outputs[0];
    const ferry_shape *in = &graph->values[x].shape, *out = &graph->values[y].shape;
    bool moves = false;
    if (n == 0 || !ferry_shape_is_known(in) || !ferry_shape_is_known(out)) return FERRY_OK;
    for (int32_t i = 0; i < n; i++) {
        moves = moves || perm[i] != i;
        if (in->dims[perm[i]] == 1) continue;
        if (perm[i] < last) return FERRY_OK;
        last = perm[i];
    }
    for (int32_t i = 0; i < n; i++)
        if (out->dims[i] == 0) return FERRY_OK; // Reshape reads a 0 as "as it was"
    if (!moves) return FERRY_OK;
    ferry_value_id target = FERRY_NO_VALUE;
    FERRY_TRY(ferry_graph_add_constant_s64(graph, graph->values[y].name, out->dims, n, &target, err));
    FERRY_TRY(ferry_rewrite_set_op(graph, id, "", "Reshape", err));
    FERRY_TRY(ferry_rewrite_set_input(graph, id, 1, target, err));
    *changed = true;
    return FERRY_OK;
}

// Reshape(Reshape(x)): the first goes, if the second says every size by itself.
static ferry_status merge_reshapes(ferry_graph *graph, ferry_node_id id, ferry_arena *scratch, bool *changed,
                                   ferry_error *err)
{
    const ferry_node *second = &graph->nodes[id];
    const ferry_value_id target = ferry_rewrite_input(second, 1);
    ferry_node_id first = ferry_rewrite_made_by(graph, second->inputs[0], "Reshape");
    static const char *const views[] = {"Flatten", "Squeeze", "Unsqueeze"};
    for (size_t i = 0; first == FERRY_NO_NODE && i < FERRY_COUNT_OF(views); i++)
        first = ferry_rewrite_made_by(graph, second->inputs[0], views[i]);
    if (first == FERRY_NO_NODE || !ferry_rewrite_is_constant(graph, target)) return FERRY_OK;
    size_t n = 0;
    const double *dims = ferry_rewrite_load(graph, target, scratch, &n);
    if (!dims) return ferry_fail_memory(err, "a target shape");
    for (size_t i = 0; i < n; i++)
        if (dims[i] == 0) return FERRY_OK;
    FERRY_TRY(ferry_rewrite_set_input(graph, id, 0, graph->nodes[first].inputs[0], err));
    *changed = true;
    return FERRY_OK;
}

static bool is_unary_elementwise(const ferry_graph *graph, const ferry_node *node)
{
    if (!(node->op->flags & FERRY_OP_ELEMENTWISE) || node->n_outputs != 1) return false;
    for (int32_t i = 1; i < node->n_inputs; i++) {
        double s = 0;
        if (node->inputs[i] != FERRY_NO_VALUE &&
            (!ferry_rewrite_scalar(graph, node->inputs[i], &s) || graph->values[node->inputs[i]].shape.rank > 1))
            return false;
    }
    return true;
}

// Transpose -> elementwise -> Transpose: the first two change places, so that the Transposes meet.
static ferry_status push_through(ferry_graph *graph, ferry_node_id id, bool *changed, ferry_error *err)
{
    const ferry_node *t = &graph->nodes[id];
    const ferry_value_id x = t->inputs[0], moved = t->outputs[0];
    const ferry_node_id user = ferry_rewrite_only_user(graph, moved);
    int64_t perm[FERRY_MAX_RANK];
    if (user == FERRY_NO_NODE || !is_unary_elementwise(graph, &graph->nodes[user]) ||
        graph->nodes[user].inputs[0] != moved)
        return FERRY_OK;
    const ferry_value_id y = graph->nodes[user].outputs[0];
    const ferry_node_id next = ferry_rewrite_only_user_is(graph, y, "Transpose");
    if (next == FERRY_NO_NODE || read_perm(graph, t, perm) == 0) return FERRY_OK;
    // The result in x's order is a new tensor, named after y: `moved` named something else, with another range.
    const ferry_value y_value = graph->values[y];
    ferry_value_id early = FERRY_NO_VALUE;
    FERRY_TRY(ferry_graph_add_value(graph, y_value.name, y_value.dtype, &graph->values[x].shape, &early, err));
    graph->values[early].quant = y_value.quant;
    graph->nodes[user].inputs[0] = x;
    graph->nodes[user].outputs[0] = early;
    graph->values[early].producer = user;
    graph->nodes[id].inputs[0] = early;
    graph->nodes[id].outputs[0] = y;
    graph->values[y].producer = id;
    graph->values[moved].producer = FERRY_NO_NODE;
    *changed = true;
    return FERRY_OK;
}

ferry_status ferry_pass_transpose(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                  ferry_error *err)
{
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const ferry_node_id id = (ferry_node_id)n;
        if (ferry_node_is(&graph->nodes[n], "Transpose")) {
            FERRY_TRY(merge_pair(graph, id, changed, err));
            FERRY_TRY(push_through(graph, id, changed, err));
            FERRY_TRY(become_reshape(graph, id, changed, err));
        } else if (ferry_node_is(&graph->nodes[n], "Reshape")) {
            FERRY_TRY(merge_reshapes(graph, id, context->scratch, changed, err));
        }
    }
    return FERRY_OK;
}
