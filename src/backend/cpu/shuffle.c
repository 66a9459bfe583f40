// SPDX-License-Identifier: Apache-2.0
// Channel shuffles as one interleaving copy, channels last, for elements of any size.
#include "backend/cpu/shuffle.h"

#include <string.h>

#include "backend/cpu/conv_node.h"
#include "ops/op.h"

static const char tactic_name[] = "channel_shuffle";

#define CHUNK_BYTES 32768 // that one task writes

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

/// What the nodes come to at certain shapes.
typedef struct shuffle {
    int32_t parts, outputs;
    int64_t positions, each;                                        // channels of a part
    int64_t first[FERRY_SHUFFLE_PARTS], count[FERRY_SHUFFLE_PARTS]; // of each output, in channels of a part
    size_t elem_bytes;
} shuffle;

typedef struct shuffle_kernel {
    ferry_cpu_kernel base;
    shuffle shape;
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
    const shuffle *s = &run->k->shape;
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
    ferry_parallel_1d(r->pool, run_some, &run, (size_t)k->shape.positions, bytes ? 1 + CHUNK_BYTES / bytes : 1);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static bool same_but_channels(const ferry_tensor_desc *a, const ferry_tensor_desc *b)
{
    ferry_tensor_desc other = *b;
    other.dims[1] = a->dims[1];
    return a->dtype == b->dtype && ferry_tensor_desc_same_dims(a, &other) &&
           ferry_tensor_desc_is_dense(b, FERRY_LAYOUT_CHANNELS_LAST);
}

// The outputs of the region in order, with the channels that they hold.
static bool read_cuts(const ferry_region *region, const ferry_tensor_desc *out, int32_t rank, shuffle *s)
{
    const ferry_graph *g = region->graph;
    int64_t counts[FERRY_SHUFFLE_PARTS], firsts[FERRY_SHUFFLE_PARTS];
    int32_t at = 0;
    if (region->n_nodes == 4) {
        s->count[0] = out[0].dims[1];
        return s->count[0] == s->each * s->parts;
    }
    for (int32_t i = 4; i < region->n_nodes; i++) {
        const ferry_node *cut = &g->nodes[region->nodes[i]];
        const int32_t n = cut->n_outputs;
        if (n < 1 || n > region->n_outputs - at) return false;
        for (int32_t o = 0; o < n; o++) {
            if (region->outputs[at + o] != cut->outputs[o]) return false;
            counts[o] = out[at + o].dims[1];
        }
        if (!ferry_shuffle_cut(g, cut, rank, s->each * s->parts, counts, firsts)) return false;
        memcpy(&s->count[at], counts, (size_t)n * sizeof *counts);
        memcpy(&s->first[at], firsts, (size_t)n * sizeof *firsts);
        at += n;
    }
    return at == region->n_outputs;
}

static bool read_shuffle(const ferry_region *region, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                         shuffle *s)
{
    if (!ferry_shuffle_is(region->graph, region->nodes, region->n_nodes) || region->n_inputs < 1 ||
        region->n_outputs < 1 || region->n_outputs > FERRY_SHUFFLE_PARTS || in[0].rank < 3)
        return false;
    *s = (shuffle){.parts = region->graph->nodes[region->nodes[0]].n_inputs,
                   .outputs = region->n_outputs,
                   .positions = in[0].dims[0],
                   .each = in[0].dims[1],
                   .elem_bytes = ferry_dtype_bytes(in[0].dtype)};
    for (int32_t d = 2; d < in[0].rank; d++) s->positions *= in[0].dims[d];
    for (int32_t i = 0; i < region->n_inputs; i++)
        if (!same_but_channels(&in[0], &in[i]) || in[i].dims[1] != s->each) return false;
    for (int32_t o = 0; o < region->n_outputs; o++)
        if (!same_but_channels(&in[0], &out[o])) return false;
    if (!read_cuts(region, out, in[0].rank, s)) return false;
    for (int32_t o = 0; o < s->outputs; o++) {
        if (s->count[o] % s->parts || s->first[o] % s->parts) return false;
        s->count[o] /= s->parts;
        s->first[o] /= s->parts;
    }
    return s->elem_bytes == 1 || s->elem_bytes == 2 || s->elem_bytes == 4 || s->elem_bytes == 8;
}

static ferry_status check_border(const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                 const ferry_tensor_desc *out, ferry_error *err)
{
    for (int32_t i = 0; i < region->n_inputs + region->n_outputs; i++) {
        const ferry_tensor_desc *desc = i < region->n_inputs ? &in[i] : &out[i - region->n_inputs];
        size_t bytes = 0;
        if (desc->bounded || desc->rank < 3 || desc->rank > FERRY_MAX_RANK || !ferry_tensor_desc_bytes(desc, &bytes))
            return ferry_cpu_misfit(tactic, "a tensor without a size", err);
    }
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    shuffle s;
    FERRY_TRY(check_border(region, tactic, in, out, err));
    if (!read_shuffle(region, in, out, &s)) return ferry_cpu_misfit(tactic, "not a shuffle of channels", err);
    shuffle_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a shuffle");
    const ferry_shuffle_row *row = ferry_shuffle_pick(device->isa);
    const int size = s.elem_bytes == 1 ? 0 : s.elem_bytes == 2 ? 1 : s.elem_bytes == 4 ? 2 : 3;
    k->shape = s;
    k->loop = s.parts == 2 ? row->pairs[size] : row->any[size];
    for (int32_t i = 0; i < s.parts; i++) {
        k->input[i] = ferry_cpu_input(region, in, i).at;
        if (k->input[i] >= 0) continue;
        device->base.backend->release(&k->base.base);
        return ferry_cpu_misfit(tactic, "an input is not bound", err);
    }
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_node_id nodes[FERRY_SHUFFLE_NODES];
    ferry_region region;
    ferry_arena arena;
    int32_t n = 0;
    if (!ferry_shuffle_find(view, root, nodes, &n)) return FERRY_OK;
    for (int32_t i = 0; i < n; i++)
        if (!ferry_cpu_is_plain_node(view, nodes[i])) return FERRY_OK;
    ferry_arena_init(&arena, device->base.heap);
    ferry_status s = ferry_region_make(view->graph, view->user_offsets, view->users, nodes, n, &arena, &region, err);
    ferry_tensor_desc in[FERRY_SHUFFLE_PARTS], out[FERRY_SHUFFLE_PARTS];
    shuffle shape;
    bool fits = s == FERRY_OK && region.n_inputs <= FERRY_SHUFFLE_PARTS && region.n_outputs <= FERRY_SHUFFLE_PARTS;
    for (int32_t i = 0; fits && i < region.n_inputs; i++)
        in[i] = ferry_cpu_describe(&view->graph->values[region.inputs[i]], FERRY_LAYOUT_CHANNELS_LAST);
    for (int32_t i = 0; fits && i < region.n_outputs; i++)
        out[i] = ferry_cpu_describe(&view->graph->values[region.outputs[i]], FERRY_LAYOUT_CHANNELS_LAST);
    // A constant part is no input of the region.
    for (int32_t i = 0; fits && i < view->graph->nodes[nodes[0]].n_inputs; i++)
        fits = !ferry_cpu_is_constant(view->graph, &view->graph->nodes[nodes[0]], i);
    if (fits && read_shuffle(&region, in, out, &shape)) {
        const double bytes = 2.0 * (double)(shape.positions * shape.each * shape.parts) * (double)shape.elem_bytes;
        const ferry_offer o = {.tactic = tactic_name,
                               .nodes = nodes,
                               .n_nodes = n,
                               .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .cost_us = ferry_cpu_cost_us(device, FERRY_F32, 0, bytes)};
        s = sink->take(sink->user, &o, err);
    }
    ferry_arena_deinit(&arena);
    return s;
}

extern const ferry_cpu_family ferry_cpu_family_shuffle;
const ferry_cpu_family ferry_cpu_family_shuffle = {
    .name = "shuffle",
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
