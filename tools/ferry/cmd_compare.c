// SPDX-License-Identifier: Apache-2.0
// ferry compare: an engine against its model in FP32, as it was imported.
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

enum { DEFAULT_WORST = 20, SHOWN_LOSSES = 10, ADVISED_LOSSES = 3 };

typedef struct comparison {
    const cli_settings *settings;
    cli_session engine, reference;
    cli_vision vision; // of the engine; its buffers serve raw tensors too
    cli_buffers wanted;
    cli_difference *outputs; // [wanted.n_outputs]
    float *scratch;
    size_t scratch_capacity;
    cli_tensor_records records;
    size_t inputs_used;
    bool per_layer;
} comparison;

// --- Opening -------------------------------------------------------------------------------------------------------

// The reference takes what the engine takes: the same inputs in the same shapes.
static ferry_status engine_shapes(const cli_session *engine, ferry_profile_shape *shapes, size_t *out_n,
                                  ferry_error *err)
{
    *out_n = 0;
    for (int32_t i = 0; i < ferry_engine_binding_count(engine->engine) && *out_n < CLI_MOST_ITEMS; i++) {
        ferry_binding_info info;
        const ferry_status s = ferry_engine_binding(engine->engine, i, &info, err);
        if (s != FERRY_OK) return s;
        if (!info.is_input) continue;
        ferry_profile_shape *shape = &shapes[(*out_n)++];
        *shape = (ferry_profile_shape){.input = info.name, .rank = info.rank};
        memcpy(shape->min_dims, info.min_dims, sizeof info.min_dims);
        memcpy(shape->opt_dims, info.opt_dims, sizeof info.opt_dims);
        memcpy(shape->max_dims, info.max_dims, sizeof info.max_dims);
    }
    return FERRY_OK;
}

static int open_reference(comparison *c, const char *model)
{
    static ferry_profile_shape shapes[CLI_MOST_ITEMS];
    const cli_settings *s = c->settings;
    ferry_error err = {.text = ""};
    ferry_network *network = NULL;
    ferry_build_options options = {.size = sizeof options,
                                   .no_fusion = true,
                                   .shapes = shapes,
                                   .threads = s->threads,
                                   .logger = cli_logger(s),
                                   .progress = cli_progress(s)};
    cli_settings on_cpu = *s;
    on_cpu.device = "cpu"; // the reference is the same on every machine
    on_cpu.ram = 0;
    on_cpu.n_shapes = 0;
    if (cli_is_engine(model)) return cli_fail("%s is an engine; the second name is the model's", model);
    int status = cli_runtime_open(&on_cpu, &c->reference.runtime);
    if (status == CLI_OK) status = cli_network_open(s, model, &network);
    if (status == CLI_OK) {
        ferry_status built = engine_shapes(&c->engine, shapes, &options.n_shapes, &err);
        if (built == FERRY_OK) built = ferry_build(c->reference.runtime, network, &options, &c->reference.engine, &err);
        if (built != FERRY_OK)
            status = cli_interrupted() ? cli_fail_with(built, &err)
                                       : cli_fail("%s does not take what the engine takes: %s", model, err.text);
    }
    ferry_network_release(network);
    return status == CLI_OK ? cli_session_start(&c->reference, &on_cpu) : status;
}

static int open_both(comparison *c, const char *model)
{
    int status = open_reference(c, model);
    if (status == CLI_OK) status = cli_buffers_open(&c->wanted, &c->reference);
    if (status == CLI_OK)
        status = c->settings->n_inputs ? cli_buffers_open(&c->vision.buffers, &c->engine)
                                       : cli_vision_open(&c->vision, &c->engine, c->settings);
    if (status != CLI_OK) return status;
    c->outputs = calloc((size_t)c->wanted.n_outputs + 1, sizeof *c->outputs);
    return c->outputs ? CLI_OK : cli_fail("out of memory");
}

static int open_comparison(comparison *c, const char *engine, const char *model)
{
    if (!cli_is_engine(engine))
        return cli_fail("%s is no engine; make one with 'ferry build', then compare it with its model", engine);
    const int status = cli_session_open(&c->engine, c->settings, engine);
    return status == CLI_OK ? open_both(c, model) : status;
}

static void close_comparison(comparison *c)
{
    cli_vision_close(&c->vision, &c->engine);
    cli_buffers_close(&c->wanted);
    cli_session_close(&c->engine);
    cli_session_close(&c->reference);
    cli_records_close(&c->records);
    free(c->outputs);
    free(c->scratch);
}

