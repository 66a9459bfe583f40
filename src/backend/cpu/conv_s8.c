// SPDX-License-Identifier: Apache-2.0
// QConv as an int8 matrix product, channels last. Any window, stride, pad, dilation and group; inputs of few channels
// may come in plain layout, since they are brought into the kernels' form anyway.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/product_s8.h"
#include "backend/cpu/tail.h"
#include "ops/integer.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_s8_gemm";

typedef struct conv_kernel {
    ferry_cpu_kernel base;
    ferry_product_s8 product;
    const char *packed; // borrowed
    ferry_operand x, residual;
    int8_t *zeros; // owned: what a tap in the padding points to, zero points; NULL: the input is formed
    size_t zeros_bytes;
} conv_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const conv_kernel *k = (const conv_kernel *)kernel;
    ferry_product_s8_run(&k->product, r->pool, ferry_cpu_operand_data(&k->x, r), k->packed,
                         k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL, r->out[0].data,
                         r->workspace);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    conv_kernel *k = (conv_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->zeros, k->zeros_bytes);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// The packed weights of one group; false when they cannot be, or their sums would not fit int32.
static bool group_bytes(const ferry_gemm_s8_row *row, const ferry_window *window, const int64_t *w_dims, int64_t group,
                        ferry_gemm_s8_shape *shape, size_t *out)
{
    size_t depth = 1, all = 0;
    if (group < 1 || w_dims[0] < 1 || w_dims[1] < 1 || w_dims[0] % group != 0) return false;
    for (int32_t i = 0; i < 3; i++)
        if (window->kernel[i] < 1 || !ferry_mul_size(depth, (size_t)window->kernel[i], &depth)) return false;
    if (!ferry_mul_size(depth, (size_t)w_dims[1], &depth) || depth > FERRY_INT8_MAX_SUM) return false;
    *shape = ferry_product_s8_taps(row, group, window, w_dims);
    return ferry_gemm_s8_packed_bytes(row, shape, out) && ferry_mul_size(*out, (size_t)group, &all);
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(g, node, 1), *mult = ferry_node_value(g, node, 2);
    const ferry_value *bias = ferry_node_value(g, node, 3);
    const ferry_gemm_s8_row *row = ferry_gemm_s8_pick(device->isa);
    const int64_t group = ferry_node_int(node, "group", 1);
    ferry_gemm_s8_shape shape;
    ferry_window window;
    size_t each = 0;
    if (!w || !w->data || w->dtype != FERRY_S8 || w->shape.rank < 3 || w->shape.rank > 5 ||
        !ferry_value_is_vector(mult, w->shape.dims[0]) || !ferry_value_is_vector(bias, w->shape.dims[0]))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    FERRY_TRY(ferry_window_read(node, w->shape.rank - 2, w->shape.dims + 2, &window, err));
    if (!group_bytes(row, &window, w->shape.dims, group, &shape, &each))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const size_t depth = shape.taps * shape.kc, channels = (size_t)w->shape.dims[1];
    const size_t taps = (size_t)(window.kernel[0] * window.kernel[1] * window.kernel[2]), full = depth / taps;
    const ferry_heap *heap = device->base.heap;
    char *packed = ferry_heap_alloc_uninit(heap, each * (size_t)group);
    int8_t *by_tap = ferry_heap_alloc(heap, shape.columns * depth);
    if (!packed || !by_tap) {
        ferry_heap_free(heap, packed, each * (size_t)group);
        ferry_heap_free(heap, by_tap, shape.columns * depth);
        return ferry_fail_memory(err, "packed weights");
    }
    for (size_t i = 0; i < (size_t)group; i++) {
        // From [column][c][tap] to [column][tap][c], the order in which rows give their elements.
        const int8_t *from = (const int8_t *)w->data + i * shape.columns * taps * channels;
        for (size_t m = 0; m < shape.columns; m++)
            for (size_t c = 0; c < channels; c++)
                for (size_t t = 0; t < taps; t++)
                    by_tap[m * depth + t * full + c] = from[(m * channels + c) * taps + t];
        const ferry_gemm_s8_weights weights = {
            .w = by_tap,
            .column_stride = depth,
            .tap_stride = shape.kc,
            .k_stride = 1,
            .mult = (const float *)mult->data + i * shape.columns,
            .bias = (const float *)bias->data + i * shape.columns,
        };
        ferry_gemm_s8_pack(row, &shape, &weights, packed + i * each);
    }
    ferry_heap_free(heap, by_tap, shape.columns * depth);
    *out_data = packed;
    *out_bytes = each * (size_t)group;
    return FERRY_OK;
}

