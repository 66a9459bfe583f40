// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/depthwise_quads_walk_s8.h"

#include <string.h>

#define LINES 4           // of a quad
#define ALL_BYTES 32768   // of quads: they stay in the first-level cache, and fit a thread's stack
#define UNITS_TOGETHER 64 // channels that are laid out at a time: parts of a position have a multiple of them

static size_t parts_of(size_t n, size_t each)
{
    return (n + each - 1) / each;
}

// Positions of a line under `columns` output columns, those that a kernel makes in any case included.
static size_t positions_of(const ferry_depthwise_quads_cut *c, size_t columns)
{
    const size_t made = columns > FERRY_DEPTHWISE_QUADS_COLUMNS ? columns : FERRY_DEPTHWISE_QUADS_COLUMNS;
    return (made - 1) * c->stride[1] + (c->kernel[1] - 1) * c->dilation + 1;
}

static size_t quad_bytes_of(const ferry_depthwise_quads_walk *w, size_t columns, size_t units)
{
    return positions_of(&w->cut, columns) * units * w->row->unit * LINES + FERRY_DEPTHWISE_QUADS_SLACK;
}

bool ferry_depthwise_quads_fit(ferry_depthwise_quads_walk *w, size_t width)
{
    const size_t least = width < FERRY_DEPTHWISE_QUADS_LEAST ? width : FERRY_DEPTHWISE_QUADS_LEAST;
    const size_t together = UNITS_TOGETHER / w->row->unit;
    size_t columns = width, units = w->cut.units;
    while (w->cut.quads * quad_bytes_of(w, columns, units) > ALL_BYTES) {
        if (units > together)
            units = parts_of(parts_of(units, 2), together) * together;
        else if (columns > least)
            columns = (columns + 1) / 2 > least ? (columns + 1) / 2 : least;
        else
            return false;
    }
    w->columns = columns;
    w->units = units;
    w->quad_bytes = quad_bytes_of(w, columns, units);
    return true;
}

typedef struct job {
    const ferry_depthwise_quads_walk *w;
    const int8_t *x;
    const char *packed;
    int8_t *y;
    size_t rows, row_parts, column_parts, unit_parts; // rows of a part; parts of a picture
} job;

// A part of a picture: output rows [row, row_end), columns, channels.
typedef struct part {
    size_t picture, row, row_end, column, columns, channel, channels;
} part;

static part part_at(const job *j, size_t item)
{
    const ferry_depthwise_quads_walk *w = j->w;
    const size_t height = (size_t)w->shape.out[1], width = (size_t)w->shape.out[2], each = w->units * w->row->unit;
    const size_t column = item / j->unit_parts % j->column_parts, rest = item / j->unit_parts / j->column_parts;
    part p = {.picture = rest / j->row_parts,
              .row = rest % j->row_parts * j->rows,
              .column = column * w->columns,
              .channel = item % j->unit_parts * each};
    p.row_end = height - p.row < j->rows ? height : p.row + j->rows;
    p.columns = width - p.column < w->columns ? width - p.column : w->columns;
    p.channels = w->cut.channels - p.channel < each ? w->cut.channels - p.channel : each;
    return p;
}

// Bytes of a position's laid out channels.
static size_t position_bytes(const job *j, const part *p)
{
    return parts_of(p->channels, j->w->row->unit) * j->w->row->unit * LINES;
}

static void lay_padding(const job *j, const part *p, size_t positions, char *to)
{
    const int8_t *const lines[LINES] = {j->w->padding, j->w->padding, j->w->padding, j->w->padding};
    static const size_t moves[LINES] = {0, 0, 0, 0};
    j->w->row->lay(lines, moves, positions * position_bytes(j, p) / LINES, to);
}

// The four lines of the input from `y` on.
static void lay_quad(const job *j, const part *p, int64_t y, char *to)
{
    const ferry_depthwise_quads_walk *w = j->w;
    const ferry_conv_shape *s = &w->shape;
    const int64_t first = (int64_t)(p->column * w->cut.stride[1]) - s->window.pad_begin[2];
    const int64_t n = (int64_t)positions_of(&w->cut, p->columns), step = s->x_step[2];
    int64_t begin = first < 0 ? -first : 0, end = s->in[2] - first;
    begin = begin > n ? n : begin;
    end = end > n ? n : end < begin ? begin : end;
    const int8_t *x = j->x + (int64_t)p->picture * s->x_batch + (first + begin) * step + (int64_t)p->channel;
    const int8_t *lines[LINES];
    size_t moves[LINES];
    for (int64_t k = 0; k < LINES; k++) {
        const bool inside = y + k >= 0 && y + k < s->in[1];
        lines[k] = inside ? x + (y + k) * s->x_step[1] : w->padding;
        moves[k] = inside ? SIZE_MAX : 0;
    }
    const size_t each = position_bytes(j, p);
    char *at = to + (size_t)begin * each;
    lay_padding(j, p, (size_t)begin, to);
    if ((size_t)step == p->channels && each == p->channels * LINES) {
        w->row->lay(lines, moves, (size_t)(end - begin) * p->channels, at);
    } else {
        for (int64_t i = begin; i < end; i++, at += each) {
            w->row->lay(lines, moves, p->channels, at);
            for (size_t k = 0; k < LINES; k++) lines[k] += (size_t)step & moves[k];
        }
    }
    // After the elements, which are laid out somewhat beyond their end.
    lay_padding(j, p, (size_t)(n - end), to + (size_t)end * each);
}

