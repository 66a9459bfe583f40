// SPDX-License-Identifier: Apache-2.0
// Convolution in float of a picture of few channels, straight from its planes: the first layer of most networks. Lines
// are padded in a small buffer, so that windows meet no border, and a tile's rows lie one stride apart on them.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/product_f32.h"
#include "backend/cpu/tail.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_f32_planes";

#define MOST_CHANNELS 7
// Lines of a window, and floats of their buffer: it lies on the stack of each task.
#define MOST_LINES 64
#define MOST_FLOATS (48 * 1024 / 4)
#define MOST_COLUMNS 96

typedef struct planes_kernel {
    ferry_cpu_kernel base;
    const ferry_gemm_f32_row *row;
    ferry_conv_shape shape;
    ferry_finish finish;
    const float *packed; // borrowed
    int64_t columns;     // output columns of a task
    size_t line_floats;
    int32_t x;
} planes_kernel;

typedef struct planes_run {
    const planes_kernel *k;
    const float *x;
    float *y;
} planes_run;

// Output columns that one task computes, so that their windows fit the buffer. 0: none do.
static int64_t columns_at_once(const ferry_conv_shape *s, size_t mr, size_t *line_floats)
{
    const int64_t lines = s->c_each * s->window.kernel[1], step = s->window.stride[2];
    if (lines > MOST_LINES || s->window.kernel[2] > MOST_FLOATS || step > MOST_FLOATS) return 0;
    for (int64_t columns = MOST_COLUMNS; columns >= (int64_t)mr; columns -= (int64_t)mr) {
        const int64_t floats = (columns - 1) * step + s->window.kernel[2];
        *line_floats = (size_t)floats;
        if (lines * floats <= MOST_FLOATS) return columns;
    }
    return 0;
}

// `count` elements of an input line from element `at` on, zeros where that is beside it.
static void copy_line(float *to, const float *line, int64_t at, int64_t count, int64_t width)
{
    const int64_t before = at < 0 ? (-at < count ? -at : count) : 0;
    int64_t inside = width - (at + before);
    if (inside > count - before) inside = count - before;
    if (inside < 0) inside = 0;
    memset(to, 0, (size_t)before * sizeof *to);
    memcpy(to + before, line + at + before, (size_t)inside * sizeof *to);
    memset(to + before + inside, 0, (size_t)(count - before - inside) * sizeof *to);
}

// The lines under the windows of output columns [column, ...) of one output line, by channel and tap.
static void gather(const planes_run *run, int64_t picture, int64_t out_line, int64_t column, float *buffer,
                   const void **lines)
{
    const planes_kernel *k = run->k;
    const ferry_conv_shape *s = &k->shape;
    const int64_t left = column * s->window.stride[2] - s->window.pad_begin[2];
    for (int64_t c = 0; c < s->c_each; c++)
        for (int64_t h = 0; h < s->window.kernel[1]; h++, buffer += k->line_floats) {
            const int64_t line = out_line * s->window.stride[1] - s->window.pad_begin[1] + h;
            *lines++ = buffer;
            if (line < 0 || line >= s->in[1]) {
                memset(buffer, 0, k->line_floats * sizeof *buffer);
                continue;
            }
            copy_line(buffer, run->x + picture * s->x_batch + c * s->x_channel + line * s->x_step[1], left,
                      (int64_t)k->line_floats, s->in[2]);
        }
}

static void run_tiles(const planes_kernel *k, const void *const *lines, size_t columns, float *y)
{
    const ferry_conv_shape *s = &k->shape;
    const size_t mr = k->row->mr, nr = k->row->nr, channels = (size_t)s->c_out, tiles = ferry_row_tiles(columns, mr);
    const size_t taps = (size_t)(s->c_each * s->window.kernel[1]), kc = (size_t)s->window.kernel[2];
    const size_t step = (size_t)s->window.stride[2];
    const void *at[MOST_LINES];
    ferry_gemm_f32_tile tile = {
        .x = at, .x_step = step, .taps = taps, .kc = kc, .y_stride = channels, .finish = &k->finish};
    for (size_t i = 0; i < tiles; i++) {
        const ferry_row_tile cut = ferry_row_tile_at(columns, tiles, i);
        for (size_t t = 0; t < taps; t++) at[t] = (const float *)lines[t] + cut.first * step;
        tile.rows = cut.rows;
        for (size_t c = 0; c < channels; c += nr) {
            tile.w = k->packed + ferry_gemm_f32_panel(taps * kc, c);
            tile.cols = channels - c < nr ? channels - c : nr;
            tile.y = y + cut.first * channels + c;
            k->row->run_lines(&tile);
        }
    }
}

