// SPDX-License-Identifier: Apache-2.0
// The graph section, read: every index, enum and size is checked before it is used.
#include <sys/mman.h>

#include "engine/format.h"
#include "ops/op.h"

static ferry_status bad(const ferry_decoder_bytes *in, const char *what, ferry_error *err)
{
    return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "graph section, offset %zu: %s", in->at, what);
}

ferry_shape ferry_take_shape(ferry_decoder_bytes *in)
{
    ferry_shape s = ferry_shape_unknown();
    const int32_t rank = ferry_take_s32(in);
    if (rank < FERRY_RANK_UNKNOWN || rank > FERRY_MAX_RANK) in->bad = true;
    if (in->bad || rank < 0) return s;
    s.rank = rank;
    for (int32_t d = 0; d < rank; d++) {
        s.dims[d] = ferry_take_s64(in);
        s.symbols[d] = ferry_take_s32(in);
        if (s.dims[d] < FERRY_DIM_UNKNOWN) in->bad = true;
    }
    return s;
}

static ferry_dtype take_dtype(ferry_decoder_bytes *in)
{
    const uint32_t x = ferry_take_u32(in);
    if (x > FERRY_BOOL) in->bad = true;
    return in->bad ? FERRY_DTYPE_NONE : (ferry_dtype)x;
}

static ferry_status take_quant(ferry_decoder_bytes *in, ferry_arena *arena, ferry_quant *out, ferry_error *err)
{
    *out = (ferry_quant){.dtype = take_dtype(in)};
    if (in->bad || out->dtype == FERRY_DTYPE_NONE) return FERRY_OK;
    out->axis = ferry_take_s32(in);
    out->count = (int32_t)ferry_take_count(in, sizeof *out->scales);
    const size_t bytes = (size_t)out->count * sizeof(float);
    const void *scales = ferry_take(in, bytes);
    const uint32_t has_zero_points = ferry_take_u32(in);
    const void *zero_points = has_zero_points ? ferry_take(in, bytes) : NULL;
    if (in->bad || out->count < 1 || out->axis < -1 || out->axis >= FERRY_MAX_RANK || has_zero_points > 1)
        return bad(in, "bad quantisation", err);
    out->scales = ferry_arena_copy(arena, scales, bytes);
    if (zero_points) out->zero_points = ferry_arena_copy(arena, zero_points, bytes);
    return out->scales && (!zero_points || out->zero_points) ? FERRY_OK : ferry_fail_memory(err, "an engine's graph");
}

typedef struct zero_pages {
    const ferry_heap *heap;
    void *data;
    size_t bytes;
} zero_pages;

static void release_zero_pages(void *object)
{
    zero_pages *z = object;
    if (z->data) munmap(z->data, z->bytes);
    ferry_delete(z->heap, z);
}

// Stripped constants all show the same pages of zeros, which take no memory: whatever reads them by mistake is wrong,
// not unsafe.
static ferry_status map_zeros(ferry_graph *graph, size_t bytes, const void **out, ferry_error *err)
{
    zero_pages *z = ferry_new(graph->heap, zero_pages);
    if (!z) return ferry_fail_memory(err, "an engine's graph");
    z->heap = graph->heap;
    z->bytes = bytes ? bytes : 1;
    void *p = mmap(NULL, z->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        release_zero_pages(z);
        return ferry_fail_memory(err, "an engine's graph");
    }
    z->data = p;
    *out = p;
    return ferry_graph_keep(graph, z, release_zero_pages, err);
}

static ferry_status take_value(ferry_decoder_bytes *in, const uint8_t *weights, uint64_t weights_bytes,
                               ferry_graph *graph, ferry_error *err)
{
    const char *name = ferry_take_name(in);
    const ferry_dtype dtype = take_dtype(in);
    const ferry_shape shape = ferry_take_shape(in);
    ferry_quant quant;
    FERRY_TRY(take_quant(in, &graph->arena, &quant, err));
    const uint32_t constant = ferry_take_u32(in);
    const uint64_t offset = constant ? ferry_take_u64(in) : 0, bytes = constant ? ferry_take_u64(in) : 0;
    if (in->bad || constant > 1) return bad(in, "bad value", err);
    for (int32_t d = 0; d < shape.rank; d++)
        if (shape.symbols[d] < FERRY_NO_SYMBOL || shape.symbols[d] >= (int64_t)graph->n_symbols)
            return bad(in, "symbol out of range", err);
    ferry_value_id id = FERRY_NO_VALUE;
    if (constant) {
        size_t elements = 0, need = 0;
        if (!ferry_shape_elements(&shape, &elements) || !ferry_mul_size(elements, ferry_dtype_bytes(dtype), &need) ||
            need != bytes)
            return bad(in, "a constant's size does not fit its shape", err);
        const void *data = NULL;
        if (offset == FERRY_STRIPPED) {
            FERRY_TRY(map_zeros(graph, need, &data, err));
        } else {
            if (offset > weights_bytes || bytes > weights_bytes - offset || offset % FERRY_ENGINE_ALIGN)
                return bad(in, "a constant lies outside the weights", err);
            data = weights + offset;
        }
        FERRY_TRY(ferry_graph_add_constant(graph, name, dtype, &shape, data, need, false, &id, err));
    } else {
        FERRY_TRY(ferry_graph_add_value(graph, name, dtype, &shape, &id, err));
    }
    if (strcmp(graph->values[id].name, name) != 0) return bad(in, "two values have one name", err);
    graph->values[id].quant = quant;
    return FERRY_OK;
}

