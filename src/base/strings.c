// SPDX-License-Identifier: Apache-2.0
#include "base/strings.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ferry_text_equal(ferry_text text, const char *other)
{
    return strlen(other) == text.length && memcmp(text.data, other, text.length) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

ferry_text ferry_text_trim(ferry_text text)
{
    while (text.length && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    while (text.length && is_space(text.data[text.length - 1])) text.length--;
    return text;
}

bool ferry_text_next(ferry_text *rest, char separator, ferry_text *item)
{
    if (!rest->data) return false;
    const char *end = rest->length ? memchr(rest->data, separator, rest->length) : NULL;
    item->data = rest->data;
    item->length = end ? (size_t)(end - rest->data) : rest->length;
    if (end) {
        rest->length -= item->length + 1;
        rest->data = end + 1;
    } else {
        rest->data = NULL;
        rest->length = 0;
    }
    return true;
}

bool ferry_text_next_line(ferry_text *rest, ferry_text *line)
{
    if (rest->length == 0) return false;
    const char *end = memchr(rest->data, '\n', rest->length);
    line->data = rest->data;
    line->length = end ? (size_t)(end - rest->data) : rest->length;
    const size_t used = line->length + (end != NULL);
    rest->data += used;
    rest->length -= used;
    if (line->length && line->data[line->length - 1] == '\r') line->length--;
    return true;
}

bool ferry_glob_match(const char *pattern, const char *text)
{
    // Only the last star ever needs to take more, so there is one place to go back to.
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

bool ferry_parse_u64(ferry_text text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.length == 0) return false;
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.data[i];
        if (c < '0' || c > '9') return false;
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(c - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// strtod() also takes hex, "inf" and leading spaces, so the form is checked first.
static bool is_decimal(ferry_text text)
{
    size_t i = 0, digits = 0;
    const char *t = text.data;
    if (i < text.length && (t[i] == '-' || t[i] == '+')) i++;
    for (; i < text.length && is_digit(t[i]); i++) digits++;
    if (i < text.length && t[i] == '.')
        for (i++; i < text.length && is_digit(t[i]); i++) digits++;
    if (digits == 0) return false;
    if (i < text.length && (t[i] == 'e' || t[i] == 'E')) {
        i++;
        if (i < text.length && (t[i] == '-' || t[i] == '+')) i++;
        if (i == text.length) return false;
        while (i < text.length && is_digit(t[i])) i++;
    }
    return i == text.length;
}

bool ferry_parse_double(ferry_text text, double *out)
{
    char copy[64];
    if (text.length >= sizeof copy || !is_decimal(text)) return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = 0;
    // The program may have set a locale whose decimal point is a comma.
    const locale_t c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c_locale) return false;
    const double value = strtod_l(copy, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(value)) return false;
    *out = value;
    return true;
}

void ferry_point_decimal(char *number)
{
    char *to = number;
    bool written = false; // a separator may be of several bytes
    for (const char *c = number; *c; c++) {
        if (strchr("0123456789+-e", *c)) {
            *to++ = *c;
        } else if (!written) {
            *to++ = '.';
            written = true;
        }
    }
    *to = 0;
}

// The power of two that a size's suffix stands for; -1 when it is none.
static int suffix_shift(ferry_text suffix)
{
    if (suffix.length == 0 || (suffix.length == 1 && (suffix.data[0] | 32) == 'b')) return 0;
    int shift = -1;
    switch (suffix.data[0] | 32) {
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    case 't':
        shift = 40;
        break;
    default:
        return -1;
    }
    const bool plain = suffix.length == 1;
    const bool with_b = suffix.length == 2 && (suffix.data[1] | 32) == 'b';
    const bool with_ib = suffix.length == 3 && (suffix.data[1] | 32) == 'i' && (suffix.data[2] | 32) == 'b';
    return plain || with_b || with_ib ? shift : -1;
}

// value * 2^shift plus the fraction .ddd of 2^shift, rounded down; exact as long as 2^shift has few digits.
static bool scale_size(uint64_t whole, ferry_text fraction, int shift, uint64_t *out)
{
    uint64_t digits = 0, unit = 1;
    for (size_t i = 0; i < fraction.length; i++) {
        if (!is_digit(fraction.data[i])) return false;
        if (i >= 6) continue; // finer than a byte of a mebibyte
        digits = digits * 10 + (uint64_t)(fraction.data[i] - '0');
        unit *= 10;
    }
    uint64_t bytes;
    if (__builtin_mul_overflow(whole, UINT64_C(1) << shift, &bytes)) return false;
    return !__builtin_add_overflow(bytes, (digits << shift) / unit, out);
}

ferry_status ferry_parse_size(const char *text, uint64_t *out_bytes, ferry_error *err)
{
    const ferry_text all = ferry_text_trim(ferry_text_of(text));
    size_t length = 0;
    while (length < all.length && (is_digit(all.data[length]) || all.data[length] == '.')) length++;
    ferry_text rest = {all.data, length}, whole = {0}, fraction = {0};
    const int shift = suffix_shift(ferry_text_trim((ferry_text){all.data + length, all.length - length}));
    uint64_t value = 0;
    bool ok = shift >= 0 && length > 0 && ferry_text_next(&rest, '.', &whole) && ferry_parse_u64(whole, &value);
    if (ok && ferry_text_next(&rest, '.', &fraction))
        ok = fraction.length > 0 && !ferry_text_next(&rest, '.', &whole) && (shift > 0 || fraction.length == 0);
    if (!ok || !scale_size(value, fraction, shift, out_bytes))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "'%s' is not a size: write bytes, or a number with K, M, G or T (powers of 1024), e.g. 512M",
                          text);
    return FERRY_OK;
}

ferry_status ferry_parse_u64_list(ferry_text text, char separator, uint64_t *out, size_t most, size_t *out_count,
                                  ferry_error *err)
{
    ferry_text rest = text, item;
    size_t count = 0;
    while (ferry_text_next(&rest, separator, &item)) {
        if (count == most)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "'%.*s' has more than %zu values", (int)text.length,
                              text.data, most);
        if (!ferry_parse_u64(ferry_text_trim(item), &out[count]))
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "'%.*s' in '%.*s' is not a whole number",
                              (int)item.length, item.data, (int)text.length, text.data);
        count++;
    }
    *out_count = count;
    return FERRY_OK;
}

ferry_status ferry_parse_double_list(ferry_text text, char separator, double *out, size_t most, size_t *out_count,
                                     ferry_error *err)
{
    ferry_text rest = text, item;
    size_t count = 0;
    while (ferry_text_next(&rest, separator, &item)) {
        if (count == most)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "'%.*s' has more than %zu values", (int)text.length,
                              text.data, most);
        if (!ferry_parse_double(ferry_text_trim(item), &out[count]))
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "'%.*s' in '%.*s' is not a number", (int)item.length,
                              item.data, (int)text.length, text.data);
        count++;
    }
    *out_count = count;
    return FERRY_OK;
}
