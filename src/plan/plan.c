// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include "plan/slice.h"

// What is known of a plan's buffers while its steps are gone through.
typedef struct made_buffers {
    bool *made;       // by the steps so far
    bool *over;       // computed over, in place, by another one
    bool **joined;    // of a buffer that consists of slices: which inputs of its Concat have a place; else NULL
    int32_t *missing; // of the same: inputs that are not there yet
} made_buffers;

void ferry_plan_init(ferry_plan *plan, const ferry_heap *heap)
{
    *plan = (ferry_plan){0};
    ferry_arena_init(&plan->arena, heap);
}

void ferry_plan_deinit(ferry_plan *plan)
{
    if (!plan->arena.heap) return;
    if (plan->packed_owned) ferry_heap_free(plan->arena.heap, (void *)plan->packed, plan->packed_bytes);
    if (plan->pictures_owned) ferry_heap_free(plan->arena.heap, (void *)plan->pictures, plan->pictures_bytes);
    ferry_arena_deinit(&plan->arena);
    *plan = (ferry_plan){0};
}

static ferry_status bad(ferry_error *err, size_t step, const char *what)
{
    return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan, step %zu: %s", step, what);
}

// What a step may touch: a device runs kernels on its own memory, conversions keep the value, and copies go between
// the host (the last device) and one other.
static ferry_status verify_places(const ferry_plan *plan, size_t at, ferry_error *err)
{
    const ferry_plan_step *step = &plan->steps[at];
    if (step->kind != FERRY_STEP_REGION) {
        const ferry_plan_buffer *from = &plan->buffers[step->inputs[0]], *to = &plan->buffers[step->outputs[0]];
        if (from->value != to->value) return bad(err, at, "converts one value to another");
        if (step->kind == FERRY_STEP_COPY) {
            const int32_t host = plan->n_devices - 1;
            const bool out = from->device == step->device && to->device == host;
            const bool in = from->device == host && to->device == step->device;
            if ((!in && !out) || step->device == host) return bad(err, at, "copies between the wrong devices");
            if (from->layout != to->layout || from->slice || to->slice)
                return bad(err, at, "a copy changes the layout");
            return FERRY_OK;
        }
    }
    for (int32_t i = 0; i < step->n_inputs; i++)
        if (plan->buffers[step->inputs[i]].device != step->device) return bad(err, at, "reads another device's memory");
    for (int32_t i = 0; i < step->n_outputs; i++)
        if (plan->buffers[step->outputs[i]].device != step->device)
            return bad(err, at, "writes another device's memory");
    return FERRY_OK;
}

static const ferry_node *maker_of(const ferry_graph *graph, ferry_value_id value)
{
    const ferry_node_id maker = graph->values[value].producer;
    return maker == FERRY_NO_NODE ? NULL : &graph->nodes[maker];
}

// Whether it is there, and what it lies in was not computed over.
static bool is_made(const ferry_plan *plan, const made_buffers *m, ferry_buffer_id buffer)
{
    ferry_buffer_id made = buffer;
    while (plan->buffers[made].view) made = plan->buffers[made].alias_of;
    for (ferry_buffer_id b = buffer; !m->over[b]; b = plan->buffers[b].alias_of)
        if (!plan->buffers[b].view && !plan->buffers[b].slice) return m->made[made];
    return false;
}

// A buffer that consists of slices is there when the last of them is.
static void note_made(const ferry_plan *plan, const ferry_graph *graph, made_buffers *m, ferry_buffer_id b)
{
    m->made[b] = true;
    for (; plan->buffers[b].slice && !plan->buffers[b].view; b = plan->buffers[b].alias_of) {
        const ferry_plan_buffer *slice = &plan->buffers[b], *whole = &plan->buffers[slice->alias_of];
        m->missing[slice->alias_of] -=
            ferry_slice_joined(graph, maker_of(graph, whole->value), slice->joined_at, slice->value);
        if (m->missing[slice->alias_of] > 0) return;
        m->made[slice->alias_of] = true;
    }
    if (plan->buffers[b].alias_of != FERRY_NO_BUFFER) m->over[plan->buffers[b].alias_of] = true;
}

