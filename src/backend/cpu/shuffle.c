// SPDX-License-Identifier: Apache-2.0
// Channel shuffles as one interleaving copy, channels last, for elements of any size.
#include "backend/cpu/shuffle.h"

#include <string.h>

static const char tactic_name[] = "channel_shuffle";

#define CHUNK_BYTES 16384 // written, that are worth a task

#define ROW(isa, suffix) extern const ferry_shuffle_row ferry_shuffle__##suffix;
#include "backend/cpu/basic_rows.inc"

static const ferry_shuffle_row *const rows[] = {
#define ROW(isa, suffix) &ferry_shuffle__##suffix,
#include "backend/cpu/basic_rows.inc"
};

const ferry_shuffle_row *ferry_shuffle_pick(uint32_t isa)
{
    const ferry_shuffle_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}

typedef struct shuffle_kernel {
    ferry_cpu_kernel base;
    ferry_shuffle shape;
    ferry_shuffle_loop loop;
    int32_t input[FERRY_SHUFFLE_PARTS]; // bindings
} shuffle_kernel;

typedef struct shuffle_run {
    const shuffle_kernel *k;
    const ferry_cpu_run *r;
} shuffle_run;

static void run_some(void *context, size_t begin, size_t positions)
{
    const shuffle_run *run = context;
    const ferry_shuffle *s = &run->k->shape;
    for (int32_t o = 0; o < s->outputs; o++) {
        const size_t y_stride = (size_t)(s->count[o] * s->parts);
        ferry_shuffle_rows rows_of = {.y = (char *)run->r->out[o].data + begin * y_stride * s->elem_bytes,
                                      .parts = (size_t)s->parts,
                                      .rows = positions,
                                      .count = (size_t)s->count[o],
                                      .x_stride = (size_t)s->each,
                                      .y_stride = y_stride};
        const size_t skip = (begin * (size_t)s->each + (size_t)s->first[o]) * s->elem_bytes;
        for (int32_t p = 0; p < s->parts; p++) rows_of.x[p] = (const char *)run->r->in[run->k->input[p]].data + skip;
        run->k->loop(&rows_of);
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const shuffle_kernel *k = (const shuffle_kernel *)kernel;
    shuffle_run run = {k, r};
    const size_t bytes = (size_t)(k->shape.each * k->shape.parts) * k->shape.elem_bytes;
    ferry_parallel_even(r->pool, run_some, &run, (size_t)k->shape.positions, bytes ? 1 + CHUNK_BYTES / bytes : 1);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    ferry_shuffle s;
    FERRY_TRY(ferry_shuffle_check_border(region, tactic, in, out, err));
    if (!ferry_shuffle_read(region, in, out, &s)) return ferry_misfit(tactic, "not a shuffle of channels", err);
    shuffle_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a shuffle");
    const ferry_shuffle_row *row = ferry_shuffle_pick(device->isa);
    const int size = s.elem_bytes == 1 ? 0 : s.elem_bytes == 2 ? 1 : s.elem_bytes == 4 ? 2 : 3;
    k->shape = s;
    k->loop = s.parts == 2 ? row->pairs[size] : row->any[size];
    for (int32_t i = 0; i < s.parts; i++) {
        k->input[i] = ferry_operand_of(region, in, i).at;
        if (k->input[i] >= 0) continue;
        device->base.backend->release(&k->base.base);
        return ferry_misfit(tactic, "an input is not bound", err);
    }
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_node_id nodes[FERRY_SHUFFLE_NODES];
    ferry_shuffle shape;
    int32_t n = 0;
    bool found = false;
    FERRY_TRY(ferry_shuffle_offered(view, root, device->base.heap, nodes, &n, &shape, &found, err));
    if (!found) return FERRY_OK;
    const double bytes = 2.0 * (double)(shape.positions * shape.each * shape.parts) * (double)shape.elem_bytes;
    const ferry_offer o = {.tactic = tactic_name,
                           .nodes = nodes,
                           .n_nodes = n,
                           .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                           .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                           .cost_us = ferry_cpu_cost_us(device, FERRY_F32, 0, bytes)};
    return sink->take(sink->user, &o, err);
}

extern const ferry_cpu_family ferry_cpu_family_shuffle;
const ferry_cpu_family ferry_cpu_family_shuffle = {
    .name = "shuffle",
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
