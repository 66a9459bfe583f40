// SPDX-License-Identifier: Apache-2.0
// The rules that a graph keeps between stages, checked in one place so that no stage has to distrust the one before.
#include "graph/graph.h"
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

typedef struct verifier {
    const ferry_graph *graph;
    ferry_report *report;
    bool *made; // [n_values]: inputs, constants, and outputs of the nodes seen so far
} verifier;

static void complain(verifier *v, const ferry_node *node, const char *text, const char *about)
{
    char subject[300];
    if (node)
        ferry_node_label(node, subject, sizeof subject);
    else
        snprintf(subject, sizeof subject, "graph");
    ferry_report_add(v->report, FERRY_SEVERITY_ERROR, subject, text, about);
}

static bool in_range(const verifier *v, ferry_value_id id)
{
    return id >= 0 && (size_t)id < v->graph->n_values;
}

static void check_attrs(verifier *v, const ferry_node *node)
{
    for (int32_t i = 0; i < node->n_attrs; i++) {
        const ferry_attr_schema *s = node->op->attrs;
        while (s && s->name && strcmp(s->name, node->attrs[i].name) != 0) s++;
        if (!s || !s->name)
            complain(v, node, "has an attribute '%s' that the operator does not know", node->attrs[i].name);
        else if (s->kind != node->attrs[i].kind)
            complain(v, node, "attribute '%s' is of the wrong kind", s->name);
        else if (node->attrs[i].count < 0 || (node->attrs[i].count > 0 && !node->attrs[i].u.ints))
            complain(v, node, "attribute '%s' has no value", s->name);
    }
    for (const ferry_attr_schema *s = node->op->attrs; s && s->name; s++)
        if (s->required && !ferry_node_attr(node, s->name)) complain(v, node, "lacks the attribute '%s'", s->name);
}

static void check_node(verifier *v, ferry_node_id id)
{
    const ferry_node *node = &v->graph->nodes[id];
    const ferry_op *op = node->op;
    char counts[160];
    if (node->n_inputs < op->min_inputs || (op->max_inputs >= 0 && node->n_inputs > op->max_inputs)) {
        snprintf(counts, sizeof counts, "%d inputs, the operator takes %d to %d", node->n_inputs, op->min_inputs,
                 op->max_inputs);
        complain(v, node, "has %s", counts);
    }
    if (node->n_outputs < op->min_outputs || (op->max_outputs >= 0 && node->n_outputs > op->max_outputs)) {
        snprintf(counts, sizeof counts, "%d outputs, the operator has %d to %d", node->n_outputs, op->min_outputs,
                 op->max_outputs);
        complain(v, node, "has %s", counts);
    }
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id in = node->inputs[i];
        if (in == FERRY_NO_VALUE) {
            snprintf(counts, sizeof counts, "%d", i);
            if (i < op->min_inputs) complain(v, node, "input %s is required but absent", counts);
        } else if (!in_range(v, in)) {
            complain(v, node, "%s names a value that is not there", "an input");
        } else if (!v->made[in]) {
            complain(v, node, "reads '%s', which nothing before it makes", v->graph->values[in].name);
        }
    }
    for (int32_t i = 0; i < node->n_outputs; i++) {
        const ferry_value_id out = node->outputs[i];
        if (out == FERRY_NO_VALUE) continue;
        if (!in_range(v, out)) {
            complain(v, node, "%s names a value that is not there", "an output");
            continue;
        }
        if (v->made[out]) complain(v, node, "makes '%s', which is made already", v->graph->values[out].name);
        if (v->graph->values[out].producer != id)
            complain(v, node, "is not the producer of its output '%s'", v->graph->values[out].name);
        v->made[out] = true;
    }
    check_attrs(v, node);
}

static void check_value(verifier *v, ferry_value_id id)
{
    const ferry_value *value = &v->graph->values[id];
    if (!value->name || !*value->name) {
        complain(v, NULL, "%s has no name", "a value");
        return;
    }
    if (ferry_graph_find_value(v->graph, value->name) != id)
        complain(v, NULL, "two values are named '%s', or the index of names is stale", value->name);
    if (value->shape.rank > FERRY_MAX_RANK) complain(v, NULL, "value '%s' has too many dimensions", value->name);
    if (value->producer != FERRY_NO_NODE &&
        (value->producer < 0 || (size_t)value->producer >= v->graph->n_nodes || !v->graph->nodes[value->producer].op))
        complain(v, NULL, "value '%s' names a producer that is not there", value->name);
    if (!value->data) return;
    size_t elements = 0, bytes = 0;
    if (!ferry_shape_elements(&value->shape, &elements) ||
        !ferry_mul_size(elements, ferry_dtype_bytes(value->dtype), &bytes) || bytes != value->data_bytes)
        complain(v, NULL, "constant '%s' has data of another size than its shape and type need", value->name);
    if (value->is_input) complain(v, NULL, "value '%s' is both an input and a constant", value->name);
}

static void check_ends(verifier *v)
{
    const ferry_graph *g = v->graph;
    for (size_t i = 0; i < g->n_inputs; i++) {
        if (!in_range(v, g->inputs[i]))
            complain(v, NULL, "%s names a value that is not there", "an input of the graph");
        else if (!g->values[g->inputs[i]].is_input)
            complain(v, NULL, "input '%s' is not marked as one", g->values[g->inputs[i]].name);
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        if (!in_range(v, g->outputs[i]))
            complain(v, NULL, "%s names a value that is not there", "an output of the graph");
        else if (!g->values[g->outputs[i]].is_output)
            complain(v, NULL, "output '%s' is not marked as one", g->values[g->outputs[i]].name);
        else if (!v->made[g->outputs[i]])
            complain(v, NULL, "nothing makes the output '%s'", g->values[g->outputs[i]].name);
    }
    if (g->n_outputs == 0) complain(v, NULL, "%s", "has no outputs");
}

ferry_status ferry_graph_verify(const ferry_graph *graph, ferry_report *report, ferry_error *err)
{
    ferry_report own;
    ferry_report_init(&own, graph->heap);
    verifier v = {graph, report ? report : &own, ferry_heap_alloc_array(graph->heap, graph->n_values, sizeof(bool))};
    ferry_status s = v.made ? FERRY_OK : ferry_fail_memory(err, "checking a graph");
    if (s == FERRY_OK) {
        const size_t before = v.report->error_count;
        for (size_t i = 0; i < graph->n_values; i++) {
            check_value(&v, (ferry_value_id)i);
            v.made[i] = graph->values[i].data || graph->values[i].is_input;
        }
        for (size_t n = 0; n < graph->n_nodes; n++)
            if (graph->nodes[n].op) check_node(&v, (ferry_node_id)n);
        check_ends(&v);
        if (v.report->error_count > before) s = ferry_report_status(v.report, FERRY_ERR_BAD_MODEL, err);
    }
    ferry_heap_free(graph->heap, v.made, graph->n_values * sizeof(bool));
    ferry_report_deinit(&own);
    return s;
}
