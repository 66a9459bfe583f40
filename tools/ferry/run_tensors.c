// SPDX-License-Identifier: Apache-2.0
// ferry run on raw tensors in .npy files.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

int cli_write_outputs(const char *folder, const ferry_tensor_view *outputs, size_t count)
{
    ferry_error err = {.text = ""};
    char path[4096];
    json_t *names = json_object();
    int status = cli_make_folder(folder);
    for (size_t i = 0; status == CLI_OK && i < count; i++) {
        char file[512];
        snprintf(file, sizeof file, "%.500s.npy", outputs[i].name);
        for (char *p = file; *p; p++)
            if (*p == '/' || *p == ':') *p = '_';
        snprintf(path, sizeof path, "%.3500s/%s", folder, file);
        if (ferry_tensor_file_write(path, &outputs[i], &err) != FERRY_OK) status = cli_fail("%s", err.text);
        json_object_set_new(names, outputs[i].name, json_string(file));
    }
    char *text = json_dumps(names, JSON_INDENT(1));
    snprintf(path, sizeof path, "%.3500s/names.json", folder);
    if (status == CLI_OK && (!text || ferry_file_write(path, text, strlen(text), &err) != FERRY_OK))
        status = cli_fail("%s", text ? err.text : "out of memory");
    free(text);
    json_decref(names);
    return status;
}

typedef struct tensors {
    void **buffers;            // [bindings]
    ferry_tensor_file **files; // [bindings]
    ferry_tensor_view *views;  // [bindings]
    int32_t count, n_inputs;
} tensors;

static const char *find_input(const cli_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n_inputs; i++)
        if (strcmp(settings->inputs[i].name, name) == 0) return settings->inputs[i].value;
    return NULL;
}

static int check_names(const cli_settings *settings, const cli_session *session)
{
    for (size_t i = 0; i < settings->n_inputs; i++) {
        ferry_binding_info info;
        const int32_t index = ferry_engine_find_binding(session->engine, settings->inputs[i].name);
        if (index < 0 || ferry_engine_binding(session->engine, index, &info, NULL) != FERRY_OK || !info.is_input)
            return cli_fail("--input %s: the engine has no input of that name", settings->inputs[i].name);
    }
    return CLI_OK;
}

// The file may be less aligned than its type, and floats may be given for half inputs: both are copied.
static int fill_input(tensors *t, const cli_session *session, int32_t i, const ferry_binding_info *info,
                      const char *path)
{
    ferry_error err = {.text = ""};
    ferry_tensor_view *view = &t->views[i];
    if (ferry_tensor_file_open(path, &t->files[i], view, &err) != FERRY_OK) return cli_fail("%s", err.text);
    if (view->dtype != info->dtype)
        return cli_fail("%s: %s, but input '%s' is %s", path, ferry_dtype_name(view->dtype), info->name,
                        ferry_dtype_name(info->dtype));
    if (ferry_context_set_input_shape(session->context, info->name, view->rank, view->dims, &err) != FERRY_OK)
        return cli_fail("%s: %s", path, err.text);
    const size_t bytes = (size_t)ferry_tensor_view_elements(view) * ferry_dtype_bytes(view->dtype);
    t->buffers[i] = malloc(bytes ? bytes : 1);
    if (!t->buffers[i]) return cli_fail("no %zu bytes for '%s'", bytes, info->name);
    memcpy(t->buffers[i], view->data, bytes);
    return CLI_OK;
}

static int make_output(tensors *t, const cli_session *session, int32_t i, const ferry_binding_info *info)
{
    ferry_error err = {.text = ""};
    ferry_tensor_view *view = &t->views[i];
    view->name = info->name;
    view->dtype = info->dtype;
    if (ferry_context_binding_shape(session->context, i, &view->rank, view->dims, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    const size_t bytes = (size_t)ferry_tensor_view_elements(view) * ferry_dtype_bytes(view->dtype);
    t->buffers[i] = calloc(bytes ? bytes : 1, 1);
    view->data = t->buffers[i];
    return t->buffers[i] ? CLI_OK : cli_fail("no %zu bytes for '%s'", bytes, info->name);
}

static int run_once(const cli_settings *settings, const cli_session *session, tensors *t)
{
    ferry_error err = {.text = ""};
    int status = check_names(settings, session);
    for (int32_t i = 0; status == CLI_OK && i < t->count; i++) {
        ferry_binding_info info;
        if (ferry_engine_binding(session->engine, i, &info, &err) != FERRY_OK) return cli_fail("%s", err.text);
        if (!info.is_input) continue;
        const char *path = find_input(settings, info.name);
        status = path ? fill_input(t, session, i, &info, path)
                      : cli_fail("input '%s' is missing: --input '%s=FILE.npy'", info.name, info.name);
        t->n_inputs++;
    }
    for (int32_t i = t->n_inputs; status == CLI_OK && i < t->count; i++) {
        ferry_binding_info info;
        if (ferry_engine_binding(session->engine, i, &info, &err) != FERRY_OK) return cli_fail("%s", err.text);
        status = make_output(t, session, i, &info);
    }
    if (status == CLI_OK && ferry_context_run(session->context, session->stream, (const void *const *)t->buffers,
                                              t->buffers + t->n_inputs, &err) != FERRY_OK)
        status = cli_fail("%s", err.text);
    for (int32_t i = t->n_inputs; status == CLI_OK && i < t->count; i++) {
        char text[160];
        if (ferry_context_binding_shape(session->context, i, &t->views[i].rank, t->views[i].dims, &err) != FERRY_OK)
            return cli_fail("%s", err.text);
        printf("%s: %s\n", t->views[i].name, ferry_tensor_view_describe(&t->views[i], text, sizeof text));
    }
    if (status == CLI_OK && settings->output_folder)
        status = cli_write_outputs(settings->output_folder, t->views + t->n_inputs, (size_t)(t->count - t->n_inputs));
    return status;
}

int cli_run_tensors(const cli_settings *settings, const cli_session *session)
{
    tensors t = {.count = ferry_engine_binding_count(session->engine)};
    t.buffers = calloc((size_t)t.count, sizeof *t.buffers);
    t.files = calloc((size_t)t.count, sizeof *t.files);
    t.views = calloc((size_t)t.count, sizeof *t.views);
    const int status = t.buffers && t.files && t.views ? run_once(settings, session, &t) : cli_fail("out of memory");
    for (int32_t i = 0; i < t.count; i++) {
        if (t.buffers) free(t.buffers[i]);
        if (t.files) ferry_tensor_file_close(t.files[i]);
    }
    free(t.buffers);
    free(t.files);
    free(t.views);
    return status;
}
