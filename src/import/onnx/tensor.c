// SPDX-License-Identifier: Apache-2.0
#include "import/onnx/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "import/onnx/wire.h"
#include "ops/element.h"
#include "ops/known.h"

ferry_status ferry_onnx_dtype(int32_t data_type, ferry_dtype *out, ferry_error *err)
{
    static const ferry_dtype table[] = {
        [1] = FERRY_F32,  [2] = FERRY_U8,   [3] = FERRY_S8,   [4] = FERRY_U16,  [5] = FERRY_S16,
        [6] = FERRY_S32,  [7] = FERRY_S64,  [9] = FERRY_BOOL, [10] = FERRY_F16, [11] = FERRY_F64,
        [12] = FERRY_U32, [13] = FERRY_U64, [16] = FERRY_BF16};
    static const char *const refused[] = {[8] = "strings",
                                          [14] = "complex64",
                                          [15] = "complex128",
                                          [17] = "float8e4m3fn",
                                          [18] = "float8e4m3fnuz",
                                          [19] = "float8e5m2",
                                          [20] = "float8e5m2fnuz",
                                          [21] = "uint4",
                                          [22] = "int4",
                                          [23] = "float4e2m1",
                                          [24] = "float8e8m0",
                                          [25] = "uint2",
                                          [26] = "int2"};
    *out = FERRY_DTYPE_NONE;
    const size_t i = data_type < 0 ? SIZE_MAX : (size_t)data_type;
    if (i < FERRY_COUNT_OF(table) && table[i] != FERRY_DTYPE_NONE) {
        *out = table[i];
        return FERRY_OK;
    }
    if (i < FERRY_COUNT_OF(refused) && refused[i])
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "its elements are of type %s, which ferry does not take: export with float32, float16, bfloat16 "
            "or 8- to 64-bit integers",
            refused[i]);
    if (data_type == 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "it has no element type");
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "its element type has the unknown number %" PRId32, data_type);
}

ferry_status ferry_onnx_tensor_header(const Ferry__Onnx__Tensor *t, ferry_dtype *dtype, ferry_shape *shape,
                                      size_t *data_bytes, ferry_error *err)
{
    FERRY_TRY(ferry_onnx_dtype(t->data_type, dtype, err));
    if (t->n_dims > FERRY_MAX_RANK)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "it has %zu dimensions, at most %d can be handled", t->n_dims,
                          FERRY_MAX_RANK);
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %zu is %" PRId64, i, t->dims[i]);
    *shape = ferry_shape_of((int32_t)t->n_dims, t->dims);
    if (!ferry_shape_bytes(shape, *dtype, data_bytes)) {
        char text[200];
        ferry_shape_text(NULL, shape, text, sizeof text);
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "its shape %s is larger than 2^47 bytes", text);
    }
    return FERRY_OK;
}

// --- The field that holds the elements -----------------------------------------------------------------------------

typedef enum encoding { RAW, FIXED, VARINTS } encoding;

typedef struct storage {
    const ProtobufCBinaryData *refs;
    size_t n_refs;
    encoding encoding;
    size_t wire_bytes; // of one FIXED element
    const char *name;
} storage;

static storage find_storage(const Ferry__Onnx__Tensor *t, ferry_dtype dtype)
{
    if (t->n_raw_data) {
        // As protobuf has it, the last of repeated fields counts.
        const storage raw = {&t->raw_data[t->n_raw_data - 1], 1, RAW, 1, "raw_data"};
        ferry_onnx_ref ref;
        // Some writers put an empty raw_data beside typed elements.
        if (ferry_onnx_ref_read(raw.refs->data, raw.refs->len, &ref) && ref.bytes) return raw;
    }
    switch (dtype) {
    case FERRY_F32:
        return (storage){t->float_data, t->n_float_data, FIXED, 4, "float_data"};
    case FERRY_F64:
        return (storage){t->double_data, t->n_double_data, FIXED, 8, "double_data"};
    case FERRY_S64:
        return (storage){t->int64_data, t->n_int64_data, VARINTS, 0, "int64_data"};
    case FERRY_U32:
    case FERRY_U64:
        return (storage){t->uint64_data, t->n_uint64_data, VARINTS, 0, "uint64_data"};
    default:
        return (storage){t->int32_data, t->n_int32_data, VARINTS, 0, "int32_data"};
    }
}

// The reference, bounds checked again: nothing below may trust a number more than once.
static bool read_ref(ferry_onnx_file file, const ProtobufCBinaryData *data, ferry_onnx_ref *out)
{
    return ferry_onnx_ref_read(data->data, data->len, out) && out->offset <= file.bytes &&
           out->bytes <= file.bytes - out->offset;
}

// Elements behind one reference; false when a packed run does not end with an element.
static bool count_ref(ferry_onnx_file file, const storage *s, ferry_onnx_ref ref, size_t *count)
{
    size_t at = ref.offset;
    const size_t end = ref.offset + ref.bytes;
    if (s->encoding == RAW || (s->encoding == FIXED && ref.packed)) {
        *count += ref.bytes / s->wire_bytes;
        return ref.bytes % s->wire_bytes == 0;
    }
    while (at < end) {
        uint64_t ignored = 0;
        if (!ref.packed && !ferry_onnx_varint(file.data, &at, end, &ignored)) return false; // the tag
        if (s->encoding == FIXED) {
            if (end - at < s->wire_bytes) return false;
            at += s->wire_bytes;
        } else if (!ferry_onnx_varint(file.data, &at, end, &ignored)) {
            return false;
        }
        ++*count;
    }
    return true;
}