// --- One input -----------------------------------------------------------------------------------------------------

static ferry_status feed_reference(comparison *c, ferry_error *err)
{
    const cli_buffers *got = &c->vision.buffers;
    for (int32_t i = 0; i < got->n_inputs; i++) {
        const ferry_status s = ferry_context_set_input_shape(c->reference.context, got->views[i].name,
                                                             got->views[i].rank, got->views[i].dims, err);
        if (s != FERRY_OK) return s;
    }
    const ferry_status s = cli_buffers_fit(&c->wanted, &c->reference, err);
    if (s != FERRY_OK) return s;
    for (int32_t i = 0; i < c->wanted.n_inputs; i++)
        for (int32_t k = 0; k < got->n_inputs; k++)
            if (strcmp(c->wanted.views[i].name, got->views[k].name) == 0)
                memcpy(c->wanted.data[i], got->data[k],
                       (size_t)ferry_tensor_view_elements(&got->views[k]) * ferry_dtype_bytes(got->views[k].dtype));
    return FERRY_OK;
}

static const ferry_tensor_view *find_output(const cli_buffers *b, const char *name)
{
    for (int32_t i = 0; i < b->n_outputs; i++)
        if (strcmp(b->outputs[i].name, name) == 0) return &b->outputs[i];
    return NULL;
}

static int compare_outputs(comparison *c)
{
    for (int32_t i = 0; i < c->wanted.n_outputs; i++) {
        const ferry_tensor_view *want = &c->wanted.outputs[i], *got = find_output(&c->vision.buffers, want->name);
        if (!got) return cli_fail("the engine has no output '%s': is it of another model?", want->name);
        const int64_t n = ferry_tensor_view_elements(want);
        if (n != ferry_tensor_view_elements(got)) {
            cli_warn(c->settings, "output '%s' has another size in the engine: not compared", want->name);
            continue;
        }
        const size_t count = n > 0 ? (size_t)n : 0;
        if (2 * count > c->scratch_capacity) {
            float *grown = realloc(c->scratch, 2 * count * sizeof *grown);
            if (!grown) return cli_fail("out of memory");
            c->scratch = grown;
            c->scratch_capacity = 2 * count;
        }
        if (cli_tensor_to_float(want, 0, 0, c->scratch) && cli_tensor_to_float(got, 0, 0, c->scratch + count))
            cli_difference_add(&c->outputs[i], c->scratch, c->scratch + count, count);
    }
    return CLI_OK;
}

static int compare_once(comparison *c)
{
    ferry_error err = {.text = ""};
    ferry_status s = FERRY_OK;
    if (c->per_layer) {
        s = ferry_context_set_observer(c->engine.context, cli_records_keep, &c->records, &err);
        if (s == FERRY_OK) s = ferry_context_set_observer(c->reference.context, cli_records_compare, &c->records, &err);
    }
    if (s == FERRY_OK) s = cli_buffers_run(&c->vision.buffers, &c->engine, &err);
    if (s == FERRY_OK) s = feed_reference(c, &err);
    if (s == FERRY_OK) s = cli_buffers_run(&c->wanted, &c->reference, &err);
    if (c->records.failed) return cli_fail("out of memory");
    if (s != FERRY_OK) return cli_fail("%s", err.text);
    c->inputs_used++;
    return compare_outputs(c);
}

static int compare_picture(comparison *c, const char *path)
{
    ferry_error err = {.text = ""};
    ferry_picture picture;
    ferry_preprocess_geometry geometry;
    if (ferry_picture_read(path, NULL, NULL, &picture, &err) != FERRY_OK) return cli_fail("%s", err.text);
    const ferry_status s = cli_vision_feed(&c->vision, &c->engine, &picture, &geometry, &err);
    ferry_picture_deinit(&picture);
    return s == FERRY_OK ? compare_once(c) : cli_fail("%s: %s", path, err.text);
}

static int compare_all(comparison *c, int n, char **pictures)
{
    if (c->settings->n_inputs) {
        const int status = cli_buffers_load(&c->vision.buffers, &c->engine, c->settings);
        return status == CLI_OK ? compare_once(c) : status;
    }
    cli_phase phase;
    int status = CLI_OK;
    cli_phase_begin(&phase, c->settings, "compare", (uint64_t)n);
    for (int i = 0; status == CLI_OK && i < n; i++) {
        status = compare_picture(c, pictures[i]);
        if (status == CLI_OK) status = cli_phase_step(&phase, (uint64_t)i + 1);
    }
    return status;
}

