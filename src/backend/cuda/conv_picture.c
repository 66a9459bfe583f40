// SPDX-License-Identifier: Apache-2.0
// The first layer of most networks, a convolution of pictures of up to four channels at every second position, by
// matrix instructions. A Cast in front of it, of a picture that comes in floats, is part of it.
#include <string.h>

#include "backend/cuda/tail.h"
#include "backend/cuda/weights.h"
#include "backend/reading/conv_shape.h"
#include "base/f16.h"
#include "base/size.h"

#define TACTIC "conv_picture"
#define THREADS 256u
#define MOST_COLUMNS 512
#define MOST_LINES 32

// As kernels/conv_picture.cuh has them.
typedef struct layout {
    int64_t chunks, depth;      // of a line of a window, and of all its lines
    int64_t tile_n, parts;      // output channels of a block, and blocks that all of them take
    size_t bias, operands, all; // of packed constants, in bytes
} layout;

// How outputs are shared out among blocks.
typedef struct cut {
    int64_t lines, columns, tiles_h, tiles_w, tiles;
    int64_t resident;
    size_t shared_bytes;
    double clocks;
} cut;

// Blocks that a multiprocessor is to hold, by their registers.
static int64_t most_resident(const ferry_cuda_target *t)
{
    return ferry_cuda_has_wgmma(t) ? 3 : 2;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, TACTIC) == 0;
}

static bool is_conv(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv");
}

static int64_t divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

// What weights and window say; `w` has the dimensions of the weights.
static bool is_picture(const ferry_window *w, const ferry_value *weights)
{
    const int64_t *d = weights->shape.dims;
    return weights->shape.rank == 4 && d[0] >= 1 && d[0] <= 1 << 12 && d[1] >= 1 && d[1] <= 4 && w->kernel[1] == d[2] &&
           w->kernel[2] == d[3] && d[2] >= 2 && d[2] <= 8 && d[3] >= 2 && d[3] <= 8 && w->stride[1] == 2 &&
           w->stride[2] == 2 && w->dilation[1] == 1 && w->dilation[2] == 1;
}

static layout lay_out(const int64_t *dims, const ferry_cuda_tail *p)
{
    layout l = {.chunks = (dims[3] + 3) / 4 * 2, .tile_n = dims[0] <= 32 ? 32 : 64};
    l.depth = dims[2] * l.chunks;
    l.parts = divide_up(dims[0], l.tile_n);
    l.bias = (size_t)(l.parts * l.depth * l.tile_n) * 16; // so are its chunks
    l.operands = l.bias + ferry_align_size((size_t)(l.parts * l.tile_n) * sizeof(float), 256);
    l.all = l.operands + ferry_cuda_tail_constant_bytes(p, dims[0]);
    return l;
}

typedef struct picture {
    ferry_cuda_tail tail;
    ferry_value_id x; // as it comes
    ferry_dtype x_type, type;
    const ferry_node *node; // the convolution
    const ferry_value *w;
    ferry_window window;
} picture;

// What p->tail says, if all of it is of this kind; `cast` is in front of it, or NULL.
static bool read_tail(const ferry_graph *g, const ferry_node *cast, picture *p)
{
    p->node = &g->nodes[p->tail.nodes[0]];
    p->w = ferry_node_value(g, p->node, 1);
    p->type = g->values[p->tail.y].dtype;
    const ferry_value *made = ferry_node_value(g, p->node, 0);
    if (!is_conv(p->node) || !made || made->dtype != p->type || (cast && cast->outputs[0] != p->node->inputs[0]))
        return false;
    p->x = cast ? cast->inputs[0] : p->node->inputs[0];
    p->x_type = g->values[p->x].dtype;
    return (p->type == FERRY_F16 || p->type == FERRY_BF16) && p->x_type == (cast ? FERRY_F32 : p->type) &&
           !ferry_value_is_constant(&g->values[p->x]) && ferry_node_int(p->node, "group", 1) == 1 && p->w &&
           ferry_value_is_constant(p->w) && ferry_dtype_widens_to_f32(p->w->dtype) && p->w->shape.rank == 4 &&
           ferry_cuda_chain_count(&p->tail.chain, FERRY_CUDA_CHANNEL) == p->tail.chain.n_operands &&
           ferry_window_read(p->node, 2, p->w->shape.dims + 2, &p->window, NULL) == FERRY_OK &&
           is_picture(&p->window, p->w);
}

