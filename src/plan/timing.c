// SPDX-License-Identifier: Apache-2.0
// Measures tactics that compete for a region on the device itself, with the real shapes: interleaved rounds, of which
// the lower quartile counts, since whatever disturbs a round only makes it longer.
#include <stdlib.h>
#include <string.h>

#include "plan/select.h"
#include "plan/timing_cache.h"

#define MOST_RIVALS 16
#define ROUNDS 12
#define ROUND_US 1000.0 // a short kernel is repeated until a round lasts about this long

/// One candidate made ready to run on scratch tensors of its own.
typedef struct bench {
    ferry_candidate *candidate;
    ferry_device *device;
    ferry_device_stream *stream;
    ferry_kernel *kernel;
    void *packed;
    size_t packed_bytes;
    ferry_binding *in, *out; // [region.n_inputs], [region.n_outputs]
    size_t *in_bytes, *out_bytes;
    ferry_region region;
    void *workspace;
    double us[ROUNDS];
    int repeat;
} bench;

// Ordinary numbers of the type: neither zero nor denormal, which some units run faster or slower.
static void fill(void *data, size_t bytes, ferry_dtype dtype, uint64_t seed)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)data)[i] = (uint8_t)(state >> 56);
    }
    if (dtype == FERRY_F32)
        for (size_t i = 0; i < bytes / 4; i++) {
            const float x = (float)((const int8_t *)data)[i * 4] / 127.0f;
            memcpy((char *)data + i * 4, &x, 4);
        }
    else if (dtype != FERRY_S8 && dtype != FERRY_U8)
        memset(data, 0, bytes); // indices and the like: zero is always in range
}

static ferry_status make_binding(bench *b, ferry_value_id value, ferry_tensor_layout layout, ferry_tensor_desc *desc,
                                 ferry_binding *binding, size_t *bytes, const ferry_planner *p, ferry_error *err)
{
    if (!ferry_value_desc(p->graph, value, layout, desc) || !ferry_tensor_desc_bytes(desc, bytes))
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "shape of '%s' is not known", p->graph->values[value].name);
    binding->data = b->device->backend->alloc(b->device, *bytes ? *bytes : 1);
    if (!binding->data) return ferry_fail_memory(err, "timing tactics");
    binding->dims = desc->dims;
    void *host = ferry_heap_alloc(p->heap, *bytes);
    if (!host) return ferry_fail_memory(err, "timing tactics");
    fill(host, *bytes, desc->dtype, (uint64_t)value);
    const ferry_status s =
        b->device->backend->copy(b->stream, FERRY_COPY_HOST_TO_DEVICE, binding->data, host, *bytes, err);
    const ferry_status w = b->device->backend->stream_wait(b->stream, s == FERRY_OK ? err : NULL);
    ferry_heap_free(p->heap, host, *bytes);
    return s != FERRY_OK ? s : w;
}

static ferry_status bench_open(bench *b, ferry_planner *p, ferry_candidate *c, ferry_arena *arena, ferry_error *err)
{
    b->candidate = c;
    b->device = p->devices[c->device];
    const ferry_backend *backend = b->device->backend;
    FERRY_TRY(
        ferry_region_make(p->graph, p->view.user_offsets, p->view.users, c->nodes, c->n_nodes, arena, &b->region, err));
    const size_t n_in = (size_t)b->region.n_inputs, n_out = (size_t)b->region.n_outputs;
    ferry_tensor_desc *in = ferry_arena_alloc_array(arena, n_in, sizeof *in);
    ferry_tensor_desc *out = ferry_arena_alloc_array(arena, n_out, sizeof *out);
    b->in = ferry_arena_alloc_array(arena, n_in, sizeof *b->in);
    b->out = ferry_arena_alloc_array(arena, n_out, sizeof *b->out);
    b->in_bytes = ferry_arena_alloc_array(arena, n_in, sizeof *b->in_bytes);
    b->out_bytes = ferry_arena_alloc_array(arena, n_out, sizeof *b->out_bytes);
    if (!in || !out || !b->in || !b->out || !b->in_bytes || !b->out_bytes)
        return ferry_fail_memory(err, "timing tactics");
    FERRY_TRY(backend->stream_create(b->device, p->options->threads, &b->stream, err));
    for (size_t i = 0; i < n_in; i++)
        FERRY_TRY(make_binding(b, b->region.inputs[i], c->in_layout, &in[i], &b->in[i], &b->in_bytes[i], p, err));
    for (size_t i = 0; i < n_out; i++)
        FERRY_TRY(make_binding(b, b->region.outputs[i], c->out_layout, &out[i], &b->out[i], &b->out_bytes[i], p, err));
    FERRY_TRY(backend->pack(b->device, &b->region, c->tactic, &b->packed, &b->packed_bytes, err));
    FERRY_TRY(backend->prepare(b->device, &b->region, c->tactic, in, out, b->packed, b->packed_bytes, &b->kernel, err));
    b->workspace = backend->alloc(b->device, b->kernel->workspace_bytes ? b->kernel->workspace_bytes : 1);
    return b->workspace ? FERRY_OK : ferry_fail_memory(err, "timing tactics");
}

