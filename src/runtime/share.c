// SPDX-License-Identifier: Apache-2.0
// Copies between host and device where both use the same memory: nothing is copied, and what is left of such a step is
// its place in the order.
//
// Tensors that cross the border lie in memory that both reach, apart from what each has for itself: on older boards it
// is not cached. Where one of the two ends is the caller's tensor, each run tells whether the host reaches it.
#include "runtime/internal.h"

// The device that shares the host's memory; -1: none does, or there is no host behind it.
static int32_t find_sharing(const ferry_context *c)
{
    const ferry_runtime *r = c->engine->runtime;
    const int32_t host = c->engine->plan->n_devices - 1;
    for (int32_t d = 0; d < host && host + 1 < FERRY_PLAN_MAX_DEVICES && r->infos[host].host_memory; d++)
        if (r->infos[d].shares_memory) return d;
    return -1;
}

static bool is_crossing(const ferry_context *c, size_t step)
{
    const ferry_plan_step *s = &c->engine->plan->steps[step];
    return s->kind == FERRY_STEP_COPY && s->device == c->sharing;
}

// What was computed over a tensor that both sides see now, after `step`, may come too early for the other side: it gets
// memory of its own.
static void part_later(ferry_context *c, ferry_buffer_id root, size_t step)
{
    for (size_t s = step + 1; s < c->plan.n_steps; s++)
        for (int32_t i = 0; c->plan.steps[s].kind == FERRY_STEP_REGION && i < c->plan.steps[s].n_outputs; i++) {
            const ferry_buffer_id made = c->plan.steps[s].outputs[i];
            ferry_plan_buffer *b = &c->plan.buffers[made];
            if (b->alias_of != FERRY_NO_BUFFER && !b->view && !b->slice && ferry_plan_root(&c->plan, made) == root)
                b->alias_of = FERRY_NO_BUFFER;
        }
}

// Both ends are the context's own: one of them lies in the other.
static void share_inside(ferry_context *c, size_t step)
{
    const ferry_plan_step *s = &c->plan.steps[step];
    const ferry_buffer_id to = s->outputs[0], root = ferry_plan_root(&c->plan, s->inputs[0]);
    if (!is_crossing(c, step) || c->plan.buffers[root].binding >= 0 || c->plan.buffers[to].binding >= 0) return;
    c->plan.buffers[to].alias_of = s->inputs[0];
    c->plan.buffers[root].device = c->shared;
    part_later(c, root, step);
    c->shares_step[step] = true;
}

// The buffer that a tensor's bytes were made in; FERRY_NO_BUFFER when it is only a part of it.
static ferry_buffer_id maker_of(const ferry_context *c, ferry_buffer_id buffer)
{
    ferry_buffer_id b = buffer;
    while (c->plan.buffers[b].view && !c->plan.buffers[b].slice) b = c->plan.buffers[b].alias_of;
    return c->plan.buffers[b].slice || c->buffer_bytes[b] != c->buffer_bytes[buffer] ? FERRY_NO_BUFFER : b;
}

// One end is the caller's tensor: the host's end may lie there, with nothing that was computed over it, or that it was
// computed over. False when it may not.
static bool find_crossing(ferry_context *c, size_t step, ferry_crossing *out)
{
    const ferry_plan_step *s = &c->engine->plan->steps[step];
    if (!is_crossing(c, step)) return false;
    const ferry_buffer_id from = ferry_plan_root(&c->plan, s->inputs[0]);
    const bool reads = c->plan.buffers[from].binding >= 0;
    *out = (ferry_crossing){.step = step,
                            .binding = c->plan.buffers[reads ? from : s->outputs[0]].binding,
                            .own = reads ? s->outputs[0] : maker_of(c, s->inputs[0])};
    return out->binding >= 0 && out->own != FERRY_NO_BUFFER && !(reads && c->skipped[s->inputs[0]]);
}

static void part_crossing(ferry_context *c, size_t step)
{
    ferry_crossing x;
    if (!find_crossing(c, step, &x)) return;
    c->plan.buffers[x.own].alias_of = FERRY_NO_BUFFER;
    part_later(c, x.own, step);
}

// Captured graphs know the addresses of what devices touch: only what the host alone touches may change its place.
static bool is_the_hosts(const ferry_context *c, ferry_buffer_id root)
{
    for (size_t b = 0; b < c->plan.n_buffers; b++)
        if (c->engine->plan->buffers[b].device == c->sharing && ferry_plan_root(&c->plan, (ferry_buffer_id)b) == root)
            return false;
    return c->plan.buffers[root].binding < 0;
}

static void add_crossing(ferry_context *c, size_t step)
{
    ferry_crossing x;
    if (c->shares_step[step] || !find_crossing(c, step, &x)) return;
    if (c->plan.buffers[x.own].alias_of == FERRY_NO_BUFFER && is_the_hosts(c, x.own))
        c->crossings[c->n_crossings++] = x;
}

ferry_status ferry_context_share_memory(ferry_context *c, ferry_error *err)
{
    c->sharing = find_sharing(c);
    c->n_crossings = 0;
    c->shares_step = ferry_arena_alloc_array(&c->arena, c->plan.n_steps, sizeof *c->shares_step);
    c->crossings = ferry_arena_alloc_array(&c->arena, c->plan.n_steps, sizeof *c->crossings);
    if (!c->shares_step || !c->crossings) return ferry_fail_memory(err, "a context");
    if (c->sharing < 0) return FERRY_OK;
    c->shared = c->plan.n_devices++;
    for (size_t s = 0; s < c->plan.n_steps; s++) part_crossing(c, s);
    for (size_t s = 0; s < c->plan.n_steps; s++) share_inside(c, s);
    for (size_t s = 0; s < c->plan.n_steps; s++) add_crossing(c, s);
    return FERRY_OK;
}

ferry_status ferry_context_alloc_shared(ferry_context *c, ferry_error *err)
{
    ferry_device *device = c->engine->runtime->devices[c->sharing];
    const size_t bytes = (size_t)c->memory.arena_bytes[c->shared];
    void *on_host = NULL, *memory = device->backend->alloc_pinned(device, bytes);
    c->device_memory[c->shared] = memory;
    if (!memory)
        return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "no %zu bytes that host and device %s share", bytes,
                          device->backend->name);
    if (!device->backend->find_shared(device, memory, &c->shared_on_device, &on_host) || on_host != memory)
        return ferry_fail(err, FERRY_ERR_DEVICE, "device %s does not reach its own pinned memory",
                          device->backend->name);
    return FERRY_OK;
}

void ferry_context_cross(ferry_context *c, const ferry_bound *bound)
{
    for (size_t i = 0; i < c->n_crossings; i++) {
        const ferry_crossing *x = &c->crossings[i];
        char *host = bound[x->binding].on_host;
        c->shares_step[x->step] = host != NULL;
        for (size_t b = 0; b < c->plan.n_buffers; b++)
            if (ferry_plan_root(&c->plan, (ferry_buffer_id)b) == x->own)
                c->data[b] = host ? host + c->skipped[b] : ferry_context_placed(c, (ferry_buffer_id)b);
    }
}
