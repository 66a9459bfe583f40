// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/product_half.h"

#include "backend/cpu/product_f32.h"

// Weights of more than this do not stay in the second-level cache: as many rows as fit there should meet them at once.
#define MOST_WEIGHT_BYTES (384 * 1024)
#define ROW_BYTES (256 * 1024)
#define CACHE_LINE 64

typedef struct product_run {
    const ferry_product_half *product;
    const uint16_t *x, *r;
    const char *packed;
    uint16_t *y;
    size_t column_block, blocks_each; // of one group
} product_run;

static void run_block(const product_run *run, const ferry_row_buffer *buffer, size_t row, size_t rows, size_t group,
                      size_t first, size_t count)
{
    const ferry_product_half *p = run->product;
    const size_t mr = p->row->mr, nr = p->row->nr, taps = p->source.taps, columns = p->shape.columns;
    const size_t dense = p->groups * columns, tiles = ferry_row_tiles(rows, mr);
    const size_t y_row = p->y_row ? p->y_row : dense, r_row = p->r_row ? p->r_row : dense;
    const size_t panel = ferry_gemm_half_panel(p->row, &p->shape, nr);
    const size_t part = taps * ((p->source.kc + 1) / 2) * CACHE_LINE;
    ferry_gemm_half_tile tile = {
        .taps = taps, .kc = p->source.kc, .y_stride = y_row, .r_stride = r_row, .finish = &p->finish};
    for (size_t c = first; c < first + count; c += nr) {
        tile.w = run->packed + group * p->group_bytes + ferry_gemm_half_panel(p->row, &p->shape, c);
        tile.cols = columns - c < nr ? columns - c : nr;
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(rows, tiles, i);
            const size_t at = row + cut.first, column = group * columns + c;
            tile.rows = cut.rows;
            tile.x = buffer->pointers + i * taps * mr;
            tile.y = run->y + at * y_row + column;
            tile.r = run->r ? run->r + at * r_row + column : NULL;
            // Each tile brings a part of the next panel, whose first tile would otherwise wait for memory.
            tile.ahead = c + nr < columns && i * part < panel ? tile.w + panel + i * part : NULL;
            p->row->run(&tile);
        }
    }
}

// i: a row; j: a block of columns of a group.
static void run_task(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const product_run *run = context;
    const ferry_product_half *p = run->product;
    ferry_row_buffer buffer;
    size_t group_got = SIZE_MAX;
    for (size_t block = j; block < j + count_j; block++) {
        const size_t group = block / run->blocks_each, first = block % run->blocks_each * run->column_block;
        const size_t left = p->shape.columns - first, count = left < run->column_block ? left : run->column_block;
        if (group != group_got) ferry_row_source_get(&p->source, run->x, group, i, count_i, p->row->mr, &buffer);
        group_got = group;
        run_block(run, &buffer, i, count_i, group, first, count);
    }
}

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

// Rows of a task, a multiple of mr.
static size_t row_block(const ferry_product_half *p)
{
    const ferry_row_source *s = &p->source;
    const size_t mr = p->row->mr, block = ferry_row_source_block(s, mr);
    if (p->group_bytes <= MOST_WEIGHT_BYTES) return block;
    const size_t fit = ROW_BYTES / (s->kc * s->elem_bytes + 1), pointers = FERRY_ROWS_POINTERS / s->taps;
    const size_t most = (fit < pointers ? fit : pointers) / mr * mr;
    if (most <= block) return block;
    return divide_up(divide_up(s->rows, divide_up(s->rows, most)), mr) * mr;
}

void ferry_product_half_run(const ferry_product_half *p, ferry_thread_pool *pool, const uint16_t *x, const char *packed,
                            const uint16_t *r, uint16_t *y)
{
    const size_t columns = p->shape.columns;
    if (p->source.rows == 0 || columns == 0) return;
    product_run run = {.product = p, .x = x, .packed = packed, .r = r, .y = y};
    size_t rows = row_block(p);
    ferry_product_blocks(ferry_thread_pool_threads(pool), p->source.rows, p->groups, columns, p->row->mr, p->row->nr,
                         &rows, &run.column_block);
    run.blocks_each = divide_up(columns, run.column_block);
    ferry_parallel_2d(pool, run_task, &run, p->source.rows, p->groups * run.blocks_each, rows, 1);
}
