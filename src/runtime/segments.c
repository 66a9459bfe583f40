// SPDX-License-Identifier: Apache-2.0
// Runs of steps that a device takes as one captured graph: launching it costs what launching a single kernel does.
//
// A graph is captured once, when the context is prepared, with a made-up address for each of the caller's tensors. A
// run then gives it the addresses that are bound, where they are other ones than in the run before.
#include <stdint.h>

#include "runtime/internal.h"

// A graph of one step would save nothing.
enum { LEAST_STEPS = 2 };

static bool can_capture(const ferry_context *c, const ferry_plan_step *step)
{
    const ferry_runtime *r = c->engine->runtime;
    return step->kind != FERRY_STEP_COPY && !r->infos[step->device].synchronous &&
           r->devices[step->device]->backend->capture_begin != NULL;
}

// The end of the run of steps that begins at `begin`: those that one device takes without the host between them.
static size_t find_end(const ferry_context *c, size_t begin)
{
    const ferry_plan *plan = c->engine->plan;
    size_t end = begin;
    while (end < plan->n_steps && can_capture(c, &plan->steps[end]) &&
           plan->steps[end].device == plan->steps[begin].device)
        end++;
    return end;
}

// Memory of the host is none of the device's, so that each placeholder is the address of one tensor only.
static void *placeholder(const ferry_context *c, size_t binding)
{
    return &c->placeholders[binding];
}

static ferry_status capture(ferry_context *c, ferry_segment *segment, ferry_device_stream *stream, ferry_error *err)
{
    const ferry_backend *backend = c->engine->runtime->devices[segment->device]->backend;
    FERRY_TRY(backend->capture_begin(stream, err));
    ferry_status s = FERRY_OK;
    for (size_t i = segment->begin; s == FERRY_OK && i < segment->end; i++)
        s = ferry_context_enqueue_step(c, i, stream, err);
    // What was begun is ended in any case.
    void *graph = NULL;
    const ferry_status ended = backend->capture_end(stream, &graph, s == FERRY_OK ? err : NULL);
    if (s == FERRY_OK) s = ended;
    if (s == FERRY_OK)
        segment->graph = graph;
    else if (graph)
        backend->capture_destroy(graph);
    return s;
}

static void capture_on(ferry_context *c, ferry_segment *segment)
{
    const ferry_runtime *r = c->engine->runtime;
    ferry_device *device = r->devices[segment->device];
    ferry_device_stream *stream = NULL;
    ferry_error why = {.text = ""};
    ferry_status s = device->backend->stream_create(device, 1, &stream, &why);
    if (s == FERRY_OK) s = capture(c, segment, stream, &why);
    if (stream) device->backend->stream_destroy(stream);
    if (s != FERRY_OK)
        ferry_log(&r->logger, FERRY_SEVERITY_INFO, "steps %zu to %zu are launched one by one: %s", segment->begin,
                  segment->end - 1, why.text);
}

ferry_status ferry_context_make_segments(ferry_context *c, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    const size_t n_bindings = (size_t)ferry_engine_binding_count(c->engine);
    c->segments = ferry_arena_alloc_array(&c->arena, plan->n_steps / LEAST_STEPS, sizeof *c->segments);
    c->placeholders = ferry_arena_alloc_array(&c->arena, n_bindings, sizeof *c->placeholders);
    c->captured_with = ferry_arena_alloc_array(&c->arena, n_bindings, sizeof *c->captured_with);
    ferry_bound *made_up = ferry_arena_alloc_array(&c->arena, n_bindings, sizeof *made_up);
    if (!c->segments || !c->placeholders || !c->captured_with || !made_up) return ferry_fail_memory(err, "a context");
    for (size_t i = 0; i < n_bindings; i++) made_up[i].on_device = placeholder(c, i);
    ferry_context_set_addresses(c, made_up);
    for (size_t at = 0; at < plan->n_steps;) {
        const size_t end = find_end(c, at);
        if (end >= at + LEAST_STEPS) {
            ferry_segment *segment = &c->segments[c->n_segments++];
            *segment = (ferry_segment){.begin = at, .end = end, .device = plan->steps[at].device};
            capture_on(c, segment);
        }
        at = end > at ? end : at + 1;
    }
    return FERRY_OK;
}

void ferry_context_drop_segments(ferry_context *c)
{
    for (size_t i = 0; i < c->n_segments; i++) {
        const ferry_segment *segment = &c->segments[i];
        if (segment->graph && ferry_context_can_release(c, segment->device))
            c->engine->runtime->devices[segment->device]->backend->capture_destroy(segment->graph);
    }
    c->segments = NULL;
    c->n_segments = 0;
}

ferry_status ferry_context_rebind_segments(ferry_context *c, const ferry_bound *bound, ferry_error *err)
{
    const size_t n_bindings = (size_t)ferry_engine_binding_count(c->engine);
    for (size_t b = 0; c->n_segments && b < n_bindings; b++) {
        void *const address = bound[b].on_device;
        if (c->captured_with[b] == address) continue;
        for (size_t i = 0; i < c->n_segments; i++) {
            const ferry_segment *segment = &c->segments[i];
            const ferry_backend *backend = c->engine->runtime->devices[segment->device]->backend;
            if (segment->graph) FERRY_TRY(backend->capture_rebind(segment->graph, placeholder(c, b), address, err));
        }
        c->captured_with[b] = address;
    }
    return FERRY_OK;
}

const ferry_segment *ferry_context_segment_at(const ferry_context *c, size_t step)
{
    // Only functions of the caller's look between steps.
    if (c->profiler || c->observer) return NULL;
    for (size_t i = 0; i < c->n_segments; i++)
        if (c->segments[i].begin == step) return c->segments[i].graph ? &c->segments[i] : NULL;
    return NULL;
}
