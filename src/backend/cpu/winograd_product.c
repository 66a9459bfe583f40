// SPDX-License-Identifier: Apache-2.0
// Running a Winograd convolution. Each tile goes its way alone and every product sums over the channels in order, so
// results depend neither on how tiles are cut into blocks nor on threads.
#include "backend/cpu/winograd_product.h"

#include "backend/cpu/row_source.h"
#include "base/size.h"

#define MOST_MR 32
#define LINE_FLOATS 16 // of a cache line

typedef struct winograd_run {
    const ferry_winograd_product *product;
    ferry_thread_pool *pool; // for the stages of one block; NULL where blocks run side by side
    const char *x, *r;
    char *y;
    const float *bias, *panels, *panels_end;
    float *workspace;
    size_t group_floats; // of workspace
    size_t groups;
} winograd_run;

// The block at work.
typedef struct winograd_block {
    const winograd_run *run;
    size_t first, tiles;
    float *v, *p;
} winograd_block;

typedef struct tile_place {
    int64_t picture, row, column; // of its first output
} tile_place;

static tile_place place_of(const ferry_winograd_product *w, size_t tile)
{
    const size_t per_picture = w->tiles_y * w->tiles_x, in_picture = tile % per_picture;
    return (tile_place){.picture = (int64_t)(tile / per_picture),
                        .row = (int64_t)(in_picture / w->tiles_x * w->m),
                        .column = (int64_t)(in_picture % w->tiles_x * w->m)};
}

// Where the elements of a tile's window are.
typedef struct tile_window {
    const void *at[FERRY_WINOGRAD_POINTS];
    bool inside; // no element lies in the padding
} tile_window;

// What lies in the padding or beyond is a line of zeros.
static void window_of(const ferry_winograd_product *w, const char *x, const tile_place *place, tile_window *out)
{
    const ferry_conv_shape *s = &w->shape;
    const int64_t n = (int64_t)w->m + 2, top = place->row - s->window.pad_begin[1];
    const int64_t left = place->column - s->window.pad_begin[2];
    const int64_t bytes = (int64_t)w->elem_bytes;
    const void **at = out->at;
    for (int64_t i = top; i < top + n; i++) {
        const bool inside = i >= 0 && i < s->in[1];
        const char *line = x + (inside ? place->picture * s->x_batch + i * s->x_step[1] : 0) * bytes;
        for (int64_t j = left; j < left + n; j++)
            *at++ = inside && j >= 0 && j < s->in[2] ? line + j * s->x_step[2] * bytes : w->zeros;
    }
    out->inside = top >= 0 && left >= 0 && top + n <= s->in[1] && left + n <= s->in[2];
}

// From a tile to its right neighbour; most windows only move on.
static void next_window(const ferry_winograd_product *w, const char *x, const tile_place *place, tile_window *window)
{
    const ferry_conv_shape *s = &w->shape;
    const int64_t right = place->column - s->window.pad_begin[2] + (int64_t)w->m + 2;
    if (!window->inside || place->column == 0 || right > s->in[2]) {
        window_of(w, x, place, window);
        return;
    }
    const size_t step = w->m * (size_t)s->x_step[2] * w->elem_bytes;
    for (size_t i = 0; i < FERRY_WINOGRAD_POINTS; i++) window->at[i] = (const char *)window->at[i] + step;
}

static void evaluate_tiles(void *context, size_t begin, size_t count)
{
    const winograd_block *b = context;
    const ferry_winograd_product *w = b->run->product;
    const ferry_winograd_size *size = w->m == 2 ? &w->row->f2 : &w->row->f4;
    tile_window window = {.inside = false};
    ferry_winograd_input tile = {.x = window.at, .channels = (size_t)w->shape.c_in, .v_step = w->v_step};
    for (size_t i = begin; i < begin + count; i++) {
        const tile_place place = place_of(w, b->first + i);
        next_window(w, b->run->x, &place, &window);
        tile.v = b->v + i * w->v_row;
        size->input(&tile);
    }
}

// The products of `count` tiles from `begin` on with one panel, at every point.
static void multiply_panel(const winograd_block *b, size_t begin, size_t count, size_t panel, float *p)
{
    static const ferry_finish as_it_is = {.low = -INFINITY, .high = INFINITY};
    const ferry_winograd_product *w = b->run->product;
    const size_t nr = w->gemm->nr, points = (w->m + 2) * (w->m + 2), tiles = ferry_row_tiles(count, w->gemm->mr);
    const size_t channels = (size_t)w->shape.c_in, left = (size_t)w->shape.c_out - panel * nr;
    // Whole vectors: the packed weights and the products have room for them.
    const size_t columns = left < nr ? ferry_align_size(left, w->gemm->vec) : nr;
    const size_t point_floats = ferry_gemm_f32_panel(channels, columns);
    const float *weights = b->run->panels + points * ferry_gemm_f32_panel(channels, panel * nr);
    const void *rows[MOST_MR];
    ferry_gemm_f32_tile tile = {
        .x = rows, .taps = 1, .kc = channels, .cols = columns, .y_stride = w->p_row, .finish = &as_it_is};
    for (size_t point = 0; point < points; point++, weights += point_floats) {
        const float *next = weights + point_floats; // of the next point, or of the next panel's first
        tile.w = weights;
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(count, tiles, i);
            const size_t first = begin + cut.first;
            tile.rows = cut.rows;
            for (size_t row = 0; row < cut.rows; row++) rows[row] = b->v + point * w->v_step + (first + row) * w->v_row;
            tile.y = p + point * w->p_step + first * w->p_row;
            tile.ahead = next < b->run->panels_end && next < weights + 2 * point_floats ? (const char *)next : NULL;
            next += channels * LINE_FLOATS;
            w->gemm->run(&tile);
        }
    }
}