// i: an output line of all pictures; j: a block of its columns.
static void run_task(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const planes_run *run = context;
    const ferry_conv_shape *s = &run->k->shape;
    float buffer[MOST_FLOATS];
    const void *lines[MOST_LINES];
    for (size_t line = i; line < i + count_i; line++)
        for (size_t block = j; block < j + count_j; block++) {
            const int64_t out_line = (int64_t)line % s->out[1], column = (int64_t)block * run->k->columns;
            const int64_t left = s->out[2] - column, count = left < run->k->columns ? left : run->k->columns;
            gather(run, (int64_t)line / s->out[1], out_line, column, buffer, lines);
            run_tiles(run->k, lines, (size_t)count,
                      run->y + (line * (size_t)s->out[2] + (size_t)column) * (size_t)s->c_out);
        }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const planes_kernel *k = (const planes_kernel *)kernel;
    const ferry_conv_shape *s = &k->shape;
    planes_run run = {.k = k, .x = r->in[k->x].data, .y = r->out[0].data};
    const size_t blocks = (size_t)((s->out[2] + k->columns - 1) / k->columns);
    ferry_parallel_2d(r->pool, run_task, &run, (size_t)(s->batch * s->out[1]), blocks, 1, 1);
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

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    const ferry_heap *heap = device->base.heap;
    size_t k = 1, floats = 0;
    bool fits = w && w->data && w->shape.rank == 4 && w->shape.dims[0] > 0;
    for (int32_t d = 1; fits && d < 4; d++)
        fits = w->shape.dims[d] > 0 && ferry_mul_size(k, (size_t)w->shape.dims[d], &k);
    if (!fits || !ferry_gemm_f32_packed_floats(row, k, (size_t)w->shape.dims[0], &floats))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    float *packed = NULL;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) packed = ferry_heap_alloc_uninit(heap, floats * sizeof *packed);
    if (s == FERRY_OK && !packed) s = ferry_fail_memory(err, "packed weights");
    if (s == FERRY_OK) {
        ferry_gemm_f32_pack(row, k, (size_t)w->shape.dims[0], weights, 1, k, bias, packed);
        *out_data = packed;
        *out_bytes = floats * sizeof *packed;
    }
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    return s;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read(device, region, tactic, in, out, &node, err));
    const ferry_conv_shape *s = &node.shape;
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    if (!is_planar(s) || node.residual.present || node.x.at < 0 || node.x.desc.dtype != FERRY_F32 ||
        out[0].dtype != FERRY_F32 || !ferry_tensor_desc_is_dense(&node.x.desc, FERRY_LAYOUT_PLAIN))
        return ferry_misfit(tactic, "not a convolution of few planes of floats", err);
    size_t floats = 0, line_floats = 0;
    const int64_t columns = columns_at_once(s, row->mr, &line_floats);
    if (columns == 0) return ferry_misfit(tactic, "windows too large", err);
    if (!ferry_gemm_f32_packed_floats(row, (size_t)(s->c_each * s->taps), (size_t)s->c_out, &floats) ||
        floats * sizeof(float) != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    planes_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->row = row;
    k->shape = *s;
    k->finish = node.finish;
    k->packed = packed;
    k->columns = columns;
    k->line_floats = line_floats;
    k->x = node.x.at;
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
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    ferry_conv_shape shape;
    size_t line_floats = 0;
    if ((!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) || tail.adds ||
        !ferry_conv_node_is_offered(view, tail.nodes[0], &shape) || !is_planar(&shape) ||
        columns_at_once(&shape, row->mr, &line_floats) == 0 || ferry_node_value(g, node, 3))
        return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    const ferry_value *y = ferry_node_result(g, node);
    if (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(w->dtype)) return FERRY_OK;
    const double columns = (double)ferry_align_size((size_t)shape.c_out, row->vec);
    const double macs = (double)(shape.batch * shape.out_plane) * (double)(shape.taps * shape.c_each) * columns;
    const double bytes = ferry_value_bytes(x) * 2 + ferry_value_bytes(y) + tail.bytes;
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_CHANNELS_LAST,
                            ferry_cpu_cost_us(device, FERRY_F32, macs + tail.macs, bytes), err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_planes_f32;
const ferry_cpu_family ferry_cpu_family_conv_planes_f32 = {
    .name = "conv_planes_f32",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
