// SPDX-License-Identifier: Apache-2.0
// Which nodes run in INT8: sums of products that have scales, and of the cheap nodes those that stand between them, so
// that a conversion is made only where it pays.
#include <string.h>

#include "passes/choose.h"

enum { MOST_INPUTS = 256, WORTH_CONVERTING = 16, CONCAT_RATIO = 4 };

static int32_t int8_inputs(const ferry_chooser *c, size_t n, int32_t *out)
{
    return ferry_int8_inputs(c->kinds[n], &c->graph->nodes[n], out, MOST_INPUTS);
}

// Node n, running in INT8, takes this value as int8 or can (a residual).
static bool takes_int8(const ferry_chooser *c, ferry_node_id n, ferry_value_id value)
{
    const ferry_node *node = &c->graph->nodes[n];
    int32_t in[MOST_INPUTS];
    const int32_t count = int8_inputs(c, (size_t)n, in);
    for (int32_t i = 0; i < count; i++)
        if (node->inputs[in[i]] == value) return true;
    if (c->kinds[n] == FERRY_INT8_TABLE && node->inputs[ferry_int8_table_input(c->graph, node)] == value) return true;
    return (c->kinds[n] == FERRY_INT8_CONV || c->kinds[n] == FERRY_INT8_GEMM) &&
           ferry_rewrite_input(node, 3) == value && c->scales[value] > 0.0f;
}

static void count_readers(const ferry_chooser *c, const ferry_node *node, int32_t *out_int8, int32_t *out_float)
{
    *out_int8 = *out_float = 0;
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const ferry_value_id v = node->outputs[o];
        if (v == FERRY_NO_VALUE) continue;
        if (c->graph->values[v].is_output) (*out_float)++;
        for (int32_t u = c->offsets[v]; u < c->offsets[v + 1]; u++) {
            if (c->graph->nodes[c->users[u]].op->flags & FERRY_OP_SHAPE_ONLY) continue;
            if (c->int8[c->users[u]] && takes_int8(c, c->users[u], v))
                (*out_int8)++;
            else
                (*out_float)++;
        }
    }
}

static bool made_in_int8(const ferry_chooser *c, ferry_value_id value)
{
    const ferry_node_id p = c->graph->values[value].producer;
    return p != FERRY_NO_NODE && c->int8[p];
}

static bool reads_int8(const ferry_chooser *c, size_t n)
{
    const ferry_node *node = &c->graph->nodes[n];
    int32_t in[MOST_INPUTS];
    if (c->kinds[n] == FERRY_INT8_TABLE) return made_in_int8(c, node->inputs[ferry_int8_table_input(c->graph, node)]);
    const int32_t count = int8_inputs(c, n, in);
    for (int32_t i = 0; i < count; i++)
        if (made_in_int8(c, node->inputs[in[i]])) return true;
    return false;
}

// Enough products for each converted element of the input?
static bool is_worth_converting(const ferry_chooser *c, const ferry_node *node)
{
    size_t x = 0, y = 0, w = 0;
    const ferry_graph *g = c->graph;
    if (!ferry_shape_elements(&g->values[node->inputs[0]].shape, &x) ||
        !ferry_shape_elements(&g->values[node->outputs[0]].shape, &y) ||
        !ferry_shape_elements(&g->values[node->inputs[1]].shape, &w) || x == 0)
        return true; // sizes that only run time knows: big ones, usually
    const ferry_shape *w_shape = &g->values[node->inputs[1]].shape;
    const bool gemm = ferry_node_is(node, "FusedGemm");
    const size_t channels = (size_t)w_shape->dims[gemm && !ferry_node_int(node, "transB", 0) ? 1 : 0];
    return (double)y * (double)(w / (channels ? channels : 1)) >= (double)WORTH_CONVERTING * (double)x;
}

