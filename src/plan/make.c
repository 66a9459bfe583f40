// SPDX-License-Identifier: Apache-2.0
// Making a plan: collect offers, time rivals, choose, assemble, pack constants.
#include <string.h>

#include "plan/select.h"

static ferry_status describe_devices(ferry_planner *p, ferry_plan *out, ferry_error *err)
{
    out->n_devices = p->n_devices;
    out->threads = p->options->threads;
    for (int32_t d = 0; d < p->n_devices; d++) {
        p->devices[d]->backend->describe(p->devices[d], &p->infos[d]);
        out->devices[d].backend = ferry_arena_strdup(&out->arena, p->devices[d]->backend->name);
        out->devices[d].fingerprint = ferry_arena_strdup(&out->arena, p->infos[d].fingerprint);
        if (!out->devices[d].backend || !out->devices[d].fingerprint) return ferry_fail_memory(err, "a plan");
    }
    return FERRY_OK;
}

ferry_status ferry_planner_choose(ferry_planner *p, ferry_plan *out, ferry_error *err)
{
    FERRY_TRY(ferry_planner_select_in_cap(p, err));
    FERRY_TRY(ferry_planner_choose_slices(p, err));
    return ferry_planner_assemble(p, out, err);
}

// A plan that needs its first device alone is one for that device alone: it also fits where the others are other ones.
static void forget_unused_devices(ferry_plan *plan)
{
    for (size_t b = 0; b < plan->n_buffers; b++)
        if (plan->buffers[b].device > 0) return;
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].device > 0) return;
    plan->n_devices = 1;
}

static uint32_t permitted(const ferry_plan_options *options)
{
    return (options->own_tactics ? 0 : (uint32_t)FERRY_OFFER_LIBRARY) |
           (options->tf32 ? (uint32_t)FERRY_OFFER_TF32 : 0);
}

// Kept in the plan's own heap, as what is packed for steps.
static ferry_status pack_pictures(const ferry_planner *p, ferry_plan *out, ferry_error *err)
{
    ferry_device *device = p->devices[0];
    if (!p->options->pictures || !device->backend->pack_preprocess) return FERRY_OK;
    void *data = NULL;
    size_t bytes = 0;
    FERRY_TRY(device->backend->pack_preprocess(device, &data, &bytes, err));
    uint8_t *own = ferry_heap_alloc_uninit(p->heap, bytes);
    if (own) {
        memcpy(own, data, bytes);
        out->pictures = own;
        out->pictures_bytes = bytes;
        out->pictures_owned = true;
    }
    ferry_heap_free(device->heap, data, bytes);
    return own ? FERRY_OK : ferry_fail_memory(err, "kernels for pictures");
}

// An engine comes to need a vendor's library where that was measured to be faster, never by a guess.
static void drop_guesses(ferry_planner *p)
{
    for (size_t n = 0; n < p->graph->n_nodes; n++)
        for (size_t i = 0; i < p->candidates[n].count; i++) {
            ferry_candidate *c = &p->candidates[n].items[i];
            c->dropped |= (c->flags & FERRY_OFFER_LIBRARY) && !c->measured;
        }
}

// Says which libraries the plan's tactics run: an engine needs them from now on.
static ferry_status name_libraries(const ferry_planner *p, ferry_plan *out, ferry_error *err)
{
    char text[128] = "a library of the device's vendor";
    size_t layers = 0;
    for (size_t n = 0; n < p->graph->n_nodes; n++) {
        const ferry_candidate *c = p->chosen[n] >= 0 ? &p->candidates[n].items[p->chosen[n]] : NULL;
        if (!c || !(c->flags & FERRY_OFFER_LIBRARY)) continue;
        const ferry_backend *backend = p->devices[c->device]->backend;
        if (layers++ == 0 && backend->describe_libraries)
            backend->describe_libraries(p->devices[c->device], text, sizeof text);
    }
    if (layers == 0) return FERRY_OK;
    ferry_log(p->options->logger, FERRY_SEVERITY_INFO, "%zu of the layers run in %s: without it the engine can't run",
              layers, text);
    out->libraries = ferry_arena_strdup(&out->arena, text);
    return out->libraries ? FERRY_OK : ferry_fail_memory(err, "a plan");
}

static ferry_status run_planner(ferry_planner *p, ferry_plan *out, ferry_error *err)
{
    const size_t n = p->graph->n_nodes;
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    p->candidates = ferry_arena_alloc_array(&p->scratch, n, sizeof *p->candidates);
    p->chosen = ferry_arena_alloc_array(&p->scratch, n, sizeof *p->chosen);
    p->root = ferry_arena_alloc_array(&p->scratch, n, sizeof *p->root);
    p->bounded = ferry_arena_alloc_array(&p->scratch, p->graph->n_values, sizeof *p->bounded);
    if (!p->candidates || !p->chosen || !p->root || !p->bounded) return ferry_fail_memory(err, "a plan");
    FERRY_TRY(ferry_graph_users(p->graph, &p->scratch, &offsets, &users, err));
    p->view = (ferry_graph_view){.graph = p->graph,
                                 .user_offsets = offsets,
                                 .users = users,
                                 .bounded = p->bounded,
                                 .permitted = permitted(p->options)};
    FERRY_TRY(describe_devices(p, out, err));
    FERRY_TRY(ferry_planner_collect(p, err));
    FERRY_TRY(ferry_report_status(p->report, FERRY_ERR_UNSUPPORTED, err));
    FERRY_TRY(ferry_planner_cap_workspace(p, err));
    FERRY_TRY(ferry_planner_time(p, err));
    drop_guesses(p);
    FERRY_TRY((p->options->low_memory ? ferry_planner_choose_lean : ferry_planner_choose)(p, out, err));
    FERRY_TRY(name_libraries(p, out, err));
    FERRY_TRY(ferry_planner_pack(p, out, err));
    FERRY_TRY(pack_pictures(p, out, err));
    forget_unused_devices(out);
    const ferry_status s = ferry_plan_verify(out, p->graph, err);
    return s == FERRY_OK ? s : ferry_within(err, FERRY_ERR_INTERNAL, "a plan that was just made");
}

ferry_status ferry_plan_make(const ferry_graph *graph, ferry_device *const *devices, int32_t n_devices,
                             const ferry_plan_options *options, ferry_plan *out, ferry_report *report, ferry_error *err)
{
    ferry_plan_init(out, graph->heap);
    if (n_devices < 1 || n_devices > FERRY_PLAN_MAX_DEVICES)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "a plan needs 1 to %d devices, not %d",
                          FERRY_PLAN_MAX_DEVICES, n_devices);
    ferry_report own_report;
    ferry_report_init(&own_report, graph->heap);
    ferry_planner p = {.graph = graph,
                       .devices = devices,
                       .n_devices = n_devices,
                       .options = options,
                       .heap = graph->heap,
                       .report = report ? report : &own_report};
    ferry_arena_init(&p.scratch, graph->heap);
    const ferry_status s = run_planner(&p, out, err);
    for (size_t i = 0; p.candidates && i < graph->n_nodes; i++)
        ferry_heap_free(p.heap, p.candidates[i].items, p.candidates[i].capacity * sizeof *p.candidates[i].items);
    ferry_arena_deinit(&p.scratch);
    ferry_report_deinit(&own_report);
    if (s != FERRY_OK) ferry_plan_deinit(out);
    return s;
}
