// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of bf16 over planes by pairs of lines: panel by panel of channels, a few pairs stay in the
// first-level cache while the window slides down.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_pairs_bf16.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/row_source.h"
#include "backend/cpu/tail.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_bf16_depthwise_pairs";

// Pairs of lines under a window: they lie on the stack of each task.
#define MOST_BYTES (40 * 1024)
// Lines of a task where threads share the work: each task makes some pairs that its neighbour makes, too.
#define TASK_LINES 16

typedef struct pairs_kernel {
    ferry_cpu_kernel base;
    const ferry_depthwise_pairs_row *row;
    ferry_conv_shape shape;
    ferry_finish finish;
    ferry_depthwise_pairs_packing packing;
    const char *packed; // borrowed
    size_t blocks;      // of output columns, so that their windows fit the buffer
    size_t y_row;       // elements from an output position to the next one
    ferry_cpu_operand x;
} pairs_kernel;

typedef struct pairs_run {
    const pairs_kernel *k;
    const uint16_t *x;
    uint16_t *y;
} pairs_run;

/// A panel of channels and a block of columns, which a task goes down along.
typedef struct strip {
    const pairs_kernel *k;
    const uint16_t *x;     // of the panel, of this picture
    size_t channels;       // of the panel
    int64_t left;          // input column under the first window
    size_t columns, width; // of the output; of what its windows see
    uint16_t *ring;        // [pairs][width][panel][2]
} strip;

static uint16_t *pair_at(const strip *s, int64_t pair)
{
    const size_t pairs = s->k->packing.pairs;
    return s->ring + (size_t)pair % pairs * s->width * s->k->packing.panel * 2;
}

static const uint16_t *line_at(const strip *s, int64_t line, int64_t column)
{
    const ferry_conv_shape *shape = &s->k->shape;
    return line < 0 || line >= shape->in[1] ? NULL : s->x + line * shape->x_step[1] + column * shape->x_step[2];
}

// Brings lines 2 * pair and the next together, counted from the padding's first.
static void make_pair(const strip *s, int64_t pair)
{
    const ferry_conv_shape *shape = &s->k->shape;
    const int64_t line = 2 * pair - shape->window.pad_begin[1], width = (int64_t)s->width;
    int64_t before = s->left < 0 ? -s->left : 0, end = shape->in[2] - s->left;
    if (before > width) before = width;
    if (end > width) end = width;
    if (end < before) end = before;
    const size_t column = s->k->packing.panel * 2;
    uint16_t *to = pair_at(s, pair);
    memset(to, 0, (size_t)before * column * sizeof *to);
    memset(to + (size_t)end * column, 0, (size_t)(width - end) * column * sizeof *to);
    const ferry_depthwise_pairing pairing = {.upper = line_at(s, line, s->left + before),
                                             .lower = line_at(s, line + 1, s->left + before),
                                             .step = (size_t)shape->x_step[2],
                                             .columns = (size_t)(end - before),
                                             .channels = s->channels,
                                             .to = to + (size_t)before * column};
    s->k->row->pair(&pairing);
}

// Output lines [begin, end) of one picture, the first of which goes to y.
static void run_strip(const strip *s, const char *packed, int64_t begin, int64_t end, uint16_t *y)
{
    const pairs_kernel *k = s->k;
    const ferry_conv_shape *shape = &k->shape;
    const ferry_depthwise_pairs_packing *p = &k->packing;
    ferry_depthwise_pairs line = {.pairs = p->pairs,
                                  .taps = p->taps,
                                  .columns = s->columns,
                                  .stride = (size_t)shape->window.stride[2],
                                  .bias = (const float *)packed,
                                  .y = y,
                                  .y_step = k->y_row,
                                  .channels = s->channels,
                                  .finish = &k->finish};
    const char *w = packed + p->panel * sizeof(float);
    int64_t made = 0;
    for (int64_t i = begin; i < end; i++, line.y += (size_t)shape->out[2] * k->y_row) {
        const int64_t top = i * shape->window.stride[1], first = top / 2, next = first + (int64_t)p->pairs;
        for (made = made > first ? made : first; made < next; made++) make_pair(s, made);
        for (size_t n = 0; n < p->pairs; n++) line.x[n] = pair_at(s, first + (int64_t)n);
        line.w = (const uint16_t *)(w + (size_t)(top % 2) * p->parity_bytes);
        k->row->run(&line);
    }
}

