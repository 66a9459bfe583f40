// SPDX-License-Identifier: Apache-2.0
// Turns the chosen regions into steps on buffers: in topological order, with reformats and copies where neighbours
// disagree, views as aliases, and outputs in the memory of their inputs where both allow it.
#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "plan/assemble.h"
#include "plan/slice.h"

static ferry_tensor_layout fitting_layout(const ferry_graph *graph, ferry_value_id value, ferry_tensor_layout layout)
{
    return graph->values[value].shape.rank < 3 ? FERRY_LAYOUT_PLAIN : layout;
}

ferry_status ferry_assembler_add(ferry_assembler *a, ferry_plan_buffer buffer, ferry_buffer_id *out, ferry_error *err)
{
    void *buffers = a->buffers, *next = a->next_of_value;
    const size_t n = a->plan->n_buffers;
    const bool room = ferry_heap_reserve(a->p->heap, &buffers, &a->cap_buffers, sizeof buffer, n + 1);
    a->buffers = buffers;
    const bool room_next = room && ferry_heap_reserve(a->p->heap, &next, &a->cap_next, sizeof *a->next_of_value, n + 1);
    a->next_of_value = next;
    if (!room_next) return ferry_fail_memory(err, "a plan");
    a->buffers[n] = buffer;
    a->next_of_value[n] = a->first_of_value[buffer.value];
    a->first_of_value[buffer.value] = (ferry_buffer_id)n;
    a->plan->n_buffers++;
    *out = (ferry_buffer_id)n;
    return FERRY_OK;
}

static ferry_status add_step(ferry_assembler *a, ferry_plan_step step, int32_t in_place, ferry_error *err)
{
    void *steps = a->steps, *flags = a->in_place;
    const size_t n = a->plan->n_steps;
    const bool room = ferry_heap_reserve(a->p->heap, &steps, &a->cap_steps, sizeof step, n + 1);
    a->steps = steps;
    const bool room_flags =
        room && ferry_heap_reserve(a->p->heap, &flags, &a->cap_in_place, sizeof *a->in_place, n + 1);
    a->in_place = flags;
    if (!room_flags) return ferry_fail_memory(err, "a plan");
    a->steps[n] = step;
    a->in_place[n] = in_place;
    a->plan->n_steps++;
    return FERRY_OK;
}

// One that is no slice, if there is such a one.
ferry_buffer_id ferry_assembler_find(const ferry_assembler *a, ferry_value_id value, int32_t device, int32_t layout)
{
    ferry_buffer_id slice = FERRY_NO_BUFFER;
    for (ferry_buffer_id b = a->first_of_value[value]; b != FERRY_NO_BUFFER; b = a->next_of_value[b]) {
        if ((device >= 0 && a->buffers[b].device != device) ||
            (layout >= 0 && a->buffers[b].layout != (ferry_tensor_layout)layout))
            continue;
        if (!a->buffers[b].slice) return b;
        slice = b;
    }
    return slice;
}

ferry_status ferry_assembler_convert(ferry_assembler *a, ferry_step_kind kind, int32_t device, ferry_buffer_id from,
                                     ferry_buffer_id to, ferry_error *err)
{
    ferry_buffer_id *ends = ferry_arena_alloc_array(&a->plan->arena, 2, sizeof *ends);
    const char *name = ferry_arena_strdup(&a->plan->arena, a->p->graph->values[a->buffers[to].value].name);
    if (!ends || !name) return ferry_fail_memory(err, "a plan");
    ends[0] = from;
    ends[1] = to;
    const ferry_plan_step step = {.kind = kind,
                                  .device = device,
                                  .tactic = "",
                                  .name = name,
                                  .inputs = &ends[0],
                                  .outputs = &ends[1],
                                  .n_inputs = 1,
                                  .n_outputs = 1,
                                  .measured_us = -1};
    // Where both layouts are the same bytes, the step has nothing to do.
    return add_step(a, step, kind == FERRY_STEP_REFORMAT ? 1 : 0, err);
}

