// SPDX-License-Identifier: Apache-2.0
// A plan for a device with a CPU behind it, on a machine with another CPU: the device's part stays as it is, and the
// CPU's layers keep their tactics, which have the same names on every CPU. How constants are packed for them differs.
#include "base/log.h"
#include "runtime/internal.h"

typedef struct repacked {
    const ferry_heap *heap; // of the device that packed it
    void *data;
    size_t bytes;
} repacked;

static void release(void *object)
{
    repacked *r = object;
    ferry_heap_free(r->heap, r->data, r->bytes);
    ferry_delete(r->heap, r);
}

static ferry_status pack(const ferry_graph_view *view, ferry_device *device, const ferry_plan_step *step, repacked *out,
                         ferry_error *err)
{
    ferry_arena arena;
    ferry_region region;
    ferry_arena_init(&arena, view->graph->heap);
    ferry_status s = ferry_region_make(view->graph, view->user_offsets, view->users, step->nodes, step->n_nodes, &arena,
                                       &region, err);
    if (s == FERRY_OK) s = device->backend->pack(device, &region, step->tactic, &out->data, &out->bytes, err);
    ferry_arena_deinit(&arena);
    return s == FERRY_OK ? s : ferry_within(err, s, "layer '%s', tactic %s", step->name, step->tactic);
}

// The step's constants, kept as long as the engine's graph.
static ferry_status repack(ferry_engine *e, const ferry_graph_view *view, ferry_plan_step *step, ferry_error *err)
{
    ferry_device *device = e->runtime->devices[step->device];
    repacked *r = ferry_new(device->heap, repacked);
    if (!r) return ferry_fail_memory(err, "packed constants");
    r->heap = device->heap;
    ferry_status s = pack(view, device, step, r, err);
    if (s != FERRY_OK) {
        release(r);
        return s;
    }
    step->own_packed = r->data;
    step->packed_bytes = r->bytes;
    return ferry_graph_keep(&e->image.graph, r, release, err); // which releases it when it fails
}

ferry_status ferry_engine_repack_host(ferry_engine *e, const ferry_graph_view *view, const ferry_plan *plan,
                                      ferry_error *err)
{
    const int32_t host = plan->n_devices - 1;
    ferry_plan *own = ferry_arena_copy(&e->image.arena, plan, sizeof *plan);
    ferry_plan_step *steps = ferry_arena_copy(&e->image.arena, plan->steps, plan->n_steps * sizeof *steps);
    size_t n = 0;
    if (!own || !steps) return ferry_fail_memory(err, "a plan");
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (steps[i].device != host || steps[i].kind != FERRY_STEP_REGION) continue;
        FERRY_TRY(repack(e, view, &steps[i], err));
        n += steps[i].packed_bytes > 0;
    }
    own->steps = steps;
    e->plan = own;
    if (n)
        ferry_log(&e->runtime->logger, FERRY_SEVERITY_INFO, "the constants of %zu layers are packed for '%s'", n,
                  e->runtime->infos[host].fingerprint);
    return FERRY_OK;
}
