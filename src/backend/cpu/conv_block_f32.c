// SPDX-License-Identifier: Apache-2.0
// The tactic of block_f32.h: reads a region of two or three convolutions and packs each as its own family does.
#include <string.h>

#include "backend/cpu/block_f32.h"
#include "backend/cpu/block_offer.h"
#include "backend/cpu/conv_node.h"
#include "backend/cpu/conv_stages.h"
#include "backend/cpu/depthwise_f32.h"

static const char tactic_name[] = "conv_block_f32";

#define PACKED_ALIGN 64

typedef struct block_kernel {
    ferry_cpu_kernel base;
    ferry_block_f32 block;
    int32_t x, residual; // bindings; residual -1: none
} block_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const block_kernel *k = (const block_kernel *)kernel;
    ferry_block_f32_run(&k->block, r->pool, r->in[k->x].data, k->residual >= 0 ? r->in[k->residual].data : NULL,
                        r->out[0].data, r->workspace);
    return FERRY_OK;
}

// --- Packing --------------------------------------------------------------------------------------------------------

extern const ferry_cpu_family ferry_cpu_family_conv_f32, ferry_cpu_family_conv_depthwise_f32;

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status pack_stage(ferry_cpu_device *device, const ferry_graph *graph, const ferry_conv_stage *stage,
                               const char *tactic, void **out, size_t *out_bytes, ferry_error *err)
{
    const ferry_region region = ferry_conv_stage_region(graph, stage);
    const ferry_value *w = ferry_cpu_value(graph, &graph->nodes[stage->nodes[0]], 1);
    if (!w || w->shape.rank < 3) return ferry_cpu_misfit(tactic, "weights that cannot be packed", err);
    const bool depthwise = ferry_node_int(&graph->nodes[stage->nodes[0]], "group", 1) > 1;
    return (depthwise ? &ferry_cpu_family_conv_depthwise_f32 : &ferry_cpu_family_conv_f32)
        ->pack(device, &region, tactic, out, out_bytes, err);
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_heap *heap = device->base.heap;
    ferry_conv_stage stages[FERRY_BLOCK_STAGES];
    void *packed[FERRY_BLOCK_STAGES] = {NULL};
    size_t bytes[FERRY_BLOCK_STAGES] = {0}, all = 0;
    const int32_t n = ferry_conv_stages(region, stages, FERRY_BLOCK_STAGES);
    if (n < 2) return ferry_cpu_misfit(tactic, "not a chain of convolutions", err);
    ferry_status s = FERRY_OK;
    for (int32_t i = 0; s == FERRY_OK && i < n; i++) {
        s = pack_stage(device, region->graph, &stages[i], tactic, &packed[i], &bytes[i], err);
        all += ferry_align_size(bytes[i], PACKED_ALIGN);
    }
    char *together = s == FERRY_OK ? ferry_heap_alloc(heap, all) : NULL;
    if (s == FERRY_OK && !together) s = ferry_fail_memory(err, "packed weights");
    for (size_t i = 0, at = 0; i < (size_t)n; at += ferry_align_size(bytes[i], PACKED_ALIGN), i++) {
        if (together) memcpy(together + at, packed[i], bytes[i]);
        ferry_heap_free(heap, packed[i], bytes[i]);
    }
    if (s != FERRY_OK) return s;
    *out_data = together;
    *out_bytes = all;
    return FERRY_OK;
}

// --- Preparing ------------------------------------------------------------------------------------------------------

/// The stages of a region as their families read them.
typedef struct block_nodes {
    ferry_conv_stage stages[FERRY_BLOCK_STAGES];
    ferry_conv_node nodes[FERRY_BLOCK_STAGES];
    int32_t n;
    ferry_block_kind kind;
} block_nodes;

// What the stage gives for its input `x`, channels last.
static ferry_status describe_output(const ferry_graph *graph, const ferry_conv_stage *stage, const char *tactic,
                                    const ferry_tensor_desc *x, ferry_tensor_desc *y, ferry_error *err)
{
    const ferry_node *conv = &graph->nodes[stage->nodes[0]];
    const ferry_value *w = ferry_cpu_value(graph, conv, 1);
    ferry_window window;
    if (x->rank != 4 || !w || w->shape.rank != 4) return ferry_cpu_misfit(tactic, "not a convolution of planes", err);
    FERRY_TRY(ferry_window_read(conv, 2, w->shape.dims + 2, &window, err));
    *y = (ferry_tensor_desc){.dtype = FERRY_F32, .layout = FERRY_LAYOUT_CHANNELS_LAST, .rank = 4};
    y->dims[0] = x->dims[0];
    y->dims[1] = w->shape.dims[0];
    for (int32_t i = 0; i < 2; i++) FERRY_TRY(ferry_window_out(&window, i + 1, x->dims[i + 2], &y->dims[i + 2], err));
    size_t bytes = 0;
    if (!ferry_tensor_desc_bytes(y, &bytes)) return ferry_cpu_misfit(tactic, "a tensor beyond all memory", err);
    ferry_tensor_desc_set_strides(y);
    return FERRY_OK;
}

