// SPDX-License-Identifier: Apache-2.0
// ferry inspect: what is in an engine or a model, as a table, JSON or an HTML report.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

const char *cli_json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

char *cli_json_shape(const json_t *dims, char *text, size_t capacity)
{
    size_t i, used = 0;
    json_t *one;
    text[0] = 0;
    json_array_foreach(dims, i, one)
    {
        const long long d = (long long)json_integer_value(one);
        const int n = d < 0 ? snprintf(text + used, capacity - used, "%s?", i ? "x" : "")
                            : snprintf(text + used, capacity - used, "%s%lld", i ? "x" : "", d);
        if (n < 0 || (size_t)n >= capacity - used) break;
        used += (size_t)n;
    }
    if (i == 0) snprintf(text, capacity, "scalar");
    return text;
}

// --- As text -------------------------------------------------------------------------------------------------------

static void print_bindings(const json_t *bindings)
{
    size_t i;
    json_t *b;
    char shape[128], least[128], most[128];
    json_array_foreach(bindings, i, b)
    {
        printf("  %-6s %-28s %-8s %s", cli_json_text(b, "kind"), cli_json_text(b, "name"), cli_json_text(b, "dtype"),
               cli_json_shape(json_object_get(b, "shape"), shape, sizeof shape));
        const json_t *lo = json_object_get(b, "min"), *hi = json_object_get(b, "max");
        if (lo && hi && !json_equal(lo, hi))
            printf("  (from %s to %s)", cli_json_shape(lo, least, sizeof least), cli_json_shape(hi, most, sizeof most));
        printf("\n");
    }
}

static void print_layer(size_t index, const json_t *layer)
{
    char shape[128], time[32] = "-";
    const json_t *us = json_object_get(layer, "measured_us");
    const json_t *first = json_array_get(json_object_get(layer, "outputs"), 0);
    if (us) snprintf(time, sizeof time, "%.1f", json_real_value(us));
    printf("  %4zu  %9s  %-6s %-30s %-18s %s\n", index, time, cli_json_text(layer, "precision"),
           cli_json_text(layer, "tactic"), cli_json_shape(json_object_get(first, "shape"), shape, sizeof shape),
           cli_json_text(layer, "name"));
}

static void print_texts(const json_t *texts)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)texts, key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        if (text) printf("  %-12s %.100s%s\n", key, text, strlen(text) > 100 ? "..." : "");
        free(text);
    }
}

static void print_counts(const char *what, json_t *counts)
{
    const char *key;
    json_t *value;
    printf("  %-20s", what);
    json_object_foreach(counts, key, value) printf(" %s %lld", key, (long long)json_integer_value(value));
    printf("\n");
}

static void print_macs(json_t *macs)
{
    const char *key;
    json_t *value;
    double sum = 0;
    json_object_foreach(macs, key, value) sum += (double)json_integer_value(value);
    if (sum == 0) return;
    printf("  %-20s %.1f million:", "multiply-adds", sum / 1e6);
    json_object_foreach(macs, key, value) printf(" %s %.1f %%", key, 100 * (double)json_integer_value(value) / sum);
    printf("\n");
}

// What the FP16 guard keeps out of FP16, and why.
static void print_kept(const json_t *kept)
{
    size_t i;
    json_t *one;
    if (json_array_size(kept) == 0) return;
    printf("\nKept out of FP16:\n");
    json_array_foreach(kept, i, one) printf("  %-6s %-30s %s\n", cli_json_text(one, "precision"),
                                            cli_json_text(one, "layer"), cli_json_text(one, "why"));
}

static double megabytes(const json_t *object, const char *key)
{
    return (double)json_integer_value(json_object_get(object, key)) / 1e6;
}

static void print_shared(const json_t *memory)
{
    if (!json_is_true(json_object_get(memory, "shared_with_host"))) return;
    printf("  %-20s shared with the host: %lld copies between layers, %lld of them only where inputs and outputs are "
           "not pinned\n",
           "", (long long)json_integer_value(json_object_get(memory, "copies")),
           (long long)json_integer_value(json_object_get(memory, "copies_unless_pinned")));
}

static void print_engine(const char *path, const json_t *e, bool is_model)
{
    size_t i;
    json_t *layer;
    const json_t *summary = json_object_get(e, "summary"), *memory = json_object_get(e, "memory");
    printf("%s: '%s'%s%s\n", path, cli_json_text(e, "name"), is_model ? " (a model, as it is)" : ", engine for ",
           is_model ? "" : cli_json_text(e, "fingerprint"));
    print_bindings(json_object_get(e, "bindings"));
    printf("\nLayers:\n  %4s  %9s  %-6s %-30s %-18s %s\n", "", "us", "type", "tactic", "output", "name");
    json_array_foreach(json_object_get(e, "layers"), i, layer) print_layer(i, layer);
    printf("\nSummary:\n");
    print_counts("layers by precision", json_object_get(summary, "layers_by_precision"));
    print_counts("layers by device", json_object_get(summary, "layers_by_device"));
    print_macs(json_object_get(summary, "macs_by_precision"));
    printf("  %-20s %.2f MB", "weights", megabytes(e, "weights_bytes"));
    if (!is_model) printf(", packed for the device %.2f MB", megabytes(e, "packed_bytes"));
    printf("\n  %-20s %.2f MB (%.2f MB without sharing)%s\n", "memory of a context", megabytes(memory, "context_bytes"),
           megabytes(memory, "without_sharing_bytes"),
           json_is_true(json_object_get(memory, "scratch_known")) ? "" : ", and what its kernels need for themselves");
    print_shared(memory);
    print_kept(json_object_get(e, "kept_from_fp16"));
    if (json_object_size(json_object_get(e, "texts")) == 0) return;
    printf("\nTexts:\n");
    print_texts(json_object_get(e, "texts"));
}

