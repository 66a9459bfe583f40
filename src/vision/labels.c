// SPDX-License-Identifier: Apache-2.0
// Names of classes, from a text file or JSON.
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/file_map.h"
#include "base/json.h"
#include "ferry/decode.h"

enum { MAX_LABELS = 1000000 };
#define MAX_BYTES ((size_t)16 << 20)

struct ferry_labels {
    ferry_heap heap;
    ferry_arena arena;
    const char **names; // NULL: a class without a name
    size_t count, capacity;
};

// UTF-8 as RFC 3629 has it, without control characters that would break a line or a terminal.
static bool is_clean_utf8(const char *text, size_t length)
{
    const uint8_t *s = (const uint8_t *)text;
    for (size_t i = 0; i < length;) {
        const uint8_t c = s[i];
        if (c < 0x80) {
            if (c < 0x20 && c != '\t') return false;
            i++;
            continue;
        }
        const size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || i + more >= length) return false;
        uint32_t code = c & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if ((s[i + k] & 0xc0) != 0x80) return false;
            code = code << 6 | (s[i + k] & 0x3fu);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) || code > 0x10ffff ||
            (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

static ferry_status put(ferry_labels *l, size_t index, const char *name, size_t length, ferry_error *err)
{
    if (index >= MAX_LABELS) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "class index %zu: at most %d names are read", index, MAX_LABELS);
    }
    if (!ferry_heap_reserve(&l->heap, (void **)&l->names, &l->capacity, sizeof *l->names, index + 1)) {
        return ferry_fail_memory(err, "labels");
    }
    if (index >= l->count) l->count = index + 1;
    if (length == 0) return FERRY_OK;
    l->names[index] = ferry_arena_strndup(&l->arena, name, length);
    return l->names[index] ? FERRY_OK : ferry_fail_memory(err, "labels");
}

static ferry_status put_json(ferry_labels *l, size_t index, const json_t *value, ferry_error *err)
{
    if (json_is_array(value) && json_array_size(value) > 0) value = json_array_get(value, json_array_size(value) - 1);
    if (json_is_null(value)) return put(l, index, "", 0, err);
    const char *name = json_string_value(value);
    if (!name || !is_clean_utf8(name, json_string_length(value))) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "the name of class %zu is not a text of one line", index);
    }
    return put(l, index, name, json_string_length(value), err);
}

static ferry_status from_list(ferry_labels *l, const json_t *list, ferry_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) FERRY_TRY(put_json(l, i, json_array_get(list, i), err));
    return FERRY_OK;
}

static ferry_status from_object(ferry_labels *l, json_t *object, ferry_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        size_t index = 0, digits = 0;
        for (; key[digits] >= '0' && key[digits] <= '9' && digits < 7; digits++) {
            index = index * 10 + (size_t)(key[digits] - '0');
        }
        if (digits == 0 || key[digits] != 0) {
            return ferry_fail(err, FERRY_ERR_BAD_DATA,
                              "'%.60s' is not a class index: labels are {\"0\": \"name\", ...}", key);
        }
        FERRY_TRY(put_json(l, index, value, err));
    }
    return FERRY_OK;
}

static ferry_status from_lines(ferry_labels *l, const char *text, size_t bytes, ferry_error *err)
{
    size_t index = 0;
    for (size_t at = 0; at < bytes; index++) {
        const char *end = memchr(text + at, '\n', bytes - at);
        const size_t length = end ? (size_t)(end - (text + at)) : bytes - at;
        const char *line = text + at;
        size_t used = length;
        while (used > 0 && (line[used - 1] == '\r' || line[used - 1] == ' ' || line[used - 1] == '\t')) used--;
        if (!is_clean_utf8(line, used)) {
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "line %zu is not UTF-8 text", index + 1);
        }
        if (used > 0) FERRY_TRY(put(l, index, line, used, err)); // empty ones get a place when a later one has a name
        at += length + 1;
    }
    return FERRY_OK;
}

