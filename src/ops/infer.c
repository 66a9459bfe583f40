// SPDX-License-Identifier: Apache-2.0
// The walk of shape inference: bind the inputs, ask each node's operator in order, follow shape arithmetic.
#include "ops/infer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ops/known.h"

// What is found, by value; and the room that one node's arrays take, reused from node to node.
typedef struct walk {
    const ferry_graph *graph;
    ferry_report *report;
    ferry_arena arena;
    bool require_known;
    bool unsupported, bad;

    ferry_shape *shapes; // [n_values]
    ferry_dtype *dtypes;
    ferry_known *known;
    bool *bounded, *failed;

    ferry_shape *in_shapes, *out_shapes;
    ferry_dtype *in_dtypes, *out_dtypes;
    ferry_tensor *in_data, *in_partial;
    const bool **in_masks;
    ferry_known *in_known, *out_known;
    bool *in_bounded;
} walk;

static ferry_status walk_init(walk *w, const ferry_graph *graph, ferry_report *report, const ferry_heap *heap,
                              ferry_error *err)
{
    *w = (walk){.graph = graph, .report = report};
    ferry_arena_init(&w->arena, heap);
    size_t ins = 1, outs = 1;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const ferry_node *node = &graph->nodes[n];
        if (node->op && (size_t)node->n_inputs > ins) ins = (size_t)node->n_inputs;
        if (node->op && (size_t)node->n_outputs > outs) outs = (size_t)node->n_outputs;
    }
    bool ok = true;
    const size_t values = graph->n_values;
#define ROOM(member, count) (ok = ok && (w->member = ferry_arena_alloc_array(&w->arena, (count), sizeof *w->member)))
    ROOM(shapes, values);
    ROOM(dtypes, values);
    ROOM(known, values);
    ROOM(bounded, values);
    ROOM(failed, values);
    ROOM(in_shapes, ins);
    ROOM(in_dtypes, ins);
    ROOM(in_data, ins);
    ROOM(in_partial, ins);
    ROOM(in_masks, ins);
    ROOM(in_known, ins);
    ROOM(in_bounded, ins);
    ROOM(out_shapes, outs);
    ROOM(out_dtypes, outs);
    ROOM(out_known, outs);
#undef ROOM
    if (!ok) return ferry_fail_memory(err, "shape inference");
    for (size_t v = 0; v < values; v++) {
        const ferry_value *value = &graph->values[v];
        const bool given = value->data || value->producer == FERRY_NO_NODE;
        w->shapes[v] = given ? value->shape : ferry_shape_unknown();
        w->dtypes[v] = given ? value->dtype : FERRY_DTYPE_NONE;
        if (value->data) w->known[v].tensor = ferry_value_tensor(value);
    }
    return FERRY_OK;
}

// --- Inputs --------------------------------------------------------------------------------------------------------

// A size for a dimension of an input, from the caller; `sizes` holds what each symbol is bound to, -1 if nothing yet.
static ferry_status bind_dim(walk *w, const char *name, ferry_shape *shape, int32_t d, int64_t size, int64_t *sizes,
                             ferry_error *err)
{
    if (size == FERRY_DIM_UNKNOWN) return FERRY_OK;
    if (size < 0)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s': dimension %d cannot be %" PRId64, name, d,
                          size);
    if (shape->dims[d] >= 0 && shape->dims[d] != size)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "input '%s': dimension %d is %" PRId64 " in the model, %" PRId64 " was given", name, d,
                          shape->dims[d], size);
    const int32_t symbol = shape->dims[d] < 0 ? shape->symbols[d] : FERRY_NO_SYMBOL;
    if (symbol >= 0 && (size_t)symbol < w->graph->n_symbols) {
        if (sizes[symbol] >= 0 && sizes[symbol] != size)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                              "input '%s': dimension %d ('%s') is given as %" PRId64 ", but '%s' is %" PRId64
                              " elsewhere in the inputs",
                              name, d, w->graph->symbols[symbol], size, w->graph->symbols[symbol], sizes[symbol]);
        sizes[symbol] = size;
    }
    shape->dims[d] = size;
    shape->symbols[d] = FERRY_NO_SYMBOL;
    return FERRY_OK;
}

