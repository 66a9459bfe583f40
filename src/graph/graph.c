// SPDX-License-Identifier: Apache-2.0
// Building a graph and taking it down.
#include "graph/internal.h"

#include <stdio.h>
#include <string.h>

void ferry_graph_init(ferry_graph *graph, const ferry_heap *heap)
{
    *graph = (ferry_graph){.heap = ferry_heap_or_default(heap), .name = ""};
    ferry_arena_init(&graph->arena, graph->heap);
}

void ferry_graph_deinit(ferry_graph *graph)
{
    const ferry_heap *heap = graph->heap;
    if (!heap) return;
    ferry_names_free(graph);
    ferry_graph_release_kept(graph);
    ferry_heap_free(heap, graph->values, graph->cap_values * sizeof *graph->values);
    ferry_heap_free(heap, graph->nodes, graph->cap_nodes * sizeof *graph->nodes);
    ferry_heap_free(heap, graph->symbols, graph->cap_symbols * sizeof *graph->symbols);
    ferry_heap_free(heap, graph->inputs, graph->cap_inputs * sizeof *graph->inputs);
    ferry_heap_free(heap, graph->outputs, graph->cap_outputs * sizeof *graph->outputs);
    ferry_heap_free(heap, graph->metadata, graph->cap_metadata * sizeof *graph->metadata);
    ferry_arena_deinit(&graph->arena);
    ferry_graph_init(graph, heap);
}

#define MAX_ITEMS ((size_t)INT32_MAX - 1) // ids are 32-bit

// Room for one more element in one of the graph's tables; `table` is the address of the member that points to it.
static bool reserve(const ferry_graph *graph, void *table, size_t *capacity, size_t elem_bytes, size_t count)
{
    void *data = NULL;
    memcpy(&data, table, sizeof data); // not through a void **, which would alias pointers of other types
    if (count >= MAX_ITEMS || !ferry_heap_reserve(graph->heap, &data, capacity, elem_bytes, count + 1)) return false;
    memcpy(table, &data, sizeof data);
    return true;
}
#define RESERVE(graph, table, cap, count) reserve((graph), &(table), &(cap), sizeof *(table), (count))

// A name that no value has yet, in the arena. The counter starts where few are taken when the caller named nothing.
static const char *unique_name(ferry_graph *graph, const char *name)
{
    if (name && *name && ferry_graph_find_value(graph, name) == FERRY_NO_VALUE)
        return ferry_arena_strdup(&graph->arena, name);
    const bool named = name && *name;
    const char *base = named ? name : "value";
    const size_t room = strlen(base) + 24;
    char *text = ferry_arena_alloc(&graph->arena, room);
    if (!text) return NULL;
    for (size_t i = named ? 1 : graph->n_values;; i++) {
        snprintf(text, room, "%s_%zu", base, i);
        if (ferry_graph_find_value(graph, text) == FERRY_NO_VALUE) return text;
    }
}

ferry_status ferry_graph_add_value(ferry_graph *graph, const char *name, ferry_dtype dtype, const ferry_shape *shape,
                                   ferry_value_id *out, ferry_error *err)
{
    *out = FERRY_NO_VALUE;
    const char *own = unique_name(graph, name);
    if (!own || !RESERVE(graph, graph->values, graph->cap_values, graph->n_values) || !ferry_names_reserve(graph))
        return ferry_fail_memory(err, "a graph's values");
    const ferry_value_id id = (ferry_value_id)graph->n_values++;
    graph->values[id] = (ferry_value){
        .name = own,
        .dtype = dtype,
        .shape = shape ? *shape : ferry_shape_unknown(),
        .producer = FERRY_NO_NODE,
    };
    ferry_names_add(graph, id);
    *out = id;
    return FERRY_OK;
}

// What every constant must satisfy, so that readers need not check sizes again.
static ferry_status check_constant(const char *name, ferry_dtype dtype, const ferry_shape *shape, size_t data_bytes,
                                   ferry_error *err)
{
    size_t elements = 0, bytes = 0;
    if (!ferry_shape_elements(shape, &elements) || !ferry_mul_size(elements, ferry_dtype_bytes(dtype), &bytes) ||
        bytes != data_bytes)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "constant '%s' has %zu bytes of data, its shape and type need %zu",
                          name ? name : "", data_bytes, bytes);
    return FERRY_OK;
}

// An empty constant needs an address too: data != NULL is what makes a constant.
static const uint8_t no_data[64];

ferry_status ferry_graph_make_constant(ferry_graph *graph, ferry_value_id value, ferry_dtype dtype,
                                       const ferry_shape *shape, const void *data, size_t data_bytes, ferry_error *err)
{
    ferry_value *v = &graph->values[value];
    if (v->producer != FERRY_NO_NODE || v->is_input || v->data)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "value '%s' is made more than once", v->name);
    FERRY_TRY(check_constant(v->name, dtype, shape, data_bytes, err));
    v->dtype = dtype;
    v->shape = *shape;
    v->data = data ? data : no_data;
    v->data_bytes = data_bytes;
    return FERRY_OK;
}

ferry_status ferry_graph_add_constant(ferry_graph *graph, const char *name, ferry_dtype dtype, const ferry_shape *shape,
                                      const void *data, size_t data_bytes, bool copy, ferry_value_id *out,
                                      ferry_error *err)
{
    *out = FERRY_NO_VALUE;
    FERRY_TRY(check_constant(name, dtype, shape, data_bytes, err));
    const void *own = data;
    if (copy && data_bytes) {
        void *room = ferry_graph_constant_room(graph, data_bytes);
        if (!room) return ferry_fail_memory(err, "constant data");
        memcpy(room, data, data_bytes);
        own = room;
    }
    FERRY_TRY(ferry_graph_add_value(graph, name, dtype, shape, out, err));
    return ferry_graph_make_constant(graph, *out, dtype, shape, own, data_bytes, err);
}

