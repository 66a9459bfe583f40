// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/depthwise_window_s8.h"

#include <string.h>

#define WINDOW_BYTES 40960 // of copied lines: they stay in the first-level cache, and fit a thread's stack

static size_t line_bytes(const ferry_depthwise_window *w, size_t columns)
{
    const size_t phase = (columns + w->cut.reach) * w->column_bytes + FERRY_DEPTHWISE_LINES_SLACK;
    return phase * w->cut.stride[1];
}

static void set_blocks(ferry_depthwise_window *w, size_t blocks)
{
    w->blocks = blocks;
    w->column_bytes = (w->cut.flat ? w->cut.channels : blocks * w->row->block) * w->row->elem_bytes;
}

static void set_taps(ferry_depthwise_window *w)
{
    const ferry_depthwise_lines_cut *c = &w->cut;
    const size_t tq = w->row->tq;
    for (size_t t = 0; t < c->packs * tq; t++) {
        size_t line = 0, column = 0;
        ferry_depthwise_lines_tap(w->row, c, t / tq, t % tq, &line, &column);
        const size_t at = column * c->dilation[1];
        w->tap_lines[t] = (uint32_t)line;
        w->tap_offsets[t] = (uint32_t)(at % c->stride[1] * w->phase_bytes + at / c->stride[1] * w->column_bytes);
    }
}

bool ferry_depthwise_window_fit(ferry_depthwise_window *w, size_t width)
{
    set_blocks(w, w->cut.blocks);
    const size_t least = width < FERRY_DEPTHWISE_WINDOW_LEAST ? width : FERRY_DEPTHWISE_WINDOW_LEAST;
    size_t columns = width;
    while (w->cut.lines * line_bytes(w, columns) > WINDOW_BYTES) {
        if (!w->cut.flat && w->blocks > 1)
            set_blocks(w, (w->blocks + 1) / 2);
        else if (columns > least)
            columns = (columns + 1) / 2 > least ? (columns + 1) / 2 : least;
        else
            return false;
    }
    w->columns = columns;
    w->line_bytes = line_bytes(w, columns);
    w->phase_bytes = w->line_bytes / w->cut.stride[1];
    set_taps(w);
    return true;
}

typedef struct job {
    const ferry_depthwise_window *w;
    const int8_t *x;
    const char *packed;
    int8_t *y;
    size_t rows, row_parts, column_parts, block_parts; // rows of a part; parts of a picture
} job;

// A part of a picture: output rows [row, row_end), columns, blocks of channels.
typedef struct part {
    size_t picture, row, row_end, column, columns, block, blocks;
} part;

static size_t parts_of(size_t n, size_t each)
{
    return (n + each - 1) / each;
}

static part part_at(const job *j, size_t item)
{
    const ferry_depthwise_window *w = j->w;
    const size_t height = (size_t)w->shape.out[1], width = (size_t)w->shape.out[2];
    const size_t block = item % j->block_parts, column = item / j->block_parts % j->column_parts;
    const size_t rest = item / j->block_parts / j->column_parts, row = rest % j->row_parts;
    part p = {.picture = rest / j->row_parts,
              .row = row * j->rows,
              .column = column * w->columns,
              .block = block * w->blocks};
    p.row_end = height - p.row < j->rows ? height : p.row + j->rows;
    p.columns = width - p.column < w->columns ? width - p.column : w->columns;
    p.blocks = w->cut.blocks - p.block < w->blocks ? w->cut.blocks - p.block : w->blocks;
    return p;
}

static void fill_padding(const ferry_depthwise_window *w, char *to, size_t columns)
{
    const int32_t zero = w->row->biased ? w->x_zero ^ 0x80 : w->x_zero;
    if (w->row->elem_bytes == 1) {
        memset(to, zero, columns * w->column_bytes);
        return;
    }
    int16_t *wide = (int16_t *)(void *)to;
    for (size_t i = 0; i < columns * w->column_bytes / sizeof *wide; i++) wide[i] = (int16_t)zero;
}

// One phase of an input line: columns first, first + stride, ...
static void copy_phase(const ferry_depthwise_window *w, const part *p, const int8_t *line, int64_t first, char *to)
{
    const int64_t stride = w->shape.window.stride[2], step = w->shape.x_step[2];
    const int64_t n = (int64_t)(p->columns + w->cut.reach), width = w->shape.in[2];
    int64_t begin = first < 0 ? (stride - 1 - first) / stride : 0;
    int64_t end = first < width ? (width - first + stride - 1) / stride : 0;
    if (begin > n) begin = n;
    if (end > n) end = n;
    if (end < begin) end = begin;
    const size_t channel = w->cut.flat ? 0 : p->block * w->row->block, left = w->cut.channels - channel;
    const size_t channels = w->cut.flat || left < p->blocks * w->row->block ? left : p->blocks * w->row->block;
    const int8_t *from = line + (first + begin * stride) * step + (int64_t)channel;
    char *to_first = to + (size_t)begin * w->column_bytes;
    fill_padding(w, to, (size_t)begin);
    if (stride * step == (int64_t)channels && w->column_bytes == channels * w->row->elem_bytes)
        w->row->copy(from, 0, to_first, 0, (size_t)(end - begin) * channels, 1);
    else
        w->row->copy(from, (size_t)(stride * step), to_first, w->column_bytes, channels, (size_t)(end - begin));
    // After the copies, which write somewhat beyond their ends.
    fill_padding(w, to + (size_t)end * w->column_bytes, (size_t)(n - end));
}