// i: an output line of all pictures; j: a panel and a block of columns.
static void run_task(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const pairs_run *run = context;
    const pairs_kernel *k = run->k;
    const ferry_conv_shape *shape = &k->shape;
    const ferry_depthwise_pairs_packing *p = &k->packing;
    const size_t channels = (size_t)shape->c_in, lines = (size_t)shape->out[1], step = (size_t)shape->window.stride[2];
    _Alignas(64) uint16_t ring[MOST_BYTES / sizeof(uint16_t)];
    for (size_t at = j; at < j + count_j; at++) {
        const size_t panel = at / k->blocks, channel = panel * p->panel;
        const ferry_row_tile cut = ferry_row_tile_at((size_t)shape->out[2], k->blocks, at % k->blocks);
        strip s = {.k = k, .columns = cut.rows, .width = (cut.rows - 1) * step + p->taps, .ring = ring};
        s.channels = channels - channel < p->panel ? channels - channel : p->panel;
        s.left = (int64_t)(cut.first * step) - shape->window.pad_begin[2];
        for (size_t line = i; line < i + count_i;) {
            const size_t first = line % lines, left = i + count_i - line;
            const size_t n = left < lines - first ? left : lines - first;
            s.x = run->x + (int64_t)(line / lines) * shape->x_batch + (int64_t)channel;
            run_strip(&s, k->packed + panel * p->panel_bytes, (int64_t)first, (int64_t)(first + n),
                      run->y + (line * (size_t)shape->out[2] + cut.first) * k->y_row + channel);
            line += n;
        }
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const pairs_kernel *k = (const pairs_kernel *)kernel;
    pairs_run run = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data};
    const size_t lines = (size_t)(k->shape.batch * k->shape.out[1]), panels = k->packing.panels * k->blocks;
    const size_t threads = ferry_thread_pool_threads(r->pool);
    // Panels are shared out first: what is cut by lines costs more.
    ferry_parallel_2d(r->pool, run_task, &run, lines, panels, panels >= 2 * threads ? lines : TASK_LINES, 1);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// Blocks of output columns; 0: not even one column's windows fit.
static size_t blocks_of(const ferry_conv_shape *s, const ferry_depthwise_pairs_packing *p)
{
    const size_t width = MOST_BYTES / (p->pairs * p->panel * 2 * sizeof(uint16_t)), step = (size_t)s->window.stride[2];
    if (width < p->taps || s->out[2] < 1) return 0;
    const size_t most = (width - p->taps) / step + 1;
    return ((size_t)s->out[2] + most - 1) / most;
}

static bool takes(const ferry_depthwise_pairs_row *row, const ferry_conv_shape *s, ferry_depthwise_pairs_packing *p,
                  size_t *bytes, size_t *blocks)
{
    const ferry_window *w = &s->window;
    if (!row || !ferry_conv_is_depthwise(s) || w->n_spatial != 2 || w->dilation[1] != 1 || w->dilation[2] != 1 ||
        s->x_channel != 1 || !ferry_depthwise_pairs_packing_of(row, s->c_in, w->kernel[1], w->kernel[2], p, bytes))
        return false;
    *blocks = blocks_of(s, p);
    return *blocks > 0;
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_cpu_value(region->graph, node, 1), *b = ferry_cpu_value(region->graph, node, 2);
    const ferry_depthwise_pairs_row *row = ferry_depthwise_pairs_pick(device->isa);
    const ferry_heap *heap = device->base.heap;
    ferry_depthwise_pairs_packing p;
    if (!row || !w || !w->data || w->shape.rank != 4 ||
        !ferry_depthwise_pairs_packing_of(row, w->shape.dims[0], w->shape.dims[2], w->shape.dims[3], &p, out_bytes))
        return ferry_cpu_misfit(tactic, "weights that cannot be packed", err);
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    char *packed = NULL;
    ferry_status s = ferry_cpu_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_cpu_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) packed = ferry_heap_alloc_uninit(heap, *out_bytes);
    if (s == FERRY_OK && !packed) s = ferry_fail_memory(err, "packed weights");
    if (s == FERRY_OK) ferry_depthwise_pairs_pack(&p, (size_t)w->shape.dims[0], weights, bias, packed);
    ferry_cpu_constant_free(heap, weights, weights_owned);
    ferry_cpu_constant_free(heap, bias, bias_owned);
    *out_data = packed;
    return s;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, &node, err));
    const ferry_depthwise_pairs_row *row = ferry_depthwise_pairs_pick(device->isa);
    ferry_depthwise_pairs_packing packing;
    size_t bytes = 0, blocks = 0;
    if (!node.x_channels_last || node.x.desc.dtype != FERRY_BF16 || out[0].dtype != FERRY_BF16 ||
        node.residual.present || !takes(row, &node.shape, &packing, &bytes, &blocks))
        return ferry_cpu_misfit(tactic, "not a depthwise convolution of planes of bf16", err);
    if (bytes != packed_bytes) return ferry_cpu_misfit(tactic, "packed weights of another size", err);
    pairs_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->row = row;
    k->shape = node.shape;
    k->finish = node.finish;
    k->packing = packing;
    k->packed = packed;
    k->blocks = blocks;
    k->y_row = node.y_row;
    k->x = node.x;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_conv_shape shape;
    ferry_depthwise_pairs_packing packing;
    size_t bytes = 0, blocks = 0;
    if (tail.adds || (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) ||
        !ferry_conv_node_is_offered(view, tail.nodes[0], &shape) ||
        !takes(ferry_depthwise_pairs_pick(device->isa), &shape, &packing, &bytes, &blocks))
        return FERRY_OK;
    const ferry_value *x = ferry_cpu_value(g, node, 0), *y = ferry_cpu_result(g, node);
    if (x->dtype != FERRY_BF16 || y->dtype != FERRY_BF16 || ferry_cpu_value(g, node, 3) ||
        !ferry_cpu_is_float(ferry_cpu_value(g, node, 1)->dtype))
        return FERRY_OK;
    // Each window pays for whole pairs of lines, the last panel for all of its channels.
    const double channels = (double)(packing.panels * packing.panel), taps = (double)(packing.pairs * 2 * packing.taps);
    const double macs = (double)(shape.batch * shape.out_plane) * taps * channels;
    const double cost =
        ferry_cpu_cost_us(device, FERRY_BF16, macs + tail.macs, ferry_cpu_bytes(x) + ferry_cpu_bytes(y));
    tail.flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, cost,
                            err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_pairs_bf16;
const ferry_cpu_family ferry_cpu_family_conv_depthwise_pairs_bf16 = {
    .name = "conv_depthwise_pairs_bf16",
    .multiplies_bf16 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
