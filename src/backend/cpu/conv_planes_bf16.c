// SPDX-License-Identifier: Apache-2.0
// Convolution in bf16 of a picture of few channels, straight from its planes, which may still be f32: the first layer
// of most networks, and the conversion before it. The lines under a window are brought together by twos in a small
// buffer, element beside element as products of bf16 want them, and padded, so that windows meet no border.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/product_half.h"
#include "backend/cpu/tail.h"
#include "backend/cpu/zip_bf16.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_bf16_planes";

#define MOST_CHANNELS 7
#define MOST_PAIRS 32 // of lines under a window
// Pairs of lines lie on the stack of each task.
#define MOST_BYTES (40 * 1024)
// Lines of a task where threads share the work.
#define TASK_LINES 8

typedef struct planes_kernel {
    ferry_cpu_kernel base;
    const ferry_gemm_half_row *row;
    const ferry_zip_bf16_row *zip;
    ferry_conv_shape shape;
    ferry_gemm_half_shape product; // taps: pairs of lines
    ferry_finish finish;
    const char *packed; // borrowed
    size_t blocks;      // of output columns
    bool wide;          // x is f32
    int32_t x;
} planes_kernel;

typedef struct planes_run {
    const planes_kernel *k;
    const char *x;
    uint16_t *y;
} planes_run;

/// A block of output columns, for which a task goes from line to line.
typedef struct block {
    const planes_kernel *k;
    size_t first, columns, tiles;
    size_t width;                                               // input columns under its windows
    _Alignas(64) uint16_t lines[MOST_BYTES / sizeof(uint16_t)]; // [pairs][width][2]
    ferry_row_buffer pointers;                                  // into `lines`
} block;

static int64_t lines_of(const ferry_conv_shape *s)
{
    return s->c_each * s->window.kernel[1];
}

static ferry_gemm_half_shape product_of(int64_t lines, int64_t width, int64_t columns)
{
    return (ferry_gemm_half_shape){
        .taps = ((size_t)lines + 1) / 2, .kc = 2 * (size_t)width, .columns = (size_t)columns};
}

// Blocks of output columns whose lines and pointers fit; 0: not even one tile's do.
static size_t blocks_of(const ferry_conv_shape *s, size_t mr)
{
    const size_t pairs = ((size_t)lines_of(s) + 1) / 2, step = (size_t)s->window.stride[2];
    const size_t kernel = (size_t)s->window.kernel[2], width = MOST_BYTES / (pairs * 2 * sizeof(uint16_t));
    if (pairs > MOST_PAIRS || width < kernel || s->out[2] < 1) return 0;
    size_t most = (width - kernel) / step + 1;
    const size_t pointers = FERRY_ROWS_POINTERS / pairs / mr * mr;
    if (most > pointers) most = pointers;
    return most < mr ? 0 : ((size_t)s->out[2] + most - 1) / most;
}

static void start_block(const planes_kernel *k, size_t index, block *b)
{
    const ferry_row_tile cut = ferry_row_tile_at((size_t)k->shape.out[2], k->blocks, index);
    const size_t step = (size_t)k->shape.window.stride[2], pairs = k->product.taps, mr = k->row->mr;
    b->k = k;
    b->first = cut.first;
    b->columns = cut.rows;
    b->tiles = ferry_row_tiles(cut.rows, mr);
    b->width = (cut.rows - 1) * step + (size_t)k->shape.window.kernel[2];
    for (size_t i = 0; i < b->tiles; i++) {
        const ferry_row_tile tile = ferry_row_tile_at(b->columns, b->tiles, i);
        for (size_t p = 0; p < pairs; p++)
            for (size_t m = 0; m < tile.rows; m++)
                b->pointers.pointers[(i * pairs + p) * mr + m] =
                    b->lines + (p * b->width + (tile.first + m) * step) * 2;
    }
}

