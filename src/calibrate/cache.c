// SPDX-License-Identifier: Apache-2.0
#include "calibrate/cache.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/f16.h"
#include "base/file_map.h"
#include "base/strings.h"

// A hundred thousand tensors with names of 600 bytes.
#define MOST_BYTES ((size_t)64 << 20)
enum { MOST_NAME_BYTES = 4096 };

const char *ferry_cache_algorithm_name(ferry_calibration_algorithm algorithm)
{
    switch (algorithm) {
    case FERRY_CALIBRATION_ENTROPY:
        return "EntropyCalibration";
    case FERRY_CALIBRATION_MINMAX:
        return "MinMaxCalibration";
    default:
        return "EntropyCalibration2";
    }
}

ferry_status ferry_cache_header_init(ferry_cache_header *header, const char *version,
                                     ferry_calibration_algorithm algorithm, ferry_error *err)
{
    if (!version) version = FERRY_CACHE_DEFAULT_VERSION;
    const size_t length = strlen(version);
    if (length < 1 || length > 9 || strspn(version, "0123456789") != length)
        return ferry_fail(
            err, FERRY_ERR_INVALID_ARGUMENT,
            "cache version '%.40s' should be TensorRT's version number: 8501 for 8.5.1, 100300 for 10.3.0", version);
    memset(header, 0, sizeof *header);
    memcpy(header->version, version, length);
    strcpy(header->algorithm, ferry_cache_algorithm_name(algorithm));
    return FERRY_OK;
}

static bool is_printable(ferry_text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~') return false;
    return text.length > 0;
}

// "TRT-<version>-<algorithm>". The version may be of any printable form: people edit this line.
static ferry_status parse_header(ferry_text line, const char *origin, ferry_cache_header *out, ferry_error *err)
{
    ferry_text rest = line, version = {0};
    memset(out, 0, sizeof *out);
    if (line.length > 4 && memcmp(line.data, "TRT-", 4) == 0) {
        rest.data += 4;
        rest.length -= 4;
        const bool two = ferry_text_next(&rest, '-', &version) && rest.data;
        if (two && is_printable(version) && is_printable(rest) && version.length < sizeof out->version &&
            rest.length < sizeof out->algorithm) {
            memcpy(out->version, version.data, version.length);
            memcpy(out->algorithm, rest.data, rest.length);
            return FERRY_OK;
        }
    }
    return ferry_fail(err, FERRY_ERR_BAD_DATA,
                      "%s:1: not a TensorRT calibration cache: the first line should be like "
                      "'TRT-8600-EntropyCalibration2'",
                      origin);
}

static bool parse_hex(ferry_text text, uint32_t *out)
{
    uint32_t bits = 0;
    if (text.length < 1 || text.length > 8) return false;
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.data[i], lower = (char)(c | 32);
        if (c >= '0' && c <= '9')
            bits = bits << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            bits = bits << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    *out = bits;
    return true;
}

// The last ": " separates: names contain colons, spaces and brackets.
static bool split_entry(ferry_text line, ferry_text *name, ferry_text *value)
{
    for (size_t i = line.length; i-- > 1;) {
        if (line.data[i] != ' ' || line.data[i - 1] != ':') continue;
        *name = (ferry_text){line.data, i - 1};
        *value = (ferry_text){line.data + i + 1, line.length - i - 1};
        return true;
    }
    return false;
}

typedef struct place {
    const char *origin;
    size_t line;
} place;

static ferry_status parse_value(ferry_text value, place at, float *out, ferry_error *err)
{
    uint32_t bits = 0;
    double decimal = 0;
    const int shown = value.length > 40 ? 40 : (int)value.length;
    if (!parse_hex(value, &bits)) {
        if (ferry_parse_double(value, &decimal))
            return ferry_fail(
                err, FERRY_ERR_BAD_DATA,
                "%s:%zu: '%.*s' is a decimal number: TensorRT's caches hold the bits of a float as 1 to 8 "
                "hex digits, e.g. 3c010a14",
                at.origin, at.line, shown, value.data);
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s:%zu: '%.*s' should be the 1 to 8 hex digits of a scale",
                          at.origin, at.line, shown, value.data);
    }
    *out = ferry_f32_from_bits(bits);
    if (!isfinite(*out) || *out < 0)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s:%zu: the scale %.*s (%g) should be finite and not negative",
                          at.origin, at.line, shown, value.data, (double)*out);
    *out += 0.0f; // -0
    return FERRY_OK;
}