// Index of the binding for a graph output that is made right where the caller wants it, or -1.
static int32_t output_binding(const ferry_assembler *a, ferry_value_id value, int32_t device,
                              ferry_tensor_layout layout)
{
    if (device != 0 || layout != FERRY_LAYOUT_PLAIN) return -1;
    const ferry_graph *g = a->p->graph;
    for (size_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == value) return (int32_t)(g->n_inputs + i);
    return -1;
}

// Whether one of its buffers is the caller's memory.
static bool is_bound(const ferry_assembler *a, ferry_value_id value)
{
    ferry_buffer_id b = a->first_of_value[value];
    while (b != FERRY_NO_BUFFER && a->buffers[b].binding < 0) b = a->next_of_value[b];
    return b != FERRY_NO_BUFFER;
}

// A buffer of `value` on `device` in `layout`, converted from one that exists when there is none yet. slices: it may be
// a slice.
ferry_status ferry_assembler_need(ferry_assembler *a, ferry_value_id value, int32_t device, ferry_tensor_layout layout,
                                  bool slices, ferry_buffer_id *out, ferry_error *err)
{
    layout = fitting_layout(a->p->graph, value, layout);
    *out = ferry_assembler_find(a, value, device, (int32_t)layout);
    if (*out != FERRY_NO_BUFFER && (slices || !a->buffers[*out].slice)) return FERRY_OK;
    ferry_plan_buffer fresh = {.value = value,
                               .layout = layout,
                               .device = device,
                               .alias_of = FERRY_NO_BUFFER,
                               .binding = is_bound(a, value) ? -1 : output_binding(a, value, device, layout)};
    ferry_buffer_id from = ferry_assembler_find(a, value, device, -1);
    if (from != FERRY_NO_BUFFER) {
        FERRY_TRY(ferry_assembler_add(a, fresh, out, err));
        return ferry_assembler_convert(a, FERRY_STEP_REFORMAT, device, from, *out, err);
    }
    if (layout != FERRY_LAYOUT_PLAIN) { // copies between devices are plain
        FERRY_TRY(ferry_assembler_need(a, value, device, FERRY_LAYOUT_PLAIN, false, &from, err));
        FERRY_TRY(ferry_assembler_add(a, fresh, out, err));
        return ferry_assembler_convert(a, FERRY_STEP_REFORMAT, device, from, *out, err);
    }
    from = ferry_assembler_find(a, value, -1, -1);
    if (from == FERRY_NO_BUFFER)
        return ferry_fail(err, FERRY_ERR_INTERNAL, "value '%s' is read before it is made",
                          a->p->graph->values[value].name);
    const int32_t host = a->p->n_devices - 1;
    const int32_t made_on = a->buffers[from].device;
    // By way of the host, unless one of the two is the host.
    if (made_on != host && device != host) {
        FERRY_TRY(ferry_assembler_need(a, value, host, FERRY_LAYOUT_PLAIN, false, &from, err));
    } else if (a->buffers[from].layout != FERRY_LAYOUT_PLAIN) {
        FERRY_TRY(ferry_assembler_need(a, value, made_on, FERRY_LAYOUT_PLAIN, false, &from, err));
    }
    FERRY_TRY(ferry_assembler_add(a, fresh, out, err));
    const int32_t other = a->buffers[from].device == host ? device : a->buffers[from].device;
    return ferry_assembler_convert(a, FERRY_STEP_COPY, other, from, *out, err);
}

