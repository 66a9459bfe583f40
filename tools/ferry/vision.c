// SPDX-License-Identifier: Apache-2.0
// Pictures through an engine: preprocessing, one inference, decoding.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int cli_preprocess(const cli_settings *settings, const char *stored, ferry_preprocess *out, bool *out_given)
{
    ferry_error err = {.text = ""};
    ferry_preprocess_default(out);
    *out_given = stored || settings->preprocess || settings->n_preprocess_settings;
    if (settings->preprocess) {
        if (ferry_preprocess_parse(settings->preprocess, out, &err) != FERRY_OK) return cli_fail("%s", err.text);
    } else if (stored && ferry_preprocess_from_json(stored, strlen(stored), out, &err) != FERRY_OK) {
        return cli_fail("the engine's preprocessing: %s", err.text);
    }
    for (size_t i = 0; i < settings->n_preprocess_settings; i++) {
        const cli_pair *p = &settings->preprocess_settings[i];
        if (ferry_preprocess_set(out, p->name, p->value, &err) != FERRY_OK)
            return cli_fail("--%s: %s", p->name, err.text);
    }
    return CLI_OK;
}

static int open_preprocess(cli_vision *v, const cli_session *session, const cli_settings *settings)
{
    ferry_error err = {.text = ""};
    ferry_binding_info input;
    bool given = false;
    const int status =
        cli_preprocess(settings, ferry_engine_text(session->engine, "preprocess"), &v->preprocess, &given);
    if (status != CLI_OK) return status;
    if (ferry_engine_binding(session->engine, 0, &input, &err) != FERRY_OK) return cli_fail("%s", err.text);
    if (v->n_inputs != 1 || input.rank != 4)
        return cli_fail("the engine has %d inputs, the first of %d dimensions: pictures need one of 4; give raw "
                        "tensors with --input",
                        v->n_inputs, input.rank);
    if (!given && !settings->quiet)
        fprintf(stderr, "ferry: warning: no preprocessing is stored or given; pictures go in stretched, RGB, 0..255\n");
    const bool nhwc = v->preprocess.layout == FERRY_LAYOUT_NHWC;
    const int w = nhwc ? 2 : 3, h = nhwc ? 1 : 2, c = nhwc ? 3 : 1;
    const bool open_width = input.min_dims[w] != input.max_dims[w];
    if (ferry_preprocess_set_input(&v->preprocess, open_width ? 0 : (uint32_t)input.opt_dims[w],
                                   (uint32_t)input.opt_dims[h], (uint32_t)input.opt_dims[c], &err) != FERRY_OK)
        return cli_fail("input '%s': %s", input.name, err.text);
    if (ferry_preprocessor_create(&v->preprocess, NULL, &v->preprocessor, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    return CLI_OK;
}

static int open_results(cli_vision *v, const cli_session *session, const cli_settings *settings)
{
    ferry_error err = {.text = ""};
    const char *labels = ferry_engine_text(session->engine, "labels");
    const char *decoder = ferry_engine_text(session->engine, "decoder");
    if (settings->labels) {
        if (ferry_labels_read(settings->labels, NULL, &v->labels, &err) != FERRY_OK) return cli_fail("%s", err.text);
    } else if (labels && ferry_labels_parse(labels, strlen(labels), NULL, &v->labels, &err) != FERRY_OK) {
        return cli_fail("the engine's labels: %s", err.text);
    }
    const bool raw = settings->task && strcmp(settings->task, "raw") == 0;
    if (settings->decoder) {
        if (ferry_decoder_parse(settings->decoder, NULL, &v->decoder, &err) != FERRY_OK)
            return cli_fail("%s", err.text);
    } else if (decoder && !raw &&
               ferry_decoder_from_json(decoder, strlen(decoder), NULL, &v->decoder, &err) != FERRY_OK) {
        return cli_fail("the engine's decoder: %s", err.text);
    }
    if (v->decoder && settings->class_offset >= 0 &&
        ferry_decoder_set_class_offset(v->decoder, settings->class_offset, &err) != FERRY_OK)
        return cli_fail("--class-offset: %s", err.text);
    v->task = v->decoder ? ferry_decoder_task(v->decoder) : FERRY_TASK_RAW;
    if (settings->top_k) v->decode.top_k = (uint32_t)settings->top_k;
    if (settings->score_threshold > 0) v->decode.score_threshold = (float)settings->score_threshold;
    if (settings->nms_iou > 0) v->decode.nms_iou = (float)settings->nms_iou;
    if (settings->max_det) v->decode.max_det = (uint32_t)settings->max_det;
    return ferry_result_create(NULL, &v->result, &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
}

// Host memory for every binding at the context's present shapes.
static ferry_status fit_buffers(cli_vision *v, const cli_session *session, ferry_error *err)
{
    for (int32_t i = 0; i < v->n_inputs + v->n_outputs; i++) {
        ferry_binding_info info;
        ferry_tensor_view view = {0};
        ferry_status s = ferry_engine_binding(session->engine, i, &info, err);
        if (s == FERRY_OK) s = ferry_context_binding_shape(session->context, i, &view.rank, view.dims, err);
        if (s != FERRY_OK) return s;
        size_t bytes = ferry_dtype_bytes(info.dtype);
        for (int32_t d = 0; d < view.rank; d++) bytes *= (size_t)view.dims[d];
        if (bytes > v->bytes[i] || !v->buffers[i]) {
            void *grown = realloc(v->buffers[i], bytes ? bytes : 1);
            if (!grown) {
                snprintf(err->text, sizeof err->text, "no %zu bytes for '%s'", bytes, info.name);
                return FERRY_ERR_OUT_OF_MEMORY;
            }
            memset(grown, 0, bytes);
            v->buffers[i] = grown;
            v->bytes[i] = bytes;
        }
        if (i < v->n_inputs) continue;
        view.name = info.name;
        view.dtype = info.dtype;
        view.data = v->buffers[i];
        v->outputs[i - v->n_inputs] = view;
    }
    return FERRY_OK;
}

int cli_vision_open(cli_vision *v, const cli_session *session, const cli_settings *settings)
{
    *v = (cli_vision){0};
    ferry_decode_options_default(&v->decode);
    const int32_t n = ferry_engine_binding_count(session->engine);
    for (int32_t i = 0; i < n; i++) {
        ferry_binding_info info;
        if (ferry_engine_binding(session->engine, i, &info, NULL) == FERRY_OK && info.is_input) v->n_inputs++;
    }
    v->n_outputs = n - v->n_inputs;
    v->buffers = calloc((size_t)n + 1, sizeof *v->buffers);
    v->bytes = calloc((size_t)n + 1, sizeof *v->bytes);
    v->outputs = calloc((size_t)v->n_outputs + 1, sizeof *v->outputs);
    if (!v->buffers || !v->bytes || !v->outputs) return cli_fail("out of memory");
    const int status = open_preprocess(v, session, settings);
    return status == CLI_OK ? open_results(v, session, settings) : status;
}

void cli_vision_close(cli_vision *v)
{
    for (int32_t i = 0; v->buffers && i < v->n_inputs + v->n_outputs; i++) free(v->buffers[i]);
    free(v->buffers);
    free(v->bytes);
    free(v->outputs);
    ferry_preprocessor_destroy(v->preprocessor);
    ferry_decoder_destroy(v->decoder);
    ferry_labels_destroy(v->labels);
    ferry_result_destroy(v->result);
}

// Inputs whose size follows the picture (lines of text) change the context's shape.
static ferry_status fit_shape(cli_vision *v, const cli_session *session, const ferry_picture *picture, ferry_error *err)
{
    ferry_binding_info info;
    ferry_preprocess_geometry geometry;
    int64_t dims[FERRY_MAX_RANK];
    ferry_status s = ferry_engine_binding(session->engine, 0, &info, err);
    if (s == FERRY_OK) s = ferry_preprocess_plan(&v->preprocess, picture->width, picture->height, &geometry, err);
    if (s != FERRY_OK) return s;
    const bool nhwc = v->preprocess.layout == FERRY_LAYOUT_NHWC;
    memcpy(dims, info.opt_dims, sizeof dims);
    dims[nhwc ? 2 : 3] = geometry.width;
    dims[nhwc ? 1 : 2] = geometry.height;
    s = ferry_context_set_input_shape(session->context, info.name, info.rank, dims, err);
    return s == FERRY_OK ? fit_buffers(v, session, err) : s;
}

ferry_status cli_vision_run(cli_vision *v, const cli_session *session, const char *path, ferry_picture *out_picture,
                            ferry_preprocess_geometry *out_geometry, ferry_error *err)
{
    ferry_picture picture;
    ferry_preprocess_geometry geometry;
    ferry_binding_info info;
    ferry_status s = ferry_picture_read(path, NULL, NULL, &picture, err);
    if (s != FERRY_OK) return s;
    s = fit_shape(v, session, &picture, err);
    if (s == FERRY_OK) s = ferry_engine_binding(session->engine, 0, &info, err);
    if (s == FERRY_OK)
        s = ferry_preprocessor_run(v->preprocessor, &picture, info.dtype, v->buffers[0], v->bytes[0], &geometry, err);
    if (s == FERRY_OK)
        s = ferry_context_run(session->context, session->stream, (const void *const *)v->buffers,
                              v->buffers + v->n_inputs, err);
    for (int32_t i = 0; s == FERRY_OK && i < v->n_outputs; i++)
        s = ferry_context_binding_shape(session->context, v->n_inputs + i, &v->outputs[i].rank, v->outputs[i].dims,
                                        err);
    if (s == FERRY_OK && v->decoder)
        s = ferry_decoder_run(v->decoder, v->outputs, (size_t)v->n_outputs, &geometry, &v->decode, v->result, err);
    if (s == FERRY_OK && out_geometry) *out_geometry = geometry;
    if (s == FERRY_OK && out_picture) {
        *out_picture = picture;
    } else {
        ferry_picture_deinit(&picture);
    }
    return s;
}
