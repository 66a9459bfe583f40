// SPDX-License-Identifier: Apache-2.0
// MaxPool of int8, QAveragePool and QGlobalAveragePool, channels last.
#include <string.h>

#include "backend/cuda/node.h"
#include "backend/reading/conv_shape.h"
#include "ops/integer.h"

#define PARTS 8 // threads that share a window of many taps
#define MANY 16
#define THREADS 128 // of a block, where none share a window

static const char name[] = "integer_pool";

static bool owns(const char *tactic)
{
    return strcmp(tactic, name) == 0;
}

static bool is_global(const ferry_node *node)
{
    return ferry_node_is(node, "QGlobalAveragePool");
}

static bool is_pool(const ferry_graph *g, const ferry_node *node)
{
    const ferry_value *x = ferry_node_value(g, node, 0);
    return x && !ferry_value_is_constant(x) && x->dtype == FERRY_S8 && node->n_outputs >= 1 &&
           (ferry_node_is(node, "MaxPool") || ferry_node_is(node, "QAveragePool") || is_global(node));
}

// The whole plane as a window.
static bool read_plane(const ferry_tensor_desc *x, const ferry_tensor_desc *y, ferry_conv_shape *s)
{
    if (x->rank < 3 || x->rank > 5 || y->rank != x->rank || x->dims[0] != y->dims[0] || x->dims[1] != y->dims[1])
        return false;
    *s = (ferry_conv_shape){.batch = x->dims[0], .c_in = x->dims[1], .taps = 1, .out_plane = 1};
    for (int i = 0; i < 3; i++) {
        const int32_t at = x->rank - 3 + i;
        s->in[i] = at >= 2 ? x->dims[at] : 1;
        s->out[i] = 1;
        s->window.kernel[i] = s->in[i];
        s->window.stride[i] = s->window.dilation[i] = 1;
        s->taps *= s->in[i] > INT16_MAX ? 0 : s->in[i];
        if (at >= 2 && y->dims[at] != 1) return false;
    }
    return true;
}

static bool read_shape(const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *y,
                       ferry_conv_shape *s)
{
    int32_t count = 0;
    const int64_t *kernel = ferry_node_ints(node, "kernel_shape", &count);
    if (is_global(node)) {
        if (!read_plane(x, y, s)) return false;
    } else {
        if (!kernel || x->rank < 3 || x->rank > 5 || count != x->rank - 2 || x->dims[1] < 1) return false;
        int64_t w_dims[5] = {x->dims[1], 1, 1, 1, 1};
        for (int32_t i = 0; i < count; i++) w_dims[2 + i] = kernel[i];
        if (ferry_conv_shape_read_grouped(node, x, x->rank, w_dims, x->dims[1], y, s, NULL) != FERRY_OK) return false;
    }
    for (int i = 0; i < 3; i++) {
        const ferry_window *w = &s->window;
        if (s->in[i] < 1 || s->in[i] > INT16_MAX || s->out[i] > INT16_MAX || w->kernel[i] > 1024 * 16 ||
            w->dilation[i] > 1024 || w->stride[i] > INT16_MAX || w->pad_begin[i] > INT16_MAX ||
            w->pad_end[i] > INT16_MAX)
            return false;
    }
    return s->c_in >= 1 && s->taps >= 1 && s->taps <= FERRY_INT8_MOST_ADDENDS &&
           (double)s->batch * (double)s->in[0] * (double)s->in[1] * (double)s->in[2] < INT32_MAX / 2 &&
           (double)s->batch * (double)s->out_plane < INT32_MAX / 2;
}

static bool read_node(const ferry_graph *g, const ferry_node *node, ferry_conv_shape *s)
{
    if (!is_pool(g, node)) return false;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST),
                            out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    return (y->dtype == FERRY_S8 || (ferry_dtype_widens_to_f32(y->dtype) && !ferry_node_is(node, "MaxPool"))) &&
           read_shape(node, &in, &out, s);
}

