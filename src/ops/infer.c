// SPDX-License-Identifier: Apache-2.0
// Shape inference over a whole graph: bind the inputs, then step through the nodes in order.
#include "ops/infer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ops/walk.h"

// --- Inputs --------------------------------------------------------------------------------------------------------

// A size for a dimension of an input, from the caller; `sizes` holds what each symbol is bound to, -1 if nothing yet.
static ferry_status bind_dim(ferry_infer_walk *w, const char *name, ferry_shape *shape, int32_t d, int64_t size,
                             int64_t *sizes, ferry_error *err)
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

static ferry_status bind_input(ferry_infer_walk *w, const ferry_input_shape *bound, int64_t *sizes, ferry_error *err)
{
    if (bound->value < 0 || (size_t)bound->value >= w->graph->n_values || !w->graph->values[bound->value].is_input)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "a shape was given for a value that is not an input");
    const char *name = w->graph->values[bound->value].name;
    ferry_shape *shape = &w->values[bound->value].shape;
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

static ferry_status bind_inputs(ferry_infer_walk *w, const ferry_input_shape *bound, size_t n_bound, ferry_error *err)
{
    const ferry_graph *g = w->graph;
    int64_t *sizes = ferry_arena_alloc_array(&w->arena, g->n_symbols, sizeof *sizes);
    if (!sizes) return ferry_fail_memory(err, "shape inference");
    for (size_t i = 0; i < g->n_symbols; i++) sizes[i] = -1;
    for (size_t i = 0; i < n_bound; i++) FERRY_TRY(bind_input(w, &bound[i], sizes, err));
    for (size_t i = 0; i < g->n_inputs; i++) {
        ferry_shape *shape = &w->values[g->inputs[i]].shape;
        const char *name = g->values[g->inputs[i]].name;
        for (int32_t d = 0; d < shape->rank; d++) {
            const int32_t symbol = shape->symbols[d];
            if (shape->dims[d] < 0 && symbol >= 0 && (size_t)symbol < g->n_symbols && sizes[symbol] >= 0) {
                shape->dims[d] = sizes[symbol];
                shape->symbols[d] = FERRY_NO_SYMBOL;
            }
        }
        char text[160];
        ferry_shape_text(g, shape, text, sizeof text);
        if (!ferry_shape_fits(shape, w->values[g->inputs[i]].dtype))
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s' of shape %s is larger than 2^47 bytes", name,
                              text);
        if (w->require_known && !ferry_shape_is_known(shape)) {
            char subject[300];
            snprintf(subject, sizeof subject, "input '%.280s'", name);
            ferry_report_add(w->report, FERRY_SEVERITY_ERROR, subject,
                             "its shape is %s: give a size for every dimension", text);
            w->values[g->inputs[i]].failed = w->bad = true;
        }
    }
    return FERRY_OK;
}

static ferry_status walk_graph(ferry_infer_walk *w, const ferry_input_shape *bound, size_t n_bound, ferry_error *err)
{
    FERRY_TRY(ferry_infer_walk_sync(w, err));
    FERRY_TRY(bind_inputs(w, bound, n_bound, err));
    for (size_t n = 0; n < w->graph->n_nodes; n++)
        if (w->graph->nodes[n].op) FERRY_TRY(ferry_infer_walk_step(w, &w->graph->nodes[n], err));
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
    ferry_infer_walk w;
    ferry_infer_walk_init(&w, graph, report ? report : &own, graph->heap);
    w.require_known = require_known;
    const ferry_status s = walk_graph(&w, bound, n_bound, err);
    for (size_t v = 0; is_finding(s) && v < graph->n_values; v++) {
        graph->values[v].shape = w.values[v].shape;
        graph->values[v].dtype = w.values[v].dtype;
    }
    ferry_infer_walk_deinit(&w);
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
    ferry_infer_walk w;
    ferry_infer_walk_init(&w, graph, report ? report : &own, heap);
    const ferry_status s = walk_graph(&w, bound, n_bound, err);
    for (size_t v = 0; is_finding(s) && v < graph->n_values; v++) {
        out_shapes[v] = w.values[v].shape;
        if (out_bounded) out_bounded[v] = w.values[v].bounded;
    }
    ferry_infer_walk_deinit(&w);
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
