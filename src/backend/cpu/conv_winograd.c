// SPDX-License-Identifier: Apache-2.0
// 3x3 convolutions of f32 and bf16 by Winograd's filtering in f32, channels last, with bias, activation and residual in
// the store. Weights grow 1.8 or 4 times, and rounding errors too: winograd.h has the bounds.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/row_source.h"
#include "backend/cpu/tail.h"
#include "backend/cpu/winograd_product.h"
#include "ops/op.h"

typedef struct variant {
    const char *tactic;
    size_t m; // of F(m x m, 3 x 3)
    ferry_dtype dtype;
    const ferry_winograd_row *(*pick)(uint32_t isa);
} variant;

static const variant variants[] = {
    {"conv_f32_winograd2", 2, FERRY_F32, ferry_winograd_f32_pick},
    {"conv_f32_winograd4", 4, FERRY_F32, ferry_winograd_f32_pick},
    {"conv_bf16_winograd2", 2, FERRY_BF16, ferry_winograd_bf16_pick},
    {"conv_bf16_winograd4", 4, FERRY_BF16, ferry_winograd_bf16_pick},
};

typedef struct winograd_kernel {
    ferry_cpu_kernel base;
    ferry_winograd_product product;
    const float *packed; // borrowed
    ferry_operand x, residual;
    void *zeros; // owned
    size_t zeros_bytes;
} winograd_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const winograd_kernel *k = (const winograd_kernel *)kernel;
    ferry_winograd_product_run(&k->product, r->pool, ferry_cpu_operand_data(&k->x, r), k->packed,
                               k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL, r->out[0].data,
                               r->workspace);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    winograd_kernel *k = (winograd_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->zeros, k->zeros_bytes);
}

// NULL: not a tactic of this file.
static const variant *variant_of(const char *tactic)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(variants); i++)
        if (strcmp(tactic, variants[i].tactic) == 0) return &variants[i];
    return NULL;
}

static bool owns_f32(const char *tactic)
{
    const variant *v = variant_of(tactic);
    return v && v->dtype == FERRY_F32;
}

static bool owns_bf16(const char *tactic)
{
    const variant *v = variant_of(tactic);
    return v && v->dtype == FERRY_BF16;
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_gemm_f32_row *gemm = ferry_gemm_f32_pick(device->isa);
    const ferry_heap *heap = device->base.heap;
    const size_t m = variant_of(tactic)->m;
    size_t floats = 0;
    if (!w || !w->data || w->shape.rank != 4 || w->shape.dims[2] != 3 || w->shape.dims[3] != 3 ||
        !ferry_winograd_packed_floats(gemm, m, (size_t)w->shape.dims[1], (size_t)w->shape.dims[0], &floats))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const size_t c_out = (size_t)w->shape.dims[0], c_in = (size_t)w->shape.dims[1];
    const size_t scratch_floats = ferry_winograd_pack_scratch(gemm, m, c_in);
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    float *packed = NULL, *scratch = NULL;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) {
        packed = ferry_heap_alloc_uninit(heap, floats * sizeof *packed);
        scratch = ferry_heap_alloc_array(heap, scratch_floats, sizeof *scratch);
        if (!packed || !scratch) s = ferry_fail_memory(err, "packed weights");
    }
    if (s == FERRY_OK) ferry_winograd_pack(gemm, m, c_in, c_out, weights, bias, scratch, packed);
    ferry_heap_free(heap, scratch, scratch_floats * sizeof *scratch);
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    if (s != FERRY_OK) {
        ferry_heap_free(heap, packed, floats * sizeof *packed);
        return s;
    }
    *out_data = packed;
    *out_bytes = floats * sizeof *packed;
    return FERRY_OK;
}

static ferry_status fill_kernel(winograd_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                const void *packed, size_t packed_bytes, ferry_error *err)
{
    ferry_winograd_product *p = &k->product;
    const variant *v = variant_of(tactic);
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, &node, err));
    if (node.x.desc.dtype != v->dtype || out[0].dtype != v->dtype ||
        (node.residual.present && node.residual.desc.dtype != v->dtype))
        return ferry_misfit(tactic, "tensors of another type", err);
    if (!node.x_channels_last) return ferry_misfit(tactic, "an input without channels last", err);
    if (!ferry_winograd_suits(&node.shape)) return ferry_misfit(tactic, "another window than 3x3", err);
    *p = (ferry_winograd_product){.row = v->pick(device->isa),
                                  .gemm = ferry_gemm_f32_pick(device->isa),
                                  .m = v->m,
                                  .elem_bytes = ferry_dtype_bytes(v->dtype),
                                  .y_row = node.y_row,
                                  .r_row = node.r_row,
                                  .shape = node.shape,
                                  .finish = node.finish};
    size_t floats = 0;
    if (!p->row) return ferry_misfit(tactic, "a CPU without its instructions", err);
    if (!ferry_winograd_product_plan(p)) return ferry_misfit(tactic, "an input too large", err);
    if (!ferry_winograd_packed_floats(p->gemm, p->m, (size_t)node.shape.c_in, (size_t)node.shape.c_out, &floats) ||
        floats * sizeof(float) != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    k->packed = packed;
    k->x = node.x;
    k->residual = node.residual;
    k->base.base.workspace_bytes = p->workspace_bytes;
    k->zeros_bytes = (size_t)node.shape.c_in * p->elem_bytes;
    k->zeros = ferry_heap_alloc(device->base.heap, k->zeros_bytes);
    if (!k->zeros) return ferry_fail_memory(err, "a convolution");
    p->zeros = k->zeros;
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    winograd_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->base.deinit = deinit;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, out, packed, packed_bytes, err),
                                 out_kernel);
}

