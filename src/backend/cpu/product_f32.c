// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/product_f32.h"

#define CACHE_LINE 64

typedef struct product_run {
    const ferry_product_f32 *product;
    const float *x, *packed, *r;
    float *y;
    size_t column_block, blocks_each; // of one group
} product_run;

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

// What the busiest thread has to do, in eighths of a row's products with a panel. A row costs an eighth when a block
// first reads it, a panel as much as eight rows; tiles of less than two thirds of their rows take no less time.
static size_t busiest_share(size_t threads, size_t blocks, size_t rows, size_t panels, size_t mr)
{
    const size_t least = divide_up(rows, mr) * mr * 2 / 3, paid = rows > least ? rows : least;
    const size_t share = divide_up(blocks, threads) * (8 * paid * panels + rows + 64 * panels);
    // Few blocks can't make up for a thread that started late.
    return blocks < 4 * threads ? share + share / 32 : share;
}

void ferry_product_blocks(size_t threads, size_t rows, size_t groups, size_t columns, size_t mr, size_t nr,
                          size_t *row_block, size_t *column_block)
{
    const size_t panels = divide_up(columns, nr), tiles = divide_up(rows, mr), fewest = divide_up(rows, *row_block);
    *column_block = panels * nr;
    if (threads < 2) return;
    size_t best = SIZE_MAX;
    for (size_t wide = panels;; wide = divide_up(wide, 2)) {
        const size_t across = groups * divide_up(panels, wide);
        for (size_t cuts = fewest; cuts <= tiles && cuts <= fewest + 4 * threads; cuts += 1 + cuts / 8) {
            const size_t block = divide_up(rows, cuts);
            const size_t share = busiest_share(threads, divide_up(rows, block) * across, block, wide, mr);
            if (share >= best) continue;
            best = share;
            *row_block = block;
            *column_block = wide * nr;
        }
        if (wide == 1) break;
    }
}

// What is left of the next panel to bring near. A panel's first tile would otherwise wait for memory line by line,
// while the tiles after it leave memory idle.
typedef struct ahead {
    const char *at;
    size_t bytes;
} ahead;

// The part that one tile brings: a line for each of its k steps.
static const char *part_ahead(ahead *next, size_t k)
{
    const size_t part = k * CACHE_LINE;
    const char *at = next->at;
    if (next->bytes == 0) return NULL;
    next->at += part;
    next->bytes -= part < next->bytes ? part : next->bytes;
    return at;
}

static void run_block(const product_run *run, const ferry_row_buffer *buffer, size_t row, size_t rows, size_t group,
                      size_t first, size_t count)
{
    const ferry_product_f32 *p = run->product;
    const size_t mr = p->row->mr, nr = p->row->nr, taps = p->source.taps;
    const size_t k = taps * p->source.kc, dense = p->groups * p->columns;
    const size_t y_row = p->y_row ? p->y_row : dense, r_row = p->r_row ? p->r_row : dense;
    ferry_gemm_f32_tile tile = {
        .taps = taps, .kc = p->source.kc, .y_stride = y_row, .r_stride = r_row, .finish = &p->finish};
    const size_t tiles = ferry_row_tiles(rows, mr);
    for (size_t c = first; c < first + count; c += nr) {
        ahead next = {0};
        if (c + nr < p->columns) { // of the next task too, which is most likely this thread's
            next.at = (const char *)(run->packed + group * p->group_floats + ferry_gemm_f32_panel(k, c + nr));
            next.bytes = k * nr * sizeof(float);
        }
        tile.w = run->packed + group * p->group_floats + ferry_gemm_f32_panel(k, c);
        tile.cols = p->columns - c < nr ? p->columns - c : nr;
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(rows, tiles, i);
            const size_t at = row + cut.first, column = group * p->columns + c;
            tile.rows = cut.rows;
            tile.x = buffer->pointers + i * taps * mr;
            tile.y = run->y + at * y_row + column;
            tile.r = run->r ? run->r + at * r_row + column : NULL;
            tile.ahead = part_ahead(&next, k);
            p->row->run(&tile);
        }
    }
}

// i: a row; j: a block of columns of a group.
static void run_task(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const product_run *run = context;
    const ferry_product_f32 *p = run->product;
    ferry_row_buffer buffer;
    size_t group_got = SIZE_MAX;
    for (size_t block = j; block < j + count_j; block++) {
        const size_t group = block / run->blocks_each, first = block % run->blocks_each * run->column_block;
        const size_t count = p->columns - first < run->column_block ? p->columns - first : run->column_block;
        if (group != group_got) ferry_row_source_get(&p->source, run->x, group, i, count_i, p->row->mr, &buffer);
        group_got = group;
        run_block(run, &buffer, i, count_i, group, first, count);
    }
}

void ferry_product_f32_run(const ferry_product_f32 *p, ferry_thread_pool *pool, const float *x, const float *packed,
                           const float *r, float *y)
{
    if (p->source.rows == 0 || p->columns == 0) return;
    product_run run = {.product = p, .x = x, .packed = packed, .r = r, .y = y};
    size_t row_block = ferry_row_source_block(&p->source, p->row->mr);
    ferry_product_blocks(ferry_thread_pool_threads(pool), p->source.rows, p->groups, p->columns, p->row->mr, p->row->nr,
                         &row_block, &run.column_block);
    run.blocks_each = (p->columns + run.column_block - 1) / run.column_block;
    ferry_parallel_2d(pool, run_task, &run, p->source.rows, p->groups * run.blocks_each, row_block, 1);
}
