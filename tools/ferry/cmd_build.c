// SPDX-License-Identifier: Apache-2.0
// ferry build
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli.h"

static int write_plan(const ferry_engine *engine, const char *path)
{
    ferry_error err = {.text = ""};
    const char *plan = ferry_engine_text(engine, "numeric_plan");
    if (!plan) return cli_fail("--write-plan: an engine built with --no-fusion has no numeric plan");
    return ferry_file_write(path, plan, strlen(plan), &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
}

static void print_counts(const char *what, json_t *counts)
{
    const char *key;
    json_t *value;
    bool first = true;
    printf("%s", what);
    json_object_foreach(counts, key, value)
    {
        printf("%s%lld %s", first ? "" : ", ", (long long)json_integer_value(value), key);
        first = false;
    }
    printf("\n");
}

// What the FP16 guard saw and kept: what has looked at nothing promises nothing.
static void print_guard(json_t *described)
{
    json_t *build = json_object_get(json_object_get(described, "texts"), "build");
    const char *saw = json_string_value(json_object_get(build, "fp16_guard"));
    const size_t kept = json_array_size(json_object_get(described, "kept_from_fp16"));
    if (!saw) return;
    printf("  FP16 guard: looked at %s, keeps %zu layer%s in a wider type%s\n", saw, kept, kept == 1 ? "" : "s",
           strcmp(saw, "no samples") == 0 ? " (give it pictures with --calib)" : "");
}

static int report(const cli_settings *settings, const ferry_engine *engine, const char *path, double seconds,
                  const cli_drop *drop)
{
    ferry_error err = {.text = ""};
    char *described = NULL;
    struct stat file;
    if (ferry_engine_describe(engine, &described, &err) != FERRY_OK) return cli_fail("%s", err.text);
    json_t *json = json_loads(described, 0, NULL);
    ferry_bytes_free(described, strlen(described) + 1);
    json_t *summary = json_object_get(json, "summary");
    const long long file_bytes = stat(path, &file) == 0 ? (long long)file.st_size : 0;
    printf("%s: %.1f MB, built in %.2f s for %s\n", path, (double)file_bytes / 1e6, seconds,
           json_string_value(json_object_get(json, "fingerprint")));
    print_counts("  layers: ", json_object_get(summary, "layers_by_precision"));
    const json_t *memory = json_object_get(json, "memory");
    printf("  memory of a context: %.1f MB%s\n",
           (double)json_integer_value(json_object_get(memory, "context_bytes")) / 1e6,
           json_is_true(json_object_get(memory, "scratch_known")) ? "" : ", and what its kernels need for themselves");
    print_guard(json);
    const char *libraries = ferry_engine_text(engine, "libraries");
    if (libraries) printf("  needs to run: %s\n", libraries);
    if (drop->metric)
        printf("  %s %.4f, in FP32 %.4f (%zu tensors kept in float for it)\n", drop->metric, drop->got, drop->reference,
               json_array_size(drop->kept));
    if (settings->json) {
        json_t *out = json_pack("{s:s, s:f, s:O, s:O, s:O, s:{s:I, s:I, s:I}}", "engine", path, "seconds", seconds,
                                "layers_by_precision", json_object_get(summary, "layers_by_precision"),
                                "layers_by_device", json_object_get(summary, "layers_by_device"), "kept_from_fp16",
                                json_object_get(json, "kept_from_fp16"), "bytes", "file", (json_int_t)file_bytes,
                                "weights", json_integer_value(json_object_get(json, "weights_bytes")), "packed",
                                json_integer_value(json_object_get(json, "packed_bytes")));
        if (out && libraries) json_object_set_new(out, "libraries", json_string(libraries));
        if (out && drop->metric)
            json_object_set_new(out, "accuracy",
                                json_pack("{s:s, s:f, s:f, s:O}", "metric", drop->metric, "fp32", drop->reference,
                                          "engine", drop->got, "kept_in_float", drop->kept));
        cli_print_json(out);
    }
    json_decref(json);
    return CLI_OK;
}

int cli_build(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    const double begun = cli_now_s();
    ferry_error err = {.text = ""};
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    cli_drop drop = {0};
    if (settings->target && settings->max_drop >= 0)
        return cli_usage("build", "--max-drop needs the device that the engine is for; --target has none here");
    if (cli_is_engine(argv[0])) return cli_fail("%s is an engine already; build takes a model", argv[0]);
    char *made = cli_sibling_name(argv[0], ".engine");
    const char *path = settings->output ? settings->output : made;
    int status = path ? cli_check_output(path) : cli_fail("out of memory");
    if (status == CLI_OK && settings->plan_output) status = cli_check_output(settings->plan_output);
    if (status == CLI_OK) status = cli_runtime_open(settings, &runtime);
    if (status == CLI_OK)
        status = settings->max_drop >= 0 ? cli_build_within_drop(settings, runtime, argv[0], &engine, &drop)
                                         : cli_build_engine(settings, runtime, argv[0], &engine);
    if (status == CLI_OK && ferry_engine_save(engine, path, &err) != FERRY_OK) status = cli_fail("%s", err.text);
    if (status == CLI_OK && settings->plan_output) status = write_plan(engine, settings->plan_output);
    if (status == CLI_OK) status = report(settings, engine, path, cli_now_s() - begun, &drop);
    json_decref(drop.kept);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    free(made);
    return status;
}
