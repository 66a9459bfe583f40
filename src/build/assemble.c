// SPDX-License-Identifier: Apache-2.0
// Plans a portable graph for the runtime's devices and puts the engine together.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/thread_pool.h"
#include "build/internal.h"
#include "plan/timing_cache.h"

// The profiles speak of the network's inputs; in the portable graph the same inputs have other indices.
static ferry_status add_profiles(ferry_building *b, ferry_engine_image *image, ferry_error *err)
{
    const ferry_graph *g = &image->graph;
    image->profiles = ferry_arena_alloc_array(&image->arena, g->n_inputs, sizeof *image->profiles);
    if (!image->profiles) return ferry_fail_memory(err, "shapes");
    for (size_t i = 0; i < g->n_inputs; i++) {
        image->profiles[i] = b->profiles[i];
        image->profiles[i].input = g->inputs[i];
    }
    image->n_profiles = g->n_inputs;
    return FERRY_OK;
}

// An engine for finding faults computes as plainly as it can.
static bool no_transforms(const ferry_building *b)
{
    return b->options.no_winograd || b->options.no_fusion || b->options.low_memory;
}

static ferry_status make_plan(ferry_building *b, ferry_engine_image *image, bool time_tactics,
                              ferry_timing_cache *timings, ferry_error *err)
{
    ferry_graph shaped = {0};
    FERRY_TRY(ferry_graph_copy(&image->graph, &shaped, err));
    ferry_input_shape *bound = ferry_arena_alloc_array(&b->arena, image->n_profiles, sizeof *bound);
    image->tuned = ferry_arena_alloc(&image->arena, sizeof *image->tuned);
    ferry_status s = bound && image->tuned ? FERRY_OK : ferry_fail_memory(err, "a plan");
    for (size_t i = 0; s == FERRY_OK && i < image->n_profiles; i++)
        bound[i] = (ferry_input_shape){shaped.inputs[i], image->profiles[i].opt};
    if (s == FERRY_OK) s = ferry_graph_infer(&shaped, bound, image->n_profiles, true, &b->report, err);
    const ferry_plan_options options = {
        .time_tactics = time_tactics,
        .timing_seconds = b->options.build_seconds,
        .timings = timings,
        .single_nodes = b->options.no_fusion,
        .no_transforms = no_transforms(b),
        .own_tactics = b->options.tactics == FERRY_TACTICS_OWN,
        .tf32 = b->options.tf32,
        .low_memory = b->options.low_memory,
        .pictures = b->options.preprocess_json != NULL,
        .workspace_bytes = b->options.workspace_bytes,
        .threads = b->options.threads > 0 ? b->options.threads : (int32_t)ferry_processor_count(),
        .logger = b->options.logger,
        .progress = b->options.progress,
    };
    if (s == FERRY_OK)
        s = ferry_plan_make(&shaped, b->runtime->devices, b->runtime->n_devices, &options, image->tuned, &b->report,
                            err);
    if (s == FERRY_OK) image->n_tuned = 1;
    ferry_graph_deinit(&shaped);
    return ferry_building_tell(b, s, err);
}

static ferry_status plan_with_timings(ferry_building *b, ferry_engine_image *image, bool time_tactics, ferry_error *err)
{
    ferry_timing_cache *timings = NULL;
    FERRY_TRY(ferry_timing_cache_create(b->heap, &timings, err));
    const char *path = b->options.timing_cache;
    ferry_status s = path && time_tactics ? ferry_timing_cache_read(timings, path, err) : FERRY_OK;
    const size_t known = ferry_timing_cache_count(timings);
    if (s == FERRY_OK) s = make_plan(b, image, time_tactics, timings, err);
    if (s == FERRY_OK && path && ferry_timing_cache_count(timings) != known)
        s = ferry_timing_cache_write(timings, path, err);
    ferry_timing_cache_destroy(timings);
    return s;
}

