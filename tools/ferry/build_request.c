// SPDX-License-Identifier: Apache-2.0
// From options and a model file to what ferry_build and ferry_calibrate are asked for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_take.h"

#define MOST_TEXT_BYTES ((size_t)64 << 20)

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = NULL;
    size_t used = 0, capacity = 0;
    for (;;) {
        // Something like /dev/zero has no end.
        if (used > MOST_TEXT_BYTES) break;
        if (capacity - used < 65536) {
            char *grown = realloc(text, capacity = capacity * 2 + 131072);
            if (!grown) break;
            text = grown;
        }
        const size_t n = fread(text + used, 1, capacity - used - 1, f);
        used += n;
        if (n == 0) break;
    }
    const bool good = text && !ferror(f) && used <= MOST_TEXT_BYTES;
    fclose(f);
    if (good) {
        text[used] = 0;
        return text;
    }
    free(text);
    return NULL;
}

static uint32_t wanted_precisions(const cli_settings *s, ferry_runtime *runtime)
{
    uint32_t wanted = (s->fp16 ? (uint32_t)FERRY_PRECISION_FP16 : 0) | (s->bf16 ? (uint32_t)FERRY_PRECISION_BF16 : 0) |
                      (s->int8 ? (uint32_t)FERRY_PRECISION_INT8 : 0);
    if (!s->best) return wanted;
    const bool scales = s->calibration.source || s->calibration.cache_path || s->calibration.calibrator || s->plan;
    const uint32_t fast = ferry_runtime_fast_precisions(runtime);
    wanted |= fast;
    if (!scales && !s->int8) wanted &= ~(uint32_t)FERRY_PRECISION_INT8;
    if (scales && !(wanted & FERRY_PRECISION_INT8))
        cli_warn(s, "--best leaves INT8 out, since the device does not compute faster in it: add --int8 to have it");
    return wanted;
}

// The picture's side of the first input is known from the model, or from --shape.
static int settle_size(const ferry_network *network, ferry_preprocess *preprocess)
{
    ferry_error err = {.text = ""};
    ferry_binding_info input;
    if (ferry_network_binding(network, 0, &input, &err) != FERRY_OK || input.rank != 4) return CLI_OK;
    const bool nhwc = preprocess->layout == FERRY_LAYOUT_NHWC;
    const int64_t w = input.dims[nhwc ? 2 : 3], h = input.dims[nhwc ? 1 : 2], c = input.dims[nhwc ? 3 : 1];
    // A size that the model leaves open may come from --shape only: then it is settled when the engine is used.
    if (w > 0 && h > 0 &&
        ferry_preprocess_set_input(preprocess, (uint32_t)w, (uint32_t)h, c > 0 ? (uint32_t)c : 0, &err) != FERRY_OK)
        return cli_fail("input '%s': %s", input.name, err.text);
    return CLI_OK;
}

