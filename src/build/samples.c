// SPDX-License-Identifier: Apache-2.0
#include "build/samples.h"

#include <stdio.h>
#include <string.h>

#include "base/f16.h"
#include "base/hash.h"
#include "base/npy.h"
#include "calibrate/sample_list.h"
#include "calibrate/scale_source.h"
#include "ferry/picture.h"
#include "ferry/preprocess.h"

struct ferry_samples {
    ferry_building *b;
    const ferry_heap *heap;
    size_t *elements; // [inputs]: of one sample
    uint64_t used, unreadable;

    // A list of pictures or rows.
    ferry_sample_list *list;
    size_t next;
    ferry_preprocessor *preprocessor;

    // The user's calibrator.
    const ferry_calibrator *calibrator;
    int32_t batch_size, in_batch, at; // at: of the samples in the batch
    const void **bindings;            // [inputs]
    const char **names;               // [inputs]
    bool ended;
};

static ferry_dtype input_dtype(const ferry_samples *s, size_t input)
{
    const ferry_graph *g = &s->b->network->graph;
    return g->values[g->inputs[input]].dtype;
}

static bool is_float(ferry_dtype dtype)
{
    return dtype == FERRY_F32 || dtype == FERRY_F16 || dtype == FERRY_BF16 || dtype == FERRY_F64;
}

// --- Opening -------------------------------------------------------------------------------------------------------

static ferry_status measure_inputs(ferry_samples *s, ferry_error *err)
{
    const ferry_graph *g = &s->b->network->graph;
    s->elements = ferry_arena_alloc_array(&s->b->arena, g->n_inputs, sizeof *s->elements);
    s->bindings = ferry_arena_alloc_array(&s->b->arena, g->n_inputs, sizeof *s->bindings);
    s->names = ferry_arena_alloc_array(&s->b->arena, g->n_inputs, sizeof *s->names);
    if (!s->elements || !s->bindings || !s->names) return ferry_fail_memory(err, "calibration");
    for (size_t i = 0; i < g->n_inputs; i++) {
        ferry_shape shape = s->b->opt[i].shape;
        if (shape.rank > 0) shape.dims[0] = 1;
        if (!ferry_shape_elements(&shape, &s->elements[i])) return ferry_fail_memory(err, "calibration");
        s->names[i] = g->values[g->inputs[i]].name;
    }
    return FERRY_OK;
}

static ferry_status open_preprocessor(ferry_samples *s, ferry_error *err)
{
    const ferry_shape *shape = &s->b->opt[0].shape;
    if (shape->rank != 4)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "input '%s' has %d dimensions: pictures need 4; calibrate from a .npy file instead",
                          s->names[0], shape->rank);
    ferry_preprocess p;
    ferry_preprocess_default(&p);
    const char *json = s->b->options.preprocess_json;
    if (json) FERRY_TRY(ferry_preprocess_from_json(json, strlen(json), &p, err));
    const bool nhwc = p.layout == FERRY_LAYOUT_NHWC;
    FERRY_TRY(ferry_preprocess_set_input(&p, (uint32_t)shape->dims[nhwc ? 2 : 3], (uint32_t)shape->dims[nhwc ? 1 : 2],
                                         (uint32_t)shape->dims[nhwc ? 3 : 1], err));
    return ferry_preprocessor_create(&p, s->heap, &s->preprocessor, err);
}

static ferry_status check_npy(const ferry_samples *s, const char *source, ferry_error *err)
{
    const ferry_npy *npy = ferry_sample_list_npy(s->list);
    if (npy->dtype != FERRY_F32)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "%s: samples are float32, this file holds %s", source,
                          ferry_dtype_name(npy->dtype));
    const uint64_t row = npy->shape[0] ? npy->elem_count / npy->shape[0] : 0;
    if (row == s->elements[0]) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: a sample has %llu elements, input '%s' takes %zu", source,
                      (unsigned long long)row, s->names[0], s->elements[0]);
}

