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

int cli_run_tensors(const cli_settings *settings, const cli_session *session)
{
    ferry_error err = {.text = ""};
    cli_buffers b;
    int status = cli_buffers_open(&b, session);
    if (status == CLI_OK) status = cli_buffers_load(&b, session, settings);
    if (status == CLI_OK) {
        const ferry_status s = cli_buffers_run(&b, session, &err);
        if (s != FERRY_OK) status = cli_fail_with(s, &err);
    }
    json_t *list = json_array();
    for (int32_t i = 0; status == CLI_OK && i < b.n_outputs; i++) {
        char text[160];
        json_t *dims = json_array();
        for (int32_t d = 0; d < b.outputs[i].rank; d++) json_array_append_new(dims, json_integer(b.outputs[i].dims[d]));
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", b.outputs[i].name, "dtype",
                                              ferry_dtype_name(b.outputs[i].dtype), "shape", dims));
        printf("%s: %s\n", b.outputs[i].name, ferry_tensor_view_describe(&b.outputs[i], text, sizeof text));
    }
    if (status == CLI_OK && settings->output_folder)
        status = cli_write_outputs(settings->output_folder, b.outputs, (size_t)b.n_outputs);
    json_t *json = json_pack("{s:o}", "outputs", list);
    if (status == CLI_OK && settings->json)
        status = cli_print_json(json);
    else
        json_decref(json);
    cli_buffers_close(&b);
    return status;
}