// NULL, or what keeps the node from INT8.
static const char *missing_scale(const ferry_chooser *c, size_t n, const char **out_name)
{
    const ferry_node *node = &c->graph->nodes[n];
    int32_t in[MOST_INPUTS];
    int32_t count = int8_inputs(c, n, in);
    if (c->kinds[n] == FERRY_INT8_TABLE) in[0] = ferry_int8_table_input(c->graph, node);
    for (int32_t i = 0; i < count; i++) {
        *out_name = c->graph->values[node->inputs[in[i]]].name;
        if (c->scales[node->inputs[in[i]]] == 0.0f) return "has no scale, so what reads it runs in floating point";
    }
    for (int32_t o = 0; o < node->n_outputs; o++) {
        if (node->outputs[o] == FERRY_NO_VALUE) continue;
        *out_name = c->graph->values[node->outputs[o]].name;
        // A sum of products may write floats; the rest is INT8 only for the sake of an INT8 output.
        if (!ferry_int8_is_core(c->kinds[n]) && c->scales[node->outputs[o]] == 0.0f)
            return "has no scale, so what makes it runs in floating point";
    }
    return NULL;
}

static void find_candidates(ferry_chooser *c)
{
    for (size_t n = 0; n < c->graph->n_nodes; n++) {
        const ferry_dtype rule = c->rules[n];
        const char *name = NULL;
        if (rule == FERRY_S8 && c->kinds[n] == FERRY_INT8_NONE) {
            ferry_report_add(c->report, FERRY_SEVERITY_WARNING, c->graph->nodes[n].name, "stays in floating point: %s",
                             c->why[n] ? c->why[n] : "the operator has no integer form");
            continue;
        }
        if (c->kinds[n] == FERRY_INT8_NONE || (rule != FERRY_DTYPE_NONE && rule != FERRY_S8)) {
            if (c->kinds[n] == FERRY_INT8_NONE &&
                (ferry_node_is(&c->graph->nodes[n], "FusedConv") || ferry_node_is(&c->graph->nodes[n], "FusedGemm")))
                ferry_report_add(c->report, FERRY_SEVERITY_WARNING, c->graph->nodes[n].name,
                                 "stays in floating point: %s", c->why[n] ? c->why[n] : "no integer form");
            continue;
        }
        if (c->kinds[n] == FERRY_INT8_MATMUL && rule != FERRY_S8) continue;
        const char *missing = missing_scale(c, n, &name);
        c->int8[n] = !missing;
        if (missing && (rule == FERRY_S8 || ferry_int8_is_core(c->kinds[n])))
            ferry_report_add(c->report, rule == FERRY_S8 ? FERRY_SEVERITY_WARNING : FERRY_SEVERITY_INFO, name, "%s",
                             missing);
    }
}

static bool should_leave(const ferry_chooser *c, size_t n)
{
    if (c->rules[n] == FERRY_S8) return false;
    int32_t int8_readers = 0, float_readers = 0;
    count_readers(c, &c->graph->nodes[n], &int8_readers, &float_readers);
    const bool fed = reads_int8(c, n);
    if (ferry_int8_is_core(c->kinds[n]))
        return !fed && int8_readers == 0 && !is_worth_converting(c, &c->graph->nodes[n]);
    if (int8_readers == 0) return true;
    return !fed && (c->kinds[n] != FERRY_INT8_MOVE || float_readers > 0);
}

static int32_t root_of(int32_t *parent, int32_t v)
{
    while (parent[v] != v) v = parent[v] = parent[parent[v]];
    return v;
}

// A scale that a Q/DQ pair gave is part of the model: it is not widened for the sake of others.
static float fixed_scale(const ferry_chooser *c, size_t v)
{
    return ferry_rewrite_is_rounded(c->graph, (ferry_value_id)v) ? c->scales[v] : 0.0f;
}

static bool has_other_int8_reader(const ferry_chooser *c, ferry_value_id v, ferry_node_id than)
{
    for (int32_t u = c->offsets[v]; u < c->offsets[v + 1]; u++)
        if (c->users[u] != than && c->int8[c->users[u]] && takes_int8(c, c->users[u], v)) return true;
    return false;
}