static ferry_status read_stages(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                const ferry_tensor_desc *in, const ferry_tensor_desc *out, block_nodes *b,
                                ferry_error *err)
{
    b->n = ferry_conv_stages(region, b->stages, FERRY_BLOCK_STAGES);
    if (b->n < 2) return ferry_cpu_misfit(tactic, "not a chain of convolutions", err);
    ferry_conv_shape shapes[FERRY_BLOCK_STAGES];
    ferry_tensor_desc x = {.dtype = FERRY_DTYPE_NONE}, y = x;
    for (int32_t i = 0; i < b->n; i++, x = y) {
        const ferry_conv_stage *stage = &b->stages[i];
        const ferry_region part = ferry_conv_stage_region(region->graph, stage);
        ferry_tensor_desc ins[FERRY_CONV_STAGE_INPUTS] = {x, x};
        for (int32_t k = i ? 1 : 0; k < stage->n_inputs; k++) ins[k] = in[ferry_region_input(region, stage->inputs[k])];
        if (i + 1 < b->n)
            FERRY_TRY(describe_output(region->graph, stage, tactic, &ins[0], &y, err));
        else
            y = out[0];
        FERRY_TRY(ferry_conv_node_read(device, &part, tactic, ins, &y, &b->nodes[i], err));
        shapes[i] = b->nodes[i].shape;
        if (!b->nodes[i].x_channels_last || ins[0].dtype != FERRY_F32 || y.dtype != FERRY_F32)
            return ferry_cpu_misfit(tactic, "tensors that are not f32 with channels last", err);
    }
    b->kind = ferry_block_kind_of(shapes, b->n);
    if (b->kind == FERRY_BLOCK_NONE) return ferry_cpu_misfit(tactic, "not an inverted residual block", err);
    for (int32_t i = 0; i < b->n; i++)
        if (b->nodes[i].residual.present &&
            (i + 1 < b->n || b->kind == FERRY_BLOCK_EXPAND_DEPTHWISE || b->nodes[i].residual.at < 0 ||
             b->nodes[i].residual.desc.dtype != FERRY_F32))
            return ferry_cpu_misfit(tactic, "a residual that it cannot take in", err);
    return FERRY_OK;
}

// A part of the packed constants of so many floats; NULL when they end before.
static const float *take_packed(const char **packed, size_t *bytes_left, size_t floats)
{
    size_t bytes = 0;
    if (!ferry_mul_size(floats, sizeof(float), &bytes) || bytes > *bytes_left) return NULL;
    const float *taken = (const float *)*packed;
    const size_t step = ferry_align_size(bytes, PACKED_ALIGN);
    if (step > *bytes_left) return NULL;
    *packed += step;
    *bytes_left -= step;
    return taken;
}

// Takes the product's weights; false when they are not there.
static bool take_product(const ferry_gemm_f32_row *row, const ferry_conv_node *node, const char **packed,
                         size_t *bytes_left, ferry_block_product *p)
{
    size_t floats = 0;
    p->k = (size_t)node->shape.c_each;
    p->columns = (size_t)node->shape.m_each;
    p->finish = node->finish;
    if (!ferry_gemm_f32_packed_floats(row, p->k, p->columns, &floats)) return false;
    p->packed = take_packed(packed, bytes_left, floats);
    return p->packed;
}

static bool take_depthwise(const ferry_conv_node *node, const char **packed, size_t *bytes_left, ferry_block_f32 *b)
{
    size_t floats = 0;
    b->shape = node->shape;
    b->finish = node->finish;
    b->padded = ferry_align_size((size_t)node->shape.c_in, FERRY_DEPTHWISE_PAD);
    if (!ferry_mul_size(b->padded, (size_t)node->shape.taps + 1, &floats)) return false;
    b->depthwise_packed = take_packed(packed, bytes_left, floats);
    return b->depthwise_packed;
}

static ferry_status fill_kernel(block_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                const void *packed, size_t packed_bytes, ferry_error *err)
{
    block_nodes n;
    ferry_block_f32 *b = &k->block;
    FERRY_TRY(read_stages(device, region, tactic, in, out, &n, err));
    const ferry_conv_node *last = &n.nodes[n.n - 1];
    const char *at = packed;
    b->expands = n.kind != FERRY_BLOCK_DEPTHWISE_PROJECT;
    b->projects = n.kind != FERRY_BLOCK_EXPAND_DEPTHWISE;
    b->row = ferry_gemm_f32_pick(device->isa);
    b->line = ferry_depthwise_line_pick(device->isa);
    if ((b->expands && !take_product(b->row, &n.nodes[0], &at, &packed_bytes, &b->expand)) ||
        !take_depthwise(&n.nodes[b->expands], &at, &packed_bytes, b) ||
        (b->projects && !take_product(b->row, last, &at, &packed_bytes, &b->project)) || packed_bytes != 0)
        return ferry_cpu_misfit(tactic, "packed weights of another size", err);
    if (!ferry_block_f32_plan(b, &k->base.base.workspace_bytes)) return ferry_cpu_misfit(tactic, "lines too long", err);
    k->x = ferry_region_input(region, n.stages[0].inputs[0]);
    k->residual = last->residual.present ? ferry_region_input(region, n.stages[n.n - 1].inputs[last->residual.at]) : -1;
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    block_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a block of convolutions");
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, out, packed, packed_bytes, err),
                                 out_kernel);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    return ferry_block_offer(device, view, root, tactic_name, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_block_f32;
const ferry_cpu_family ferry_cpu_family_conv_block_f32 = {
    .name = "conv_block_f32",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
