// SPDX-License-Identifier: Apache-2.0
// NodeProtos to nodes of the graph. What is wrong with one node does not keep the others from being looked at.
#include "import/onnx/reader.h"

#include <stdio.h>
#include <string.h>

// --- One node ------------------------------------------------------------------------------------------------------

static ferry_status read_inputs(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    for (size_t i = 0; i < from->n_input; i++) {
        n->inputs[i] = FERRY_NO_VALUE;
        if (!*from->input[i]) continue; // an optional input that is left out
        n->inputs[i] = ferry_graph_find_value(n->reader->graph, from->input[i]);
        if (n->inputs[i] == FERRY_NO_VALUE)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %zu is '%s', which neither a node nor the model gives",
                              i, from->input[i]);
    }
    n->n_inputs = (int32_t)from->n_input;
    return FERRY_OK;
}

static ferry_status read_attrs(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    for (size_t i = 0; i < from->n_attribute; i++)
        FERRY_TRY(ferry_onnx_read_attribute(n->reader, from->attribute[i], &n->attrs[i], err));
    n->n_attrs = (int32_t)from->n_attribute;
    return FERRY_OK;
}

static ferry_status convert(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    FERRY_TRY(ferry_onnx_check_known(n->reader, from->domain, from->op_type, err));
    FERRY_TRY(read_inputs(n, from, err));
    if (strcmp(from->op_type, "Constant") == 0) return ferry_onnx_read_constant(n, from, err);
    FERRY_TRY(read_attrs(n, from, err));
    bool done = false;
    FERRY_TRY(ferry_onnx_upgrade(n, &done, err));
    return done ? FERRY_OK : ferry_onnx_emit(n, err);
}

static void report_node(ferry_onnx_reader *r, const Ferry__Onnx__Node *n, ferry_status status, const char *text)
{
    const char *name = n->name && *n->name ? n->name : "";
    for (size_t i = 0; i < n->n_output && !*name; i++) name = n->output[i];
    char subject[300];
    snprintf(subject, sizeof subject, "node '%.200s' (%.80s)", name, n->op_type ? n->op_type : "");
    ferry_onnx_problem(r, status, subject, NULL, text);
}

static ferry_status read_node(ferry_onnx_reader *r, const Ferry__Onnx__Node *from, const ferry_value_id *outputs,
                              ferry_error *err)
{
    const size_t most = 1 << 20; // of inputs, outputs and attributes, so that sums of counts fit an int
    if (from->n_input > most || from->n_output > most || from->n_attribute > most) {
        report_node(r, from, FERRY_ERR_UNSUPPORTED, "has more than a million inputs, outputs or attributes");
        return FERRY_OK;
    }
    ferry_onnx_node n = {.reader = r, .op_type = from->op_type, .name = from->name ? from->name : ""};
    n.inputs = ferry_arena_alloc_array(&r->scratch, from->n_input + FERRY_ONNX_ROOM, sizeof *n.inputs);
    n.outputs = ferry_arena_alloc_array(&r->scratch, from->n_output + FERRY_ONNX_ROOM, sizeof *n.outputs);
    n.attrs = ferry_arena_alloc_array(&r->scratch, from->n_attribute + FERRY_ONNX_ROOM, sizeof *n.attrs);
    if (!n.inputs || !n.outputs || !n.attrs) return ferry_fail_memory(err, "the model's nodes");
    // A name that others make too is reported already, and what would follow from it is of no interest.
    for (size_t i = 0; i < from->n_output; i++) {
        if (!*from->output[i] || outputs[i] != FERRY_NO_VALUE) continue;
        ferry_onnx_mark_failed(r, outputs, (int32_t)from->n_output);
        return FERRY_OK;
    }
    n.n_outputs = (int32_t)from->n_output;
    if (from->n_output) memcpy(n.outputs, outputs, from->n_output * sizeof *outputs);
    for (size_t i = 0; i < from->n_output && !*n.name; i++) n.name = from->output[i];
    ferry_error reason = {{0}};
    const ferry_status s = convert(&n, from, &reason);
    if (s == FERRY_OK) return FERRY_OK;
    if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail(err, s, "%s", reason.text);
    report_node(r, from, s, reason.text);
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    ferry_onnx_mark_failed(r, outputs, (int32_t)from->n_output);
    return FERRY_OK;
}

// --- All nodes -----------------------------------------------------------------------------------------------------

// A value for every output, so that nodes may come in any order. ids has one entry for each output, in order.
static ferry_status add_outputs(ferry_onnx_reader *r, ferry_value_id *ids, ferry_error *err)
{
    const Ferry__Onnx__Graph *g = r->model->graph;
    for (size_t n = 0; n < g->n_node; n++) {
        for (size_t o = 0; o < g->node[n]->n_output; o++, ids++) {
            const char *name = g->node[n]->output[o];
            *ids = FERRY_NO_VALUE;
            if (!*name) continue;
            const ferry_value_id other = ferry_graph_find_value(r->graph, name);
            if (other != FERRY_NO_VALUE) {
                char text[400];
                snprintf(text, sizeof text, "its output '%.300s' is made elsewhere in the model too", name);
                report_node(r, g->node[n], FERRY_ERR_BAD_MODEL, text);
                continue;
            }
            FERRY_TRY(ferry_graph_add_value(r->graph, name, FERRY_DTYPE_NONE, NULL, ids, err));
        }
    }
    return FERRY_OK;
}

static void mark_used(ferry_onnx_reader *r, const char *name)
{
    const ferry_value_id id = name && *name ? ferry_graph_find_value(r->graph, name) : FERRY_NO_VALUE;
    if (id != FERRY_NO_VALUE) r->used[id] = true;
}

ferry_status ferry_onnx_read_nodes(ferry_onnx_reader *r, ferry_error *err)
{
    const Ferry__Onnx__Graph *g = r->model->graph;
    size_t n_outputs = 0;
    for (size_t n = 0; n < g->n_node; n++) n_outputs += g->node[n]->n_output;
    ferry_value_id *ids = ferry_arena_alloc_array(&r->scratch, n_outputs, sizeof *ids);
    if (!ids) return ferry_fail_memory(err, "the model's nodes");
    FERRY_TRY(add_outputs(r, ids, err));
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    r->n_used = r->graph->n_values;
    r->used = ferry_arena_alloc_array(&r->scratch, r->n_used, sizeof *r->used);
    if (!r->used) return ferry_fail_memory(err, "the model's nodes");
    for (size_t n = 0; n < g->n_node; n++)
        for (size_t i = 0; i < g->node[n]->n_input; i++) mark_used(r, g->node[n]->input[i]);
    for (size_t i = 0; i < g->n_output; i++) mark_used(r, g->output[i]->name);
    for (size_t n = 0; n < g->n_node; n++) {
        FERRY_TRY(read_node(r, g->node[n], ids, err));
        ids += g->node[n]->n_output;
    }
    return FERRY_OK;
}