// Where line `index` of the window, counted over all channels, begins in the picture at x; NULL beside it.
static const char *line_at(const planes_kernel *k, const char *x, int64_t out_line, int64_t index, int64_t column)
{
    const ferry_conv_shape *s = &k->shape;
    const int64_t line = out_line * s->window.stride[1] - s->window.pad_begin[1] + index % s->window.kernel[1];
    if (index >= lines_of(s) || line < 0 || line >= s->in[1]) return NULL;
    const int64_t at = index / s->window.kernel[1] * s->x_channel + line * s->x_step[1] + column;
    return x + at * (int64_t)(k->wide ? sizeof(float) : sizeof(uint16_t));
}

// Brings the lines under the windows of one output line together.
static void gather(block *b, const char *x, int64_t out_line)
{
    const planes_kernel *k = b->k;
    const ferry_conv_shape *s = &k->shape;
    const int64_t left = (int64_t)b->first * s->window.stride[2] - s->window.pad_begin[2], width = (int64_t)b->width;
    int64_t before = left < 0 ? -left : 0, end = s->in[2] - left;
    if (before > width) before = width;
    if (end > width) end = width;
    if (end < before) end = before;
    const size_t inside = (size_t)(end - before);
    uint16_t *to = b->lines;
    for (size_t p = 0; p < k->product.taps; p++, to += 2 * width) {
        const char *upper = line_at(k, x, out_line, 2 * (int64_t)p, left + before);
        const char *lower = line_at(k, x, out_line, 2 * (int64_t)p + 1, left + before);
        for (int64_t i = 0; i < before * 2; i++) to[i] = 0;
        for (int64_t i = end * 2; i < width * 2; i++) to[i] = 0;
        if (k->wide)
            k->zip->wide((const float *)upper, (const float *)lower, to + before * 2, inside);
        else
            k->zip->narrow((const uint16_t *)upper, (const uint16_t *)lower, to + before * 2, inside);
    }
}

static void run_tiles(const block *b, uint16_t *y)
{
    const planes_kernel *k = b->k;
    const size_t mr = k->row->mr, nr = k->row->nr, channels = (size_t)k->shape.c_out, pairs = k->product.taps;
    ferry_gemm_half_tile tile = {.taps = pairs, .kc = k->product.kc, .y_stride = channels, .finish = &k->finish};
    for (size_t i = 0; i < b->tiles; i++) {
        const ferry_row_tile cut = ferry_row_tile_at(b->columns, b->tiles, i);
        tile.x = b->pointers.pointers + i * pairs * mr;
        tile.rows = cut.rows;
        for (size_t c = 0; c < channels; c += nr) {
            tile.w = k->packed + ferry_gemm_half_panel(k->row, &k->product, c);
            tile.cols = channels - c < nr ? channels - c : nr;
            tile.y = y + cut.first * channels + c;
            k->row->run(&tile);
        }
    }
}

