// SPDX-License-Identifier: Apache-2.0
#include "plan/bench.h"

#include <string.h>

// Ordinary numbers of the type: neither zero nor denormal, which some units run faster or slower.
static void fill(void *data, size_t bytes, ferry_dtype dtype, uint64_t seed)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)data)[i] = (uint8_t)(state >> 56);
    }
    if (dtype == FERRY_F32) {
        for (size_t i = 0; i < bytes / 4; i++) {
            const float x = (float)((const int8_t *)data)[i * 4] / 127.0f;
            memcpy((char *)data + i * 4, &x, 4);
        }
    } else if (dtype == FERRY_F16 || dtype == FERRY_BF16) {
        // Exponents of numbers between 1/4 and 2.
        const uint16_t mask = dtype == FERRY_F16 ? 0x87ff : 0x80ff, one = dtype == FERRY_F16 ? 0x3800 : 0x3f00;
        for (size_t i = 0; i < bytes / 2; i++) {
            uint16_t x;
            memcpy(&x, (char *)data + i * 2, 2);
            x = (uint16_t)((x & mask) | one);
            memcpy((char *)data + i * 2, &x, 2);
        }
    } else if (dtype != FERRY_S8 && dtype != FERRY_U8) {
        memset(data, 0, bytes); // indices and the like: zero is always in range
    }
}

static ferry_status fill_tensor(const ferry_bench *b, const ferry_bench_tensor *t, ferry_dtype dtype,
                                const ferry_heap *heap, ferry_error *err)
{
    const ferry_backend *backend = b->device->backend;
    void *host = ferry_heap_alloc(heap, t->bytes);
    if (!host) return ferry_fail_memory(err, "timing tactics");
    fill(host, t->bytes, dtype, (uint64_t)t->value);
    const ferry_status s = backend->copy(b->stream, FERRY_COPY_HOST_TO_DEVICE, t->data, host, t->bytes, err);
    const ferry_status w = backend->stream_wait(b->stream, s == FERRY_OK ? err : NULL);
    ferry_heap_free(heap, host, t->bytes);
    return s != FERRY_OK ? s : w;
}

// On a device of its own memory, rivals share tensors: it has less of it. On the host each has its own.
static ferry_bench_tensor *find_tensor(const ferry_bench_set *set, const ferry_bench *b, ferry_value_id value,
                                       ferry_tensor_layout layout)
{
    if (set->planner->infos[b->candidate->device].host_memory) return NULL;
    ferry_bench_tensor *t = set->tensors;
    while (t && (t->value != value || t->layout != layout || t->device != b->device)) t = t->next;
    return t;
}

static ferry_status bind(ferry_bench_set *set, ferry_bench *b, ferry_value_id value, ferry_tensor_layout layout,
                         ferry_tensor_desc *desc, ferry_binding *binding, ferry_error *err)
{
    const ferry_planner *p = set->planner;
    size_t bytes = 0;
    if (!ferry_value_desc(p->graph, value, layout, desc) || !ferry_tensor_desc_bytes(desc, &bytes))
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "shape of '%s' is not known", p->graph->values[value].name);
    binding->dims = desc->dims;
    ferry_bench_tensor *t = find_tensor(set, b, value, layout);
    if (!t) {
        t = ferry_arena_alloc(set->arena, sizeof *t);
        if (!t) return ferry_fail_memory(err, "timing tactics");
        *t = (ferry_bench_tensor){value, layout, b->device, NULL, bytes, set->tensors};
        t->data = b->device->backend->alloc(b->device, bytes ? bytes : 1);
        if (!t->data) return ferry_fail_memory(err, "timing tactics");
        set->tensors = t;
        FERRY_TRY(fill_tensor(b, t, desc->dtype, p->heap, err));
    }
    binding->data = t->data;
    return FERRY_OK;
}

