// SPDX-License-Identifier: Apache-2.0
// Execution contexts: shapes, bindings and queued runs.
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/process.h"
#include "runtime/internal.h"

static const ferry_engine_profile *profile_of(const ferry_engine *engine, ferry_value_id input)
{
    for (size_t i = 0; i < engine->image.n_profiles; i++)
        if (engine->image.profiles[i].input == input) return &engine->image.profiles[i];
    return NULL;
}

static ferry_status init_context(ferry_context *c, ferry_error *err)
{
    const ferry_graph *g = &c->engine->image.graph;
    const size_t n_bindings = g->n_inputs + g->n_outputs;
    c->input_shapes = ferry_heap_alloc_array(c->heap, g->n_inputs, sizeof *c->input_shapes);
    c->bound = ferry_heap_alloc_array(c->heap, n_bindings, sizeof *c->bound);
    if (!c->input_shapes || !c->bound) return ferry_fail_memory(err, "a context");
    for (int i = 0; i < FERRY_RUN_SLOTS; i++) {
        c->slots[i].context = c;
        c->slots[i].bound = ferry_heap_alloc_array(c->heap, n_bindings, sizeof *c->slots[i].bound);
        if (!c->slots[i].bound) return ferry_fail_memory(err, "a context");
    }
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ferry_engine_profile *p = profile_of(c->engine, g->inputs[i]);
        c->input_shapes[i] = p ? p->opt : g->values[g->inputs[i]].shape;
    }
    return FERRY_OK;
}

ferry_status ferry_context_create(ferry_engine *engine, const ferry_context_options *options, ferry_context **out,
                                  ferry_error *error)
{
    *out = NULL;
    ferry_context_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_context_options, &o, options, error));
    FERRY_TRY(ferry_runtime_check_process(engine->runtime, error));
    ferry_context *c = ferry_new(engine->runtime->heap, ferry_context);
    if (!c) return ferry_fail_memory(error, "a context");
    c->heap = engine->runtime->heap;
    c->engine = engine;
    c->process = ferry_process_generation();
    c->memory_limit_bytes = o.memory_limit_bytes;
    ferry_engine_retain(engine);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->slot_free, NULL);
    ferry_arena_init(&c->arena, c->heap);
    const ferry_status s = init_context(c, error);
    if (s != FERRY_OK) {
        ferry_context_release(c);
        return s;
    }
    *out = c;
    return FERRY_OK;
}

void ferry_context_release(ferry_context *context)
{
    if (!context) return;
    ferry_context *c = context;
    const bool foreign = ferry_process_is_foreign(c->process); // then nobody is there to finish what was queued
    if (!foreign) ferry_context_wait_idle(c);
    ferry_context_unprepare(c);
    ferry_context_drop_retired(c);
    const ferry_graph *g = &c->engine->image.graph;
    const size_t n_bindings = g->n_inputs + g->n_outputs;
    ferry_heap_free(c->heap, c->input_shapes, g->n_inputs * sizeof *c->input_shapes);
    ferry_heap_free(c->heap, c->bound, n_bindings * sizeof *c->bound);
    for (int i = 0; i < FERRY_RUN_SLOTS; i++)
        ferry_heap_free(c->heap, c->slots[i].bound, n_bindings * sizeof *c->slots[i].bound);
    if (!foreign) {
        pthread_cond_destroy(&c->slot_free);
        pthread_mutex_destroy(&c->mutex);
    }
    ferry_engine *engine = c->engine;
    ferry_delete(c->heap, c);
    ferry_engine_release(engine);
}

// --- Shapes --------------------------------------------------------------------------------------------------------

ferry_status ferry_context_set_input_shape(ferry_context *context, const char *name, int32_t rank, const int64_t *dims,
                                           ferry_error *error)
{
    FERRY_TRY(ferry_check_process(context->process, "context", error));
    const ferry_graph *g = &context->engine->image.graph;
    const int32_t index = ferry_engine_find_binding(context->engine, name);
    if (index < 0 || (size_t)index >= g->n_inputs)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "the engine has no input '%s'", name);
    const ferry_engine_profile *p = profile_of(context->engine, g->inputs[index]);
    const ferry_shape *least = p ? &p->min : &g->values[g->inputs[index]].shape, *most = p ? &p->max : least;
    if (rank != least->rank)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "input '%s' has %d dimensions, not %d", name, least->rank,
                          rank);
    bool changed = false;
    for (int32_t d = 0; d < rank; d++) {
        if (dims[d] < least->dims[d] || dims[d] > most->dims[d])
            return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                              "input '%s', dimension %d: %lld is outside the engine's profile, %lld to %lld "
                              "(build with --min-shape and --max-shape)",
                              name, d, (long long)dims[d], (long long)least->dims[d], (long long)most->dims[d]);
        changed |= context->input_shapes[index].dims[d] != dims[d];
    }
    if (!changed) return FERRY_OK;
    ferry_context_wait_idle(context);
    context->input_shapes[index] = ferry_shape_of(rank, dims);
    ferry_context_unprepare(context);
    return FERRY_OK;
}

static ferry_status check_index(const ferry_context *context, int32_t index, ferry_error *err)
{
    const int32_t n = ferry_engine_binding_count(context->engine);
    if (index >= 0 && index < n) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "binding %d of %d", index, n);
}

ferry_status ferry_context_binding_shape(ferry_context *context, int32_t index, int32_t *out_rank, int64_t *out_dims,
                                         ferry_error *error)
{
    FERRY_TRY(check_index(context, index, error));
    FERRY_TRY(ferry_context_know_shapes(context, error));
    const ferry_value_id v = ferry_engine_binding_value(context->engine, index);
    *out_rank = context->shapes[v].rank;
    memcpy(out_dims, context->dims[v], (size_t)*out_rank * sizeof *out_dims);
    return FERRY_OK;
}

