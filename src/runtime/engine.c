// SPDX-License-Identifier: Apache-2.0
// The engine object: an image with a plan for the devices of a runtime.
#include "runtime/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "ops/infer.h"

static bool is_made_for(const ferry_plan *plan, const ferry_runtime *runtime, int32_t device)
{
    return strcmp(plan->devices[device].fingerprint, runtime->infos[device].fingerprint) == 0;
}

// Whether the devices are the plan's, but that the CPU behind another device may be any.
static bool fits(const ferry_plan *plan, const ferry_runtime *runtime)
{
    if (plan->n_devices > runtime->n_devices) return false;
    for (int32_t i = 0; i < plan->n_devices; i++) {
        const bool behind = i > 0 && i == plan->n_devices - 1;
        if (strcmp(plan->devices[i].backend, runtime->devices[i]->backend->name) != 0 ||
            (!behind && !is_made_for(plan, runtime, i)))
            return false;
    }
    // With several devices, a plan's last one is the host that everything can be copied through.
    return plan->n_devices == 1 || plan->n_devices == runtime->n_devices;
}

// A plan by the cost models, for the profile's opt shapes: quick, and good enough to run; `ferry build` times tactics.
static ferry_status plan_anew(ferry_engine *e, ferry_error *err)
{
    ferry_engine_image *image = &e->image;
    if (!image->portable)
        return ferry_fail(
            err, FERRY_ERR_UNAVAILABLE, "tuned for '%s', and its portable part was stripped; build it again for '%s'",
            image->n_tuned ? image->tuned[0].devices[0].fingerprint : "nothing", e->runtime->infos[0].fingerprint);
    ferry_log(&e->runtime->logger, FERRY_SEVERITY_WARNING,
              "the engine has no part tuned for '%s'; it is planned anew and may run slower than one built here",
              e->runtime->infos[0].fingerprint);
    ferry_plan *plan = ferry_arena_alloc(&image->arena, (image->n_tuned + 1) * sizeof *plan);
    if (!plan) return ferry_fail_memory(err, "planning anew");
    ferry_graph shaped = {0};
    const ferry_plan_options options = {
        .no_transforms = ferry_engine_image_text(image, FERRY_ENGINE_TEXT_WINOGRAD) != NULL,
        .own_tactics = ferry_engine_image_text(image, FERRY_ENGINE_TEXT_TACTICS) != NULL,
        .tf32 = ferry_engine_image_text(image, FERRY_ENGINE_TEXT_TF32) != NULL,
        .low_memory = ferry_engine_image_text(image, FERRY_ENGINE_TEXT_LOW_MEMORY) != NULL,
        .pictures = ferry_engine_image_text(image, "preprocess") != NULL,
        .logger = &e->runtime->logger,
    };
    ferry_report report;
    ferry_report_init(&report, image->heap);
    ferry_status s = ferry_engine_shaped_graph(e, &shaped, err);
    if (s == FERRY_OK)
        s = ferry_plan_make(&shaped, e->runtime->devices, e->runtime->n_devices, &options, &plan[image->n_tuned],
                            &report, err);
    ferry_report_deinit(&report);
    ferry_graph_deinit(&shaped);
    if (s != FERRY_OK) return s;
    if (image->n_tuned) memcpy(plan, image->tuned, image->n_tuned * sizeof *plan);
    image->tuned = plan;
    e->plan = &plan[image->n_tuned++];
    e->replanned = true;
    return FERRY_OK;
}

// Takes the plan if this ferry can run it here; else it stays NULL.
static ferry_status try_plan(ferry_engine *e, const ferry_plan *plan, const ferry_graph_view *view, ferry_error *err)
{
    bool usable = false;
    ferry_error why = {.text = ""};
    FERRY_TRY(ferry_engine_check_plan(e, plan, view, &usable, &why, err));
    if (!usable)
        ferry_log(&e->runtime->logger, FERRY_SEVERITY_WARNING, "the tuned part is of another ferry: %s", why.text);
    else if (is_made_for(plan, e->runtime, plan->n_devices - 1))
        e->plan = plan;
    else
        return ferry_engine_repack_host(e, view, plan, err);
    return FERRY_OK;
}

static ferry_status choose_tuned(ferry_engine *e, ferry_error *err)
{
    ferry_shaped_graph shaped = {0};
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < e->image.n_tuned && !e->plan; i++) {
        if (!fits(&e->image.tuned[i], e->runtime)) continue;
        if (!shaped.view.graph) s = ferry_shaped_graph_make(e, &shaped, err);
        if (s == FERRY_OK) s = try_plan(e, &e->image.tuned[i], &shaped.view, err);
    }
    ferry_shaped_graph_deinit(&shaped);
    return s;
}

