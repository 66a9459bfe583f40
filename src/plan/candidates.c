// SPDX-License-Identifier: Apache-2.0
// Asks devices, the preferred one first, what they can do for each node.
#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "plan/select.h"

bool ferry_planner_is_view(const ferry_planner *planner, ferry_node_id id)
{
    const ferry_graph *graph = planner->graph;
    const ferry_node *node = &graph->nodes[id];
    if (!(node->op->flags & FERRY_OP_VIEW)) return false;
    if (node->n_inputs < 1 || node->inputs[0] == FERRY_NO_VALUE) return false;
    if (ferry_value_is_constant(&graph->values[node->inputs[0]]) || planner->bounded[node->inputs[0]]) return false;
    for (int32_t i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] != FERRY_NO_VALUE) return false;
    return true;
}

bool ferry_value_desc(const ferry_graph *graph, ferry_value_id value, ferry_tensor_layout layout,
                      ferry_tensor_desc *out)
{
    const ferry_value *v = &graph->values[value];
    *out = (ferry_tensor_desc){.dtype = v->dtype, .layout = layout, .rank = v->shape.rank, .quant = &v->quant};
    if (!ferry_shape_is_known(&v->shape)) return false;
    memcpy(out->dims, v->shape.dims, sizeof out->dims);
    ferry_tensor_desc_set_strides(out);
    return true;
}

typedef struct taker {
    ferry_planner *planner;
    ferry_node_id root;
    int32_t device;
} taker;

static ferry_status take(void *user, const ferry_offer *offer, ferry_error *err)
{
    taker *t = user;
    ferry_candidate_list *list = &t->planner->candidates[t->root];
    if (t->planner->options->single_nodes && offer->n_nodes > 1) return FERRY_OK;
    // A view alone needs no kernel.
    if (offer->n_nodes == 1 && ferry_planner_is_view(t->planner, t->root)) return FERRY_OK;
    if (t->planner->options->no_transforms && (offer->flags & FERRY_OFFER_TRANSFORMS)) return FERRY_OK;
    if (offer->flags & FERRY_OFFER_PERMITTED_ONLY & ~t->planner->view.permitted) return FERRY_OK;
    void *items = list->items;
    const ferry_node_id *nodes =
        ferry_arena_copy(&t->planner->scratch, offer->nodes, (size_t)offer->n_nodes * sizeof *offer->nodes);
    if (!nodes || !ferry_heap_reserve(t->planner->heap, &items, &list->capacity, sizeof *list->items, list->count + 1))
        return ferry_fail_memory(err, "tactics");
    list->items = items;
    list->items[list->count++] = (ferry_candidate){
        .tactic = offer->tactic,
        .nodes = nodes,
        .n_nodes = offer->n_nodes,
        .device = t->device,
        .in_layout = offer->in_layout,
        .out_layout = offer->out_layout,
        .flags = offer->flags,
        .cost_us = offer->cost_us,
        .estimate_us = offer->cost_us,
        .extra_bytes = offer->extra_bytes,
    };
    return FERRY_OK;
}

// Reference kernels stay only where a single node has nothing better.
static void drop_reference(ferry_candidate_list *list)
{
    bool better = false;
    for (size_t i = 0; i < list->count; i++)
        better |= list->items[i].n_nodes == 1 && !(list->items[i].flags & FERRY_OFFER_REFERENCE);
    if (!better) return;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!(list->items[i].flags & FERRY_OFFER_REFERENCE)) list->items[kept++] = list->items[i];
    list->count = kept;
}

// True sizes travel in host memory from step to step: only a device that is done when enqueue returns can use them.
static bool is_bounded(const ferry_planner *planner, const ferry_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != FERRY_NO_VALUE && planner->bounded[node->inputs[i]]) return true;
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != FERRY_NO_VALUE && planner->bounded[node->outputs[i]]) return true;
    return false;
}

static void report_missing(ferry_planner *planner, ferry_node_id id)
{
    const ferry_node *node = &planner->graph->nodes[id];
    char subject[256], why[512] = "";
    snprintf(subject, sizeof subject, "node '%s' (%s)", node->name, node->op->name);
    size_t used = 0;
    for (int32_t d = 0; d < planner->n_devices && used + 1 < sizeof why; d++) {
        const ferry_backend *backend = planner->devices[d]->backend;
        char reason[256] = "no kernel for it";
        if (is_bounded(planner, node) && !planner->infos[d].synchronous)
            snprintf(reason, sizeof reason, "the size of its tensors depends on data");
        else if (backend->why_not)
            backend->why_not(planner->devices[d], planner->graph, id, reason, sizeof reason);
        const int n = snprintf(why + used, sizeof why - used, "%s%s: %s", d ? "; " : "", backend->name, reason);
        if (n > 0) used += (size_t)n;
    }
    ferry_report_add(planner->report, FERRY_SEVERITY_ERROR, subject, "can't run on %s%s", why,
                     planner->n_devices == 1 && strcmp(planner->devices[0]->backend->name, "cpu") != 0
                         ? " (with --gpu-fallback other devices may take it)"
                         : "");
}

// TopK of a constant count has a size like any other.
static bool has_data_shape(const ferry_graph *graph, const ferry_node *node)
{
    if (!(node->op->flags & FERRY_OP_DATA_SHAPE)) return false;
    return !ferry_node_is(node, "TopK") || !ferry_value_is_constant(&graph->values[node->inputs[1]]);
}

void ferry_plan_find_bounded(const ferry_graph *graph, bool *out)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const ferry_node *node = &graph->nodes[i];
        bool bounded = has_data_shape(graph, node);
        for (int32_t k = 0; k < node->n_inputs; k++)
            bounded |= node->inputs[k] != FERRY_NO_VALUE && out[node->inputs[k]];
        for (int32_t k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] != FERRY_NO_VALUE) out[node->outputs[k]] = bounded;
    }
}

ferry_status ferry_planner_collect(ferry_planner *planner, ferry_error *err)
{
    ferry_plan_find_bounded(planner->graph, planner->bounded);
    for (ferry_node_id id = 0; (size_t)id < planner->graph->n_nodes; id++) {
        ferry_candidate_list *list = &planner->candidates[id];
        const bool host_only = is_bounded(planner, &planner->graph->nodes[id]);
        for (int32_t d = 0; d < planner->n_devices && list->count == 0; d++) {
            if (host_only && !planner->infos[d].synchronous) continue;
            taker t = {planner, id, d};
            const ferry_offer_sink sink = {take, &t};
            FERRY_TRY(planner->devices[d]->backend->offer(planner->devices[d], &planner->view, id, &sink, err));
        }
        // Under a cap on scratch memory the reference kernels, which need next to none, may be the only way.
        if (!planner->options->workspace_bytes) drop_reference(list);
        if (list->count == 0 && !ferry_planner_is_view(planner, id)) report_missing(planner, id);
    }
    return FERRY_OK;
}
