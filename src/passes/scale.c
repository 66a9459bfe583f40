// SPDX-License-Identifier: Apache-2.0
// Folds Mul, Div, Add and Sub with per-channel constants into the weights and bias of the convolution or matrix product
// before or after them.
#include "passes/linear.h"

ferry_status ferry_pass_scale(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

typedef enum affine_kind { AFFINE_MUL, AFFINE_DIV, AFFINE_ADD, AFFINE_SUB, AFFINE_NONE } affine_kind;

static affine_kind kind_of(const ferry_node *node)
{
    static const char *const names[] = {"Mul", "Div", "Add", "Sub"};
    for (int i = 0; i < 4; i++)
        if (ferry_node_is(node, names[i])) return (affine_kind)i;
    return AFFINE_NONE;
}

// Splits the node into y = x * scale + shift along `axis`. False when there is no such constant.
static bool read_affine(const ferry_graph *graph, const ferry_node *node, ferry_value_id x, int32_t axis, int64_t count,
                        ferry_arena *scratch, double **out_scale, double **out_shift)
{
    const affine_kind kind = kind_of(node);
    ferry_value_id constant = FERRY_NO_VALUE;
    const int32_t rank = graph->values[x].shape.rank;
    if (kind == AFFINE_NONE || rank < 1 || !ferry_rewrite_other_input(node, x, &constant)) return false;
    const bool reversed = node->inputs[1] == x;
    if (reversed && kind == AFFINE_DIV) return false;
    double *c = ferry_rewrite_per_channel(graph, constant, rank, axis, count, scratch);
    double *other = ferry_arena_alloc_array(scratch, (size_t)count, sizeof *other);
    if (!c || !other) return false;
    const bool scales = kind == AFFINE_MUL || kind == AFFINE_DIV;
    for (int64_t i = 0; i < count; i++) {
        if (kind == AFFINE_DIV) c[i] = 1.0 / c[i];
        if (kind == AFFINE_SUB && !reversed) c[i] = -c[i];
        other[i] = scales ? 0.0 : (kind == AFFINE_SUB && reversed) ? -1.0 : 1.0;
    }
    *out_scale = scales ? c : other;
    *out_shift = scales ? other : c;
    return true;
}

static ferry_status fold_one(ferry_graph *graph, ferry_node_id id, ferry_arena *scratch, bool *changed,
                             ferry_error *err)
{
    const ferry_node *node = &graph->nodes[id];
    if (node->n_inputs != 2) return FERRY_OK;
    ferry_linear linear;
    double *scale = NULL, *shift = NULL;
    bool done = false;
    const ferry_value_id y = node->outputs[0];
    for (int i = 0; i < 2 && !done; i++) {
        const ferry_value_id x = node->inputs[i];
        if (x == FERRY_NO_VALUE || !ferry_linear_of(graph, ferry_rewrite_producer(graph, x), &linear)) continue;
        const int32_t axis = linear.kind == FERRY_LINEAR_GEMM ? graph->values[x].shape.rank - 1 : 1;
        if (ferry_rewrite_only_user(graph, x) != id ||
            !read_affine(graph, node, x, axis, linear.out_channels, scratch, &scale, &shift))
            continue;
        FERRY_TRY(ferry_linear_scale_outputs(graph, &linear, scale, shift, scratch, &done, err));
        if (done) FERRY_TRY(ferry_rewrite_merge_into(graph, linear.node, id, err));
    }
    for (int i = 0; i < 2 && !done; i++) {
        const ferry_value_id x = node->inputs[i];
        if (x == FERRY_NO_VALUE || ferry_rewrite_is_constant(graph, x)) continue;
        if (!ferry_linear_of(graph, ferry_rewrite_only_user(graph, y), &linear) ||
            graph->nodes[linear.node].inputs[0] != y || ferry_node_int(&graph->nodes[linear.node], "transA", 0))
            continue;
        const int32_t axis = linear.kind == FERRY_LINEAR_GEMM ? graph->values[x].shape.rank - 1 : 1;
        if (!ferry_rewrite_same_shape(graph, x, y) ||
            !read_affine(graph, node, x, axis, linear.in_channels, scratch, &scale, &shift))
            continue;
        bool shifts = false;
        for (int64_t c = 0; c < linear.in_channels; c++) shifts = shifts || shift[c] != 0.0;
        if (shifts && ferry_linear_has_borders(graph, &linear)) continue;
        FERRY_TRY(ferry_linear_scale_inputs(graph, &linear, scale, shift, scratch, &done, err));
        if (done) {
            FERRY_TRY(ferry_rewrite_absorb(graph, linear.node, id, err));
            ferry_graph_replace_uses(graph, y, x);
            ferry_graph_remove_node(graph, id);
        }
    }
    if (done) *changed = true;
    return FERRY_OK;
}

ferry_status ferry_pass_scale(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n].op && kind_of(&graph->nodes[n]) != AFFINE_NONE)
            FERRY_TRY(fold_one(graph, (ferry_node_id)n, context->scratch, changed, err));
    return FERRY_OK;
}
