// SPDX-License-Identifier: Apache-2.0
#include "calibrate/meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/strings.h"

enum { MOST_BYTES = 65536, FORMAT = 1 };

void ferry_calibration_describe(ferry_calibration_algorithm algorithm, double percentile, char out[48])
{
    const char *name = ferry_calibration_algorithm_name(algorithm);
    if (algorithm == FERRY_CALIBRATION_PERCENTILE) {
        if (percentile == 0) percentile = FERRY_CALIBRATION_DEFAULT_PERCENTILE;
        char number[32];
        snprintf(number, sizeof number, "%.12g", percentile);
        ferry_point_decimal(number);
        snprintf(out, 48, "%s:%s", name, number);
    } else {
        snprintf(out, 48, "%s", name ? name : "unknown");
    }
}

// `cache_path`.meta, to be freed with ferry_text_free().
static char *meta_path(const ferry_heap *heap, const char *cache_path)
{
    const size_t bytes = strlen(cache_path) + sizeof ".meta";
    char *path = ferry_heap_alloc_uninit(heap, bytes);
    if (path) snprintf(path, bytes, "%s.meta", cache_path);
    return path;
}

ferry_status ferry_calibration_meta_save(const ferry_heap *heap, const char *cache_path,
                                         const ferry_calibration_meta *meta, ferry_error *err)
{
    char seed[24]; // as a text: JSON's numbers do not hold 64 bits everywhere
    snprintf(seed, sizeof seed, "%" PRIu64, meta->seed);
    char *path = meta_path(heap, cache_path);
    json_t *json = path ? json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:s}", "format", FORMAT, "model", meta->model,
                                    "data", meta->data, "preprocessing", meta->preprocessing, "algorithm",
                                    meta->algorithm, "count", (json_int_t)meta->count, "seed", seed)
                        : NULL;
    const ferry_status s = json ? ferry_json_save(json, path, err) : ferry_fail_memory(err, "the cache's side file");
    json_decref(json);
    ferry_text_free(heap, path);
    return s;
}

// Copies a text member that must fit; a missing one is "".
static ferry_status get_text(const json_t *json, const char *key, char *out, size_t out_bytes, ferry_error *err)
{
    const char *text = "";
    FERRY_TRY(ferry_json_get_string(json, key, "the side file", &text, err));
    if (strlen(text) >= out_bytes)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "'%s' is longer than %zu bytes", key, out_bytes - 1);
    strcpy(out, text);
    return FERRY_OK;
}

static ferry_status read_members(const json_t *json, ferry_calibration_meta *out, ferry_error *err)
{
    static const char *const keys[] = {"format", "model", "data", "preprocessing", "algorithm", "count", "seed", NULL};
    int64_t format = 0, count = 0;
    char seed[24] = "0";
    FERRY_TRY(ferry_json_expect_object(json, "the side file", keys, err));
    FERRY_TRY(ferry_json_get_integer(json, "format", "the side file", FORMAT, FORMAT, &format, err));
    FERRY_TRY(ferry_json_get_integer(json, "count", "the side file", 0, INT64_MAX, &count, err));
    FERRY_TRY(get_text(json, "model", out->model, sizeof out->model, err));
    FERRY_TRY(get_text(json, "data", out->data, sizeof out->data, err));
    FERRY_TRY(get_text(json, "preprocessing", out->preprocessing, sizeof out->preprocessing, err));
    FERRY_TRY(get_text(json, "algorithm", out->algorithm, sizeof out->algorithm, err));
    FERRY_TRY(get_text(json, "seed", seed, sizeof seed, err));
    if (seed[0] && !ferry_parse_u64(ferry_text_of(seed), &out->seed))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "'seed' is not a whole number of 64 bits");
    out->count = (uint64_t)count;
    return FERRY_OK;
}

ferry_status ferry_calibration_meta_load(const ferry_heap *heap, const char *cache_path, ferry_calibration_meta *out,
                                         bool *out_found, ferry_error *err)
{
    struct stat st;
    json_t *json = NULL;
    memset(out, 0, sizeof *out);
    *out_found = false;
    char *path = meta_path(heap, cache_path);
    if (!path) return ferry_fail_memory(err, "the cache's side file");
    ferry_status s = FERRY_OK;
    if (stat(path, &st) == 0) {
        s = ferry_json_parse_file(path, MOST_BYTES, &json, err);
        if (s == FERRY_OK) {
            s = read_members(json, out, err);
            if (s != FERRY_OK) s = ferry_within(err, s, "%s", path);
        }
        json_decref(json);
        *out_found = s == FERRY_OK;
    }
    ferry_text_free(heap, path);
    return s;
}

static void compare_texts(const char *stored, const char *now, const char *what, const char *cache_path,
                          ferry_report *report)
{
    if (!stored[0] || !now[0] || strcmp(stored, now) == 0) return;
    ferry_report_add(report, FERRY_SEVERITY_WARNING, cache_path,
                     "was made with another %s (%s, now %s); --recalibrate would bring it up to date", what, stored,
                     now);
}

void ferry_calibration_meta_compare(const ferry_calibration_meta *stored, const ferry_calibration_meta *now,
                                    const char *cache_path, ferry_report *report)
{
    compare_texts(stored->model, now->model, "model", cache_path, report);
    compare_texts(stored->preprocessing, now->preprocessing, "preprocessing", cache_path, report);
    compare_texts(stored->algorithm, now->algorithm, "algorithm", cache_path, report);
    // Where the samples are not known (a cache alone is given), count and seed mean nothing.
    if (!stored->data[0] || !now->data[0]) return;
    compare_texts(stored->data, now->data, "set of samples", cache_path, report);
    if (stored->count != now->count)
        ferry_report_add(report, FERRY_SEVERITY_WARNING, cache_path, "was made from %" PRIu64 " samples, now %" PRIu64,
                         stored->count, now->count);
    if (stored->seed != now->seed)
        ferry_report_add(report, FERRY_SEVERITY_WARNING, cache_path,
                         "was made with samples drawn by the seed %" PRIu64 ", now %" PRIu64, stored->seed, now->seed);
}
