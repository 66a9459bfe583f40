// SPDX-License-Identifier: Apache-2.0
// Engines as JSON: what `ferry inspect` and `ferry check` show.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "ops/infer.h"
#include "runtime/internal.h"

static ferry_status hand_out(json_t *json, char **out_text, ferry_error *err)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    *out_text = text ? ferry_heap_strdup(ferry_heap_default(), text) : NULL;
    free(text);
    return *out_text ? FERRY_OK : ferry_fail_memory(err, "a description");
}

static json_t *dims_of(const ferry_shape *shape)
{
    json_t *dims = json_array();
    for (int32_t d = 0; d < shape->rank; d++) json_array_append_new(dims, json_integer(shape->dims[d]));
    return dims;
}

static json_t *value_of(const ferry_graph *g, const ferry_shape *shapes, ferry_value_id id)
{
    const ferry_value *v = &g->values[id];
    json_t *o = json_pack("{s:s, s:s, s:o}", "name", v->name, "dtype", ferry_dtype_name(v->dtype), "shape",
                          dims_of(&shapes[id]));
    if (v->quant.dtype != FERRY_DTYPE_NONE && v->quant.count == 1)
        json_object_set_new(o, "scale", json_real((double)v->quant.scales[0]));
    if (v->quant.dtype != FERRY_DTYPE_NONE && v->quant.count == 1 && v->quant.zero_points)
        json_object_set_new(o, "zero_point", json_integer(v->quant.zero_points[0]));
    return o;
}

static json_t *bindings_of(const ferry_engine *e, const ferry_shape *shapes)
{
    const ferry_graph *g = &e->image.graph;
    json_t *list = json_array();
    for (int32_t i = 0; i < ferry_engine_binding_count(e); i++) {
        const ferry_value_id v = ferry_engine_binding_value(e, i);
        json_t *o = value_of(g, shapes, v);
        json_object_set_new(o, "kind", json_string((size_t)i < g->n_inputs ? "input" : "output"));
        for (size_t p = 0; (size_t)i < g->n_inputs && p < e->image.n_profiles; p++) {
            if (e->image.profiles[p].input != v) continue;
            json_object_set_new(o, "min", dims_of(&e->image.profiles[p].min));
            json_object_set_new(o, "opt", dims_of(&e->image.profiles[p].opt));
            json_object_set_new(o, "max", dims_of(&e->image.profiles[p].max));
        }
        json_array_append_new(list, o);
    }
    return list;
}

// The type that most of a layer's work is in: integers when its first output or input is.
static const char *precision_of(const ferry_engine *e, const ferry_plan_step *step)
{
    const ferry_graph *g = &e->image.graph;
    for (int32_t n = 0; n < step->n_nodes; n++) {
        const ferry_node *node = &g->nodes[step->nodes[n]];
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE && g->values[node->inputs[i]].dtype == FERRY_S8 &&
                strcmp(node->op->name, "DequantizeLinear") != 0)
                return "int8";
    }
    const ferry_buffer_id b = step->n_outputs ? step->outputs[0] : step->n_inputs ? step->inputs[0] : FERRY_NO_BUFFER;
    if (b == FERRY_NO_BUFFER) return "none";
    switch (g->values[e->plan->buffers[b].value].dtype) {
    case FERRY_F32:
        return "fp32";
    case FERRY_F16:
        return "fp16";
    case FERRY_BF16:
        return "bf16";
    case FERRY_S8:
        return "int8";
    default:
        return ferry_dtype_name(g->values[e->plan->buffers[b].value].dtype);
    }
}

static json_t *ends_of(const ferry_engine *e, const ferry_shape *shapes, const ferry_buffer_id *buffers, int32_t n)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < n; i++) {
        const ferry_plan_buffer *b = &e->plan->buffers[buffers[i]];
        json_t *o = value_of(&e->image.graph, shapes, b->value);
        json_object_set_new(o, "layout", json_string(ferry_tensor_layout_name(b->layout)));
        json_array_append_new(list, o);
    }
    return list;
}