static ferry_status weigh(const ferry_planner *p, const ferry_bench *b, ferry_error *err)
{
    const uint64_t cap = p->options->workspace_bytes;
    b->candidate->workspace_bytes = ferry_align_size(b->kernel->workspace_bytes, 64);
    b->candidate->weighed = true;
    if (cap == 0 || b->kernel->workspace_bytes <= cap) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "it needs %zu bytes of workspace, the cap is %llu",
                      b->kernel->workspace_bytes, (unsigned long long)cap);
}

static ferry_status open_bench(ferry_bench_set *set, ferry_bench *b, ferry_error *err)
{
    const ferry_planner *p = set->planner;
    const ferry_candidate *c = b->candidate;
    const ferry_backend *backend = b->device->backend;
    FERRY_TRY(ferry_region_make(p->graph, p->view.user_offsets, p->view.users, c->nodes, c->n_nodes, set->arena,
                                &b->region, err));
    const size_t n_in = (size_t)b->region.n_inputs, n_out = (size_t)b->region.n_outputs;
    ferry_tensor_desc *in = ferry_arena_alloc_array(set->arena, n_in, sizeof *in);
    ferry_tensor_desc *out = ferry_arena_alloc_array(set->arena, n_out, sizeof *out);
    b->in = ferry_arena_alloc_array(set->arena, n_in, sizeof *b->in);
    b->out = ferry_arena_alloc_array(set->arena, n_out, sizeof *b->out);
    if (!in || !out || !b->in || !b->out) return ferry_fail_memory(err, "timing tactics");
    FERRY_TRY(backend->stream_create(b->device, p->options->threads, &b->stream, err));
    if (!p->infos[c->device].synchronous) {
        FERRY_TRY(backend->event_create(b->device, &b->begin, err));
        FERRY_TRY(backend->event_create(b->device, &b->end, err));
    }
    for (size_t i = 0; i < n_in; i++)
        FERRY_TRY(bind(set, b, b->region.inputs[i], c->in_layout, &in[i], &b->in[i], err));
    for (size_t i = 0; i < n_out; i++)
        FERRY_TRY(bind(set, b, b->region.outputs[i], c->out_layout, &out[i], &b->out[i], err));
    FERRY_TRY(backend->pack(b->device, &b->region, c->tactic, &b->packed, &b->packed_bytes, err));
    FERRY_TRY(backend->prepare(b->device, &b->region, c->tactic, in, out, b->packed, b->packed_bytes, &b->kernel, err));
    FERRY_TRY(weigh(p, b, err));
    b->workspace = backend->alloc(b->device, b->kernel->workspace_bytes ? b->kernel->workspace_bytes : 1);
    return b->workspace ? FERRY_OK : ferry_fail_memory(err, "timing tactics");
}

static void close_bench(ferry_bench *b)
{
    const ferry_backend *backend = b->device->backend;
    if (b->graph) backend->capture_destroy(b->graph);
    if (b->workspace)
        backend->free(b->device, b->workspace, b->kernel->workspace_bytes ? b->kernel->workspace_bytes : 1);
    if (b->begin) backend->event_destroy(b->begin);
    if (b->end) backend->event_destroy(b->end);
    backend->release(b->kernel);
    ferry_heap_free(b->device->heap, b->packed, b->packed_bytes);
    if (b->stream) backend->stream_destroy(b->stream);
}

ferry_status ferry_bench_set_add(ferry_bench_set *set, ferry_candidate *candidate, ferry_error *err)
{
    ferry_bench *b = &set->benches[set->count];
    *b = (ferry_bench){.candidate = candidate, .device = set->planner->devices[candidate->device]};
    const ferry_status s = open_bench(set, b, err);
    if (s == FERRY_OK)
        set->count++;
    else
        close_bench(b);
    return s;
}

void ferry_bench_set_close(ferry_bench_set *set)
{
    for (size_t i = 0; i < set->count; i++) close_bench(&set->benches[i]);
    for (const ferry_bench_tensor *t = set->tensors; t; t = t->next)
        t->device->backend->free(t->device, t->data, t->bytes ? t->bytes : 1);
    set->count = 0;
    set->tensors = NULL;
}
