// SPDX-License-Identifier: Apache-2.0
// Lowering: a copy of the graph in which every node reads and writes what the numeric plan says.
#include "passes/lower.h"

#include <string.h>

#include "ops/infer.h"
#include "passes/lowering.h"

static ferry_value_id *form_slot(ferry_lowering *l, ferry_value_id value, ferry_dtype dtype)
{
    ferry_forms *f = &l->forms[value];
    switch (dtype) {
    case FERRY_F32:
        return &f->as[FERRY_FORM_F32];
    case FERRY_F16:
        return &f->as[FERRY_FORM_F16];
    case FERRY_BF16:
        return &f->as[FERRY_FORM_BF16];
    case FERRY_S8:
        return &f->as[FERRY_FORM_S8];
    default:
        return NULL;
    }
}

// Every real tensor gets its stored form. Where a graph output is stored in another type than the model's, the stored
// form is a new tensor: the output itself, with its name, comes from a conversion.
static ferry_status place_values(ferry_lowering *l, ferry_error *err)
{
    for (size_t v = 0; v < l->graph->n_values; v++) {
        const ferry_value *value = &l->graph->values[v];
        for (int f = 0; f < FERRY_FORM_COUNT; f++) l->forms[v].as[f] = l->forms[v].rounded[f] = FERRY_NO_VALUE;
        l->out->values[v].quant = (ferry_quant){0}; // hints have become decisions
        if (!ferry_rewrite_is_real(value->dtype)) continue;
        const bool given = value->is_input || ferry_value_is_constant(value);
        const ferry_dtype stored = given ? value->dtype : l->plan->values[v].dtype;
        ferry_value_id *slot = form_slot(l, (ferry_value_id)v, stored);
        if (!slot)
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: tensor '%s' as %s", value->name,
                              ferry_dtype_name(stored));
        *slot = (ferry_value_id)v;
        if (value->is_output && !given && (stored != value->dtype || ferry_lowering_rounds(l, (ferry_value_id)v))) {
            FERRY_TRY(ferry_graph_add_value(l->out, value->name, stored, &value->shape, slot, err));
            ferry_node *producer = &l->out->nodes[value->producer];
            for (int32_t o = 0; o < producer->n_outputs; o++)
                if (producer->outputs[o] == (ferry_value_id)v) producer->outputs[o] = *slot;
            l->out->values[*slot].producer = value->producer;
            l->out->values[v].producer = FERRY_NO_NODE;
        }
        l->out->values[*slot].dtype = stored;
        if (stored != FERRY_S8) continue;
        ferry_grid grid;
        FERRY_TRY(ferry_lowering_grid(l, (ferry_value_id)v, &grid, err));
        FERRY_TRY(ferry_lowering_set_grid(l, *slot, &grid, err));
    }
    return FERRY_OK;
}

static ferry_status lower_float_node(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_node *node = &l->graph->nodes[id];
    const ferry_dtype precision = l->plan->nodes[id].precision;
    const uint32_t mask = ferry_float_inputs(node);
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id x = node->inputs[i];
        if (x == FERRY_NO_VALUE || !ferry_rewrite_is_real(l->graph->values[x].dtype)) continue;
        if (node->op->flags & FERRY_OP_SHAPE_ONLY) { // any form has the shape: none is converted for it
            const ferry_dtype stored = l->graph->values[x].is_input || ferry_rewrite_is_constant(l->graph, x)
                                           ? l->graph->values[x].dtype
                                           : l->plan->values[x].dtype;
            l->out->nodes[id].inputs[i] = *form_slot(l, x, stored);
            continue;
        }
        const bool follows = precision != FERRY_DTYPE_NONE && ferry_float_input(mask, i);
        ferry_value_id form = FERRY_NO_VALUE;
        FERRY_TRY(ferry_lowering_form(l, x, follows ? precision : l->graph->values[x].dtype, &form, err));
        l->out->nodes[id].inputs[i] = form;
    }
    return FERRY_OK;
}

