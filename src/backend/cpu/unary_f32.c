// SPDX-License-Identifier: Apache-2.0
// Functions of one float tensor, element by element, in any layout and in place, with the scales and shifts by
// constants that follow them.
#include <math.h>
#include <string.h>

#include "backend/cpu/affine.h"
#include "backend/cpu/conv_node.h"
#include "backend/cpu/loops_half.h"
#include "backend/cpu/rough_f32.h"
#include "backend/cpu/unary_node.h"
#include "ops/op.h"

static const char tactic_name[] = "unary_f32";

#define CHUNK 4096   // elements that are worth a task
#define WIDENED 1024 // elements of 16 bits that are widened at a time
#define MOST_NODES (1 + FERRY_AFFINE_NODES)

typedef struct unary_kernel {
    ferry_cpu_kernel base;
    ferry_unary_f32_loop loop;
    const ferry_loops_half_row *narrow; // NULL: x and y are f32
    float parameters[FERRY_UNARY_PARAMETERS];
    size_t elements;
    size_t channels, x_row, y_row; // of a slice: elements of a position, and to the next one; channels 0: no slice
} unary_kernel;

typedef struct unary_run {
    const unary_kernel *k;
    const void *x;
    void *y;
} unary_run;

static void run_half(const unary_kernel *k, const uint16_t *x, uint16_t *y, size_t count)
{
    float wide[WIDENED];
    for (size_t i = 0; i < count; i += WIDENED) {
        const size_t n = count - i < WIDENED ? count - i : WIDENED;
        k->narrow->widen(x + i, wide, n);
        k->loop(wide, wide, n, k->parameters);
        k->narrow->narrow(wide, y + i, n);
    }
}

// Positions of 16-bit floats, as many at a time as there is room for.
static void run_rows_half(const unary_kernel *k, const uint16_t *x, uint16_t *y, size_t rows)
{
    float wide[WIDENED];
    const size_t n = k->channels, most = WIDENED / n;
    for (size_t row = 0; row < rows; row += most) {
        const size_t some = rows - row < most ? rows - row : most;
        for (size_t i = 0; i < some; i++) k->narrow->widen(x + (row + i) * k->x_row, wide + i * n, n);
        k->loop(wide, wide, some * n, k->parameters);
        for (size_t i = 0; i < some; i++) k->narrow->narrow(wide + i * n, y + (row + i) * k->y_row, n);
    }
}

static void run_rows(void *context, size_t begin, size_t count)
{
    const unary_run *run = context;
    const unary_kernel *k = run->k;
    if (k->narrow && k->channels <= WIDENED) {
        run_rows_half(k, (const uint16_t *)run->x + begin * k->x_row, (uint16_t *)run->y + begin * k->y_row, count);
        return;
    }
    for (size_t row = begin; row < begin + count; row++) {
        if (k->narrow)
            run_half(k, (const uint16_t *)run->x + row * k->x_row, (uint16_t *)run->y + row * k->y_row, k->channels);
        else
            k->loop((const float *)run->x + row * k->x_row, (float *)run->y + row * k->y_row, k->channels,
                    k->parameters);
    }
}

static void run_some(void *context, size_t begin, size_t count)
{
    const unary_run *run = context;
    const unary_kernel *k = run->k;
    if (k->narrow)
        run_half(k, (const uint16_t *)run->x + begin, (uint16_t *)run->y + begin, count);
    else
        k->loop((const float *)run->x + begin, (float *)run->y + begin, count, k->parameters);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const unary_kernel *k = (const unary_kernel *)kernel;
    unary_run run = {k, r->in[0].data, r->out[0].data};
    if (k->channels)
        ferry_parallel_even(r->pool, run_rows, &run, k->elements / k->channels, 1 + CHUNK / k->channels);
    else
        ferry_parallel_even(r->pool, run_some, &run, k->elements, CHUNK);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// The function of the region's first node, or none, and what the nodes behind it do.
static bool read_nodes(const ferry_region *region, ferry_unary_node *out)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (region->n_nodes > MOST_NODES || region->n_inputs != 1) return false;
    const bool bare = !ferry_unary_node_read(g, node, out);
    if (bare) *out = (ferry_unary_node){.loop = FERRY_UNARY_F32_clip, .parameters = {-INFINITY, INFINITY}, .macs = 1};
    if (region->n_nodes == 1 && !bare) return true;
    ferry_affine affine;
    if (!ferry_affine_read(region, !bare, bare ? region->inputs[0] : node->outputs[0], &affine)) return false;
    out->parameters[FERRY_UNARY_SCALE] = (float)affine.scale;
    out->parameters[FERRY_UNARY_SHIFT] = (float)affine.shift;
    return true;
}

