// SPDX-License-Identifier: Apache-2.0
// LayerNormalization of floats and bf16 whose rows lie dense, with the conversions around it that INT8 engines have:
// rows come in as int8 and go out as int8, and are floats only while they are near.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/loops_half.h"
#include "backend/cpu/norm_rows.h"
#include "backend/cpu/scale_node.h"
#include "ops/element.h"
#include "ops/op.h"

static const char tactic_name[] = "layer_norm";

#define MOST_NODES 5
// Threads beyond this many share the work of so many: each part has scratch memory of its own.
#define MOST_PARTS 16
#define TASK 4096 // elements that are worth a thread
#define ALIGN 64

/// The region: DequantizeLinear, Cast to bf16, LayerNormalization, Cast from bf16, QuantizeLinear, of which only the
/// third must be there.
typedef struct chain {
    const ferry_node *dequantise, *norm, *quantise;
    bool round_in, round_out; // by way of bf16
} chain;

typedef struct norm_kernel {
    ferry_cpu_kernel base;
    const ferry_norm_row *row;
    const ferry_loops_half_row *bf16;
    const ferry_elementwise_s8_row *s8;
    ferry_norm norm;
    size_t scale_owned, bias_owned, rows, parts, part_bytes;
    ferry_dtype x_dtype, y_dtype;
    ferry_scale_node x_scale, y_scale;
    bool round_in, round_out;
} norm_kernel;

typedef struct norm_run {
    const norm_kernel *k;
    const ferry_cpu_run *r;
    size_t parts;
} norm_run;

static void round_row(const norm_kernel *k, float *wide, uint16_t *narrow)
{
    k->bf16->narrow(wide, narrow, k->norm.n);
    k->bf16->widen(narrow, wide, k->norm.n);
}

static void run_row(const norm_kernel *k, const char *x, char *y, float *wide, uint16_t *narrow)
{
    const size_t n = k->norm.n;
    const float *from = wide;
    if (k->x_dtype == FERRY_BF16 && k->y_dtype == FERRY_BF16 && k->row->run_bf16) {
        k->row->run_bf16(&k->norm, (const uint16_t *)(const void *)x, (uint16_t *)(void *)y);
        return;
    }
    if (k->x_dtype == FERRY_S8)
        k->s8->dequantise_s8((const int8_t *)x, k->x_scale.scale, k->x_scale.zero, wide, n);
    else if (k->x_dtype == FERRY_BF16)
        k->bf16->widen((const uint16_t *)(const void *)x, wide, n);
    else
        from = (const float *)(const void *)x;
    if (k->round_in) round_row(k, wide, narrow);
    if (k->y_dtype == FERRY_S8 && k->y_scale.zero == 0 && !k->round_out &&
        k->row->run_s8(&k->norm, from, k->y_scale.scale, (int8_t *)y))
        return;
    k->row->run(&k->norm, from, k->y_dtype == FERRY_F32 ? (float *)(void *)y : wide);
    if (k->round_out) round_row(k, wide, narrow);
    if (k->y_dtype == FERRY_S8)
        k->s8->quantise(wide, k->y_scale.scale, k->y_scale.zero, -128, 127, (uint8_t *)y, n);
    else if (k->y_dtype == FERRY_BF16)
        k->bf16->narrow(wide, (uint16_t *)(void *)y, n);
}

