// SPDX-License-Identifier: Apache-2.0
// Sweeping a graph: deleted nodes and unused values go, the rest is renumbered and sorted topologically.
#include "graph/internal.h"
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

// The smallest ready node index comes out first, which makes the sort stable: a sorted graph stays as it is.
typedef struct ready_heap {
    ferry_node_id *items;
    size_t count;
} ready_heap;

static void push(ready_heap *heap, ferry_node_id node)
{
    size_t i = heap->count++;
    for (; i > 0 && heap->items[(i - 1) / 2] > node; i = (i - 1) / 2) heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = node;
}

static ferry_node_id pop(ready_heap *heap)
{
    const ferry_node_id top = heap->items[0], last = heap->items[--heap->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && heap->items[child + 1] < heap->items[child]) child++;
        if (heap->items[child] >= last) break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    heap->items[i] = last;
    return top;
}

static ferry_node_id producer_of(const ferry_graph *graph, ferry_value_id value)
{
    return value == FERRY_NO_VALUE ? FERRY_NO_NODE : graph->values[value].producer;
}

// Every node that still waits has a waiting producer; going from one to the next must come round.
static ferry_status fail_cycle(const ferry_graph *graph, const int32_t *waiting, ferry_node_id *seen_at,
                               ferry_error *err)
{
    ferry_node_id node = FERRY_NO_NODE;
    for (size_t n = 0; n < graph->n_nodes && node == FERRY_NO_NODE; n++) {
        if (graph->nodes[n].op && waiting[n] > 0) node = (ferry_node_id)n;
        seen_at[n] = 0;
    }
    char text[600];
    size_t used = 0;
    text[0] = 0;
    for (int round = 0; round < 2;) { // the first time round finds the cycle, the second names its nodes
        if (seen_at[node] == round + 1) {
            round++;
            if (round == 2) break;
        }
        seen_at[node] = round + 1;
        if (round == 1 && used < sizeof text - 80) {
            const int n = snprintf(text + used, sizeof text - used, "%s'%.60s' (%s)", used ? " <- " : "",
                                   graph->nodes[node].name, graph->nodes[node].op->name);
            used += n < 0 ? 0 : (size_t)n;
        } else if (round == 1 && used < sizeof text - 8) {
            used += (size_t)snprintf(text + used, sizeof text - used, " ...");
            used = sizeof text;
        }
        for (int32_t i = 0; i < graph->nodes[node].n_inputs; i++) {
            const ferry_node_id p = producer_of(graph, graph->nodes[node].inputs[i]);
            if (p != FERRY_NO_NODE && waiting[p] > 0) {
                node = p;
                break;
            }
        }
    }
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the graph has a cycle: %s", text);
}

// order[i] is the old index of the node that comes i-th.
static ferry_status sort_nodes(const ferry_graph *graph, ferry_arena *scratch, ferry_node_id *order, size_t *out_count,
                               ferry_error *err)
{
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    FERRY_TRY(ferry_graph_users(graph, scratch, &offsets, &users, err));
    int32_t *waiting = ferry_arena_alloc_array(scratch, graph->n_nodes, sizeof *waiting);
    ready_heap ready = {.items = ferry_arena_alloc_array(scratch, graph->n_nodes, sizeof *ready.items)};
    if (!waiting || !ready.items) return ferry_fail_memory(err, "sorting a graph");
    size_t live = 0, done = 0;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (!graph->nodes[n].op) continue;
        live++;
        for (int32_t i = 0; i < graph->nodes[n].n_inputs; i++)
            waiting[n] += producer_of(graph, graph->nodes[n].inputs[i]) != FERRY_NO_NODE;
        if (waiting[n] == 0) push(&ready, (ferry_node_id)n);
    }
    while (ready.count) {
        const ferry_node_id n = pop(&ready);
        order[done++] = n;
        for (int32_t o = 0; o < graph->nodes[n].n_outputs; o++) {
            const ferry_value_id v = graph->nodes[n].outputs[o];
            if (v == FERRY_NO_VALUE || graph->values[v].producer != n) continue;
            for (int32_t u = offsets[v]; u < offsets[v + 1]; u++)
                if (--waiting[users[u]] == 0) push(&ready, users[u]);
        }
    }
    *out_count = done;
    return done == live ? FERRY_OK : fail_cycle(graph, waiting, ready.items, err);
}

