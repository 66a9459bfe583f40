// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/block_f32.h"

#include "backend/cpu/row_source.h"

// A panel's wide lines should stay in the first-level cache, what the filters give in the second.
#define RING_BYTES (36 * 1024)
#define LINES_BYTES (384 * 1024)
// Threads beyond this many share the work of so many: each part has scratch memory of its own.
#define MOST_PARTS 16
#define ALIGN_FLOATS 16

typedef struct block_run {
    const ferry_block_f32 *b;
    const float *x, *r;
    float *y, *workspace;
    size_t parts;
} block_run;

static int64_t window_lines(const ferry_conv_shape *s)
{
    return (s->window.kernel[1] - 1) * s->window.dilation[1] + 1;
}

// Input lines that output lines [line, line + n) look at.
static void lines_seen(const ferry_conv_shape *s, int64_t line, int64_t n, int64_t *from, int64_t *to)
{
    const int64_t first = line * s->window.stride[1] - s->window.pad_begin[1];
    *from = first < 0 ? 0 : first;
    *to = first + (n - 1) * s->window.stride[1] + window_lines(s);
    if (*to > s->in[1]) *to = s->in[1];
}

bool ferry_block_f32_plan(ferry_block_f32 *b, size_t *workspace_bytes)
{
    const ferry_conv_shape *s = &b->shape;
    const int64_t stride = s->window.stride[1], window = window_lines(s), nr = (int64_t)b->row->nr;
    const int64_t wide = s->in[2] * nr, narrow = s->out[2] * s->c_in;
    // Rows of one product over a strip must fit the buffer of their pointers.
    const int64_t most_rows = FERRY_ROWS_POINTERS - (int64_t)b->row->mr,
                  line = s->in[2] > s->out[2] ? s->in[2] : s->out[2];
    int64_t n = 1, ring = window;
    if (!ferry_depthwise_line_takes(s) || line < 1 || line > most_rows / (window > stride ? window : stride))
        return false;
    for (; n < s->out[1]; n++) {
        const int64_t lines = n * stride + window;
        if ((b->expands && lines * wide * 4 > RING_BYTES) || (b->projects && (n + 1) * narrow * 4 > LINES_BYTES) ||
            lines * line > most_rows)
            break;
        ring = lines;
    }
    if (ring > s->in[1]) ring = s->in[1];
    b->strip = (size_t)n;
    b->ring = (size_t)ring;
    b->rings = n >= s->out[1] ? 1 : ((size_t)s->c_in + b->row->nr - 1) / b->row->nr;
    b->ring_floats = b->expands ? ferry_align_size(b->ring * (size_t)wide, ALIGN_FLOATS) : 0;
    size_t rings = 0, lines = 0;
    if (!ferry_mul_size(b->ring_floats, b->expands ? b->rings : 0, &rings) ||
        !ferry_mul_size(b->projects ? (size_t)narrow : 0, b->strip, &lines) ||
        !ferry_add_size(rings, ferry_align_size(lines, ALIGN_FLOATS), &b->part_floats))
        return false;
    b->parts = ferry_processor_count();
    if (b->parts > MOST_PARTS) b->parts = MOST_PARTS;
    return ferry_mul_size(b->part_floats, b->parts * sizeof(float), workspace_bytes);
}

// One panel of columns of a product, for rows whose pointers are in `buffer`.
static void run_panel(const ferry_block_f32 *b, const ferry_block_product *p, const ferry_row_buffer *buffer,
                      size_t rows, size_t column, const float *r, float *y, size_t y_stride)
{
    const size_t mr = b->row->mr, nr = b->row->nr, tiles = ferry_row_tiles(rows, mr);
    const bool last = column + nr >= p->columns;
    ferry_gemm_f32_tile tile = {.taps = 1,
                                .kc = p->k,
                                .w = p->packed + ferry_gemm_f32_panel(p->k, column),
                                .cols = last ? p->columns - column : nr,
                                .y_stride = y_stride,
                                .r_stride = y_stride,
                                .finish = &p->finish};
    for (size_t i = 0; i < tiles; i++) {
        const ferry_row_tile cut = ferry_row_tile_at(rows, tiles, i);
        tile.x = buffer->pointers + i * mr;
        tile.rows = cut.rows;
        tile.y = y + cut.first * y_stride;
        tile.r = r ? r + cut.first * y_stride : NULL;
        // The next panel comes near while this one is used: a line a step of k, two tiles for a panel of two vectors.
        tile.ahead =
            last || i > 1 ? NULL : (const char *)(p->packed + ferry_gemm_f32_panel(p->k, column + nr) + i * p->k * 16);
        b->row->run(&tile);
    }
}

static void point_at_rows(const ferry_block_f32 *b, const float *x, size_t row_floats, size_t rows,
                          ferry_row_buffer *buffer)
{
    const size_t mr = b->row->mr, tiles = ferry_row_tiles(rows, mr);
    for (size_t i = 0; i < tiles; i++) {
        const ferry_row_tile cut = ferry_row_tile_at(rows, tiles, i);
        for (size_t k = 0; k < cut.rows; k++) buffer->pointers[i * mr + k] = x + (cut.first + k) * row_floats;
    }
}

/// What one strip works on.
typedef struct strip {
    int64_t line, n;          // output lines
    int64_t fresh, fresh_end; // input lines to be widened
    ferry_row_buffer rows;    // of their positions
    const float *x;           // the picture
    float *ring, *to;         // `to`: [n][out width][channels]
} strip;

