// SPDX-License-Identifier: Apache-2.0
// From options to a runtime, and from a file to an engine that can be run.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_take.h"

bool cli_is_engine(const char *path)
{
    char magic[8] = {0};
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    const size_t n = fread(magic, 1, sizeof magic, f);
    fclose(f);
    return n == sizeof magic && memcmp(magic, "FERRYENG", sizeof magic) == 0;
}

int cli_runtime_open(const cli_settings *settings, ferry_runtime **out)
{
    ferry_error err = {.text = ""};
    const ferry_runtime_options options = {
        .size = sizeof options,
        .device = settings->device,
        .fallback = settings->gpu_fallback,
        .logger = cli_logger(settings),
    };
    return ferry_runtime_create(&options, out, &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
}

// --- Shapes --------------------------------------------------------------------------------------------------------

static const char *find_pair(const cli_pair *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return list[i].value;
    return NULL;
}

// --shape alone fixes an input; of min, opt and max those that are left out take the next one that is given.
static ferry_status make_shape(const cli_settings *s, const char *name, ferry_profile_shape *out, ferry_error *err)
{
    const char *fixed = find_pair(s->shapes, s->n_shapes, name);
    const char *least = find_pair(s->min_shapes, s->n_min_shapes, name);
    const char *opt = find_pair(s->opt_shapes, s->n_opt_shapes, name);
    const char *most = find_pair(s->max_shapes, s->n_max_shapes, name);
    if (fixed && (least || opt || most)) CLI_FAIL("input '%s': --shape fixes it; leave it or the profile out", name);
    if (fixed) least = opt = most = fixed;
    if (!opt) opt = most ? most : least;
    if (!least) least = opt;
    if (!most) most = opt;
    int32_t rank = 0;
    out->input = name;
    ferry_status status = cli_take_dims(least, &rank, out->min_dims, err);
    out->rank = rank;
    if (status == FERRY_OK) status = cli_take_dims(opt, &rank, out->opt_dims, err);
    if (status == FERRY_OK && rank != out->rank)
        CLI_FAIL("input '%s': shapes of %d and %d dimensions", name, out->rank, rank);
    if (status == FERRY_OK) status = cli_take_dims(most, &rank, out->max_dims, err);
    if (status == FERRY_OK && rank != out->rank)
        CLI_FAIL("input '%s': shapes of %d and %d dimensions", name, out->rank, rank);
    return status;
}

static ferry_status collect_shapes(const cli_settings *s, ferry_profile_shape *out, size_t *out_n, ferry_error *err)
{
    const struct {
        const cli_pair *list;
        size_t n;
    } lists[] = {{s->shapes, s->n_shapes},
                 {s->min_shapes, s->n_min_shapes},
                 {s->opt_shapes, s->n_opt_shapes},
                 {s->max_shapes, s->n_max_shapes}};
    *out_n = 0;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (size_t i = 0; i < lists[l].n; i++) {
            bool known = false;
            for (size_t k = 0; k < *out_n; k++) known |= strcmp(out[k].input, lists[l].list[i].name) == 0;
            if (known) continue;
            if (*out_n == CLI_MOST_ITEMS) CLI_FAIL("shapes for more than %d inputs", CLI_MOST_ITEMS);
            const ferry_status status = make_shape(s, lists[l].list[i].name, &out[*out_n], err);
            if (status != FERRY_OK) return status;
            ++*out_n;
        }
    return FERRY_OK;
}

// --- Building ------------------------------------------------------------------------------------------------------

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = NULL;
    size_t used = 0, capacity = 0;
    for (;;) {
        if (capacity - used < 65536) {
            char *grown = realloc(text, capacity = capacity * 2 + 131072);
            if (!grown) break;
            text = grown;
        }
        const size_t n = fread(text + used, 1, capacity - used - 1, f);
        used += n;
        if (n == 0) break;
    }
    const bool good = text && !ferror(f);
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
    if (s->best) {
        wanted |= ferry_runtime_fast_precisions(runtime);
        const bool scales = s->calibration.source || s->calibration.cache_path || s->plan;
        if (!scales && !s->int8) wanted &= ~(uint32_t)FERRY_PRECISION_INT8;
    }
    return wanted;
}

typedef struct texts {
    char preprocess[1024];
    char *labels, *plan;
} texts;

