// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution, channels last: one filter a channel, with the chain behind it.
#include <stdio.h>
#include <string.h>

#include "backend/cuda/tail.h"
#include "backend/cuda/weights.h"
#include "backend/reading/conv_shape.h"

#define THREADS 128u
#define MOST_TAPS 121   // of a window whose columns are unrolled
#define MOST_FLOATS 112 // of a thread, beside weights and addresses

typedef struct tactic_row {
    const char *name;
    int tile_h, tile_w; // outputs that a thread makes
} tactic_row;

static const tactic_row tactics[] = {{"depthwise_1x1", 1, 1},
                                     {"depthwise_1x2", 1, 2},
                                     {"depthwise_2x2", 2, 2},
                                     {"depthwise_1x4", 1, 4},
                                     {"depthwise_2x4", 2, 4}};

static const tactic_row *find(const char *tactic)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(tactics); i++)
        if (strcmp(tactics[i].name, tactic) == 0) return &tactics[i];
    return NULL;
}

static bool owns(const char *tactic)
{
    return find(tactic) != NULL;
}

static bool is_conv(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv");
}

// One filter for each channel, along height and width, of a size that can be unrolled.
static bool is_depthwise(const ferry_conv_shape *s)
{
    const ferry_window *w = &s->window;
    return s->group == s->c_in && s->c_out == s->c_in && w->kernel[0] == 1 && w->stride[0] == 1 &&
           w->pad_begin[0] == 0 && w->pad_end[0] == 0 && s->taps <= MOST_TAPS && w->kernel[2] <= 15 &&
           w->stride[1] <= 8 && w->stride[2] <= 4 && w->dilation[1] <= 32 && w->dilation[2] <= 4;
}

// Inputs along a row that a tile is made from.
static int64_t columns_of(const tactic_row *tile, const ferry_window *w)
{
    return (tile->tile_w - 1) * w->stride[2] + (w->kernel[2] - 1) * w->dilation[2] + 1;
}

// Sums and a row of inputs stay in registers.
static bool fits_registers(const tactic_row *tile, const ferry_window *w, int width)
{
    return (tile->tile_h * tile->tile_w + columns_of(tile, w)) * width <= MOST_FLOATS ||
           tile->tile_h * tile->tile_w == 1;
}

// Channels of a thread: 16 bytes of the wider side, as far as that divides them.
static int width_of(int64_t channels, ferry_dtype x, ferry_dtype y)
{
    const size_t bx = ferry_dtype_bytes(x), by = ferry_dtype_bytes(y);
    int width = (int)(16 / (bx > by ? bx : by));
    while (channels % width != 0) width /= 2;
    return width;
}

// Where packed constants lie, in bytes: weights, bias, operands of the chain.
typedef struct places {
    size_t bias, operands, all;
} places;

static places place(int64_t channels, int64_t taps, ferry_dtype w, const ferry_cuda_tail *p)
{
    places at;
    at.bias = ferry_align_size((size_t)channels * (size_t)taps * ferry_dtype_bytes(w), 256);
    at.operands = at.bias + ferry_align_size((size_t)channels * sizeof(float), 256);
    at.all = at.operands + ferry_cuda_tail_constant_bytes(p, channels);
    return at;
}

