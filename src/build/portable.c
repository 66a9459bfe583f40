// SPDX-License-Identifier: Apache-2.0
// From the imported graph to the portable one: shapes, passes, numeric plan, lowering.
#include <stdio.h>
#include <string.h>

#include "build/internal.h"
#include "passes/lower.h"
#include "passes/pass.h"
#include "passes/precision.h"

// What inputs are inside the portable graph: fixed dimensions, the others open.
static ferry_status set_shapes(ferry_building *b, ferry_graph *graph, ferry_error *err)
{
    ferry_input_shape *bound = ferry_arena_alloc_array(&b->arena, graph->n_inputs, sizeof *bound);
    if (!bound) return ferry_fail_memory(err, "shapes");
    bool all_fixed = true;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        ferry_shape shape = b->profiles[i].opt;
        const ferry_shape *own = &graph->values[graph->inputs[i]].shape;
        for (int32_t d = 0; d < shape.rank; d++) {
            if (b->profiles[i].min.dims[d] == b->profiles[i].max.dims[d]) continue;
            shape.dims[d] = FERRY_DIM_UNKNOWN;
            if (own->rank == shape.rank) shape.symbols[d] = own->symbols[d];
            all_fixed = false;
        }
        bound[i] = (ferry_input_shape){graph->inputs[i], shape};
        graph->values[graph->inputs[i]].shape = shape;
    }
    const ferry_status s = ferry_graph_infer(graph, bound, graph->n_inputs, all_fixed, &b->report, err);
    return ferry_building_tell(b, s, err);
}

// Two tensors cannot have one name. A constant gives its own away; an input keeps it, as what binds it must be found.
static ferry_status name_output(ferry_graph *graph, ferry_value_id from, ferry_value_id to, ferry_error *err)
{
    const char *name = graph->values[from].name, *other = NULL;
    const bool constant = ferry_value_is_constant(&graph->values[from]);
    for (int i = 1; !other || ferry_graph_find_value(graph, other) != FERRY_NO_VALUE; i++) {
        const char *kind = constant ? "constant" : "output";
        other = i == 1 ? ferry_arena_printf(&graph->arena, "%s_%s", name, kind)
                       : ferry_arena_printf(&graph->arena, "%s_%s%d", name, kind, i);
        if (!other) return ferry_fail_memory(err, "a name");
    }
    if (!constant) return ferry_graph_rename_value(graph, to, other, err);
    FERRY_TRY(ferry_graph_rename_value(graph, from, other, err));
    return ferry_graph_rename_value(graph, to, name, err);
}

// A value that is an output without a node behind it (an input or a constant handed through) gets one: engines copy
// outputs from what nodes make.
static ferry_status make_outputs(ferry_graph *graph, ferry_error *err)
{
    const ferry_op *identity = ferry_op_find("", "Identity");
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const ferry_value_id from = graph->outputs[i];
        if (graph->values[from].producer != FERRY_NO_NODE) continue;
        ferry_value_id to = FERRY_NO_VALUE;
        const ferry_shape shape = graph->values[from].shape;
        FERRY_TRY(ferry_graph_add_value(graph, NULL, graph->values[from].dtype, &shape, &to, err));
        FERRY_TRY(
            ferry_graph_add_node(graph, identity, graph->values[from].name, &from, 1, &to, 1, NULL, 0, NULL, err));
        FERRY_TRY(name_output(graph, from, to, err));
        graph->outputs[i] = to;
        graph->values[to].is_output = true;
        graph->values[from].is_output = false;
    }
    return FERRY_OK;
}

static ferry_status choose_precision(ferry_building *b, const ferry_graph *graph, const ferry_scale_table *scales,
                                     ferry_numeric_plan *out, ferry_error *err)
{
    const ferry_build_options *o = &b->options;
    if (o->numeric_plan) return ferry_numeric_plan_read(o->numeric_plan, strlen(o->numeric_plan), graph, out, err);
    const char **rules = ferry_arena_alloc_array(&b->arena, o->n_layer_precisions, sizeof *rules);
    if (!rules) return ferry_fail_memory(err, "precisions");
    for (size_t i = 0; i < o->n_layer_precisions; i++) {
        rules[i] =
            ferry_arena_printf(&b->arena, "%s=%s", o->layer_precisions[i].glob, o->layer_precisions[i].precision);
        if (!rules[i]) return ferry_fail_memory(err, "precisions");
    }
    const ferry_precision_options options = {
        .int8 = (o->precisions & FERRY_PRECISION_INT8) != 0,
        .fp16 = (o->precisions & FERRY_PRECISION_FP16) != 0,
        .bf16 = (o->precisions & FERRY_PRECISION_BF16) != 0,
        .rules = rules,
        .n_rules = o->n_layer_precisions,
        .scales = scales ? scales->entries : NULL,
        .n_scales = scales ? scales->count : 0,
        .zero_points = !o->int8_symmetric,
        .guard = !ferry_building_has_guard(b)                            ? FERRY_DTYPE_NONE
                 : b->runtime->infos[0].fast_dtypes & (1u << FERRY_BF16) ? FERRY_BF16
                                                                         : FERRY_F32,
        .ranges = b->ranges ? b->ranges->entries : NULL,
        .n_ranges = b->ranges ? b->ranges->count : 0,
    };
    return ferry_numeric_plan_choose(graph, &options, out, &b->report, err);
}