// --- The figures ---------------------------------------------------------------------------------------------------

static json_t *difference_json(const char *name, const cli_difference *d)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:I}", "name", name, "max_abs", d->max_abs, "cosine",
                     cli_difference_cosine(d), "sqnr_db", cli_finite_db(cli_difference_sqnr(d)), "equal",
                     d->count ? (double)d->equal / (double)d->count : 1.0, "nonfinite", (json_int_t)d->nonfinite);
}

static json_t *print_outputs(const comparison *c)
{
    json_t *list = json_array();
    printf("%-32s %12s %12s %10s %9s\n", "output", "max abs", "cosine", "SQNR dB", "equal");
    for (int32_t i = 0; i < c->wanted.n_outputs; i++) {
        const cli_difference *d = &c->outputs[i];
        printf("%-32s %12.6g %12.8f %10.2f %8.2f%%\n", c->wanted.outputs[i].name, d->max_abs, cli_difference_cosine(d),
               cli_difference_sqnr(d), d->count ? 100 * (double)d->equal / (double)d->count : 100);
        if (d->nonfinite) printf("  (%llu elements are not finite)\n", (unsigned long long)d->nonfinite);
        json_array_append_new(list, difference_json(c->wanted.outputs[i].name, d));
    }
    return list;
}

static int by_sqnr(const void *a, const void *b)
{
    const double x = cli_difference_sqnr(&((const cli_tensor_record *)a)->all),
                 y = cli_difference_sqnr(&((const cli_tensor_record *)b)->all);
    return (x > y) - (x < y);
}

static void print_tensor(const cli_tensor_record *r)
{
    char own[24] = "-", lost[48] = "-";
    if (r->own.count) snprintf(own, sizeof own, "%.2f", cli_difference_sqnr(&r->own));
    if (r->channels)
        snprintf(lost, sizeof lost, "%zu/%zu", cli_record_lost_channels(r, false), cli_record_live_channels(r));
    printf("%9.2f %9s %10.6f %11.4g %10s  %-8s %s\n", cli_difference_sqnr(&r->all), own, cli_difference_cosine(&r->all),
           r->all.max_abs, lost, r->scale > 0 && r->dtype == FERRY_S8 ? "int8" : ferry_dtype_name(r->dtype), r->name);
}

static json_t *tensor_json(const cli_tensor_record *r)
{
    json_t *o = difference_json(r->name, &r->all);
    json_object_set_new(o, "dtype", json_string(ferry_dtype_name(r->dtype)));
    if (r->channels) {
        json_object_set_new(o, "channels", json_integer((json_int_t)cli_record_live_channels(r)));
        json_object_set_new(o, "channels_lost", json_integer((json_int_t)cli_record_lost_channels(r, false)));
    }
    if (!r->own.count) return o;
    json_object_set_new(o, "scale", json_real((double)r->scale));
    json_object_set_new(o, "zero_point", json_integer(r->zero));
    json_object_set_new(o, "own_sqnr_db", json_real(cli_finite_db(cli_difference_sqnr(&r->own))));
    json_object_set_new(o, "own_clipped", json_real((double)r->clipped / (double)r->own.count));
    if (r->channels)
        json_object_set_new(o, "own_channels_lost", json_integer((json_int_t)cli_record_lost_channels(r, true)));
    return o;
}

static json_t *print_tensors(comparison *c)
{
    json_t *list = json_array();
    size_t shown = 0, compared = 0;
    const size_t most = c->settings->worst ? (size_t)c->settings->worst : DEFAULT_WORST;
    qsort(c->records.list, c->records.count, sizeof *c->records.list, by_sqnr);
    for (size_t i = 0; i < c->records.count; i++) compared += c->records.list[i].all.count > 0;
    printf("\n%zu tensors that both have, worst first:\n%9s %9s %10s %11s %10s  %-8s %s\n", compared, "SQNR dB",
           "own dB", "cosine", "max abs", "lost", "type", "tensor");
    for (size_t i = 0; i < c->records.count; i++) {
        if (c->records.list[i].all.count == 0) continue;
        if (shown++ < most) print_tensor(&c->records.list[i]);
        json_array_append_new(list, tensor_json(&c->records.list[i]));
    }
    if (shown > most) printf("  and %zu better ones (--worst N lists more)\n", shown - most);
    return list;
}