static void define_window(ferry_cuda_source *s, const ferry_window *w)
{
    ferry_cuda_source_define(s, "KH", w->kernel[1]);
    ferry_cuda_source_define(s, "KW", w->kernel[2]);
    ferry_cuda_source_define(s, "SH", w->stride[1]);
    ferry_cuda_source_define(s, "SW", w->stride[2]);
    ferry_cuda_source_define(s, "DH", w->dilation[1]);
    ferry_cuda_source_define(s, "DW", w->dilation[2]);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    ferry_cuda_tail p;
    ferry_window window;
    if (!ferry_cuda_tail_read(region, &p)) return ferry_misfit(tactic, "nodes that are no product", err);
    const ferry_node *node = &g->nodes[p.nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1), *y = &g->values[p.y];
    FERRY_TRY(ferry_window_read(node, w->shape.rank - 2, w->shape.dims + 2, &window, err));
    const int64_t channels = w->shape.dims[0], taps = window.kernel[1] * window.kernel[2];
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#include \"functions.cuh\"\n");
    ferry_cuda_source_add(&s, "#define X_TYPE %s\n#define W_TYPE %s\n#define Y_TYPE %s\n",
                          ferry_cuda_type_name(x->dtype), ferry_cuda_type_name(w->dtype),
                          ferry_cuda_type_name(y->dtype));
    ferry_cuda_source_define(&s, "WIDTH", width_of(channels, x->dtype, y->dtype));
    define_window(&s, &window);
    ferry_cuda_source_define(&s, "TILE_H", find(tactic)->tile_h);
    ferry_cuda_source_define(&s, "TILE_W", find(tactic)->tile_w);
    ferry_cuda_chain_write(g, &p.chain, p.before, &s);
    ferry_cuda_source_add(&s, "#include \"depthwise.cuh\"\n");
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    const places at = place(channels, taps, w->dtype, &p);
    char *constants = ferry_cuda_package_constants(package, at.all);
    if (!constants) return ferry_fail_memory(err, "packed weights");
    ferry_cuda_weights_permute(w->data, ferry_dtype_bytes(w->dtype), (const int64_t[4]){1, 1, channels, taps},
                               (const int[4]){0, 1, 3, 2}, constants);
    if (!ferry_cuda_weights_floats(ferry_node_value(g, node, 2), channels, (float *)(void *)(constants + at.bias)) ||
        !ferry_cuda_chain_pack(g, &p.chain, channels, (float *)(void *)(constants + at.operands)))
        return ferry_misfit(tactic, "a constant of another size", err);
    return FERRY_OK;
}