static ferry_status bind_input(walk *w, const ferry_input_shape *bound, int64_t *sizes, ferry_error *err)
{
    if (bound->value < 0 || (size_t)bound->value >= w->graph->n_values || !w->graph->values[bound->value].is_input)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "a shape was given for a value that is not an input");
    const char *name = w->graph->values[bound->value].name;
    ferry_shape *shape = &w->shapes[bound->value];
    if (bound->shape.rank < 0 || bound->shape.rank > FERRY_MAX_RANK)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s': the shape given has no rank", name);
    if (shape->rank < 0) {
        *shape = ferry_shape_of(bound->shape.rank, bound->shape.dims);
        for (int32_t d = 0; d < shape->rank; d++) shape->dims[d] = FERRY_DIM_UNKNOWN;
    }
    if (shape->rank != bound->shape.rank)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s' has %d dimensions in the model, %d were given",
                          name, shape->rank, bound->shape.rank);
    for (int32_t d = 0; d < shape->rank; d++) FERRY_TRY(bind_dim(w, name, shape, d, bound->shape.dims[d], sizes, err));
    return FERRY_OK;
}

static ferry_status bind_inputs(walk *w, const ferry_input_shape *bound, size_t n_bound, ferry_error *err)
{
    const ferry_graph *g = w->graph;
    int64_t *sizes = ferry_arena_alloc_array(&w->arena, g->n_symbols, sizeof *sizes);
    if (!sizes) return ferry_fail_memory(err, "shape inference");
    for (size_t i = 0; i < g->n_symbols; i++) sizes[i] = -1;
    for (size_t i = 0; i < n_bound; i++) FERRY_TRY(bind_input(w, &bound[i], sizes, err));
    for (size_t i = 0; i < g->n_inputs; i++) {
        ferry_shape *shape = &w->shapes[g->inputs[i]];
        const char *name = g->values[g->inputs[i]].name;
        for (int32_t d = 0; d < shape->rank; d++) {
            const int32_t symbol = shape->symbols[d];
            if (shape->dims[d] < 0 && symbol >= 0 && (size_t)symbol < g->n_symbols && sizes[symbol] >= 0) {
                shape->dims[d] = sizes[symbol];
                shape->symbols[d] = FERRY_NO_SYMBOL;
            }
        }
        size_t bytes = 0;
        char text[160];
        ferry_shape_text(g, shape, text, sizeof text);
        if (ferry_shape_is_known(shape) && !ferry_shape_bytes(shape, w->dtypes[g->inputs[i]], &bytes))
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s' of shape %s is larger than 2^47 bytes", name,
                              text);
        if (w->require_known && !ferry_shape_is_known(shape)) {
            char subject[300];
            snprintf(subject, sizeof subject, "input '%.280s'", name);
            ferry_report_add(w->report, FERRY_SEVERITY_ERROR, subject,
                             "its shape is %s: give a size for every dimension", text);
            w->failed[g->inputs[i]] = w->bad = true;
        }
    }
    return FERRY_OK;
}

// --- Nodes ---------------------------------------------------------------------------------------------------------

// Copies what is known of the inputs into the node's arrays. False when an input comes from a node that failed.
static bool gather_inputs(walk *w, const ferry_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        w->in_known[i] = (ferry_known){0};
        w->in_shapes[i] = ferry_shape_unknown();
        w->in_dtypes[i] = FERRY_DTYPE_NONE;
        w->in_bounded[i] = false;
        if (v != FERRY_NO_VALUE) {
            if (w->failed[v]) return false;
            w->in_known[i] = w->known[v];
            w->in_shapes[i] = w->shapes[v];
            w->in_dtypes[i] = w->dtypes[v];
            w->in_bounded[i] = w->bounded[v];
        }
        const bool partial = w->in_known[i].mask != NULL;
        const ferry_tensor none = {0};
        w->in_data[i] = partial ? none : w->in_known[i].tensor;
        w->in_partial[i] = partial ? w->in_known[i].tensor : none;
        w->in_masks[i] = w->in_known[i].mask;
    }
    for (int32_t o = 0; o < node->n_outputs; o++) {
        w->out_shapes[o] = ferry_shape_unknown();
        w->out_dtypes[o] = FERRY_DTYPE_NONE;
    }
    return true;
}