ferry_status ferry_onnx_tensor_locate(ferry_onnx_file file, const Ferry__Onnx__Tensor *t, ferry_dtype dtype,
                                      size_t data_bytes, const void **out_place, ferry_error *err)
{
    *out_place = NULL;
    const storage s = find_storage(t, dtype);
    const size_t need = s.encoding == RAW ? data_bytes : data_bytes / ferry_dtype_bytes(dtype);
    size_t count = 0;
    ferry_onnx_ref ref = {0};
    for (size_t i = 0; i < s.n_refs; i++)
        if (!read_ref(file, &s.refs[i], &ref) || !count_ref(file, &s, ref, &count))
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "its %s ends in the middle of an element", s.name);
    if (count != need)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "its %s holds %zu %s, its shape and type need %zu", s.name, count,
                          s.encoding == RAW ? "bytes" : "elements", need);
    if (s.n_refs == 1 && ref.packed && s.encoding != VARINTS) *out_place = file.data + ref.offset;
    return FERRY_OK;
}

// --- Decoding ------------------------------------------------------------------------------------------------------

// Narrow integers travel as 32-bit ones, negative numbers as 64-bit ones or cut to 32 bits.
static ferry_status store_s32(uint64_t wire, ferry_dtype dtype, void *out, size_t i, ferry_error *err)
{
    int64_t v = (int64_t)wire;
    if (v > INT32_MAX && v <= UINT32_MAX) v = (int32_t)(uint32_t)wire;
    int64_t least = INT32_MIN, most = INT32_MAX;
    switch (dtype) {
    case FERRY_S8:
        least = INT8_MIN, most = INT8_MAX;
        break;
    case FERRY_U8:
        least = 0, most = UINT8_MAX;
        break;
    case FERRY_S16:
        least = INT16_MIN, most = INT16_MAX;
        break;
    case FERRY_U16:
        least = 0, most = UINT16_MAX;
        break;
    case FERRY_F16:
    case FERRY_BF16:
        least = INT16_MIN, most = UINT16_MAX;
        break; // bit patterns
    default:
        break;
    }
    if (v < least || v > most)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "element %zu is %" PRId64 ", which does not fit the type %s", i, v,
                          ferry_dtype_name(dtype));
    switch (ferry_dtype_bytes(dtype)) {
    case 1:
        ((uint8_t *)out)[i] = dtype == FERRY_BOOL ? v != 0 : (uint8_t)v;
        break;
    case 2:
        ((uint16_t *)out)[i] = (uint16_t)v;
        break;
    default:
        ((int32_t *)out)[i] = (int32_t)v;
        break;
    }
    return FERRY_OK;
}

static ferry_status store_varint(uint64_t wire, ferry_dtype dtype, void *out, size_t i, ferry_error *err)
{
    if (dtype == FERRY_S64 || dtype == FERRY_U64) {
        ((uint64_t *)out)[i] = wire;
        return FERRY_OK;
    }
    if (dtype == FERRY_U32) {
        if (wire > UINT32_MAX)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "element %zu is %" PRIu64 ", which does not fit the type uint32", i, wire);
        ((uint32_t *)out)[i] = (uint32_t)wire;
        return FERRY_OK;
    }
    return store_s32(wire, dtype, out, i, err);
}

ferry_status ferry_onnx_tensor_decode(ferry_onnx_file file, const Ferry__Onnx__Tensor *t, ferry_dtype dtype, void *out,
                                      ferry_error *err)
{
    const storage s = find_storage(t, dtype);
    size_t i = 0; // in elements; in bytes for RAW
    for (size_t r = 0; r < s.n_refs; r++) {
        ferry_onnx_ref ref;
        if (!read_ref(file, &s.refs[r], &ref)) return ferry_fail(err, FERRY_ERR_INTERNAL, "a reference is broken");
        size_t at = ref.offset;
        const size_t end = ref.offset + ref.bytes;
        while (at < end) {
            uint64_t wire = 0;
            if (!ref.packed && !ferry_onnx_varint(file.data, &at, end, &wire)) break; // the tag; locate has checked it
            if (s.encoding == VARINTS) {
                if (!ferry_onnx_varint(file.data, &at, end, &wire)) break;
                FERRY_TRY(store_varint(wire, dtype, out, i++, err));
            } else {
                const size_t bytes = ref.packed ? end - at : s.wire_bytes;
                memcpy((uint8_t *)out + i * s.wire_bytes, file.data + at, bytes);
                at += bytes;
                i += bytes / s.wire_bytes;
            }
        }
    }
    return FERRY_OK;
}

void ferry_onnx_normalise_bool(uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count; i++) data[i] = data[i] != 0;
}

ferry_status ferry_onnx_check_nan(bool allow, ferry_dtype dtype, const void *data, size_t bytes, ferry_error *err)
{
    if (allow || !ferry_dtype_is_float(dtype)) return FERRY_OK;
    const ferry_tensor t = {.dtype = dtype, .data = (void *)(uintptr_t)data};
    const size_t n = bytes / ferry_dtype_bytes(dtype);
    size_t i = 0;
    if (dtype == FERRY_F32) {
        const float *f = data;
        while (i < n && !isnan(f[i])) i++;
    } else {
        while (i < n && !isnan(ferry_load_f64(&t, i))) i++;
    }
    if (i == n) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                      "element %zu of %zu is NaN: the weights are damaged, or the training has diverged", i, n);
}
