// SPDX-License-Identifier: Apache-2.0
// QResize, in either layout.
#include <string.h>

#include "backend/cuda/tail.h"
#include "backend/reading/conv_shape.h"
#include "backend/reading/resize_node.h"
#include "ops/integer.h"

static const char *const tactics[] = {"integer_resize_plain", "integer_resize_channels_last"};

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static bool is_last(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0;
}

static int width_of(int64_t channels, bool last)
{
    int width = last ? 16 : 1;
    while (channels % width != 0) width /= 2;
    return width;
}

static bool is_known(const ferry_graph *g, const ferry_node *node)
{
    ferry_resize_mode mode;
    const ferry_value *x = ferry_node_value(g, node, 0);
    if (!ferry_node_is(node, "QResize") || !x || ferry_value_is_constant(x) || x->dtype != FERRY_S8 ||
        ferry_resize_mode_read(node, &mode, NULL) != FERRY_OK)
        return false;
    for (int32_t i = 1; i < node->n_inputs; i++) // sizes of later runs must be those that were planned for
        if (node->inputs[i] != FERRY_NO_VALUE && !ferry_node_has_constant(g, node, i)) return false;
    const ferry_dtype y = ferry_node_result(g, node)->dtype;
    return y == FERRY_S8 || ferry_dtype_widens_to_f32(y);
}

// scale: of height and width.
static bool read_scales(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                        const ferry_tensor_desc *y, double scale[2])
{
    int64_t elements = 0;
    if (x->rank != 4 || y->rank != 4 || x->dtype != FERRY_S8 || x->dims[0] != y->dims[0] || x->dims[1] != y->dims[1] ||
        !ferry_cuda_elements(x, &elements) || elements == 0 || !ferry_cuda_elements(y, &elements))
        return false;
    for (int32_t i = 0; i < 2; i++) {
        scale[i] = (double)y->dims[2 + i] / (double)x->dims[2 + i];
        if (!ferry_node_value(g, node, 2) && !ferry_resize_node_scale(g, node, 1, 2 + i, &scale[i])) return false;
        if (!(scale[i] > 0)) return elements == 0;
    }
    return true;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    ferry_resize_mode mode;
    if (region->n_nodes != 1 || !is_known(g, node) || ferry_node_value(g, node, 0)->shape.rank != 4)
        return ferry_misfit(tactic, "a node that it does not know", err);
    FERRY_TRY(ferry_resize_mode_read(node, &mode, err));
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#define Y_TYPE %s\n",
                          ferry_cuda_type_name(ferry_node_result(g, node)->dtype));
    ferry_cuda_source_define(&s, "WIDTH", width_of(ferry_node_value(g, node, 0)->shape.dims[1], is_last(tactic)));
    ferry_cuda_source_define(&s, "MODE", mode);
    ferry_cuda_source_add(&s, "#include \"integer_resize.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

static void pass_double(ferry_cuda_launch *launch, double value)
{
    int64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    ferry_cuda_pass_long(launch, bits);
}

static int64_t row_of(const ferry_tensor_desc *desc, bool last, int width)
{
    return last ? ferry_cuda_row(desc, width) : ferry_tensor_desc_is_dense(desc, FERRY_LAYOUT_PLAIN);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const bool last = is_last(tactic);
    double scale[2];
    if (!is_known(g, node) || region->n_inputs < 1 || out[0].dtype != ferry_node_result(g, node)->dtype ||
        !read_scales(g, node, &in[0], &out[0], scale) || in[0].dims[1] != ferry_node_value(g, node, 0)->shape.dims[1])
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const int width = width_of(in[0].dims[1], last);
    const int64_t x_row = row_of(&in[0], last, width), y_row = row_of(&out[0], last, width);
    if (x_row == 0 || y_row == 0) return ferry_misfit(tactic, "tensors in another layout", err);
    const int64_t channels = last ? in[0].dims[1] : 1, *size = &out[0].dims[2];
    const int64_t positions = in[0].dims[0] * (last ? 1 : in[0].dims[1]) * size[0] * size[1];
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_launch_positions(kernel, "ferry_integer_resize", positions, channels / width, &l, err));
    ferry_cuda_pass_in(l, 0);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, positions);
    ferry_cuda_pass_int(l, channels);
    for (int i = 2; i < 4; i++) ferry_cuda_pass_int(l, in[0].dims[i]);
    for (int i = 0; i < 2; i++) ferry_cuda_pass_int(l, size[i]);
    for (int i = 0; i < 2; i++) pass_double(l, scale[i]);
    ferry_cuda_pass_float(l, ferry_node_float(node, "mult", 1.0f));
    ferry_cuda_pass_float(l, ferry_node_float(node, "shift", 0.0f));
    ferry_cuda_pass_int(l, x_row);
    ferry_cuda_pass_int(l, y_row);
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    double scale[2];
    if (!is_known(g, node) || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_PLAIN),
                            out = ferry_value_describe(y, FERRY_LAYOUT_PLAIN);
    if (!read_scales(g, node, &in, &out, scale)) return FERRY_OK;
    const double bytes = ferry_value_bytes(x) + ferry_value_bytes(y), macs = 4 * ferry_value_elements(y);
    // In the plain layout each thread makes a single element, and finds its place for it alone.
    FERRY_TRY(ferry_offer_node(sink, tactics[0], root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0,
                               ferry_cuda_cost_us(device, FERRY_F32, 10 * macs, bytes), err));
    return ferry_offer_node(sink, tactics[1], root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES,
                            ferry_cuda_cost_us(device, FERRY_F32, 2 * macs, bytes), err);
}

extern const ferry_cuda_family ferry_cuda_family_integer_resize;
const ferry_cuda_family ferry_cuda_family_integer_resize = {
    .name = "integer_resize",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