static ferry_status check_output(walk *w, const ferry_node *node, int32_t o, ferry_error *err)
{
    ferry_shape *shape = &w->out_shapes[o];
    const char *name = w->graph->values[node->outputs[o]].name;
    if (w->out_dtypes[o] == FERRY_DTYPE_NONE)
        return ferry_fail(err, FERRY_ERR_INTERNAL, "no element type was found for the output '%s'", name);
    if (shape->rank > FERRY_MAX_RANK)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "output '%s' has %d dimensions, at most %d can be handled", name,
                          shape->rank, FERRY_MAX_RANK);
    for (int32_t d = 0; d < shape->rank; d++) {
        if (shape->dims[d] < 0 && shape->dims[d] != FERRY_DIM_UNKNOWN)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %d of the output '%s' would be %" PRId64, d, name,
                              shape->dims[d]);
        if (shape->dims[d] >= 0) shape->symbols[d] = FERRY_NO_SYMBOL;
    }
    size_t bytes = 0;
    if (ferry_shape_is_known(shape) && !ferry_shape_bytes(shape, w->out_dtypes[o], &bytes)) {
        char text[200];
        ferry_shape_text(w->graph, shape, text, sizeof text);
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "output '%s' of shape %s would be larger than 2^47 bytes", name,
                          text);
    }
    if (w->require_known && !ferry_shape_is_known(shape)) {
        char text[200];
        ferry_shape_text(w->graph, shape, text, sizeof text);
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "the shape of its output '%s' (%s) depends on data and cannot be told before running", name,
                          text);
    }
    return FERRY_OK;
}

static ferry_status infer_outputs(walk *w, const ferry_node *node, bool *bounded, ferry_error *err)
{
    ferry_infer infer = {.graph = w->graph,
                         .node = node,
                         .in_shapes = w->in_shapes,
                         .in_dtypes = w->in_dtypes,
                         .in_data = w->in_data,
                         .in_partial = w->in_partial,
                         .in_known = w->in_masks,
                         .out_shapes = w->out_shapes,
                         .out_dtypes = w->out_dtypes};
    if (!node->op->infer)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "operator %s has no shape inference", node->op->name);
    FERRY_TRY(node->op->infer(&infer, err));
    *bounded = infer.bounded;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (w->in_bounded[i] && !(node->op->flags & FERRY_OP_SHAPE_ONLY)) *bounded = true;
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] != FERRY_NO_VALUE) FERRY_TRY(check_output(w, node, o, err));
    const ferry_known_node what = {.node = node,
                                   .in_shapes = w->in_shapes,
                                   .in_dtypes = w->in_dtypes,
                                   .in_bounded = w->in_bounded,
                                   .in = w->in_known,
                                   .out_shapes = w->out_shapes,
                                   .out_dtypes = w->out_dtypes};
    return ferry_known_propagate(&what, w->out_known, &w->arena, err);
}

static void keep_outputs(walk *w, const ferry_node *node, bool bounded)
{
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const ferry_value_id v = node->outputs[o];
        if (v == FERRY_NO_VALUE) continue;
        w->shapes[v] = w->out_shapes[o];
        w->dtypes[v] = w->out_dtypes[o];
        w->bounded[v] = bounded;
        w->known[v] = w->out_known[o];
        if (!w->known[v].tensor.data) continue;
        // The kernel has seen the data: its dimensions are the real ones where inference could only bound them.
        w->bounded[v] = false;
        if (!w->known[v].mask) w->shapes[v] = ferry_shape_of(w->known[v].tensor.rank, w->known[v].tensor.dims);
    }
}

static ferry_status infer_node(walk *w, const ferry_node *node, ferry_error *err)
{
    bool bounded = false;
    ferry_error reason = {{0}};
    ferry_status s = FERRY_ERR_BAD_MODEL;
    const bool ready = gather_inputs(w, node); // else the reason was reported where it arose
    if (ready) s = infer_outputs(w, node, &bounded, &reason);
    if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail_memory(err, "shape inference");
    if (s == FERRY_OK) {
        keep_outputs(w, node, bounded);
        return FERRY_OK;
    }
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] != FERRY_NO_VALUE) w->failed[node->outputs[o]] = true;
    if (!ready) return FERRY_OK;
    char subject[300];
    ferry_node_label(node, subject, sizeof subject);
    ferry_report_add(w->report, FERRY_SEVERITY_ERROR, subject, "%s", reason.text);
    if (s == FERRY_ERR_UNSUPPORTED)
        w->unsupported = true;
    else
        w->bad = true;
    return FERRY_OK;
}

static ferry_status walk_graph(walk *w, const ferry_input_shape *bound, size_t n_bound, ferry_error *err)
{
    FERRY_TRY(bind_inputs(w, bound, n_bound, err));
    for (size_t n = 0; n < w->graph->n_nodes; n++)
        if (w->graph->nodes[n].op) FERRY_TRY(infer_node(w, &w->graph->nodes[n], err));
    if (!w->bad && !w->unsupported) return FERRY_OK;
    return ferry_report_status(w->report, w->bad ? FERRY_ERR_BAD_MODEL : FERRY_ERR_UNSUPPORTED, err);
}

// --- Entrances -----------------------------------------------------------------------------------------------------