ferry_status ferry_graph_add_constant_s64(ferry_graph *graph, const char *name, const int64_t *values, int32_t count,
                                          ferry_value_id *out, ferry_error *err)
{
    const int64_t dims[1] = {count};
    const ferry_shape shape = ferry_shape_of(count < 0 ? 0 : 1, dims);
    const size_t n = count < 0 ? 1 : (size_t)count;
    return ferry_graph_add_constant(graph, name, FERRY_S64, &shape, values, n * sizeof *values, true, out, err);
}

// The first output's name, so that messages about an unnamed node still lead to a place in the model.
static const char *node_name(ferry_graph *graph, const char *name, const ferry_value_id *outputs, int32_t n_outputs)
{
    if (name && *name) return ferry_arena_strdup(&graph->arena, name);
    for (int32_t i = 0; i < n_outputs; i++)
        if (outputs[i] != FERRY_NO_VALUE) return ferry_arena_strdup(&graph->arena, graph->values[outputs[i]].name);
    return ferry_arena_printf(&graph->arena, "node_%zu", graph->n_nodes);
}

static bool ids_in_range(const ferry_graph *graph, const ferry_value_id *ids, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (ids[i] != FERRY_NO_VALUE && (ids[i] < 0 || (size_t)ids[i] >= graph->n_values)) return false;
    return n >= 0;
}

ferry_status ferry_graph_add_node(ferry_graph *graph, const struct ferry_op *op, const char *name,
                                  const ferry_value_id *inputs, int32_t n_inputs, const ferry_value_id *outputs,
                                  int32_t n_outputs, const ferry_attr *attrs, int32_t n_attrs, ferry_node_id *out,
                                  ferry_error *err)
{
    if (out) *out = FERRY_NO_NODE;
    if (!op || !ids_in_range(graph, inputs, n_inputs) || !ids_in_range(graph, outputs, n_outputs))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "node '%s' has no operator or names a value that is not there", name ? name : "");
    for (int32_t i = 0; i < n_outputs; i++) {
        if (outputs[i] == FERRY_NO_VALUE) continue;
        const ferry_value *v = &graph->values[outputs[i]];
        if (v->producer != FERRY_NO_NODE || v->is_input || v->data)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "value '%s' is made more than once", v->name);
    }
    ferry_node node = {.op = op, .n_inputs = n_inputs, .n_outputs = n_outputs, .n_attrs = n_attrs};
    node.name = node_name(graph, name, outputs, n_outputs);
    node.inputs = ferry_arena_copy(&graph->arena, inputs, (size_t)n_inputs * sizeof *inputs);
    node.outputs = ferry_arena_copy(&graph->arena, outputs, (size_t)n_outputs * sizeof *outputs);
    if (!node.name || !node.inputs || !node.outputs || !RESERVE(graph, graph->nodes, graph->cap_nodes, graph->n_nodes))
        return ferry_fail_memory(err, "a graph's nodes");
    FERRY_TRY(ferry_attrs_copy(graph, attrs, n_attrs, &node.attrs, err));
    const ferry_node_id id = (ferry_node_id)graph->n_nodes++;
    graph->nodes[id] = node;
    for (int32_t i = 0; i < n_outputs; i++)
        if (outputs[i] != FERRY_NO_VALUE) graph->values[outputs[i]].producer = id;
    if (out) *out = id;
    return FERRY_OK;
}

ferry_status ferry_graph_mark_input(ferry_graph *graph, ferry_value_id value, ferry_error *err)
{
    if (graph->values[value].is_input) return FERRY_OK;
    if (!RESERVE(graph, graph->inputs, graph->cap_inputs, graph->n_inputs))
        return ferry_fail_memory(err, "graph inputs");
    graph->inputs[graph->n_inputs++] = value;
    graph->values[value].is_input = true;
    return FERRY_OK;
}

ferry_status ferry_graph_mark_output(ferry_graph *graph, ferry_value_id value, ferry_error *err)
{
    if (graph->values[value].is_output) return FERRY_OK;
    if (!RESERVE(graph, graph->outputs, graph->cap_outputs, graph->n_outputs))
        return ferry_fail_memory(err, "graph outputs");
    graph->outputs[graph->n_outputs++] = value;
    graph->values[value].is_output = true;
    return FERRY_OK;
}

int32_t ferry_graph_symbol(ferry_graph *graph, const char *name)
{
    // Models have a handful of symbols; a hostile one with many gets its later dimensions unnamed rather than slow.
    enum { MOST_SYMBOLS = 4096 };
    for (size_t i = 0; i < graph->n_symbols; i++)
        if (strcmp(graph->symbols[i], name) == 0) return (int32_t)i;
    if (graph->n_symbols >= MOST_SYMBOLS) return FERRY_NO_SYMBOL;
    const char *own = ferry_arena_strdup(&graph->arena, name);
    if (!own || !RESERVE(graph, graph->symbols, graph->cap_symbols, graph->n_symbols)) return FERRY_NO_SYMBOL;
    graph->symbols[graph->n_symbols] = own;
    return (int32_t)graph->n_symbols++;
}

ferry_status ferry_graph_add_metadata(ferry_graph *graph, const char *key, const char *value, ferry_error *err)
{
    const ferry_metadata m = {ferry_arena_strdup(&graph->arena, key), ferry_arena_strdup(&graph->arena, value)};
    if (!m.key || !m.value || !RESERVE(graph, graph->metadata, graph->cap_metadata, graph->n_metadata))
        return ferry_fail_memory(err, "metadata");
    graph->metadata[graph->n_metadata++] = m;
    return FERRY_OK;
}