// Of the model's shape: what a package was compiled for.
static int parts_of(const ferry_conv_shape *s)
{
    return s->taps >= MANY ? PARTS : 1;
}

// Channels that a thread makes.
static int run_of(const ferry_conv_shape *s)
{
    if (s->c_in % 16 == 0 && parts_of(s) == 1) return 16;
    return s->c_in % 4 == 0 ? 4 : 1;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    ferry_conv_shape shape;
    if (region->n_nodes != 1 || !read_node(g, node, &shape)) return ferry_misfit(tactic, "not a pooling", err);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#define Y_TYPE %s\n",
                          ferry_cuda_type_name(ferry_node_result(g, node)->dtype));
    ferry_cuda_source_define(&s, "V", run_of(&shape));
    ferry_cuda_source_define(&s, "PARTS", parts_of(&shape));
    ferry_cuda_source_define(&s, "MAXIMUM", ferry_node_is(node, "MaxPool"));
    ferry_cuda_source_define(&s, "COUNT_PADS", !is_global(node) && ferry_node_int(node, "count_include_pad", 0) != 0);
    ferry_cuda_source_add(&s, "#include \"integer_pool.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_operand x = ferry_operand_of(region, in, 0);
    ferry_conv_shape built, s;
    if (!read_node(g, node, &built) || x.at < 0) return ferry_misfit(tactic, "not a pooling", err);
    const int64_t x_row = ferry_tensor_desc_row(&x.desc), y_row = ferry_tensor_desc_row(&out[0]);
    if (x.desc.dtype != FERRY_S8 || out[0].dtype != ferry_node_result(g, node)->dtype ||
        !read_shape(node, &x.desc, &out[0], &s) || s.c_in != built.c_in || x_row < 1 || x_row > INT32_MAX ||
        y_row < 1 || y_row > INT32_MAX)
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const int64_t runs = s.c_in / run_of(&built), positions = s.batch * s.out_plane;
    const bool shared = parts_of(&built) > 1;
    const uint64_t each = (uint64_t)(positions * runs + THREADS - 1) / THREADS;
    const uint64_t grid[3] = {shared ? (uint64_t)positions : each, shared ? (uint64_t)(runs + 31) / 32 : 1, 1};
    const unsigned block[3] = {shared ? 32u * PARTS : THREADS, 1, 1};
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_integer_pool", grid, block, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_in(l, x.at);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, positions);
    ferry_cuda_pass_int(l, s.c_in);
    ferry_cuda_pass_float(l, ferry_node_float(node, "mult", 1.0f));
    ferry_cuda_pass_float(l, ferry_node_float(node, "shift", 0.0f));
    ferry_cuda_pass_int(l, x_row);
    ferry_cuda_pass_int(l, y_row);
    const ferry_window *w = &s.window;
    for (int i = 0; i < 3; i++) {
        const int64_t ints[] = {s.in[i],        s.out[i],        w->kernel[i],           w->stride[i],
                                w->dilation[i], w->pad_begin[i], s.in[i] + w->pad_end[i]};
        for (size_t j = 0; j < FERRY_COUNT_OF(ints); j++) ferry_cuda_pass_int(l, ints[j]);
    }
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    ferry_conv_shape s;
    if (!ferry_node_is_plain(view, root) || !read_node(g, node, &s)) return FERRY_OK;
    if (node->n_outputs > 1 && node->outputs[1] != FERRY_NO_VALUE) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const double cost = ferry_cuda_cost_us(device, FERRY_F32, 4 * ferry_value_elements(y) * (double)s.taps,
                                           ferry_value_bytes(x) + ferry_value_bytes(y));
    return ferry_offer_node(sink, name, root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES, cost, err);
}

extern const ferry_cuda_family ferry_cuda_family_integer_pool;
const ferry_cuda_family ferry_cuda_family_integer_pool = {
    .name = "integer_pool",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