// The input of a Concat stays apart, and is converted there, where the common scale would cost its other readers more
// than two bits.
static bool stays_apart(const ferry_chooser *c, ferry_node_id n, ferry_value_id x)
{
    const ferry_node *node = &c->graph->nodes[n];
    if (!ferry_node_is(node, "Concat") || !has_other_int8_reader(c, x, n)) return false;
    float most = c->scales[node->outputs[0]];
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (c->scales[node->inputs[i]] > most) most = c->scales[node->inputs[i]];
    return most >= CONCAT_RATIO * c->scales[x];
}

typedef struct groups {
    int32_t *parent;
    float *most, *fixed; // of each root; fixed is 0 where no pair gave a scale
} groups;

// False when both have scales that pairs gave, and different ones.
static bool join(groups *g, ferry_value_id a, ferry_value_id b)
{
    const int32_t x = root_of(g->parent, a), y = root_of(g->parent, b);
    if (x == y) return true;
    if (g->fixed[x] > 0.0f && g->fixed[y] > 0.0f && g->fixed[x] != g->fixed[y]) return false;
    g->parent[x] = y;
    if (g->most[x] > g->most[y]) g->most[y] = g->most[x];
    if (g->fixed[x] > 0.0f) g->fixed[y] = g->fixed[x];
    return true;
}

static void join_moved(ferry_chooser *c, ferry_node_id n, groups *g)
{
    const ferry_node *node = &c->graph->nodes[n];
    int32_t in[MOST_INPUTS];
    const int32_t count = int8_inputs(c, (size_t)n, in);
    ferry_value_id first = FERRY_NO_VALUE;
    for (int32_t o = 0; o < node->n_outputs; o++) {
        if (node->outputs[o] == FERRY_NO_VALUE) continue;
        if (first == FERRY_NO_VALUE) first = node->outputs[o];
        if (join(g, node->outputs[o], first)) continue;
        c->int8[n] = false; // its parts are rounded differently
        return;
    }
    for (int32_t i = 0; i < count; i++)
        if (!stays_apart(c, n, node->inputs[in[i]])) join(g, node->inputs[in[i]], first);
}

static ferry_status unify(ferry_chooser *c, ferry_error *err)
{
    const size_t n_values = c->graph->n_values;
    groups g = {.parent = ferry_arena_alloc_array(&c->scratch, n_values + 1, sizeof *g.parent),
                .most = ferry_arena_alloc_array(&c->scratch, n_values + 1, sizeof *g.most),
                .fixed = ferry_arena_alloc_array(&c->scratch, n_values + 1, sizeof *g.fixed)};
    if (!g.parent || !g.most || !g.fixed) return ferry_fail_memory(err, "groups of scales");
    for (size_t v = 0; v < n_values; v++) {
        g.parent[v] = (int32_t)v;
        g.most[v] = c->scales[v];
        g.fixed[v] = fixed_scale(c, v);
    }
    for (size_t n = 0; n < c->graph->n_nodes; n++)
        if (c->int8[n] && c->kinds[n] == FERRY_INT8_MOVE) join_moved(c, (ferry_node_id)n, &g);
    for (size_t v = 0; v < n_values; v++) {
        const int32_t root = root_of(g.parent, (int32_t)v);
        if (c->scales[v] > 0.0f) c->scales[v] = g.fixed[root] > 0.0f ? g.fixed[root] : g.most[root];
    }
    return FERRY_OK;
}

ferry_status ferry_choose_int8(ferry_chooser *c, ferry_error *err)
{
    for (size_t n = 0; n < c->graph->n_nodes; n++)
        if (c->graph->nodes[n].n_inputs > MOST_INPUTS) c->kinds[n] = FERRY_INT8_NONE;
    find_candidates(c);
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t n = 0; n < c->graph->n_nodes; n++) {
            if (!c->int8[n] || !should_leave(c, n)) continue;
            c->int8[n] = false;
            changed = true;
        }
    }
    return unify(c, err);
}
