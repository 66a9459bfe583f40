// SPDX-License-Identifier: Apache-2.0
// Packs the constants of every step as its tactic wants them. They are joined when all sizes are known: growing one
// piece of memory would copy hundreds of megabytes several times. What steps have in common is kept once.
#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/thread_pool.h"
#include "plan/select.h"

#define BLOB_ALIGN 64

typedef struct blob {
    void *data; // from its device's heap; NULL: none
    size_t bytes;
    ferry_hash128 hash;
    size_t same_as; // an earlier step with the same bytes; its own index: none
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

// Kernels without constants of their own are the same bytes in every step that runs them.
static void find_same(const ferry_planner *p, const ferry_plan *plan, blob *blobs)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        blob *b = &blobs[i];
        b->same_as = i;
        if (!b->bytes) continue;
        b->hash = ferry_hash128_of(b->data, b->bytes);
        for (size_t k = 0; k < i && b->same_as == i; k++)
            if (blobs[k].same_as == k && blobs[k].bytes == b->bytes && blobs[k].hash.low == b->hash.low &&
                blobs[k].hash.high == b->hash.high)
                b->same_as = k;
        if (b->same_as == i) continue;
        ferry_heap_free(p->devices[plan->steps[i].device]->heap, b->data, b->bytes);
        b->data = NULL;
    }
}

// Chooses places, and makes the memory that they lie in; NULL without need of any, or when memory is gone.
static char *place_blobs(const ferry_planner *p, ferry_plan *plan, const blob *blobs)
{
    size_t used = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        ferry_plan_step *step = &plan->steps[i];
        if (!blobs[i].bytes) continue;
        step->packed_bytes = blobs[i].bytes;
        step->packed_offset =
            blobs[i].same_as < i ? plan->steps[blobs[i].same_as].packed_offset : ferry_align_size(used, BLOB_ALIGN);
        if (blobs[i].same_as == i) used = step->packed_offset + blobs[i].bytes;
    }
    plan->packed_bytes = used;
    return used ? ferry_heap_alloc_uninit(p->heap, used) : NULL;
}

// Each blob is freed as soon as it is copied.
static ferry_status join_blobs(const ferry_planner *p, ferry_plan *plan, blob *blobs, ferry_error *err)
{
    find_same(p, plan, blobs);
    char *data = place_blobs(p, plan, blobs);
    if (plan->packed_bytes && !data) {
        plan->packed_bytes = 0;
        return ferry_fail_memory(err, "packed weights");
    }
    size_t at = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const ferry_plan_step *step = &plan->steps[i];
        if (!blobs[i].data) continue;
        memset(data + at, 0, step->packed_offset - at); // equal plans have equal bytes
        memcpy(data + step->packed_offset, blobs[i].data, blobs[i].bytes);
        at = step->packed_offset + blobs[i].bytes;
        free_blob(p, step, &blobs[i]);
    }
    plan->packed = (const uint8_t *)data;
    plan->packed_owned = data != NULL;
    return FERRY_OK;
}

static ferry_status pack_any(const ferry_planner *p, const ferry_plan *plan, size_t at, blob *out, ferry_error *err)
{
    const ferry_plan_step *step = &plan->steps[at];
    if (step->kind == FERRY_STEP_REGION) return pack_step(p, step, out, err);
    return step->kind == FERRY_STEP_REFORMAT ? pack_reformat(p, plan, step, out, err) : FERRY_OK;
}

// --- Devices that compile kernels when they pack: on all threads at once ---------------------------------------------

typedef struct packing {
    const ferry_planner *p;
    const ferry_plan *plan;
    blob *blobs;
    pthread_mutex_t mutex; // of what follows
    size_t failed_at;      // the first step that failed, whatever the threads' order
    ferry_status status;
    ferry_error error;
} packing;

static void pack_in_parallel(void *context, size_t begin, size_t count)
{
    (void)count;
    packing *w = context;
    if (w->p->infos[w->plan->steps[begin].device].synchronous) return;
    ferry_error err = {.text = ""};
    const ferry_status s = pack_any(w->p, w->plan, begin, &w->blobs[begin], &err);
    if (s == FERRY_OK) return;
    pthread_mutex_lock(&w->mutex);
    if (w->status == FERRY_OK || begin < w->failed_at) {
        w->failed_at = begin;
        w->status = s;
        w->error = err;
    }
    pthread_mutex_unlock(&w->mutex);
}

static ferry_status pack_apart(const ferry_planner *p, const ferry_plan *plan, blob *blobs, ferry_error *err)
{
    bool apart = false;
    for (size_t i = 0; i < plan->n_steps; i++) apart |= !p->infos[plan->steps[i].device].synchronous;
    if (!apart) return FERRY_OK;
    ferry_thread_pool *pool = NULL;
    FERRY_TRY(ferry_thread_pool_create(p->heap, (size_t)p->options->threads, &pool, err));
    packing w = {.p = p, .plan = plan, .blobs = blobs};
    pthread_mutex_init(&w.mutex, NULL);
    ferry_parallel_1d(pool, pack_in_parallel, &w, plan->n_steps, 1);
    pthread_mutex_destroy(&w.mutex);
    ferry_thread_pool_destroy(pool);
    return w.status == FERRY_OK ? FERRY_OK : ferry_fail(err, w.status, "%s", w.error.text);
}

ferry_status ferry_planner_pack(ferry_planner *planner, ferry_plan *plan, ferry_error *err)
{
    ferry_phase phase;
    FERRY_TRY(ferry_phase_begin(&phase, planner->options->progress, "pack weights", plan->n_steps, err));
    blob *blobs = ferry_arena_alloc_array(&planner->scratch, plan->n_steps, sizeof *blobs);
    if (!blobs) return ferry_fail_memory(err, "packed weights");
    ferry_status s = pack_apart(planner, plan, blobs, err);
    for (size_t i = 0; s == FERRY_OK && i < plan->n_steps; i++) {
        if (planner->infos[plan->steps[i].device].synchronous) s = pack_any(planner, plan, i, &blobs[i], err);
        if (s == FERRY_OK) s = ferry_phase_step(&phase, i, err);
    }
    if (s == FERRY_OK) s = join_blobs(planner, plan, blobs, err);
    for (size_t i = 0; i < plan->n_steps; i++)
        if (blobs[i].data) free_blob(planner, &plan->steps[i], &blobs[i]);
    return s == FERRY_OK ? ferry_phase_end(&phase, err) : s;
}
