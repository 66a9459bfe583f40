// SPDX-License-Identifier: Apache-2.0
// The tactic of filter_bf16.h for a pointwise convolution and the depthwise one behind it.
#include <string.h>

#include "backend/cpu/block_nodes.h"
#include "backend/cpu/filter_bf16.h"

static const char tactic_name[] = "conv_block_bf16";

typedef struct block_kernel {
    ferry_cpu_kernel base;
    ferry_filter_bf16 filter;
    int32_t x;
} block_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const block_kernel *k = (const block_kernel *)kernel;
    ferry_filter_bf16_run(&k->filter, r->pool, r->in[k->x].data, r->out[0].data);
    return FERRY_OK;
}

extern const ferry_cpu_family ferry_cpu_family_conv_bf16, ferry_cpu_family_conv_depthwise_pairs_bf16;

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_block_families families = {&ferry_cpu_family_conv_bf16, &ferry_cpu_family_conv_depthwise_pairs_bf16,
                                           "conv_bf16_gemm"};
    return ferry_block_pack(device, &families, region, tactic, out_data, out_bytes, err);
}

static bool take_constants(ferry_filter_bf16 *f, const ferry_conv_node *wide, const char *packed, size_t packed_bytes,
                           size_t filter_bytes)
{
    const ferry_gemm_half_shape shape = {.taps = 1, .kc = f->expand.k, .columns = (size_t)wide->shape.c_out};
    size_t bytes = 0;
    if (!ferry_gemm_half_packed_bytes(f->expand.row, &shape, &bytes)) return false;
    f->expand.packed = ferry_block_take(&packed, &packed_bytes, bytes);
    f->packed = ferry_block_take(&packed, &packed_bytes, filter_bytes);
    return f->expand.packed && f->packed && packed_bytes == 0;
}

static ferry_status fill_filter(ferry_cpu_device *device, const char *tactic, const ferry_block_nodes *n,
                                const void *packed, size_t packed_bytes, ferry_filter_bf16 *f, ferry_error *err)
{
    const ferry_conv_node *wide = &n->nodes[0], *depthwise = &n->nodes[1];
    size_t filter_bytes = 0;
    f->row = ferry_depthwise_pairs_pick(device->isa);
    f->expand.row = ferry_gemm_half_pick(device->isa, FERRY_BF16);
    f->expand.k = (size_t)wide->shape.c_each;
    f->expand.finish = wide->finish;
    f->finish = depthwise->finish;
    if (!f->expand.row || wide->residual.present ||
        !ferry_filter_bf16_plan(f, &depthwise->shape, true, &filter_bytes) || f->expand.row->nr != f->packing.panel)
        return ferry_misfit(tactic, "no kernels for such a block", err);
    if (!take_constants(f, wide, packed, packed_bytes, filter_bytes))
        return ferry_misfit(tactic, "packed weights of another size", err);
    f->x_row = (size_t)wide->shape.x_step[2];
    f->x_line = wide->shape.x_step[1];
    f->x_batch = wide->shape.x_batch;
    f->y_row = depthwise->y_row;
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    ferry_block_nodes n;
    ferry_filter_bf16 f = {.row = NULL};
    FERRY_TRY(ferry_block_read(device, region, tactic, FERRY_BF16, in, out, &n, err));
    if (n.kind != FERRY_BLOCK_EXPAND_DEPTHWISE) return ferry_misfit(tactic, "not a widened filter", err);
    FERRY_TRY(fill_filter(device, tactic, &n, packed, packed_bytes, &f, err));
    block_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a block of convolutions");
    k->filter = f;
    k->x = ferry_region_input(region, n.stages[0].inputs[0]);
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    if (!ferry_depthwise_pairs_pick(device->isa)) return FERRY_OK;
    return ferry_block_offer(device, view, root, FERRY_BF16, tactic_name, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_block_bf16;
const ferry_cpu_family ferry_cpu_family_conv_block_bf16 = {
    .name = "conv_block_bf16",
    .multiplies_bf16 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
