// SPDX-License-Identifier: Apache-2.0
// AttributeProto to ferry_attr. Old files leave the type out; then the field that is there tells it.
#include "import/onnx/reader.h"

#include <string.h>

enum {
    TYPE_NONE = 0,
    TYPE_FLOAT = 1,
    TYPE_INT = 2,
    TYPE_STRING = 3,
    TYPE_TENSOR = 4,
    TYPE_GRAPH = 5,
    TYPE_FLOATS = 6,
    TYPE_INTS = 7,
    TYPE_STRINGS = 8
};

static int32_t type_of(const Ferry__Onnx__Attribute *a)
{
    if (a->type != TYPE_NONE) return a->type;
    if (a->has_f) return TYPE_FLOAT;
    if (a->has_i) return TYPE_INT;
    if (a->has_s) return TYPE_STRING;
    if (a->t) return TYPE_TENSOR;
    if (a->g) return TYPE_GRAPH;
    if (a->n_floats) return TYPE_FLOATS;
    if (a->n_strings) return TYPE_STRINGS;
    return TYPE_INTS;
}

static const char *const *read_strings(ferry_arena *arena, const ProtobufCBinaryData *from, size_t count)
{
    const char **out = ferry_arena_alloc_array(arena, count, sizeof *out);
    for (size_t i = 0; out && i < count; i++) {
        out[i] = ferry_arena_strndup(arena, (const char *)from[i].data, from[i].len);
        if (!out[i]) return NULL;
    }
    return out;
}

static ferry_status read_tensor(ferry_onnx_reader *r, const Ferry__Onnx__Tensor *t, const ferry_tensor **out,
                                ferry_error *err)
{
    ferry_dtype dtype = FERRY_DTYPE_NONE;
    ferry_shape shape = ferry_shape_unknown();
    size_t bytes = 0;
    const void *place = NULL;
    FERRY_TRY(ferry_onnx_tensor_header(t, &dtype, &shape, &bytes, err));
    if (t->data_location == FERRY_ONNX_LOCATION_EXTERNAL)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "external data are taken for initializers only");
    FERRY_TRY(ferry_onnx_tensor_locate(r->file, t, dtype, bytes, &place, err));
    ferry_tensor *own = ferry_arena_alloc(&r->scratch, sizeof *own);
    if (own) *own = (ferry_tensor){.dtype = dtype, .rank = shape.rank, .data = ferry_arena_alloc(&r->scratch, bytes)};
    if (!own || !own->data) return ferry_fail_memory(err, "attributes");
    memcpy(own->dims, shape.dims, sizeof own->dims);
    *out = own;
    if (!place) return ferry_onnx_tensor_decode(r->file, t, dtype, own->data, err);
    if (bytes) memcpy(own->data, place, bytes);
    if (dtype == FERRY_BOOL) ferry_onnx_normalise_bool(own->data, bytes);
    return FERRY_OK;
}

ferry_status ferry_onnx_read_attribute(ferry_onnx_reader *r, const Ferry__Onnx__Attribute *a, ferry_attr *to,
                                       ferry_error *err)
{
    if (!a->name || !*a->name) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "an attribute has no name");
    if (a->ref_attr_name && *a->ref_attr_name)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' refers to '%s' of a function, outside of one",
                          a->name, a->ref_attr_name);
    *to = (ferry_attr){.name = a->name, .count = 1};
    size_t count = 1;
    switch (type_of(a)) {
    case TYPE_FLOAT:
        to->kind = FERRY_ATTR_FLOAT;
        to->u.floats = &a->f;
        break;
    case TYPE_INT:
        to->kind = FERRY_ATTR_INT;
        to->u.ints = &a->i;
        break;
    case TYPE_STRING:
        to->kind = FERRY_ATTR_STRING;
        to->u.strings = read_strings(&r->scratch, &a->s, 1);
        break;
    case TYPE_FLOATS:
        to->kind = FERRY_ATTR_FLOATS;
        to->u.floats = a->floats;
        count = a->n_floats;
        break;
    case TYPE_INTS:
        to->kind = FERRY_ATTR_INTS;
        to->u.ints = a->ints;
        count = a->n_ints;
        break;
    case TYPE_STRINGS:
        to->kind = FERRY_ATTR_STRINGS;
        to->u.strings = read_strings(&r->scratch, a->strings, a->n_strings);
        count = a->n_strings;
        break;
    case TYPE_TENSOR:
        to->kind = FERRY_ATTR_TENSOR;
        if (!a->t) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' holds no tensor", a->name);
        const ferry_status s = read_tensor(r, a->t, &to->u.tensor, err);
        if (s != FERRY_OK) return ferry_within(err, s, "attribute '%s'", a->name);
        break;
    default:
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "attribute '%s' holds a graph, sparse tensors or types, which ferry does not take", a->name);
    }
    if (count > INT32_MAX) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' is too long", a->name);
    to->count = (int32_t)count;
    if (!to->u.ints && count) return ferry_fail_memory(err, "attributes");
    return FERRY_OK;
}
