// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/product_s8.h"

#include <string.h>

#include "backend/cpu/loops.h"
#include "backend/cpu/product_f32.h"

#define FORM_TASK 16384 // elements that a task brings into form

void ferry_s8_form_zeros(ferry_s8_form form, void *zeros, size_t bytes)
{
    memset(zeros, form == FERRY_S8_BIASED ? 0x80 : 0, bytes);
}

static void plan_form(ferry_product_s8 *p, size_t positions, size_t groups, size_t kc, bool dense)
{
    const size_t kq = p->row->kq;
    ferry_s8_form_plan *f = &p->form;
    f->positions = positions;
    f->groups = groups;
    f->kc = kc;
    f->kc_full = (kc + kq - 1) / kq * kq;
    f->needed = p->row->form != FERRY_S8_PLAIN || f->kc_full != kc || !dense;
    f->bytes = f->needed ? positions * groups * f->kc_full * ferry_s8_form_bytes(p->row->form) : 0;
}

void ferry_product_s8_matrix(ferry_product_s8 *p, size_t rows, size_t k, size_t columns)
{
    p->groups = 1;
    plan_form(p, rows, 1, k, true);
    p->form.channel_step = 1;
    const int64_t dims[1] = {(int64_t)rows}, one[1] = {1}, step[1] = {(int64_t)k};
    ferry_nd_make(1, dims, 2, (const int64_t *const[]){one, step}, &p->form.positions_nd);
    p->shape = (ferry_gemm_s8_shape){.taps = 1, .kc = k, .columns = columns};
    p->source = (ferry_row_source){.kind = FERRY_ROWS_DENSE,
                                   .elem_bytes = ferry_s8_form_bytes(p->row->form),
                                   .rows = rows,
                                   .taps = 1,
                                   .kc = p->form.kc_full,
                                   .row_stride = p->form.kc_full};
}

bool ferry_product_s8_conv(ferry_product_s8 *p, const ferry_conv_shape *shape)
{
    const size_t groups = (size_t)shape->group, kc = (size_t)shape->c_each;
    const int64_t plane = shape->in[0] * shape->in[1] * shape->in[2];
    p->groups = groups;
    plan_form(p, (size_t)(shape->batch * plane), groups, kc, shape->x_channel == 1);
    p->form.channel_step = shape->x_channel;
    const int64_t dims[4] = {shape->batch, shape->in[0], shape->in[1], shape->in[2]};
    const int64_t count[4] = {plane, shape->in[1] * shape->in[2], shape->in[2], 1};
    const int64_t steps[4] = {shape->x_batch, shape->x_step[0], shape->x_step[1], shape->x_step[2]};
    ferry_nd_make(4, dims, 2, (const int64_t *const[]){count, steps}, &p->form.positions_nd);
    p->shape = (ferry_gemm_s8_shape){.taps = (size_t)shape->taps, .kc = kc, .columns = (size_t)shape->m_each};

    // The formed input is a picture of its own, whose groups are kc_full channels wide.
    ferry_conv_shape formed = *shape;
    formed.c_each = (int64_t)p->form.kc_full;
    formed.c_in = formed.c_each * shape->group;
    formed.x_channel = 1;
    formed.x_step[2] = formed.c_in;
    formed.x_step[1] = formed.x_step[2] * shape->in[2];
    formed.x_step[0] = formed.x_step[1] * shape->in[1];
    formed.x_batch = formed.x_step[0] * shape->in[0];
    p->source = (ferry_row_source){.kind = FERRY_ROWS_TAPS,
                                   .elem_bytes = ferry_s8_form_bytes(p->row->form),
                                   .rows = (size_t)(shape->batch * shape->out_plane),
                                   .taps = (size_t)shape->taps,
                                   .kc = p->form.kc_full,
                                   .row_stride = (size_t)formed.c_in,
                                   .conv = formed};
    if (groups == 1 && ferry_conv_shape_is_pointwise(shape)) p->source.kind = FERRY_ROWS_DENSE;
    return p->source.taps * p->row->mr <= FERRY_ROWS_POINTERS;
}

typedef struct product_run {
    const ferry_product_s8 *product;
    const int8_t *x;
    const char *formed, *packed;
    const char *r;
    char *y, *workspace;
    size_t column_block, blocks_each;
} product_run;

static void form_dense(ferry_s8_form form, const int8_t *x, void *to, size_t n)
{
    if (form == FERRY_S8_BIASED) {
        uint8_t *y = to;
        FERRY_VECTORS
        for (size_t i = 0; i < n; i++) y[i] = (uint8_t)x[i] ^ 0x80;
    } else if (form == FERRY_S8_WIDE) {
        int16_t *y = to;
        FERRY_VECTORS
        for (size_t i = 0; i < n; i++) y[i] = x[i];
    } else {
        memcpy(to, x, n);
    }
}

