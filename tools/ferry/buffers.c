// SPDX-License-Identifier: Apache-2.0
// Host memory for the inputs and outputs of one inference, kept from one run to the next.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int cli_buffers_open(cli_buffers *b, const cli_session *session)
{
    *b = (cli_buffers){0};
    const int32_t n = ferry_engine_binding_count(session->engine);
    for (int32_t i = 0; i < n; i++) {
        ferry_binding_info info;
        if (ferry_engine_binding(session->engine, i, &info, NULL) == FERRY_OK && info.is_input) b->n_inputs++;
    }
    b->n_outputs = n - b->n_inputs;
    b->data = calloc((size_t)n + 1, sizeof *b->data);
    b->bytes = calloc((size_t)n + 1, sizeof *b->bytes);
    b->views = calloc((size_t)n + 1, sizeof *b->views);
    if (!b->data || !b->bytes || !b->views) return cli_fail("out of memory");
    b->outputs = b->views + b->n_inputs;
    return CLI_OK;
}

void cli_buffers_close(cli_buffers *b)
{
    for (int32_t i = 0; b->data && i < b->n_inputs + b->n_outputs; i++) free(b->data[i]);
    free(b->data);
    free(b->bytes);
    free(b->views);
}

static ferry_status view_of(const cli_session *session, int32_t i, ferry_tensor_view *view, ferry_error *err)
{
    ferry_binding_info info;
    const ferry_status s = ferry_engine_binding(session->engine, i, &info, err);
    if (s != FERRY_OK) return s;
    view->name = info.name;
    view->dtype = info.dtype;
    return ferry_context_binding_shape(session->context, i, &view->rank, view->dims, err);
}

ferry_status cli_buffers_fit(cli_buffers *b, const cli_session *session, ferry_error *err)
{
    for (int32_t i = 0; i < b->n_inputs + b->n_outputs; i++) {
        ferry_tensor_view *view = &b->views[i];
        const ferry_status s = view_of(session, i, view, err);
        if (s != FERRY_OK) return s;
        const int64_t elements = ferry_tensor_view_elements(view);
        const size_t bytes = elements > 0 ? (size_t)elements * ferry_dtype_bytes(view->dtype) : 0;
        if (!b->data[i] || bytes > b->bytes[i]) {
            void *grown = realloc(b->data[i], bytes ? bytes : 1);
            if (!grown) {
                snprintf(err->text, sizeof err->text, "no %zu bytes for '%s'", bytes, view->name);
                return FERRY_ERR_OUT_OF_MEMORY;
            }
            memset(grown, 0, bytes ? bytes : 1);
            b->data[i] = grown;
            b->bytes[i] = bytes;
        }
        view->data = b->data[i];
    }
    return FERRY_OK;
}

ferry_status cli_buffers_run(cli_buffers *b, const cli_session *session, ferry_error *err)
{
    const ferry_status s =
        ferry_context_run(session->context, session->stream, (const void *const *)b->data, b->data + b->n_inputs, err);
    return s == FERRY_OK ? cli_buffers_take_shapes(b, session, err) : s;
}

ferry_status cli_buffers_take_shapes(cli_buffers *b, const cli_session *session, ferry_error *err)
{
    ferry_status s = FERRY_OK;
    for (int32_t i = 0; s == FERRY_OK && i < b->n_outputs; i++)
        s = view_of(session, b->n_inputs + i, &b->outputs[i], err);
    return s;
}

// --- From files ----------------------------------------------------------------------------------------------------

static const char *find_input(const cli_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n_inputs; i++)
        if (strcmp(settings->inputs[i].name, name) == 0) return settings->inputs[i].value;
    return NULL;
}

static int fail_unknown(ferry_engine *engine, const char *name)
{
    char known[384] = "";
    size_t length = 0;
    for (int32_t i = 0; i < ferry_engine_binding_count(engine) && length < sizeof known; i++) {
        ferry_binding_info info;
        if (ferry_engine_binding(engine, i, &info, NULL) != FERRY_OK || !info.is_input) continue;
        const int n = snprintf(known + length, sizeof known - length, "%s'%s'", length ? ", " : "", info.name);
        length += n > 0 ? (size_t)n : 0;
    }
    return cli_fail("--input %s: the engine has no input of that name; it has %s", name, length ? known : "none");
}

static int check_names(const cli_settings *settings, const cli_session *session)
{
    for (size_t i = 0; i < settings->n_inputs; i++) {
        ferry_binding_info info;
        const int32_t index = ferry_engine_find_binding(session->engine, settings->inputs[i].name);
        if (index < 0 || ferry_engine_binding(session->engine, index, &info, NULL) != FERRY_OK || !info.is_input)
            return fail_unknown(session->engine, settings->inputs[i].name);
    }
    return CLI_OK;
}

typedef struct input_file {
    ferry_tensor_file *file;
    ferry_tensor_view view;
} input_file;

static int open_input(const cli_settings *settings, const cli_session *session, int32_t i, input_file *out)
{
    ferry_error err = {.text = ""};
    ferry_binding_info info;
    if (ferry_engine_binding(session->engine, i, &info, &err) != FERRY_OK) return cli_fail("%s", err.text);
    const char *path = find_input(settings, info.name);
    if (!path) return cli_fail("input '%s' is missing: --input '%s=FILE.npy'", info.name, info.name);
    if (ferry_tensor_file_open(path, &out->file, &out->view, &err) != FERRY_OK) return cli_fail("%s", err.text);
    if (out->view.dtype != info.dtype)
        return cli_fail("%s: %s, but input '%s' is %s", path, ferry_dtype_name(out->view.dtype), info.name,
                        ferry_dtype_name(info.dtype));
    if (ferry_context_set_input_shape(session->context, info.name, out->view.rank, out->view.dims, &err) != FERRY_OK)
        return cli_fail("%s: %s", path, err.text);
    return CLI_OK;
}

int cli_buffers_load(cli_buffers *b, const cli_session *session, const cli_settings *settings)
{
    ferry_error err = {.text = ""};
    input_file *files = calloc((size_t)b->n_inputs + 1, sizeof *files);
    if (!files) return cli_fail("out of memory");
    int status = check_names(settings, session);
    for (int32_t i = 0; status == CLI_OK && i < b->n_inputs; i++) status = open_input(settings, session, i, &files[i]);
    if (status == CLI_OK && cli_buffers_fit(b, session, &err) != FERRY_OK) status = cli_fail("%s", err.text);
    // The file may be less aligned than its type.
    for (int32_t i = 0; status == CLI_OK && i < b->n_inputs; i++)
        memcpy(b->data[i], files[i].view.data,
               (size_t)ferry_tensor_view_elements(&files[i].view) * ferry_dtype_bytes(files[i].view.dtype));
    for (int32_t i = 0; i < b->n_inputs; i++) ferry_tensor_file_close(files[i].file);
    free(files);
    return status;
}
