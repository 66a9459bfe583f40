// SPDX-License-Identifier: Apache-2.0
// Buffers that lie in each other, and what is left to do for a Concat, Split or Slice that needs no step of its own.
#include "plan/assemble.h"
#include "plan/slice.h"

static ferry_status add_inside(ferry_assembler *a, ferry_value_id value, int32_t device, ferry_buffer_id *out,
                               ferry_error *err);

ferry_status ferry_assembler_lay_inside(ferry_assembler *a, ferry_plan_buffer *buffer, ferry_error *err)
{
    const ferry_planned_slice *slice = &a->p->joined[buffer->value];
    if (slice->whole == FERRY_NO_VALUE) return FERRY_OK;
    buffer->slice = true;
    buffer->joined_at = slice->joined_at;
    return add_inside(a, slice->whole, buffer->device, &buffer->alias_of, err);
}

// The buffer of what a Concat makes that consists of slices: added when the first of them is.
static ferry_status add_inside(ferry_assembler *a, ferry_value_id value, int32_t device, ferry_buffer_id *out,
                               ferry_error *err)
{
    *out = ferry_assembler_find(a, value, device, FERRY_LAYOUT_CHANNELS_LAST);
    if (*out != FERRY_NO_BUFFER) return FERRY_OK;
    ferry_plan_buffer buffer = {.value = value,
                                .layout = FERRY_LAYOUT_CHANNELS_LAST,
                                .device = device,
                                .alias_of = FERRY_NO_BUFFER,
                                .binding = -1};
    FERRY_TRY(ferry_assembler_lay_inside(a, &buffer, err));
    return ferry_assembler_add(a, buffer, out, err);
}

// The slice that begins with that input of the Concat that `whole` is; FERRY_NO_BUFFER when it has no place yet.
static ferry_buffer_id find_joined(const ferry_assembler *a, ferry_buffer_id whole, int32_t input)
{
    for (size_t b = (size_t)whole + 1; b < a->plan->n_buffers; b++) {
        const ferry_plan_buffer *buffer = &a->buffers[b];
        if (buffer->alias_of == whole && buffer->slice && !buffer->view && buffer->joined_at == input)
            return (ferry_buffer_id)b;
    }
    return FERRY_NO_BUFFER;
}

// What to copy for input `i` of the Concat: it, or what a Split without a step makes it and the next ones of. Returns
// how many inputs that is.
static int32_t find_source(const ferry_assembler *a, const ferry_node *join, int32_t i, ferry_value_id *out)
{
    const ferry_node_id maker = a->p->graph->values[join->inputs[i]].producer;
    *out = join->inputs[i];
    if (maker == FERRY_NO_NODE || !a->p->elided[maker]) return 1;
    const ferry_value_id whole = a->p->graph->nodes[maker].inputs[0];
    const int32_t n = whole == FERRY_NO_VALUE ? 0 : ferry_slice_joined(a->p->graph, join, i, whole);
    if (n == 0) return 1;
    *out = whole;
    return n;
}

ferry_status ferry_assembler_join(ferry_assembler *a, ferry_node_id id, ferry_error *err)
{
    const ferry_node *node = &a->p->graph->nodes[id];
    const int32_t device = a->p->candidates[id].items[a->p->chosen[id]].device;
    const ferry_value_id whole = node->outputs[0];
    ferry_buffer_id joined = FERRY_NO_BUFFER;
    FERRY_TRY(add_inside(a, whole, device, &joined, err));
    for (int32_t i = 0; i < node->n_inputs;) {
        const ferry_buffer_id there = find_joined(a, joined, i);
        if (there != FERRY_NO_BUFFER) {
            i += ferry_slice_joined(a->p->graph, node, i, a->buffers[there].value);
            continue;
        }
        ferry_plan_buffer buffer = {.layout = FERRY_LAYOUT_CHANNELS_LAST,
                                    .device = device,
                                    .alias_of = joined,
                                    .slice = true,
                                    .joined_at = i,
                                    .binding = -1};
        i += find_source(a, node, i, &buffer.value);
        ferry_buffer_id from = ferry_assembler_find(a, buffer.value, device, -1), to = FERRY_NO_BUFFER;
        if (from == FERRY_NO_BUFFER)
            FERRY_TRY(ferry_assembler_need(a, buffer.value, device, FERRY_LAYOUT_CHANNELS_LAST, true, &from, err));
        FERRY_TRY(ferry_assembler_add(a, buffer, &to, err));
        FERRY_TRY(ferry_assembler_convert(a, FERRY_STEP_REFORMAT, device, from, to, err));
    }
    return ferry_assembler_finish_output(a, whole, joined, err);
}

ferry_status ferry_assembler_cut(ferry_assembler *a, ferry_node_id id, ferry_error *err)
{
    const ferry_node *node = &a->p->graph->nodes[id];
    const int32_t device = a->p->candidates[id].items[a->p->chosen[id]].device;
    ferry_buffer_id whole = FERRY_NO_BUFFER;
    FERRY_TRY(ferry_assembler_need(a, node->inputs[0], device, FERRY_LAYOUT_CHANNELS_LAST, true, &whole, err));
    for (int32_t o = 0; o < node->n_outputs; o++) {
        ferry_buffer_id cut = FERRY_NO_BUFFER;
        const ferry_plan_buffer buffer = {.value = node->outputs[o],
                                          .layout = FERRY_LAYOUT_CHANNELS_LAST,
                                          .device = device,
                                          .alias_of = whole,
                                          .view = true,
                                          .slice = true,
                                          .binding = -1};
        FERRY_TRY(ferry_assembler_add(a, buffer, &cut, err));
        FERRY_TRY(ferry_assembler_finish_output(a, node->outputs[o], cut, err));
    }
    return FERRY_OK;
}
