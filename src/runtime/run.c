// SPDX-License-Identifier: Apache-2.0
// The convenience call: one inference on host memory, waited for.
#include <stdint.h>

#include "runtime/stream_internal.h"

// Or a device that does nothing any more: it says so when it is waited for.
static ferry_status no_memory(const ferry_context *c, ferry_stream *stream, ferry_error *err)
{
    FERRY_TRY(ferry_stream_wait(stream, err));
    FERRY_TRY(c->engine->runtime->devices[0]->backend->stream_wait(stream->device_streams[0], err));
    return ferry_fail_memory(err, "inputs and outputs on the device");
}

// A binding's place on the device: the caller's memory where the device reaches it, else new memory, with *staged set.
static ferry_status bind_host(ferry_context *c, ferry_stream *stream, int32_t i, void *host, size_t bytes,
                              void **staged, ferry_error *err)
{
    const ferry_bound bound = ferry_runtime_reach(c->engine->runtime, host);
    const size_t align = c->engine->runtime->infos[0].slice_align;
    *staged = NULL;
    if (bound.on_host && (!align || (uintptr_t)host % align == 0)) return ferry_context_bind(c, i, host, err);
    *staged = ferry_memory_alloc(c->engine->runtime, bytes);
    return *staged ? ferry_context_bind(c, i, *staged, err) : no_memory(c, stream, err);
}

// Copies host memory that the device doesn't reach there and back around the run.
static ferry_status run_staged(ferry_context *c, ferry_stream *stream, const void *const *inputs, void *const *outputs,
                               void **staged, size_t *bytes, ferry_error *err)
{
    const int32_t n = ferry_engine_binding_count(c->engine), n_in = (int32_t)c->engine->image.graph.n_inputs;
    for (int32_t i = 0; i < n; i++) {
        FERRY_TRY(ferry_context_binding_bytes(c, i, &bytes[i], err));
        FERRY_TRY(bind_host(c, stream, i, i < n_in ? (void *)inputs[i] : outputs[i - n_in], bytes[i], &staged[i], err));
        if (i < n_in && staged[i])
            FERRY_TRY(ferry_stream_copy(stream, FERRY_COPY_TO_DEVICE, staged[i], inputs[i], bytes[i], err));
    }
    FERRY_TRY(ferry_context_enqueue(c, stream, err));
    for (int32_t i = n_in; i < n; i++)
        if (staged[i])
            FERRY_TRY(ferry_stream_copy(stream, FERRY_COPY_FROM_DEVICE, outputs[i - n_in], staged[i], bytes[i], err));
    return FERRY_OK;
}

static ferry_status run_on_device(ferry_context *c, ferry_stream *stream, const void *const *inputs,
                                  void *const *outputs, ferry_error *err)
{
    const size_t n = (size_t)ferry_engine_binding_count(c->engine);
    ferry_arena arena;
    ferry_arena_init(&arena, c->heap);
    void **staged = ferry_arena_alloc_array(&arena, n, sizeof *staged);
    size_t *bytes = ferry_arena_alloc_array(&arena, n, sizeof *bytes);
    ferry_status s = staged && bytes ? FERRY_OK : ferry_fail_memory(err, "a run");
    if (s == FERRY_OK) s = run_staged(c, stream, inputs, outputs, staged, bytes, err);
    const ferry_status w = ferry_stream_wait(stream, s == FERRY_OK ? err : NULL);
    for (size_t i = 0; staged && i < n; i++) ferry_memory_free(c->engine->runtime, staged[i], bytes[i]);
    for (size_t i = 0; i < n; i++) ferry_context_bind(c, (int32_t)i, NULL, NULL);
    ferry_arena_deinit(&arena);
    return s != FERRY_OK ? s : w;
}

ferry_status ferry_context_run(ferry_context *context, ferry_stream *stream, const void *const *inputs,
                               void *const *outputs, ferry_error *error)
{
    FERRY_TRY(ferry_stream_check_outside(stream, error));
    if (!context->engine->runtime->infos[0].host_memory) return run_on_device(context, stream, inputs, outputs, error);
    const int32_t n = ferry_engine_binding_count(context->engine);
    const int32_t n_in = (int32_t)context->engine->image.graph.n_inputs;
    for (int32_t i = 0; i < n; i++)
        FERRY_TRY(ferry_context_bind(context, i, i < n_in ? (void *)inputs[i] : outputs[i - n_in], error));
    return ferry_context_enqueue_and_wait(context, stream, error);
}