// new_id[v] is the value's number afterwards, FERRY_NO_VALUE for those that nothing names.
static size_t number_values(const ferry_graph *graph, ferry_value_id *new_id)
{
    for (size_t v = 0; v < graph->n_values; v++)
        new_id[v] = graph->values[v].is_input || graph->values[v].is_output ? 0 : FERRY_NO_VALUE;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const ferry_node *node = &graph->nodes[n];
        if (!node->op) continue;
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE) new_id[node->inputs[i]] = 0;
        for (int32_t i = 0; i < node->n_outputs; i++)
            if (node->outputs[i] != FERRY_NO_VALUE) new_id[node->outputs[i]] = 0;
    }
    ferry_value_id next = 0;
    for (size_t v = 0; v < graph->n_values; v++)
        if (new_id[v] == 0) new_id[v] = next++;
    return (size_t)next;
}

static void renumber(ferry_value_id *ids, size_t n, const ferry_value_id *new_id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] != FERRY_NO_VALUE) ids[i] = new_id[ids[i]];
}

// From here on nothing can fail: the graph is either untouched or swept.
static void sweep(ferry_graph *graph, const ferry_node_id *order, size_t n_nodes, ferry_node *sorted,
                  const ferry_value_id *new_id, size_t n_values)
{
    for (size_t n = 0; n < n_nodes; n++) sorted[n] = graph->nodes[order[n]];
    for (size_t v = 0; v < graph->n_values; v++)
        if (new_id[v] != FERRY_NO_VALUE) graph->values[new_id[v]] = graph->values[v];
    if (graph->n_values > n_values)
        memset(graph->values + n_values, 0, (graph->n_values - n_values) * sizeof *graph->values);
    graph->n_values = n_values;
    if (n_nodes) memcpy(graph->nodes, sorted, n_nodes * sizeof *sorted);
    graph->n_nodes = n_nodes;
    for (size_t v = 0; v < n_values; v++) graph->values[v].producer = FERRY_NO_NODE;
    for (size_t n = 0; n < n_nodes; n++) {
        ferry_node *node = &graph->nodes[n];
        renumber(node->inputs, (size_t)node->n_inputs, new_id);
        renumber(node->outputs, (size_t)node->n_outputs, new_id);
        for (int32_t i = 0; i < node->n_outputs; i++)
            if (node->outputs[i] != FERRY_NO_VALUE) graph->values[node->outputs[i]].producer = (ferry_node_id)n;
    }
    renumber(graph->inputs, graph->n_inputs, new_id);
    renumber(graph->outputs, graph->n_outputs, new_id);
    ferry_names_refill(graph);
}

ferry_status ferry_graph_compact(ferry_graph *graph, ferry_error *err)
{
    ferry_arena scratch;
    ferry_arena_init(&scratch, graph->heap);
    ferry_node_id *order = ferry_arena_alloc_array(&scratch, graph->n_nodes, sizeof *order);
    ferry_node *sorted = ferry_arena_alloc_array(&scratch, graph->n_nodes, sizeof *sorted);
    ferry_value_id *new_id = ferry_arena_alloc_array(&scratch, graph->n_values, sizeof *new_id);
    size_t n_nodes = 0;
    ferry_status s = order && sorted && new_id ? sort_nodes(graph, &scratch, order, &n_nodes, err)
                                               : ferry_fail_memory(err, "sorting a graph");
    if (s == FERRY_OK) sweep(graph, order, n_nodes, sorted, new_id, number_values(graph, new_id));
    ferry_arena_deinit(&scratch);
    return s;
}
