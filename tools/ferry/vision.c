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
    if (v->buffers.n_inputs != 1 || input.rank != 4)
        return cli_fail("the network has %d inputs, the first of %d dimensions: pictures need one of 4; give raw "
                        "tensors with --input",
                        v->buffers.n_inputs, input.rank);
    if (!given && !settings->quiet)
        fprintf(stderr, "ferry: warning: no preprocessing is stored or given; pictures go in stretched, RGB, 0..255 "
                        "(--preprocess and the options below it in the help change that)\n");
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
    int status = cli_open_labels(settings, session->engine, &v->labels);
    if (status == CLI_OK) status = cli_choose_decoder(settings, session->engine, &v->decoder);
    if (status != CLI_OK) return status;
    v->task = v->decoder ? ferry_decoder_task(v->decoder) : FERRY_TASK_RAW;
    if (settings->top_k) v->decode.top_k = (uint32_t)settings->top_k;
    // The library reads 0 as its default.
    if (settings->score_threshold >= 0)
        v->decode.score_threshold = settings->score_threshold > 0 ? (float)settings->score_threshold : -1;
    if (settings->nms_iou > 0) v->decode.nms_iou = (float)settings->nms_iou;
    if (settings->max_det) v->decode.max_det = (uint32_t)settings->max_det;
    return ferry_result_create(NULL, &v->result, &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
}

int cli_vision_open(cli_vision *v, const cli_session *session, const cli_settings *settings)
{
    *v = (cli_vision){0};
    ferry_decode_options_default(&v->decode);
    int status = cli_buffers_open(&v->buffers, session);
    if (status == CLI_OK) status = open_preprocess(v, session, settings);
    ferry_error err = {.text = ""};
    if (status == CLI_OK && cli_vision_open_feeder(v, session, &err) != FERRY_OK) status = cli_fail("%s", err.text);
    return status == CLI_OK ? open_results(v, session, settings) : status;
}

void cli_vision_close(cli_vision *v, const cli_session *session)
{
    cli_vision_close_feeder(v, session);
    cli_buffers_close(&v->buffers);
    ferry_preprocessor_destroy(v->preprocessor);
    ferry_decoder_destroy(v->decoder);
    ferry_labels_destroy(v->labels);
    ferry_result_destroy(v->result);
}

ferry_status cli_vision_fit(cli_vision *v, const cli_session *session, const ferry_picture *picture,
                            ferry_preprocess_geometry *out_geometry, ferry_error *err)
{
    ferry_binding_info info;
    int64_t dims[FERRY_MAX_RANK];
    ferry_status s = ferry_engine_binding(session->engine, 0, &info, err);
    if (s == FERRY_OK) s = ferry_preprocess_plan(&v->preprocess, picture->width, picture->height, out_geometry, err);
    if (s != FERRY_OK) return s;
    // Inputs whose size follows the picture (lines of text) change the context's shape.
    const bool nhwc = v->preprocess.layout == FERRY_LAYOUT_NHWC;
    memcpy(dims, info.opt_dims, sizeof dims);
    dims[nhwc ? 2 : 3] = out_geometry->width;
    dims[nhwc ? 1 : 2] = out_geometry->height;
    s = ferry_context_set_input_shape(session->context, info.name, info.rank, dims, err);
    return s == FERRY_OK ? cli_buffers_fit(&v->buffers, session, err) : s;
}

ferry_status cli_vision_feed(cli_vision *v, const cli_session *session, const ferry_picture *picture,
                             ferry_preprocess_geometry *out_geometry, ferry_error *err)
{
    const ferry_status s = cli_vision_fit(v, session, picture, out_geometry, err);
    if (s != FERRY_OK) return s;
    return ferry_preprocessor_run(v->preprocessor, picture, v->buffers.views[0].dtype, v->buffers.data[0],
                                  v->buffers.bytes[0], out_geometry, err);
}

ferry_status cli_vision_run(cli_vision *v, const cli_session *session, const ferry_picture *picture, ferry_error *err)
{
    ferry_preprocess_geometry geometry;
    ferry_status s = v->feeder ? cli_vision_run_on_device(v, session, picture, &geometry, err)
                               : cli_vision_feed(v, session, picture, &geometry, err);
    if (s == FERRY_OK && !v->feeder) s = cli_buffers_run(&v->buffers, session, err);
    if (s == FERRY_OK && v->decoder)
        s = ferry_decoder_run(v->decoder, v->buffers.outputs, (size_t)v->buffers.n_outputs, &geometry, &v->decode,
                              v->result, err);
    return s;
}
