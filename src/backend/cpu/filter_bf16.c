// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv_pointers.h"
#include "backend/cpu/filter_bf16.h"

#include <string.h>

#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/row_source.h"

// Pairs of lines under a window: they lie on the stack of each task, beside two wide lines where they are expanded.
#define MOST_BYTES (40 * 1024)
#define MOST_BYTES_EXPANDED (24 * 1024)
#define WIDE_BYTES (MOST_BYTES_EXPANDED / 2)
// Lines of a task where threads share the work: each task makes some pairs that its neighbour makes, too.
#define TASK_LINES 16

typedef struct filter_run {
    const ferry_filter_bf16 *f;
    const uint16_t *x;
    uint16_t *y;
} filter_run;

/// A panel of channels and a block of columns, which a task goes down along.
typedef struct strip {
    const ferry_filter_bf16 *f;
    const uint16_t *x;        // of this picture; where nothing is expanded, of the panel
    size_t channel, channels; // the panel's first, and how many it has
    int64_t left;             // input column under the first window
    size_t columns, width;    // of the output; of what its windows see
    uint16_t *ring;           // [pairs][width][panel][2]
    uint16_t *wide;           // [2][width][panel]: expanded lines
} strip;

static uint16_t *pair_at(const strip *s, int64_t pair)
{
    const size_t pairs = s->f->packing.pairs;
    return s->ring + (size_t)pair % pairs * s->width * s->f->packing.panel * 2;
}

// The panel's channels of `count` positions from x on.
static void expand(const strip *s, const uint16_t *x, size_t count, uint16_t *to)
{
    const ferry_filter_bf16 *f = s->f;
    const ferry_filter_expand *e = &f->expand;
    const size_t panel = f->packing.panel, tiles = ferry_row_tiles(count, e->row->mr);
    const ferry_gemm_half_shape shape = {.taps = 1, .kc = e->k, .columns = (size_t)f->shape.c_in};
    const void *rows[FERRY_CONV_POINTERS_ROWS];
    ferry_gemm_half_tile tile = {.x = rows,
                                 .taps = 1,
                                 .kc = e->k,
                                 .w = e->packed + ferry_gemm_half_panel(e->row, &shape, s->channel),
                                 .cols = s->channels,
                                 .y_stride = panel,
                                 .finish = &e->finish};
    for (size_t i = 0; i < tiles; i++) {
        const ferry_row_tile cut = ferry_row_tile_at(count, tiles, i);
        for (size_t m = 0; m < cut.rows; m++) rows[m] = x + (cut.first + m) * f->x_row;
        tile.rows = cut.rows;
        tile.y = to + cut.first * panel;
        e->row->run(&tile);
    }
}

// `count` columns of a line, the upper (0) or lower (1) one of a pair, as the filter wants to read it; NULL beside the
// picture.
static const uint16_t *line_at(const strip *s, int64_t line, int64_t column, size_t count, size_t which)
{
    if (line < 0 || line >= s->f->shape.in[1] || count == 0) return NULL;
    const uint16_t *x = s->x + line * s->f->x_line + column * (int64_t)s->f->x_row;
    if (!s->f->expand.row) return x;
    uint16_t *to = s->wide + which * s->width * s->f->packing.panel;
    expand(s, x, count, to);
    return to;
}

// Brings lines 2 * pair and the next together, counted from the padding's first.
static void make_pair(const strip *s, int64_t pair)
{
    const ferry_conv_shape *shape = &s->f->shape;
    const int64_t line = 2 * pair - shape->window.pad_begin[1], width = (int64_t)s->width;
    int64_t before = s->left < 0 ? -s->left : 0, end = shape->in[2] - s->left;
    if (before > width) before = width;
    if (end > width) end = width;
    if (end < before) end = before;
    const size_t column = s->f->packing.panel * 2, inside = (size_t)(end - before);
    uint16_t *to = pair_at(s, pair);
    memset(to, 0, (size_t)before * column * sizeof *to);
    memset(to + (size_t)end * column, 0, (size_t)(width - end) * column * sizeof *to);
    const ferry_depthwise_pairing pairing = {.upper = line_at(s, line, s->left + before, inside, 0),
                                             .lower = line_at(s, line + 1, s->left + before, inside, 1),
                                             .step = s->f->expand.row ? s->f->packing.panel : s->f->x_row,
                                             .columns = inside,
                                             .channels = s->channels,
                                             .to = to + (size_t)before * column};
    s->f->row->pair(&pairing);
}

