// SPDX-License-Identifier: Apache-2.0
// What an engine's outputs mean: as options say, else as the engine has it, else proposed from the outputs' shapes.
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { MOST_OUTPUTS = 64 };

typedef struct outputs {
    ferry_tensor_view views[MOST_OUTPUTS];
    size_t count;
    uint32_t width, height; // of the input
} outputs;

// Shapes of an engine's outputs at its opt shapes.
static int describe_outputs(ferry_engine *engine, outputs *o)
{
    ferry_error err = {.text = ""};
    ferry_context *context = NULL;
    memset(o, 0, sizeof *o);
    if (ferry_context_create(engine, NULL, &context, &err) != FERRY_OK) return cli_fail("%s", err.text);
    int status = CLI_OK;
    for (int32_t i = 0; status == CLI_OK && i < ferry_engine_binding_count(engine); i++) {
        ferry_binding_info info;
        ferry_tensor_view view = {0};
        if (ferry_engine_binding(engine, i, &info, &err) != FERRY_OK ||
            ferry_context_binding_shape(context, i, &view.rank, view.dims, &err) != FERRY_OK) {
            status = cli_fail("%s", err.text);
        } else if (info.is_input && i == 0 && view.rank == 4) {
            const bool channels_last = view.dims[3] <= 4 && view.dims[1] > 4;
            o->width = (uint32_t)view.dims[channels_last ? 2 : 3];
            o->height = (uint32_t)view.dims[channels_last ? 1 : 2];
        } else if (!info.is_input && o->count < MOST_OUTPUTS) {
            view.name = info.name;
            view.dtype = info.dtype;
            o->views[o->count++] = view;
        }
    }
    ferry_context_release(context);
    return status;
}

int cli_open_labels(const cli_settings *s, ferry_engine *engine, ferry_labels **out)
{
    ferry_error err = {.text = ""};
    *out = NULL;
    if (s->labels) return ferry_labels_read(s->labels, NULL, out, &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
    const char *text = ferry_engine_text(engine, "labels");
    if (!text || ferry_labels_parse(text, strlen(text), NULL, out, &err) == FERRY_OK) return CLI_OK;
    return cli_fail("the engine's labels: %s", err.text);
}

// Proposes a preset for the task that is asked for, or for any.
static int propose(const cli_settings *s, ferry_engine *engine, const char **out_preset)
{
    static outputs o;
    ferry_error err = {.text = ""};
    ferry_labels *labels = NULL;
    char reason[512] = "";
    *out_preset = NULL;
    int status = cli_open_labels(s, engine, &labels);
    const size_t label_count = ferry_labels_count(labels);
    ferry_labels_destroy(labels);
    if (status == CLI_OK) status = describe_outputs(engine, &o);
    if (status != CLI_OK) return status;
    if (ferry_decoder_propose(o.views, o.count, o.width, o.height, label_count, out_preset, reason, sizeof reason,
                              &err) == FERRY_OK) {
        if (!s->quiet) fprintf(stderr, "ferry: info: decoder '%s': %s\n", *out_preset, reason);
        return CLI_OK;
    }
    *out_preset = NULL;
    if (s->task) return cli_fail("--task %s: %s", s->task, err.text);
    if (!s->quiet) fprintf(stderr, "ferry: info: outputs stay raw tensors: %s\n", err.text);
    return CLI_OK;
}

static int check_task(const cli_settings *s, const ferry_decoder *decoder)
{
    const char *task = ferry_task_name(ferry_decoder_task(decoder));
    if (!s->task || strcmp(s->task, task) == 0) return CLI_OK;
    return cli_fail("--task %s: the decoder '%s' is for %s; choose another with --decoder", s->task,
                    ferry_decoder_name(decoder), task);
}

static int choose(const cli_settings *s, ferry_engine *engine, ferry_decoder **out)
{
    ferry_error err = {.text = ""};
    const char *stored = ferry_engine_text(engine, "decoder"), *preset = s->decoder;
    const char *task = ferry_engine_text(engine, "task");
    if (!preset && stored && (!s->task || (task && strcmp(s->task, task) == 0)))
        return ferry_decoder_from_json(stored, strlen(stored), NULL, out, &err) == FERRY_OK
                   ? CLI_OK
                   : cli_fail("the engine's decoder: %s", err.text);
    if (!preset && s->task && (strcmp(s->task, "classify") == 0 || strcmp(s->task, "segment") == 0)) preset = s->task;
    const int status = preset ? CLI_OK : propose(s, engine, &preset);
    if (status != CLI_OK || !preset) return status;
    if (ferry_decoder_parse(preset, NULL, out, &err) != FERRY_OK) return cli_fail("%s", err.text);
    return check_task(s, *out);
}

int cli_choose_decoder(const cli_settings *s, ferry_engine *engine, ferry_decoder **out)
{
    ferry_error err = {.text = ""};
    *out = NULL;
    if (s->task && strcmp(s->task, "raw") == 0) return CLI_OK;
    int status = choose(s, engine, out);
    if (status == CLI_OK && s->class_offset >= 0) {
        if (!*out)
            status = cli_fail("--class-offset: the outputs stay raw tensors; say what they mean with --decoder");
        else if (ferry_decoder_set_class_offset(*out, s->class_offset, &err) != FERRY_OK)
            status = cli_fail("--class-offset: %s", err.text);
    }
    if (status != CLI_OK) {
        ferry_decoder_destroy(*out);
        *out = NULL;
    }
    return status;
}

// A decoder that was asked for must fit now, not when the engine is first run. Sizes that depend on data are not known
// before.
static int check_fit(ferry_engine *engine, const ferry_decoder *decoder)
{
    static outputs o;
    ferry_error err = {.text = ""};
    const int status = describe_outputs(engine, &o);
    if (status != CLI_OK) return status;
    for (size_t i = 0; i < o.count; i++)
        for (int32_t d = 0; d < o.views[i].rank; d++)
            if (o.views[i].dims[d] < 0) return CLI_OK;
    if (ferry_decoder_check(decoder, o.views, o.count, o.width, o.height, NULL, &err) == FERRY_OK) return CLI_OK;
    return cli_fail("%s", err.text);
}

int cli_store_decoder(const cli_settings *s, ferry_engine *engine)
{
    ferry_error err = {.text = ""};
    ferry_decoder *decoder = NULL;
    char *json = NULL;
    int status = cli_choose_decoder(s, engine, &decoder);
    if (status != CLI_OK || !decoder) return status;
    if (s->decoder || s->task) status = check_fit(engine, decoder);
    if (status != CLI_OK) {
        ferry_decoder_destroy(decoder);
        return status;
    }
    if (ferry_decoder_to_json(decoder, NULL, &json, &err) != FERRY_OK ||
        ferry_engine_set_text(engine, "decoder", json, &err) != FERRY_OK ||
        ferry_engine_set_text(engine, "task", ferry_task_name(ferry_decoder_task(decoder)), &err) != FERRY_OK)
        status = cli_fail("%s", err.text);
    ferry_text_free(NULL, json);
    ferry_decoder_destroy(decoder);
    return status;
}