// How the elements of x and y lie: in one piece and alike, or in channels of positions. False: otherwise.
static bool read_rows(unary_kernel *k, const ferry_tensor_desc *x, const ferry_tensor_desc *y)
{
    k->elements = 1;
    for (int32_t d = 0; d < y->rank; d++) k->elements *= (size_t)y->dims[d];
    const bool alike = memcmp(x->strides, y->strides, (size_t)y->rank * sizeof *y->strides) == 0;
    if (alike && ferry_tensor_desc_is_dense(y, y->layout)) return true;
    k->x_row = (size_t)ferry_tensor_desc_row(x);
    k->y_row = (size_t)ferry_tensor_desc_row(y);
    if (k->x_row == 0 || k->y_row == 0) return false;
    k->channels = (size_t)y->dims[1];
    return true;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    const ferry_value_id x_value = region->n_inputs == 1 ? region->inputs[0] : FERRY_NO_VALUE;
    ferry_unary_node f;
    if (x_value == FERRY_NO_VALUE || !read_nodes(region, &f) || !ferry_dtype_widens_to_f32(in->dtype) ||
        out->dtype != in->dtype || !ferry_tensor_desc_same_dims(in, out))
        return ferry_misfit(tactic, "an output unlike its input", err);
    unary_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "an elementwise kernel");
    k->loop = ferry_unary_loop_for(device->isa, f.loop, out[0].dtype);
    memcpy(k->parameters, f.parameters, sizeof k->parameters);
    if (in->dtype != FERRY_F32) k->narrow = ferry_loops_half_pick(device->isa, in->dtype);
    return ferry_cpu_kernel_done(
        &k->base, read_rows(k, in, out) ? FERRY_OK : ferry_misfit(tactic, "an output unlike its input", err),
        out_kernel);
}

static ferry_status offer_nodes(ferry_cpu_device *device, const ferry_graph_view *view, const ferry_node_id *nodes,
                                int32_t n, double macs, const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_value *y = ferry_node_result(view->graph, &view->graph->nodes[nodes[n - 1]]);
    ferry_offer offer = {
        .tactic = tactic_name,
        .nodes = nodes,
        .n_nodes = n,
        .flags = FERRY_OFFER_IN_PLACE | FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES,
        .cost_us = ferry_cpu_cost_us(device, FERRY_F32, macs * ferry_value_elements(y), 2 * ferry_value_bytes(y))};
    FERRY_TRY(sink->take(sink->user, &offer, err));
    if (y->shape.rank < 3) return FERRY_OK;
    offer.in_layout = offer.out_layout = FERRY_LAYOUT_CHANNELS_LAST;
    return sink->take(sink->user, &offer, err);
}

static bool is_offered(const ferry_graph_view *view, ferry_node_id id, ferry_unary_node *f)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[id];
    const ferry_value *x = ferry_node_value(g, node, 0);
    return x && !ferry_value_is_constant(x) && ferry_node_is_plain(view, id) && ferry_unary_node_read(g, node, f) &&
           ferry_value_is_alike(x, ferry_node_result(g, node));
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_node_id nodes[MOST_NODES];
    ferry_unary_node f;
    if (is_offered(view, root, &f)) return offer_nodes(device, view, &root, 1, f.macs, sink, err);
    const int32_t n = ferry_affine_find(view, root, nodes + 1);
    if (n == 0) return FERRY_OK;
    ferry_affine affine = {1, 0};
    ferry_value_id x = FERRY_NO_VALUE;
    ferry_affine_follow(g, &g->nodes[nodes[1]], &affine, &x);
    nodes[0] = ferry_maker_for_one(view, x);
    FERRY_TRY(offer_nodes(device, view, nodes + 1, n, 1, sink, err));
    if (nodes[0] == FERRY_NO_NODE || !is_offered(view, nodes[0], &f)) return FERRY_OK;
    return offer_nodes(device, view, nodes, n + 1, f.macs, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_unary_f32;
const ferry_cpu_family ferry_cpu_family_unary_f32 = {
    .name = "unary_f32",
    .via_f32 = true,
    .f16 = true,
    .bf16 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
