// SPDX-License-Identifier: Apache-2.0
// ferry build --max-drop: measures what lower precision costs, and keeps in float the layers that cost most until the
// drop is as small as was asked for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "eval.h"

// A round adds a few tensors, since the first errors hide those behind them; more pictures than these change little.
enum { MOST_ROUNDS = 16, TENSORS_A_ROUND = 4, PICTURES_COMPARED = 8 };

typedef struct search {
    const char *model;
    ferry_runtime *runtime;
    cli_settings settings; // as given, then with scales in memory and layers kept in float
    cli_eval_set samples;  // pictures to compare on
    ferry_calibrator scales;
    char *scale_text; // a calibration cache
    char *kept[CLI_MOST_ITEMS];
    size_t n_kept;
    double reference, got;
} search;

static const char *metric_name(const cli_settings *s)
{
    return s->labels_csv ? "top-1" : s->coco ? "mAP@0.5" : "mIoU";
}

static int measure(search *x, const cli_settings *settings, ferry_engine *engine, double *out)
{
    cli_session session = {.runtime = x->runtime, .engine = engine, .built = true};
    int status = cli_session_start(&session, settings);
    if (status == CLI_OK) status = cli_eval_figure(settings, &session, out);
    ferry_context_release(session.context);
    ferry_stream_release(session.stream);
    return status;
}

static int measure_reference(search *x)
{
    ferry_engine *engine = NULL;
    cli_settings float32 = x->settings;
    float32.int8 = float32.fp16 = float32.bf16 = float32.best = false;
    float32.calibration = (ferry_calibration_options){.size = sizeof float32.calibration};
    float32.plan = NULL;
    float32.n_layer_precisions = 0;
    int status = cli_build_engine(&float32, x->runtime, x->model, &engine);
    if (status == CLI_OK) status = measure(x, &float32, engine, &x->reference);
    ferry_engine_release(engine);
    return status;
}

static const void *give_scales(void *user, size_t *length)
{
    const search *x = user;
    *length = strlen(x->scale_text);
    return x->scale_text;
}

// Calibrates once; each round's build then takes these scales.
static int prepare_scales(search *x)
{
    ferry_error err = {.text = ""};
    ferry_network *network = NULL;
    if (!x->settings.calibration.source && !x->settings.calibration.cache_path) return CLI_OK;
    cli_build_request *request = malloc(sizeof *request);
    if (!request) return cli_fail("out of memory");
    int status = cli_network_open(&x->settings, x->model, &network);
    if (status == CLI_OK) {
        status = cli_build_request_open(request, &x->settings, x->runtime, network);
        if (status == CLI_OK) {
            const ferry_status s = ferry_calibrate(x->runtime, network, &request->options, &x->scale_text, &err);
            if (s != FERRY_OK) status = cli_fail_with(s, &err);
        }
        cli_build_request_close(request);
    }
    free(request);
    ferry_network_release(network);
    if (status != CLI_OK) return status;
    x->scales = (ferry_calibrator){.size = sizeof x->scales, .read_calibration_cache = give_scales, .user = x};
    x->settings.calibration =
        (ferry_calibration_options){.size = sizeof x->settings.calibration, .calibrator = &x->scales};
    return CLI_OK;
}

static bool is_kept(const search *x, const char *name)
{
    for (size_t i = 0; i < x->n_kept; i++)
        if (strcmp(x->kept[i], name) == 0) return true;
    return false;
}

static int keep(search *x, const char *name)
{
    cli_settings *s = &x->settings;
    char *copy = strdup(name);
    if (!copy) return cli_fail("out of memory");
    x->kept[x->n_kept++] = copy;
    s->layer_precisions[s->n_layer_precisions++] = (cli_pair){copy, "fp32"};
    return CLI_OK;
}

// Keeps the worst tensors in float. *out_added stays 0 when there is nothing left to try.
static int keep_worst(search *x, ferry_engine *engine, size_t *out_added)
{
    cli_tensor_records records = {0};
    cli_losses losses = {0};
    char text[512] = "";
    *out_added = 0;
    int status = cli_compare_pictures(&x->settings, x->runtime, engine, x->model, &x->samples, &records, &losses);
    for (size_t i = 0; status == CLI_OK && i < losses.count && *out_added < TENSORS_A_ROUND; i++) {
        const cli_tensor_record *r = losses.list[i].tensor;
        const bool full = x->n_kept == CLI_MOST_ITEMS || x->settings.n_layer_precisions == CLI_MOST_ITEMS;
        if (full || !r->own.count || is_kept(x, r->name) || strpbrk(r->name, "*?")) continue;
        status = keep(x, r->name);
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", r->name);
        ++*out_added;
    }
    if (status == CLI_OK && *out_added && !x->settings.quiet)
        fprintf(stderr, "ferry: info: %s %.4f, FP32 %.4f: keeping in float: %s\n", metric_name(&x->settings), x->got,
                x->reference, text);
    free(losses.list);
    cli_records_close(&records);
    return status;
}

static int run_search(search *x, ferry_engine **out)
{
    const double most = x->settings.max_drop / 100;
    int status = measure_reference(x);
    if (status == CLI_OK) status = prepare_scales(x);
    for (int round = 0; status == CLI_OK; round++) {
        size_t added = 0;
        status = cli_build_engine(&x->settings, x->runtime, x->model, out);
        if (status == CLI_OK) status = measure(x, &x->settings, *out, &x->got);
        if (status != CLI_OK || x->reference - x->got <= most) break;
        if (round < MOST_ROUNDS) status = keep_worst(x, *out, &added);
        ferry_engine_release(*out);
        *out = NULL;
        if (status == CLI_OK && added == 0)
            status =
                cli_fail("--max-drop %g: %s falls from %.4f to %.4f, by %.2f points, with the %zu worst tensors in "
                         "float; allow more, or try another --calib-algo",
                         x->settings.max_drop, metric_name(&x->settings), x->reference, x->got,
                         100 * (x->reference - x->got), x->n_kept);
    }
    return status;
}

int cli_build_within_drop(const cli_settings *settings, ferry_runtime *runtime, const char *model, ferry_engine **out,
                          cli_drop *out_drop)
{
    search *x = calloc(1, sizeof *x);
    *out = NULL;
    if (!x) return cli_fail("out of memory");
    x->model = model;
    x->runtime = runtime;
    x->settings = *settings;
    int status = cli_eval_set_open(&x->samples, settings);
    if (status == CLI_OK) {
        cli_eval_set_spread(&x->samples, PICTURES_COMPARED);
        status = run_search(x, out);
    }
    *out_drop = (cli_drop){metric_name(settings), x->reference, x->got, json_array()};
    for (size_t i = 0; i < x->n_kept; i++) json_array_append_new(out_drop->kept, json_string(x->kept[i]));
    if (status != CLI_OK) {
        ferry_engine_release(*out);
        *out = NULL;
    }
    for (size_t i = 0; i < x->n_kept; i++) free(x->kept[i]);
    if (x->scale_text) ferry_bytes_free(x->scale_text, strlen(x->scale_text) + 1);
    cli_eval_set_close(&x->samples);
    free(x);
    return status;
}