ferry_status ferry_assembler_finish_output(ferry_assembler *a, ferry_value_id value, ferry_buffer_id from,
                                           ferry_error *err)
{
    const ferry_graph *g = a->p->graph;
    if (!g->values[value].is_output || a->buffers[from].binding >= 0) return FERRY_OK;
    ferry_buffer_id plain = FERRY_NO_BUFFER, to = FERRY_NO_BUFFER;
    FERRY_TRY(ferry_assembler_need(a, value, 0, FERRY_LAYOUT_PLAIN, false, &plain, err));
    if (a->buffers[plain].binding >= 0) return FERRY_OK;
    const ferry_plan_buffer bound = {.value = value,
                                     .layout = FERRY_LAYOUT_PLAIN,
                                     .device = 0,
                                     .alias_of = FERRY_NO_BUFFER,
                                     .binding = output_binding(a, value, 0, FERRY_LAYOUT_PLAIN)};
    FERRY_TRY(ferry_assembler_add(a, bound, &to, err));
    return ferry_assembler_convert(a, FERRY_STEP_REFORMAT, 0, plain, to, err);
}

static ferry_status assemble_view(ferry_assembler *a, ferry_node_id id, ferry_error *err)
{
    const ferry_node *node = &a->p->graph->nodes[id];
    const ferry_value_id from = node->inputs[0], to = node->outputs[0];
    if (to == FERRY_NO_VALUE) return FERRY_OK;
    const ferry_buffer_id any = ferry_assembler_find(a, from, -1, -1);
    if (any == FERRY_NO_BUFFER)
        return ferry_fail(err, FERRY_ERR_INTERNAL, "node '%s' reads what nothing made", node->name);
    ferry_buffer_id source = FERRY_NO_BUFFER, view = FERRY_NO_BUFFER;
    FERRY_TRY(ferry_assembler_need(a, from, a->buffers[any].device, FERRY_LAYOUT_PLAIN, false, &source, err));
    const ferry_plan_buffer buffer = {.value = to,
                                      .layout = FERRY_LAYOUT_PLAIN,
                                      .device = a->buffers[source].device,
                                      .alias_of = source,
                                      .view = true,
                                      .binding = -1};
    FERRY_TRY(ferry_assembler_add(a, buffer, &view, err));
    return ferry_assembler_finish_output(a, to, view, err);
}

static const char *step_name(ferry_assembler *a, const ferry_candidate *c)
{
    const ferry_graph *g = a->p->graph;
    const char *name = NULL;
    for (int32_t i = 0; i < c->n_nodes; i++) {
        const ferry_node *node = &g->nodes[c->nodes[i]];
        const char *own = node->absorbed ? node->absorbed : node->name;
        name =
            name ? ferry_arena_printf(&a->plan->arena, "%s + %s", name, own) : ferry_arena_strdup(&a->plan->arena, own);
        if (!name) return NULL;
    }
    return name;
}

static int32_t in_place_inputs(const ferry_candidate *c, const ferry_region *region)
{
    if (c->flags & FERRY_OFFER_IN_PLACE_ANY) return region->n_inputs;
    return (c->flags & FERRY_OFFER_IN_PLACE) && region->n_inputs > 0 ? 1 : 0;
}

static ferry_status assemble_region(ferry_assembler *a, const ferry_candidate *c, ferry_error *err)
{
    ferry_planner *p = a->p;
    ferry_region region;
    FERRY_TRY(ferry_region_make(p->graph, p->view.user_offsets, p->view.users, c->nodes, c->n_nodes, &a->plan->arena,
                                &region, err));
    ferry_plan_step step = {
        .kind = FERRY_STEP_REGION,
        .device = c->device,
        .tactic = ferry_arena_strdup(&a->plan->arena, c->tactic),
        .name = step_name(a, c),
        .nodes = (ferry_node_id *)region.nodes,
        .n_nodes = region.n_nodes,
        .inputs = ferry_arena_alloc_array(&a->plan->arena, (size_t)region.n_inputs, sizeof *step.inputs),
        .outputs = ferry_arena_alloc_array(&a->plan->arena, (size_t)region.n_outputs, sizeof *step.outputs),
        .n_inputs = region.n_inputs,
        .n_outputs = region.n_outputs,
        .measured_us = c->measured ? c->cost_us : -1,
    };
    if (!step.tactic || !step.name || !step.inputs || !step.outputs) return ferry_fail_memory(err, "a plan");
    for (int32_t i = 0; i < region.n_inputs; i++)
        FERRY_TRY(ferry_assembler_need(a, region.inputs[i], c->device, c->in_layout,
                                       (c->flags & FERRY_OFFER_READS_SLICES) != 0, &step.inputs[i], err));
    for (int32_t i = 0; i < region.n_outputs; i++) {
        const ferry_value_id v = region.outputs[i];
        const ferry_tensor_layout layout = fitting_layout(p->graph, v, c->out_layout);
        ferry_plan_buffer buffer = {.value = v,
                                    .layout = layout,
                                    .device = c->device,
                                    .alias_of = FERRY_NO_BUFFER,
                                    .binding = output_binding(a, v, c->device, layout)};
        FERRY_TRY(ferry_assembler_lay_inside(a, &buffer, err));
        FERRY_TRY(ferry_assembler_add(a, buffer, &step.outputs[i], err));
    }
    FERRY_TRY(add_step(a, step, in_place_inputs(c, &region), err));
    for (int32_t i = 0; i < region.n_outputs; i++)
        FERRY_TRY(ferry_assembler_finish_output(a, region.outputs[i], step.outputs[i], err));
    return FERRY_OK;
}