static bool read(const ferry_region *region, picture *p)
{
    if (region->n_nodes < 1) return false;
    ferry_region product = *region;
    const ferry_node *cast = &region->graph->nodes[region->nodes[0]];
    if (ferry_node_is(cast, "Cast")) {
        product.nodes++, product.n_nodes--;
    } else {
        cast = NULL;
    }
    return ferry_cuda_tail_read(&product, &p->tail) && read_tail(region->graph, cast, p);
}

// --- Pack -----------------------------------------------------------------------------------------------------------

// For every chunk of a window the columns' weights, two positions of four channels each.
static void pack_weights(const layout *l, const int64_t *dims, ferry_dtype type, const float *w, uint16_t *to)
{
    for (int64_t n = 0; n < dims[0]; n++)
        for (int64_t c = 0; c < dims[1]; c++)
            for (int64_t i = 0; i < dims[2]; i++)
                for (int64_t j = 0; j < dims[3]; j++) {
                    const float v = w[((n * dims[1] + c) * dims[2] + i) * dims[3] + j];
                    const int64_t chunk =
                        (n / l->tile_n * l->depth + i * l->chunks + j / 2) * l->tile_n + n % l->tile_n;
                    to[chunk * 8 + j % 2 * 4 + c] = type == FERRY_F16 ? ferry_f16_from_f32(v) : ferry_bf16_from_f32(v);
                }
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    picture p;
    if (!read(region, &p)) return ferry_misfit(tactic, "nodes that are no convolution of pictures", err);
    const int64_t *dims = p.w->shape.dims;
    const layout l = lay_out(dims, &p.tail);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#include \"functions.cuh\"\n");
    ferry_cuda_source_add(&s, "#define PICTURE_TYPE %s\n#define X_TYPE %s\n", ferry_cuda_type_name(p.x_type),
                          ferry_cuda_type_name(p.type));
    ferry_cuda_source_define(&s, "CHANNELS", dims[1]);
    ferry_cuda_source_define(&s, "KERNEL_H", dims[2]);
    ferry_cuda_source_define(&s, "KERNEL_W", dims[3]);
    ferry_cuda_source_define(&s, "TILE_N", l.tile_n);
    ferry_cuda_source_define(&s, "WGMMA", ferry_cuda_has_wgmma(&device->target));
    ferry_cuda_source_define(&s, "RESIDENT", most_resident(&device->target));
    ferry_cuda_chain_write(g, &p.tail.chain, p.tail.before, &s);
    ferry_cuda_source_add(&s, "#include \"conv_picture.cuh\"\n");
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    char *constants = ferry_cuda_package_constants(package, l.all);
    if (!constants) return ferry_fail_memory(err, "packed weights");
    const float *floats = NULL;
    size_t owned = 0;
    FERRY_TRY(ferry_constant_f32(device->base.heap, p.w, &floats, &owned, err));
    pack_weights(&l, dims, p.type, floats, (uint16_t *)(void *)constants);
    ferry_constant_free(device->base.heap, floats, owned);
    if (!ferry_cuda_weights_floats(ferry_node_value(g, p.node, 2), dims[0], (float *)(void *)(constants + l.bias)) ||
        !ferry_cuda_chain_pack(g, &p.tail.chain, dims[0], (float *)(void *)(constants + l.operands)))
        return ferry_misfit(tactic, "a constant of another size", err);
    return FERRY_OK;
}

// --- Prepare --------------------------------------------------------------------------------------------------------

// Fitted to 7x7 windows on an H200, at batch 1, 8 and 64.
#define LINE_CLOCKS 1500.0 // that a warp waits for each line of the input that it loads
#define STEP_CLOCKS 1200.0 // of a warpgroup that is alone, for 64 windows: beside products
#define PRODUCT_CLOCKS 200.0
#define REACHED 0.6 // of what shared memory and multiply-adds could do

