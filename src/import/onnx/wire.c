// SPDX-License-Identifier: Apache-2.0
// Walks the messages that ferry reads by a table of their fields. Fields that are not in the table are skipped, so
// newer ONNX files with more fields pass; lengths are checked for them too.
#include "import/onnx/wire.h"

#include <inttypes.h>
#include <string.h>

typedef enum kind {
    MODEL,
    GRAPH,
    SUBGRAPH,
    NODE,
    ATTRIBUTE,
    TENSOR,
    SPARSE,
    VALUE_INFO,
    TYPE,
    TENSOR_TYPE,
    SHAPE,
    DIMENSION,
    ENTRY,
    OPERATOR_SET,
    FUNCTION,
    KINDS
} kind;

static const char *const kind_names[KINDS] = {
    "model", "graph",       "subgraph", "node",      "attribute",      "tensor",       "sparse tensor", "value info",
    "type",  "tensor type", "shape",    "dimension", "metadata entry", "operator set", "function",
};

typedef enum action {
    KEEP,    // copied as it is
    MESSAGE, // walked, and copied slim
    CHECK,   // walked, and left empty in the copy
    BULK     // replaced by a reference
} action;

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
#define W(type) (1u << (type))

typedef struct rule {
    uint8_t field;
    uint8_t wire_types; // W() bits
    uint8_t action;
    uint8_t child;
} rule;

#define TEXT(field)                                                                                                    \
    {                                                                                                                  \
        field, W(LENGTH), KEEP, 0                                                                                      \
    }
#define NUMBER(field)                                                                                                  \
    {                                                                                                                  \
        field, W(VARINT), KEEP, 0                                                                                      \
    }
#define NESTED(field, child)                                                                                           \
    {                                                                                                                  \
        field, W(LENGTH), MESSAGE, child                                                                               \
    }
#define CHECKED(field, child)                                                                                          \
    {                                                                                                                  \
        field, W(LENGTH), CHECK, child                                                                                 \
    }
static const rule model_rules[] = {
    NUMBER(1), TEXT(2), NESTED(7, GRAPH), NESTED(8, OPERATOR_SET), NESTED(14, ENTRY), NESTED(25, FUNCTION), {0}};
static const rule graph_rules[] = {
    NESTED(1, NODE),    TEXT(2), NESTED(5, TENSOR), NESTED(11, VALUE_INFO), NESTED(12, VALUE_INFO),
    NESTED(15, SPARSE), {0}};
static const rule subgraph_rules[] = {CHECKED(1, NODE), CHECKED(5, TENSOR), {0}};
static const rule node_rules[] = {TEXT(1), TEXT(2), TEXT(3), TEXT(4), NESTED(5, ATTRIBUTE), TEXT(7), {0}};
static const rule attribute_rules[] = {TEXT(1),
                                       {2, W(FIXED32), KEEP, 0},
                                       NUMBER(3),
                                       TEXT(4),
                                       NESTED(5, TENSOR),
                                       CHECKED(6, SUBGRAPH),
                                       {7, W(FIXED32) | W(LENGTH), KEEP, 0},
                                       {8, W(VARINT) | W(LENGTH), KEEP, 0},
                                       TEXT(9),
                                       {11, W(LENGTH), CHECK, SUBGRAPH},
                                       NUMBER(20),
                                       TEXT(21),
                                       {0}};
static const rule tensor_rules[] = {{1, W(VARINT) | W(LENGTH), KEEP, 0},
                                    NUMBER(2),
                                    {4, W(FIXED32) | W(LENGTH), BULK, 0},
                                    {5, W(VARINT) | W(LENGTH), BULK, 0},
                                    {7, W(VARINT) | W(LENGTH), BULK, 0},
                                    TEXT(8),
                                    {9, W(LENGTH), BULK, 0},
                                    {10, W(FIXED64) | W(LENGTH), BULK, 0},
                                    {11, W(VARINT) | W(LENGTH), BULK, 0},
                                    NESTED(13, ENTRY),
                                    NUMBER(14),
                                    {0}};
static const rule sparse_rules[] = {NESTED(1, TENSOR), {0}};
static const rule value_info_rules[] = {TEXT(1), NESTED(2, TYPE), {0}};
static const rule type_rules[] = {NESTED(1, TENSOR_TYPE), {0}};
static const rule tensor_type_rules[] = {NUMBER(1), NESTED(2, SHAPE), {0}};
static const rule shape_rules[] = {NESTED(1, DIMENSION), {0}};
static const rule dimension_rules[] = {NUMBER(1), TEXT(2), {0}};
static const rule entry_rules[] = {TEXT(1), TEXT(2), {0}};
static const rule operator_set_rules[] = {TEXT(1), NUMBER(2), {0}};
static const rule function_rules[] = {TEXT(1), TEXT(10), {0}};
static const rule *const rules[KINDS] = {
    model_rules,  graph_rules,     subgraph_rules,   node_rules,         attribute_rules,
    tensor_rules, sparse_rules,    value_info_rules, type_rules,         tensor_type_rules,
    shape_rules,  dimension_rules, entry_rules,      operator_set_rules, function_rules,
};