// Regions whose inputs are all made, lowest last node first (Kahn's algorithm over regions).
static bool is_ready(const ferry_assembler *a, ferry_node_id root, const bool *done)
{
    const ferry_planner *p = a->p;
    const ferry_candidate *c = p->chosen[root] < 0 ? NULL : &p->candidates[root].items[p->chosen[root]];
    const ferry_node_id *nodes = c ? c->nodes : &root;
    const int32_t n = c ? c->n_nodes : 1;
    for (int32_t i = 0; i < n; i++) {
        const ferry_node *node = &p->graph->nodes[nodes[i]];
        for (int32_t k = 0; k < node->n_inputs; k++) {
            if (node->inputs[k] == FERRY_NO_VALUE) continue;
            const ferry_node_id producer = p->graph->values[node->inputs[k]].producer;
            if (producer != FERRY_NO_NODE && p->root[producer] != root && !done[p->root[producer]]) return false;
        }
    }
    return true;
}

static ferry_status assemble_root(ferry_assembler *a, ferry_node_id id, ferry_error *err)
{
    if (a->p->elided[id])
        return ferry_slice_is_join(a->p->graph, &a->p->graph->nodes[id]) ? ferry_assembler_join(a, id, err)
                                                                         : ferry_assembler_cut(a, id, err);
    return a->p->chosen[id] < 0 ? assemble_view(a, id, err)
                                : assemble_region(a, &a->p->candidates[id].items[a->p->chosen[id]], err);
}

static ferry_status assemble_steps(ferry_assembler *a, ferry_error *err)
{
    const ferry_graph *g = a->p->graph;
    bool *done = ferry_arena_alloc_array(&a->p->scratch, g->n_nodes, sizeof *done);
    if (!done) return ferry_fail_memory(err, "a plan");
    for (size_t i = 0; i < g->n_inputs; i++) {
        ferry_buffer_id b;
        const ferry_plan_buffer buffer = {.value = g->inputs[i], .alias_of = FERRY_NO_BUFFER, .binding = (int32_t)i};
        FERRY_TRY(ferry_assembler_add(a, buffer, &b, err));
    }
    // A region is nearly always ready when its last node's turn comes; the loop repeats for those that were not.
    for (bool progress = true, left = true; left;) {
        left = false;
        progress = false;
        for (ferry_node_id id = 0; (size_t)id < g->n_nodes; id++) {
            if (a->p->root[id] != id || done[id]) continue;
            if (!is_ready(a, id, done)) {
                left = true;
                continue;
            }
            FERRY_TRY(assemble_root(a, id, err));
            done[id] = progress = true;
        }
        if (left && !progress) return ferry_fail(err, FERRY_ERR_INTERNAL, "regions wait for each other");
    }
    return FERRY_OK;
}

