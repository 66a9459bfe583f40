// SPDX-License-Identifier: Apache-2.0
// Small texts from options and files: patterns, sizes, numbers and lists. Nothing here depends on the locale.
#ifndef FERRY_SRC_BASE_STRINGS_H_
#define FERRY_SRC_BASE_STRINGS_H_

#include "base/size.h"
#include "base/status.h"

/// A piece of a text that lies elsewhere; not zero-terminated.
typedef struct ferry_text {
    const char *data;
    size_t length;
} ferry_text;

static inline ferry_text ferry_text_of(const char *text)
{
    return (ferry_text){text, __builtin_strlen(text)};
}

bool ferry_text_equal(ferry_text text, const char *other);
/// Without spaces, tabs, CR and LF at both ends.
ferry_text ferry_text_trim(ferry_text text);

/// Cuts the next item off `*rest` at `separator`; false when nothing is left (rest->data is then NULL). "a,,b" has
/// three items, "" has one, which is empty.
bool ferry_text_next(ferry_text *rest, char separator, ferry_text *item);

/// The next line of `*rest`, without its LF or CR LF; false at the end. A last line without a line end counts.
bool ferry_text_next_line(ferry_text *rest, ferry_text *line);

/// '*' stands for any run of bytes, '?' for any one byte; all else for itself, bytewise. Takes at most
/// strlen(pattern) * strlen(text) steps.
bool ferry_glob_match(const char *pattern, const char *text);

/// Decimal digits only; false on anything else and on overflow. `*out` is untouched on false.
bool ferry_parse_u64(ferry_text text, uint64_t *out);
/// A decimal number in C's notation ("-1.5e-3"); false on anything else, and on what is not finite.
bool ferry_parse_double(ferry_text text, double *out);
/// Makes what printf wrote for a finite number the same in every locale: its decimal separator becomes a point.
void ferry_point_decimal(char *number);

/// "4096", "512M", "1GiB", "1.5G": K, M, G, T with or without B or iB, any case, all powers of 1024, as trtexec counts.
/// FERRY_ERR_INVALID_ARGUMENT names the text and says what would be understood.
ferry_status ferry_parse_size(const char *text, uint64_t *out_bytes, ferry_error *err);

/// "1x3x224x224" and the like: whole numbers between separators. At most `most` of them.
ferry_status ferry_parse_u64_list(ferry_text text, char separator, uint64_t *out, size_t most, size_t *out_count,
                                  ferry_error *err);
/// "0.485,0.456,0.406".
ferry_status ferry_parse_double_list(ferry_text text, char separator, double *out, size_t most, size_t *out_count,
                                     ferry_error *err);

#endif // FERRY_SRC_BASE_STRINGS_H_