ferry_status ferry_context_binding_varies(ferry_context *context, int32_t index, bool *out_varies, ferry_error *error)
{
    *out_varies = false;
    FERRY_TRY(check_index(context, index, error));
    FERRY_TRY(ferry_context_know_shapes(context, error));
    *out_varies = context->bounded[ferry_engine_binding_value(context->engine, index)];
    return FERRY_OK;
}

ferry_status ferry_context_binding_bytes(ferry_context *context, int32_t index, size_t *out, ferry_error *err)
{
    FERRY_TRY(ferry_context_know_shapes(context, err));
    const ferry_value_id v = ferry_engine_binding_value(context->engine, index);
    size_t elements = 0;
    if (!ferry_shape_elements(&context->shapes[v], &elements) ||
        !ferry_mul_size(elements, ferry_dtype_bytes(context->engine->image.graph.values[v].dtype), out))
        return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "a binding is larger than any memory");
    return FERRY_OK;
}

size_t ferry_context_memory_bytes(const ferry_context *context)
{
    uint64_t total = 0;
    for (int32_t d = 0; context->prepared && d < context->plan.n_devices; d++) total += context->memory.arena_bytes[d];
    return (size_t)total;
}

ferry_status ferry_context_choose_largest(ferry_context *context, ferry_error *err)
{
    const ferry_engine_image *image = &context->engine->image;
    for (size_t i = 0; i < image->n_profiles; i++) {
        const ferry_engine_profile *p = &image->profiles[i];
        FERRY_TRY(
            ferry_context_set_input_shape(context, image->graph.values[p->input].name, p->max.rank, p->max.dims, err));
    }
    return FERRY_OK;
}

ferry_status ferry_engine_memory_bytes(ferry_engine *engine, size_t *out_bytes, ferry_error *error)
{
    *out_bytes = 0;
    ferry_context *context = NULL;
    FERRY_TRY(ferry_context_create(engine, NULL, &context, error));
    ferry_status s = ferry_context_choose_largest(context, error);
    uint64_t bytes = 0, unshared = 0;
    if (s == FERRY_OK) s = ferry_context_measure(context, &bytes, &unshared, error);
    *out_bytes = (size_t)bytes;
    ferry_context_release(context);
    return s;
}

// --- Bindings and queued runs --------------------------------------------------------------------------------------

ferry_status ferry_context_bind(ferry_context *context, int32_t index, void *address, ferry_error *error)
{
    FERRY_TRY(check_index(context, index, error));
    FERRY_TRY(ferry_check_process(context->process, "context", error));
    const ferry_engine *e = context->engine;
    const size_t align = e->runtime->infos[0].slice_align;
    if (align && (uintptr_t)address % align != 0)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "binding %d, '%s': address %p is not a multiple of %zu bytes, where kernels of device %s "
                          "need tensors to begin",
                          index, e->image.graph.values[ferry_engine_binding_value(e, index)].name, address, align,
                          e->runtime->devices[0]->backend->name);
    context->bound[index] = ferry_runtime_reach(e->runtime, address);
    return FERRY_OK;
}

ferry_run_slot *ferry_context_take_slot(ferry_context *context, ferry_error *err)
{
    const int32_t n = ferry_engine_binding_count(context->engine);
    for (int32_t i = 0; i < n; i++) {
        if (context->bound[i].on_device) continue;
        const ferry_value_id v = ferry_engine_binding_value(context->engine, i);
        ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "binding %d, '%s', has no address", i,
                   context->engine->image.graph.values[v].name);
        return NULL;
    }
    pthread_mutex_lock(&context->mutex);
    ferry_run_slot *slot = NULL;
    while (!slot) {
        for (int i = 0; i < FERRY_RUN_SLOTS && !slot; i++)
            if (!context->slots[i].busy) slot = &context->slots[i];
        if (!slot) pthread_cond_wait(&context->slot_free, &context->mutex);
    }
    slot->busy = true;
    pthread_mutex_unlock(&context->mutex);
    memcpy(slot->bound, context->bound, (size_t)n * sizeof *slot->bound);
    return slot;
}

void ferry_context_return_slot(ferry_run_slot *slot)
{
    ferry_context *context = slot->context;
    pthread_mutex_lock(&context->mutex);
    slot->busy = false;
    pthread_cond_broadcast(&context->slot_free);
    pthread_mutex_unlock(&context->mutex);
}

void ferry_context_wait_idle(ferry_context *context)
{
    pthread_mutex_lock(&context->mutex);
    for (int i = 0; i < FERRY_RUN_SLOTS; i++)
        while (context->slots[i].busy) pthread_cond_wait(&context->slot_free, &context->mutex);
    pthread_mutex_unlock(&context->mutex);
}

ferry_status ferry_context_set_profiler(ferry_context *context,
                                        void (*report)(void *user, const ferry_layer_time *layer), void *user,
                                        ferry_error *error)
{
    FERRY_TRY(ferry_check_process(context->process, "context", error));
    ferry_context_wait_idle(context);
    context->profiler = report;
    context->profiler_user = user;
    return FERRY_OK;
}

ferry_status ferry_context_set_observer(ferry_context *context, ferry_tensor_observer observer, void *user,
                                        ferry_error *error)
{
    FERRY_TRY(ferry_check_process(context->process, "context", error));
    ferry_context_wait_idle(context);
    if (observer && !context->observer)
        ferry_context_unprepare(context); // the memory to show tensors in comes with preparing
    context->observer = observer;
    context->observer_user = user;
    return FERRY_OK;
}
