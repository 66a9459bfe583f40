// SPDX-License-Identifier: Apache-2.0
// Recognises LayerNormalization over the last dimension, spelled out as (x - mean) / sqrt(mean((x - mean)^2) + e) * g +
// b.
#include "passes/rewrite.h"

ferry_status ferry_pass_layer_norm(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                   ferry_error *err);

// ReduceMean over the last dimension, keeping it: its input.
static bool is_last_mean(const ferry_graph *graph, ferry_value_id value, ferry_value_id *out_x)
{
    double axis = 0;
    const ferry_node_id n = ferry_rewrite_made_by(graph, value, "ReduceMean");
    if (n == FERRY_NO_NODE || ferry_node_int(&graph->nodes[n], "keepdims", 1) == 0) return false;
    const ferry_value_id axes = ferry_rewrite_input(&graph->nodes[n], 1);
    *out_x = graph->nodes[n].inputs[0];
    const int32_t rank = graph->values[*out_x].shape.rank;
    return axes != FERRY_NO_VALUE && ferry_rewrite_scalar(graph, axes, &axis) && rank > 0 &&
           (axis == -1.0 || axis == (double)(rank - 1));
}

// x - mean(x): returns x.
static bool is_centred(const ferry_graph *graph, ferry_value_id value, ferry_value_id *out_x)
{
    ferry_value_id x = FERRY_NO_VALUE;
    const ferry_node_id sub = ferry_rewrite_made_by(graph, value, "Sub");
    if (sub == FERRY_NO_NODE || !is_last_mean(graph, graph->nodes[sub].inputs[1], &x)) return false;
    *out_x = x;
    return graph->nodes[sub].inputs[0] == x;
}

static bool is_square(const ferry_graph *graph, ferry_value_id value, ferry_value_id *out)
{
    const ferry_node_id n = ferry_rewrite_producer(graph, value);
    if (n == FERRY_NO_NODE) return false;
    const ferry_node *node = &graph->nodes[n];
    *out = node->inputs[0];
    if (ferry_node_is(node, "Mul")) return node->inputs[0] == node->inputs[1];
    return ferry_node_is(node, "Pow") && ferry_rewrite_scalar_is(graph, node->inputs[1], 2.0);
}

static bool match(const ferry_graph *graph, const ferry_node *div, ferry_value_id *out_x, double *out_epsilon)
{
    ferry_value_id x = FERRY_NO_VALUE, x2 = FERRY_NO_VALUE, variance = FERRY_NO_VALUE, square = FERRY_NO_VALUE,
                   centred = FERRY_NO_VALUE;
    if (!is_centred(graph, div->inputs[0], &x)) return false;
    const ferry_node_id root = ferry_rewrite_made_by(graph, div->inputs[1], "Sqrt");
    if (root == FERRY_NO_NODE) return false;
    const ferry_node_id add = ferry_rewrite_made_by(graph, graph->nodes[root].inputs[0], "Add");
    if (add == FERRY_NO_NODE || !ferry_rewrite_with_scalar(graph, &graph->nodes[add], out_epsilon, &variance))
        return false;
    *out_x = x;
    return is_last_mean(graph, variance, &square) && is_square(graph, square, &centred) &&
           is_centred(graph, centred, &x2) && x2 == x && *out_epsilon > 0.0;
}

// The vector of [size] that the node's only reader, of that operator, combines with its output.
static ferry_node_id followed_by_vector(const ferry_graph *graph, ferry_value_id value, const char *op, int64_t size,
                                        ferry_value_id *out_vector)
{
    const ferry_node_id n = ferry_rewrite_only_user_is(graph, value, op);
    if (n == FERRY_NO_NODE || !ferry_rewrite_other_input(&graph->nodes[n], value, out_vector) ||
        !ferry_rewrite_is_constant(graph, *out_vector))
        return FERRY_NO_NODE;
    const ferry_shape *s = &graph->values[*out_vector].shape;
    return s->rank == 1 && s->dims[0] == size ? n : FERRY_NO_NODE;
}

static ferry_status rewrite(ferry_graph *graph, ferry_node_id id, ferry_value_id x, double epsilon,
                            ferry_arena *scratch, ferry_error *err)
{
    const ferry_shape *shape = &graph->values[x].shape;
    const int64_t size = shape->dims[shape->rank - 1];
    ferry_value_id gain = FERRY_NO_VALUE, offset = FERRY_NO_VALUE;
    const ferry_node_id mul = followed_by_vector(graph, graph->nodes[id].outputs[0], "Mul", size, &gain);
    const ferry_node_id add = mul == FERRY_NO_NODE
                                  ? FERRY_NO_NODE
                                  : followed_by_vector(graph, graph->nodes[mul].outputs[0], "Add", size, &offset);
    if (mul == FERRY_NO_NODE) {
        double *ones = ferry_arena_alloc_array(scratch, (size_t)size, sizeof *ones);
        if (!ones) return ferry_fail_memory(err, "a vector of ones");
        for (int64_t i = 0; i < size; i++) ones[i] = 1.0;
        const ferry_shape vector = ferry_shape_of(1, &size);
        FERRY_TRY(ferry_rewrite_constant(graph, "ones", graph->values[x].dtype, &vector, ones, (size_t)size, NULL,
                                         &gain, err));
    }
    const ferry_value_id inputs[3] = {x, gain, offset};
    FERRY_TRY(ferry_rewrite_set_op(graph, id, "", "LayerNormalization", err));
    FERRY_TRY(ferry_rewrite_set_inputs(graph, id, inputs, add == FERRY_NO_NODE ? 2 : 3, err));
    FERRY_TRY(ferry_rewrite_set_int(graph, id, "axis", -1, err));
    FERRY_TRY(ferry_rewrite_set_float(graph, id, "epsilon", (float)epsilon, err));
    if (mul != FERRY_NO_NODE) FERRY_TRY(ferry_rewrite_merge_into(graph, id, mul, err));
    if (add != FERRY_NO_NODE) FERRY_TRY(ferry_rewrite_merge_into(graph, id, add, err));
    return FERRY_OK;
}

ferry_status ferry_pass_layer_norm(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                   ferry_error *err)
{
    const size_t n_nodes = graph->n_nodes;
    for (size_t n = 0; n < n_nodes; n++) {
        ferry_value_id x = FERRY_NO_VALUE;
        double epsilon = 0;
        if (!ferry_node_is(&graph->nodes[n], "Div") || !match(graph, &graph->nodes[n], &x, &epsilon)) continue;
        const ferry_shape *s = &graph->values[x].shape;
        if (s->dims[s->rank - 1] <= 0 || !ferry_rewrite_is_real(graph->values[x].dtype)) continue;
        FERRY_TRY(rewrite(graph, (ferry_node_id)n, x, epsilon, context->scratch, err));
        *changed = true;
    }
    return FERRY_OK;
}
