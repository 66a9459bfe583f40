// SPDX-License-Identifier: Apache-2.0
// Honours the cap on scratch memory. On the host every candidate is made ready once, and what needs more is left out
// before anything is timed or chosen. Where that means compiling, only what is timed or chosen is looked at; where
// there is no device to make a kernel ready on, its scratch is not known, and the cap is not held.
#include "plan/select.h"

static ferry_status describe(const ferry_planner *p, const ferry_value_id *values, int32_t n,
                             ferry_tensor_layout layout, ferry_arena *arena, ferry_tensor_desc **out, ferry_error *err)
{
    *out = ferry_arena_alloc_array(arena, (size_t)n, sizeof **out);
    if (!*out) return ferry_fail_memory(err, "a plan");
    for (int32_t i = 0; i < n; i++) {
        if (!ferry_value_desc(p->graph, values[i], layout, &(*out)[i]))
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "shape of '%s' is not known",
                              p->graph->values[values[i]].name);
        (*out)[i].bounded = p->bounded[values[i]];
    }
    return FERRY_OK;
}

ferry_status ferry_planner_weigh(const ferry_planner *p, const ferry_candidate *c, ferry_arena *arena,
                                 size_t *out_bytes, ferry_error *err)
{
    ferry_device *device = p->devices[c->device];
    ferry_region region;
    ferry_tensor_desc *in = NULL, *out = NULL;
    void *packed = NULL;
    size_t packed_bytes = 0;
    ferry_kernel *kernel = NULL;
    FERRY_TRY(
        ferry_region_make(p->graph, p->view.user_offsets, p->view.users, c->nodes, c->n_nodes, arena, &region, err));
    FERRY_TRY(describe(p, region.inputs, region.n_inputs, c->in_layout, arena, &in, err));
    FERRY_TRY(describe(p, region.outputs, region.n_outputs, c->out_layout, arena, &out, err));
    FERRY_TRY(device->backend->pack(device, &region, c->tactic, &packed, &packed_bytes, err));
    const ferry_status s =
        device->backend->prepare(device, &region, c->tactic, in, out, packed, packed_bytes, &kernel, err);
    if (s == FERRY_OK) *out_bytes = kernel->workspace_bytes;
    device->backend->release(kernel);
    ferry_heap_free(device->heap, packed, packed_bytes);
    return s;
}

static ferry_status fail_over_cap(const ferry_planner *p, ferry_node_id node, uint64_t least, ferry_error *err)
{
    return ferry_fail(
        err, FERRY_ERR_OUT_OF_MEMORY,
        "node '%s': its tactics need at least %llu bytes of workspace, the cap is %llu; raise --workspace",
        p->graph->nodes[node].name, (unsigned long long)least, (unsigned long long)p->options->workspace_bytes);
}

// --- On the host: before anything is timed --------------------------------------------------------------------------

static ferry_status cap_node(ferry_planner *p, ferry_node_id node, ferry_arena *arena, ferry_error *err)
{
    ferry_candidate_list *list = &p->candidates[node];
    uint64_t least = UINT64_MAX;
    bool left = list->count == 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t need = 0;
        ferry_error why = {.text = ""};
        const ferry_status s = ferry_planner_weigh(p, &list->items[i], arena, &need, &why);
        ferry_arena_deinit(arena);
        if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail(err, s, "%s", why.text);
        if (s != FERRY_OK)
            ferry_log(p->options->logger, FERRY_SEVERITY_VERBOSE, "tactic %s left out: %s", list->items[i].tactic,
                      why.text);
        list->items[i].dropped = s != FERRY_OK || need > p->options->workspace_bytes;
        left |= !list->items[i].dropped;
        if (s == FERRY_OK && list->items[i].n_nodes == 1 && need < least) least = need;
    }
    return left || least == UINT64_MAX ? FERRY_OK : fail_over_cap(p, node, least, err);
}

ferry_status ferry_planner_cap_workspace(ferry_planner *planner, ferry_error *err)
{
    if (planner->options->workspace_bytes == 0) return FERRY_OK;
    ferry_arena arena;
    ferry_arena_init(&arena, planner->heap);
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < planner->graph->n_nodes; i++) {
        const ferry_candidate_list *list = &planner->candidates[i];
        if (list->count && planner->infos[list->items[0].device].synchronous)
            s = cap_node(planner, (ferry_node_id)i, &arena, err);
    }
    ferry_arena_deinit(&arena);
    return s;
}

// --- On devices that compile to prepare a kernel: what is timed (bench.c) or chosen ---------------------------------

// The least that single-node tactics of the node were found to need; UINT64_MAX while one may serve that was not.
static uint64_t least_need(const ferry_candidate_list *list)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < list->count; i++) {
        const ferry_candidate *c = &list->items[i];
        if (!c->dropped) return UINT64_MAX;
        if (c->n_nodes == 1 && c->weighed && c->workspace_bytes < least) least = c->workspace_bytes;
    }
    return least;
}

static ferry_status hold_to_cap(ferry_planner *p, ferry_node_id node, bool *out_over, ferry_error *err)
{
    ferry_candidate *c = &p->candidates[node].items[p->chosen[node]];
    const ferry_device_info *info = &p->infos[c->device];
    if (info->synchronous || info->build_only) return FERRY_OK;
    ferry_error why = {.text = ""};
    ferry_status s = FERRY_OK;
    if (!c->weighed) {
        ferry_arena arena;
        size_t need = 0;
        ferry_arena_init(&arena, p->heap);
        s = ferry_planner_weigh(p, c, &arena, &need, &why);
        ferry_arena_deinit(&arena);
        if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail(err, s, "%s", why.text);
        c->workspace_bytes = need;
        c->weighed = s == FERRY_OK;
    }
    if (s == FERRY_OK && c->workspace_bytes <= p->options->workspace_bytes) return FERRY_OK;
    if (s == FERRY_OK)
        (void)ferry_fail(&why, FERRY_ERR_OUT_OF_MEMORY, "it needs %llu bytes of workspace, the cap is %llu",
                         (unsigned long long)c->workspace_bytes, (unsigned long long)p->options->workspace_bytes);
    ferry_planner_drop(p, c, s == FERRY_OK ? FERRY_ERR_OUT_OF_MEMORY : s, &why);
    *out_over = true;
    return FERRY_OK;
}

// A node that nothing is left for since it all needs more is told with the numbers.
static ferry_status explain(const ferry_planner *p, ferry_status s, ferry_error *err)
{
    for (size_t n = 0; p->options->workspace_bytes && n < p->graph->n_nodes; n++) {
        const uint64_t least = least_need(&p->candidates[n]);
        if (least != UINT64_MAX && least > p->options->workspace_bytes)
            return fail_over_cap(p, (ferry_node_id)n, least, err);
    }
    return s;
}

ferry_status ferry_planner_select_in_cap(ferry_planner *p, ferry_error *err)
{
    for (bool over = true; over;) {
        over = false;
        const ferry_status s = ferry_planner_select_in_budget(p, err);
        if (s != FERRY_OK) return explain(p, s, err);
        for (size_t n = 0; p->options->workspace_bytes && n < p->graph->n_nodes; n++)
            if (p->chosen[n] >= 0) FERRY_TRY(hold_to_cap(p, (ferry_node_id)n, &over, err));
    }
    return FERRY_OK;
}