static int describe(const ferry_engine *engine, json_t **out)
{
    ferry_error err = {.text = ""};
    char *text = NULL;
    if (ferry_engine_describe(engine, &text, &err) != FERRY_OK) return cli_fail("%s", err.text);
    *out = json_loads(text, 0, NULL);
    ferry_bytes_free(text, strlen(text) + 1);
    return *out ? CLI_OK : cli_fail("the engine's description can't be read");
}

// Integer tensors only: those are what --layer-precision can change.
static json_t *print_losses(const cli_losses *losses)
{
    json_t *list = json_array();
    char advice[1024] = "";
    size_t used = 0, shown = 0;
    for (size_t i = 0; i < losses->count; i++) {
        const cli_loss *l = &losses->list[i];
        if (!l->tensor->own.count) continue;
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:f, s:f}", "name", l->tensor->name, "from_db", l->from_db, "to_db",
                                        l->to_db, "own_sqnr_db", cli_finite_db(cli_difference_sqnr(&l->tensor->own))));
        if (shown == SHOWN_LOSSES) continue;
        if (shown++ == 0)
            printf("\nTensors that lose most: from the SQNR of the worst input to that of the output\n%9s %9s %9s %9s  "
                   "%s\n",
                   "loss dB", "from", "to", "clipped", "tensor");
        printf("%9.2f %9.2f %9.2f %8.3f%%  %s\n", l->from_db - l->to_db, l->from_db, l->to_db,
               100 * (double)l->tensor->clipped / (double)l->tensor->own.count, l->tensor->name);
        if (shown > ADVISED_LOSSES || strpbrk(l->tensor->name, "*?'")) continue;
        const int n = snprintf(advice + used, sizeof advice - used, " --layer-precision '%s=fp32'", l->tensor->name);
        if (n > 0 && (size_t)n < sizeof advice - used) used += (size_t)n;
        advice[used] = 0;
    }
    if (used) printf("\nTo keep the first in float: ferry build ...%s\n", advice);
    return list;
}

static int report_layers(comparison *c, json_t *json)
{
    json_t *description = NULL;
    cli_losses losses = {0};
    int status = describe(c->engine.engine, &description);
    json_object_set_new(json, "tensors", print_tensors(c));
    if (status == CLI_OK) status = cli_losses_find(&losses, &c->records, description);
    if (status == CLI_OK) json_object_set_new(json, "losses", print_losses(&losses));
    free(losses.list);
    json_decref(description);
    return status;
}

int cli_compare_pictures(const cli_settings *settings, ferry_runtime *runtime, ferry_engine *engine, const char *model,
                         const cli_eval_set *pictures, cli_tensor_records *out_records, cli_losses *out_losses)
{
    json_t *description = NULL;
    comparison *c = calloc(1, sizeof *c);
    if (!c) return cli_fail("out of memory");
    c->settings = settings;
    c->per_layer = true;
    c->engine = (cli_session){.runtime = runtime, .engine = engine, .built = true};
    int status = cli_session_start(&c->engine, settings);
    if (status == CLI_OK) status = open_both(c, model);
    for (size_t i = 0; status == CLI_OK && i < pictures->count; i++) {
        status = cli_interrupted() ? cli_fail("interrupted") : compare_picture(c, pictures->items[i].path);
    }
    if (status == CLI_OK) status = describe(engine, &description);
    *out_records = c->records;
    c->records = (cli_tensor_records){0};
    if (status == CLI_OK) status = cli_losses_find(out_losses, out_records, description);
    json_decref(description);
    c->engine.runtime = NULL; // borrowed, as the engine is
    c->engine.engine = NULL;
    close_comparison(c);
    free(c);
    return status;
}

int cli_compare(const cli_settings *settings, int argc, char **argv)
{
    if (argc == 2 && !settings->n_inputs) return cli_usage("compare", "name pictures, or raw tensors with --input");
    if (argc > 2 && settings->n_inputs) return cli_usage("compare", "give pictures or --input, not both");
    comparison *c = calloc(1, sizeof *c);
    if (!c) return cli_fail("out of memory");
    c->settings = settings;
    c->per_layer = settings->per_layer;
    int status = open_comparison(c, argv[0], argv[1]);
    if (status == CLI_OK) status = compare_all(c, argc - 2, argv + 2);
    if (status == CLI_OK) {
        json_t *json = json_pack("{s:I, s:o}", "inputs", (json_int_t)c->inputs_used, "outputs", print_outputs(c));
        if (settings->per_layer) status = report_layers(c, json);
        if (settings->json && status == CLI_OK)
            status = cli_print_json(json);
        else
            json_decref(json);
    }
    close_comparison(c);
    free(c);
    return status;
}
