// SPDX-License-Identifier: Apache-2.0
// Runs a whole graph with the reference kernels; values are dropped after their last reader.
#include "support/run_graph.h"

#include <string.h>

#include "ops/element.h"
#include "ops/infer.h"

static size_t last_use(const ferry_graph *graph, ferry_value_id value)
{
    size_t last = 0;
    if (graph->values[value].is_output) return SIZE_MAX;
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (int32_t i = 0; i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] == value) last = n;
    return last;
}

// One node; its results are kept in an arena of their own, so that they can be freed one by one.
static ferry_status run_node(const ferry_graph *graph, size_t n, ferry_tensor *values, ferry_arena *arenas,
                             ferry_error *err)
{
    enum { MOST = 256 };
    ferry_tensor in[MOST], out[MOST];
    const ferry_node *node = &graph->nodes[n];
    if (node->n_inputs > MOST || node->n_outputs > MOST) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "many inputs");
    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != FERRY_NO_VALUE) in[i] = values[node->inputs[i]];
    ferry_arena_init(&arenas[n], graph->heap);
    const ferry_status s = ferry_node_eval(graph, node, in, out, &arenas[n], err);
    if (s != FERRY_OK) return ferry_within(err, s, "node '%s' (%s)", node->name, node->op->name);
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != FERRY_NO_VALUE) values[node->outputs[i]] = out[i];
    return FERRY_OK;
}

ferry_status ferry_run_graph(const ferry_graph *graph, const ferry_tensor *inputs, ferry_tensor *outputs,
                             ferry_arena *arena,
                             void (*observe)(void *user, ferry_value_id value, const ferry_tensor *tensor), void *user,
                             ferry_error *err)
{
    ferry_arena own;
    ferry_arena_init(&own, graph->heap);
    ferry_tensor *values = ferry_arena_alloc_array(&own, graph->n_values + 1, sizeof *values);
    ferry_arena *arenas = ferry_arena_alloc_array(&own, graph->n_nodes + 1, sizeof *arenas);
    size_t *dies = ferry_arena_alloc_array(&own, graph->n_nodes + 1, sizeof *dies);
    if (!values || !arenas || !dies) return ferry_fail_memory(err, "running a graph");
    for (size_t v = 0; v < graph->n_values; v++)
        if (ferry_value_is_constant(&graph->values[v])) values[v] = ferry_value_tensor(&graph->values[v]);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        values[graph->inputs[i]] = inputs[i];
        if (observe) observe(user, graph->inputs[i], &inputs[i]);
    }
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (int32_t i = 0; i < graph->nodes[n].n_outputs; i++) {
            if (graph->nodes[n].outputs[i] == FERRY_NO_VALUE) continue;
            const size_t last = last_use(graph, graph->nodes[n].outputs[i]);
            if (last > dies[n]) dies[n] = last;
        }
    ferry_status s = FERRY_OK;
    for (size_t n = 0; s == FERRY_OK && n < graph->n_nodes; n++) {
        if (!graph->nodes[n].op) continue;
        s = run_node(graph, n, values, arenas, err);
        for (int32_t i = 0; s == FERRY_OK && observe && i < graph->nodes[n].n_outputs; i++)
            if (graph->nodes[n].outputs[i] != FERRY_NO_VALUE)
                observe(user, graph->nodes[n].outputs[i], &values[graph->nodes[n].outputs[i]]);
        for (size_t k = 0; s == FERRY_OK && k <= n; k++)
            if (dies[k] <= n) ferry_arena_deinit(&arenas[k]);
    }
    for (size_t i = 0; s == FERRY_OK && i < graph->n_outputs; i++) {
        outputs[i] = values[graph->outputs[i]];
        outputs[i].quant = NULL;
        outputs[i].data = ferry_arena_copy(arena, outputs[i].data, ferry_tensor_bytes(&outputs[i]));
        if (!outputs[i].data) s = ferry_fail_memory(err, "outputs");
    }
    for (size_t n = 0; n < graph->n_nodes; n++) ferry_arena_deinit(&arenas[n]);
    ferry_arena_deinit(&own);
    return s;
}

float ferry_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*seed >> 40) / (double)(1u << 23) - 1.0);
}

ferry_tensor ferry_random_tensor(ferry_arena *arena, ferry_dtype dtype, int32_t rank, const int64_t *dims, float range,
                                 uint64_t *seed)
{
    ferry_tensor t = {.dtype = dtype, .rank = rank};
    for (int32_t i = 0; i < rank; i++) t.dims[i] = dims[i];
    const size_t n = ferry_tensor_elements(&t);
    t.data = ferry_arena_alloc(arena, n * ferry_dtype_bytes(dtype));
    for (size_t i = 0; i < n; i++) {
        const double r = (double)ferry_random(seed);
        ferry_store_f64(&t, i, dtype == FERRY_S8 ? (double)(int)(r * 127.999) : r * (double)range);
    }
    return t;
}