static ferry_status add_texts(ferry_building *b, ferry_engine_image *image, const char *plan_text, ferry_error *err)
{
    const ferry_build_options *o = &b->options;
    const struct {
        const char *key, *value;
    } texts[] = {
        {"name", o->name ? o->name : image->graph.name},
        {"task", o->task},
        {"preprocess", o->preprocess_json},
        {"decoder", o->decoder_json},
        {"labels", o->labels_json},
        {"numeric_plan", plan_text},
        {FERRY_ENGINE_TEXT_WINOGRAD, no_transforms(b) ? "off" : NULL},
        {FERRY_ENGINE_TEXT_LOW_MEMORY, o->low_memory ? "on" : NULL},
        {FERRY_ENGINE_TEXT_TACTICS, o->tactics == FERRY_TACTICS_OWN ? "own" : NULL},
        {FERRY_ENGINE_TEXT_TF32, o->tf32 ? "on" : NULL},
        {"libraries", image->n_tuned > 0 ? image->tuned[0].libraries : NULL},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(texts); i++)
        if (texts[i].value) FERRY_TRY(ferry_engine_image_set_text(image, texts[i].key, texts[i].value, err));
    for (size_t i = 0; i < image->graph.n_metadata; i++) {
        const char *key = ferry_arena_printf(&b->arena, "metadata:%s", image->graph.metadata[i].key);
        if (!key) return ferry_fail_memory(err, "metadata");
        FERRY_TRY(ferry_engine_image_set_text(image, key, image->graph.metadata[i].value, err));
    }
    for (size_t i = 0; i < o->n_metadata; i++) {
        const char *key = ferry_arena_printf(&b->arena, "metadata:%s", o->metadata[i].key);
        if (!key) return ferry_fail_memory(err, "metadata");
        FERRY_TRY(ferry_engine_image_set_text(image, key, o->metadata[i].value, err));
    }
    return FERRY_OK;
}

// The same model, options and ferry give the same text: nothing here depends on time or machine.
static ferry_status add_build_text(ferry_building *b, ferry_engine_image *image, ferry_error *err)
{
    char precisions[64] = "fp32";
    if (b->options.precisions & FERRY_PRECISION_FP16) strcat(precisions, "+fp16");
    if (b->options.precisions & FERRY_PRECISION_BF16) strcat(precisions, "+bf16");
    if (b->options.precisions & FERRY_PRECISION_INT8) strcat(precisions, "+int8");
    json_t *json = json_pack("{s:s, s:s, s:I, s:s*}", "ferry", ferry_version(), "precisions", precisions, "opset",
                             (json_int_t)image->graph.opset, "fp16_guard", b->guard);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const ferry_status s =
        text ? ferry_engine_image_set_text(image, "build", text, err) : ferry_fail_memory(err, "build information");
    free(text);
    json_decref(json);
    return s;
}

// The caps hold for every shape that a context may choose: the largest is tried.
static ferry_status check_memory(ferry_building *b, ferry_engine *engine, ferry_error *err)
{
    if (!b->options.memory_bytes) return FERRY_OK;
    const ferry_context_options options = {.size = sizeof options, .memory_limit_bytes = b->options.memory_bytes};
    ferry_context *context = NULL;
    FERRY_TRY(ferry_context_create(engine, &options, &context, err));
    ferry_status s = ferry_context_choose_largest(context, err);
    uint64_t bytes = 0, unshared = 0;
    if (s == FERRY_OK) s = ferry_context_measure(context, &bytes, &unshared, err);
    ferry_context_release(context);
    return s;
}

ferry_status ferry_building_engine(ferry_building *b, ferry_graph *graph, const char *plan_text, bool time_tactics,
                                   ferry_engine **out, ferry_error *err)
{
    ferry_engine_image image;
    ferry_engine_image_init(&image, b->heap);
    ferry_graph_deinit(&image.graph);
    image.graph = *graph;
    *graph = (ferry_graph){0};
    image.portable = !b->options.strip_portable;
    ferry_status s = add_profiles(b, &image, err);
    if (s == FERRY_OK) s = plan_with_timings(b, &image, time_tactics, err);
    if (s == FERRY_OK) s = add_texts(b, &image, plan_text, err);
    if (s == FERRY_OK) s = add_build_text(b, &image, err);
    if (s != FERRY_OK) {
        ferry_engine_image_deinit(&image);
        return s;
    }
    s = ferry_engine_make(b->runtime, &image, false, out, err);
    if (s == FERRY_OK) s = check_memory(b, *out, err);
    if (s != FERRY_OK) {
        ferry_engine_release(*out);
        *out = NULL;
    }
    return s;
}