static ferry_status verify_step(const ferry_plan *plan, const ferry_graph *graph, size_t at, made_buffers *m,
                                ferry_error *err)
{
    const ferry_plan_step *step = &plan->steps[at];
    if ((unsigned)step->kind > FERRY_STEP_COPY) return bad(err, at, "unknown kind");
    if (step->device < 0 || step->device >= plan->n_devices) return bad(err, at, "device out of range");
    if (!step->tactic || !step->name) return bad(err, at, "a name is missing");
    if (step->kind == FERRY_STEP_REGION ? step->n_nodes < 1
                                        : step->n_nodes != 0 || step->n_inputs != 1 || step->n_outputs != 1)
        return bad(err, at, "wrong number of nodes or buffers");
    if (step->packed_bytes > plan->packed_bytes || step->packed_offset > plan->packed_bytes - step->packed_bytes ||
        step->packed_offset % 64)
        return bad(err, at, "packed constants out of range");
    for (int32_t i = 0; i < step->n_nodes; i++)
        if (step->nodes[i] < 0 || (size_t)step->nodes[i] >= graph->n_nodes) return bad(err, at, "node out of range");
    for (int32_t i = 0; i < step->n_inputs; i++) {
        const ferry_buffer_id b = step->inputs[i];
        if (b < 0 || (size_t)b >= plan->n_buffers) return bad(err, at, "input buffer out of range");
        if (!is_made(plan, m, b)) return bad(err, at, "reads a buffer that no earlier step made");
    }
    for (int32_t i = 0; i < step->n_outputs; i++) {
        const ferry_buffer_id b = step->outputs[i];
        if (b < 0 || (size_t)b >= plan->n_buffers) return bad(err, at, "output buffer out of range");
        if (m->made[b] || m->joined[b] || plan->buffers[b].view)
            return bad(err, at, "makes a buffer that is made already");
        note_made(plan, graph, m, b);
    }
    return FERRY_OK;
}

// A region's buffers must be just those that its nodes read and make: kernels index bindings by this order.
static ferry_status verify_region(const ferry_plan *plan, const ferry_graph *graph, const int32_t *offsets,
                                  const ferry_node_id *users, size_t at, ferry_arena *scratch, ferry_error *err)
{
    const ferry_plan_step *step = &plan->steps[at];
    if (step->kind != FERRY_STEP_REGION) return FERRY_OK;
    ferry_region region;
    FERRY_TRY(ferry_region_make(graph, offsets, users, step->nodes, step->n_nodes, scratch, &region, err));
    if (region.n_inputs != step->n_inputs || region.n_outputs != step->n_outputs)
        return bad(err, at, "does not fit its nodes");
    for (int32_t i = 0; i < step->n_inputs; i++)
        if (plan->buffers[step->inputs[i]].value != region.inputs[i]) return bad(err, at, "an input is another value");
    for (int32_t i = 0; i < step->n_outputs; i++)
        if (plan->buffers[step->outputs[i]].value != region.outputs[i])
            return bad(err, at, "an output is another value");
    return FERRY_OK;
}

// A slice lies where the graph has it: among the channels of what it is cut from, or of what it is joined into, whose
// other inputs have places of their own.
static bool verify_slice(const ferry_plan *plan, const ferry_graph *graph, ferry_buffer_id b, made_buffers *m,
                         ferry_arena *scratch)
{
    const ferry_plan_buffer *slice = &plan->buffers[b], *whole = &plan->buffers[slice->alias_of];
    if (slice->layout != FERRY_LAYOUT_CHANNELS_LAST || whole->layout != FERRY_LAYOUT_CHANNELS_LAST) return false;
    if (slice->view) {
        const ferry_node *cut = maker_of(graph, slice->value);
        return cut && ferry_slice_is_cut(graph, cut) && cut->inputs[0] == whole->value;
    }
    const ferry_node *join = maker_of(graph, whole->value);
    if (!join || whole->view || (whole->alias_of != FERRY_NO_BUFFER && !whole->slice) ||
        !ferry_slice_is_join(graph, join))
        return false;
    const int32_t n = ferry_slice_joined(graph, join, slice->joined_at, slice->value);
    bool **joined = &m->joined[slice->alias_of];
    if (!*joined) {
        *joined = ferry_arena_alloc_array(scratch, (size_t)join->n_inputs, sizeof **joined);
        m->missing[slice->alias_of] = join->n_inputs;
    }
    for (int32_t i = slice->joined_at; *joined && i < slice->joined_at + n; i++) {
        if ((*joined)[i]) return false;
        (*joined)[i] = true;
    }
    return *joined && n > 0;
}