static bool s8_or_f32(ferry_dtype dtype)
{
    return dtype == FERRY_S8 || dtype == FERRY_F32;
}

static ferry_status fill_kernel(conv_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                const void *packed, size_t packed_bytes, ferry_error *err)
{
    ferry_product_s8 *p = &k->product;
    ferry_conv_node node;
    ferry_gemm_s8_shape shape;
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, &node, err));
    if (node.x.desc.dtype != FERRY_S8 || node.w.desc.dtype != FERRY_S8 || !s8_or_f32(out[0].dtype) ||
        (node.residual.present && !s8_or_f32(node.residual.desc.dtype)))
        return ferry_misfit(tactic, "types it does not know", err);
    k->x = node.x;
    k->residual = node.residual;
    p->finish = node.finish;
    p->y_row = node.y_row;
    p->r_row = node.r_row;
    p->look_up = ferry_elementwise_s8_pick(device->isa)->look_up;
    p->row = ferry_gemm_s8_pick(device->isa);
    const int32_t x_zero = ferry_zero_point(&region->graph->nodes[region->nodes[0]], "x_zero");
    p->y_float = out[0].dtype == FERRY_F32;
    p->r_float = node.residual.present && node.residual.desc.dtype == FERRY_F32;
    if (!ferry_product_s8_conv(p, &node.shape) ||
        !group_bytes(p->row, &node.shape.window, node.w.desc.dims, node.shape.group, &shape, &p->group_bytes) ||
        p->group_bytes * p->groups != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    k->packed = packed;
    if (p->formed) {
        p->form.padding = (int8_t)x_zero;
        p->form.colours = ferry_elementwise_s8_pick(device->isa)->colours;
        k->base.base.workspace_bytes = p->form.bytes;
        return FERRY_OK;
    }
    k->zeros_bytes = p->source.kc;
    k->zeros = ferry_heap_alloc(device->base.heap, k->zeros_bytes);
    p->source.zeros = k->zeros;
    if (!k->zeros) return ferry_fail_memory(err, "a convolution");
    memset(k->zeros, x_zero, k->zeros_bytes);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    conv_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->base.deinit = deinit;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, out, packed, packed_bytes, err),
                                 out_kernel);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find_table(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_conv_shape shape;
    ferry_product_s8 product = {.row = ferry_gemm_s8_pick(device->isa)};
    if (!ferry_node_is(node, "QConv") || !ferry_conv_node_is_offered(view, tail.nodes[0], &shape) ||
        ferry_conv_is_depthwise(&shape) || !ferry_product_s8_conv(&product, &shape))
        return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const size_t vec = product.row->vec, columns = (product.shape.columns + vec - 1) / vec * vec * product.groups;
    const double macs =
        (double)product.source.rows * (double)(product.source.taps * product.source.kc) * (double)columns;
    const double bytes =
        ferry_value_bytes(x) + (double)(product.formed ? product.form.bytes : 0) + ferry_value_bytes(y);
    tail.flags = FERRY_OFFER_READS_SLICES;
    // A table is looked up row by row in a slice: rows that do not fill a vector would cost more than a copy.
    if (tail.n_nodes == 1 || shape.c_out >= FERRY_LOOK_UP_ROW) tail.flags |= FERRY_OFFER_WRITES_SLICES;
    const double cost = ferry_cpu_cost_us(device, FERRY_S8, macs + tail.macs, bytes);
    FERRY_TRY(
        ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, cost, err));
    // A residual lies as the output does, so the input cannot differ from it.
    if (shape.c_in >= 8 || ferry_node_value(g, node, 4)) return FERRY_OK;
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_CHANNELS_LAST, cost, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_s8;
const ferry_cpu_family ferry_cpu_family_conv_s8 = {
    .name = "conv_s8",
    .via_f32 = true, // for residuals and outputs
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