static ferry_status open_list(ferry_samples *s, const ferry_calibration_options *c, ferry_error *err)
{
    if (s->b->network->graph.n_inputs != 1)
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "the model has %zu inputs and a folder, list or .npy file feeds one; use a calibrator (callbacks)",
            s->b->network->graph.n_inputs);
    if (!is_float(input_dtype(s, 0)) && input_dtype(s, 0) != FERRY_U8 && input_dtype(s, 0) != FERRY_S8)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "input '%s' is %s: no pictures can be made of that", s->names[0],
                          ferry_dtype_name(input_dtype(s, 0)));
    FERRY_TRY(ferry_sample_list_open(c->source, s->heap, &s->list, err));
    ferry_sample_list_choose(s->list, c->count, c->seed, FERRY_SAMPLES_DRAWN);
    return ferry_sample_list_npy(s->list) ? check_npy(s, c->source, err) : open_preprocessor(s, err);
}

static ferry_status open_calibrator(ferry_samples *s, ferry_error *err)
{
    if (!s->calibrator->get_batch)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the calibrator has no get_batch function");
    s->batch_size = s->calibrator->get_batch_size ? s->calibrator->get_batch_size(s->calibrator->user) : 1;
    FERRY_TRY(ferry_scale_source_failure(s->b->options.calibration, err));
    if (s->batch_size < 1)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the calibrator's batch size is %d", s->batch_size);
    return FERRY_OK;
}

ferry_status ferry_samples_open(ferry_building *b, ferry_samples **out, ferry_error *err)
{
    const ferry_calibration_options *c = b->options.calibration;
    ferry_samples *s = ferry_new(b->heap, ferry_samples);
    *out = NULL;
    if (!s) return ferry_fail_memory(err, "calibration");
    s->b = b;
    s->heap = b->heap;
    s->calibrator = c->calibrator;
    ferry_status status = measure_inputs(s, err);
    if (status == FERRY_OK && s->calibrator) {
        status = open_calibrator(s, err);
    } else if (status == FERRY_OK && c->source) {
        status = open_list(s, c, err);
    } else if (status == FERRY_OK) {
        status =
            ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "calibration needs samples: --calib DIR|LIST.txt|FILE.npy");
    }
    if (status != FERRY_OK) {
        ferry_samples_close(s);
        return status;
    }
    *out = s;
    return FERRY_OK;
}

void ferry_samples_close(ferry_samples *samples)
{
    if (!samples) return;
    ferry_sample_list_close(samples->list);
    ferry_preprocessor_destroy(samples->preprocessor);
    ferry_delete(samples->heap, samples);
}

uint64_t ferry_samples_total(const ferry_samples *samples)
{
    return samples->list ? ferry_sample_list_count(samples->list) : 0;
}

// --- Reading -------------------------------------------------------------------------------------------------------

static ferry_status store_floats(ferry_dtype dtype, const void *from, size_t elements, void *to, ferry_error *err)
{
    for (size_t i = 0; i < elements; i++) {
        float x;
        memcpy(&x, (const char *)from + i * sizeof x, sizeof x); // rows of a file may be unaligned
        switch (dtype) {
        case FERRY_F32:
            ((float *)to)[i] = x;
            break;
        case FERRY_F64:
            ((double *)to)[i] = (double)x;
            break;
        case FERRY_F16:
            ((uint16_t *)to)[i] = ferry_f16_from_f32(x);
            break;
        case FERRY_BF16:
            ((uint16_t *)to)[i] = ferry_bf16_from_f32(x);
            break;
        default:
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "float samples for an input of %s", ferry_dtype_name(dtype));
        }
    }
    return FERRY_OK;
}

