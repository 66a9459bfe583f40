// SPDX-License-Identifier: Apache-2.0
// Fuses what follows a convolution or matrix product into it, as far as INT8 can do it without a table: piecewise
// linear activations, and the addition of a residual before or after them.
#include <math.h>
#include <string.h>

#include "passes/rewrite.h"

ferry_status ferry_pass_epilogue(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                 ferry_error *err);

static bool is_fused(const ferry_node *node)
{
    return ferry_node_is(node, "FusedConv") || ferry_node_is(node, "FusedGemm");
}

static bool has_act(const ferry_node *node)
{
    return strcmp(ferry_node_string(node, "act", "none"), "none") != 0;
}

static bool has_residual(const ferry_node *node)
{
    return ferry_rewrite_input(node, 3) != FERRY_NO_VALUE;
}

typedef struct activation {
    const char *name;
    float alpha, beta;
} activation;

static bool read_activation(const ferry_graph *graph, const ferry_node *node, activation *out)
{
    if (ferry_node_is(node, "Relu")) {
        *out = (activation){"relu", 0.0f, 0.0f};
        return true;
    }
    if (ferry_node_is(node, "LeakyRelu")) {
        *out = (activation){"leaky_relu", ferry_node_float(node, "alpha", 0.01f), 0.0f};
        return true;
    }
    if (ferry_node_is(node, "HardSigmoid")) {
        *out =
            (activation){"hard_sigmoid", ferry_node_float(node, "alpha", 0.2f), ferry_node_float(node, "beta", 0.5f)};
        return true;
    }
    if (!ferry_node_is(node, "Clip")) return false;
    double low = -INFINITY, high = INFINITY;
    const ferry_value_id min = ferry_rewrite_input(node, 1), max = ferry_rewrite_input(node, 2);
    if (min != FERRY_NO_VALUE && !ferry_rewrite_scalar(graph, min, &low)) return false;
    if (max != FERRY_NO_VALUE && !ferry_rewrite_scalar(graph, max, &high)) return false;
    if (!(low <= high)) return false;
    if (high >= 3.4028234663852886e38) high = INFINITY; // how exporters spell "no bound"
    if (low <= -3.4028234663852886e38) low = -INFINITY;
    if (low == 0.0 && isinf(high))
        *out = (activation){"relu", 0.0f, 0.0f};
    else
        *out = (activation){"clip", (float)low, (float)high};
    return true;
}

static bool same_grid(const ferry_quant *a, const ferry_quant *b)
{
    return a->scales[0] == b->scales[0] && ferry_rewrite_zero_point(a) == ferry_rewrite_zero_point(b);
}

// What may take in the node's reader: behind a Q/DQ pair only a Relu, which rounding does not mind.
static ferry_node_id fusable_user(const ferry_graph *graph, ferry_value_id y)
{
    const ferry_node_id user = ferry_graph_only_user(graph, y);
    if (user == FERRY_NO_NODE || !ferry_rewrite_is_rounded(graph, y)) return user;
    const ferry_value_id z = graph->nodes[user].outputs[0];
    if (!ferry_node_is(&graph->nodes[user], "Relu")) return FERRY_NO_NODE;
    return !ferry_rewrite_is_rounded(graph, z) || same_grid(&graph->values[z].quant, &graph->values[y].quant)
               ? user
               : FERRY_NO_NODE;
}

static ferry_status fuse_activation(ferry_graph *graph, ferry_node_id id, ferry_node_id user, bool *fused,
                                    ferry_error *err)
{
    activation act;
    if (has_act(&graph->nodes[id]) || graph->nodes[user].inputs[0] != graph->nodes[id].outputs[0] ||
        !read_activation(graph, &graph->nodes[user], &act))
        return FERRY_OK;
    const ferry_value_id y = graph->nodes[id].outputs[0], z = graph->nodes[user].outputs[0];
    if (ferry_rewrite_is_rounded(graph, y)) graph->values[z].quant = graph->values[y].quant;
    FERRY_TRY(ferry_rewrite_set_string(graph, id, "act", act.name, err));
    if (strcmp(act.name, "relu") != 0) FERRY_TRY(ferry_rewrite_set_float(graph, id, "act_alpha", act.alpha, err));
    if (strcmp(act.name, "clip") == 0 || strcmp(act.name, "hard_sigmoid") == 0)
        FERRY_TRY(ferry_rewrite_set_float(graph, id, "act_beta", act.beta, err));
    FERRY_TRY(ferry_rewrite_merge_into(graph, id, user, err));
    *fused = true;
    return FERRY_OK;
}

static bool could_take_residual(const ferry_graph *graph, ferry_value_id value, ferry_node_id user)
{
    const ferry_node_id n = ferry_rewrite_producer(graph, value);
    return n != FERRY_NO_NODE && is_fused(&graph->nodes[n]) && !has_residual(&graph->nodes[n]) &&
           ferry_rewrite_only_user(graph, value) == user;
}

static ferry_status fuse_residual(ferry_graph *graph, ferry_node_id id, ferry_node_id user, bool *fused,
                                  ferry_error *err)
{
    const ferry_value_id y = graph->nodes[id].outputs[0];
    ferry_value_id r = FERRY_NO_VALUE;
    if (!ferry_node_is(&graph->nodes[user], "Add") || ferry_rewrite_is_rounded(graph, y) ||
        has_residual(&graph->nodes[id]) || !ferry_rewrite_other_input(&graph->nodes[user], y, &r) ||
        ferry_rewrite_is_constant(graph, r) || !ferry_rewrite_same_shape(graph, y, r) ||
        graph->values[y].dtype != graph->values[r].dtype)
        return FERRY_OK;
    // Of two candidates the later one takes the other's output: the shortcut is ready first.
    if (could_take_residual(graph, r, user) && graph->values[r].producer > id) return FERRY_OK;
    FERRY_TRY(ferry_rewrite_set_input(graph, id, 3, r, err));
    FERRY_TRY(ferry_rewrite_set_int(graph, id, "act_first", has_act(&graph->nodes[id]), err));
    FERRY_TRY(ferry_rewrite_merge_into(graph, id, user, err));
    *fused = true;
    return FERRY_OK;
}

ferry_status ferry_pass_epilogue(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    (void)context;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const ferry_node_id id = (ferry_node_id)n;
        if (!graph->nodes[n].op || !is_fused(&graph->nodes[n])) continue;
        const ferry_node_id user = fusable_user(graph, graph->nodes[n].outputs[0]);
        bool fused = false;
        if (user == FERRY_NO_NODE) continue;
        FERRY_TRY(fuse_activation(graph, id, user, &fused, err));
        if (!fused) FERRY_TRY(fuse_residual(graph, id, user, &fused, err));
        if (fused) {
            *changed = true;
            n--; // the same node may take what follows now
        }
    }
    return FERRY_OK;
}