static void bench_close(bench *b, const ferry_planner *p)
{
    if (!b->device) return;
    const ferry_backend *backend = b->device->backend;
    if (b->workspace)
        backend->free(b->device, b->workspace, b->kernel->workspace_bytes ? b->kernel->workspace_bytes : 1);
    for (int32_t i = 0; b->in && i < b->region.n_inputs; i++)
        if (b->in[i].data) backend->free(b->device, b->in[i].data, b->in_bytes[i] ? b->in_bytes[i] : 1);
    for (int32_t i = 0; b->out && i < b->region.n_outputs; i++)
        if (b->out[i].data) backend->free(b->device, b->out[i].data, b->out_bytes[i] ? b->out_bytes[i] : 1);
    backend->release(b->kernel);
    ferry_heap_free(b->device->heap, b->packed, b->packed_bytes);
    if (b->stream) backend->stream_destroy(b->stream);
    (void)p;
}

static ferry_status run_times(bench *b, int times, double *out_us, ferry_error *err)
{
    const ferry_backend *backend = b->device->backend;
    const double begin = ferry_clock_s();
    for (int i = 0; i < times; i++) FERRY_TRY(backend->enqueue(b->stream, b->kernel, b->in, b->out, b->workspace, err));
    FERRY_TRY(backend->stream_wait(b->stream, err));
    *out_us = (ferry_clock_s() - begin) * 1e6 / times;
    return FERRY_OK;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ferry_status measure(bench *benches, size_t n, ferry_error *err)
{
    for (size_t i = 0; i < n; i++) {
        double us = 0;
        FERRY_TRY(run_times(&benches[i], 1, &us, err));
        FERRY_TRY(run_times(&benches[i], 1, &us, err));
        const double repeat = ROUND_US / (us > 1 ? us : 1);
        benches[i].repeat = repeat < 1 ? 1 : repeat > 200 ? 200 : (int)repeat;
    }
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < n; i++) FERRY_TRY(run_times(&benches[i], benches[i].repeat, &benches[i].us[round], err));
    for (size_t i = 0; i < n; i++) {
        qsort(benches[i].us, ROUNDS, sizeof *benches[i].us, ascending);
        benches[i].candidate->cost_us = benches[i].us[ROUNDS / 4];
        benches[i].candidate->measured = true;
    }
    return FERRY_OK;
}

static const char *make_key(ferry_planner *p, const ferry_candidate *c, ferry_arena *arena)
{
    ferry_region region;
    if (ferry_region_make(p->graph, p->view.user_offsets, p->view.users, c->nodes, c->n_nodes, arena, &region, NULL) !=
        FERRY_OK)
        return NULL;
    const char *signature = ferry_region_signature(&region, arena);
    if (!signature) return NULL;
    return ferry_arena_printf(arena, "%s|%d threads|%s|%s", p->infos[c->device].fingerprint, p->options->threads,
                              c->tactic, signature);
}