static uint64_t macs_of(const ferry_engine *e, const ferry_shape *shapes, const ferry_plan_step *step)
{
    uint64_t macs = 0;
    for (int32_t n = 0; n < step->n_nodes; n++) macs += ferry_node_macs(&e->image.graph.nodes[step->nodes[n]], shapes);
    return macs;
}

static json_t *layers_of(const ferry_engine *e, const ferry_shape *shapes)
{
    static const char *const kinds[] = {"layer", "reformat", "copy"};
    json_t *list = json_array();
    for (size_t i = 0; i < e->plan->n_steps; i++) {
        const ferry_plan_step *s = &e->plan->steps[i];
        json_t *ops = json_array();
        for (int32_t n = 0; n < s->n_nodes; n++)
            json_array_append_new(ops, json_string(e->image.graph.nodes[s->nodes[n]].op->name));
        json_t *o =
            json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:I, s:I}", "kind", kinds[s->kind], "name", s->name,
                      "ops", ops, "precision", precision_of(e, s), "device", e->plan->devices[s->device].backend,
                      "tactic", s->tactic, "inputs", ends_of(e, shapes, s->inputs, s->n_inputs), "outputs",
                      ends_of(e, shapes, s->outputs, s->n_outputs), "packed_bytes", (json_int_t)s->packed_bytes, "macs",
                      (json_int_t)macs_of(e, shapes, s));
        if (s->measured_us >= 0) json_object_set_new(o, "measured_us", json_real(s->measured_us));
        json_array_append_new(list, o);
    }
    return list;
}

static void count_in(json_t *object, const char *key)
{
    json_t *n = json_object_get(object, key);
    json_object_set_new(object, key, json_integer(json_integer_value(n) + 1));
}

// Adds the multiply-adds of a layer's nodes under the precision of each.
static void count_macs(const ferry_engine *e, const ferry_shape *shapes, const ferry_plan_step *step, json_t *object)
{
    const ferry_graph *g = &e->image.graph;
    for (int32_t n = 0; n < step->n_nodes; n++) {
        const ferry_node *node = &g->nodes[step->nodes[n]];
        const uint64_t macs = ferry_node_macs(node, shapes);
        if (!macs) continue;
        const char *key = ferry_node_precision(g, node);
        const json_int_t before = json_integer_value(json_object_get(object, key));
        json_object_set_new(object, key, json_integer(before + (json_int_t)macs));
    }
}

static json_t *summary_of(const ferry_engine *e, const ferry_shape *shapes)
{
    json_t *precisions = json_object(), *devices = json_object(), *macs = json_object();
    for (size_t i = 0; i < e->plan->n_steps; i++) {
        const ferry_plan_step *s = &e->plan->steps[i];
        if (s->kind != FERRY_STEP_REGION) continue;
        count_in(precisions, precision_of(e, s));
        count_in(devices, e->plan->devices[s->device].backend);
        count_macs(e, shapes, s, macs);
    }
    return json_pack("{s:o, s:o, s:o}", "layers_by_precision", precisions, "layers_by_device", devices,
                     "macs_by_precision", macs);
}

static json_t *texts_of(const ferry_engine_image *image)
{
    json_t *texts = json_object();
    for (size_t i = 0; i < image->n_texts; i++) {
        if (strcmp(image->texts[i].key, "numeric_plan") == 0) continue; // long, and has a reader of its own
        json_t *parsed = json_loads(image->texts[i].value, 0, NULL);
        json_t *text = parsed ? parsed : json_string(image->texts[i].value);
        if (!text) text = json_string("(not UTF-8)");
        json_object_set_new(texts, image->texts[i].key, text);
    }
    return texts;
}