static ferry_status lower(ferry_building *b, const ferry_graph *graph, const ferry_scale_table *scales,
                          ferry_graph *out, const char **out_plan_text, ferry_error *err)
{
    ferry_numeric_plan plan = {0};
    ferry_status s = choose_precision(b, graph, scales, &plan, err);
    s = ferry_building_tell(b, s, err);
    if (s == FERRY_OK) s = ferry_numeric_plan_write(&plan, graph, &b->arena, out_plan_text, err);
    if (s == FERRY_OK) s = ferry_building_tell(b, ferry_lower(graph, &plan, out, &b->report, err), err);
    ferry_numeric_plan_deinit(&plan);
    return s;
}

// Lowering may leave conversions behind that nothing reads any more; kernels need not know of outputs without a use.
static ferry_status remove_dead(ferry_graph *graph, ferry_error *err)
{
    ferry_arena scratch;
    ferry_arena_init(&scratch, graph->heap);
    int32_t *uses = ferry_arena_alloc_array(&scratch, graph->n_values, sizeof *uses);
    ferry_status s = uses ? FERRY_OK : ferry_fail_memory(err, "dead nodes");
    for (size_t i = 0; s == FERRY_OK && i < graph->n_outputs; i++) uses[graph->outputs[i]]++;
    for (size_t n = 0; s == FERRY_OK && n < graph->n_nodes; n++)
        for (int32_t i = 0; i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] != FERRY_NO_VALUE) uses[graph->nodes[n].inputs[i]]++;
    for (size_t n = graph->n_nodes; s == FERRY_OK && n-- > 0;) {
        const ferry_node *node = &graph->nodes[n];
        int32_t used = 0;
        for (int32_t i = 0; i < node->n_outputs; i++)
            used += node->outputs[i] != FERRY_NO_VALUE ? uses[node->outputs[i]] : 0;
        if (used) continue;
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE) uses[node->inputs[i]]--;
        ferry_graph_remove_node(graph, (ferry_node_id)n);
    }
    ferry_arena_deinit(&scratch);
    return s == FERRY_OK ? ferry_graph_compact(graph, err) : s;
}

// Without INT8, Q/DQ pairs are arithmetic like any other and run as ONNX defines them: turning them into scales that
// nothing uses would change the numbers.
static ferry_status list_disabled(ferry_building *b, ferry_passes_options *out, ferry_error *err)
{
    const ferry_build_options *o = &b->options;
    const bool int8 =
        (o->precisions & FERRY_PRECISION_INT8) || (o->numeric_plan && strstr(o->numeric_plan, "\"int8\""));
    const char **names = ferry_arena_alloc_array(&b->arena, o->n_disabled_passes + 1, sizeof *names);
    if (!names) return ferry_fail_memory(err, "passes");
    if (o->n_disabled_passes) memcpy(names, o->disabled_passes, o->n_disabled_passes * sizeof *names);
    names[o->n_disabled_passes] = "qdq";
    *out = (ferry_passes_options){.disabled = names, .n_disabled = o->n_disabled_passes + !int8};
    return FERRY_OK;
}

ferry_status ferry_building_portable(ferry_building *b, const ferry_scale_table *scales, ferry_graph *out,
                                     const char **out_plan_text, ferry_error *err)
{
    ferry_graph graph = {0};
    *out_plan_text = NULL;
    *out = (ferry_graph){0};
    ferry_status s = ferry_graph_copy(&b->network->graph, &graph, err);
    if (s == FERRY_OK) s = set_shapes(b, &graph, err);
    if (b->options.no_fusion) {
        if (s == FERRY_OK) s = make_outputs(&graph, err);
        if (s == FERRY_OK) s = remove_dead(&graph, err);
        if (s == FERRY_OK) {
            *out = graph;
            return s;
        }
    } else {
        ferry_passes_options options;
        if (s == FERRY_OK) s = list_disabled(b, &options, err);
        if (s == FERRY_OK) s = ferry_passes_run(&graph, &options, b->options.logger, err);
        if (s == FERRY_OK) s = lower(b, &graph, scales, out, out_plan_text, err);
        if (s == FERRY_OK) s = make_outputs(out, err);
        if (s == FERRY_OK) s = remove_dead(out, err);
        if (s != FERRY_OK) ferry_graph_deinit(out);
    }
    ferry_graph_deinit(&graph);
    return s;
}
