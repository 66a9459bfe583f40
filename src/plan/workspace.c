// SPDX-License-Identifier: Apache-2.0
// Honours the cap on scratch memory: every candidate is made ready once, measured times or not, and what needs more is
// left out before anything is timed or chosen.
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

static ferry_status cap_node(ferry_planner *p, ferry_node_id node, ferry_arena *arena, ferry_error *err)
{
    const uint64_t cap = p->options->workspace_bytes;
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
        list->items[i].dropped = s != FERRY_OK || need > cap;
        left |= !list->items[i].dropped;
        if (s == FERRY_OK && list->items[i].n_nodes == 1 && need < least) least = need;
    }
    if (left || least == UINT64_MAX) return FERRY_OK;
    return ferry_fail(
        err, FERRY_ERR_OUT_OF_MEMORY,
        "node '%s': its tactics need at least %llu bytes of workspace, the cap is %llu; raise --workspace",
        p->graph->nodes[node].name, (unsigned long long)least, (unsigned long long)cap);
}

ferry_status ferry_planner_cap_workspace(ferry_planner *planner, ferry_error *err)
{
    if (planner->options->workspace_bytes == 0) return FERRY_OK;
    ferry_arena arena;
    ferry_arena_init(&arena, planner->heap);
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < planner->graph->n_nodes; i++)
        s = cap_node(planner, (ferry_node_id)i, &arena, err);
    ferry_arena_deinit(&arena);
    return s;
}