// Clocks of as many blocks as a multiprocessor holds at a time, for a tile each: what a warpgroup waits for, or what
// all of them get done.
static double round_clocks(const ferry_cuda_target *t, const layout *l, int64_t kernel_h, const cut *c, int64_t blocks)
{
    const int64_t pitch = c->columns + l->chunks - 1, lines = (2 * c->lines + kernel_h - 2) * divide_up(pitch, 128);
    const double n = (double)l->tile_n, products = (double)l->depth / 2;
    const double macs_a_clock = ferry_cuda_peak_macs(t, FERRY_F16) / (t->processors * t->clock_ghz * 1e9);
    // The warps of a warpgroup read weights together, others each for itself.
    const double read = ferry_cuda_has_wgmma(t) ? 16 + n / 4 : 16 + n, made = 64 * n * 16 / macs_a_clock;
    const double done = (double)(2 * blocks) * (products * (read > made ? read : made) / REACHED + 2.5 * n);
    const double alone = STEP_CLOCKS + PRODUCT_CLOCKS * products;
    const double steps = (double)divide_up(divide_up(c->lines * pitch, 64), 2);
    return LINE_CLOCKS * (double)divide_up(lines, 8) + steps * (alone > done ? alone : done);
}

// The cheapest one, by lines; false when not even one line fits.
static bool cut_outputs(const ferry_cuda_target *t, const layout *l, const ferry_conv_shape *s, cut *best)
{
    bool found = false;
    const int64_t kernel_h = s->window.kernel[1];
    for (int64_t lines = 1; lines <= MOST_LINES && lines <= s->out[1]; lines++) {
        cut c = {.lines = lines, .tiles_h = divide_up(s->out[1], lines)};
        c.tiles_w = divide_up(s->out[2], MOST_COLUMNS);
        c.columns = divide_up(s->out[2], c.tiles_w);
        c.tiles = s->batch * c.tiles_h * c.tiles_w;
        const int64_t pitch = c.columns + l->chunks - 1;
        c.shared_bytes = (size_t)(2 * (lines + (kernel_h - 1) / 2) * pitch + l->depth * l->tile_n) * 16;
        if (c.shared_bytes > t->shared_bytes) break;
        c.resident = (int64_t)((t->shared_bytes + 1024) / (c.shared_bytes + 1024));
        if (c.resident > most_resident(t)) c.resident = most_resident(t);
        const int64_t each = divide_up(c.tiles * l->parts, t->processors),
                      blocks = each < c.resident ? each : c.resident;
        c.clocks = (double)divide_up(each, blocks) * round_clocks(t, l, kernel_h, &c, blocks);
        if (!found || c.clocks < best->clocks) *best = c;
        found = true;
    }
    return found;
}

// Places along a line, in a picture and in a tensor are ints.
static bool is_counted(const ferry_conv_shape *s)
{
    const int64_t steps[] = {s->x_batch, s->x_channel, s->x_step[1], s->x_step[2]};
    for (size_t i = 0; i < FERRY_COUNT_OF(steps); i++)
        if (steps[i] < 0 || steps[i] > INT32_MAX / 2) return false;
    return s->in[1] * s->x_step[1] <= INT32_MAX / 2 && s->in[2] * s->x_step[2] <= INT32_MAX / 2 &&
           s->batch * s->out_plane <= INT32_MAX / 2 && s->in[1] <= INT32_MAX / 4 && s->in[2] <= INT32_MAX / 4;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    picture p;
    ferry_conv_shape s;
    if (!read(region, &p)) return ferry_misfit(tactic, "nodes that are no convolution of pictures", err);
    const int32_t x = ferry_region_input(region, p.x);
    const int64_t y_row = ferry_tensor_desc_row(&out[0]);
    if (x < 0 || in[x].dtype != p.x_type || out[0].dtype != p.type || y_row <= 0 || y_row > INT32_MAX ||
        (ferry_tensor_desc_row(&in[x]) <= 0 && !ferry_tensor_desc_is_dense(&in[x], FERRY_LAYOUT_PLAIN)))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    FERRY_TRY(ferry_conv_shape_read(p.node, &in[x], p.w->shape.rank, p.w->shape.dims, &out[0], &s, err));
    const layout l = lay_out(p.w->shape.dims, &p.tail);
    if (ferry_cuda_kernel_constant_bytes(kernel) != l.all)
        return ferry_misfit(tactic, "packed weights of another size", err);
    if (s.batch * s.out_plane == 0) return FERRY_OK;
    cut c;
    if (!is_counted(&s) || !cut_outputs(&device->target, &l, &s, &c))
        return ferry_misfit(tactic, "tensors beyond what kernels count in", err);
    int64_t blocks = divide_up(c.resident * device->target.processors, l.parts);
    if (blocks > c.tiles) blocks = c.tiles;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_conv_picture",
                                       (const uint64_t[3]){(uint64_t)blocks, (uint64_t)l.parts, 1},
                                       (const unsigned[3]){THREADS, 1, 1}, c.shared_bytes, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, x);
    ferry_cuda_pass_constants(launch, kernel, 0);
    ferry_cuda_pass_constants(launch, kernel, l.bias);
    ferry_cuda_pass_out(launch, 0);
    const int64_t ints[] = {c.tiles,
                            c.tiles_h,
                            c.tiles_w,
                            c.lines,
                            c.columns,
                            s.in[1],
                            s.in[2],
                            s.out[1],
                            s.out[2],
                            s.c_out,
                            s.window.pad_begin[1],
                            s.window.pad_begin[2],
                            s.x_batch,
                            s.x_step[1],
                            s.x_step[2],
                            s.x_channel,
                            y_row};
    for (size_t i = 0; i < FERRY_COUNT_OF(ints); i++) ferry_cuda_pass_int(launch, ints[i]);
    ferry_cuda_tail_pass_operands(launch, kernel, region, &p.tail, in, s.c_out, l.operands);
    return FERRY_OK;
}