// Whether step `at`, which may compute in place or changes a layout, finds `to` room in `from`: nothing else reads that
// memory later, and what is computed does not go to the caller's.
static bool fits_over(const ferry_assembler *a, size_t at, ferry_buffer_id from, ferry_buffer_id to,
                      const int32_t *last)
{
    const ferry_plan_buffer *buffers = a->plan->buffers;
    const ferry_buffer_id root = ferry_plan_root(a->plan, from);
    const ferry_value *v_from = &a->p->graph->values[buffers[from].value];
    const ferry_value *v_to = &a->p->graph->values[buffers[to].value];
    if (buffers[to].binding >= 0 || last[root] != (int32_t)at) return false;
    if (from >= to || buffers[from].slice || buffers[to].slice) return false;
    if (a->plan->steps[at].kind == FERRY_STEP_REFORMAT)
        return ferry_tensor_layouts_coincide(v_to->shape.rank, v_to->shape.dims);
    if (buffers[root].binding >= 0 || buffers[from].layout != buffers[to].layout) return false;
    return ferry_dtype_bytes(v_from->dtype) == ferry_dtype_bytes(v_to->dtype) &&
           ferry_shape_equal(&v_from->shape, &v_to->shape) && ferry_shape_is_known(&v_from->shape);
}

// Lets outputs share an input's memory where the kernel can.
static ferry_status share_memory(ferry_assembler *a, ferry_error *err)
{
    ferry_plan *plan = a->plan;
    int32_t *last = ferry_arena_alloc_array(&a->p->scratch, plan->n_buffers, sizeof *last);
    if (!last) return ferry_fail_memory(err, "a plan");
    for (size_t s = 0; s < plan->n_steps; s++)
        for (int32_t i = 0; i < plan->steps[s].n_inputs; i++)
            last[ferry_plan_root(plan, plan->steps[s].inputs[i])] = (int32_t)s;
    for (size_t s = 0; s < plan->n_steps; s++) {
        const ferry_plan_step *step = &plan->steps[s];
        if (step->n_outputs < 1) continue;
        const ferry_buffer_id to = step->outputs[0];
        for (int32_t i = 0; i < a->in_place[s]; i++) {
            const ferry_buffer_id from = step->inputs[i];
            if (!fits_over(a, s, from, to, last)) continue;
            last[ferry_plan_root(plan, from)] = last[to];
            plan->buffers[to].alias_of = from;
            break;
        }
    }
    return FERRY_OK;
}

ferry_status ferry_planner_assemble(ferry_planner *planner, ferry_plan *out, ferry_error *err)
{
    ferry_assembler a = {.p = planner, .plan = out};
    a.first_of_value = ferry_arena_alloc_array(&planner->scratch, planner->graph->n_values, sizeof *a.first_of_value);
    ferry_status s = a.first_of_value ? FERRY_OK : ferry_fail_memory(err, "a plan");
    for (size_t i = 0; s == FERRY_OK && i < planner->graph->n_values; i++) a.first_of_value[i] = FERRY_NO_BUFFER;
    if (s == FERRY_OK) s = assemble_steps(&a, err);
    if (s == FERRY_OK) {
        out->buffers = ferry_arena_copy(&out->arena, a.buffers, out->n_buffers * sizeof *a.buffers);
        out->steps = ferry_arena_copy(&out->arena, a.steps, out->n_steps * sizeof *a.steps);
        if (!out->buffers || !out->steps) s = ferry_fail_memory(err, "a plan");
    }
    if (s == FERRY_OK) s = share_memory(&a, err);
    ferry_heap_free(planner->heap, a.buffers, a.cap_buffers * sizeof *a.buffers);
    ferry_heap_free(planner->heap, a.steps, a.cap_steps * sizeof *a.steps);
    ferry_heap_free(planner->heap, a.in_place, a.cap_in_place * sizeof *a.in_place);
    ferry_heap_free(planner->heap, a.next_of_value, a.cap_next * sizeof *a.next_of_value);
    return s;
}