// Payload of an attribute, in the section where alignment allows and else copied.
static const void *take_array(ferry_decoder_bytes *in, size_t count, size_t elem_bytes, ferry_arena *arena)
{
    size_t bytes = 0;
    if (!ferry_mul_size(count, elem_bytes, &bytes)) in->bad = true;
    const void *p = in->bad ? NULL : ferry_take(in, bytes);
    return p ? ferry_arena_copy(arena, p, bytes) : NULL;
}

static ferry_status take_attr(ferry_decoder_bytes *in, ferry_arena *arena, ferry_attr *out, ferry_error *err)
{
    out->name = ferry_take_name(in);
    const uint32_t kind = ferry_take_u32(in);
    const uint32_t count = ferry_take_count(in, 1);
    if (in->bad || kind < FERRY_ATTR_INT || kind > FERRY_ATTR_TENSOR) return bad(in, "bad attribute", err);
    out->kind = (ferry_attr_kind)kind;
    out->count = (int32_t)count;
    if (out->kind == FERRY_ATTR_INT || out->kind == FERRY_ATTR_INTS) {
        out->u.ints = take_array(in, count, sizeof(int64_t), arena);
    } else if (out->kind == FERRY_ATTR_FLOAT || out->kind == FERRY_ATTR_FLOATS) {
        out->u.floats = take_array(in, count, sizeof(float), arena);
    } else if (out->kind == FERRY_ATTR_TENSOR) {
        ferry_tensor *t = ferry_arena_alloc(arena, sizeof *t);
        if (!t) return ferry_fail_memory(err, "an engine's graph");
        t->dtype = take_dtype(in);
        const ferry_shape shape = ferry_take_shape(in);
        size_t elements = 0;
        if (in->bad || !ferry_shape_elements(&shape, &elements)) return bad(in, "bad tensor attribute", err);
        t->rank = shape.rank;
        memcpy(t->dims, shape.dims, sizeof t->dims);
        t->data = (void *)take_array(in, elements, ferry_dtype_bytes(t->dtype), arena);
        if (!in->bad && !t->data) return ferry_fail_memory(err, "an engine's graph");
        out->u.tensor = t;
    } else {
        const char **strings = ferry_arena_alloc_array(arena, count, sizeof *strings);
        if (!strings) return ferry_fail_memory(err, "an engine's graph");
        for (uint32_t i = 0; i < count; i++) strings[i] = ferry_take_name(in);
        out->u.strings = strings;
    }
    // All members of the union are pointers; only memory that is gone leaves one NULL.
    if (!in->bad && !out->u.ints) return ferry_fail_memory(err, "an engine's graph");
    const bool single = kind == FERRY_ATTR_INT || kind == FERRY_ATTR_FLOAT || kind == FERRY_ATTR_STRING;
    return in->bad || (single && count != 1) ? bad(in, "bad attribute", err) : FERRY_OK;
}

static const int32_t *take_ids(ferry_decoder_bytes *in, size_t limit, int32_t least, ferry_arena *arena, size_t *out_n)
{
    *out_n = ferry_take_count(in, sizeof(int32_t));
    const int32_t *ids = take_array(in, *out_n, sizeof *ids, arena);
    for (size_t i = 0; ids && i < *out_n; i++)
        if (ids[i] < least || (ids[i] >= 0 && (size_t)ids[i] >= limit)) in->bad = true;
    return ids;
}

