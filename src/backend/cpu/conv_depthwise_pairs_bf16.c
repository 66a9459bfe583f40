// SPDX-License-Identifier: Apache-2.0
// The tactic of filter_bf16.h for a depthwise convolution alone.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/filter_bf16.h"
#include "backend/cpu/tail.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_bf16_depthwise_pairs";

typedef struct pairs_kernel {
    ferry_cpu_kernel base;
    ferry_filter_bf16 filter;
    ferry_operand x;
} pairs_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const pairs_kernel *k = (const pairs_kernel *)kernel;
    ferry_filter_bf16_run(&k->filter, r->pool, ferry_cpu_operand_data(&k->x, r), r->out[0].data);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_depthwise_pairs_row *row = ferry_depthwise_pairs_pick(device->isa);
    const ferry_heap *heap = device->base.heap;
    ferry_depthwise_pairs_packing p;
    if (!row || !w || !w->data || w->shape.rank != 4 ||
        !ferry_depthwise_pairs_packing_of(row, w->shape.dims[0], w->shape.dims[2], w->shape.dims[3], &p, out_bytes))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    char *packed = NULL;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) packed = ferry_heap_alloc_uninit(heap, *out_bytes);
    if (s == FERRY_OK && !packed) s = ferry_fail_memory(err, "packed weights");
    if (s == FERRY_OK) ferry_depthwise_pairs_pack(&p, (size_t)w->shape.dims[0], weights, bias, packed);
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    *out_data = packed;
    return s;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, &node, err));
    ferry_filter_bf16 f = {.row = ferry_depthwise_pairs_pick(device->isa), .finish = node.finish, .packed = packed};
    size_t bytes = 0;
    if (!node.x_channels_last || node.x.desc.dtype != FERRY_BF16 || out[0].dtype != FERRY_BF16 ||
        node.residual.present || !ferry_filter_bf16_plan(&f, &node.shape, false, &bytes))
        return ferry_misfit(tactic, "not a depthwise convolution of planes of bf16", err);
    if (bytes != packed_bytes) return ferry_misfit(tactic, "packed weights of another size", err);
    f.y_row = node.y_row;
    pairs_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->filter = f;
    k->x = node.x;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_conv_shape shape;
    ferry_filter_bf16 f = {.row = ferry_depthwise_pairs_pick(device->isa)};
    size_t packed = 0;
    if (tail.adds || (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) ||
        !ferry_conv_node_is_offered(view, tail.nodes[0], &shape) || !ferry_filter_bf16_plan(&f, &shape, false, &packed))
        return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (x->dtype != FERRY_BF16 || y->dtype != FERRY_BF16 || ferry_node_value(g, node, 3) ||
        !ferry_dtype_widens_to_f32(ferry_node_value(g, node, 1)->dtype))
        return FERRY_OK;
    // Each window pays for whole pairs of lines, the last panel for all of its channels.
    const double channels = (double)(f.packing.panels * f.packing.panel),
                 taps = (double)(f.packing.pairs * 2 * f.packing.taps);
    const double macs = (double)(shape.batch * shape.out_plane) * taps * channels;
    const double cost =
        ferry_cpu_cost_us(device, FERRY_BF16, macs + tail.macs, ferry_value_bytes(x) + ferry_value_bytes(y));
    tail.flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, cost,
                            err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_pairs_bf16;
const ferry_cpu_family ferry_cpu_family_conv_depthwise_pairs_bf16 = {
    .name = "conv_depthwise_pairs_bf16",
    .multiplies_bf16 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
