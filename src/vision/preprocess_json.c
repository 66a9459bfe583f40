// SPDX-License-Identifier: Apache-2.0
// Preprocessing as JSON. What is written is canonical to the byte, because engines store it and its hash says whether a
// calibration and a run saw the same inputs; so it is printed here and not by a library that may change its mind.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "vision/preprocess_internal.h"

static const char where[] = "preprocessing";

static ferry_status get_word(const json_t *object, const char *key, const char *const *words, unsigned *out,
                             ferry_error *err)
{
    int index = (int)*out;
    FERRY_TRY(ferry_json_get_word(object, key, where, words, &index, err));
    *out = (unsigned)index;
    return FERRY_OK;
}

static ferry_status get_triple(const json_t *object, const char *key, double out[3], ferry_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!value) return FERRY_OK;
    if (json_is_number(value)) {
        for (int c = 0; c < 3; c++) out[c] = json_number_value(value);
        return FERRY_OK;
    }
    bool fine = json_is_array(value) && json_array_size(value) == 3;
    for (size_t c = 0; c < 3 && fine; c++) fine = json_is_number(json_array_get(value, c));
    if (!fine) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' must be a number, or a list of three as [R,G,B]", where,
                          key);
    }
    for (size_t c = 0; c < 3; c++) out[c] = json_number_value(json_array_get(value, c));
    return FERRY_OK;
}

static ferry_status get_size(const json_t *object, ferry_preprocess *out, ferry_error *err)
{
    const json_t *value = json_object_get(object, "size");
    if (!value) return FERRY_OK;
    bool fine = json_is_array(value) && json_array_size(value) == 2;
    for (size_t i = 0; i < 2 && fine; i++) {
        const json_t *side = json_array_get(value, i);
        fine = json_is_integer(side) && json_integer_value(side) >= 0 &&
               json_integer_value(side) <= FERRY_PREPROCESS_MAX_SIDE;
    }
    if (!fine) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: 'size' must be [width, height], whole numbers up to %d", where,
                          FERRY_PREPROCESS_MAX_SIDE);
    }
    out->width = (uint32_t)json_integer_value(json_array_get(value, 0));
    out->height = (uint32_t)json_integer_value(json_array_get(value, 1));
    return FERRY_OK;
}

static ferry_status get_words(const json_t *object, ferry_preprocess *out, ferry_error *err)
{
    unsigned mode = out->mode, rounding = out->rounding, align = out->align, filter = out->filter, color = out->color,
             layout = out->layout;
    FERRY_TRY(get_word(object, "resize", ferry_resize_mode_names, &mode, err));
    FERRY_TRY(get_word(object, "rounding", ferry_rounding_names, &rounding, err));
    FERRY_TRY(get_word(object, "align", ferry_align_names, &align, err));
    FERRY_TRY(get_word(object, "filter", ferry_filter_names, &filter, err));
    FERRY_TRY(get_word(object, "color", ferry_color_names, &color, err));
    FERRY_TRY(get_word(object, "layout", ferry_layout_names, &layout, err));
    out->mode = (ferry_resize_mode)mode;
    out->rounding = (ferry_rounding)rounding;
    out->align = (ferry_align)align;
    out->filter = (ferry_filter)filter;
    out->color = (ferry_color)color;
    out->layout = (ferry_layout)layout;
    return FERRY_OK;
}

static ferry_status read_object(const json_t *object, ferry_preprocess *out, ferry_error *err)
{
    static const char *const keys[] = {"preset", "size",   "resize", "resize_shorter", "rounding",
                                       "align",  "filter", "color",  "layout",         "mean",
                                       "std",    "pad",    NULL};
    FERRY_TRY(ferry_json_expect_object(object, where, keys, err));
    const char *preset = NULL;
    int64_t shorter = 0;
    ferry_preprocess_default(out);
    FERRY_TRY(ferry_json_get_string(object, "preset", where, &preset, err));
    if (preset && ferry_preprocess_preset(preset, out, err) != FERRY_OK) return FERRY_ERR_BAD_DATA;
    FERRY_TRY(get_size(object, out, err));
    FERRY_TRY(get_words(object, out, err));
    FERRY_TRY(ferry_json_get_integer(object, "resize_shorter", where, 0, FERRY_PREPROCESS_MAX_SIDE, &shorter, err));
    out->resize_shorter = (uint32_t)shorter;
    FERRY_TRY(get_triple(object, "mean", out->mean, err));
    FERRY_TRY(get_triple(object, "std", out->std, err));
    FERRY_TRY(get_triple(object, "pad", out->pad, err));
    return ferry_preprocess_check(out, err) == FERRY_OK ? FERRY_OK : FERRY_ERR_BAD_DATA;
}