// --- Describing ----------------------------------------------------------------------------------------------------

static int describe(ferry_engine *engine, json_t **out)
{
    ferry_error err = {.text = ""};
    char *text = NULL;
    if (ferry_engine_describe(engine, &text, &err) != FERRY_OK) return cli_fail("%s", err.text);
    *out = json_loads(text, 0, NULL);
    ferry_bytes_free(text, strlen(text) + 1);
    return *out ? CLI_OK : cli_fail("the description can't be read");
}

static int describe_network(const ferry_network *network, const char *path, json_t **out)
{
    ferry_error err = {.text = ""};
    json_t *bindings = json_array();
    for (int32_t i = 0; i < ferry_network_binding_count(network); i++) {
        ferry_binding_info info;
        if (ferry_network_binding(network, i, &info, &err) != FERRY_OK) continue;
        json_t *dims = json_array();
        for (int32_t d = 0; d < info.rank; d++)
            json_array_append_new(dims, json_integer(info.dims[d] < 0 ? -1 : info.dims[d]));
        json_array_append_new(bindings, json_pack("{s:s, s:s, s:s, s:o}", "name", info.name, "kind",
                                                  info.is_input ? "input" : "output", "dtype",
                                                  ferry_dtype_name(info.dtype), "shape", dims));
    }
    *out = json_pack("{s:s, s:o}", "name", path, "bindings", bindings);
    return *out ? CLI_OK : cli_fail("out of memory");
}

// A model is planned as it is, which shows its layers; where that can't be (open shapes), its inputs and outputs are
// shown, with the reason.
static int describe_model(const cli_settings *settings, ferry_runtime *runtime, const char *path, json_t **out)
{
    ferry_error err = {.text = ""};
    ferry_network *network = NULL;
    ferry_engine *engine = NULL;
    cli_settings as_it_is = *settings;
    as_it_is.no_fusion = true;
    int status = cli_network_open(settings, path, &network);
    cli_build_request *request = status == CLI_OK ? malloc(sizeof *request) : NULL;
    if (status == CLI_OK && !request) status = cli_fail("out of memory");
    if (status == CLI_OK) {
        status = cli_build_request_open(request, &as_it_is, runtime, network);
        if (status == CLI_OK && ferry_build(runtime, network, &request->options, &engine, &err) != FERRY_OK) {
            cli_warn(settings, "the layers can't be shown: %s", err.text);
            status = describe_network(network, path, out);
        } else if (status == CLI_OK) {
            status = describe(engine, out);
        }
        cli_build_request_close(request);
    }
    free(request);
    ferry_engine_release(engine);
    ferry_network_release(network);
    return status;
}

// An engine is shown as it was made, whatever this machine has: for a missing GPU by the kind of GPU.
static int open_for_engine(const cli_settings *settings, const char *path, ferry_runtime **out)
{
    ferry_error err = {.text = ""};
    char device[64];
    cli_settings as_made = *settings;
    bool fallback = false;
    if (!settings->device && ferry_engine_device(path, device, sizeof device, &fallback, &err) == FERRY_OK &&
        device[0]) {
        as_made.device = device;
        as_made.gpu_fallback |= fallback;
    }
    return cli_runtime_open(&as_made, out);
}

static int describe_file(const cli_settings *settings, const char *path, bool is_model, json_t **out)
{
    ferry_error err = {.text = ""};
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    int status = is_model ? cli_runtime_open(settings, &runtime) : open_for_engine(settings, path, &runtime);
    if (status == CLI_OK && is_model) {
        status = describe_model(settings, runtime, path, out);
    } else if (status == CLI_OK) {
        status = cli_refuse_build_options(settings, path);
        if (status == CLI_OK && ferry_engine_load(runtime, path, NULL, &engine, &err) != FERRY_OK)
            status = cli_fail("%s", err.text);
        if (status == CLI_OK) status = describe(engine, out);
    }
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    return status;
}

static int list_passes(const cli_settings *settings)
{
    const char *what = NULL;
    json_t *list = json_array();
    for (size_t i = 0; ferry_pass_name(i, &what); i++) {
        if (!settings->json) printf("%-24s %s\n", ferry_pass_name(i, NULL), what);
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", ferry_pass_name(i, NULL), "what", what));
    }
    json_t *json = json_pack("{s:o}", "passes", list);
    if (settings->json) return cli_print_json(json);
    json_decref(json);
    return CLI_OK;
}

int cli_inspect(const cli_settings *settings, int argc, char **argv)
{
    if (settings->passes && argc) return cli_usage("inspect", "--passes takes no file");
    if (settings->passes) return list_passes(settings);
    if (!argc) return cli_usage("inspect", "name an engine or a model");
    json_t *described = NULL;
    const bool is_model = !cli_is_engine(argv[0]);
    int status = settings->html ? cli_check_output(settings->html) : CLI_OK;
    if (status == CLI_OK) status = describe_file(settings, argv[0], is_model, &described);
    if (status == CLI_OK && settings->html) status = cli_write_report(settings->html, argv[0], described);
    if (status == CLI_OK && settings->html && !settings->json) printf("%s\n", settings->html);
    if (status == CLI_OK && settings->json) return cli_print_json(described);
    if (status == CLI_OK && !settings->html) {
        if (json_object_get(described, "layers"))
            print_engine(argv[0], described, is_model);
        else
            print_bindings(json_object_get(described, "bindings"));
    }
    json_decref(described);
    return status;
}
