// SPDX-License-Identifier: Apache-2.0
// The tactic of block_f32.h: reads a region of two or three convolutions and packs each as its own family does.
#include <string.h>

#include "backend/cpu/block_f32.h"
#include "backend/cpu/block_nodes.h"
#include "backend/cpu/depthwise_f32.h"

static const char tactic_name[] = "conv_block_f32";

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

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_block_families families = {&ferry_cpu_family_conv_f32, &ferry_cpu_family_conv_depthwise_f32, NULL};
    return ferry_block_pack(device, &families, region, tactic, out_data, out_bytes, err);
}

// --- Preparing ------------------------------------------------------------------------------------------------------

// Takes the product's weights; false when they are not there.
static bool take_product(const ferry_gemm_f32_row *row, const ferry_conv_node *node, const char **packed,
                         size_t *bytes_left, ferry_block_product *p)
{
    size_t floats = 0;
    p->k = (size_t)node->shape.c_each;
    p->columns = (size_t)node->shape.m_each;
    p->finish = node->finish;
    if (!ferry_gemm_f32_packed_floats(row, p->k, p->columns, &floats)) return false;
    p->packed = ferry_block_take(packed, bytes_left, floats * sizeof(float));
    return p->packed;
}

static bool take_depthwise(const ferry_conv_node *node, const char **packed, size_t *bytes_left, ferry_block_f32 *b)
{
    size_t floats = 0;
    b->shape = node->shape;
    b->finish = node->finish;
    b->padded = ferry_align_size((size_t)node->shape.c_in, FERRY_DEPTHWISE_PAD);
    if (!ferry_mul_size(b->padded, (size_t)node->shape.taps + 1, &floats) || floats > SIZE_MAX / sizeof(float))
        return false;
    b->depthwise_packed = ferry_block_take(packed, bytes_left, floats * sizeof(float));
    return b->depthwise_packed;
}

static ferry_status fill_kernel(block_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                const void *packed, size_t packed_bytes, ferry_error *err)
{
    ferry_block_nodes n;
    ferry_block_f32 *b = &k->block;
    FERRY_TRY(ferry_block_read(device, region, tactic, FERRY_F32, in, out, &n, err));
    const ferry_conv_node *last = &n.nodes[n.n - 1];
    const char *at = packed;
    b->expands = n.kind != FERRY_BLOCK_DEPTHWISE_PROJECT;
    b->projects = n.kind != FERRY_BLOCK_EXPAND_DEPTHWISE;
    b->row = ferry_gemm_f32_pick(device->isa);
    b->line = ferry_depthwise_line_pick(device->isa);
    if ((b->expands && !take_product(b->row, &n.nodes[0], &at, &packed_bytes, &b->expand)) ||
        !take_depthwise(&n.nodes[b->expands], &at, &packed_bytes, b) ||
        (b->projects && !take_product(b->row, last, &at, &packed_bytes, &b->project)) || packed_bytes != 0)
        return ferry_misfit(tactic, "packed weights of another size", err);
    if (!ferry_block_f32_plan(b, &k->base.base.workspace_bytes)) return ferry_misfit(tactic, "lines too long", err);
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
    return ferry_block_offer(device, view, root, FERRY_F32, tactic_name, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_block_f32;
const ferry_cpu_family ferry_cpu_family_conv_block_f32 = {
    .name = "conv_block_f32",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