static void form_one(ferry_s8_form form, int8_t x, void *to, size_t at)
{
    if (form == FERRY_S8_WIDE)
        ((int16_t *)to)[at] = x;
    else
        ((uint8_t *)to)[at] = form == FERRY_S8_BIASED ? (uint8_t)x ^ 0x80 : (uint8_t)x;
}

// i: a run of positions; j: positions in it.
static void form_some(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const product_run *run = context;
    const ferry_s8_form_plan *f = &run->product->form;
    const ferry_s8_form form = run->product->row->form;
    const size_t bytes = ferry_s8_form_bytes(form), each = f->groups * f->kc_full;
    const int32_t last = f->positions_nd.rank - 1;
    const int64_t step = f->positions_nd.strides[1][last];
    ferry_nd_cursor cursor;
    ferry_nd_seek(&f->positions_nd, i, &cursor);
    for (size_t row = 0; row < count_i; row++, ferry_nd_next(&f->positions_nd, &cursor)) {
        const size_t first = (size_t)cursor.at[0] + j;
        const int8_t *from = run->x + cursor.at[1] + (int64_t)j * step;
        char *to = run->workspace + first * each * bytes;
        if (f->channel_step == 1 && f->kc_full == f->kc && step == (int64_t)each) {
            form_dense(form, from, to, count_j * each);
            continue;
        }
        for (size_t p = 0; p < count_j; p++, from += step, to += each * bytes) {
            for (size_t g = 0; g < f->groups; g++)
                for (size_t c = 0; c < f->kc_full; c++)
                    form_one(form, c < f->kc ? from[(int64_t)(g * f->kc + c) * f->channel_step] : 0, to,
                             g * f->kc_full + c);
        }
    }
}

static void run_block(const product_run *run, const ferry_row_buffer *buffer, size_t row, size_t rows, size_t group,
                      size_t first, size_t count)
{
    const ferry_product_s8 *p = run->product;
    const size_t mr = p->row->mr, nr = p->row->nr, taps = p->source.taps, columns = p->shape.columns;
    const size_t stride = p->groups * columns;
    ferry_gemm_s8_tile tile = {.taps = taps,
                               .kc = p->source.kc,
                               .y_stride = stride,
                               .r_stride = stride,
                               .y_float = p->y_float,
                               .r_float = p->r_float,
                               .finish = &p->finish};
    for (size_t c = first; c < first + count; c += nr) {
        tile.w = run->packed + group * p->group_bytes + ferry_gemm_s8_panel(p->row, &p->shape, c);
        tile.cols = columns - c < nr ? columns - c : nr;
        for (size_t i = 0; i < rows; i += mr) {
            const size_t at = (row + i) * stride + group * columns + c;
            tile.rows = rows - i < mr ? rows - i : mr;
            tile.x = buffer->pointers + i * taps;
            tile.y = run->y + at * (p->y_float ? sizeof(float) : 1);
            tile.r = run->r ? run->r + at * (p->r_float ? sizeof(float) : 1) : NULL;
            p->row->run(&tile);
        }
    }
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
    }
}

void ferry_product_s8_run(const ferry_product_s8 *p, ferry_thread_pool *pool, const int8_t *x, const char *packed,
                          const void *r, void *y, void *workspace)
{
    const size_t columns = p->shape.columns;
    if (p->source.rows == 0 || columns == 0) return;
    product_run run = {
        .product = p, .x = x, .formed = (const char *)x, .packed = packed, .r = r, .y = y, .workspace = workspace};
    if (p->form.needed) {
        const ferry_nd *nd = &p->form.positions_nd;
        const size_t row = (size_t)nd->dims[nd->rank - 1], each = p->form.groups * p->form.kc_full;
        const size_t tile = each < FORM_TASK ? FORM_TASK / each : 1;
        ferry_parallel_2d(pool, form_some, &run, nd->runs, row, tile > row ? tile / (row ? row : 1) : 1, tile);
        run.formed = workspace;
    }
    size_t row_block = ferry_row_source_block(&p->source, p->row->mr);
    ferry_product_blocks(ferry_thread_pool_threads(pool), p->source.rows, p->groups, columns, p->row->mr, p->row->nr,
                         &row_block, &run.column_block);
    run.blocks_each = (columns + run.column_block - 1) / run.column_block;
    ferry_parallel_2d(pool, run_task, &run, p->source.rows, p->groups * run.blocks_each, row_block, 1);
}
