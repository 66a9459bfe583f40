// SPDX-License-Identifier: Apache-2.0
// Which nodes run in INT8: sums of products that have scales, and of the cheap nodes those that stand between them, so
// that a conversion is made only where it pays.
#include <string.h>

#include "passes/choose.h"

enum { WORTH_CONVERTING = 16 };

static int32_t int8_inputs(const ferry_chooser *c, size_t n, int32_t *out)
{
    return ferry_int8_inputs(c->kinds[n], &c->graph->nodes[n], out, FERRY_INT8_MOST_INPUTS);
}

bool ferry_chooser_takes_int8(const ferry_chooser *c, ferry_node_id n, ferry_value_id value)
{
    const ferry_node *node = &c->graph->nodes[n];
    int32_t in[FERRY_INT8_MOST_INPUTS];
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
            if (c->int8[c->users[u]] && ferry_chooser_takes_int8(c, c->users[u], v))
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
    int32_t in[FERRY_INT8_MOST_INPUTS];
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
    int32_t in[FERRY_INT8_MOST_INPUTS];
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

const char *ferry_chooser_unfit_zero(const ferry_chooser *c, size_t n, const char **out_name)
{
    const ferry_node *node = &c->graph->nodes[n];
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        if (v == FERRY_NO_VALUE || c->zeros[v] == 0 || ferry_int8_takes_zero(c->kinds[n], node, i)) continue;
        *out_name = c->graph->values[v].name;
        return "has a zero point, which its reader has no integer form for";
    }
    const ferry_value_id y = node->outputs[0];
    if (y == FERRY_NO_VALUE || c->zeros[y] == 0 || ferry_int8_makes_zero(c->kinds[n], node)) return NULL;
    *out_name = c->graph->values[y].name;
    return "has a zero point, which what makes it has no integer form for";
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
        if (!missing) missing = ferry_chooser_unfit_zero(c, n, &name);
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

void ferry_choose_int8(ferry_chooser *c)
{
    for (size_t n = 0; n < c->graph->n_nodes; n++)
        if (c->graph->nodes[n].n_inputs > FERRY_INT8_MOST_INPUTS) c->kinds[n] = FERRY_INT8_NONE;
    find_candidates(c);
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t n = 0; n < c->graph->n_nodes; n++) {
            if (!c->int8[n] || !should_leave(c, n)) continue;
            c->int8[n] = false;
            changed = true;
        }
    }
}
