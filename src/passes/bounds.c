// SPDX-License-Identifier: Apache-2.0
#include "passes/bounds.h"

#include <math.h>
#include <string.h>

#include "ops/epilogue.h"
#include "passes/rewrite.h"

typedef struct finder {
    const ferry_graph *graph;
    ferry_arena *scratch;
    ferry_bounds *of; // [n_values]; constants are found when something asks for them
} finder;

static const ferry_bounds unknown = {-INFINITY, INFINITY};

static ferry_bounds hull(ferry_bounds a, ferry_bounds b)
{
    return (ferry_bounds){fmin(a.low, b.low), fmax(a.high, b.high)};
}

static ferry_bounds within(ferry_bounds a, double low, double high)
{
    return (ferry_bounds){fmin(fmax(a.low, low), high), fmax(fmin(a.high, high), low)};
}

// 0 times something unbounded: the factors themselves are finite.
static double times(double a, double b)
{
    return a == 0.0 || b == 0.0 ? 0.0 : a * b;
}

static ferry_bounds product(ferry_bounds a, ferry_bounds b)
{
    const double corners[4] = {times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)};
    return (ferry_bounds){fmin(fmin(corners[0], corners[1]), fmin(corners[2], corners[3])),
                          fmax(fmax(corners[0], corners[1]), fmax(corners[2], corners[3]))};
}

static ferry_bounds sum(ferry_bounds a, ferry_bounds b)
{
    return (ferry_bounds){a.low + b.low, a.high + b.high};
}

static ferry_bounds of_input(const finder *f, const ferry_node *node, int32_t i)
{
    const ferry_value_id v = ferry_rewrite_input(node, i);
    if (v == FERRY_NO_VALUE) return unknown;
    if (!ferry_rewrite_is_constant(f->graph, v)) return f->of[v];
    size_t count = 0;
    const double *elements = ferry_rewrite_load(f->graph, v, f->scratch, &count);
    ferry_bounds b = {INFINITY, -INFINITY};
    for (size_t i2 = 0; elements && i2 < count; i2++) {
        if (!isfinite(elements[i2])) return unknown;
        b = hull(b, (ferry_bounds){elements[i2], elements[i2]});
    }
    return elements && count ? b : unknown;
}

// Functions that stay between fixed bounds, those of x / (1 + exp(-x)) and its like rounded outwards.
static bool of_function(const ferry_node *node, ferry_bounds *out)
{
    static const struct {
        const char *name;
        ferry_bounds bounds;
    } functions[] = {
        {"Sigmoid", {0, 1}},
        {"HardSigmoid", {0, 1}},
        {"Softmax", {0, 1}},
        {"Tanh", {-1, 1}},
        {"Erf", {-1, 1}},
        {"Softsign", {-1, 1}},
        {"HardSwish", {-0.375, INFINITY}},
        {"Silu", {-0.2785, INFINITY}},
        {"Gelu", {-0.1701, INFINITY}},
        {"Mish", {-0.3089, INFINITY}},
        {"Relu", {0, INFINITY}},
        {"Softplus", {0, INFINITY}},
        {"Abs", {0, INFINITY}},
        {"Exp", {0, INFINITY}},
        {"Sqrt", {0, INFINITY}},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(functions); i++) {
        if (!ferry_node_is(node, functions[i].name)) continue;
        *out = functions[i].bounds;
        return true;
    }
    return false;
}

static ferry_bounds of_product(const finder *f, const ferry_node *node)
{
    ferry_epilogue e;
    ferry_bounds b = unknown;
    if (ferry_epilogue_read(node, &e, NULL) != FERRY_OK) return b;
    if (e.act == FERRY_ACT_RELU) b.low = 0;
    if (e.act == FERRY_ACT_CLIP) b = (ferry_bounds){(double)e.alpha, (double)e.beta};
    if (e.act == FERRY_ACT_HARD_SIGMOID) b = (ferry_bounds){0, (double)e.gamma};
    return e.act_first && ferry_rewrite_input(node, 3) != FERRY_NO_VALUE ? sum(b, of_input(f, node, 3)) : b;
}

