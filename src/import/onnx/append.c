// SPDX-License-Identifier: Apache-2.0
#include "import/onnx/append.h"

#include <inttypes.h>
#include <string.h>

#include "import/onnx/reader.h"

struct ferry_onnx_appender {
    ferry_onnx_reader reader;
    ferry_report report;
};

ferry_status ferry_onnx_check_opset(int64_t *opset, ferry_error *err)
{
    if (*opset == 0) *opset = FERRY_ONNX_NEWEST_OPSET;
    if (*opset >= FERRY_ONNX_OLDEST_OPSET && *opset <= FERRY_ONNX_NEWEST_OPSET) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "opset %" PRId64 " is not known, %d to %d are", *opset,
                      FERRY_ONNX_OLDEST_OPSET, FERRY_ONNX_NEWEST_OPSET);
}

bool ferry_onnx_supports(const char *op_type, const char *domain, int64_t opset)
{
    return (opset == 0 || opset >= FERRY_ONNX_OLDEST_OPSET) && ferry_onnx_is_known(domain, op_type);
}

// --- The appender --------------------------------------------------------------------------------------------------

static ferry_status walk_graph(ferry_onnx_appender *a, ferry_error *err)
{
    ferry_infer_walk *walk = &a->reader.walk;
    FERRY_TRY(ferry_infer_walk_sync(walk, err));
    for (size_t n = 0; n < walk->graph->n_nodes; n++)
        if (walk->graph->nodes[n].op) FERRY_TRY(ferry_infer_walk_step(walk, &walk->graph->nodes[n], err));
    return ferry_report_status(&a->report, walk->bad ? FERRY_ERR_BAD_MODEL : FERRY_ERR_UNSUPPORTED, err);
}

ferry_status ferry_onnx_appender_create(ferry_graph *graph, ferry_onnx_appender **out, ferry_error *err)
{
    *out = NULL;
    ferry_onnx_appender *a = ferry_new(graph->heap, ferry_onnx_appender);
    if (!a) return ferry_fail_memory(err, "a network's nodes");
    a->reader = (ferry_onnx_reader){.heap = graph->heap, .report = &a->report, .graph = graph, .opset = graph->opset};
    ferry_report_init(&a->report, graph->heap);
    ferry_infer_walk_init(&a->reader.walk, graph, &a->report, graph->heap);
    const ferry_status s = walk_graph(a, err);
    if (s == FERRY_OK)
        *out = a;
    else
        ferry_onnx_appender_destroy(a);
    return s;
}

void ferry_onnx_appender_destroy(ferry_onnx_appender *a)
{
    if (!a) return;
    const ferry_heap *heap = a->reader.heap;
    ferry_infer_walk_deinit(&a->reader.walk);
    ferry_report_deinit(&a->report);
    ferry_delete(heap, a);
}

// --- One node ------------------------------------------------------------------------------------------------------

static ferry_status check_inputs(const ferry_graph *g, const ferry_onnx_words *words, ferry_error *err)
{
    for (int32_t i = 0; i < words->n_inputs; i++) {
        const ferry_value_id id = words->inputs[i];
        if (id == FERRY_NO_VALUE) continue;
        if (id < 0 || (size_t)id >= g->n_values)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input %d is tensor %d, the network has %zu", i, id,
                              g->n_values);
        const ferry_value *v = &g->values[id];
        if (!v->data && !v->is_input && v->producer == FERRY_NO_NODE)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input %d, '%s', is neither an input nor made by a node",
                              i, v->name);
    }
    return FERRY_OK;
}

// Values for the outputs. Names that are not given are made from the node's.
static ferry_status add_outputs(ferry_onnx_node *n, const ferry_onnx_words *words, ferry_error *err)
{
    ferry_onnx_reader *r = n->reader;
    for (int32_t o = 0; o < words->n_outputs; o++) {
        const char *name = words->output_names ? words->output_names[o] : NULL;
        n->outputs[n->n_outputs++] = FERRY_NO_VALUE;
        if (name && !*name) continue;
        if (name && ferry_graph_find_value(r->graph, name) != FERRY_NO_VALUE)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "output %d cannot be called '%s': another tensor is", o,
                              name);
        if (!name) name = ferry_arena_printf(&r->scratch, "%s_output_%d", n->name, o);
        if (!name) return ferry_fail_memory(err, "a network's nodes");
        FERRY_TRY(ferry_graph_add_value(r->graph, name, FERRY_DTYPE_NONE, NULL, &n->outputs[o], err));
    }
    return ferry_infer_walk_sync(&r->walk, err);
}

// All outputs that were asked for count as used: the caller may read them later.
static ferry_status use_outputs(ferry_onnx_reader *r, size_t before, ferry_error *err)
{
    r->n_used = r->graph->n_values;
    r->used = ferry_arena_alloc_array(&r->scratch, r->n_used, sizeof *r->used);
    if (!r->used) return ferry_fail_memory(err, "a network's nodes");
    for (size_t v = before; v < r->n_used; v++) r->used[v] = true;
    return FERRY_OK;
}