static void copy_line(const job *j, const part *p, int64_t y, char *to)
{
    const ferry_depthwise_window *w = j->w;
    const ferry_conv_shape *s = &w->shape;
    const int64_t first = (int64_t)p->column * s->window.stride[2] - s->window.pad_begin[2];
    for (int64_t phase = 0; phase < s->window.stride[2]; phase++, to += w->phase_bytes) {
        if (y < 0 || y >= s->in[1])
            fill_padding(w, to, p->columns + w->cut.reach);
        else
            copy_phase(w, p, j->x + (int64_t)p->picture * s->x_batch + y * s->x_step[1], first + phase, to);
    }
}

// Looks up what the tile has made, while it is near.
static void look_up_tile(const job *j, const part *p, const ferry_depthwise_lines_tile *tile)
{
    const ferry_depthwise_window *w = j->w;
    const size_t channels = w->cut.channels, block = w->row->block, first = p->block * block;
    const size_t here = channels - first < p->blocks * block ? channels - first : p->blocks * block;
    const bool whole = w->cut.flat || here == channels;
    for (size_t r = 0; r < tile->rows; r++) {
        int8_t *y = tile->y[r];
        if (whole)
            w->look_up(y, w->finish.table, y, p->columns * channels);
        else
            for (size_t i = 0; i < p->columns; i++, y += channels) w->look_up(y, w->finish.table, y, here);
    }
}

// A tile whose window's top line is number `top` of those copied so far.
static void run_tile(const job *j, const part *p, size_t row, size_t top, const char *window)
{
    const ferry_depthwise_window *w = j->w;
    const ferry_depthwise_lines_cut *c = &w->cut;
    const size_t block = w->row->block, channels = c->channels, width = (size_t)w->shape.out[2];
    const void *x[FERRY_DEPTHWISE_LINES_TAPS];
    for (size_t t = 0; t < c->packs * w->row->tq; t++)
        x[t] = window + (top + w->tap_lines[t]) % c->lines * w->line_bytes + w->tap_offsets[t];
    ferry_depthwise_lines_tile tile = {
        .x = x,
        .w = j->packed + p->block * c->block_bytes,
        .packs = c->packs,
        .blocks = p->blocks,
        .groups = p->columns,
        .x_step = w->column_bytes,
        .y_step = channels,
        .limit = channels - p->block * block,
        .rows = p->row_end - row < c->rows ? p->row_end - row : c->rows,
        .finish = &w->finish,
    };
    if (c->flat) {
        const size_t repeat = c->blocks * block; // elements after which weights repeat
        tile.limit = p->columns * channels;
        tile.limit_step = tile.y_step = repeat;
        tile.x_step = repeat * w->row->elem_bytes;
        tile.groups = parts_of(tile.limit, repeat);
    }
    for (size_t r = 0; r < tile.rows; r++)
        tile.y[r] =
            j->y + ((p->picture * (size_t)w->shape.out[1] + row + r) * width + p->column) * channels + p->block * block;
    w->row->run[c->rows](&tile);
    if (w->finish.table) look_up_tile(j, p, &tile);
}

static void run_part(const job *j, const part *p)
{
    const ferry_depthwise_window *w = j->w;
    const size_t lines = w->cut.lines, step = w->cut.rows * w->cut.stride[0];
    const int64_t first = (int64_t)(p->row * w->cut.stride[0]) - w->shape.window.pad_begin[1];
    _Alignas(64) char window[WINDOW_BYTES];
    size_t top = 0, copied = 0; // lines from `first` on
    for (size_t row = p->row; row < p->row_end; row += w->cut.rows, top += step) {
        if (copied < top) copied = top;
        for (; copied < top + lines; copied++)
            copy_line(j, p, first + (int64_t)copied, window + copied % lines * w->line_bytes);
        run_tile(j, p, row, top, window);
    }
}

static void run_parts(void *context, size_t begin, size_t count)
{
    const job *j = context;
    for (size_t item = begin; item < begin + count; item++) {
        const part p = part_at(j, item);
        run_part(j, &p);
    }
}

void ferry_depthwise_window_run(const ferry_depthwise_window *w, ferry_thread_pool *pool, const int8_t *x,
                                const char *packed, int8_t *y)
{
    const size_t batch = (size_t)w->shape.batch, height = (size_t)w->shape.out[1], width = (size_t)w->shape.out[2];
    const size_t threads = ferry_thread_pool_threads(pool);
    if (batch == 0 || height == 0 || width == 0) return;
    job j = {.w = w, .x = x, .packed = packed, .y = y, .rows = height, .row_parts = 1};
    j.column_parts = parts_of(width, w->columns);
    j.block_parts = parts_of(w->cut.blocks, w->blocks);
    const size_t parts = batch * j.column_parts * j.block_parts;
    if (threads > 1 && parts < 4 * threads) {
        // Each part copies the lines above its own once more.
        const size_t least = 4 * w->cut.rows, wanted = parts_of(height, parts_of(4 * threads, parts));
        j.rows = parts_of(wanted > least ? wanted : least, w->cut.rows) * w->cut.rows;
        j.row_parts = parts_of(height, j.rows);
    }
    ferry_parallel_1d(pool, run_parts, &j, parts * j.row_parts, 1);
}
