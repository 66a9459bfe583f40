// SPDX-License-Identifier: Apache-2.0
// Packs the constants of every step as its tactic wants them, one after the other. They are joined when all sizes are
// known: growing one piece of memory would copy hundreds of megabytes several times.
#include <string.h>

#include "plan/select.h"

#define BLOB_ALIGN 64

typedef struct blob {
    void *data; // from its device's heap; NULL: none
    size_t bytes;
} blob;

static ferry_status pack_reformat(const ferry_planner *p, const ferry_plan *plan, const ferry_plan_step *step,
                                  blob *out, ferry_error *err)
{
    ferry_device *device = p->devices[step->device];
    const ferry_dtype dtype = p->graph->values[plan->buffers[step->inputs[0]].value].dtype;
    if (!device->backend->pack_reformat) return FERRY_OK;
    const ferry_status s = device->backend->pack_reformat(device, dtype, &out->data, &out->bytes, err);
    return s == FERRY_OK ? s : ferry_within(err, s, "changing the layout of '%s'", step->name);
}

static ferry_status pack_step(const ferry_planner *p, const ferry_plan_step *step, blob *out, ferry_error *err)
{
    ferry_region region;
    ferry_arena scratch;
    ferry_arena_init(&scratch, p->heap);
    ferry_device *device = p->devices[step->device];
    ferry_status s = ferry_region_make(p->graph, p->view.user_offsets, p->view.users, step->nodes, step->n_nodes,
                                       &scratch, &region, err);
    if (s == FERRY_OK) s = device->backend->pack(device, &region, step->tactic, &out->data, &out->bytes, err);
    ferry_arena_deinit(&scratch);
    return s == FERRY_OK ? s : ferry_within(err, s, "layer '%s', tactic %s", step->name, step->tactic);
}

static void free_blob(const ferry_planner *p, const ferry_plan_step *step, blob *b)
{
    ferry_heap_free(p->devices[step->device]->heap, b->data, b->bytes);
    *b = (blob){0};
}

// Chooses places, and makes the memory that they lie in; NULL without need of any, or when memory is gone.
static char *place_blobs(const ferry_planner *p, ferry_plan *plan, const blob *blobs)
{
    size_t used = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (!blobs[i].bytes) continue;
        plan->steps[i].packed_offset = ferry_align_size(used, BLOB_ALIGN);
        plan->steps[i].packed_bytes = blobs[i].bytes;
        used = plan->steps[i].packed_offset + blobs[i].bytes;
    }
    plan->packed_bytes = used;
    return used ? ferry_heap_alloc_uninit(p->heap, used) : NULL;
}

// Each blob is freed as soon as it is copied.
static ferry_status join_blobs(const ferry_planner *p, ferry_plan *plan, blob *blobs, ferry_error *err)
{
    char *data = place_blobs(p, plan, blobs);
    if (plan->packed_bytes && !data) {
        plan->packed_bytes = 0;
        return ferry_fail_memory(err, "packed weights");
    }
    size_t at = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const ferry_plan_step *step = &plan->steps[i];
        if (!blobs[i].bytes) continue;
        memset(data + at, 0, step->packed_offset - at); // equal plans have equal bytes
        memcpy(data + step->packed_offset, blobs[i].data, blobs[i].bytes);
        at = step->packed_offset + blobs[i].bytes;
        free_blob(p, step, &blobs[i]);
    }
    plan->packed = (const uint8_t *)data;
    plan->packed_owned = data != NULL;
    return FERRY_OK;
}

ferry_status ferry_planner_pack(ferry_planner *planner, ferry_plan *plan, ferry_error *err)
{
    ferry_phase phase;
    FERRY_TRY(ferry_phase_begin(&phase, planner->options->progress, "pack weights", plan->n_steps, err));
    blob *blobs = ferry_arena_alloc_array(&planner->scratch, plan->n_steps, sizeof *blobs);
    if (!blobs) return ferry_fail_memory(err, "packed weights");
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < plan->n_steps; i++) {
        if (plan->steps[i].kind == FERRY_STEP_REGION) s = pack_step(planner, &plan->steps[i], &blobs[i], err);
        if (plan->steps[i].kind == FERRY_STEP_REFORMAT)
            s = pack_reformat(planner, plan, &plan->steps[i], &blobs[i], err);
        if (s == FERRY_OK) s = ferry_phase_step(&phase, i, err);
    }
    if (s == FERRY_OK) s = join_blobs(planner, plan, blobs, err);
    for (size_t i = 0; i < plan->n_steps; i++) free_blob(planner, &plan->steps[i], &blobs[i]);
    return s == FERRY_OK ? ferry_phase_end(&phase, err) : s;
}
