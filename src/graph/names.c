// SPDX-License-Identifier: Apache-2.0
// The index of value names: a model of 100,000 values must not be searched once for every input of every node.
#include "graph/internal.h"

#include <string.h>
#include <xxhash.h>

struct ferry_name_index {
    ferry_value_id *slots; // [n_slots], FERRY_NO_VALUE where empty
    size_t n_slots;        // a power of two, more than twice the names
    size_t n_names;
};

static size_t find_slot(const struct ferry_name_index *index, const ferry_value *values, const char *name)
{
    const size_t mask = index->n_slots - 1;
    size_t slot = (size_t)XXH64(name, strlen(name), 0) & mask;
    while (index->slots[slot] != FERRY_NO_VALUE && strcmp(values[index->slots[slot]].name, name) != 0)
        slot = (slot + 1) & mask;
    return slot;
}

static void clear(struct ferry_name_index *index)
{
    for (size_t i = 0; i < index->n_slots; i++) index->slots[i] = FERRY_NO_VALUE;
    index->n_names = 0;
}

static bool grow(ferry_graph *graph, size_t n_slots)
{
    struct ferry_name_index *index = graph->names;
    ferry_value_id *slots = ferry_heap_alloc_array(graph->heap, n_slots, sizeof *slots);
    if (!slots) return false;
    ferry_heap_free(graph->heap, index->slots, index->n_slots * sizeof *slots);
    index->slots = slots;
    index->n_slots = n_slots;
    ferry_names_refill(graph);
    return true;
}

bool ferry_names_reserve(ferry_graph *graph)
{
    if (!graph->names) graph->names = ferry_new(graph->heap, struct ferry_name_index);
    struct ferry_name_index *index = graph->names;
    if (!index) return false;
    if (index->n_slots > 2 * (index->n_names + 1)) return true;
    return grow(graph, index->n_slots ? 2 * index->n_slots : 64);
}

void ferry_names_add(ferry_graph *graph, ferry_value_id id)
{
    struct ferry_name_index *index = graph->names;
    index->slots[find_slot(index, graph->values, graph->values[id].name)] = id;
    index->n_names++;
}

// Entries behind the gap move up into it unless that would put them before the place where their search begins.
void ferry_names_remove(ferry_graph *graph, ferry_value_id id)
{
    struct ferry_name_index *index = graph->names;
    const size_t mask = index->n_slots - 1;
    size_t gap = find_slot(index, graph->values, graph->values[id].name);
    for (size_t at = (gap + 1) & mask; index->slots[at] != FERRY_NO_VALUE; at = (at + 1) & mask) {
        const char *name = graph->values[index->slots[at]].name;
        const size_t home = (size_t)XXH64(name, strlen(name), 0) & mask;
        if (((at - home) & mask) < ((at - gap) & mask)) continue;
        index->slots[gap] = index->slots[at];
        gap = at;
    }
    index->slots[gap] = FERRY_NO_VALUE;
    index->n_names--;
}

void ferry_names_swap(ferry_graph *graph, ferry_value_id a, ferry_value_id b)
{
    ferry_value *values = graph->values;
    const size_t slot_a = find_slot(graph->names, values, values[a].name);
    const size_t slot_b = find_slot(graph->names, values, values[b].name);
    graph->names->slots[slot_a] = b;
    graph->names->slots[slot_b] = a;
    const char *name = values[a].name;
    values[a].name = values[b].name;
    values[b].name = name;
}

void ferry_names_refill(ferry_graph *graph)
{
    if (!graph->names) return;
    clear(graph->names);
    // A refill during growth comes before the newest value is counted, so every value here has its place.
    for (size_t v = 0; v < graph->n_values; v++) ferry_names_add(graph, (ferry_value_id)v);
}

void ferry_names_free(ferry_graph *graph)
{
    if (!graph->names) return;
    ferry_heap_free(graph->heap, graph->names->slots, graph->names->n_slots * sizeof *graph->names->slots);
    ferry_delete(graph->heap, graph->names);
    graph->names = NULL;
}

ferry_value_id ferry_graph_find_value(const ferry_graph *graph, const char *name)
{
    if (!graph->names || graph->names->n_slots == 0) return FERRY_NO_VALUE;
    return graph->names->slots[find_slot(graph->names, graph->values, name)];
}