// Transforms cost about as much as so many multiply-adds for each channel of a tile, and weights that come from far
// away cannot be hidden behind few tiles.
static double cost_us(const ferry_cpu_device *device, const ferry_winograd_product *p, const ferry_tail *tail,
                      size_t packed_floats)
{
    const double points = (double)((p->m + 2) * (p->m + 2));
    const double tiles = (double)(p->tiles + ferry_row_tiles(p->tiles, p->gemm->mr)); // each call costs about a row
    const double c_in = (double)p->v_row, c_out = (double)ferry_align_size((size_t)p->shape.c_out, p->gemm->vec);
    const double macs = points * tiles * (c_in * c_out + 8 * (c_in + c_out)) + tail->macs;
    const double bytes = (double)packed_floats * sizeof(float) * (double)p->blocks / 2 + tail->bytes;
    return ferry_cpu_cost_us(device, FERRY_F32, macs, bytes);
}

// Tensors that the kernels for bf16 take as they are.
static bool is_bf16(const ferry_graph *g, const ferry_node *node, ferry_node_id last)
{
    const ferry_value *r = ferry_node_value(g, node, 3);
    return ferry_node_value(g, node, 0)->dtype == FERRY_BF16 && (!r || r->dtype == FERRY_BF16) &&
           ferry_node_result(g, &g->nodes[last])->dtype == FERRY_BF16;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root, ferry_dtype dtype,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_winograd_product p = {.gemm = ferry_gemm_f32_pick(device->isa), .elem_bytes = ferry_dtype_bytes(dtype)};
    if (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) return FERRY_OK;
    if (!ferry_conv_node_is_offered(view, tail.nodes[0], &p.shape) || !ferry_winograd_suits(&p.shape)) return FERRY_OK;
    const ferry_value *w = ferry_node_value(g, node, 1);
    if (!ferry_dtype_widens_to_f32(ferry_node_value(g, node, 0)->dtype) || !ferry_dtype_widens_to_f32(w->dtype) ||
        p.shape.c_in < 8)
        return FERRY_OK;
    const bool native = ferry_winograd_bf16_pick(device->isa) && is_bf16(g, node, root);
    if (native != (dtype == FERRY_BF16)) return FERRY_OK;
    const size_t own_bytes = (size_t)ferry_value_bytes(w);
    for (size_t i = 0; i < FERRY_COUNT_OF(variants); i++) {
        const variant *v = &variants[i];
        size_t floats = 0;
        p.m = v->m;
        p.row = v->pick(device->isa);
        if (v->dtype != dtype || !ferry_winograd_product_plan(&p) ||
            !ferry_winograd_packed_floats(p.gemm, p.m, (size_t)p.shape.c_in, (size_t)p.shape.c_out, &floats))
            continue;
        const ferry_offer offer = {.tactic = v->tactic,
                                   .nodes = tail.nodes,
                                   .n_nodes = tail.n_nodes,
                                   .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                                   .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                                   .flags =
                                       FERRY_OFFER_TRANSFORMS | FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES,
                                   .cost_us = cost_us(device, &p, &tail, floats),
                                   .extra_bytes = (uint64_t)(floats * sizeof(float) - own_bytes)};
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

static ferry_status offer_f32(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                              const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, view, root, FERRY_F32, sink, err);
}

static ferry_status offer_bf16(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, view, root, FERRY_BF16, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_winograd_f32;
const ferry_cpu_family ferry_cpu_family_conv_winograd_f32 = {
    .name = "conv_winograd_f32",
    .via_f32 = true,
    .offer = offer_f32,
    .owns = owns_f32,
    .pack = pack,
    .prepare = prepare,
};

extern const ferry_cpu_family ferry_cpu_family_conv_winograd_bf16;
const ferry_cpu_family ferry_cpu_family_conv_winograd_bf16 = {
    .name = "conv_winograd_bf16",
    .offer = offer_bf16,
    .owns = owns_bf16,
    .pack = pack,
    .prepare = prepare,
};
