// SPDX-License-Identifier: Apache-2.0
// Lets test_pillow.py and others drive the vision part: a command a line on stdin, so that one process makes all the
// comparisons. "vision_test_picture serve".
#ifndef FERRY_TESTS_VISION_SERVE_H_
#define FERRY_TESTS_VISION_SERVE_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/preprocess.h"

static void put(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0) exit(3);
}

static ferry_filter filter_of(const char *name)
{
    for (int i = 0; ferry_filter_name((ferry_filter)i); i++) {
        if (strcmp(name, ferry_filter_name((ferry_filter)i)) == 0) return (ferry_filter)i;
    }
    exit(3);
}

static void put_picture(const char *out, const ferry_picture *p)
{
    put(out, p->pixels, p->owned_bytes);
    printf("ok %u %u %u\n", p->width, p->height, p->channels);
}

static ferry_status serve_resize(const ferry_picture *p, char *words[], ferry_error *err)
{
    const ferry_picture_box box = {strtof(words[3], NULL), strtof(words[4], NULL), strtof(words[5], NULL),
                                   strtof(words[6], NULL)};
    ferry_picture out;
    const ferry_status s = ferry_picture_resize(p, &box, (uint32_t)atoi(words[7]), (uint32_t)atoi(words[8]),
                                                filter_of(words[9]), NULL, &out, err);
    if (s == FERRY_OK) put_picture(words[2], &out);
    ferry_picture_deinit(&out);
    return s;
}

static ferry_status serve_preprocess(const ferry_picture *p, char *words[], ferry_error *err)
{
    ferry_preprocess settings;
    ferry_preprocessor *worker = NULL;
    ferry_preprocess_geometry g;
    ferry_status s = ferry_preprocess_from_json(words[3], strlen(words[3]), &settings, err);
    if (s == FERRY_OK) s = ferry_preprocess_plan(&settings, p->width, p->height, &g, err);
    if (s == FERRY_OK) s = ferry_preprocessor_create(&settings, NULL, &worker, err);
    if (s != FERRY_OK) return s;
    const size_t bytes = ferry_preprocess_elements(&g) * sizeof(float);
    float *data = malloc(bytes);
    if (!data) exit(3);
    s = ferry_preprocessor_run(worker, p, FERRY_F32, data, bytes, &g, err);
    if (s == FERRY_OK) {
        put(words[2], data, bytes);
        printf("ok %u %u %u %d %d %.17g %.17g\n", g.width, g.height, g.channels, g.offset_x, g.offset_y, g.scale_x,
               g.scale_y);
    }
    free(data);
    ferry_preprocessor_destroy(worker);
    return s;
}

// Words are separated by tabs: command, picture, output file, more.
static void serve_line(char *line)
{
    char *words[12] = {0};
    size_t n = 0;
    for (char *w = strtok(line, "\t\n"); w && n < 11; w = strtok(NULL, "\t\n")) words[n++] = w;
    if (n < 3) exit(3);
    ferry_error err;
    ferry_picture p;
    ferry_picture_options options = {.size = sizeof options};
    if (strcmp(words[0], "index") == 0) options.form = FERRY_PICTURE_INDEX;
    ferry_status s = ferry_picture_read(words[1], &options, NULL, &p, &err);
    if (s == FERRY_OK) {
        if (strcmp(words[0], "resize") == 0 && n == 10)
            s = serve_resize(&p, words, &err);
        else if (strcmp(words[0], "preprocess") == 0 && n == 4)
            s = serve_preprocess(&p, words, &err);
        else
            put_picture(words[2], &p);
    }
    if (s != FERRY_OK) printf("error %s: %s\n", ferry_status_name(s), err.text);
    ferry_picture_deinit(&p);
    fflush(stdout);
}

static int serve(void)
{
    static char line[8192];
    while (fgets(line, sizeof line, stdin)) serve_line(line);
    return 0;
}

#endif // FERRY_TESTS_VISION_SERVE_H_