static ferry_status parse_entry(ferry_text line, place at, ferry_scale_table *table, ferry_report *report,
                                ferry_error *err)
{
    ferry_text name, value;
    float scale = 0;
    bool known = false;
    if (!split_entry(line, &name, &value))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s:%zu: should be 'tensor name: hex digits'", at.origin, at.line);
    if (name.length == 0 || name.length > MOST_NAME_BYTES || memchr(name.data, 0, name.length))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s:%zu: the tensor name has %zu bytes%s", at.origin, at.line,
                          name.length, name.length && name.length <= MOST_NAME_BYTES ? " and a zero among them" : "");
    FERRY_TRY(parse_value(value, at, &scale, err));
    FERRY_TRY(ferry_scale_table_set(table, name.data, name.length, scale, &known, err));
    if (known)
        ferry_report_add(report, FERRY_SEVERITY_WARNING, at.origin,
                         "line %zu names '%.*s' again; the last scale counts", at.line,
                         name.length > 200 ? 200 : (int)name.length, name.data);
    return FERRY_OK;
}

ferry_status ferry_cache_parse(const char *text, size_t bytes, const char *origin, ferry_scale_table *table,
                               ferry_cache_header *out_header, ferry_report *report, ferry_error *err)
{
    ferry_text rest = {text, bytes}, line = {text, 0};
    place at = {origin, 1};
    ferry_text_next_line(&rest, &line);
    FERRY_TRY(parse_header(line, origin, out_header, err));
    while (ferry_text_next_line(&rest, &line)) {
        at.line++;
        // A blank line is an editor's.
        if (ferry_text_trim(line).length > 0) FERRY_TRY(parse_entry(line, at, table, report, err));
    }
    if (table->count == 0) return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: the cache holds no scale at all", origin);
    return FERRY_OK;
}

ferry_status ferry_cache_load(const char *path, ferry_scale_table *table, ferry_cache_header *out_header,
                              ferry_report *report, ferry_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_file_read(table->heap, path, MOST_BYTES, &text, &bytes, err));
    const ferry_status s = ferry_cache_parse(text, bytes, path, table, out_header, report, err);
    ferry_heap_free(table->heap, text, bytes + 1);
    return s;
}

// Bytes of the text, or an error for what the format cannot hold.
static ferry_status measure(const ferry_scale_table *table, const ferry_cache_header *header, size_t *out_bytes,
                            ferry_error *err)
{
    if (!is_printable(ferry_text_of(header->version)) || strchr(header->version, '-') ||
        !is_printable(ferry_text_of(header->algorithm)))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the cache's first line cannot say 'TRT-%s-%s'",
                          header->version, header->algorithm);
    size_t bytes = strlen(header->version) + strlen(header->algorithm) + 6;
    for (size_t i = 0; i < table->count; i++) {
        const ferry_named_scale *e = &table->entries[i];
        const size_t length = strlen(e->name);
        if (length == 0 || length > MOST_NAME_BYTES || strpbrk(e->name, "\r\n"))
            return ferry_fail(
                err, FERRY_ERR_INVALID_ARGUMENT,
                "tensor %zu has a name that a calibration cache cannot hold (empty, over %d bytes, or with a "
                "line end)",
                i, MOST_NAME_BYTES);
        if (!isfinite(e->scale) || e->scale < 0)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "tensor '%s' has the scale %g", e->name,
                              (double)e->scale);
        if (!ferry_add_size(bytes, length + 11, &bytes)) return ferry_fail_memory(err, "the cache's text");
    }
    *out_bytes = bytes + 1;
    return FERRY_OK;
}

ferry_status ferry_cache_text(const ferry_scale_table *table, const ferry_cache_header *header, const ferry_heap *heap,
                              char **out_text, ferry_error *err)
{
    size_t most = 0;
    *out_text = NULL;
    heap = ferry_heap_or_default(heap);
    FERRY_TRY(measure(table, header, &most, err));
    char *text = ferry_heap_alloc_uninit(heap, most);
    if (!text) return ferry_fail_memory(err, "the cache's text");
    size_t used = (size_t)snprintf(text, most, "TRT-%s-%s\n", header->version, header->algorithm);
    for (size_t i = 0; i < table->count; i++)
        used += (size_t)snprintf(text + used, most - used, "%s: %" PRIx32 "\n", table->entries[i].name,
                                 ferry_f32_bits(table->entries[i].scale + 0.0f));
    // Freed by its length, so an exact copy is handed out: scales may have had fewer than eight digits.
    *out_text = ferry_heap_strdup(heap, text);
    ferry_heap_free(heap, text, most);
    return *out_text ? FERRY_OK : ferry_fail_memory(err, "the cache's text");
}

ferry_status ferry_cache_save(const ferry_scale_table *table, const ferry_cache_header *header, const char *path,
                              ferry_error *err)
{
    char *text = NULL;
    FERRY_TRY(ferry_cache_text(table, header, table->heap, &text, err));
    const ferry_status s = ferry_atomic_file_write(table->heap, path, text, strlen(text), err);
    ferry_text_free(table->heap, text);
    return s;
}
