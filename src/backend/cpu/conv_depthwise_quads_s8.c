// SPDX-License-Identifier: Apache-2.0
// QConv with one filter a channel, over quads of neighbouring lines. For int8 outputs without a residual, behind bounds
// alone: what networks are full of.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_quads_walk_s8.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/tail.h"
#include "ops/integer.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_s8_depthwise_quads";

typedef struct quads_kernel {
    ferry_cpu_kernel base;
    ferry_depthwise_quads_walk walk;
    const char *packed; // borrowed
    ferry_operand x;
} quads_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const quads_kernel *k = (const quads_kernel *)kernel;
    ferry_depthwise_quads_run(&k->walk, r->pool, ferry_cpu_operand_data(&k->x, r), k->packed, r->out[0].data);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// The window of a depthwise node's weights; false when this family has no kernel for it.
static bool read_cut(const ferry_cpu_device *device, const ferry_graph *g, const ferry_node *node,
                     const ferry_depthwise_quads_row **row, ferry_depthwise_quads_cut *cut)
{
    const ferry_value *w = ferry_node_value(g, node, 1);
    ferry_window window;
    *row = ferry_depthwise_quads_pick(device->isa);
    return *row && w && w->data && w->dtype == FERRY_S8 && w->shape.rank >= 3 && w->shape.rank <= 5 &&
           w->shape.dims[1] == 1 &&
           ferry_window_read(node, w->shape.rank - 2, w->shape.dims + 2, &window, NULL) == FERRY_OK &&
           ferry_depthwise_quads_make(*row, w->shape.dims[0], &window, cut);
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_value *mult = ferry_node_value(g, node, 2), *bias = ferry_node_value(g, node, 3);
    const ferry_depthwise_quads_row *row = NULL;
    ferry_depthwise_quads_cut cut;
    size_t bytes = 0;
    if (!read_cut(device, g, node, &row, &cut) || !ferry_mul_size(cut.units, cut.unit_bytes, &bytes) ||
        !ferry_value_is_vector(mult, (int64_t)cut.channels) || !ferry_value_is_vector(bias, (int64_t)cut.channels))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    char *packed = ferry_heap_alloc_uninit(device->base.heap, bytes);
    if (!packed) return ferry_fail_memory(err, "packed weights");
    ferry_depthwise_quads_pack(row, &cut, ferry_node_value(g, node, 1)->data, mult->data, bias->data, packed);
    *out_data = packed;
    *out_bytes = bytes;
    return FERRY_OK;
}

static ferry_status fill_kernel(quads_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                size_t packed_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    ferry_depthwise_quads_walk *w = &k->walk;
    ferry_conv_node conv;
    size_t bytes = 0;
    FERRY_TRY(ferry_conv_node_read(device, region, tactic, in, out, &conv, err));
    if (!ferry_conv_is_depthwise(&conv.shape) || !conv.x_channels_last || conv.x.desc.dtype != FERRY_S8 ||
        out[0].dtype != FERRY_S8 || conv.residual.present || conv.finish.kind != FERRY_FINISH_CLAMP ||
        conv.shape.in[0] != 1)
        return ferry_misfit(tactic, "not a depthwise convolution that it knows", err);
    if (!read_cut(device, region->graph, node, &w->row, &w->cut) ||
        !ferry_mul_size(w->cut.units, w->cut.unit_bytes, &bytes) || bytes != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    k->x = conv.x;
    w->shape = conv.shape;
    w->finish = conv.finish;
    memset(w->padding, ferry_zero_point(node, "x_zero"), sizeof w->padding);
    w->look_up = ferry_elementwise_s8_pick(device->isa)->look_up;
    if (!ferry_depthwise_quads_fit(w, (size_t)w->shape.out[2])) return ferry_misfit(tactic, "a window too large", err);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    quads_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->packed = packed;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, out, packed_bytes, err),
                                 out_kernel);
}

static bool takes(const ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id id)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[id];
    ferry_conv_shape shape;
    ferry_epilogue epilogue;
    ferry_depthwise_quads_walk w = {.units = 0};
    return ferry_node_is(node, "QConv") && ferry_conv_node_is_offered(view, id, &shape) &&
           ferry_conv_is_depthwise(&shape) && read_cut(device, g, node, &w.row, &w.cut) && shape.in[0] == 1 &&
           ferry_depthwise_quads_fit(&w, FERRY_DEPTHWISE_QUADS_LEAST) &&
           ferry_epilogue_read(node, &epilogue, NULL) == FERRY_OK &&
           ferry_finish_of(&epilogue).kind == FERRY_FINISH_CLAMP && ferry_node_result(g, node)->dtype == FERRY_S8 &&
           !ferry_node_value(g, node, 4);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find_table(view, root, &tail);
    if (!takes(device, view, tail.nodes[0])) return FERRY_OK;
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    const ferry_value *y = ferry_node_result(g, node);
    const double taps = ferry_value_elements(w) / (double)w->shape.dims[0];
    const double cost = ferry_cpu_cost_us(device, FERRY_S8, 2 * ferry_value_elements(y) * taps + tail.macs,
                                          ferry_value_bytes(x) + ferry_value_bytes(y));
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, cost,
                            err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_quads_s8;
const ferry_cpu_family ferry_cpu_family_conv_depthwise_quads_s8 = {
    .name = "conv_depthwise_quads_s8",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
