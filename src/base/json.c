// SPDX-License-Identifier: Apache-2.0
// Strict getters over jansson, whose own errors know neither the file's words nor the way out.
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/file_map.h"
#include "base/heap.h"

// Finds the bracket that nests too deep, before jansson's recursion does.
static bool too_deep(const char *text, size_t length, size_t *out_line)
{
    size_t depth = 0, line = 1;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        line += c == '\n';
        if (in_string) {
            if (c == '\\') i++;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > FERRY_JSON_MAX_DEPTH) break;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    *out_line = line;
    return depth > FERRY_JSON_MAX_DEPTH;
}

ferry_status ferry_json_parse(const char *text, size_t length, json_t **out, ferry_error *err)
{
    json_error_t e;
    size_t line = 0;
    *out = NULL;
    if (too_deep(text, length, &line)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "not valid JSON here: line %zu nests deeper than %d levels", line,
                          FERRY_JSON_MAX_DEPTH);
    }
    *out = json_loadb(text, length, JSON_REJECT_DUPLICATES, &e);
    if (*out) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "not valid JSON at line %d, column %d: %s", e.line, e.column, e.text);
}

ferry_status ferry_json_parse_file(const char *path, size_t max_bytes, json_t **out, ferry_error *err)
{
    *out = NULL;
    char *text = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_file_read(ferry_heap_default(), path, max_bytes, &text, &bytes, err));
    ferry_status status = ferry_json_parse(text, bytes, out, err);
    if (status != FERRY_OK) status = ferry_within(err, status, "%s", path);
    ferry_heap_free(ferry_heap_default(), text, bytes + 1);
    return status;
}

// The words of a list, for an error text.
static const char *join(const char *const *words, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; words[i] && used < text_bytes; i++) {
        const int n = snprintf(text + used, text_bytes - used, "%s%s", i ? ", " : "", words[i]);
        used += n < 0 ? 0 : (size_t)n;
    }
    return text;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

ferry_status ferry_json_expect_object(const json_t *value, const char *where, const char *const *keys, ferry_error *err)
{
    if (!json_is_object(value)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s must be an object, not %s", where, type_name(value));
    }
    void *iter = json_object_iter((json_t *)(uintptr_t)value); // jansson's iterators take no const
    for (; iter; iter = json_object_iter_next((json_t *)(uintptr_t)value, iter)) {
        const char *key = json_object_iter_key(iter);
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0) i++;
        if (keys[i]) continue;
        char known[600];
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: unknown key '%.100s'; known are %s", where, key,
                          join(keys, known, sizeof known));
    }
    return FERRY_OK;
}

static const json_t *look_up(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value) ? value : NULL;
}

ferry_status ferry_json_get_number(const json_t *object, const char *key, const char *where, double min, double max,
                                   double *out, ferry_error *err)
{
    const json_t *value = look_up(object, key);
    if (!value) return FERRY_OK;
    if (!json_is_number(value)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' must be a number, not %s", where, key, type_name(value));
    }
    const double number = json_number_value(value);
    if (!(number >= min && number <= max)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' is %g, must be %g to %g", where, key, number, min, max);
    }
    *out = number;
    return FERRY_OK;
}

ferry_status ferry_json_get_integer(const json_t *object, const char *key, const char *where, int64_t min, int64_t max,
                                    int64_t *out, ferry_error *err)
{
    const json_t *value = look_up(object, key);
    if (!value) return FERRY_OK;
    if (!json_is_integer(value)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' must be a whole number, not %s", where, key,
                          type_name(value));
    }
    const int64_t number = json_integer_value(value);
    if (number < min || number > max) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' is %" PRId64 ", must be %" PRId64 " to %" PRId64, where,
                          key, number, min, max);
    }
    *out = number;
    return FERRY_OK;
}

ferry_status ferry_json_get_bool(const json_t *object, const char *key, const char *where, bool *out, ferry_error *err)
{
    const json_t *value = look_up(object, key);
    if (!value) return FERRY_OK;
    if (!json_is_boolean(value)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' must be true or false, not %s", where, key,
                          type_name(value));
    }
    *out = json_is_true(value);
    return FERRY_OK;
}

ferry_status ferry_json_get_string(const json_t *object, const char *key, const char *where, const char **out,
                                   ferry_error *err)
{
    const json_t *value = look_up(object, key);
    if (!value) return FERRY_OK;
    if (!json_is_string(value)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' must be a text, not %s", where, key, type_name(value));
    }
    *out = json_string_value(value);
    return FERRY_OK;
}

ferry_status ferry_json_get_word(const json_t *object, const char *key, const char *where, const char *const *words,
                                 int *out, ferry_error *err)
{
    const char *word = NULL;
    FERRY_TRY(ferry_json_get_string(object, key, where, &word, err));
    if (!word) return FERRY_OK;
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = i;
            return FERRY_OK;
        }
    }
    char known[600];
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' is '%.100s', must be one of %s", where, key, word,
                      join(words, known, sizeof known));
}

ferry_status ferry_json_write(const json_t *value, const ferry_heap *heap, char **out, ferry_error *err)
{
    *out = NULL;
    // Nine digits carry a float32 there and back.
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (!text) return ferry_fail_memory(err, "JSON text");
    *out = ferry_heap_strdup(ferry_heap_or_default(heap), text);
    free(text);
    return *out ? FERRY_OK : ferry_fail_memory(err, "JSON text");
}

typedef struct file_sink {
    ferry_atomic_file file;
    ferry_error *err;
    ferry_status status;
} file_sink;

static int append_to_file(const char *text, size_t bytes, void *user)
{
    file_sink *sink = user;
    sink->status = ferry_atomic_file_append(&sink->file, text, bytes, sink->err);
    return sink->status == FERRY_OK ? 0 : -1;
}

ferry_status ferry_json_save(const json_t *value, const char *path, ferry_error *err)
{
    file_sink sink = {.err = err, .status = FERRY_OK};
    FERRY_TRY(ferry_atomic_file_open(&sink.file, ferry_heap_default(), path, err));
    const int failed = json_dump_callback(value, append_to_file, &sink, JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (sink.status == FERRY_OK && failed) sink.status = ferry_fail_memory(err, path);
    if (sink.status == FERRY_OK) append_to_file("\n", 1, &sink);
    if (sink.status == FERRY_OK) return ferry_atomic_file_commit(&sink.file, false, err);
    ferry_atomic_file_abandon(&sink.file);
    return sink.status;
}