// Output lines [begin, end) of one picture, the first of which goes to y.
static void run_strip(const strip *s, const char *packed, int64_t begin, int64_t end, uint16_t *y)
{
    const ferry_filter_bf16 *f = s->f;
    const ferry_conv_shape *shape = &f->shape;
    const ferry_depthwise_pairs_packing *p = &f->packing;
    ferry_depthwise_pairs line = {.pairs = p->pairs,
                                  .taps = p->taps,
                                  .columns = s->columns,
                                  .stride = (size_t)shape->window.stride[2],
                                  .bias = (const float *)packed,
                                  .y = y,
                                  .y_step = f->y_row,
                                  .channels = s->channels,
                                  .finish = &f->finish};
    const char *w = packed + p->panel * sizeof(float);
    int64_t made = 0;
    for (int64_t i = begin; i < end; i++, line.y += (size_t)shape->out[2] * f->y_row) {
        const int64_t top = i * shape->window.stride[1], first = top / 2, next = first + (int64_t)p->pairs;
        for (made = made > first ? made : first; made < next; made++) make_pair(s, made);
        for (size_t n = 0; n < p->pairs; n++) line.x[n] = pair_at(s, first + (int64_t)n);
        line.w = (const uint16_t *)(w + (size_t)(top % 2) * p->parity_bytes);
        f->row->run(&line);
    }
}

static void run_panel(const filter_run *run, strip *s, size_t at, size_t line, size_t end)
{
    const ferry_filter_bf16 *f = run->f;
    const ferry_conv_shape *shape = &f->shape;
    const size_t panel = at / f->blocks, channels = (size_t)shape->c_in, lines = (size_t)shape->out[1];
    const size_t step = (size_t)shape->window.stride[2];
    const ferry_row_tile cut = ferry_row_tile_at((size_t)shape->out[2], f->blocks, at % f->blocks);
    s->columns = cut.rows;
    s->width = (cut.rows - 1) * step + f->packing.taps;
    s->left = (int64_t)(cut.first * step) - shape->window.pad_begin[2];
    s->channel = panel * f->packing.panel;
    s->channels = channels - s->channel < f->packing.panel ? channels - s->channel : f->packing.panel;
    while (line < end) {
        const size_t first = line % lines, n = end - line < lines - first ? end - line : lines - first;
        s->x = run->x + (int64_t)(line / lines) * f->x_batch + (f->expand.row ? 0 : s->channel);
        run_strip(s, f->packed + panel * f->packing.panel_bytes, (int64_t)first, (int64_t)(first + n),
                  run->y + (line * (size_t)shape->out[2] + cut.first) * f->y_row + s->channel);
        line += n;
    }
}

// i: an output line of all pictures; j: a panel and a block of columns.
static void run_task(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const filter_run *run = context;
    _Alignas(64) uint16_t ring[MOST_BYTES / sizeof(uint16_t)];
    strip s = {.f = run->f, .ring = ring, .wide = ring + MOST_BYTES_EXPANDED / sizeof(uint16_t)};
    for (size_t at = j; at < j + count_j; at++) run_panel(run, &s, at, i, i + count_i);
}

void ferry_filter_bf16_run(const ferry_filter_bf16 *f, ferry_thread_pool *pool, const uint16_t *x, uint16_t *y)
{
    filter_run run = {f, x, y};
    const size_t lines = (size_t)(f->shape.batch * f->shape.out[1]), panels = f->packing.panels * f->blocks;
    // Panels are shared out first: what is cut by lines costs more.
    ferry_parallel_2d(pool, run_task, &run, lines, panels,
                      panels >= 2 * ferry_thread_pool_threads(pool) ? lines : TASK_LINES, 1);
}

// Blocks of output columns; 0: not even one column's windows fit.
static size_t blocks_of(const ferry_conv_shape *s, const ferry_depthwise_pairs_packing *p, bool expands)
{
    const size_t column = p->panel * 2 * sizeof(uint16_t), step = (size_t)s->window.stride[2];
    size_t width = (expands ? MOST_BYTES_EXPANDED : MOST_BYTES) / (p->pairs * column);
    if (expands && width > WIDE_BYTES / column) width = WIDE_BYTES / column;
    if (width < p->taps || s->out[2] < 1) return 0;
    const size_t most = (width - p->taps) / step + 1;
    return ((size_t)s->out[2] + most - 1) / most;
}

bool ferry_filter_bf16_plan(ferry_filter_bf16 *f, const ferry_conv_shape *s, bool expands, size_t *packed_bytes)
{
    const ferry_window *w = &s->window;
    if (!f->row || !ferry_conv_is_depthwise(s) || w->n_spatial != 2 || w->dilation[1] != 1 || w->dilation[2] != 1 ||
        s->x_channel != 1 ||
        !ferry_depthwise_pairs_packing_of(f->row, s->c_in, w->kernel[1], w->kernel[2], &f->packing, packed_bytes))
        return false;
    f->shape = *s;
    f->x_row = (size_t)s->x_step[2];
    f->x_line = s->x_step[1];
    f->x_batch = s->x_batch;
    f->blocks = blocks_of(s, &f->packing, expands);
    return f->blocks > 0;
}