static ferry_status choose_plan(ferry_engine *e, bool no_tuned, ferry_error *err)
{
    if (!no_tuned) FERRY_TRY(choose_tuned(e, err));
    if (!e->plan) FERRY_TRY(plan_anew(e, err));
    return ferry_graph_users(&e->image.graph, &e->image.arena, &e->user_offsets, &e->users, err);
}

static bool leaves_open(const ferry_graph *graph)
{
    bool known = true;
    for (size_t i = 0; i < graph->n_inputs; i++) known &= ferry_shape_is_known(&graph->values[graph->inputs[i]].shape);
    return !known;
}

const ferry_graph *ferry_engine_plan_graph(const ferry_engine *engine)
{
    return engine->shaped.n_nodes ? &engine->shaped : &engine->image.graph;
}

ferry_status ferry_engine_make(ferry_runtime *runtime, ferry_engine_image *image, bool no_tuned, ferry_engine **out,
                               ferry_error *err)
{
    *out = NULL;
    ferry_engine *e = ferry_new(runtime->heap, ferry_engine);
    if (!e) {
        ferry_engine_image_deinit(image);
        *image = (ferry_engine_image){0};
        return ferry_fail_memory(err, "an engine");
    }
    atomic_init(&e->references, 1);
    e->runtime = runtime;
    ferry_runtime_retain(runtime);
    e->image = *image;
    *image = (ferry_engine_image){0};
    ferry_status s = ferry_runtime_check_process(runtime, err);
    if (s == FERRY_OK) s = choose_plan(e, no_tuned, err);
    if (s == FERRY_OK && leaves_open(&e->image.graph)) s = ferry_engine_shaped_graph(e, &e->shaped, err);
    if (s != FERRY_OK) {
        ferry_engine_release(e);
        return s;
    }
    *out = e;
    return FERRY_OK;
}

ferry_status ferry_engine_load(ferry_runtime *runtime, const char *path, const ferry_engine_load_options *options,
                               ferry_engine **out, ferry_error *error)
{
    *out = NULL;
    ferry_engine_load_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_engine_load_options, &o, options, error));
    ferry_engine_image image;
    FERRY_TRY(ferry_engine_read_file(path, o.verify, runtime->heap, &image, error));
    const ferry_status s = ferry_engine_make(runtime, &image, o.no_tuned, out, error);
    return s == FERRY_OK ? s : ferry_within(error, s, "%s", path);
}

typedef struct kept_bytes {
    const ferry_heap *heap;
    void *data;
    size_t bytes;
} kept_bytes;

static void release_kept(void *object)
{
    kept_bytes *kept = object;
    const ferry_heap *heap = kept->heap;
    ferry_heap_free(heap, kept->data, kept->bytes);
    ferry_delete(heap, kept);
}

ferry_status ferry_engine_load_memory(ferry_runtime *runtime, const void *data, size_t bytes,
                                      const ferry_engine_load_options *options, ferry_engine **out, ferry_error *error)
{
    *out = NULL;
    ferry_engine_load_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_engine_load_options, &o, options, error));
    kept_bytes *kept = ferry_new(runtime->heap, kept_bytes);
    void *copy = ferry_heap_alloc_uninit(runtime->heap, bytes);
    if (!kept || !copy) {
        ferry_heap_free(runtime->heap, copy, bytes);
        ferry_heap_free(runtime->heap, kept, sizeof *kept);
        return ferry_fail_memory(error, "an engine");
    }
    if (bytes) memcpy(copy, data, bytes);
    *kept = (kept_bytes){runtime->heap, copy, bytes};
    ferry_engine_image image;
    ferry_status s = ferry_engine_read(copy, bytes, o.verify, runtime->heap, &image, error);
    if (s != FERRY_OK) {
        release_kept(kept);
        return s;
    }
    s = ferry_graph_keep(&image.graph, kept, release_kept, error);
    if (s != FERRY_OK) {
        ferry_engine_image_deinit(&image);
        return s;
    }
    return ferry_engine_make(runtime, &image, o.no_tuned, out, error);
}

ferry_status ferry_engine_save(const ferry_engine *engine, const char *path, ferry_error *error)
{
    return ferry_engine_write_file(&engine->image, path, error);
}

typedef struct growing {
    const ferry_heap *heap;
    void *data;
    size_t used, capacity;
} growing;