// Measures those candidates of one node whose times are not in the cache yet.
static ferry_status time_node(ferry_planner *p, ferry_candidate_list *list, ferry_arena *arena, ferry_error *err)
{
    bench benches[MOST_RIVALS];
    const char *keys[MOST_RIVALS];
    memset(benches, 0, sizeof benches);
    size_t n = 0;
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < list->count && n < MOST_RIVALS; i++) {
        ferry_candidate *c = &list->items[i];
        if (c->dropped) continue;
        const char *key = make_key(p, c, arena);
        if (!key) s = ferry_fail_memory(err, "timing tactics");
        const double known = key && p->options->timings ? ferry_timing_cache_find(p->options->timings, key) : -1;
        if (s != FERRY_OK) break;
        if (known >= 0) {
            c->cost_us = known;
            c->measured = true;
            continue;
        }
        ferry_error why = {.text = ""};
        if (bench_open(&benches[n], p, c, arena, &why) != FERRY_OK) {
            ferry_log(p->options->logger, FERRY_SEVERITY_VERBOSE, "tactic %s left out: %s", c->tactic, why.text);
            bench_close(&benches[n], p);
            memset(&benches[n], 0, sizeof benches[n]);
            c->dropped = true;
            continue;
        }
        keys[n++] = key;
    }
    if (s == FERRY_OK && n) s = measure(benches, n, err);
    for (size_t i = 0; i < n; i++) {
        if (s == FERRY_OK && p->options->timings)
            s = ferry_timing_cache_add(p->options->timings, keys[i], benches[i].candidate->cost_us, err);
        bench_close(&benches[i], p);
    }
    return s;
}

// Nodes whose candidates compete: several for the node itself, or a region of several nodes against its parts. A
// measured time is never held against a guessed one then, but for reference kernels, which are slow beyond doubt.
static bool *find_contested(const ferry_planner *p, ferry_arena *arena)
{
    bool *contested = ferry_arena_alloc_array(arena, p->graph->n_nodes, sizeof *contested);
    for (size_t n = 0; contested && n < p->graph->n_nodes; n++) {
        const ferry_candidate_list *list = &p->candidates[n];
        size_t rivals = 0;
        for (size_t i = 0; i < list->count; i++) {
            const ferry_candidate *c = &list->items[i];
            rivals += !(c->flags & FERRY_OFFER_REFERENCE);
            for (int32_t k = 0; c->n_nodes > 1 && k < c->n_nodes; k++) contested[c->nodes[k]] = true;
        }
        contested[n] |= rivals > 1;
    }
    for (size_t n = 0; contested && n < p->graph->n_nodes; n++) {
        bool quick = false;
        for (size_t i = 0; i < p->candidates[n].count; i++)
            quick |= !(p->candidates[n].items[i].flags & FERRY_OFFER_REFERENCE);
        contested[n] &= quick;
    }
    return contested;
}

// The cap holds for candidates without rivals too.
static ferry_status check_workspace(ferry_planner *p, ferry_error *err)
{
    ferry_arena arena;
    ferry_arena_init(&arena, p->heap);
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < p->graph->n_nodes; i++)
        for (size_t k = 0; s == FERRY_OK && k < p->candidates[i].count; k++) {
            ferry_candidate *c = &p->candidates[i].items[k];
            ferry_error why = {.text = ""};
            bench b;
            memset(&b, 0, sizeof b);
            s = bench_open(&b, p, c, &arena, &why);
            bench_close(&b, p);
            ferry_arena_deinit(&arena);
            if (s != FERRY_ERR_OUT_OF_MEMORY || b.kernel == NULL) {
                if (s != FERRY_OK) ferry_fail(err, s, "%s", why.text);
                continue;
            }
            c->dropped = true;
            s = FERRY_OK;
        }
    return s;
}

ferry_status ferry_planner_time(ferry_planner *planner, ferry_error *err)
{
    if (planner->options->workspace_bytes) FERRY_TRY(check_workspace(planner, err));
    if (!planner->options->time_tactics) return FERRY_OK;
    for (int32_t d = 0; d < planner->n_devices; d++)
        if (planner->infos[d].build_only) return FERRY_OK; // prices decide
    size_t total = 0, done = 0;
    const bool *contested = find_contested(planner, &planner->scratch);
    if (!contested) return ferry_fail_memory(err, "timing tactics");
    for (size_t i = 0; i < planner->graph->n_nodes; i++) total += contested[i];
    ferry_phase phase;
    FERRY_TRY(ferry_phase_begin(&phase, planner->options->progress, "time tactics", total, err));
    ferry_arena arena;
    ferry_arena_init(&arena, planner->heap);
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < planner->graph->n_nodes; i++) {
        if (!contested[i]) continue;
        s = time_node(planner, &planner->candidates[i], &arena, err);
        ferry_arena_deinit(&arena);
        if (s == FERRY_OK) s = ferry_phase_step(&phase, ++done, err);
    }
    return s == FERRY_OK ? ferry_phase_end(&phase, err) : s;
}
