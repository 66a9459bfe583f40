// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/product_s8.h"

#include "backend/cpu/product_f32.h"

static const ferry_form_type forms[] = {
    [FERRY_S8_PLAIN] = FERRY_FORM_S8, [FERRY_S8_BIASED] = FERRY_FORM_S8, [FERRY_S8_WIDE] = FERRY_FORM_S8_WIDE};

#define MOST_TAPS 64 // whose pointers are looked up for each row

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static bool reads_in_place(const ferry_gemm_s8_row *row, size_t k)
{
    return row->form != FERRY_S8_WIDE && k % row->kq == 0;
}

// Whether a window's row becomes one tap. Only a formed input has its padding in memory, as that needs.
static bool merges(const ferry_gemm_s8_row *row, int64_t group, const ferry_window *window, int64_t c_each)
{
    const size_t taps = (size_t)(window->kernel[0] * window->kernel[1] * window->kernel[2]);
    return ferry_form_merges(group, window) && (!reads_in_place(row, (size_t)c_each) || taps > MOST_TAPS);
}

ferry_gemm_s8_shape ferry_product_s8_taps(const ferry_gemm_s8_row *row, int64_t group, const ferry_window *window,
                                          const int64_t *w_dims)
{
    const bool merge = merges(row, group, window, w_dims[1]);
    const size_t width = merge ? (size_t)window->kernel[2] : 1, c_each = (size_t)w_dims[1];
    const size_t taps = (size_t)(window->kernel[0] * window->kernel[1] * window->kernel[2]);
    return (ferry_gemm_s8_shape){.taps = taps / width,
                                 .kc = (merge ? ferry_form_channels(c_each, width, row->kq) : c_each) * width,
                                 .columns = (size_t)(w_dims[0] / group)};
}

bool ferry_product_s8_matrix(ferry_product_s8 *p, size_t rows, size_t k, size_t columns)
{
    const size_t kq = p->row->kq, full = round_up(k, kq);
    p->groups = 1;
    p->formed = !reads_in_place(p->row, k);
    p->shape = (ferry_gemm_s8_shape){.taps = 1, .kc = k, .columns = columns};
    p->source = (ferry_row_source){.kind = FERRY_ROWS_DENSE,
                                   .elem_bytes = ferry_s8_form_bytes(p->row->form),
                                   .rows = rows,
                                   .taps = 1,
                                   .kc = full,
                                   .row_stride = full};
    return !p->formed || ferry_form_matrix(forms[p->row->form], rows, k, kq, &p->form);
}

bool ferry_product_s8_conv(ferry_product_s8 *p, const ferry_conv_shape *shape)
{
    const size_t kq = p->row->kq;
    const bool merge = merges(p->row, shape->group, &shape->window, shape->c_each);
    const int64_t w_dims[2] = {shape->c_out, shape->c_each};
    ferry_conv_shape seen = *shape;
    p->groups = (size_t)shape->group;
    p->shape = ferry_product_s8_taps(p->row, shape->group, &shape->window, w_dims);
    p->formed = merge || !reads_in_place(p->row, (size_t)shape->c_each) || shape->x_channel != 1;
    if (p->formed && !ferry_form_make(forms[p->row->form], shape, kq, merge, &p->form, &seen)) return false;
    return ferry_row_source_conv(&seen, ferry_s8_form_bytes(p->row->form), p->row->mr, round_up(p->shape.kc, kq),
                                 &p->source);
}

typedef struct product_run {
    const ferry_product_s8 *product;
    const char *formed, *packed;
    const char *r;
    char *y;
    size_t column_block, blocks_each;
} product_run;

static void run_block(const product_run *run, const ferry_row_buffer *buffer, size_t row, size_t rows, size_t group,
                      size_t first, size_t count)
{
    const ferry_product_s8 *p = run->product;
    const size_t mr = p->row->mr, nr = p->row->nr, taps = p->source.taps, columns = p->shape.columns;
    const size_t dense = p->groups * columns;
    const size_t y_row = p->y_row ? p->y_row : dense, r_row = p->r_row ? p->r_row : dense;
    ferry_gemm_s8_tile tile = {.taps = taps,
                               .kc = p->source.kc,
                               .y_stride = y_row,
                               .r_stride = r_row,
                               .y_float = p->y_float,
                               .r_float = p->r_float,
                               .finish = &p->finish};
    const size_t tiles = ferry_row_tiles(rows, mr);
    for (size_t c = first; c < first + count; c += nr) {
        tile.w = run->packed + group * p->group_bytes + ferry_gemm_s8_panel(p->row, &p->shape, c);
        tile.cols = columns - c < nr ? columns - c : nr;
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(rows, tiles, i);
            const size_t at = row + cut.first, column = group * columns + c;
            tile.rows = cut.rows;
            tile.x = buffer->pointers + i * taps * mr;
            tile.y = run->y + (at * y_row + column) * (p->y_float ? sizeof(float) : 1);
            tile.r = run->r ? run->r + (at * r_row + column) * (p->r_float ? sizeof(float) : 1) : NULL;
            p->row->run(&tile);
        }
    }
}

// While they are near.
static void look_up_block(const product_run *run, size_t row, size_t rows, size_t column, size_t count)
{
    const ferry_product_s8 *p = run->product;
    const size_t stride = p->y_row ? p->y_row : p->groups * p->shape.columns;
    int8_t *y = (int8_t *)run->y + row * stride + column;
    if (count == stride) {
        p->look_up(y, p->finish.table, y, rows * stride);
        return;
    }
    for (size_t i = 0; i < rows; i++, y += stride) p->look_up(y, p->finish.table, y, count);
}

// i: a row; j: a block of columns of a group.
static void run_task(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const product_run *run = context;
    const ferry_product_s8 *p = run->product;
    ferry_row_buffer buffer;
    size_t group_got = SIZE_MAX;
    for (size_t block = j; block < j + count_j; block++) {
        const size_t group = block / run->blocks_each, first = block % run->blocks_each * run->column_block;
        const size_t left = p->shape.columns - first, count = left < run->column_block ? left : run->column_block;
        if (group != group_got) ferry_row_source_get(&p->source, run->formed, group, i, count_i, p->row->mr, &buffer);
        group_got = group;
        run_block(run, &buffer, i, count_i, group, first, count);
        if (p->finish.table) look_up_block(run, i, count_i, group * p->shape.columns + first, count);
    }
}

void ferry_product_s8_run(const ferry_product_s8 *p, ferry_thread_pool *pool, const int8_t *x, const char *packed,
                          const void *r, void *y, void *workspace)
{
    const size_t columns = p->shape.columns;
    if (p->source.rows == 0 || columns == 0) return;
    product_run run = {.product = p, .formed = (const char *)x, .packed = packed, .r = r, .y = y};
    if (p->formed) {
        ferry_form_run(&p->form, pool, x, workspace);
        run.formed = workspace;
    }
    size_t row_block = ferry_row_source_block(&p->source, p->row->mr);
    ferry_product_blocks(ferry_thread_pool_threads(pool), p->source.rows, p->groups, columns, p->row->mr, p->row->nr,
                         &row_block, &run.column_block);
    run.blocks_each = (columns + run.column_block - 1) / run.column_block;
    ferry_parallel_2d(pool, run_task, &run, p->source.rows, p->groups * run.blocks_each, row_block, 1);
}