// Part `begin` of run->parts of all rows.
static void run_part(void *context, size_t begin, size_t count)
{
    const norm_run *run = context;
    const norm_kernel *k = run->k;
    const char *x = run->r->in[0].data;
    char *y = run->r->out[0].data;
    const size_t x_row = k->norm.n * ferry_dtype_bytes(k->x_dtype), y_row = k->norm.n * ferry_dtype_bytes(k->y_dtype);
    for (size_t part = begin; part < begin + count; part++) {
        float *wide = (float *)(void *)((char *)run->r->workspace + part * k->part_bytes);
        uint16_t *narrow = (uint16_t *)(wide + ferry_align_size(k->norm.n, ALIGN));
        for (size_t r = k->rows * part / run->parts; r < k->rows * (part + 1) / run->parts; r++)
            run_row(k, x + r * x_row, y + r * y_row, wide, narrow);
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const norm_kernel *k = (const norm_kernel *)kernel;
    norm_run run = {k, r, ferry_thread_pool_threads(r->pool)};
    const size_t worth = k->rows * k->norm.n / TASK + 1;
    if (run.parts > k->parts) run.parts = k->parts;
    if (run.parts > worth) run.parts = worth;
    ferry_parallel_1d(r->pool, run_part, &run, run.parts, 1);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    norm_kernel *k = (norm_kernel *)kernel;
    ferry_constant_free(kernel->base.device->heap, k->norm.scale, k->scale_owned);
    ferry_constant_free(kernel->base.device->heap, k->norm.bias, k->bias_owned);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// --- The region ------------------------------------------------------------------------------------------------------

static bool is_cast(const ferry_graph *g, const ferry_node *node, ferry_dtype from, ferry_dtype to)
{
    return ferry_node_is(node, "Cast") && node->n_inputs == 1 && ferry_node_value(g, node, 0)->dtype == from &&
           ferry_node_result(g, node)->dtype == to;
}

// By operators and links; sizes are the caller's affair.
static bool read_chain(const ferry_graph *g, const ferry_node_id *nodes, int32_t n, chain *out)
{
    int32_t i = 0;
    *out = (chain){0};
    if (n < 1 || n > MOST_NODES) return false;
    for (int32_t k = 0; k < n; k++) {
        const ferry_node *node = &g->nodes[nodes[k]];
        if (node->n_inputs < 1 || node->n_outputs < 1 || !ferry_node_value(g, node, 0) ||
            (k > 0 && node->inputs[0] != g->nodes[nodes[k - 1]].outputs[0]))
            return false;
    }
    if (ferry_node_is(&g->nodes[nodes[i]], "DequantizeLinear")) out->dequantise = &g->nodes[nodes[i++]];
    if (out->dequantise && i < n && is_cast(g, &g->nodes[nodes[i]], FERRY_F32, FERRY_BF16)) out->round_in = ++i > 0;
    if (i == n || !ferry_node_is(&g->nodes[nodes[i]], "LayerNormalization")) return false;
    out->norm = &g->nodes[nodes[i++]];
    for (int32_t o = 1; o < out->norm->n_outputs; o++)
        if (out->norm->outputs[o] != FERRY_NO_VALUE) return false;
    if (i < n && is_cast(g, &g->nodes[nodes[i]], FERRY_BF16, FERRY_F32)) out->round_out = ++i > 0;
    if (i < n && ferry_node_is(&g->nodes[nodes[i]], "QuantizeLinear")) out->quantise = &g->nodes[nodes[i++]];
    return i == n && (out->quantise || !out->round_out);
}

// Elements of a row, of which scale and bias have as many; false when they are not constant.
static bool read_width(const ferry_graph *g, const ferry_node *norm, int32_t rank, const int64_t *dims, size_t *out)
{
    int32_t axis = 0;
    if (ferry_axis(ferry_node_int(norm, "axis", -1), rank, &axis, NULL) != FERRY_OK) return false;
    *out = 1;
    for (int32_t d = axis; d < rank; d++)
        if (dims[d] < 1 || !ferry_mul_size(*out, (size_t)dims[d], out)) return false;
    for (int32_t i = 1; i < 3; i++) {
        const ferry_value *v = ferry_node_value(g, norm, i);
        if (!v && i == 2) continue;
        if (!v || !ferry_value_is_constant(v) || !ferry_dtype_widens_to_f32(v->dtype) ||
            ferry_value_elements(v) != (double)*out)
            return false;
    }
    return true;
}

static bool read_scales(const ferry_graph *g, const chain *c, ferry_scale_node *x, ferry_scale_node *y)
{
    return (!c->dequantise || ferry_scale_node_read(g, c->dequantise, x)) &&
           (!c->quantise || ferry_scale_node_read(g, c->quantise, y));
}

static ferry_status fill_kernel(norm_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const ferry_tensor_desc *x, const ferry_tensor_desc *y, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_heap *heap = device->base.heap;
    size_t bytes = 0;
    chain c;
    k->x_dtype = x->dtype;
    k->y_dtype = y->dtype;
    if (!read_chain(g, region->nodes, region->n_nodes, &c) || !read_scales(g, &c, &k->x_scale, &k->y_scale) ||
        !read_width(g, c.norm, x->rank, x->dims, &k->norm.n) || !ferry_tensor_desc_same_dims(x, y) ||
        !ferry_tensor_desc_is_dense(x, FERRY_LAYOUT_PLAIN) || !ferry_tensor_desc_is_dense(y, FERRY_LAYOUT_PLAIN) ||
        !ferry_tensor_desc_bytes(x, &bytes))
        return ferry_misfit(tactic_name, "not a normalisation of dense rows", err);
    const bool x_fits = c.dequantise ? x->dtype == FERRY_S8 : x->dtype == FERRY_F32 || x->dtype == FERRY_BF16;
    const bool y_fits = c.quantise ? y->dtype == FERRY_S8 : y->dtype == FERRY_F32 || y->dtype == FERRY_BF16;
    if (!x_fits || !y_fits || k->norm.n > SIZE_MAX / 64)
        return ferry_misfit(tactic_name, "types that it does not know", err);
    k->row = ferry_norm_pick(device->isa);
    k->bf16 = ferry_loops_half_pick(device->isa, FERRY_BF16);
    k->s8 = ferry_elementwise_s8_pick(device->isa);
    k->round_in = c.round_in;
    k->round_out = c.round_out;
    k->rows = bytes / ferry_dtype_bytes(x->dtype) / k->norm.n;
    k->norm.epsilon = (double)ferry_node_float(c.norm, "epsilon", 1e-5f);
    k->parts = ferry_processor_count() < MOST_PARTS ? ferry_processor_count() : MOST_PARTS;
    k->part_bytes = ferry_align_size(k->norm.n, ALIGN) * (sizeof(float) + sizeof(uint16_t));
    if (!ferry_mul_size(k->part_bytes, k->parts, &k->base.base.workspace_bytes))
        return ferry_misfit(tactic_name, "rows too long", err);
    FERRY_TRY(ferry_constant_f32(heap, ferry_node_value(g, c.norm, 1), &k->norm.scale, &k->scale_owned, err));
    if (!ferry_node_value(g, c.norm, 2)) return FERRY_OK;
    return ferry_constant_f32(heap, ferry_node_value(g, c.norm, 2), &k->norm.bias, &k->bias_owned, err);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    if (region->n_inputs != 1) return ferry_misfit(tactic, "several inputs", err);
    norm_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a normalisation");
    k->base.deinit = deinit;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, &in[0], &out[0], err), out_kernel);
}