// --- Offer ----------------------------------------------------------------------------------------------------------

static ferry_status offer_picture(ferry_cuda_device *device, const ferry_graph *g, const picture *p, const cut *c,
                                  ferry_offer *offer, const ferry_offer_sink *sink, ferry_error *err)
{
    const double bytes = ferry_value_bytes(&g->values[p->x]) + ferry_cuda_tail_bytes(g, &p->tail);
    const double moved = ferry_cuda_cost_us(device, FERRY_F16, 0, bytes);
    const double work = ferry_cuda_cost_us(device, FERRY_F16, 0, 0) + c->clocks / (device->target.clock_ghz * 1e3);
    offer->cost_us = work > moved ? work : moved;
    offer->in_layout = FERRY_LAYOUT_PLAIN;
    FERRY_TRY(sink->take(sink->user, offer, err));
    offer->in_layout = FERRY_LAYOUT_CHANNELS_LAST;
    return sink->take(sink->user, offer, err);
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    picture p;
    ferry_conv_shape s;
    cut c;
    if (!ferry_cuda_tail_find(view, root, 0, is_conv, &p.tail) || !read_tail(g, NULL, &p) ||
        !(p.type == FERRY_F16 ? ferry_cuda_has_mma_f16 : ferry_cuda_has_mma_bf16)(&device->target) ||
        !ferry_conv_node_is_offered(view, p.tail.nodes[0], &s) || !is_counted(&s))
        return FERRY_OK;
    const layout l = lay_out(p.w->shape.dims, &p.tail);
    if (!cut_outputs(&device->target, &l, &s, &c)) return FERRY_OK;
    const ferry_node_id cast = ferry_maker_for_one(view, p.x);
    ferry_node_id nodes[1 + FERRY_CUDA_TAIL_NODES] = {cast};
    memcpy(nodes + 1, p.tail.nodes, sizeof p.tail.nodes);
    ferry_offer offer = {.tactic = TACTIC,
                         .nodes = nodes + 1,
                         .n_nodes = p.tail.n_nodes,
                         .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                         .flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES};
    FERRY_TRY(offer_picture(device, g, &p, &c, &offer, sink, err));
    if (cast == FERRY_NO_NODE || !ferry_node_is(&g->nodes[cast], "Cast") || !read_tail(g, &g->nodes[cast], &p))
        return FERRY_OK;
    offer.nodes--, offer.n_nodes++;
    return offer_picture(device, g, &p, &c, &offer, sink, err);
}

extern const ferry_cuda_family ferry_cuda_family_conv_picture;
const ferry_cuda_family ferry_cuda_family_conv_picture = {
    .name = "conv_picture",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
