// SPDX-License-Identifier: Apache-2.0
#include "base/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/strings.h"

static const struct {
    const char *code; // without the byte order
    ferry_dtype dtype;
} codes[] = {
    {"f4", FERRY_F32}, {"f2", FERRY_F16}, {"V2", FERRY_BF16}, {"f8", FERRY_F64}, {"i1", FERRY_S8},
    {"u1", FERRY_U8},  {"i2", FERRY_S16}, {"u2", FERRY_U16},  {"i4", FERRY_S32}, {"u4", FERRY_U32},
    {"i8", FERRY_S64}, {"u8", FERRY_U64}, {"b1", FERRY_BOOL},
};

static uint32_t read_le(const uint8_t *bytes, size_t count)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) value |= (uint32_t)bytes[i] << (8 * i);
    return value;
}

// The header is one Python dict of three known keys. A cursor over it; `at` never passes `end`.
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
}

static bool take(cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool take_quoted(cursor *c, ferry_text *out)
{
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    const char quote = *c->at++;
    const char *close = memchr(c->at, quote, (size_t)(c->end - c->at));
    if (!close) return false;
    *out = (ferry_text){c->at, (size_t)(close - c->at)};
    c->at = close + 1;
    return true;
}

static bool take_word(cursor *c, ferry_text *out)
{
    skip_space(c);
    out->data = c->at;
    while (c->at < c->end && ((*c->at >= '0' && *c->at <= '9') || ((*c->at | 32) >= 'a' && (*c->at | 32) <= 'z')))
        c->at++;
    out->length = (size_t)(c->at - out->data);
    return out->length > 0;
}

static ferry_status damaged(ferry_error *err, const char *what)
{
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "damaged .npy header: %s", what);
}

static ferry_status parse_descr(cursor *c, ferry_npy *out, ferry_error *err)
{
    ferry_text descr;
    skip_space(c);
    if (c->at < c->end && *c->at == '[')
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "structured arrays are not read: save one field as a plain array");
    if (!take_quoted(c, &descr)) return damaged(err, "'descr' is not a text");
    char order = '|';
    if (descr.length && strchr("<>|=", descr.data[0])) {
        order = descr.data[0];
        descr.data++;
        descr.length--;
    }
    for (size_t i = 0; i < FERRY_COUNT_OF(codes); i++)
        if (ferry_text_equal(descr, codes[i].code)) out->dtype = codes[i].dtype;
    if (out->dtype == FERRY_DTYPE_NONE)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "element type '%.*s' is not read: convert it, e.g. with array.astype(numpy.float32)",
                          descr.length > 20 ? 20 : (int)descr.length, descr.data);
    if (order == '>' && ferry_dtype_bytes(out->dtype) > 1)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "big-endian data is not read: save array.astype(array.dtype.newbyteorder('<'))");
    return FERRY_OK;
}

static ferry_status parse_shape(cursor *c, ferry_npy *out, ferry_error *err)
{
    if (!take(c, '(')) return damaged(err, "'shape' is not a tuple");
    out->rank = 0;
    while (!take(c, ')')) {
        ferry_text word;
        uint64_t dim = 0;
        if (!take_word(c, &word)) return damaged(err, "'shape' is not a tuple of whole numbers");
        if (word.data[word.length - 1] == 'L') word.length--; // Python 2's long integers
        if (!ferry_parse_u64(word, &dim)) return damaged(err, "a dimension is not a number of 64 bits");
        if (out->rank == FERRY_MAX_RANK)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "more than %d dimensions are not read", FERRY_MAX_RANK);
        out->shape[out->rank++] = dim;
        if (!take(c, ',')) {
            if (!take(c, ')')) return damaged(err, "'shape' is not closed");
            break;
        }
    }
    return FERRY_OK;
}

static ferry_status parse_fortran(cursor *c, bool *fortran, ferry_error *err)
{
    ferry_text word = {0};
    take_word(c, &word);
    *fortran = ferry_text_equal(word, "True");
    if (!*fortran && !ferry_text_equal(word, "False")) return damaged(err, "'fortran_order' is neither True nor False");
    return FERRY_OK;
}

static ferry_status parse_dict(ferry_text header, ferry_npy *out, bool *fortran, ferry_error *err)
{
    enum { DESCR = 1, FORTRAN = 2, SHAPE = 4 };
    cursor c = {header.data, header.data + header.length};
    unsigned seen = 0;
    if (!take(&c, '{')) return damaged(err, "it is not a dict");
    while (!take(&c, '}')) {
        ferry_text key;
        if (!take_quoted(&c, &key) || !take(&c, ':')) return damaged(err, "a key is expected");
        const unsigned bit = ferry_text_equal(key, "descr")           ? DESCR
                             : ferry_text_equal(key, "fortran_order") ? FORTRAN
                             : ferry_text_equal(key, "shape")         ? SHAPE
                                                                      : 0;
        if (bit == 0 || (seen & bit)) return damaged(err, "a key is unknown or given twice");
        seen |= bit;
        if (bit == DESCR) FERRY_TRY(parse_descr(&c, out, err));
        if (bit == FORTRAN) FERRY_TRY(parse_fortran(&c, fortran, err));
        if (bit == SHAPE) FERRY_TRY(parse_shape(&c, out, err));
        if (!take(&c, ',')) {
            if (!take(&c, '}')) return damaged(err, "the dict is not closed");
            break;
        }
    }
    skip_space(&c);
    if (c.at != c.end) return damaged(err, "bytes after the dict");
    return seen == (DESCR | FORTRAN | SHAPE) ? FERRY_OK
                                             : damaged(err, "'descr', 'fortran_order' or 'shape' is missing");
}