// --- Offers ----------------------------------------------------------------------------------------------------------

// Who makes input 0 of the node, for it alone; FERRY_NO_NODE otherwise.
static ferry_node_id maker_of(const ferry_graph_view *view, ferry_node_id node)
{
    const ferry_graph *g = view->graph;
    const ferry_value_id x = g->nodes[node].n_inputs > 0 ? g->nodes[node].inputs[0] : FERRY_NO_VALUE;
    if (x == FERRY_NO_VALUE || g->values[x].is_output || view->user_offsets[x + 1] - view->user_offsets[x] != 1)
        return FERRY_NO_NODE;
    return g->values[x].producer;
}

// Nodes that may belong to it, from the root back to `first`, the place of the normalisation; false when there is none.
static bool walk_back(const ferry_graph_view *view, ferry_node_id root, ferry_node_id *nodes, int32_t *first)
{
    const ferry_graph *g = view->graph;
    ferry_node_id at = root;
    for (*first = MOST_NODES - 1; *first >= 0 && at != FERRY_NO_NODE; (*first)--, at = maker_of(view, at)) {
        nodes[*first] = at;
        if (ferry_node_is(&g->nodes[at], "LayerNormalization")) return true;
        if (!ferry_node_is(&g->nodes[at], "Cast") && !ferry_node_is(&g->nodes[at], "QuantizeLinear")) return false;
    }
    return false;
}

static ferry_status offer_chain(ferry_cpu_device *device, const ferry_graph_view *view, const ferry_node_id *nodes,
                                int32_t n, const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    chain c;
    ferry_scale_node scales[2];
    size_t width = 0;
    if (!read_chain(g, nodes, n, &c) || !read_scales(g, &c, &scales[0], &scales[1])) return FERRY_OK;
    for (int32_t i = 0; i < n; i++)
        if (!ferry_node_is_plain(view, nodes[i])) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, &g->nodes[nodes[0]], 0),
                      *y = ferry_node_result(g, &g->nodes[nodes[n - 1]]);
    const ferry_value *in = ferry_node_value(g, c.norm, 0), *out = ferry_node_result(g, c.norm);
    if (ferry_value_is_constant(x) || !read_width(g, c.norm, in->shape.rank, in->shape.dims, &width) ||
        in->dtype != out->dtype || (c.dequantise ? x->dtype != FERRY_S8 : !ferry_dtype_widens_to_f32(x->dtype)) ||
        (c.quantise ? y->dtype != FERRY_S8 : !ferry_dtype_widens_to_f32(y->dtype)))
        return FERRY_OK;
    const double macs = ferry_value_elements(x) * (4 + (c.dequantise ? 1 : 0) + (c.quantise ? 8 : 0));
    const ferry_offer offer = {
        .tactic = tactic_name,
        .nodes = nodes,
        .n_nodes = n,
        .in_layout = FERRY_LAYOUT_PLAIN,
        .out_layout = FERRY_LAYOUT_PLAIN,
        .flags = x->dtype == y->dtype ? FERRY_OFFER_IN_PLACE : 0,
        .cost_us = ferry_cpu_cost_us(device, FERRY_F32, macs, ferry_value_bytes(x) + ferry_value_bytes(y)) +
                   ferry_value_elements(x) / (double)width * 1e-2};
    return sink->take(sink->user, &offer, err);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_node_id nodes[MOST_NODES];
    int32_t first = 0;
    if (!walk_back(view, root, nodes, &first)) return FERRY_OK;
    FERRY_TRY(offer_chain(device, view, nodes + first, MOST_NODES - first, sink, err));
    for (int32_t before = 0; before < 2 && first > 0; before++) {
        nodes[first - 1] = maker_of(view, nodes[first]);
        if (nodes[first - 1] == FERRY_NO_NODE) return FERRY_OK;
        first--;
        FERRY_TRY(offer_chain(device, view, nodes + first, MOST_NODES - first, sink, err));
    }
    return FERRY_OK;
}

extern const ferry_cpu_family ferry_cpu_family_layer_norm;
const ferry_cpu_family ferry_cpu_family_layer_norm = {
    .name = "layer_norm",
    .via_f32 = true,
    .bf16 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
