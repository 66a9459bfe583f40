// SPDX-License-Identifier: Apache-2.0
// Reading JSON that people write by hand: unknown keys, wrong types and values out of range are named with their place.
#ifndef FERRY_SRC_BASE_JSON_H_
#define FERRY_SRC_BASE_JSON_H_

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

/// Nesting that is deeper than this is refused: jansson recurses.
#define FERRY_JSON_MAX_DEPTH 64

/// Parses `length` bytes. Keys that occur twice are refused. *out is to be released with json_decref.
/// FERRY_ERR_BAD_DATA with line and column.
ferry_status ferry_json_parse(const char *text, size_t length, json_t **out, ferry_error *err);

/// Reads and parses a file of at most `max_bytes`. FERRY_ERR_IO or FERRY_ERR_BAD_DATA with the path.
ferry_status ferry_json_parse_file(const char *path, size_t max_bytes, json_t **out, ferry_error *err);

/// `value` is an object that has no keys but those of the NULL-terminated list. `where` names it in the error.
ferry_status ferry_json_expect_object(const json_t *value, const char *where, const char *const *keys,
                                      ferry_error *err);

// Each reads object[key]. A missing key leaves *out as it was (the default), and so does null.
// `where` names the object in the error text. All answer FERRY_ERR_BAD_DATA.

/// A finite number from min to max.
ferry_status ferry_json_get_number(const json_t *object, const char *key, const char *where, double min, double max,
                                   double *out, ferry_error *err);
ferry_status ferry_json_get_integer(const json_t *object, const char *key, const char *where, int64_t min, int64_t max,
                                    int64_t *out, ferry_error *err);
ferry_status ferry_json_get_bool(const json_t *object, const char *key, const char *where, bool *out, ferry_error *err);
/// *out is borrowed from the object.
ferry_status ferry_json_get_string(const json_t *object, const char *key, const char *where, const char **out,
                                   ferry_error *err);
/// One word of the NULL-terminated list; *out is its index. The error lists the words.
ferry_status ferry_json_get_word(const json_t *object, const char *key, const char *where, const char *const *words,
                                 int *out, ferry_error *err);

/// The value as compact JSON text in `heap` (to be freed with ferry_text_free); keys stay in the order of insertion.
ferry_status ferry_json_write(const json_t *value, const ferry_heap *heap, char **out, ferry_error *err);

/// Writes the value as an indented file, atomically; keys stay in the order of insertion. FERRY_ERR_IO with the path.
ferry_status ferry_json_save(const json_t *value, const char *path, ferry_error *err);

#endif // FERRY_SRC_BASE_JSON_H_