static int gather_texts(const cli_settings *s, const ferry_network *network, texts *out, ferry_build_options *options)
{
    ferry_error err = {.text = ""};
    ferry_preprocess preprocess;
    bool given = false;
    const int status = cli_preprocess(s, NULL, &preprocess, &given);
    if (status != CLI_OK) return status;
    ferry_binding_info input;
    if (given && ferry_network_binding(network, 0, &input, &err) == FERRY_OK && input.rank == 4) {
        const bool nhwc = preprocess.layout == FERRY_LAYOUT_NHWC;
        const int64_t w = input.dims[nhwc ? 2 : 3], h = input.dims[nhwc ? 1 : 2], c = input.dims[nhwc ? 3 : 1];
        // A size that the model leaves open may come from --shape only: then it is settled when the engine is used.
        if (w > 0 && h > 0 &&
            ferry_preprocess_set_input(&preprocess, (uint32_t)w, (uint32_t)h, c > 0 ? (uint32_t)c : 0, &err) !=
                FERRY_OK)
            return cli_fail("input '%s': %s", input.name, err.text);
    }
    if (given) {
        if (ferry_preprocess_to_json(&preprocess, out->preprocess, sizeof out->preprocess, &err) != FERRY_OK)
            return cli_fail("%s", err.text);
        options->preprocess_json = out->preprocess;
    }
    if (s->labels) {
        ferry_labels *labels = NULL;
        if (ferry_labels_read(s->labels, NULL, &labels, &err) != FERRY_OK) return cli_fail("%s", err.text);
        const ferry_status done = ferry_labels_to_text(labels, NULL, &out->labels, &err);
        ferry_labels_destroy(labels);
        if (done != FERRY_OK) return cli_fail("%s", err.text);
        options->labels_json = out->labels;
    }
    if (s->plan) {
        out->plan = read_text(s->plan);
        if (!out->plan) return cli_fail("%s: can't be read", s->plan);
        options->numeric_plan = out->plan;
    }
    options->task = s->task;
    return CLI_OK;
}

// What the outputs mean is settled once the engine is there to tell their shapes.
static int store_decoder(const cli_settings *s, ferry_engine *engine);

static int build(const cli_settings *s, ferry_runtime *runtime, const ferry_network *network, ferry_engine **out)
{
    ferry_error err = {.text = ""};
    static ferry_profile_shape shapes[CLI_MOST_ITEMS];
    ferry_layer_precision layer_precisions[CLI_MOST_ITEMS];
    ferry_text_pair metadata[CLI_MOST_ITEMS];
    texts t = {{0}, NULL, NULL};
    ferry_build_options options = {
        .size = sizeof options,
        .precisions = wanted_precisions(s, runtime),
        .shapes = shapes,
        .layer_precisions = layer_precisions,
        .name = s->name,
        .metadata = metadata,
        .n_metadata = s->n_metadata,
        .workspace_bytes = s->workspace,
        .memory_bytes = s->ram,
        .timing_cache = s->timing_cache,
        .threads = s->threads,
        .no_fusion = s->no_fusion,
        .strip_portable = s->strip_portable,
        .disabled_passes = s->disabled_passes,
        .n_disabled_passes = s->n_disabled_passes,
        .logger = cli_logger(s),
        .progress = cli_progress(s),
    };
    if (collect_shapes(s, shapes, &options.n_shapes, &err) != FERRY_OK) return cli_usage("build", "%s", err.text);
    for (size_t i = 0; i < s->n_layer_precisions; i++) {
        cli_pair pair;
        size_t n = 0;
        if (cli_take_pair(s->layer_precisions[i], "GLOB=TYPE", false, &pair, &n, &err) != FERRY_OK)
            return cli_usage("build", "%s", err.text);
        layer_precisions[options.n_layer_precisions++] = (ferry_layer_precision){pair.name, pair.value};
    }
    for (size_t i = 0; i < s->n_metadata; i++)
        metadata[i] = (ferry_text_pair){s->metadata[i].name, s->metadata[i].value};
    if (s->calibration.source || s->calibration.cache_path) options.calibration = &s->calibration;
    int status = gather_texts(s, network, &t, &options);
    if (status == CLI_OK && ferry_build(runtime, network, &options, out, &err) != FERRY_OK)
        status = cli_fail("%s", err.text);
    if (status == CLI_OK) status = store_decoder(s, *out);
    ferry_text_free(NULL, t.labels);
    free(t.plan);
    return status;
}

int cli_build_engine(const cli_settings *settings, ferry_runtime *runtime, const char *model, ferry_engine **out)
{
    ferry_error err = {.text = ""};
    ferry_network *network = NULL;
    *out = NULL;
    const ferry_network_options options = {.size = sizeof options, .logger = cli_logger(settings)};
    if (ferry_network_load(model, &options, &network, &err) != FERRY_OK) return cli_fail("%s", err.text);
    const int status = build(settings, runtime, network, out);
    ferry_network_release(network);
    if (status != CLI_OK) {
        ferry_engine_release(*out);
        *out = NULL;
    }
    return status;
}

// --- Decoder -------------------------------------------------------------------------------------------------------

enum { MOST_OUTPUTS = 64 };