// FERRY_ERR_BAD_DATA and the like: this one can't be read, the next may.
static ferry_status read_picture(ferry_samples *s, size_t index, void *to, ferry_error *err)
{
    ferry_picture picture;
    FERRY_TRY(ferry_picture_read(ferry_sample_list_path(s->list, index), NULL, s->heap, &picture, err));
    const ferry_dtype dtype = input_dtype(s, 0);
    ferry_status status = FERRY_OK;
    if (dtype == FERRY_BF16 || dtype == FERRY_F64) {
        float *floats = ferry_heap_alloc_array(s->heap, s->elements[0], sizeof *floats);
        status = floats ? ferry_preprocessor_run(s->preprocessor, &picture, FERRY_F32, floats,
                                                 s->elements[0] * sizeof *floats, NULL, err)
                        : ferry_fail_memory(err, "a sample");
        if (status == FERRY_OK) status = store_floats(dtype, floats, s->elements[0], to, err);
        ferry_heap_free(s->heap, floats, s->elements[0] * sizeof *floats);
    } else {
        status = ferry_preprocessor_run(s->preprocessor, &picture, dtype, to, s->elements[0] * ferry_dtype_bytes(dtype),
                                        NULL, err);
    }
    ferry_picture_deinit(&picture);
    return status;
}

static ferry_status next_of_list(ferry_samples *s, void *to, bool *out_more, ferry_error *err)
{
    const ferry_npy *npy = ferry_sample_list_npy(s->list);
    *out_more = false;
    while (s->next < ferry_sample_list_count(s->list)) {
        const size_t index = s->next++;
        if (npy) {
            const char *row =
                (const char *)npy->data + ferry_sample_list_row(s->list, index) * s->elements[0] * sizeof(float);
            FERRY_TRY(store_floats(input_dtype(s, 0), row, s->elements[0], to, err));
        } else {
            ferry_error why = {.text = ""};
            const ferry_status status = read_picture(s, index, to, &why);
            if (status == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail(err, status, "%s", why.text);
            if (status != FERRY_OK) {
                ferry_log(s->b->options.logger, FERRY_SEVERITY_WARNING, "skipped: %s", why.text);
                s->unreadable++;
                continue;
            }
        }
        s->used++;
        *out_more = true;
        return FERRY_OK;
    }
    return FERRY_OK;
}

static ferry_status fetch_batch(ferry_samples *s, ferry_error *err)
{
    ferry_error why = {.text = ""};
    const size_t n = s->b->network->graph.n_inputs;
    memset(s->bindings, 0, n * sizeof *s->bindings);
    const int answer = s->calibrator->get_batch(s->calibrator->user, s->bindings, s->names, (int32_t)n, &why);
    if (answer < 0)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "the calibrator failed: %s",
                          why.text[0] ? why.text : "(no reason given)");
    s->ended = answer == 0;
    for (size_t i = 0; i < n && !s->ended; i++)
        if (!s->bindings[i])
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the calibrator gave no data for input '%s'",
                              s->names[i]);
    s->in_batch = s->ended ? 0 : s->batch_size;
    s->at = 0;
    return FERRY_OK;
}

static ferry_status next_of_calibrator(ferry_samples *s, void *const *inputs, bool *out_more, ferry_error *err)
{
    *out_more = false;
    if (s->at == s->in_batch && !s->ended) FERRY_TRY(fetch_batch(s, err));
    if (s->ended) return FERRY_OK;
    for (size_t i = 0; i < s->b->network->graph.n_inputs; i++) {
        const ferry_dtype dtype = input_dtype(s, i);
        const size_t elem = is_float(dtype) ? sizeof(float) : ferry_dtype_bytes(dtype);
        const char *sample = (const char *)s->bindings[i] + (size_t)s->at * s->elements[i] * elem;
        if (is_float(dtype)) {
            FERRY_TRY(store_floats(dtype, sample, s->elements[i], inputs[i], err));
        } else {
            memcpy(inputs[i], sample, s->elements[i] * elem);
        }
    }
    s->at++;
    s->used++;
    *out_more = true;
    return FERRY_OK;
}

