// SPDX-License-Identifier: Apache-2.0
// Convolution in float as a matrix product over the windows' elements, channels last, with bias, activation and
// residual in the store. Any window, stride, pad, dilation and group. Inputs of few channels are padded and brought
// into channels-last order first, whatever their layout.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/form.h"
#include "backend/cpu/product_f32.h"
#include "backend/cpu/tail.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_f32_gemm";

typedef struct conv_kernel {
    ferry_cpu_kernel base;
    ferry_product_f32 product;
    const float *packed; // borrowed
    ferry_operand x, residual;
    bool formed;
    ferry_form form;
    float *zeros; // owned: what a tap in the padding points to
    size_t zeros_bytes;
} conv_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const conv_kernel *k = (const conv_kernel *)kernel;
    const float *x = ferry_cpu_operand_data(&k->x, r);
    if (k->formed) {
        ferry_form_run(&k->form, r->pool, x, r->workspace);
        x = r->workspace;
    }
    ferry_product_f32_run(&k->product, r->pool, x, k->packed,
                          k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL, r->out[0].data);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    conv_kernel *k = (conv_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->zeros, k->zeros_bytes);
}

// Below this many channels a tap is too short for a loop of its own.
static bool is_formed(const ferry_conv_shape *shape)
{
    return shape->c_each < 8;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// Floats of one group's packed weights; false when they cannot be.
static bool group_floats(const ferry_gemm_f32_row *row, const int64_t *w_dims, int32_t w_rank, int64_t group,
                         size_t *out_k, size_t *out)
{
    size_t k = 1, all = 0;
    for (int32_t d = 1; d < w_rank; d++)
        if (w_dims[d] < 1 || !ferry_mul_size(k, (size_t)w_dims[d], &k)) return false;
    *out_k = k;
    return group >= 1 && ferry_gemm_f32_packed_floats(row, k, (size_t)(w_dims[0] / group), out) &&
           ferry_mul_size(*out, (size_t)group * sizeof(float), &all);
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    const ferry_heap *heap = device->base.heap;
    const int64_t group = ferry_node_int(node, "group", 1);
    size_t k = 0, each = 0;
    if (!w || !w->data || w->shape.rank < 3 || !group_floats(row, w->shape.dims, w->shape.rank, group, &k, &each))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const size_t columns = (size_t)(w->shape.dims[0] / group), c_each = (size_t)w->shape.dims[1], taps = k / c_each;
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    float *packed = NULL, *by_tap = NULL;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) {
        packed = ferry_heap_alloc_uninit(heap, each * (size_t)group * sizeof *packed);
        by_tap = ferry_heap_alloc_array(heap, k * columns, sizeof *by_tap);
        if (!packed || !by_tap) s = ferry_fail_memory(err, "packed weights");
    }
    for (size_t g = 0; s == FERRY_OK && g < (size_t)group; g++) {
        // From [column][c][tap] to [column][tap][c], the order in which rows give their elements.
        const float *from = weights + g * columns * k;
        for (size_t m = 0; m < columns; m++)
            for (size_t c = 0; c < c_each; c++)
                for (size_t t = 0; t < taps; t++) by_tap[m * k + t * c_each + c] = from[m * k + c * taps + t];
        ferry_gemm_f32_pack(row, k, columns, by_tap, 1, k, bias ? bias + g * columns : NULL, packed + g * each);
    }
    ferry_heap_free(heap, by_tap, k * columns * sizeof *by_tap);
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    if (s != FERRY_OK) {
        ferry_heap_free(heap, packed, each * (size_t)group * sizeof *packed);
        return s;
    }
    *out_data = packed;
    *out_bytes = each * (size_t)group * sizeof *packed;
    return FERRY_OK;
}

static ferry_status fill_kernel(conv_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                const void *packed, size_t packed_bytes, ferry_error *err)
{
    ferry_product_f32 *p = &k->product;
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, &node, err));
    if (node.x.desc.dtype != FERRY_F32 || out[0].dtype != FERRY_F32 ||
        (node.residual.present && node.residual.desc.dtype != FERRY_F32))
        return ferry_misfit(tactic, "tensors that are not f32", err);
    ferry_conv_shape shape = node.shape;
    k->formed = is_formed(&node.shape);
    if (k->formed && !ferry_form_make(FERRY_FORM_F32, &node.shape, 1,
                                      ferry_form_merges(node.shape.group, &node.shape.window), &k->form, &shape))
        return ferry_misfit(tactic, "an input too large", err);
    if (!node.x_channels_last && !k->formed) return ferry_misfit(tactic, "an input without channels last", err);
    k->x = node.x;
    k->residual = node.residual;
    p->finish = node.finish;
    p->y_row = node.y_row;
    p->r_row = node.r_row;
    p->row = ferry_gemm_f32_pick(device->isa);
    p->groups = (size_t)node.shape.group;
    p->columns = (size_t)node.shape.m_each;
    size_t depth = 0;
    if (!ferry_row_source_conv(&shape, sizeof(float), p->row->mr, 0, &p->source) ||
        !group_floats(p->row, node.w.desc.dims, node.w.desc.rank, node.shape.group, &depth, &p->group_floats) ||
        p->group_floats * p->groups * sizeof(float) != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    k->packed = packed;
    if (k->formed) k->base.base.workspace_bytes = k->form.bytes;
    k->zeros_bytes = p->source.kc * sizeof(float);
    k->zeros = ferry_heap_alloc(device->base.heap, k->zeros_bytes);
    if (!k->zeros) return ferry_fail_memory(err, "a convolution");
    p->source.zeros = k->zeros;
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
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_conv_shape shape;
    ferry_row_source source;
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    if (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) return FERRY_OK;
    if (!ferry_conv_node_is_offered(view, tail.nodes[0], &shape)) return FERRY_OK;
    // The rows of a formed input have fewer taps: a vision transformer's patches of 16x16 fit.
    ferry_form form;
    ferry_conv_shape formed = shape;
    if (is_formed(&shape) &&
        !ferry_form_make(FERRY_FORM_F32, &shape, 1, ferry_form_merges(shape.group, &shape.window), &form, &formed))
        return FERRY_OK;
    if (!ferry_row_source_conv(&formed, sizeof(float), row->mr, 0, &source)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    const ferry_value *y = ferry_node_result(g, node);
    if (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(w->dtype) || ferry_conv_is_depthwise(&shape))
        return FERRY_OK;
    // A panel that is not full costs as much as a full one.
    const size_t columns = ((size_t)shape.m_each + row->vec - 1) / row->vec * row->vec * (size_t)shape.group;
    const double macs = (double)source.rows * (double)(source.taps * source.kc) * (double)columns;
    const double bytes =
        ferry_value_bytes(x) * (is_formed(&shape) ? 4 : 1) + ferry_value_bytes(w) + ferry_value_bytes(y);
    tail.flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
    const double cost = ferry_cpu_cost_us(device, FERRY_F32, macs + tail.macs, bytes + tail.bytes);
    FERRY_TRY(
        ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, cost, err));
    // A residual has its channels last.
    if (!is_formed(&shape) || ferry_node_value(g, node, 3) || tail.adds) return FERRY_OK;
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_CHANNELS_LAST, cost, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_f32;
const ferry_cpu_family ferry_cpu_family_conv_f32 = {
    .name = "conv_f32",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