// i: an output line of all pictures; j: a block of its columns.
static void run_task(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const planes_run *run = context;
    const planes_kernel *k = run->k;
    const ferry_conv_shape *s = &k->shape;
    const int64_t picture = s->x_batch * (int64_t)(k->wide ? sizeof(float) : sizeof(uint16_t));
    block b;
    for (size_t at = j; at < j + count_j; at++) {
        start_block(k, at, &b);
        for (size_t line = i; line < i + count_i; line++) {
            gather(&b, run->x + (int64_t)line / s->out[1] * picture, (int64_t)line % s->out[1]);
            run_tiles(&b, run->y + (line * (size_t)s->out[2] + b.first) * (size_t)s->c_out);
        }
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const planes_kernel *k = (const planes_kernel *)kernel;
    planes_run run = {.k = k, .x = r->in[k->x].data, .y = r->out[0].data};
    const size_t lines = (size_t)(k->shape.batch * k->shape.out[1]);
    ferry_parallel_2d(r->pool, run_task, &run, lines, k->blocks,
                      ferry_thread_pool_threads(r->pool) > 1 ? TASK_LINES : lines, 1);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static bool is_planar(const ferry_conv_shape *s)
{
    return s->group == 1 && s->c_each <= MOST_CHANNELS && s->window.n_spatial == 2 && s->window.dilation[1] == 1 &&
           s->window.dilation[2] == 1;
}

static bool is_cast(const ferry_node *node)
{
    return ferry_node_is(node, "Cast") && node->n_inputs == 1 && node->n_outputs == 1;
}

/// The region from its convolution on, where a conversion to bf16 comes first.
typedef struct conv_region {
    ferry_region region;
    ferry_tensor_desc x; // as the convolution sees it
    bool casts;
} conv_region;

static bool find_conv(const ferry_region *region, const ferry_tensor_desc *in, conv_region *c)
{
    const ferry_node *first = &region->graph->nodes[region->nodes[0]];
    *c = (conv_region){.region = *region, .casts = region->n_nodes > 1 && is_cast(first)};
    if (region->n_inputs != 1) return false;
    if (in) c->x = in[0];
    if (!c->casts) return true;
    c->region.nodes++;
    c->region.n_nodes--;
    c->region.inputs = first->outputs;
    c->x.dtype = FERRY_BF16;
    return first->inputs[0] == region->inputs[0] && (!in || in[0].dtype == FERRY_F32);
}

// w: [column][line][width], to [column][pair of lines][width][2].
static void pair_weights(const ferry_gemm_half_shape *p, size_t lines, const float *w, float *to)
{
    const size_t width = p->kc / 2;
    for (size_t m = 0; m < p->columns; m++)
        for (size_t line = 0; line < 2 * p->taps; line++)
            for (size_t t = 0; t < width; t++)
                to[(m * p->taps + line / 2) * p->kc + 2 * t + line % 2] =
                    line < lines ? w[(m * lines + line) * width + t] : 0;
}

static ferry_status pack_weights(const ferry_heap *heap, const ferry_gemm_half_row *row, const ferry_gemm_half_shape *p,
                                 size_t lines, const float *w, const float *bias, char *packed, ferry_error *err)
{
    const size_t floats = p->columns * p->taps * p->kc;
    float *paired = ferry_heap_alloc_array(heap, floats, sizeof *paired);
    if (!paired) return ferry_fail_memory(err, "packed weights");
    pair_weights(p, lines, w, paired);
    const ferry_gemm_half_weights weights = {
        .w = paired, .column_stride = p->taps * p->kc, .tap_stride = p->kc, .k_stride = 1, .bias = bias};
    ferry_gemm_half_pack(row, p, &weights, packed);
    ferry_heap_free(heap, paired, floats * sizeof *paired);
    return FERRY_OK;
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    conv_region c;
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(device->isa, FERRY_BF16);
    if (!row || !find_conv(region, NULL, &c)) return ferry_misfit(tactic, "no convolution to pack", err);
    const ferry_node *node = &region->graph->nodes[c.region.nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_heap *heap = device->base.heap;
    if (!w || !w->data || w->shape.rank != 4 || w->shape.dims[0] < 1 || w->shape.dims[1] < 1 ||
        w->shape.dims[1] > MOST_CHANNELS || w->shape.dims[2] < 1 || w->shape.dims[2] > 2 * MOST_PAIRS ||
        w->shape.dims[3] < 1)
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const int64_t lines = w->shape.dims[1] * w->shape.dims[2];
    const ferry_gemm_half_shape p = product_of(lines, w->shape.dims[3], w->shape.dims[0]);
    size_t bytes = 0;
    if (!ferry_gemm_half_packed_bytes(row, &p, &bytes))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    char *packed = NULL;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) packed = ferry_heap_alloc_uninit(heap, bytes);
    if (s == FERRY_OK && !packed) s = ferry_fail_memory(err, "packed weights");
    if (s == FERRY_OK) s = pack_weights(heap, row, &p, (size_t)lines, weights, bias, packed, err);
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

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    conv_region c;
    ferry_conv_node node;
    if (!find_conv(region, in, &c)) return ferry_misfit(tactic, "more than one input", err);
    FERRY_TRY(ferry_conv_node_read(device, &c.region, tactic, &c.x, out, &node, err));
    const ferry_conv_shape *s = &node.shape;
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(device->isa, FERRY_BF16);
    if (!row || !is_planar(s) || node.residual.present || node.x.at != 0 || c.x.dtype != FERRY_BF16 ||
        out[0].dtype != FERRY_BF16 || !ferry_tensor_desc_is_dense(&node.x.desc, FERRY_LAYOUT_PLAIN))
        return ferry_misfit(tactic, "not a convolution of few planes", err);
    const size_t blocks = blocks_of(s, row->mr);
    if (blocks == 0) return ferry_misfit(tactic, "windows too large", err);
    const ferry_gemm_half_shape p = product_of(lines_of(s), s->window.kernel[2], s->c_out);
    size_t bytes = 0;
    if (!ferry_gemm_half_packed_bytes(row, &p, &bytes) || bytes != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    planes_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->row = row;
    k->zip = ferry_zip_bf16_pick(device->isa);
    k->shape = *s;
    k->product = p;
    k->finish = node.finish;
    k->packed = packed;
    k->blocks = blocks;
    k->wide = c.casts;
    k->x = node.x.at;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

// The conversion of f32 whose result only the convolution reads; FERRY_NO_NODE: there is none.
static ferry_node_id cast_before(const ferry_graph_view *view, const ferry_node *conv)
{
    const ferry_value_id v = conv->inputs[0];
    const ferry_value *x = &view->graph->values[v];
    if (view->user_offsets[v + 1] - view->user_offsets[v] != 1 || x->is_output || x->producer == FERRY_NO_NODE)
        return FERRY_NO_NODE;
    const ferry_node *cast = &view->graph->nodes[x->producer];
    return is_cast(cast) && ferry_node_is_plain(view, x->producer) &&
                   ferry_node_value(view->graph, cast, 0)->dtype == FERRY_F32 &&
                   !ferry_node_has_constant(view->graph, cast, 0)
               ? x->producer
               : FERRY_NO_NODE;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(device->isa, FERRY_BF16);
    ferry_conv_shape shape;
    if (!row || tail.adds || (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) ||
        !ferry_conv_node_is_offered(view, tail.nodes[0], &shape) || !is_planar(&shape) ||
        blocks_of(&shape, row->mr) == 0 || ferry_node_value(g, node, 3))
        return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (x->dtype != FERRY_BF16 || y->dtype != FERRY_BF16 ||
        !ferry_dtype_widens_to_f32(ferry_node_value(g, node, 1)->dtype))
        return FERRY_OK;
    const ferry_gemm_half_shape p = product_of(lines_of(&shape), shape.window.kernel[2], shape.c_out);
    const double columns = (double)ferry_align_size(p.columns, row->vec);
    const double macs = (double)(shape.batch * shape.out_plane) * (double)(p.taps * p.kc) * columns + tail.macs;
    const double bytes = ferry_value_bytes(x) + ferry_value_bytes(y) + tail.bytes;
    const double cost = ferry_cpu_cost_us(device, FERRY_BF16, macs, bytes);
    FERRY_TRY(ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_CHANNELS_LAST, cost, err));
    const ferry_node_id cast = cast_before(view, node);
    if (cast == FERRY_NO_NODE) return FERRY_OK;
    ferry_node_id nodes[1 + FERRY_TAIL_NODES] = {cast};
    memcpy(nodes + 1, tail.nodes, (size_t)tail.n_nodes * sizeof *nodes);
    const ferry_offer offer = {.tactic = tactic_name,
                               .nodes = nodes,
                               .n_nodes = 1 + tail.n_nodes,
                               .in_layout = FERRY_LAYOUT_PLAIN,
                               .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .cost_us = cost};
    return sink->take(sink->user, &offer, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_planes_bf16;
const ferry_cpu_family ferry_cpu_family_conv_planes_bf16 = {
    .name = "conv_planes_bf16",
    .multiplies_bf16 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
