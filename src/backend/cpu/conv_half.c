// SPDX-License-Identifier: Apache-2.0
// Convolution of f16 or bf16 as a matrix product over the windows' elements, channels last, with sums in f32, and bias,
// activation and residual in the store. Any window, stride, pad, dilation and group. Inputs of few channels are padded
// and brought into channels-last order first, whatever their layout.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/form.h"
#include "backend/cpu/product_half.h"
#include "backend/cpu/tail.h"
#include "ops/op.h"

static const struct {
    const char *tactic;
    ferry_dtype dtype;
} types[] = {{"conv_bf16_gemm", FERRY_BF16}, {"conv_f16_gemm", FERRY_F16}};

typedef struct conv_kernel {
    ferry_cpu_kernel base;
    ferry_product_half product;
    const char *packed; // borrowed
    ferry_operand x, residual;
    bool formed;
    ferry_form form;
    uint16_t *zeros; // owned: what a tap in the padding points to
    size_t zeros_bytes;
} conv_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const conv_kernel *k = (const conv_kernel *)kernel;
    const uint16_t *x = ferry_cpu_operand_data(&k->x, r);
    if (k->formed) {
        ferry_form_run(&k->form, r->pool, x, r->workspace);
        x = r->workspace;
    }
    ferry_product_half_run(&k->product, r->pool, x, k->packed,
                           k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL, r->out[0].data);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    conv_kernel *k = (conv_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->zeros, k->zeros_bytes);
}

// The type of a tactic's tensors; NONE: it is none of these.
static ferry_dtype dtype_of(const char *tactic)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(types); i++)
        if (strcmp(types[i].tactic, tactic) == 0) return types[i].dtype;
    return FERRY_DTYPE_NONE;
}

static bool owns_bf16(const char *tactic)
{
    return dtype_of(tactic) == FERRY_BF16;
}

static bool owns_f16(const char *tactic)
{
    return dtype_of(tactic) == FERRY_F16;
}

// Below this many channels a tap is too short for a loop of its own.
static bool is_formed(int64_t c_each)
{
    return c_each < 8;
}

// How one group's weights are cut into taps, and their packed bytes; false when they cannot be packed.
static bool weight_shape(const ferry_gemm_half_row *row, const ferry_window *window, const int64_t *w_dims,
                         int64_t group, ferry_gemm_half_shape *shape, size_t *out_bytes)
{
    size_t taps = 1, all = 0;
    if (group < 1 || w_dims[0] < 1 || w_dims[1] < 1 || w_dims[0] % group != 0) return false;
    for (int32_t i = 0; i < 3; i++)
        if (window->kernel[i] < 1 || !ferry_mul_size(taps, (size_t)window->kernel[i], &taps)) return false;
    const bool merged = is_formed(w_dims[1]) && ferry_form_merges(group, window);
    const size_t width = merged ? (size_t)window->kernel[2] : 1;
    *shape = (ferry_gemm_half_shape){.taps = taps / width, .columns = (size_t)(w_dims[0] / group)};
    return ferry_mul_size((size_t)w_dims[1], width, &shape->kc) &&
           ferry_gemm_half_packed_bytes(row, shape, out_bytes) && ferry_mul_size(*out_bytes, (size_t)group, &all) &&
           ferry_mul_size(all, 2, &all);
}

// w: [group][column][c][tap]; by_tap: room for one group's.
static void pack_groups(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape, size_t each, size_t group,
                        size_t channels, const float *w, const float *bias, float *by_tap, char *packed)
{
    const size_t depth = shape->taps * shape->kc, taps = depth / channels;
    for (size_t g = 0; g < group; g++) {
        // To [column][tap][c], the order in which rows give their elements.
        const float *from = w + g * shape->columns * depth;
        for (size_t m = 0; m < shape->columns; m++)
            for (size_t c = 0; c < channels; c++)
                for (size_t t = 0; t < taps; t++) by_tap[m * depth + t * channels + c] = from[m * depth + c * taps + t];
        const ferry_gemm_half_weights weights = {.w = by_tap,
                                                 .column_stride = depth,
                                                 .tap_stride = shape->kc,
                                                 .k_stride = 1,
                                                 .bias = bias ? bias + g * shape->columns : NULL};
        ferry_gemm_half_pack(row, shape, &weights, packed + g * each);
    }
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(device->isa, dtype_of(tactic));
    const ferry_heap *heap = device->base.heap;
    const int64_t group = ferry_node_int(node, "group", 1);
    ferry_gemm_half_shape shape;
    ferry_window window;
    size_t each = 0;
    if (!row || !w || !w->data || w->shape.rank < 3 || w->shape.rank > 5)
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    FERRY_TRY(ferry_window_read(node, w->shape.rank - 2, w->shape.dims + 2, &window, err));
    if (!weight_shape(row, &window, w->shape.dims, group, &shape, &each))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const size_t bytes = each * (size_t)group, floats = shape.columns * shape.taps * shape.kc;
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    char *packed = NULL;
    float *by_tap = NULL;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) {
        packed = ferry_heap_alloc_uninit(heap, bytes);
        by_tap = ferry_heap_alloc_array(heap, floats, sizeof *by_tap);
        if (!packed || !by_tap) s = ferry_fail_memory(err, "packed weights");
    }
    if (s == FERRY_OK)
        pack_groups(row, &shape, each, (size_t)group, (size_t)w->shape.dims[1], weights, bias, by_tap, packed);
    ferry_heap_free(heap, by_tap, floats * sizeof *by_tap);
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    if (s != FERRY_OK) {
        ferry_heap_free(heap, packed, bytes);
        return s;
    }
    *out_data = packed;
    *out_bytes = bytes;
    return FERRY_OK;
}

