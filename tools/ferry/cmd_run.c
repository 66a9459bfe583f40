// SPDX-License-Identifier: Apache-2.0
// ferry run on pictures: the best classes, boxes or masks.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "run.h"

int cli_make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return CLI_OK;
    return cli_fail("%s: the folder can't be made: %s", path, strerror(errno));
}

static void print_classes(const cli_vision *v)
{
    for (size_t i = 0; i < v->result->class_count; i++) {
        const ferry_class_score *c = &v->result->classes[i];
        const char *name = ferry_labels_get(v->labels, c->class_index);
        printf("  %7.4f  %5d  %s\n", (double)c->score, c->class_index, name ? name : "");
    }
}

static void print_detections(const cli_vision *v)
{
    for (size_t i = 0; i < v->result->detection_count; i++) {
        const ferry_detection *d = &v->result->detections[i];
        const char *name = ferry_labels_get(v->labels, d->class_index);
        char number[24];
        snprintf(number, sizeof number, "class %d", d->class_index);
        printf("  %7.4f  %-16s (%.0f, %.0f) - (%.0f, %.0f)\n", (double)d->score, name ? name : number, (double)d->x1,
               (double)d->y1, (double)d->x2, (double)d->y2);
    }
    if (v->result->detection_count == 0) printf("  nothing found\n");
}

static void print_segments(const cli_vision *v)
{
    size_t counts[256] = {0};
    const ferry_picture *map = v->result->class_map;
    for (uint32_t y = 0; y < map->height; y++)
        for (uint32_t x = 0; x < map->width; x++) counts[map->pixels[y * map->stride_bytes + x]]++;
    for (int i = 0; i < 255; i++) {
        if (!counts[i]) continue;
        const char *name = ferry_labels_get(v->labels, i);
        printf("  %6.2f %%  %3d  %s\n", 100.0 * (double)counts[i] / ((double)map->width * map->height), i,
               name ? name : "");
    }
}

static void print_result(const cli_vision *v, const char *path)
{
    printf("%s\n", path);
    switch (v->task) {
    case FERRY_TASK_CLASSIFY:
        print_classes(v);
        break;
    case FERRY_TASK_DETECT:
        print_detections(v);
        break;
    case FERRY_TASK_SEGMENT:
        print_segments(v);
        break;
    case FERRY_TASK_RAW:
        for (int32_t i = 0; i < v->buffers.n_outputs; i++) {
            char text[160];
            printf("  %s: %s\n", v->buffers.outputs[i].name,
                   ferry_tensor_view_describe(&v->buffers.outputs[i], text, sizeof text));
        }
        break;
    }
    if (v->result->nonfinite_count)
        printf("  (%zu scores were not finite and were left out)\n", v->result->nonfinite_count);
}

static size_t stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? (size_t)(dot - name) : strlen(name);
}

// Whether an earlier picture has the same name but for folder and ending.
static bool exists_among(const char *name, char **paths, int before)
{
    for (int i = 0; i < before; i++) {
        const char *slash = strrchr(paths[i], '/'), *other = slash ? slash + 1 : paths[i];
        if (stem_length(other) == stem_length(name) && strncmp(other, name, stem_length(name)) == 0) return true;
    }
    return false;
}

// Under the picture's own name. Where an earlier picture has it too, with this one's number before it.
static int draw_result(const cli_settings *settings, const cli_vision *v, ferry_picture *picture, char **paths, int at)
{
    ferry_error err = {.text = ""};
    char out[4096], number[16] = "";
    const char *slash = strrchr(paths[at], '/'), *name = slash ? slash + 1 : paths[at], *dot = strrchr(name, '.');
    const bool writable =
        dot && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
    if (exists_among(name, paths, at)) snprintf(number, sizeof number, "%d-", at + 1);
    const int n = snprintf(out, sizeof out, "%s/%s%s%s", settings->draw, number, name, writable ? "" : ".png");
    if (n < 0 || (size_t)n >= sizeof out) return cli_fail("%s: the path is too long", paths[at]);
    ferry_status s = ferry_draw_result(picture, v->result, v->labels, NULL, NULL, &err);
    if (s == FERRY_OK) s = ferry_picture_write(picture, out, NULL, &err);
    if (s != FERRY_OK) return cli_fail("%s: %s", paths[at], err.text);
    if (!settings->quiet) printf("  drawn: %s\n", out);
    return CLI_OK;
}