static ferry_status grow(void *user, const void *data, size_t bytes, ferry_error *err)
{
    growing *g = user;
    if (!ferry_heap_reserve(g->heap, &g->data, &g->capacity, 1, g->used + bytes))
        return ferry_fail_memory(err, "a serialized engine");
    if (bytes) memcpy((char *)g->data + g->used, data, bytes);
    g->used += bytes;
    return FERRY_OK;
}

ferry_status ferry_engine_serialize(const ferry_engine *engine, void **out_data, size_t *out_bytes, ferry_error *error)
{
    *out_data = NULL;
    *out_bytes = 0;
    growing g = {.heap = engine->runtime->heap};
    const ferry_engine_sink sink = {grow, &g};
    ferry_status s = ferry_engine_write(&engine->image, &sink, error);
    if (s == FERRY_OK) {
        *out_data = ferry_heap_alloc_uninit(ferry_heap_default(), g.used);
        if (*out_data) {
            memcpy(*out_data, g.data, g.used);
            *out_bytes = g.used;
        } else {
            s = ferry_fail_memory(error, "a serialized engine");
        }
    }
    ferry_heap_free(g.heap, g.data, g.capacity);
    return s;
}

void ferry_engine_retain(ferry_engine *engine)
{
    atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
}

void ferry_engine_release(ferry_engine *engine)
{
    if (!engine || atomic_fetch_sub_explicit(&engine->references, 1, memory_order_acq_rel) != 1) return;
    ferry_runtime *runtime = engine->runtime;
    ferry_graph_deinit(&engine->shaped);
    ferry_engine_image_deinit(&engine->image);
    ferry_delete(runtime->heap, engine);
    ferry_runtime_release(runtime);
}

int32_t ferry_engine_binding_count(const ferry_engine *engine)
{
    return (int32_t)(engine->image.graph.n_inputs + engine->image.graph.n_outputs);
}

ferry_value_id ferry_engine_binding_value(const ferry_engine *engine, int32_t index)
{
    const ferry_graph *g = &engine->image.graph;
    return (size_t)index < g->n_inputs ? g->inputs[index] : g->outputs[(size_t)index - g->n_inputs];
}

ferry_status ferry_engine_binding(const ferry_engine *engine, int32_t index, ferry_binding_info *out,
                                  ferry_error *error)
{
    const ferry_graph *g = &engine->image.graph;
    if (index < 0 || index >= ferry_engine_binding_count(engine))
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "binding %d of %d", index,
                          ferry_engine_binding_count(engine));
    const ferry_value_id v = ferry_engine_binding_value(engine, index);
    const ferry_value *value = &g->values[v];
    *out = (ferry_binding_info){.name = value->name,
                                .dtype = value->dtype,
                                .is_input = (size_t)index < g->n_inputs,
                                .rank = value->shape.rank < 0 ? 0 : value->shape.rank};
    memcpy(out->dims, value->shape.dims, sizeof out->dims);
    memcpy(out->min_dims, value->shape.dims, sizeof out->dims);
    memcpy(out->opt_dims, value->shape.dims, sizeof out->dims);
    memcpy(out->max_dims, value->shape.dims, sizeof out->dims);
    for (size_t i = 0; out->is_input && i < engine->image.n_profiles; i++) {
        const ferry_engine_profile *p = &engine->image.profiles[i];
        if (p->input != v) continue;
        memcpy(out->min_dims, p->min.dims, sizeof out->dims);
        memcpy(out->opt_dims, p->opt.dims, sizeof out->dims);
        memcpy(out->max_dims, p->max.dims, sizeof out->dims);
    }
    return FERRY_OK;
}

int32_t ferry_engine_find_binding(const ferry_engine *engine, const char *name)
{
    for (int32_t i = 0; i < ferry_engine_binding_count(engine); i++)
        if (strcmp(engine->image.graph.values[ferry_engine_binding_value(engine, i)].name, name) == 0) return i;
    return -1;
}

const char *ferry_engine_text(const ferry_engine *engine, const char *what)
{
    return ferry_engine_image_text(&engine->image, what);
}

void ferry_bytes_free(void *data, size_t bytes)
{
    ferry_heap_free(ferry_heap_default(), data, bytes);
}

ferry_status ferry_engine_set_text(ferry_engine *engine, const char *what, const char *value, ferry_error *error)
{
    if (!what || !value) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a text needs a name and a value");
    return ferry_engine_image_set_text(&engine->image, what, value, error);
}