static ferry_status fill_kernel(conv_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                const void *packed, size_t packed_bytes, ferry_error *err)
{
    ferry_product_half *p = &k->product;
    const ferry_dtype dtype = dtype_of(tactic);
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, &node, err));
    if (node.x.desc.dtype != dtype || out[0].dtype != dtype ||
        (node.residual.present && node.residual.desc.dtype != dtype))
        return ferry_misfit(tactic, "tensors of another type", err);
    ferry_conv_shape shape = node.shape;
    k->formed = is_formed(shape.c_each);
    if (k->formed && !ferry_form_make(FERRY_FORM_HALF, &node.shape, 1,
                                      ferry_form_merges(node.shape.group, &node.shape.window), &k->form, &shape))
        return ferry_misfit(tactic, "an input too large", err);
    if (!node.x_channels_last && !k->formed) return ferry_misfit(tactic, "an input without channels last", err);
    k->x = node.x;
    k->residual = node.residual;
    k->packed = packed;
    p->finish = node.finish;
    p->y_row = node.y_row;
    p->r_row = node.r_row;
    p->row = ferry_gemm_half_pick(device->isa, dtype);
    p->groups = (size_t)node.shape.group;
    if (!p->row || !ferry_row_source_conv(&shape, sizeof(uint16_t), p->row->mr, 0, &p->source) ||
        !weight_shape(p->row, &node.shape.window, node.w.desc.dims, node.shape.group, &p->shape, &p->group_bytes) ||
        p->shape.taps != p->source.taps || p->shape.kc != p->source.kc || p->group_bytes * p->groups != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    if (k->formed) k->base.base.workspace_bytes = k->form.bytes;
    k->zeros_bytes = p->source.kc * sizeof *k->zeros;
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

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root, size_t type,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_dtype dtype = types[type].dtype;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_conv_shape shape;
    ferry_row_source source;
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(device->isa, dtype);
    if (!row || (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv"))) return FERRY_OK;
    if (!ferry_conv_node_is_offered(view, tail.nodes[0], &shape)) return FERRY_OK;
    // The rows of a formed input have fewer taps.
    const bool formed = is_formed(shape.c_each);
    ferry_form form;
    ferry_conv_shape seen = shape;
    if (formed &&
        !ferry_form_make(FERRY_FORM_HALF, &shape, 1, ferry_form_merges(shape.group, &shape.window), &form, &seen))
        return FERRY_OK;
    if (!ferry_row_source_conv(&seen, sizeof(uint16_t), row->mr, 0, &source)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    const ferry_value *r = ferry_node_value(g, node, 3), *y = ferry_node_result(g, node);
    if (x->dtype != dtype || y->dtype != dtype || (r && r->dtype != dtype) || !ferry_dtype_widens_to_f32(w->dtype) ||
        ferry_conv_is_depthwise(&shape))
        return FERRY_OK;
    // A panel that is not full costs as much as a full one.
    const size_t columns = ((size_t)shape.m_each + row->vec - 1) / row->vec * row->vec * (size_t)shape.group;
    const double macs = (double)source.rows * (double)(source.taps * source.kc) * (double)columns;
    const double bytes = ferry_value_bytes(x) * (formed ? 4 : 1) + ferry_value_elements(w) * 2 + ferry_value_bytes(y);
    tail.flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
    const double cost = ferry_cpu_cost_us(device, dtype, macs + tail.macs, bytes + tail.bytes);
    FERRY_TRY(ferry_tail_offer(sink, types[type].tactic, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                               cost, err));
    if (!formed || r || tail.adds) return FERRY_OK; // a residual has its channels last
    return ferry_tail_offer(sink, types[type].tactic, &tail, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_CHANNELS_LAST, cost, err);
}

static ferry_status offer_bf16(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, view, root, 0, sink, err);
}

static ferry_status offer_f16(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                              const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, view, root, 1, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_bf16;
const ferry_cpu_family ferry_cpu_family_conv_bf16 = {
    .name = "conv_bf16",
    .multiplies_bf16 = true,
    .offer = offer_bf16,
    .owns = owns_bf16,
    .pack = pack,
    .prepare = prepare,
};

extern const ferry_cpu_family ferry_cpu_family_conv_f16;
const ferry_cpu_family ferry_cpu_family_conv_f16 = {
    .name = "conv_f16",
    .offer = offer_f16,
    .owns = owns_f16,
    .pack = pack,
    .prepare = prepare,
};