static void interpolate_panel(const winograd_block *b, size_t begin, size_t count, size_t panel, const float *p)
{
    const ferry_winograd_product *w = b->run->product;
    const ferry_conv_shape *s = &w->shape;
    const size_t nr = w->gemm->nr, c_out = (size_t)s->c_out, first = panel * nr;
    const ferry_winograd_size *size = w->m == 2 ? &w->row->f2 : &w->row->f4;
    ferry_winograd_output tile = {.p_step = w->p_step,
                                  .channels = c_out - first < nr ? c_out - first : nr,
                                  .bias = b->run->bias + first,
                                  .y_row = (size_t)s->out[2] * w->y_row,
                                  .y_column = w->y_row,
                                  .r_row = (size_t)s->out[2] * w->r_row,
                                  .r_column = w->r_row,
                                  .finish = &w->finish};
    for (size_t i = begin; i < begin + count; i++) {
        const tile_place place = place_of(w, b->first + i);
        const int64_t below = s->out[1] - place.row, right = s->out[2] - place.column;
        const size_t at = (size_t)((place.picture * s->out[1] + place.row) * s->out[2] + place.column);
        tile.rows = below < (int64_t)w->m ? (size_t)below : w->m;
        tile.columns = right < (int64_t)w->m ? (size_t)right : w->m;
        tile.p = p + i * w->p_row;
        tile.y = b->run->y + (at * w->y_row + first) * w->elem_bytes;
        tile.r = b->run->r ? b->run->r + (at * w->r_row + first) * w->elem_bytes : NULL;
        size->output(&tile);
    }
}

// Products go to the place of the task's first panel: with one task for all panels it stays the same, and in cache.
static void multiply_tiles(void *context, size_t begin, size_t panel, size_t count, size_t panels)
{
    const winograd_block *b = context;
    const ferry_winograd_product *w = b->run->product;
    float *p = b->p + panel * ((w->m + 2) * (w->m + 2) * w->p_step);
    for (size_t i = panel; i < panel + panels; i++) {
        multiply_panel(b, begin, count, i, p);
        interpolate_panel(b, begin, count, i, p);
    }
}

static void run_block(const winograd_run *run, size_t block, size_t group)
{
    const ferry_winograd_product *w = run->product;
    const size_t points = (w->m + 2) * (w->m + 2), threads = ferry_thread_pool_threads(run->pool);
    winograd_block b = {.run = run, .first = block * w->block, .v = run->workspace + group * run->group_floats};
    b.tiles = w->tiles - b.first < w->block ? w->tiles - b.first : w->block;
    b.p = b.v + points * w->v_step;
    ferry_parallel_1d(run->pool, evaluate_tiles, &b, b.tiles, threads > 1 ? 1 : b.tiles);
    size_t tiles = b.tiles, panels = w->panels;
    if (threads > 1) {
        panels = (w->panels + threads - 1) / threads;
        if (w->panels < threads)
            tiles = w->gemm->mr;
        else if (w->panels % threads)
            tiles = ferry_align_size((b.tiles + threads - 1) / threads, w->gemm->mr);
    }
    ferry_parallel_2d(run->pool, multiply_tiles, &b, b.tiles, w->panels, tiles, panels);
}

static void run_group(void *context, size_t begin, size_t count)
{
    const winograd_run *run = context;
    const ferry_winograd_product *w = run->product;
    for (size_t group = begin; group < begin + count; group++)
        for (size_t block = group * w->blocks / run->groups; block < (group + 1) * w->blocks / run->groups; block++)
            run_block(run, block, group);
}

void ferry_winograd_product_run(const ferry_winograd_product *w, ferry_thread_pool *pool, const void *x,
                                const float *packed, const void *r, void *y, void *workspace)
{
    const size_t points = (w->m + 2) * (w->m + 2), threads = ferry_thread_pool_threads(pool);
    const size_t panels_floats =
        points * ferry_gemm_f32_panel((size_t)w->shape.c_in, ferry_align_size((size_t)w->shape.c_out, w->gemm->vec));
    winograd_run run = {.product = w,
                        .x = x,
                        .bias = packed,
                        .panels = packed + ferry_align_size((size_t)w->shape.c_out, w->gemm->vec),
                        .r = r,
                        .y = y,
                        .workspace = workspace,
                        .group_floats = points * (w->v_step + w->p_step),
                        .groups = 1};
    run.panels_end = run.panels + panels_floats;
    // Side by side where every thread gets blocks of its own, else together on one after the other.
    if (threads <= w->groups && w->blocks >= 2 * threads)
        run.groups = threads;
    else
        run.pool = pool;
    ferry_parallel_1d(run.pool ? NULL : pool, run_group, &run, run.groups, 1);
}