static ferry_bounds of_clip(const finder *f, const ferry_node *node)
{
    double low = -INFINITY, high = INFINITY;
    const ferry_value_id min = ferry_rewrite_input(node, 1), max = ferry_rewrite_input(node, 2);
    if (min != FERRY_NO_VALUE && !ferry_rewrite_scalar(f->graph, min, &low)) low = -INFINITY;
    if (max != FERRY_NO_VALUE && !ferry_rewrite_scalar(f->graph, max, &high)) high = INFINITY;
    return low <= high ? within(of_input(f, node, 0), low, high) : unknown;
}

// Nodes whose outputs hold elements of their inputs, or means of them. Padding puts zeros among them.
static bool of_moved(const finder *f, const ferry_node *node, ferry_bounds *out)
{
    static const char *const movers[] = {
        "Transpose",  "Reshape", "Flatten",      "Squeeze",       "Unsqueeze", "Slice",     "Split",
        "Gather",     "Expand",  "DepthToSpace", "SpaceToDepth",  "Tile",      "Identity",  "Concat",
        "MaxPool",    "Pad",     "AveragePool",  "GlobalMaxPool", "ReduceMax", "ReduceMin", "GlobalAveragePool",
        "ReduceMean",
    };
    bool found = false, averages = false;
    for (size_t i = 0; i < FERRY_COUNT_OF(movers) && !found; i++) found = ferry_node_is(node, movers[i]);
    if (ferry_node_is(node, "Resize")) found = strcmp(ferry_node_string(node, "mode", "nearest"), "cubic") != 0;
    if (!found) return false;
    averages = ferry_node_is(node, "AveragePool") || ferry_node_is(node, "Pad") || ferry_node_is(node, "Resize");
    *out = of_input(f, node, 0);
    for (int32_t i = 1; ferry_node_is(node, "Concat") && i < node->n_inputs; i++)
        *out = hull(*out, of_input(f, node, i));
    if (averages) *out = hull(*out, (ferry_bounds){0, 0});
    if (ferry_node_is(node, "Pad") && ferry_rewrite_input(node, 2) != FERRY_NO_VALUE)
        *out = hull(*out, of_input(f, node, 2));
    return true;
}

static ferry_bounds of_node(const finder *f, const ferry_node *node)
{
    ferry_bounds b = unknown;
    if (of_function(node, &b) || of_moved(f, node, &b)) return b;
    if (ferry_node_is(node, "FusedConv") || ferry_node_is(node, "FusedGemm")) return of_product(f, node);
    if (ferry_node_is(node, "Clip")) return of_clip(f, node);
    if (node->n_inputs != 2) return unknown;
    const ferry_bounds x = of_input(f, node, 0), y = of_input(f, node, 1);
    if (ferry_node_is(node, "Add")) return sum(x, y);
    if (ferry_node_is(node, "Sub")) return sum(x, (ferry_bounds){-y.high, -y.low});
    if (ferry_node_is(node, "Mul")) return product(x, y);
    if (ferry_node_is(node, "Max")) return (ferry_bounds){fmax(x.low, y.low), fmax(x.high, y.high)};
    if (ferry_node_is(node, "Min")) return (ferry_bounds){fmin(x.low, y.low), fmin(x.high, y.high)};
    return unknown;
}

ferry_status ferry_bounds_find(const ferry_graph *graph, ferry_arena *scratch, const ferry_bounds **out,
                               ferry_error *err)
{
    finder f = {graph, scratch, ferry_arena_alloc_array(scratch, graph->n_values + 1, sizeof *f.of)};
    if (!f.of) return ferry_fail_memory(err, "bounds of tensors");
    for (size_t v = 0; v < graph->n_values; v++) f.of[v] = unknown;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const ferry_node *node = &graph->nodes[n];
        if (node->n_inputs < 1 || !node->op) continue;
        const ferry_bounds b = of_node(&f, node);
        for (int32_t o = 0; o < node->n_outputs; o++)
            if (node->outputs[o] != FERRY_NO_VALUE) f.of[node->outputs[o]] = b;
    }
    *out = f.of;
    return FERRY_OK;
}