static ferry_status take_node(ferry_decoder_bytes *in, ferry_arena *scratch, ferry_graph *graph, ferry_error *err)
{
    const char *domain = ferry_take_name(in), *op_name = ferry_take_name(in), *name = ferry_take_name(in);
    const char *absorbed = ferry_take_text(in);
    size_t n_in = 0, n_out = 0;
    const int32_t *inputs = take_ids(in, graph->n_values, FERRY_NO_VALUE, scratch, &n_in);
    const int32_t *outputs = take_ids(in, graph->n_values, FERRY_NO_VALUE, scratch, &n_out);
    const uint32_t n_attrs = ferry_take_count(in, 12);
    if (in->bad) return bad(in, "bad node", err);
    const ferry_op *op = ferry_op_find(domain, op_name);
    if (!op)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE,
                          "node '%s': operator %s%s%s is not known; the engine was made by a newer ferry", name, domain,
                          domain[0] ? "." : "", op_name);
    ferry_attr *attrs = ferry_arena_alloc_array(scratch, n_attrs, sizeof *attrs);
    if (!attrs || !inputs || !outputs) return ferry_fail_memory(err, "an engine's graph");
    for (uint32_t i = 0; i < n_attrs; i++) FERRY_TRY(take_attr(in, scratch, &attrs[i], err));
    for (size_t i = 0; i < n_out; i++)
        if (outputs[i] != FERRY_NO_VALUE && (ferry_value_is_constant(&graph->values[outputs[i]]) ||
                                             graph->values[outputs[i]].producer != FERRY_NO_NODE))
            return bad(in, "a value is made twice", err);
    ferry_node_id id = FERRY_NO_NODE;
    FERRY_TRY(ferry_graph_add_node(graph, op, name, inputs, (int32_t)n_in, outputs, (int32_t)n_out, attrs,
                                   (int32_t)n_attrs, &id, err));
    if (absorbed) graph->nodes[id].absorbed = ferry_arena_strdup(&graph->arena, absorbed);
    return !absorbed || graph->nodes[id].absorbed ? FERRY_OK : ferry_fail_memory(err, "an engine's graph");
}

static ferry_status take_head(ferry_decoder_bytes *in, ferry_graph *graph, ferry_error *err)
{
    graph->name = ferry_arena_strdup(&graph->arena, ferry_take_name(in));
    if (!graph->name) return ferry_fail_memory(err, "an engine's graph");
    graph->opset = ferry_take_s64(in);
    const uint32_t n_symbols = ferry_take_count(in, 5);
    for (uint32_t i = 0; i < n_symbols && !in->bad; i++) {
        const int32_t symbol = ferry_graph_symbol(graph, ferry_take_name(in));
        if (symbol == FERRY_NO_SYMBOL) return ferry_fail_memory(err, "an engine's graph");
        if (symbol != (int32_t)i) return bad(in, "bad symbol", err);
    }
    const uint32_t n_metadata = ferry_take_count(in, 10);
    for (uint32_t i = 0; i < n_metadata && !in->bad; i++) {
        const char *key = ferry_take_name(in), *value = ferry_take_name(in);
        FERRY_TRY(ferry_graph_add_metadata(graph, key, value, err));
    }
    return in->bad ? bad(in, "bad header", err) : FERRY_OK;
}

static ferry_status take_graph(ferry_decoder_bytes *in, const uint8_t *weights, uint64_t weights_bytes,
                               ferry_arena *scratch, ferry_graph *graph, ferry_error *err)
{
    FERRY_TRY(take_head(in, graph, err));
    const uint32_t n_values = ferry_take_count(in, 21);
    for (uint32_t i = 0; i < n_values && !in->bad; i++) FERRY_TRY(take_value(in, weights, weights_bytes, graph, err));
    size_t n_inputs = 0, n_outputs = 0;
    const int32_t *inputs = take_ids(in, graph->n_values, 0, scratch, &n_inputs);
    const int32_t *outputs = take_ids(in, graph->n_values, 0, scratch, &n_outputs);
    if (in->bad) return bad(in, "bad inputs or outputs", err);
    if (!inputs || !outputs) return ferry_fail_memory(err, "an engine's graph");
    for (size_t i = 0; i < n_inputs; i++) {
        if (ferry_value_is_constant(&graph->values[inputs[i]])) return bad(in, "an input is a constant", err);
        FERRY_TRY(ferry_graph_mark_input(graph, inputs[i], err));
    }
    const uint32_t n_nodes = ferry_take_count(in, 28);
    for (uint32_t i = 0; i < n_nodes && !in->bad; i++) FERRY_TRY(take_node(in, scratch, graph, err));
    for (size_t i = 0; i < n_outputs && !in->bad; i++) FERRY_TRY(ferry_graph_mark_output(graph, outputs[i], err));
    return in->bad || in->at != in->bytes ? bad(in, "does not end where it should", err) : FERRY_OK;
}

ferry_status ferry_engine_decode_graph(ferry_decoder_bytes *in, const uint8_t *weights, uint64_t weights_bytes,
                                       ferry_graph *out, ferry_error *err)
{
    ferry_arena scratch;
    ferry_arena_init(&scratch, out->heap);
    ferry_status s = take_graph(in, weights, weights_bytes, &scratch, out, err);
    ferry_arena_deinit(&scratch);
    if (s != FERRY_OK) return s;
    ferry_report report;
    ferry_report_init(&report, out->heap);
    ferry_error why = {.text = ""};
    s = ferry_graph_verify(out, &report, &why);
    ferry_report_deinit(&report);
    if (s == FERRY_OK) return s;
    return ferry_fail(err, s == FERRY_ERR_OUT_OF_MEMORY ? s : FERRY_ERR_BAD_ENGINE, "graph section: %s", why.text);
}