// What the FP16 guard keeps in wider types, out of the numeric plan.
static json_t *kept_of(const ferry_engine *e)
{
    json_t *kept = json_array();
    const char *text = ferry_engine_text(e, "numeric_plan");
    json_t *plan = text && strstr(text, "\"kept\": ") ? json_loads(text, 0, NULL) : NULL;
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(plan, "nodes"), i, node)
    {
        json_t *why = json_object_get(node, "kept");
        if (!why) continue;
        json_array_append_new(kept, json_pack("{s:O, s:O, s:O}", "layer", json_object_get(node, "name"), "precision",
                                              json_object_get(node, "precision"), "why", why));
    }
    json_decref(plan);
    return kept;
}

// What is copied between device and host where they share memory.
static void add_copies(const ferry_context *c, json_t *memory)
{
    size_t all = 0, none = 0;
    for (size_t s = 0; s < c->engine->plan->n_steps; s++) {
        all += c->engine->plan->steps[s].kind == FERRY_STEP_COPY;
        none += c->shares_step[s];
    }
    json_object_set_new(memory, "copies", json_integer((json_int_t)(all - none)));
    json_object_set_new(memory, "copies_unless_pinned", json_integer((json_int_t)c->n_crossings));
}

static json_t *memory_of(const ferry_engine *e, ferry_error *err)
{
    ferry_context *context = NULL;
    json_t *o = NULL;
    uint64_t bytes = 0, unshared = 0;
    if (ferry_context_create((ferry_engine *)e, NULL, &context, err) == FERRY_OK &&
        ferry_context_measure(context, &bytes, &unshared, err) == FERRY_OK)
        o = json_pack("{s:I, s:I, s:b, s:b}", "context_bytes", (json_int_t)bytes, "without_sharing_bytes",
                      (json_int_t)unshared, "scratch_known", (int)!ferry_engine_is_for_elsewhere(e), "shared_with_host",
                      (int)e->runtime->infos[0].shares_memory);
    if (o && e->runtime->infos[0].shares_memory) add_copies(context, o);
    ferry_context_release(context);
    return o;
}

static ferry_status shapes_at_opt(const ferry_engine *e, ferry_arena *arena, ferry_shape **out, ferry_error *err)
{
    const ferry_graph *g = &e->image.graph;
    *out = ferry_arena_alloc_array(arena, g->n_values, sizeof **out);
    ferry_input_shape *bound = ferry_arena_alloc_array(arena, e->image.n_profiles, sizeof *bound);
    if (!*out || !bound) return ferry_fail_memory(err, "a description");
    for (size_t i = 0; i < e->image.n_profiles; i++)
        bound[i] = (ferry_input_shape){e->image.profiles[i].input, e->image.profiles[i].opt};
    ferry_report report;
    ferry_report_init(&report, e->image.heap);
    const ferry_status s =
        ferry_graph_infer_shapes(g, bound, e->image.n_profiles, *out, NULL, e->image.heap, &report, err);
    ferry_report_deinit(&report);
    return s;
}

ferry_status ferry_engine_describe(const ferry_engine *engine, char **out_text, ferry_error *error)
{
    *out_text = NULL;
    ferry_arena arena;
    ferry_shape *shapes = NULL;
    ferry_arena_init(&arena, engine->image.heap);
    ferry_status s = shapes_at_opt(engine, &arena, &shapes, error);
    json_t *memory = s == FERRY_OK ? memory_of(engine, error) : NULL;
    if (s == FERRY_OK && !memory) s = FERRY_ERR_OUT_OF_MEMORY;
    if (s == FERRY_OK) {
        const char *name = ferry_engine_text(engine, "name");
        uint64_t weights = 0;
        for (size_t i = 0; i < engine->image.graph.n_values; i++) weights += engine->image.graph.values[i].data_bytes;
        json_t *json =
            json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                      name ? name : "", "fingerprint", engine->plan->devices[0].fingerprint, "portable",
                      (int)engine->image.portable, "replanned", (int)engine->replanned, "file_bytes",
                      (json_int_t)engine->image.file_bytes, "weights_bytes", (json_int_t)weights, "packed_bytes",
                      (json_int_t)engine->plan->packed_bytes, "threads", (json_int_t)engine->plan->threads, "memory",
                      memory, "summary", summary_of(engine, shapes), "bindings", bindings_of(engine, shapes), "layers",
                      layers_of(engine, shapes), "kept_from_fp16", kept_of(engine), "texts", texts_of(&engine->image));
        s = hand_out(json, out_text, error);
    }
    ferry_arena_deinit(&arena);
    return s;
}