static int gather_preprocess(cli_build_request *r, const cli_settings *s, const ferry_network *network)
{
    ferry_error err = {.text = ""};
    ferry_preprocess preprocess;
    bool given = false;
    int status = cli_preprocess(s, NULL, &preprocess, &given);
    if (status == CLI_OK && given) status = settle_size(network, &preprocess);
    if (status != CLI_OK || !given) return status;
    if (ferry_preprocess_to_json(&preprocess, r->preprocess, sizeof r->preprocess, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    r->options.preprocess_json = r->preprocess;
    return CLI_OK;
}

static int gather_texts(cli_build_request *r, const cli_settings *s)
{
    ferry_error err = {.text = ""};
    r->options.task = s->task;
    if (s->labels) {
        ferry_labels *labels = NULL;
        if (ferry_labels_read(s->labels, NULL, &labels, &err) != FERRY_OK) return cli_fail("%s", err.text);
        const ferry_status done = ferry_labels_to_text(labels, NULL, &r->labels, &err);
        ferry_labels_destroy(labels);
        if (done != FERRY_OK) return cli_fail("%s", err.text);
        r->options.labels_json = r->labels;
    }
    if (s->plan) {
        r->plan = read_text(s->plan);
        if (!r->plan) return cli_fail("--plan: %s can't be read", s->plan);
        r->options.numeric_plan = r->plan;
    }
    return CLI_OK;
}

static ferry_status gather_lists(cli_build_request *r, const cli_settings *s, ferry_error *err)
{
    const ferry_status status = cli_collect_shapes(s, r->shapes, &r->options.n_shapes, err);
    if (status != FERRY_OK) return status;
    for (size_t i = 0; i < s->n_layer_precisions; i++)
        r->layer_precisions[i] = (ferry_layer_precision){s->layer_precisions[i].name, s->layer_precisions[i].value};
    for (size_t i = 0; i < s->n_metadata; i++)
        r->metadata[i] = (ferry_text_pair){s->metadata[i].name, s->metadata[i].value};
    return FERRY_OK;
}

int cli_build_request_open(cli_build_request *r, const cli_settings *s, ferry_runtime *runtime,
                           const ferry_network *network)
{
    ferry_error err = {.text = ""};
    memset(r, 0, sizeof *r);
    r->options = (ferry_build_options){
        .size = sizeof r->options,
        .precisions = wanted_precisions(s, runtime),
        .shapes = r->shapes,
        .layer_precisions = r->layer_precisions,
        .n_layer_precisions = s->n_layer_precisions,
        .name = s->name,
        .metadata = r->metadata,
        .n_metadata = s->n_metadata,
        .workspace_bytes = s->workspace,
        .memory_bytes = s->ram,
        .timing_cache = s->timing_cache,
        .threads = s->threads,
        .no_fusion = s->no_fusion,
        .no_winograd = s->no_winograd,
        .low_memory = s->low_memory,
        .no_timing = s->no_timing,
        .int8_symmetric = s->int8_symmetric,
        .tactics = s->own_tactics ? FERRY_TACTICS_OWN : FERRY_TACTICS_ALL,
        .tf32 = s->tf32,
        .build_seconds = s->build_seconds,
        .no_fp16_guard = s->no_fp16_guard,
        .strip_portable = s->strip_portable,
        .disabled_passes = s->disabled_passes,
        .n_disabled_passes = s->n_disabled_passes,
        .logger = cli_logger(s),
        .progress = cli_progress(s),
    };
    if (s->calibration.source || s->calibration.cache_path || s->calibration.calibrator)
        r->options.calibration = &s->calibration;
    if (gather_lists(r, s, &err) != FERRY_OK) return cli_usage(NULL, "%s", err.text);
    const int status = gather_preprocess(r, s, network);
    return status == CLI_OK ? gather_texts(r, s) : status;
}

void cli_build_request_close(cli_build_request *r)
{
    ferry_text_free(NULL, r->labels);
    free(r->plan);
}

// Passes messages on and counts the errors among them.
typedef struct counting {
    const ferry_logger *to;
    size_t errors;
} counting;

static void count_errors(void *user, ferry_severity severity, const char *text)
{
    counting *c = user;
    c->errors += severity == FERRY_SEVERITY_ERROR;
    c->to->log(c->to->user, severity, text);
}

int cli_network_open(const cli_settings *settings, const char *model, ferry_network **out)
{
    ferry_error err = {.text = ""};
    counting c = {.to = cli_logger(settings)};
    const ferry_logger logger = {count_errors, &c, c.to->most};
    const ferry_network_options options = {.size = sizeof options, .logger = &logger};
    if (cli_refuse_empty(model) != CLI_OK) return CLI_FAILED;
    const ferry_status s = ferry_network_load(model, &options, out, &err);
    if (s == FERRY_OK) return CLI_OK;
    // Each problem has been said with its node already.
    if (c.errors)
        return cli_fail("%s can't be imported: %zu problem%s, named above", model, c.errors, c.errors == 1 ? "" : "s");
    return cli_fail_with(s, &err);
}

int cli_build_engine(const cli_settings *settings, ferry_runtime *runtime, const char *model, ferry_engine **out)
{
    ferry_error err = {.text = ""};
    ferry_network *network = NULL;
    *out = NULL;
    int status = cli_network_open(settings, model, &network);
    if (status != CLI_OK) return status;
    cli_build_request *request = malloc(sizeof *request);
    if (request) {
        status = cli_build_request_open(request, settings, runtime, network);
        if (status == CLI_OK) {
            const ferry_status s = ferry_build(runtime, network, &request->options, out, &err);
            if (s != FERRY_OK) status = cli_fail_with(s, &err);
        }
        if (status == CLI_OK) status = cli_store_decoder(settings, *out);
        cli_build_request_close(request);
        free(request);
    } else {
        status = cli_fail("out of memory");
    }
    ferry_network_release(network);
    if (status != CLI_OK) {
        ferry_engine_release(*out);
        *out = NULL;
    }
    return status;
}