// Looks up what the tile has made, while it is near.
static void look_up_tile(const job *j, const part *p, const ferry_depthwise_quads_tile *tile)
{
    const ferry_depthwise_quads_walk *w = j->w;
    for (size_t r = 0; r < tile->rows; r++) {
        int8_t *y = tile->y[r];
        if (p->channels == tile->y_step)
            w->look_up(y, w->finish.table, y, p->columns * p->channels);
        else
            for (size_t i = 0; i < p->columns; i++, y += tile->y_step) w->look_up(y, w->finish.table, y, p->channels);
    }
}

static void run_tile(const job *j, const part *p, size_t row, ferry_depthwise_quads_tile *tile)
{
    const ferry_depthwise_quads_walk *w = j->w;
    const size_t height = (size_t)w->shape.out[1], width = (size_t)w->shape.out[2], channels = w->cut.channels;
    int8_t *y = j->y + ((p->picture * height + row) * width + p->column) * channels + p->channel;
    tile->rows = p->row_end - row < w->cut.rows ? p->row_end - row : w->cut.rows;
    for (size_t r = 0; r < tile->rows; r++) tile->y[r] = y + r * width * channels;
    w->row->run[w->cut.rows](tile);
    if (w->finish.table) look_up_tile(j, p, tile);
}

static void run_part(const job *j, const part *p)
{
    const ferry_depthwise_quads_walk *w = j->w;
    const ferry_depthwise_quads_cut *c = &w->cut;
    const size_t each = position_bytes(j, p), step = c->rows * c->stride[0];
    _Alignas(64) char all[ALL_BYTES];
    ferry_depthwise_quads_tile tile = {.x = all,
                                       .quads = c->quads,
                                       .taps = c->kernel[1],
                                       .quad_bytes = w->quad_bytes,
                                       .tap_bytes = c->dilation * each,
                                       .step_bytes = c->stride[1] * each,
                                       .w = j->packed + p->channel / w->row->unit * c->unit_bytes,
                                       .columns = p->columns,
                                       .channels = p->channels,
                                       .y_step = c->channels,
                                       .finish = &w->finish};
    for (size_t row = p->row; row < p->row_end; row += c->rows) {
        const int64_t y = (int64_t)(row * c->stride[0]) - w->shape.window.pad_begin[1];
        // The next rows' first quad may be the last one of these.
        const bool again = row > p->row && c->quads == 2 && step == LINES;
        if (again) memcpy(all, all + w->quad_bytes, w->quad_bytes);
        for (size_t q = again ? 1 : 0; q < c->quads; q++)
            lay_quad(j, p, y + (int64_t)(q * LINES), all + q * w->quad_bytes);
        run_tile(j, p, row, &tile);
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

void ferry_depthwise_quads_run(const ferry_depthwise_quads_walk *w, ferry_thread_pool *pool, const int8_t *x,
                               const char *packed, int8_t *y)
{
    const size_t batch = (size_t)w->shape.batch, height = (size_t)w->shape.out[1], width = (size_t)w->shape.out[2];
    const size_t threads = ferry_thread_pool_threads(pool);
    if (batch == 0 || height == 0 || width == 0) return;
    job j = {.w = w, .x = x, .packed = packed, .y = y, .rows = height, .row_parts = 1};
    j.column_parts = parts_of(width, w->columns);
    j.unit_parts = parts_of(w->cut.units, w->units);
    const size_t parts = batch * j.column_parts * j.unit_parts;
    if (threads > 1 && parts < 4 * threads) {
        const size_t wanted = parts_of(height, parts_of(4 * threads, parts));
        j.rows = parts_of(wanted, w->cut.rows) * w->cut.rows;
        j.row_parts = parts_of(height, j.rows);
    }
    ferry_parallel_1d(pool, run_parts, &j, parts * j.row_parts, 1);
}
