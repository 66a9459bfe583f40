// SPDX-License-Identifier: Apache-2.0
// One step of shape inference: ask the node's operator, check its answer, follow shape arithmetic.
#include "ops/walk.h"

#include <inttypes.h>
#include <string.h>

void ferry_infer_walk_init(ferry_infer_walk *w, const ferry_graph *graph, ferry_report *report, const ferry_heap *heap)
{
    *w = (ferry_infer_walk){.graph = graph, .report = report};
    ferry_arena_init(&w->arena, heap);
}

void ferry_infer_walk_deinit(ferry_infer_walk *w)
{
    if (!w->arena.heap) return;
    ferry_heap_free(w->arena.heap, w->values, w->cap_values * sizeof *w->values);
    ferry_arena_deinit(&w->arena);
    *w = (ferry_infer_walk){0};
}

void ferry_infer_walk_refresh(ferry_infer_walk *w, ferry_value_id id)
{
    const ferry_value *value = &w->graph->values[id];
    // What a node makes is only told when the walk comes to that node.
    const bool given = value->data || value->producer == FERRY_NO_NODE;
    w->values[id] = (ferry_inferred){
        .shape = given ? value->shape : ferry_shape_unknown(),
        .dtype = given ? value->dtype : FERRY_DTYPE_NONE,
    };
    if (value->data) w->values[id].known.tensor = ferry_value_tensor(value);
}

ferry_status ferry_infer_walk_sync(ferry_infer_walk *w, ferry_error *err)
{
    void *values = w->values;
    if (!ferry_heap_reserve(w->arena.heap, &values, &w->cap_values, sizeof *w->values, w->graph->n_values))
        return ferry_fail_memory(err, "shape inference");
    w->values = values;
    for (; w->n_values < w->graph->n_values; w->n_values++) ferry_infer_walk_refresh(w, (ferry_value_id)w->n_values);
    return FERRY_OK;
}

void ferry_infer_walk_forget(ferry_infer_walk *w, size_t n_values)
{
    if (w->n_values > n_values) w->n_values = n_values;
    w->bad = w->unsupported = false;
}

// Room for a node's arrays. Outgrown arrays stay in the arena: sizes double, so that is at most as much again.
static bool make_room(ferry_infer_walk *w, const ferry_node *node)
{
    bool ok = true;
#define ROOM(member, count) (ok = ok && (w->member = ferry_arena_alloc_array(&w->arena, (count), sizeof *w->member)))
    if ((size_t)node->n_inputs > w->cap_ins || w->cap_ins == 0) {
        w->cap_ins = 2 * (size_t)node->n_inputs + 8;
        ROOM(in_shapes, w->cap_ins);
        ROOM(in_dtypes, w->cap_ins);
        ROOM(in_data, w->cap_ins);
        ROOM(in_partial, w->cap_ins);
        ROOM(in_masks, w->cap_ins);
        ROOM(in_known, w->cap_ins);
        ROOM(in_bounded, w->cap_ins);
    }
    if ((size_t)node->n_outputs > w->cap_outs || w->cap_outs == 0) {
        w->cap_outs = 2 * (size_t)node->n_outputs + 8;
        ROOM(out_shapes, w->cap_outs);
        ROOM(out_dtypes, w->cap_outs);
        ROOM(out_known, w->cap_outs);
    }
#undef ROOM
    return ok;
}

// Copies what is known of the inputs into the node's arrays. False when an input comes from a node that failed.
static bool gather_inputs(ferry_infer_walk *w, const ferry_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        w->in_known[i] = (ferry_known){0};
        w->in_shapes[i] = ferry_shape_unknown();
        w->in_dtypes[i] = FERRY_DTYPE_NONE;
        w->in_bounded[i] = false;
        if (v != FERRY_NO_VALUE) {
            if (w->values[v].failed) return false;
            w->in_known[i] = w->values[v].known;
            w->in_shapes[i] = w->values[v].shape;
            w->in_dtypes[i] = w->values[v].dtype;
            w->in_bounded[i] = w->values[v].bounded;
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

static ferry_status check_output(ferry_infer_walk *w, const ferry_node *node, int32_t o, ferry_error *err)
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
    if (!ferry_shape_fits(shape, w->out_dtypes[o])) {
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

static ferry_status infer_outputs(ferry_infer_walk *w, const ferry_node *node, bool *bounded, ferry_error *err)
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

static void keep_outputs(ferry_infer_walk *w, const ferry_node *node, bool bounded)
{
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const ferry_value_id v = node->outputs[o];
        if (v == FERRY_NO_VALUE) continue;
        w->values[v].shape = w->out_shapes[o];
        w->values[v].dtype = w->out_dtypes[o];
        w->values[v].bounded = bounded;
        w->values[v].known = w->out_known[o];
        if (!w->values[v].known.tensor.data) continue;
        // The kernel has seen the data: its dimensions are the real ones where inference could only bound them.
        w->values[v].bounded = false;
        if (!w->values[v].known.mask)
            w->values[v].shape = ferry_shape_of(w->values[v].known.tensor.rank, w->values[v].known.tensor.dims);
    }
}

ferry_status ferry_infer_walk_step(ferry_infer_walk *w, const ferry_node *node, ferry_error *err)
{
    FERRY_TRY(ferry_infer_walk_sync(w, err));
    if (!make_room(w, node)) return ferry_fail_memory(err, "shape inference");
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
        if (node->outputs[o] != FERRY_NO_VALUE) w->values[node->outputs[o]].failed = true;
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
