// SPDX-License-Identifier: Apache-2.0
// Options that contradict each other or need another one: said at once, before any work is done.
#include <string.h>

#include "cli.h"

bool cli_given(const cli_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n_given; i++)
        if (strcmp(settings->given[i]->name, name) == 0) return true;
    return false;
}

typedef struct contradiction {
    const char *a, *b, *why;
} contradiction;

static const contradiction contradictions[] = {
    {"quiet", "verbose", "leave one of them out"},
    {"no-fusion", "fp16", "--no-fusion runs the model as it is, in FP32"},
    {"no-fusion", "bf16", "--no-fusion runs the model as it is, in FP32"},
    {"no-fusion", "int8", "--no-fusion runs the model as it is, in FP32"},
    {"no-fusion", "best", "--no-fusion runs the model as it is, in FP32"},
    {"no-fusion", "plan", "--no-fusion runs the model as it is, in FP32"},
    {"no-fusion", "write-plan", "an engine built with --no-fusion has no numeric plan"},
    {"no-fusion", "layer-precision", "--no-fusion runs the model as it is, in FP32"},
    {"no-fusion", "max-drop", "--no-fusion runs the model as it is, in FP32"},
    {"plan", "max-drop", "the plan holds every layer's precision; leave --plan out to choose anew"},
    {"no-fp16-guard", "plan", "the plan holds every layer's precision; leave one of them out"},
    {"no-timing", "build-seconds", "nothing is timed with --no-timing"},
    {"no-fusion", "build-seconds", "--no-fusion chooses by estimates alone"},
    {"no-fusion", "disable-pass", "--no-fusion leaves all rewrites out"},
    {"plan", "calib", "the plan holds the scales; leave --calib out, or --plan to calibrate anew"},
    {"plan", "calib-cache", "the plan holds the scales; leave one of them out"},
    {"plan", "layer-precision", "the plan holds every layer's precision; leave --plan out to choose anew"},
    {"labels-csv", "coco", "one is for classifiers, the other for detectors"},
    {"labels-csv", "masks", "one is for classifiers, the other for segmentation"},
    {"coco", "masks", "one is for detectors, the other for segmentation"},
    {"labels-csv", "images", "the labels name their pictures themselves"},
    {"keep-ratio-height", "resize-shorter", "they are two ways of resizing"},
};

typedef struct need {
    const char *option, *any_of[4], *how;
} need;

static const need needs[] = {
    {"calib-count", {"calib", "exclude-calib"}, "name the samples with --calib"},
    {"calib-seed", {"calib", "exclude-calib"}, "name the samples with --calib"},
    {"calib-batch", {"calib"}, "name the samples with --calib"},
    {"calib-algo", {"calib"}, "name the samples with --calib"},
    {"recalibrate", {"calib-cache"}, "name the cache with --calib-cache"},
    {"cache-version", {"calib-cache", "output"}, "name the cache with --calib-cache"},
    {"images", {"coco", "masks"}, "say what is in them with --coco or --masks"},
    {"coco", {"images"}, "name the pictures with --images"},
    {"masks", {"images"}, "name the pictures with --images"},
    {"max-drop", {"labels-csv", "coco", "masks"}, "name labelled pictures, with --labels-csv or --images and --coco"},
    {"metric", {"max-drop"}, "add --max-drop"},
    {"worst", {"per-layer"}, "add --per-layer"},
};

// Calibrating is all that `ferry calibrate` does; elsewhere it serves INT8, and FP16's guard.
static const need build_needs[] = {
    {"calib", {"int8", "best", "fp16"}, "add --int8, --best, or --fp16"},
    {"calib-cache", {"int8", "best", "fp16"}, "add --int8, --best, or --fp16"},
    {"no-fp16-guard", {"fp16", "best"}, "add --fp16, or --best"},
    {"max-drop", {"int8", "best", "fp16", "bf16"}, "FP32 has nothing to lose: add --int8"},
};

// Pictures with their truth are what `ferry eval` measures on; `ferry build` needs them for --max-drop only.
static const need engine_needs[] = {
    {"labels-csv", {"max-drop"}, "add --max-drop"},
    {"images", {"max-drop"}, "add --max-drop"},
    {"count", {"max-drop"}, "add --max-drop"},
    {"exclude-calib", {"max-drop"}, "add --max-drop"},
};

static int check_metric(const cli_settings *s)
{
    const char *has = s->labels_csv ? "top1" : s->coco ? "map" : "miou";
    if (!s->metric || strcmp(s->metric, has) == 0) return CLI_OK;
    return cli_usage("build", "--metric %s can't be measured on what is given, which is for %s", s->metric, has);
}

static int check_needs(const cli_command *command, const cli_settings *s, const need *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool met = !cli_given(s, list[i].option);
        for (size_t k = 0; k < 4 && list[i].any_of[k]; k++) met |= cli_given(s, list[i].any_of[k]);
        if (!met) return cli_usage(command->name, "--%s alone has no effect: %s", list[i].option, list[i].how);
    }
    return CLI_OK;
}

int cli_check_rules(const cli_command *command, const cli_settings *s)
{
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        const contradiction *c = &contradictions[i];
        if (cli_given(s, c->a) && cli_given(s, c->b))
            return cli_usage(command->name, "--%s and --%s contradict each other: %s", c->a, c->b, c->why);
    }
    int status = check_needs(command, s, needs, sizeof needs / sizeof *needs);
    if (status == CLI_OK && strcmp(command->name, "build") == 0)
        status = check_needs(command, s, engine_needs, sizeof engine_needs / sizeof *engine_needs);
    if (status == CLI_OK) status = check_metric(s);
    if (status != CLI_OK || strcmp(command->name, "calibrate") == 0) return status;
    return check_needs(command, s, build_needs, sizeof build_needs / sizeof *build_needs);
}

static bool builds(const cli_command *command, const cli_option *option)
{
    for (size_t g = 0; command->groups[g]; g++)
        for (const cli_option *o = command->groups[g]->options; command->groups[g]->builds && o->name; o++)
            if (o == option) return true;
    return false;
}

int cli_refuse_build_options(const cli_settings *s, const char *path)
{
    for (size_t i = 0; i < s->n_given; i++) {
        const char *name = s->given[i]->name;
        // Engines choose a shape within their profile too; a context's memory can be capped; --exclude-calib uses
        // these.
        const bool runs = strcmp(name, "shape") == 0 || strcmp(name, "ram") == 0 ||
                          (s->exclude_calib && (strcmp(name, "calib-count") == 0 || strcmp(name, "calib-seed") == 0));
        if (builds(s->command, s->given[i]) && !runs)
            return cli_usage(s->command->name,
                             "--%s is for building, and %s is an engine already: name the model, or leave it out", name,
                             path);
    }
    return CLI_OK;
}