// Widens the fresh lines into the panel's ring, in pieces that do not wrap around.
static void expand_panel(const ferry_block_f32 *b, strip *s, size_t column, float *ring)
{
    const size_t width = (size_t)b->shape.in[2], nr = b->row->nr;
    for (int64_t line = s->fresh; line < s->fresh_end;) {
        const int64_t at = line % (int64_t)b->ring, room = (int64_t)b->ring - at;
        const int64_t n = s->fresh_end - line < room ? s->fresh_end - line : room;
        if (n != s->fresh_end - s->fresh)
            point_at_rows(b, s->x + (size_t)line * width * b->expand.k, b->expand.k, (size_t)n * width, &s->rows);
        run_panel(b, &b->expand, &s->rows, (size_t)n * width, column, NULL, ring + (size_t)at * width * nr, nr);
        line += n;
    }
}

// Filters the panel of channels that the ring holds; without one all channels of the picture.
static void filter_panel(const ferry_block_f32 *b, const strip *s, size_t column, const float *ring)
{
    const ferry_conv_shape *shape = &b->shape;
    const size_t nr = b->row->nr, channels = (size_t)shape->c_in, left = channels - column;
    ferry_conv_shape seen = *shape; // as the panel lies
    ferry_depthwise_line line = {.w = b->depthwise_packed + b->padded + column,
                                 .bias = b->depthwise_packed + column,
                                 .w_step = b->padded,
                                 .y_step = channels,
                                 .channels = ring && left > nr ? nr : left,
                                 .x_padded = ring,
                                 .finish = &b->finish};
    seen.x_step[2] = (int64_t)(ring ? nr : channels);
    seen.x_step[1] = shape->in[2] * seen.x_step[2];
    for (int64_t i = 0; i < s->n; i++) {
        ferry_depthwise_line_window(&line, &seen, s->line + i, ring ? ring : s->x + column,
                                    ring ? (int64_t)b->ring : 0);
        line.y = s->to + (size_t)(i * shape->out[2]) * channels + column;
        b->line(&line);
    }
}

static void run_strip(const ferry_block_f32 *b, strip *s)
{
    const size_t nr = b->row->nr, channels = (size_t)b->shape.c_in, width = (size_t)b->shape.in[2];
    if (b->expands)
        point_at_rows(b, s->x + (size_t)s->fresh * width * b->expand.k, b->expand.k,
                      (size_t)(s->fresh_end - s->fresh) * width, &s->rows);
    if (!b->expands) filter_panel(b, s, 0, NULL);
    for (size_t column = 0; b->expands && column < channels; column += nr) {
        float *ring = s->ring + (b->rings > 1 ? column / nr * b->ring_floats : 0);
        expand_panel(b, s, column, ring);
        filter_panel(b, s, column, ring);
    }
}

static void run_lines(const block_run *run, size_t part, size_t picture, int64_t begin, int64_t end)
{
    const ferry_block_f32 *b = run->b;
    const ferry_conv_shape *shape = &b->shape;
    const size_t out_width = (size_t)shape->out[2], channels = (size_t)shape->c_in, columns = b->project.columns;
    float *ring = run->workspace + part * b->part_floats;
    float *lines = ring + (b->expands ? b->ring_floats * b->rings : 0);
    strip s = {.ring = ring};
    s.x = run->x + picture * (size_t)(shape->in[1] * shape->in[2]) * (b->expands ? b->expand.k : channels);
    for (s.line = begin; s.line < end; s.line += s.n) {
        s.n = end - s.line < (int64_t)b->strip ? end - s.line : (int64_t)b->strip;
        const size_t at = (picture * (size_t)shape->out[1] + (size_t)s.line) * out_width;
        int64_t from = 0;
        const int64_t done = s.line > begin ? s.fresh_end : 0;
        lines_seen(shape, s.line, s.n, &from, &s.fresh_end);
        s.fresh = from > done ? from : done;
        if (s.fresh_end < s.fresh) s.fresh_end = s.fresh;
        s.to = b->projects ? lines : run->y + at * channels;
        run_strip(b, &s);
        if (!b->projects) continue;
        point_at_rows(b, lines, channels, (size_t)s.n * out_width, &s.rows);
        for (size_t column = 0; column < columns; column += b->row->nr)
            run_panel(b, &b->project, &s.rows, (size_t)s.n * out_width, column,
                      run->r ? run->r + at * columns + column : NULL, run->y + at * columns + column, columns);
    }
}

// Part `begin` of run->parts of all output lines.
static void run_part(void *context, size_t begin, size_t count)
{
    const block_run *run = context;
    const size_t each = (size_t)run->b->shape.out[1], lines = (size_t)run->b->shape.batch * each;
    for (size_t part = begin; part < begin + count; part++) {
        size_t line = lines * part / run->parts;
        const size_t end = lines * (part + 1) / run->parts;
        while (line < end) {
            const size_t picture = line / each, left = (picture + 1) * each - line;
            const size_t n = end - line < left ? end - line : left;
            run_lines(run, part, picture, (int64_t)(line % each), (int64_t)(line % each + n));
            line += n;
        }
    }
}

void ferry_block_f32_run(const ferry_block_f32 *b, ferry_thread_pool *pool, const float *x, const float *r, float *y,
                         float *workspace)
{
    const size_t threads = ferry_thread_pool_threads(pool);
    block_run run = {.b = b, .x = x, .r = r, .y = y, .workspace = workspace};
    run.parts = threads < b->parts ? threads : b->parts;
    ferry_parallel_1d(pool, run_part, &run, run.parts, 1);
}