// --- Checking a file -----------------------------------------------------------------------------------------------

static json_t *sections_of(const char *path)
{
    ferry_file_map map;
    ferry_engine_section sections[64];
    size_t n = 0;
    json_t *list = json_array();
    if (ferry_file_map_open(&map, path, NULL) != FERRY_OK) return list;
    if (ferry_engine_sections(map.data, map.bytes, sections, FERRY_COUNT_OF(sections), &n, NULL) == FERRY_OK)
        for (size_t i = 0; i < n && i < FERRY_COUNT_OF(sections); i++) {
            char hash[17];
            const bool good =
                ferry_hash64_of(map.data + sections[i].offset, (size_t)sections[i].bytes) == sections[i].checksum;
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s, s:b}", "name", sections[i].name, "offset",
                                                  (json_int_t)sections[i].offset, "bytes",
                                                  (json_int_t)sections[i].bytes, "checksum",
                                                  ferry_hash64_text(sections[i].checksum, hash), "sound", (int)good));
        }
    ferry_file_map_close(&map);
    return list;
}

ferry_status ferry_engine_device(const char *path, char *out, size_t out_bytes, bool *out_fallback, ferry_error *error)
{
    ferry_engine_image image;
    if (out_bytes) out[0] = 0;
    *out_fallback = false;
    FERRY_TRY(ferry_engine_read_file(path, false, ferry_heap_default(), &image, error));
    if (image.n_tuned > 0) {
        const ferry_plan *plan = &image.tuned[0];
        const char *kind = strchr(plan->devices[0].fingerprint, '/');
        const bool cpu = strcmp(plan->devices[0].backend, "cpu") == 0;
        snprintf(out, out_bytes, "%s%s%s", plan->devices[0].backend, cpu || !kind ? "" : ":",
                 cpu || !kind ? "" : kind + 1);
        *out_fallback = plan->n_devices > 1;
    }
    ferry_engine_image_deinit(&image);
    return FERRY_OK;
}

static json_t *tuned_of(const ferry_engine_image *image)
{
    json_t *list = json_array();
    for (size_t i = 0; i < image->n_tuned; i++)
        json_array_append_new(list, json_string(image->tuned[i].devices[0].fingerprint));
    return list;
}

ferry_status ferry_engine_check(ferry_runtime *runtime, const char *path, char **out_text, ferry_error *error)
{
    *out_text = NULL;
    ferry_engine_image image;
    ferry_error why = {.text = ""};
    ferry_engine *engine = NULL;
    json_t *tuned = NULL;
    bool portable = false, replanned = false;
    ferry_status s = ferry_engine_read_file(path, true, runtime->heap, &image, &why);
    if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail(error, s, "%s", why.text);
    if (s == FERRY_OK) {
        tuned = tuned_of(&image);
        portable = image.portable;
        s = ferry_engine_make(runtime, &image, false, &engine, &why);
    }
    if (s == FERRY_OK) {
        ferry_context *context = NULL;
        uint64_t bytes = 0, unshared = 0;
        replanned = engine->replanned;
        s = ferry_context_create(engine, NULL, &context, &why);
        if (s == FERRY_OK) s = ferry_context_measure(context, &bytes, &unshared, &why);
        ferry_context_release(context);
    }
    ferry_engine_release(engine);
    json_t *json = json_pack("{s:b, s:s, s:s, s:s, s:b, s:b, s:o, s:o}", "loads", (int)(s == FERRY_OK), "reason",
                             why.text, "status", ferry_status_name(s), "device", runtime->infos[0].fingerprint,
                             "portable", (int)portable, "replanned", (int)replanned, "tuned_for",
                             tuned ? tuned : json_array(), "sections", sections_of(path));
    return hand_out(json, out_text, error);
}