ferry_status ferry_samples_next(ferry_samples *samples, void *const *inputs, bool *out_more, ferry_error *err)
{
    return samples->list ? next_of_list(samples, inputs[0], out_more, err)
                         : next_of_calibrator(samples, inputs, out_more, err);
}

ferry_status ferry_samples_finish(const ferry_samples *samples, ferry_error *err)
{
    if (samples->used > 0) return FERRY_OK;
    if (samples->calibrator)
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "calibrator returned no batch (batch size %d): are there fewer pictures than one batch?",
                          samples->batch_size);
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: none of the %llu samples could be read",
                      samples->b->options.calibration->source, (unsigned long long)samples->unreadable);
}

// --- Describing ----------------------------------------------------------------------------------------------------

static void hash_attr(ferry_hasher *h, const ferry_attr *a)
{
    ferry_hasher_update_text(h, a->name);
    ferry_hasher_update_u64(h, (uint64_t)a->kind);
    ferry_hasher_update_u64(h, (uint64_t)a->count);
    const bool ints = a->kind == FERRY_ATTR_INT || a->kind == FERRY_ATTR_INTS;
    const bool strings = a->kind == FERRY_ATTR_STRING || a->kind == FERRY_ATTR_STRINGS;
    if (a->kind == FERRY_ATTR_TENSOR)
        ferry_hasher_update(h, a->u.tensor->data, ferry_tensor_bytes(a->u.tensor));
    else if (!strings)
        ferry_hasher_update(h, a->u.ints, (size_t)a->count * (ints ? sizeof *a->u.ints : sizeof *a->u.floats));
    for (int32_t i = 0; strings && i < a->count; i++) ferry_hasher_update_text(h, a->u.strings[i]);
}

static void hash_node(ferry_hasher *h, const ferry_node *node)
{
    ferry_hasher_update_text(h, node->op->name);
    ferry_hasher_update_text(h, node->name);
    for (int32_t i = 0; i < node->n_inputs; i++) ferry_hasher_update_u64(h, (uint64_t)node->inputs[i]);
    for (int32_t i = 0; i < node->n_outputs; i++) ferry_hasher_update_u64(h, (uint64_t)node->outputs[i]);
    for (int32_t i = 0; i < node->n_attrs; i++) hash_attr(h, &node->attrs[i]);
}

static void hash_model(const ferry_graph *g, char out[33])
{
    ferry_hasher h;
    ferry_hasher_init128(&h);
    for (size_t i = 0; i < g->n_nodes; i++) hash_node(&h, &g->nodes[i]);
    for (size_t i = 0; i < g->n_values; i++) {
        ferry_hasher_update_text(&h, g->values[i].name);
        if (g->values[i].data) ferry_hasher_update(&h, g->values[i].data, g->values[i].data_bytes);
    }
    ferry_hash128_text(ferry_hasher_digest128(&h), out);
}

void ferry_samples_describe_model(ferry_building *b, ferry_calibration_meta *out)
{
    *out = (ferry_calibration_meta){0};
    hash_model(&b->network->graph, out->model);
    const char *preprocess = b->options.preprocess_json ? b->options.preprocess_json : "";
    ferry_hash128_text(ferry_hash128_of(preprocess, strlen(preprocess)), out->preprocessing);
}

void ferry_samples_describe(ferry_building *b, ferry_calibration_meta *out)
{
    const ferry_calibration_options *c = b->options.calibration;
    ferry_samples_describe_model(b, out);
    out->seed = c->seed;
    ferry_calibration_describe(ferry_scale_source_algorithm(c), c->percentile, out->algorithm);
    ferry_sample_list *list = NULL;
    if (c->calibrator || !c->source || ferry_sample_list_open(c->source, b->heap, &list, NULL) != FERRY_OK) return;
    ferry_sample_list_choose(list, c->count, c->seed, FERRY_SAMPLES_DRAWN);
    out->count = ferry_sample_list_count(list);
    ferry_hash128_text(ferry_sample_list_hash(list), out->data);
    ferry_sample_list_close(list);
}