static ferry_status verify_buffers(const ferry_plan *plan, const ferry_graph *graph, made_buffers *m,
                                   ferry_arena *scratch, ferry_error *err)
{
    const size_t n_bindings = graph->n_inputs + graph->n_outputs;
    for (size_t b = 0; b < plan->n_buffers; b++) {
        const ferry_plan_buffer *buffer = &plan->buffers[b];
        if (buffer->value < 0 || (size_t)buffer->value >= graph->n_values ||
            (unsigned)buffer->layout >= FERRY_LAYOUT_COUNT || buffer->device < 0 || buffer->device >= plan->n_devices ||
            buffer->binding < -1 || buffer->binding >= (int64_t)n_bindings)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan, buffer %zu: out of range", b);
        if (buffer->alias_of < FERRY_NO_BUFFER || buffer->alias_of >= (ferry_buffer_id)b ||
            (buffer->view && buffer->alias_of == FERRY_NO_BUFFER) ||
            (buffer->alias_of != FERRY_NO_BUFFER && plan->buffers[buffer->alias_of].device != buffer->device) ||
            (buffer->alias_of != FERRY_NO_BUFFER && plan->buffers[buffer->alias_of].slice && !buffer->slice))
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan, buffer %zu: bad alias", b);
        if (buffer->slice &&
            (buffer->alias_of == FERRY_NO_BUFFER || !verify_slice(plan, graph, (ferry_buffer_id)b, m, scratch)))
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan, buffer %zu: no slice of what it is to lie in", b);
        if (buffer->binding >= 0) {
            const size_t at = (size_t)buffer->binding;
            const ferry_value_id v = at < graph->n_inputs ? graph->inputs[at] : graph->outputs[at - graph->n_inputs];
            if (v != buffer->value || buffer->layout != FERRY_LAYOUT_PLAIN || buffer->alias_of != FERRY_NO_BUFFER ||
                buffer->device != 0)
                return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan, buffer %zu: bad binding", b);
            if (at < graph->n_inputs) m->made[b] = true;
        }
    }
    return FERRY_OK;
}

ferry_status ferry_plan_verify(const ferry_plan *plan, const ferry_graph *graph, ferry_error *err)
{
    if (plan->n_devices < 1 || plan->n_devices > FERRY_PLAN_MAX_DEVICES)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan: %d devices", plan->n_devices);
    ferry_arena scratch;
    ferry_arena_init(&scratch, plan->arena.heap);
    made_buffers m = {
        .made = ferry_arena_alloc_array(&scratch, plan->n_buffers, sizeof *m.made),
        .over = ferry_arena_alloc_array(&scratch, plan->n_buffers, sizeof *m.over),
        .joined = ferry_arena_alloc_array(&scratch, plan->n_buffers, sizeof *m.joined),
        .missing = ferry_arena_alloc_array(&scratch, plan->n_buffers, sizeof *m.missing),
    };
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    ferry_status s = m.made && m.over && m.joined && m.missing ? FERRY_OK : ferry_fail_memory(err, "checking a plan");
    if (s == FERRY_OK) s = ferry_graph_users(graph, &scratch, &offsets, &users, err);
    if (s == FERRY_OK) s = verify_buffers(plan, graph, &m, &scratch, err);
    for (size_t i = 0; s == FERRY_OK && i < plan->n_steps; i++) {
        s = verify_step(plan, graph, i, &m, err);
        if (s == FERRY_OK) s = verify_places(plan, i, err);
        if (s == FERRY_OK) s = verify_region(plan, graph, offsets, users, i, &scratch, err);
    }
    for (size_t i = 0; s == FERRY_OK && i < graph->n_outputs; i++) {
        bool found = false;
        for (size_t b = 0; b < plan->n_buffers; b++)
            found |= m.made[b] && plan->buffers[b].binding == (int32_t)(graph->n_inputs + i);
        if (!found)
            s = ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan: nothing makes the output '%s'",
                           graph->values[graph->outputs[i]].name);
    }
    ferry_arena_deinit(&scratch);
    return s;
}
