// SPDX-License-Identifier: Apache-2.0
// Resize of the spatial dimensions, in either layout: to the nearest of whatever type, linear and cubic of floats.
#include <string.h>

#include "backend/cuda/tail.h"
#include "backend/reading/conv_shape.h"
#include "backend/reading/resize_node.h"

static const char *const tactics[] = {"resize_plain", "resize_channels_last"};

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static bool is_last(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0;
}

static int width_of(int64_t channels, ferry_dtype dtype, bool last)
{
    int width = last ? (int)(16 / ferry_dtype_bytes(dtype)) : 1;
    while (channels % width != 0) width /= 2;
    return width;
}

// Where output positions lie in the input along the three spatial dimensions: at offset + position * step.
typedef struct geometry {
    ferry_resize_options options;
    int64_t in[3], out[3];
    double step[3], offset[3];
} geometry;

static void read_axis(const geometry *g, const ferry_resize_axis *axis, double *step, double *offset)
{
    const bool plain_half = g->options.coordinates == FERRY_COORDINATES_PYTORCH_HALF_PIXEL && axis->out <= 1;
    *step = 0;
    *offset = 0;
    if (ferry_resize_axis_is_identity(axis)) {
        *step = 1;
    } else if (g->options.coordinates == FERRY_COORDINATES_ALIGN_CORNERS) {
        if (axis->width != 1) *step = (double)(axis->in - 1) / (axis->width - 1);
    } else if (!plain_half) {
        bool outside = false;
        *step = 1 / axis->scale;
        *offset = ferry_resize_source(&g->options, axis, 0, &outside);
    }
}

static bool read(const ferry_graph *graph, const ferry_node *node, const ferry_tensor_desc *x,
                 const ferry_tensor_desc *y, geometry *out)
{
    ferry_resize_axis axes[FERRY_MAX_RANK];
    int64_t elements = 0;
    if (x->rank < 3 || x->rank > 5 || !ferry_resize_node_read(graph, node, x, y, &out->options, axes) ||
        !ferry_resize_axis_is_identity(&axes[0]) || !ferry_resize_axis_is_identity(&axes[1]))
        return false;
    for (int i = 0; i < 3; i++) {
        static const ferry_resize_axis one = {.in = 1, .out = 1, .scale = 1, .width = 1, .roi_end = 1};
        const ferry_resize_axis *axis = x->rank - 3 + i >= 2 ? &axes[x->rank - 3 + i] : &one;
        out->in[i] = axis->in;
        out->out[i] = axis->out;
        read_axis(out, axis, &out->step[i], &out->offset[i]);
    }
    return ferry_cuda_elements(x, &elements) && ferry_cuda_elements(y, &elements);
}

static void define_type(ferry_cuda_source *s, const geometry *g, ferry_dtype dtype)
{
    static const char *const words[] = {"unsigned char", "unsigned short", "unsigned", "unsigned long long"};
    int size = 0;
    while (((size_t)1 << size) < ferry_dtype_bytes(dtype)) size++;
    ferry_cuda_source_add(s, "#define X_TYPE %s\n",
                          g->options.kind == FERRY_RESIZE_NEAREST ? words[size] : ferry_cuda_type_name(dtype));
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *graph = region->graph;
    const ferry_node *node = &graph->nodes[region->nodes[0]];
    const ferry_value *x = ferry_node_value(graph, node, 0);
    geometry g;
    FERRY_TRY(ferry_resize_options_read(node, &g.options, err));
    ferry_cuda_source s = {.heap = device->base.heap};
    define_type(&s, &g, x->dtype);
    ferry_cuda_source_define(&s, "WIDTH", width_of(x->shape.dims[1], x->dtype, is_last(tactic)));
    ferry_cuda_source_define(&s, "TAPS",
                             g.options.kind == FERRY_RESIZE_NEAREST  ? 1
                             : g.options.kind == FERRY_RESIZE_LINEAR ? 2
                                                                     : 4);
    ferry_cuda_source_define(&s, "ROUNDING", g.options.rounding);
    ferry_cuda_source_add(&s, "#define CUBIC_A ");
    ferry_cuda_source_float(&s, (float)g.options.cubic_a);
    ferry_cuda_source_add(&s, "\n#include \"resize.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

static void pass_double(ferry_cuda_launch *launch, double value)
{
    int64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    ferry_cuda_pass_long(launch, bits);
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
    geometry g;
    if (!ferry_node_is(node, "Resize") || x.at < 0) return ferry_misfit(tactic, "not a Resize", err);
    const ferry_value *value = &region->graph->values[region->inputs[x.at]];
    const int width = width_of(value->shape.dims[1], value->dtype, last);
    if (x.desc.dtype != value->dtype || out[0].dtype != value->dtype ||
        !read(region->graph, node, &x.desc, &out[0], &g) || x.desc.dims[1] != value->shape.dims[1])
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const int64_t x_row =
        last ? ferry_cuda_row(&x.desc, width) : ferry_tensor_desc_is_dense(&x.desc, FERRY_LAYOUT_PLAIN);
    const int64_t y_row =
        last ? ferry_cuda_row(&out[0], width) : ferry_tensor_desc_is_dense(&out[0], FERRY_LAYOUT_PLAIN);
    if (x_row == 0 || y_row == 0) return ferry_misfit(tactic, "tensors in another layout", err);
    const int64_t channels = last ? x.desc.dims[1] : 1;
    const int64_t positions = x.desc.dims[0] * (last ? 1 : x.desc.dims[1]) * g.out[0] * g.out[1] * g.out[2];
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_launch_positions(kernel, "ferry_resize", positions, channels / width, &l, err));
    ferry_cuda_pass_in(l, x.at);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, positions);
    ferry_cuda_pass_int(l, channels);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, g.in[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, g.out[i]);
    for (int i = 0; i < 3; i++) pass_double(l, g.step[i]);
    for (int i = 0; i < 3; i++) pass_double(l, g.offset[i]);
    ferry_cuda_pass_int(l, x_row);
    ferry_cuda_pass_int(l, y_row);
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *graph = view->graph;
    const ferry_node *node = &graph->nodes[root];
    if (!ferry_node_is(node, "Resize") || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(graph, node, 0), *y = ferry_node_result(graph, node);
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_PLAIN),
                            out = ferry_value_describe(y, FERRY_LAYOUT_PLAIN);
    geometry g;
    if (ferry_value_is_constant(x) || !read(graph, node, &in, &out, &g) ||
        (g.options.kind != FERRY_RESIZE_NEAREST && !ferry_dtype_widens_to_f32(x->dtype)))
        return FERRY_OK;
    for (int32_t i = 1; i < node->n_inputs; i++) // sizes of later runs must be those that were planned for
        if (node->inputs[i] != FERRY_NO_VALUE && !ferry_node_has_constant(graph, node, i)) return FERRY_OK;
    const double bytes = ferry_value_bytes(x) + ferry_value_bytes(y);
    const double macs = ferry_value_elements(y) * (g.options.kind == FERRY_RESIZE_CUBIC ? 16 : 4);
    // In the plain layout each thread makes a single element, and finds its place for it alone.
    const double plain = ferry_cuda_cost_us(device, FERRY_F32, 10 * macs, bytes),
                 last = ferry_cuda_cost_us(device, FERRY_F32, 2 * macs, bytes);
    FERRY_TRY(ferry_offer_node(sink, tactics[0], root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0, plain, err));
    return ferry_offer_node(sink, tactics[1], root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES, last, err);
}

extern const ferry_cuda_family ferry_cuda_family_resize;
const ferry_cuda_family ferry_cuda_family_resize = {
    .name = "resize",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