static bool is_finding(ferry_status s)
{
    return s == FERRY_OK || s == FERRY_ERR_BAD_MODEL || s == FERRY_ERR_UNSUPPORTED;
}

ferry_status ferry_graph_infer(ferry_graph *graph, const ferry_input_shape *bound, size_t n_bound, bool require_known,
                               ferry_report *report, ferry_error *err)
{
    ferry_report own;
    ferry_report_init(&own, graph->heap);
    walk w;
    ferry_status s = walk_init(&w, graph, report ? report : &own, graph->heap, err);
    w.require_known = require_known;
    if (s == FERRY_OK) {
        s = walk_graph(&w, bound, n_bound, err);
        for (size_t v = 0; is_finding(s) && v < graph->n_values; v++) {
            graph->values[v].shape = w.shapes[v];
            graph->values[v].dtype = w.dtypes[v];
        }
    }
    ferry_arena_deinit(&w.arena);
    ferry_report_deinit(&own);
    return s;
}

ferry_status ferry_graph_infer_shapes(const ferry_graph *graph, const ferry_input_shape *bound, size_t n_bound,
                                      ferry_shape *out_shapes, bool *out_bounded, const ferry_heap *heap,
                                      ferry_report *report, ferry_error *err)
{
    heap = ferry_heap_or_default(heap);
    ferry_report own;
    ferry_report_init(&own, heap);
    walk w;
    ferry_status s = walk_init(&w, graph, report ? report : &own, heap, err);
    if (s == FERRY_OK) {
        s = walk_graph(&w, bound, n_bound, err);
        if (is_finding(s) && graph->n_values) {
            memcpy(out_shapes, w.shapes, graph->n_values * sizeof *out_shapes);
            if (out_bounded) memcpy(out_bounded, w.bounded, graph->n_values * sizeof *out_bounded);
        }
    }
    ferry_arena_deinit(&w.arena);
    ferry_report_deinit(&own);
    return s;
}

ferry_status ferry_node_eval(const ferry_graph *graph, const ferry_node *node, const ferry_tensor *in,
                             ferry_tensor *out, ferry_arena *arena, ferry_error *err)
{
    const size_t ins = (size_t)node->n_inputs, outs = (size_t)node->n_outputs;
    ferry_shape *in_shapes = ferry_arena_alloc_array(arena, ins, sizeof *in_shapes);
    ferry_dtype *in_dtypes = ferry_arena_alloc_array(arena, ins, sizeof *in_dtypes);
    ferry_tensor *in_partial = ferry_arena_alloc_array(arena, ins, sizeof *in_partial);
    const bool **in_known = ferry_arena_alloc_array(arena, ins, sizeof *in_known);
    ferry_shape *out_shapes = ferry_arena_alloc_array(arena, outs, sizeof *out_shapes);
    ferry_dtype *out_dtypes = ferry_arena_alloc_array(arena, outs, sizeof *out_dtypes);
    if (!in_shapes || !in_dtypes || !in_partial || !in_known || !out_shapes || !out_dtypes)
        return ferry_fail_memory(err, "evaluating a node");
    for (size_t i = 0; i < ins; i++) {
        in_dtypes[i] = in[i].dtype;
        in_shapes[i] = in[i].dtype == FERRY_DTYPE_NONE ? ferry_shape_unknown() : ferry_shape_of(in[i].rank, in[i].dims);
    }
    for (size_t o = 0; o < outs; o++) out_shapes[o] = ferry_shape_unknown();
    ferry_infer infer = {.graph = graph,
                         .node = node,
                         .in_shapes = in_shapes,
                         .in_dtypes = in_dtypes,
                         .in_data = in,
                         .in_partial = in_partial,
                         .in_known = in_known,
                         .out_shapes = out_shapes,
                         .out_dtypes = out_dtypes};
    if (!node->op->infer)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "operator %s has no shape inference", node->op->name);
    FERRY_TRY(node->op->infer(&infer, err));
    for (size_t o = 0; o < outs; o++) {
        out[o] = (ferry_tensor){0};
        if (node->outputs[o] == FERRY_NO_VALUE) continue;
        if (!ferry_shape_is_known(&out_shapes[o]) || out_dtypes[o] == FERRY_DTYPE_NONE)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "the shape of output %zu is not decided by its inputs", o);
        out[o].dtype = out_dtypes[o];
        out[o].rank = out_shapes[o].rank;
        memcpy(out[o].dims, out_shapes[o].dims, sizeof out[o].dims);
    }
    return ferry_node_run_reference(node, in, out, arena, err);
}