static ferry_status read_labels(ferry_labels *l, const char *text, size_t bytes, ferry_error *err)
{
    if (bytes > MAX_BYTES) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "labels of %zu bytes: at most %zu are read", bytes, MAX_BYTES);
    }
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        bytes -= 3;
    }
    size_t start = 0;
    while (start < bytes && memchr(" \t\r\n", text[start], 4)) start++;
    if (start < bytes && (text[start] == '[' || text[start] == '{')) {
        json_t *root = NULL;
        // A first class called "[unknown]" is no JSON; a JSON list that is broken would be a strange class.
        ferry_status status = ferry_json_parse(text, bytes, &root, err);
        if (status == FERRY_OK) {
            status = json_is_array(root) ? from_list(l, root, err) : from_object(l, root, err);
            json_decref(root);
            return status;
        }
        const char *line_end = memchr(text + start, '\n', bytes - start);
        const bool bracketed = line_end && memchr(text + start, ']', (size_t)(line_end - (text + start))) != NULL;
        if (!bracketed) return status;
    }
    return from_lines(l, text, bytes, err);
}

ferry_status ferry_labels_parse(const char *text, size_t bytes, const ferry_heap *heap, ferry_labels **out,
                                ferry_error *error)
{
    *out = NULL;
    heap = ferry_heap_or_default(heap);
    ferry_labels *l = ferry_new(heap, ferry_labels);
    if (!l) return ferry_fail_memory(error, "labels");
    l->heap = *heap;
    ferry_arena_init(&l->arena, &l->heap);
    ferry_status status = read_labels(l, text, bytes, error);
    if (status == FERRY_OK && l->count == 0) {
        status = ferry_fail(error, FERRY_ERR_BAD_DATA, "there are no names in it");
    }
    if (status == FERRY_OK) {
        *out = l;
        return FERRY_OK;
    }
    ferry_labels_destroy(l);
    return status;
}

ferry_status ferry_labels_read(const char *path, const ferry_heap *heap, ferry_labels **out, ferry_error *error)
{
    *out = NULL;
    heap = ferry_heap_or_default(heap);
    char *text = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_file_read(heap, path, MAX_BYTES, &text, &bytes, error));
    ferry_status status = ferry_labels_parse(text, bytes, heap, out, error);
    if (status != FERRY_OK) status = ferry_within(error, status, "%s", path);
    ferry_heap_free(heap, text, bytes + 1);
    return status;
}

void ferry_labels_destroy(ferry_labels *labels)
{
    if (!labels) return;
    const ferry_heap heap = labels->heap;
    ferry_heap_free(&heap, labels->names, labels->capacity * sizeof *labels->names);
    ferry_arena_deinit(&labels->arena);
    ferry_delete(&heap, labels);
}

size_t ferry_labels_count(const ferry_labels *labels)
{
    return labels ? labels->count : 0;
}

const char *ferry_labels_get(const ferry_labels *labels, int64_t class_index)
{
    if (!labels || class_index < 0 || (uint64_t)class_index >= labels->count) return NULL;
    return labels->names[class_index];
}

// Whether lines would be read back as something else: as JSON, without a mark at the start, without spaces at the end,
// or without a nameless class at the end.
static bool lines_would_mislead(const ferry_labels *l)
{
    bool first = true;
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->names[i];
        if (!name) continue;
        if (strchr(" \t", name[strlen(name) - 1])) return true;
        if (!first) continue;
        first = false;
        const char start = name[strspn(name, " \t")];
        if (start == '[' || start == '{' || strncmp(name, "\xef\xbb\xbf", 3) == 0) return true;
    }
    return !l->names[l->count - 1];
}

static ferry_status write_json(const ferry_labels *l, const ferry_heap *heap, char **out_text, ferry_error *err)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < l->count && ok; i++) {
        ok = json_array_append_new(list, l->names[i] ? json_string(l->names[i]) : json_null()) == 0;
    }
    const ferry_status status = ok ? ferry_json_write(list, heap, out_text, err) : ferry_fail_memory(err, "labels");
    json_decref(list);
    return status;
}

ferry_status ferry_labels_to_text(const ferry_labels *labels, const ferry_heap *heap, char **out_text,
                                  ferry_error *error)
{
    *out_text = NULL;
    heap = ferry_heap_or_default(heap);
    if (lines_would_mislead(labels)) return write_json(labels, heap, out_text, error);
    size_t bytes = 1;
    for (size_t i = 0; i < labels->count; i++) bytes += (labels->names[i] ? strlen(labels->names[i]) : 0) + 1;
    char *text = *out_text = ferry_heap_alloc(heap, bytes);
    if (!text) return ferry_fail_memory(error, "labels' text");
    for (size_t i = 0; i < labels->count; i++) {
        const size_t length = labels->names[i] ? strlen(labels->names[i]) : 0;
        if (length > 0) memcpy(text, labels->names[i], length);
        text[length] = '\n';
        text += length + 1;
    }
    return FERRY_OK;
}