static ferry_status finish_outputs(ferry_lowering *l, ferry_error *err)
{
    for (size_t i = 0; i < l->graph->n_outputs; i++) {
        const ferry_value_id v = l->graph->outputs[i];
        const ferry_value *value = &l->graph->values[v];
        if (!ferry_rewrite_is_real(value->dtype) || l->out->values[v].producer != FERRY_NO_NODE || value->is_input ||
            ferry_value_is_constant(value))
            continue;
        ferry_value_id form = FERRY_NO_VALUE;
        FERRY_TRY(ferry_lowering_form(l, v, value->dtype, &form, err));
        // The conversion writes the output itself.
        const ferry_node_id maker = l->out->values[form].producer;
        l->out->nodes[maker].outputs[0] = v;
        l->out->values[v].producer = maker;
        l->out->values[v].dtype = value->dtype;
        for (size_t n = 0; n < l->out->n_nodes; n++)
            for (int32_t k = 0; k < l->out->nodes[n].n_inputs; k++)
                if (l->out->nodes[n].inputs[k] == form) l->out->nodes[n].inputs[k] = v;
        *form_slot(l, v, value->dtype) = v;
    }
    return FERRY_OK;
}

// What inference finds must be what the plan says: a plan from a file is checked here for good.
static ferry_status check_types(ferry_lowering *l, ferry_dtype *expected, size_t count, ferry_error *err)
{
    for (size_t v = 0; v < count; v++)
        if (expected[v] != FERRY_DTYPE_NONE && l->out->values[v].dtype != expected[v])
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: tensor '%s' comes out as %s, not %s",
                              l->out->values[v].name, ferry_dtype_name(l->out->values[v].dtype),
                              ferry_dtype_name(expected[v]));
    return FERRY_OK;
}

static ferry_status settle(ferry_lowering *l, ferry_report *report, ferry_error *err)
{
    FERRY_TRY(ferry_graph_compact(l->out, err));
    ferry_dtype *expected = ferry_arena_alloc_array(&l->scratch, l->out->n_values + 1, sizeof *expected);
    if (!expected) return ferry_fail_memory(err, "lowering");
    for (size_t v = 0; v < l->out->n_values; v++) expected[v] = l->out->values[v].dtype;
    FERRY_TRY(ferry_graph_infer(l->out, NULL, 0, false, report, err));
    FERRY_TRY(check_types(l, expected, l->out->n_values, err));
    return ferry_graph_verify(l->out, report, err);
}

static ferry_status lower(ferry_lowering *l, ferry_report *report, ferry_error *err)
{
    const ferry_graph *g = l->graph;
    if (l->plan->n_nodes != g->n_nodes || l->plan->n_values != g->n_values)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the numeric plan belongs to another graph");
    l->forms = ferry_arena_alloc_array(&l->scratch, g->n_values + 1, sizeof *l->forms);
    if (!l->forms) return ferry_fail_memory(err, "lowering");
    FERRY_TRY(ferry_graph_copy(g, l->out, err));
    FERRY_TRY(place_values(l, err));
    for (size_t n = 0; n < g->n_nodes; n++) {
        const ferry_status s = l->plan->nodes[n].precision == FERRY_S8
                                   ? ferry_lowering_int8_node(l, (ferry_node_id)n, err)
                                   : lower_float_node(l, (ferry_node_id)n, err);
        if (s != FERRY_OK) return ferry_within(err, s, "node '%s' (%s)", g->nodes[n].name, g->nodes[n].op->name);
    }
    FERRY_TRY(finish_outputs(l, err));
    return settle(l, report, err);
}

ferry_status ferry_lower(const ferry_graph *graph, const ferry_numeric_plan *plan, ferry_graph *out,
                         ferry_report *report, ferry_error *err)
{
    ferry_report own;
    ferry_report_init(&own, graph->heap);
    *out = (ferry_graph){0};
    ferry_lowering l = {.graph = graph, .plan = plan, .out = out};
    for (size_t i = 0; i < FERRY_COUNT_OF(l.zeros); i++) l.zeros[i] = FERRY_NO_VALUE;
    ferry_arena_init(&l.scratch, graph->heap);
    ferry_status s = lower(&l, report ? report : &own, err);
    ferry_arena_deinit(&l.scratch);
    ferry_report_deinit(&own);
    if (s == FERRY_OK) return s;
    ferry_graph_deinit(out);
    *out = (ferry_graph){0};
    return ferry_within(err, s, "lowering");
}