// elem_count and bytes of dtype and shape; false on overflow.
static bool count_bytes(const ferry_npy *npy, uint64_t *elem_count, size_t *bytes)
{
    uint64_t product = 1;
    bool empty = false;
    for (uint32_t i = 0; i < npy->rank; i++) empty |= npy->shape[i] == 0;
    for (uint32_t i = 0; i < npy->rank && !empty; i++)
        if (__builtin_mul_overflow(product, npy->shape[i], &product)) return false;
    *elem_count = empty ? 0 : product;
    return !__builtin_mul_overflow(*elem_count, ferry_dtype_bytes(npy->dtype), bytes);
}

static bool more_than_one_column_major_dim(const ferry_npy *npy)
{
    unsigned wide = 0;
    for (uint32_t i = 0; i < npy->rank; i++) wide += npy->shape[i] > 1;
    return wide > 1;
}

ferry_status ferry_npy_parse(const void *file, size_t file_bytes, ferry_npy *out, ferry_error *err)
{
    memset(out, 0, sizeof *out);
    const uint8_t *bytes = file;
    if (file_bytes < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "not a .npy file (it does not begin with \\x93NUMPY)");
    const unsigned major = bytes[6], minor = bytes[7];
    if (major < 1 || major > 3 || minor != 0)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, ".npy format %u.%u is not read: 1.0, 2.0 and 3.0 are", major,
                          minor);
    const size_t start = major == 1 ? 10 : 12;
    if (file_bytes < start) return damaged(err, "the file ends in it");
    const size_t header_bytes = read_le(bytes + 8, start - 8);
    if (header_bytes > file_bytes - start)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "truncated .npy file: the header has %zu bytes, %zu are there",
                          header_bytes, file_bytes - start);
    bool fortran = false;
    ferry_npy npy = {0};
    FERRY_TRY(parse_dict((ferry_text){(const char *)bytes + start, header_bytes}, &npy, &fortran, err));
    if (!count_bytes(&npy, &npy.elem_count, &npy.bytes)) return damaged(err, "the shape overflows 64 bits");
    if (fortran && more_than_one_column_major_dim(&npy))
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "Fortran (column-major) order is not read: save numpy.ascontiguousarray(array)");
    const size_t there = file_bytes - start - header_bytes;
    if (there != npy.bytes)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s .npy file: the shape needs %zu bytes of data, %zu are there",
                          there < npy.bytes ? "truncated" : "overlong", npy.bytes, there);
    npy.data = bytes + start + header_bytes;
    if (npy.dtype == FERRY_BOOL)
        for (size_t i = 0; i < npy.bytes; i++)
            if (((const uint8_t *)npy.data)[i] > 1)
                return ferry_fail(err, FERRY_ERR_BAD_DATA, "damaged .npy file: bool %zu is neither 0 nor 1", i);
    *out = npy;
    return FERRY_OK;
}

size_t ferry_npy_header(const ferry_npy *npy, uint8_t out[FERRY_NPY_MAX_HEADER])
{
    const char *code = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(codes); i++)
        if (codes[i].dtype == npy->dtype) code = codes[i].code;
    if (!code || npy->rank > FERRY_MAX_RANK) return 0;
    char dict[FERRY_NPY_MAX_HEADER]; // at most 8 dims of 20 digits: about 240 bytes
    int n = snprintf(dict, sizeof dict, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     ferry_dtype_bytes(npy->dtype) == 1 ? '|' : '<', code);
    for (uint32_t i = 0; i < npy->rank; i++)
        n += snprintf(dict + n, sizeof dict - (size_t)n, "%s%" PRIu64 "%s", i ? " " : "", npy->shape[i],
                      npy->rank == 1 || i + 1 < npy->rank ? "," : "");
    n += snprintf(dict + n, sizeof dict - (size_t)n, "), }");
    const size_t total = ferry_align_size(10 + (size_t)n + 1, 64);
    memset(out, ' ', total);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (uint8_t)((total - 10) & 255);
    out[9] = (uint8_t)((total - 10) >> 8);
    memcpy(out + 10, dict, (size_t)n);
    out[total - 1] = '\n';
    return total;
}

ferry_status ferry_npy_write(const ferry_heap *heap, const char *path, const ferry_npy *npy, ferry_error *err)
{
    uint8_t header[FERRY_NPY_MAX_HEADER];
    uint64_t elem_count = 0;
    size_t bytes = 0;
    const size_t header_bytes = ferry_npy_header(npy, header);
    if (header_bytes == 0 || !count_bytes(npy, &elem_count, &bytes) || bytes != npy->bytes ||
        elem_count != npy->elem_count)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "%s: type, shape and %zu bytes of the tensor do not agree",
                          path, npy->bytes);
    ferry_atomic_file file;
    FERRY_TRY(ferry_atomic_file_open(&file, heap, path, err));
    ferry_status s = ferry_atomic_file_append(&file, header, header_bytes, err);
    if (s == FERRY_OK) s = ferry_atomic_file_append(&file, npy->data, npy->bytes, err);
    if (s == FERRY_OK) return ferry_atomic_file_commit(&file, false, err);
    ferry_atomic_file_abandon(&file);
    return s;
}