typedef struct scan {
    const uint8_t *file;
    ferry_onnx_slim *out;
    size_t most_bytes; // of the slim copy
    ferry_error *err;
} scan;

bool ferry_onnx_varint(const uint8_t *file, size_t *at, size_t end, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        const uint8_t byte = file[(*at)++];
        if (shift == 63 && byte > 1) return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

// --- Writing the copy ----------------------------------------------------------------------------------------------

static ferry_status put(scan *s, const void *data, size_t bytes)
{
    ferry_onnx_slim *out = s->out;
    if (bytes > s->most_bytes - out->bytes)
        return ferry_fail(
            s->err, FERRY_ERR_BAD_MODEL,
            "the model describes more than a file of its size should: more than %zu bytes without weights",
            s->most_bytes);
    void *room = out->data;
    if (!ferry_heap_reserve(out->heap, &room, &out->capacity, 1, out->bytes + bytes))
        return ferry_fail_memory(s->err, "reading the model");
    out->data = room;
    if (bytes) memcpy(out->data + out->bytes, data, bytes);
    out->bytes += bytes;
    return FERRY_OK;
}

static size_t encode_varint(uint64_t value, uint8_t *out)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

static ferry_status put_tag(scan *s, uint64_t tag)
{
    uint8_t buffer[10];
    return put(s, buffer, encode_varint(tag, buffer));
}

// A length that is filled in later: four bytes whatever its value, as protobuf allows.
enum { LENGTH_BYTES = 4 };

static void fill_length(scan *s, size_t at)
{
    size_t length = s->out->bytes - at - LENGTH_BYTES;
    for (int i = 0; i < LENGTH_BYTES; i++, length >>= 7)
        s->out->data[at + (size_t)i] = (uint8_t)((length & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

static ferry_status put_ref(scan *s, uint32_t field, ferry_onnx_ref ref)
{
    uint8_t data[FERRY_ONNX_REF_BYTES];
    for (int i = 0; i < 8; i++) {
        data[i] = (uint8_t)((uint64_t)ref.offset >> (8 * i));
        data[8 + i] = (uint8_t)((uint64_t)ref.bytes >> (8 * i));
    }
    data[16] = ref.packed;
    FERRY_TRY(put_tag(s, (uint64_t)field << 3 | LENGTH));
    FERRY_TRY(put_tag(s, sizeof data));
    return put(s, data, sizeof data);
}

bool ferry_onnx_ref_read(const uint8_t *data, size_t bytes, ferry_onnx_ref *out)
{
    if (bytes != FERRY_ONNX_REF_BYTES) return false;
    uint64_t offset = 0, size = 0;
    for (int i = 7; i >= 0; i--) {
        offset = offset << 8 | data[i];
        size = size << 8 | data[8 + i];
    }
    *out = (ferry_onnx_ref){(size_t)offset, (size_t)size, data[16] != 0};
    return true;
}

// --- Walking -------------------------------------------------------------------------------------------------------

typedef struct field {
    size_t start; // of the tag
    uint64_t tag;
    uint32_t number;
    unsigned wire;
    size_t payload, end; // for LENGTH: behind the length
} field;

static ferry_status broken(const scan *s, kind what, size_t at, const char *how)
{
    return ferry_fail(s->err, FERRY_ERR_BAD_MODEL, "at byte %zu, inside a %s: %s; the file is damaged or not ONNX", at,
                      kind_names[what], how);
}

static ferry_status read_field(const scan *s, kind what, size_t at, size_t end, field *f)
{
    *f = (field){.start = at};
    if (!ferry_onnx_varint(s->file, &at, end, &f->tag)) return broken(s, what, f->start, "a field's number is cut off");
    if (f->tag >> 3 == 0 || f->tag >> 3 > 0x1fffffff)
        return broken(s, what, f->start, "a field has an impossible number");
    f->number = (uint32_t)(f->tag >> 3);
    f->wire = (unsigned)(f->tag & 7);
    f->payload = at;
    uint64_t length = 0;
    switch (f->wire) {
    case VARINT:
        if (!ferry_onnx_varint(s->file, &at, end, &length)) return broken(s, what, f->start, "a number is cut off");
        break;
    case FIXED64:
    case FIXED32:
        if (end - at < (f->wire == FIXED64 ? 8u : 4u)) return broken(s, what, f->start, "a number is cut off");
        at += f->wire == FIXED64 ? 8 : 4;
        break;
    case LENGTH:
        if (!ferry_onnx_varint(s->file, &at, end, &length)) return broken(s, what, f->start, "a length is cut off");
        if (length > end - at)
            return ferry_fail(s->err, FERRY_ERR_BAD_MODEL,
                              "at byte %zu, inside a %s: field %" PRIu32 " should be %" PRIu64
                              " bytes long, %zu are left; "
                              "the file is truncated, damaged or not ONNX",
                              f->start, kind_names[what], f->number, length, end - at);
        f->payload = at;
        at += (size_t)length;
        break;
    default:
        return broken(s, what, f->start, "a field is of a kind that ONNX does not use");
    }
    f->end = at;
    return FERRY_OK;
}

static const rule *find_rule(kind what, uint32_t number)
{
    for (const rule *r = rules[what]; r->field; r++)
        if (r->field == number) return r;
    return NULL;
}

// A bulk field: one packed payload, or as many single elements as follow one another.
static ferry_status put_bulk(scan *s, kind what, size_t end, field *f, bool emit)
{
    ferry_onnx_ref ref = {f->payload, f->end - f->payload, true};
    if (f->wire != LENGTH) {
        field next = *f;
        while (next.end < end) {
            FERRY_TRY(read_field(s, what, next.end, end, &next));
            if (next.tag != f->tag) break;
            f->end = next.end;
        }
        ref = (ferry_onnx_ref){f->start, f->end - f->start, false};
    }
    return emit ? put_ref(s, f->number, ref) : FERRY_OK;
}

static ferry_status scan_message(scan *s, kind what, size_t at, size_t end, int depth, bool emit);

static ferry_status scan_field(scan *s, kind what, size_t end, field *f, int depth, bool emit)
{
    const rule *r = find_rule(what, f->number);
    if (!r) return FERRY_OK;
    if (!(r->wire_types & W(f->wire)))
        return broken(s, what, f->start, "a field is not of the kind that ONNX gives it");
    switch ((action)r->action) {
    case KEEP:
        return emit ? put(s, s->file + f->start, f->end - f->start) : FERRY_OK;
    case BULK:
        return put_bulk(s, what, end, f, emit);
    case CHECK:
        FERRY_TRY(scan_message(s, (kind)r->child, f->payload, f->end, depth + 1, false));
        if (!emit) return FERRY_OK;
        FERRY_TRY(put_tag(s, f->tag));
        return put_tag(s, 0);
    case MESSAGE:
        break;
    }
    size_t length_at = 0;
    static const uint8_t no_length[LENGTH_BYTES] = {0};
    if (emit) {
        FERRY_TRY(put_tag(s, f->tag));
        length_at = s->out->bytes;
        FERRY_TRY(put(s, no_length, sizeof no_length));
    }
    FERRY_TRY(scan_message(s, (kind)r->child, f->payload, f->end, depth + 1, emit));
    if (emit) fill_length(s, length_at);
    return FERRY_OK;
}

static ferry_status scan_message(scan *s, kind what, size_t at, size_t end, int depth, bool emit)
{
    if (depth > FERRY_ONNX_MOST_NESTING)
        return ferry_fail(s->err, FERRY_ERR_BAD_MODEL, "at byte %zu: messages are nested more than %d deep", at,
                          FERRY_ONNX_MOST_NESTING);
    while (at < end) {
        field f;
        FERRY_TRY(read_field(s, what, at, end, &f));
        FERRY_TRY(scan_field(s, what, end, &f, depth, emit));
        at = f.end;
    }
    return FERRY_OK;
}

ferry_status ferry_onnx_slim_make(const uint8_t *file, size_t bytes, ferry_onnx_root root, const ferry_heap *heap,
                                  ferry_onnx_slim *out, ferry_error *err)
{
    *out = (ferry_onnx_slim){.heap = heap};
    // Names, nodes and references; 2^28 is also what a four-byte length can say.
    const size_t most = (size_t)1 << 28, fair = ((size_t)1 << 20) + (bytes < most ? 12 * bytes : most);
    scan s = {.file = file, .out = out, .most_bytes = fair < most ? fair : most - 1, .err = err};
    const ferry_status status = scan_message(&s, root == FERRY_ONNX_ROOT_TENSOR ? TENSOR : MODEL, 0, bytes, 1, true);
    if (status != FERRY_OK) ferry_onnx_slim_free(out);
    return status;
}

void ferry_onnx_slim_free(ferry_onnx_slim *slim)
{
    if (!slim->heap) return;
    ferry_heap_free(slim->heap, slim->data, slim->capacity);
    *slim = (ferry_onnx_slim){0};
}