static ferry_status launch(ferry_cuda_kernel *kernel, const tactic_row *tile, int width, const ferry_conv_shape *s,
                           int64_t *tiles, ferry_cuda_launch **out, ferry_error *err)
{
    const unsigned runs = (unsigned)(s->c_in / width), parts = (runs + 63) / 64, x = (runs + parts - 1) / parts;
    const unsigned y = THREADS / x;
    tiles[1] = (s->out[1] + tile->tile_h - 1) / tile->tile_h;
    tiles[2] = (s->out[2] + tile->tile_w - 1) / tile->tile_w;
    tiles[0] = s->batch * tiles[1] * tiles[2];
    return ferry_cuda_kernel_launch(kernel, 0, "ferry_depthwise",
                                    (const uint64_t[3]){((uint64_t)tiles[0] + y - 1) / y, (runs + x - 1) / x, 1},
                                    (const unsigned[3]){x, y, 1}, 0, out, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    ferry_cuda_tail p;
    if (!ferry_cuda_tail_read(region, &p) || !is_conv(&region->graph->nodes[p.nodes[0]]))
        return ferry_misfit(tactic, "nodes that are no product", err);
    const ferry_operand x = ferry_operand_of(region, in, 0), w = ferry_operand_of(region, in, 1);
    const ferry_value *y = &region->graph->values[p.y];
    ferry_conv_shape s;
    int64_t tiles[3];
    if (x.at < 0 || !w.data) return ferry_misfit(tactic, "an input is missing", err);
    FERRY_TRY(
        ferry_conv_shape_read(&region->graph->nodes[p.nodes[0]], &x.desc, w.desc.rank, w.desc.dims, &out[0], &s, err));
    const ferry_dtype x_dtype = region->graph->values[region->inputs[x.at]].dtype;
    const int width = width_of(s.c_in, x_dtype, y->dtype);
    const int64_t x_row = ferry_cuda_row(&x.desc, width), y_row = ferry_cuda_row(&out[0], width);
    if (!is_depthwise(&s) || x_row == 0 || y_row == 0 || x.desc.dtype != x_dtype || out[0].dtype != y->dtype ||
        !ferry_cuda_tail_operands_fit(region, &p, in, &out[0], false, width))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const places at = place(s.c_in, s.taps, w.desc.dtype, &p);
    if (ferry_cuda_kernel_constant_bytes(kernel) != at.all)
        return ferry_misfit(tactic, "packed weights of another size", err);
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(launch(kernel, find(tactic), width, &s, tiles, &l, err));
    l->waits = true;
    ferry_cuda_pass_in(l, x.at);
    ferry_cuda_pass_constants(l, kernel, 0);
    ferry_cuda_pass_constants(l, kernel, at.bias);
    ferry_cuda_pass_out(l, 0);
    const int64_t ints[] = {s.in[1], s.in[2], s.out[1], s.out[2], s.c_in,  s.window.pad_begin[1], s.window.pad_begin[2],
                            x_row,   y_row,   tiles[0], tiles[1], tiles[2]};
    for (size_t i = 0; i < FERRY_COUNT_OF(ints); i++) ferry_cuda_pass_int(l, ints[i]);
    ferry_cuda_tail_pass_operands(l, kernel, region, &p, in, s.c_in, at.operands);
    return FERRY_OK;
}

// Cycles of a multiprocessor for all that its threads do: loads from its cache and multiply-adds of a thread, times
// the warps that share a scheduler.
static double cost_of(const ferry_cuda_device *device, const tactic_row *tile, int width, const ferry_conv_shape *s,
                      double flops, double bytes)
{
    const double rows =
        (double)((tile->tile_h - 1) * s->window.stride[1] + (s->window.kernel[1] - 1) * s->window.dilation[1] + 1);
    const double columns = (double)columns_of(tile, &s->window);
    const double outputs = tile->tile_h * tile->tile_w, taps = (double)s->taps;
    const double each =
        rows * columns * (width + 6) + taps * tile->tile_h * width + outputs * width * (taps + flops + 2);
    const double tiles = (double)(s->batch * ((s->out[1] + tile->tile_h - 1) / tile->tile_h) *
                                  ((s->out[2] + tile->tile_w - 1) / tile->tile_w));
    double warps = tiles * (double)s->c_in / width / 32 / (4.0 * device->target.processors);
    if (warps < 1) warps = 1;
    const double cycles = 1000 + each * warps;
    const double moved = ferry_cuda_cost_us(device, FERRY_F32, 0, bytes),
                 launch_us = ferry_cuda_cost_us(device, FERRY_F32, 0, 0);
    const double work = cycles / (device->target.clock_ghz * 1e3) + launch_us;
    return work > moved ? work : moved;
}

static ferry_status offer_tail(ferry_cuda_device *device, const ferry_graph_view *view, const ferry_cuda_tail *p,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[p->nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1), *y = &g->values[p->y];
    ferry_conv_shape s;
    if (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(y->dtype) || ferry_value_is_constant(x) ||
        !w || !ferry_dtype_widens_to_f32(w->dtype) || !ferry_conv_node_is_offered(view, p->nodes[0], &s) ||
        !is_depthwise(&s) || ferry_value_elements(x) > INT32_MAX || ferry_value_elements(y) > INT32_MAX)
        return FERRY_OK;
    ferry_offer offer = {.nodes = p->nodes,
                         .n_nodes = p->n_nodes,
                         .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                         .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                         .flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES};
    const double bytes = ferry_value_bytes(x) + ferry_cuda_tail_bytes(g, p);
    const int width = width_of(s.c_in, x->dtype, y->dtype);
    for (size_t i = 0; i < FERRY_COUNT_OF(tactics); i++) {
        if (!fits_registers(&tactics[i], &s.window, width)) continue;
        offer.tactic = tactics[i].name;
        offer.cost_us = cost_of(device, &tactics[i], width, &s, p->chain.flops, bytes);
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    return ferry_cuda_tail_offer(device, view, root, is_conv, offer_tail, sink, err);
}

extern const ferry_cuda_family ferry_cuda_family_depthwise;
const ferry_cuda_family ferry_cuda_family_depthwise = {
    .name = "depthwise",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
