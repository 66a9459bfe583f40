// SPDX-License-Identifier: Apache-2.0
// A node in its newest form into the graph: checked against its operator's row, then added, then its shapes inferred.
#include <string.h>

#include "import/onnx/reader.h"

static ferry_status check_arity(const ferry_onnx_node *n, const ferry_op *op, ferry_error *err)
{
    if (n->n_inputs < op->min_inputs || (op->max_inputs >= 0 && n->n_inputs > op->max_inputs))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has %d inputs, %s takes %s%d", n->n_inputs, op->name,
                          n->n_inputs < op->min_inputs ? "at least " : "at most ",
                          n->n_inputs < op->min_inputs ? op->min_inputs : op->max_inputs);
    if (n->n_outputs < op->min_outputs || (op->max_outputs >= 0 && n->n_outputs > op->max_outputs))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has %d outputs, %s gives %s%d", n->n_outputs, op->name,
                          n->n_outputs < op->min_outputs ? "at least " : "at most ",
                          n->n_outputs < op->min_outputs ? op->min_outputs : op->max_outputs);
    for (int32_t i = 0; i < op->min_inputs && i < n->n_inputs; i++)
        if (n->inputs[i] == FERRY_NO_VALUE)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %d of %s is required, but left out", i, op->name);
    int32_t used = 0;
    for (int32_t i = 0; i < n->n_outputs; i++) used += n->outputs[i] != FERRY_NO_VALUE;
    if (used == 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "all its outputs are left out");
    return FERRY_OK;
}

static const char *kind_name(ferry_attr_kind kind)
{
    static const char *const names[] = {"nothing", "an int", "a float", "a string",
                                        "ints",    "floats", "strings", "a tensor"};
    return (size_t)kind < FERRY_COUNT_OF(names) ? names[kind] : "something else";
}

static ferry_status check_attrs(const ferry_onnx_node *n, const ferry_op *op, ferry_error *err)
{
    for (int32_t i = 0; i < n->n_attrs; i++) {
        const ferry_attr *a = &n->attrs[i];
        const ferry_attr_schema *s = op->attrs;
        while (s && s->name && strcmp(s->name, a->name) != 0) s++;
        if (!s || !s->name)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "attribute '%s' is unknown for %s in opset %d", a->name,
                              op->name, (int)n->reader->opset);
        if (s->kind != a->kind)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' holds %s, %s needs %s", a->name,
                              kind_name(a->kind), op->name, kind_name(s->kind));
        for (int32_t k = 0; k < i; k++)
            if (strcmp(n->attrs[k].name, a->name) == 0)
                return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' is given twice", a->name);
    }
    for (const ferry_attr_schema *s = op->attrs; s && s->name; s++)
        if (s->required && !ferry_onnx_find_attr(n, s->name))
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "lacks the attribute '%s', which %s needs", s->name, op->name);
    return FERRY_OK;
}

static void drop_absent_at_end(ferry_onnx_node *n)
{
    while (n->n_inputs > 0 && n->inputs[n->n_inputs - 1] == FERRY_NO_VALUE) n->n_inputs--;
    while (n->n_outputs > 1 && n->outputs[n->n_outputs - 1] == FERRY_NO_VALUE) n->n_outputs--;
}

// Made already: a file may list its nodes in any order, though it shouldn't.
static bool is_ready(const ferry_onnx_reader *r, ferry_value_id id)
{
    if (id == FERRY_NO_VALUE) return true;
    const ferry_value *v = &r->graph->values[id];
    return v->data || v->is_input || v->producer != FERRY_NO_NODE;
}

void ferry_onnx_mark_failed(ferry_onnx_reader *r, const ferry_value_id *ids, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (ids[i] != FERRY_NO_VALUE && (size_t)ids[i] < r->walk.n_values) r->walk.values[ids[i]].failed = true;
}

ferry_status ferry_onnx_emit(ferry_onnx_node *n, ferry_error *err)
{
    ferry_onnx_reader *r = n->reader;
    const ferry_op *op = ferry_op_find("", n->op_type);
    if (!op)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "operator %s is not supported; %s", n->op_type,
                          ferry_onnx_way_round(n->op_type));
    drop_absent_at_end(n);
    FERRY_TRY(check_arity(n, op, err));
    FERRY_TRY(check_attrs(n, op, err));
    ferry_node_id id;
    FERRY_TRY(ferry_graph_add_node(r->graph, op, n->name, n->inputs, n->n_inputs, n->outputs, n->n_outputs, n->attrs,
                                   n->n_attrs, &id, err));
    bool ready = true;
    for (int32_t i = 0; i < n->n_inputs; i++) ready = ready && is_ready(r, n->inputs[i]);
    if (ready) return ferry_infer_walk_step(&r->walk, &r->graph->nodes[id], err);
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    ferry_onnx_mark_failed(r, n->outputs, n->n_outputs); // told after sorting, if nothing else is wrong
    return FERRY_OK;
}