static ferry_status check_outputs(const ferry_onnx_node *n, const ferry_value_id *wanted, int32_t n_wanted,
                                  ferry_error *err)
{
    for (int32_t o = 0; o < n_wanted; o++) {
        if (wanted[o] == FERRY_NO_VALUE) continue;
        const ferry_value *v = &n->reader->graph->values[wanted[o]];
        if (!v->data && v->producer == FERRY_NO_NODE)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "has no output %d in the form that ferry runs", o);
    }
    return FERRY_OK;
}

static ferry_status add_node(ferry_onnx_node *n, const ferry_onnx_words *words, ferry_error *err)
{
    ferry_onnx_reader *r = n->reader;
    const size_t before = r->graph->n_values, room = FERRY_ONNX_ROOM;
    FERRY_TRY(ferry_onnx_check_known(r, words->domain, words->op_type, err));
    FERRY_TRY(check_inputs(r->graph, words, err));
    n->inputs = ferry_arena_alloc_array(&r->scratch, (size_t)words->n_inputs + room, sizeof *n->inputs);
    n->outputs = ferry_arena_alloc_array(&r->scratch, (size_t)words->n_outputs + room, sizeof *n->outputs);
    n->attrs = ferry_arena_alloc_array(&r->scratch, (size_t)words->n_attrs + room, sizeof *n->attrs);
    if (!n->inputs || !n->outputs || !n->attrs) return ferry_fail_memory(err, "a network's nodes");
    FERRY_TRY(add_outputs(n, words, err));
    FERRY_TRY(use_outputs(r, before, err));
    for (int32_t i = 0; i < words->n_inputs; i++) n->inputs[n->n_inputs++] = words->inputs[i];
    for (int32_t i = 0; i < words->n_attrs; i++) n->attrs[n->n_attrs++] = words->attrs[i];
    if (strcmp(words->op_type, "Constant") == 0) return ferry_onnx_add_constant_node(n, err);
    bool done = false;
    FERRY_TRY(ferry_onnx_upgrade(n, &done, err));
    return done ? FERRY_OK : ferry_onnx_emit(n, err);
}

static const char *node_name(ferry_onnx_reader *r, const ferry_onnx_words *words)
{
    if (words->name && *words->name) return words->name;
    for (int32_t o = 0; words->output_names && o < words->n_outputs; o++)
        if (words->output_names[o] && *words->output_names[o]) return words->output_names[o];
    return ferry_arena_printf(&r->scratch, "%s_%zu", words->op_type, r->graph->n_nodes);
}

static ferry_status append(ferry_onnx_appender *a, const ferry_onnx_words *words, ferry_value_id *outputs,
                           ferry_error *err)
{
    ferry_onnx_reader *r = &a->reader;
    ferry_onnx_node n = {.reader = r, .op_type = words->op_type, .name = node_name(r, words)};
    if (!n.name) return ferry_fail_memory(err, "a network's nodes");
    const size_t before = r->graph->n_values;
    ferry_status s = add_node(&n, words, err);
    // An upgrade may have shortened the node's own list: what was asked for are the first values that were added.
    for (int32_t o = 0, next = 0; s == FERRY_OK && o < words->n_outputs; o++) {
        const bool wanted = !words->output_names || !words->output_names[o] || *words->output_names[o];
        outputs[o] = wanted ? (ferry_value_id)(before + (size_t)next++) : FERRY_NO_VALUE;
    }
    if (s == FERRY_OK) s = check_outputs(&n, outputs, words->n_outputs, err);
    if (s != FERRY_OK) return ferry_within(err, s, "node '%s' (%s)", n.name, words->op_type);
    // Findings of shape inference name the node themselves.
    FERRY_TRY(ferry_report_status(r->report, r->walk.bad ? FERRY_ERR_BAD_MODEL : FERRY_ERR_UNSUPPORTED, err));
    for (size_t v = before; v < r->graph->n_values; v++) {
        r->graph->values[v].shape = r->walk.values[v].shape;
        r->graph->values[v].dtype = r->walk.values[v].dtype;
    }
    return FERRY_OK;
}

ferry_status ferry_onnx_append(ferry_onnx_appender *a, const ferry_onnx_words *words, ferry_value_id *outputs,
                               ferry_error *err)
{
    ferry_onnx_reader *r = &a->reader;
    const ferry_graph_mark before = ferry_graph_here(r->graph);
    ferry_arena_init(&r->scratch, r->heap);
    const ferry_status s = append(a, words, outputs, err);
    if (s != FERRY_OK) {
        for (int32_t o = 0; o < words->n_outputs; o++) outputs[o] = FERRY_NO_VALUE;
        ferry_graph_take_back(r->graph, &before);
        ferry_infer_walk_forget(&r->walk, before.n_values);
    }
    ferry_report_deinit(r->report);
    r->used = NULL;
    r->n_used = 0;
    ferry_arena_deinit(&r->scratch);
    return s;
}