// The outputs of several pictures go into a folder each, named as drawings are.
static int write_outputs(const char *folder, const cli_vision *v, int n, char **paths, int at)
{
    char own[4096];
    const char *slash = strrchr(paths[at], '/'), *name = slash ? slash + 1 : paths[at];
    if (n == 1) return cli_write_outputs(folder, v->buffers.outputs, (size_t)v->buffers.n_outputs);
    int status = cli_make_folder(folder);
    char number[16] = "";
    if (exists_among(name, paths, at)) snprintf(number, sizeof number, "%d-", at + 1);
    const int length = snprintf(own, sizeof own, "%s/%s%.*s", folder, number, (int)stem_length(name), name);
    if (status == CLI_OK && (length < 0 || (size_t)length >= sizeof own))
        status = cli_fail("%s: the path is too long", paths[at]);
    return status == CLI_OK ? cli_write_outputs(own, v->buffers.outputs, (size_t)v->buffers.n_outputs) : status;
}

static int append_json(json_t *list, const cli_vision *v, const char *path)
{
    ferry_error err = {.text = ""};
    char *text = NULL;
    if (ferry_result_to_json(v->result, v->labels, NULL, &text, &err) != FERRY_OK) return cli_fail("%s", err.text);
    json_t *one = json_loads(text, 0, NULL);
    ferry_text_free(NULL, text);
    json_object_set_new(one, "picture", json_string(path));
    json_array_append_new(list, one);
    return CLI_OK;
}

static int run_pictures(const cli_settings *settings, const cli_session *session, cli_vision *v, int n, char **paths)
{
    json_t *list = json_array();
    int status = settings->draw ? cli_make_folder(settings->draw) : CLI_OK;
    int failed = 0;
    for (int i = 0; status == CLI_OK && i < n; i++) {
        ferry_error err = {.text = ""};
        ferry_picture picture = {0};
        if (cli_interrupted()) {
            status = cli_fail("interrupted");
            break;
        }
        if (ferry_picture_read(paths[i], NULL, NULL, &picture, &err) != FERRY_OK) {
            cli_fail("%s", err.text);
            failed++;
            continue;
        }
        const ferry_status s = cli_vision_run(v, session, &picture, &err);
        if (s != FERRY_OK) {
            status = cli_fail("%s: %s", paths[i], err.text);
            ferry_picture_deinit(&picture);
            break;
        }
        print_result(v, paths[i]);
        if (settings->draw && v->task != FERRY_TASK_RAW) status = draw_result(settings, v, &picture, paths, i);
        if (status == CLI_OK && settings->json) status = append_json(list, v, paths[i]);
        if (status == CLI_OK && settings->output_folder)
            status = write_outputs(settings->output_folder, v, n, paths, i);
        ferry_picture_deinit(&picture);
    }
    json_t *json = json_pack("{s:o}", "results", list);
    if (settings->json && status == CLI_OK)
        status = cli_print_json(json);
    else
        json_decref(json);
    return status != CLI_OK ? status : failed ? CLI_FAILED : CLI_OK;
}

int cli_run(const cli_settings *settings, int argc, char **argv)
{
    cli_session session;
    if (argc == 1 && settings->n_inputs == 0) return cli_usage("run", "name a picture, or raw tensors with --input");
    if (argc > 1 && settings->n_inputs) return cli_usage("run", "give pictures or --input, not both");
    int status = cli_session_open(&session, settings, argv[0]);
    if (status == CLI_OK && settings->n_inputs) {
        status = cli_run_tensors(settings, &session);
    } else if (status == CLI_OK) {
        cli_vision vision;
        status = cli_vision_open(&vision, &session, settings);
        if (status == CLI_OK) status = run_pictures(settings, &session, &vision, argc - 1, argv + 1);
        cli_vision_close(&vision, &session);
    }
    cli_session_close(&session);
    return status;
}