// Shapes of an engine's outputs at its opt shapes.
static int output_views(ferry_engine *engine, ferry_tensor_view *views, size_t *out_n, uint32_t *out_width,
                        uint32_t *out_height)
{
    ferry_error err = {.text = ""};
    ferry_context *context = NULL;
    *out_n = 0;
    *out_width = *out_height = 0;
    if (ferry_context_create(engine, NULL, &context, &err) != FERRY_OK) return cli_fail("%s", err.text);
    int status = CLI_OK;
    for (int32_t i = 0; status == CLI_OK && i < ferry_engine_binding_count(engine); i++) {
        ferry_binding_info info;
        ferry_tensor_view view = {0};
        if (ferry_engine_binding(engine, i, &info, &err) != FERRY_OK ||
            ferry_context_binding_shape(context, i, &view.rank, view.dims, &err) != FERRY_OK) {
            status = cli_fail("%s", err.text);
        } else if (info.is_input && i == 0 && view.rank == 4) {
            *out_width = (uint32_t)view.dims[3];
            *out_height = (uint32_t)view.dims[2];
        } else if (!info.is_input && *out_n < MOST_OUTPUTS) {
            view.name = info.name;
            view.dtype = info.dtype;
            views[(*out_n)++] = view;
        }
    }
    ferry_context_release(context);
    return status;
}

static int choose_decoder(const cli_settings *s, ferry_engine *engine, ferry_decoder **out)
{
    static ferry_tensor_view views[MOST_OUTPUTS];
    ferry_error err = {.text = ""};
    char reason[512] = "";
    const char *preset = NULL;
    size_t n = 0;
    uint32_t width = 0, height = 0;
    *out = NULL;
    if (s->task && strcmp(s->task, "raw") == 0) return CLI_OK;
    if (s->decoder)
        return ferry_decoder_parse(s->decoder, NULL, out, &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
    if (s->task && (strcmp(s->task, "classify") == 0 || strcmp(s->task, "segment") == 0)) {
        preset = s->task;
    } else {
        ferry_labels *labels = NULL;
        const char *text = ferry_engine_text(engine, "labels");
        if (text && ferry_labels_parse(text, strlen(text), NULL, &labels, &err) != FERRY_OK)
            return cli_fail("labels: %s", err.text);
        const int status = output_views(engine, views, &n, &width, &height);
        const size_t label_count = ferry_labels_count(labels);
        ferry_labels_destroy(labels);
        if (status != CLI_OK) return status;
        if (ferry_decoder_propose(views, n, width, height, label_count, &preset, reason, sizeof reason, &err) !=
            FERRY_OK) {
            if (s->task) return cli_fail("%s", err.text);
            if (!s->quiet) fprintf(stderr, "ferry: info: outputs stay raw tensors: %s\n", err.text);
            return CLI_OK;
        }
        if (!s->quiet) fprintf(stderr, "ferry: info: decoder '%s': %s\n", preset, reason);
    }
    return ferry_decoder_parse(preset, NULL, out, &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
}

static int store_decoder(const cli_settings *s, ferry_engine *engine)
{
    ferry_error err = {.text = ""};
    ferry_decoder *decoder = NULL;
    char *json = NULL;
    int status = choose_decoder(s, engine, &decoder);
    if (status != CLI_OK || !decoder) return status;
    if (s->class_offset >= 0 && ferry_decoder_set_class_offset(decoder, s->class_offset, &err) != FERRY_OK)
        status = cli_fail("--class-offset: %s", err.text);
    if (status == CLI_OK &&
        (ferry_decoder_to_json(decoder, NULL, &json, &err) != FERRY_OK ||
         ferry_engine_set_text(engine, "decoder", json, &err) != FERRY_OK ||
         ferry_engine_set_text(engine, "task", ferry_task_name(ferry_decoder_task(decoder)), &err) != FERRY_OK))
        status = cli_fail("%s", err.text);
    ferry_text_free(NULL, json);
    ferry_decoder_destroy(decoder);
    return status;
}

// --- Sessions ------------------------------------------------------------------------------------------------------

static int load_engine(cli_session *session, const cli_settings *settings, const char *path)
{
    ferry_error err = {.text = ""};
    const ferry_engine_load_options options = {.size = sizeof options, .verify = settings->verify};
    if (ferry_engine_load(session->runtime, path, &options, &session->engine, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    return CLI_OK;
}

int cli_session_open(cli_session *session, const cli_settings *settings, const char *path)
{
    ferry_error err = {.text = ""};
    *session = (cli_session){0};
    int status = cli_runtime_open(settings, &session->runtime);
    if (status != CLI_OK) return status;
    session->built = !cli_is_engine(path);
    status = session->built ? cli_build_engine(settings, session->runtime, path, &session->engine)
                            : load_engine(session, settings, path);
    if (status != CLI_OK) return status;
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = settings->threads};
    const ferry_context_options context_options = {.size = sizeof context_options, .memory_limit_bytes = settings->ram};
    if (ferry_stream_create(session->runtime, &stream_options, &session->stream, &err) != FERRY_OK ||
        ferry_context_create(session->engine, &context_options, &session->context, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    return CLI_OK;
}

void cli_session_close(cli_session *session)
{
    ferry_context_release(session->context);
    ferry_stream_release(session->stream);
    ferry_engine_release(session->engine);
    ferry_runtime_release(session->runtime);
}
