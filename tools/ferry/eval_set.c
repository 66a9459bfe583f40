// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"

int cli_eval_set_add(cli_eval_set *set, const char *path, int64_t true_class)
{
    if (set->count == set->capacity) {
        const size_t capacity = set->capacity ? set->capacity * 2 : 256;
        cli_eval_item *grown = realloc(set->items, capacity * sizeof *grown);
        if (!grown) return cli_fail("out of memory");
        set->items = grown;
        set->capacity = capacity;
    }
    char *copy = strdup(path);
    if (!copy) return cli_fail("out of memory");
    set->items[set->count++] = (cli_eval_item){copy, true_class};
    return CLI_OK;
}

static int add_pictures(cli_eval_set *set, const char *source)
{
    ferry_error err = {.text = ""};
    ferry_sample_list *list = NULL;
    int status = CLI_OK;
    if (ferry_sample_list_open(source, NULL, &list, &err) != FERRY_OK) return cli_fail("%s", err.text);
    if (ferry_sample_list_row(list, 0) != SIZE_MAX)
        status = cli_fail("--images %s: pictures are needed, not a .npy file", source);
    for (size_t i = 0; status == CLI_OK && i < ferry_sample_list_count(list); i++)
        status = cli_eval_set_add(set, ferry_sample_list_path(list, i), -1);
    ferry_sample_list_close(list);
    return status;
}

// --- Leaving out what calibration draws ----------------------------------------------------------------------------

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Real paths, so that a file is known again however it was named. Sorted.
static char **real_paths(const ferry_sample_list *list, size_t *out_count)
{
    const size_t n = ferry_sample_list_count(list);
    char **paths = calloc(n + 1, sizeof *paths);
    *out_count = 0;
    for (size_t i = 0; paths && i < n; i++) {
        char *path = realpath(ferry_sample_list_path(list, i), NULL);
        if (path) paths[(*out_count)++] = path;
    }
    if (paths) qsort(paths, *out_count, sizeof *paths, compare_texts);
    return paths;
}

static void leave_out(cli_eval_set *set, char *const *paths, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        char *path = realpath(set->items[i].path, NULL);
        const bool drawn = path && bsearch(&path, paths, count, sizeof *paths, compare_texts);
        free(path);
        if (drawn) {
            free(set->items[i].path);
            set->excluded++;
        } else {
            set->items[kept++] = set->items[i];
        }
    }
    set->count = kept;
}

static int exclude_drawn(cli_eval_set *set, const cli_settings *s)
{
    ferry_error err = {.text = ""};
    ferry_sample_list *list = NULL;
    size_t count = 0;
    if (ferry_sample_list_open(s->exclude_calib, NULL, &list, &err) != FERRY_OK)
        return cli_fail("--exclude-calib: %s", err.text);
    ferry_sample_list_choose(list, s->calibration.count, s->calibration.seed, FERRY_SAMPLES_DRAWN);
    char **paths = real_paths(list, &count);
    ferry_sample_list_close(list);
    if (!paths) return cli_fail("out of memory");
    const size_t before = set->count;
    leave_out(set, paths, count);
    for (size_t i = 0; i < count; i++) free(paths[i]);
    free(paths);
    if (set->count == 0)
        return cli_fail("--exclude-calib: all %zu pictures are among those that calibration draws; a smaller "
                        "--calib-count leaves some",
                        before);
    if (set->excluded == 0)
        cli_warn(s, "--exclude-calib: none of the %zu pictures is among those that calibration draws", before);
    return CLI_OK;
}

void cli_eval_set_spread(cli_eval_set *set, size_t count)
{
    if (count == 0 || count >= set->count) return;
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (kept < count && i == kept * set->count / count)
            set->items[kept++] = set->items[i];
        else
            free(set->items[i].path);
    }
    set->count = kept;
}

int cli_eval_set_open(cli_eval_set *set, const cli_settings *s)
{
    *set = (cli_eval_set){0};
    int status = s->labels_csv ? cli_eval_read_csv(set, s->labels_csv) : add_pictures(set, s->images);
    if (status == CLI_OK && s->exclude_calib) status = exclude_drawn(set, s);
    if (status == CLI_OK) cli_eval_set_spread(set, (size_t)s->count);
    return status;
}

void cli_eval_set_close(cli_eval_set *set)
{
    for (size_t i = 0; i < set->count; i++) free(set->items[i].path);
    free(set->items);
}
