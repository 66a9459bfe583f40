// SPDX-License-Identifier: Apache-2.0
// Maximum and average over windows, of floats, in either layout.
#include <string.h>

#include "backend/cuda/tail.h"
#include "backend/reading/conv_shape.h"

#define UNROLLED 7 // taps along an axis that are unrolled

static const char *const tactics[] = {"pool_plain", "pool_channels_last"};

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static bool is_last(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0;
}

static bool is_pool(const ferry_node *node)
{
    return ferry_node_is(node, "MaxPool") || ferry_node_is(node, "AveragePool");
}

static int width_of(int64_t channels, ferry_dtype dtype, bool last)
{
    int width = last ? (int)(16 / ferry_dtype_bytes(dtype)) : 1;
    while (channels % width != 0) width /= 2;
    return width;
}

// The geometry of a window over each channel, as that of a depthwise convolution without weights.
static bool read_shape(const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *y,
                       ferry_conv_shape *out)
{
    int32_t count = 0;
    const int64_t *kernel = ferry_node_ints(node, "kernel_shape", &count);
    if (!kernel || x->rank < 3 || x->rank > 5 || count != x->rank - 2 || x->dims[1] < 1) return false;
    int64_t w_dims[5] = {x->dims[1], 1, 1, 1, 1};
    for (int32_t i = 0; i < count; i++) w_dims[2 + i] = kernel[i];
    if (ferry_conv_shape_read_grouped(node, x, x->rank, w_dims, x->dims[1], y, out, NULL) != FERRY_OK) return false;
    for (int i = 0; i < 3; i++) {
        const ferry_window *w = &out->window;
        const int64_t reach =
            out->in[i] + w->pad_begin[i] + w->pad_end[i] + w->kernel[i] * w->dilation[i] + w->stride[i];
        if (out->in[i] < 1 || reach > INT32_MAX / 2) return false;
    }
    return out->taps <= INT32_MAX / 2;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0);
    ferry_window window;
    if (!is_pool(node) || region->n_nodes != 1) return ferry_misfit(tactic, "not a pooling", err);
    FERRY_TRY(ferry_window_read(node, x->shape.rank - 2, NULL, &window, err));
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#define X_TYPE %s\n", ferry_cuda_type_name(x->dtype));
    ferry_cuda_source_define(&s, "WIDTH", width_of(x->shape.dims[1], x->dtype, is_last(tactic)));
    ferry_cuda_source_define(&s, "MAXIMUM", ferry_node_is(node, "MaxPool"));
    ferry_cuda_source_define(&s, "COUNT_PADS",
                             ferry_node_is(node, "AveragePool") && ferry_node_int(node, "count_include_pad", 0) != 0);
    ferry_cuda_source_define(&s, "KH", window.kernel[1]);
    ferry_cuda_source_define(&s, "KW", window.kernel[2]);
    ferry_cuda_source_define(&s, "UNROLL_H",
                             window.kernel[1] <= UNROLLED && window.kernel[2] <= UNROLLED ? window.kernel[1] : 1);
    ferry_cuda_source_define(&s, "UNROLL_W", window.kernel[2] <= UNROLLED ? window.kernel[2] : UNROLLED);
    ferry_cuda_source_add(&s, "#include \"pool.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

// Rows and channels as the kernel counts them; false when the tensors lie in another way.
static bool read_rows(const ferry_tensor_desc *x, const ferry_tensor_desc *y, bool last, int width, int64_t rows[2])
{
    int64_t elements = 0;
    rows[0] = last ? ferry_cuda_row(x, width) : ferry_tensor_desc_is_dense(x, FERRY_LAYOUT_PLAIN);
    rows[1] = last ? ferry_cuda_row(y, width) : ferry_tensor_desc_is_dense(y, FERRY_LAYOUT_PLAIN);
    return rows[0] && rows[1] && ferry_cuda_elements(x, &elements) && ferry_cuda_elements(y, &elements);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_operand x = ferry_operand_of(region, in, 0);
    const bool last = is_last(tactic);
    ferry_conv_shape s;
    int64_t rows[2];
    if (!is_pool(node) || x.at < 0 || region->n_outputs != 1) return ferry_misfit(tactic, "not a pooling", err);
    const ferry_value *value = &region->graph->values[region->inputs[x.at]];
    const int width = width_of(value->shape.dims[1], value->dtype, last);
    if (x.desc.dtype != value->dtype || out[0].dtype != value->dtype || !read_shape(node, &x.desc, &out[0], &s) ||
        s.c_in != value->shape.dims[1] || !read_rows(&x.desc, &out[0], last, width, rows))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const int64_t channels = last ? s.c_in : 1, positions = s.batch * (last ? 1 : s.c_in) * s.out_plane;
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_launch_positions(kernel, "ferry_pool", positions, channels / width, &l, err));
    ferry_cuda_pass_in(l, x.at);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, positions);
    ferry_cuda_pass_int(l, channels);
    const ferry_window *w = &s.window;
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, s.in[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, s.out[i]);
    ferry_cuda_pass_int(l, w->kernel[0]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, w->stride[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, w->dilation[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, w->pad_begin[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, s.in[i] + w->pad_end[i]);
    ferry_cuda_pass_int(l, rows[0]);
    ferry_cuda_pass_int(l, rows[1]);
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!is_pool(node) || !ferry_node_is_plain(view, root)) return FERRY_OK;
    if (node->n_outputs > 1 && node->outputs[1] != FERRY_NO_VALUE) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST);
    const ferry_tensor_desc out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    ferry_conv_shape s;
    if (!ferry_dtype_widens_to_f32(x->dtype) || ferry_value_is_constant(x) || !read_shape(node, &in, &out, &s) ||
        ferry_value_elements(x) > INT32_MAX || ferry_value_elements(y) > INT32_MAX)
        return FERRY_OK;
    const double macs = 2 * ferry_value_elements(y) * (double)s.taps,
                 bytes = ferry_value_bytes(x) + ferry_value_bytes(y);
    // In the plain layout threads read single elements.
    const double plain = ferry_cuda_cost_us(device, FERRY_F32, 4 * macs, bytes),
                 last = ferry_cuda_cost_us(device, FERRY_F32, macs, bytes);
    FERRY_TRY(ferry_offer_node(sink, tactics[0], root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0, plain, err));
    return ferry_offer_node(sink, tactics[1], root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES, last, err);
}

extern const ferry_cuda_family ferry_cuda_family_pool;
const ferry_cuda_family ferry_cuda_family_pool = {
    .name = "pool",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