ferry_status ferry_preprocess_from_json(const char *json, size_t bytes, ferry_preprocess *out, ferry_error *error)
{
    json_t *object = NULL;
    ferry_preprocess read;
    ferry_status s = ferry_json_parse(json, bytes, &object, error);
    if (s != FERRY_OK) return ferry_within(error, s, "%s", where);
    s = read_object(object, &read, error);
    json_decref(object);
    if (s == FERRY_OK) *out = read;
    return s;
}

ferry_status ferry_preprocess_parse(const char *preset_or_path, ferry_preprocess *out, ferry_error *error)
{
    const size_t length = strlen(preset_or_path);
    const bool is_path =
        strchr(preset_or_path, '/') || (length > 5 && strcmp(preset_or_path + length - 5, ".json") == 0);
    if (!is_path) return ferry_preprocess_preset(preset_or_path, out, error);
    json_t *object = NULL;
    ferry_preprocess read;
    FERRY_TRY(ferry_json_parse_file(preset_or_path, 1 << 20, &object, error));
    const ferry_status s = read_object(object, &read, error);
    json_decref(object);
    if (s != FERRY_OK) return ferry_within(error, s, "%s", preset_or_path);
    *out = read;
    return FERRY_OK;
}

typedef struct writer {
    char *text;
    size_t capacity, used;
} writer;

static void put(writer *w, const char *text)
{
    const size_t length = strlen(text);
    if (w->used + length < w->capacity) memcpy(w->text + w->used, text, length + 1);
    w->used += length;
}

// The fewest digits that read back as the same number, with a point in every locale.
static void put_number(writer *w, double v)
{
    char text[40];
    if (v == 0.0) v = 0.0; // no "-0"
    // Whole numbers never as 2.2e+02: readers take that for a fraction.
    if (v > -1e9 && v < 1e9 && v == (double)(long)v) {
        snprintf(text, sizeof text, "%ld", (long)v);
        put(w, text);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    for (char *c = text; *c; c++) {
        if (!strchr("0123456789+-e", *c)) *c = '.';
    }
    put(w, text);
}

static void put_list(writer *w, const char *key, const double *values, size_t count)
{
    put(w, key);
    for (size_t i = 0; i < count; i++) {
        if (i) put(w, ",");
        put_number(w, values[i]);
    }
    put(w, "]");
}

static void put_word(writer *w, const char *key, const char *word)
{
    put(w, key);
    put(w, word);
    put(w, "\"");
}

// Settings that are added later must be left out while they have their default, or old hashes change.
static void put_settings(writer *w, const ferry_preprocess *p)
{
    const double size[2] = {p->width, p->height};
    put_list(w, "{\"size\":[", size, 2);
    put_word(w, ",\"resize\":\"", ferry_resize_mode_names[p->mode]);
    put(w, ",\"resize_shorter\":");
    put_number(w, p->resize_shorter);
    put_word(w, ",\"rounding\":\"", ferry_rounding_names[p->rounding]);
    put_word(w, ",\"align\":\"", ferry_align_names[p->align]);
    put_word(w, ",\"filter\":\"", ferry_filter_names[p->filter]);
    put_word(w, ",\"color\":\"", ferry_color_names[p->color]);
    put_word(w, ",\"layout\":\"", ferry_layout_names[p->layout]);
    put_list(w, ",\"mean\":[", p->mean, 3);
    put_list(w, ",\"std\":[", p->std, 3);
    put_list(w, ",\"pad\":[", p->pad, 3);
    put(w, "}");
}

ferry_status ferry_preprocess_to_json(const ferry_preprocess *preprocess, char *text, size_t capacity,
                                      ferry_error *error)
{
    FERRY_TRY(ferry_preprocess_check(preprocess, error));
    writer w = {text, capacity, 0};
    put_settings(&w, preprocess);
    if (w.used < capacity) return FERRY_OK;
    return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "preprocessing as JSON needs %zu bytes, there are %zu",
                      w.used + 1, capacity);
}

ferry_status ferry_preprocess_hash(const ferry_preprocess *preprocess, uint64_t *out_hash, ferry_error *error)
{
    char text[1024];
    FERRY_TRY(ferry_preprocess_to_json(preprocess, text, sizeof text, error));
    *out_hash = ferry_hash64_of(text, strlen(text));
    return FERRY_OK;
}
