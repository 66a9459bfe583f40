// SPDX-License-Identifier: Apache-2.0
// From options and a file to a runtime and an engine that can be run.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "options_take.h"

bool cli_is_engine(const char *path)
{
    char magic[8] = {0};
    struct stat st;
    // Opening a FIFO would wait for its writer.
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    const size_t n = fread(magic, 1, sizeof magic, f);
    fclose(f);
    return n == sizeof magic && memcmp(magic, "FERRYENG", sizeof magic) == 0;
}

int cli_refuse_empty(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 ? cli_fail("%s: the file is empty", path)
                                                                          : CLI_OK;
}

int cli_runtime_open(const cli_settings *settings, ferry_runtime **out)
{
    ferry_error err = {.text = ""};
    char target[64];
    if (settings->target && settings->device) return cli_usage(NULL, "--target names the device: leave --device out");
    snprintf(target, sizeof target, "cuda:%.50s", settings->target ? settings->target : "");
    // A number would be one of the GPUs of this machine.
    if (settings->target && (settings->target[0] < 'a' || settings->target[0] > 'z'))
        return cli_usage(NULL, "--target %s: expected a board or a chip, as orin-nano or sm_87", settings->target);
    const ferry_runtime_options options = {
        .size = sizeof options,
        .device = settings->target ? target : settings->device,
        .fallback = settings->gpu_fallback,
        .logger = cli_logger(settings),
    };
    return ferry_runtime_create(&options, out, &err) == FERRY_OK ? CLI_OK : cli_fail("%s", err.text);
}

static int load_engine(cli_session *session, const cli_settings *settings, const char *path)
{
    ferry_error err = {.text = ""};
    const ferry_engine_load_options options = {.size = sizeof options, .verify = settings->verify};
    const int status = cli_refuse_build_options(settings, path);
    if (status != CLI_OK) return status;
    if (ferry_engine_load(session->runtime, path, &options, &session->engine, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    return CLI_OK;
}

// An engine with a profile takes any shape within it; a model was built with --shape already.
static int choose_shapes(cli_session *session, const cli_settings *settings)
{
    ferry_error err = {.text = ""};
    for (size_t i = 0; !session->built && i < settings->n_shapes; i++) {
        int32_t rank = 0;
        int64_t dims[FERRY_MAX_RANK];
        if (cli_take_dims(settings->shapes[i].value, &rank, dims, &err) != FERRY_OK ||
            ferry_context_set_input_shape(session->context, settings->shapes[i].name, rank, dims, &err) != FERRY_OK)
            return cli_fail("--shape %s=%s: %s", settings->shapes[i].name, settings->shapes[i].value, err.text);
    }
    return CLI_OK;
}

int cli_session_begin(cli_session *session, const cli_settings *settings, const char *path)
{
    *session = (cli_session){0};
    const int status = cli_refuse_empty(path);
    return status == CLI_OK ? cli_runtime_open(settings, &session->runtime) : status;
}

int cli_session_load(cli_session *session, const cli_settings *settings, const char *path)
{
    session->built = !cli_is_engine(path);
    const int status = session->built ? cli_build_engine(settings, session->runtime, path, &session->engine)
                                      : load_engine(session, settings, path);
    return status == CLI_OK ? cli_session_start(session, settings) : status;
}

int cli_session_open(cli_session *session, const cli_settings *settings, const char *path)
{
    const int status = cli_session_begin(session, settings, path);
    return status == CLI_OK ? cli_session_load(session, settings, path) : status;
}

int cli_session_start(cli_session *session, const cli_settings *settings)
{
    ferry_error err = {.text = ""};
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = settings->threads};
    const ferry_context_options context_options = {.size = sizeof context_options, .memory_limit_bytes = settings->ram};
    if (ferry_stream_create(session->runtime, &stream_options, &session->stream, &err) != FERRY_OK ||
        ferry_context_create(session->engine, &context_options, &session->context, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    return choose_shapes(session, settings);
}

void cli_session_close(cli_session *session)
{
    ferry_context_release(session->context);
    ferry_stream_release(session->stream);
    ferry_engine_release(session->engine);
    ferry_runtime_release(session->runtime);
}
