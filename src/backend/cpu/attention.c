// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/attention.h"

#include <math.h>

#include "backend/cpu/row_source.h"

// A block's scores should stay in the first-level cache beside a panel of keys.
#define SCORES_BYTES (24 * 1024)
// Threads beyond this many share the work of so many: each part has scratch memory of its own.
#define MOST_PARTS 16
#define ALIGN 64

typedef struct attention_run {
    const ferry_attention *a;
    const ferry_cpu_run *run;
    size_t parts;
} attention_run;

static bool align_sum(size_t *sum, size_t bytes)
{
    return bytes < SIZE_MAX / 2 && ferry_add_size(*sum, ferry_align_size(bytes, ALIGN), sum);
}

bool ferry_attention_plan(ferry_attention *a, size_t *workspace_bytes)
{
    const ferry_attention_node *n = &a->node;
    const size_t tiles = ferry_row_tiles(n->rows, a->mr);
    if (n->keys > INT32_MAX || n->rows > INT32_MAX) return false;
    a->width = ferry_align_size(n->keys, a->vec);
    size_t each = SCORES_BYTES / sizeof(float) / a->width / a->mr;
    if (each > FERRY_ATTENTION_ROWS / a->mr) each = FERRY_ATTENTION_ROWS / a->mr;
    if (each < 1) each = 1;
    a->blocks = (tiles + each - 1) / each;
    const size_t rows = each * a->mr;
    size_t scores = 0, mixed = 0;
    if (!a->type->packed_bytes(a, n->depth, n->keys, &a->keys_bytes) ||
        !a->type->packed_bytes(a, n->keys, n->columns, &a->values_bytes) || !ferry_mul_size(rows, a->width, &scores) ||
        !ferry_mul_size(rows, n->columns, &mixed) || scores > SIZE_MAX / 8 || mixed > SIZE_MAX / 8)
        return false;
    a->scores_bytes = scores * sizeof(float);
    a->weights_bytes = a->type->own_weights ? scores * a->type->elem_bytes : 0;
    a->mixed_bytes = a->quantise ? mixed * sizeof(float) : 0;
    a->part_bytes = 0;
    if (!align_sum(&a->part_bytes, a->keys_bytes) || !align_sum(&a->part_bytes, a->values_bytes) ||
        !align_sum(&a->part_bytes, a->scores_bytes) || !align_sum(&a->part_bytes, a->weights_bytes) ||
        !align_sum(&a->part_bytes, a->mixed_bytes))
        return false;
    a->parts = ferry_processor_count();
    if (a->parts > MOST_PARTS) a->parts = MOST_PARTS;
    return ferry_mul_size(a->part_bytes, a->parts, workspace_bytes);
}

static const char *matrix_at(const attention_run *run, const ferry_attention_matrix *matrix, size_t batch)
{
    const ferry_attention *a = run->a;
    return (const char *)run->run->in[matrix->at].data +
           ferry_attention_offset(&a->node, matrix, batch) * (int64_t)a->type->elem_bytes;
}

static void softmax(const ferry_attention *a, const ferry_attention_block *block)
{
    const ferry_softmax_rows rows = {.x = block->scores,
                                     .narrow = block->weights,
                                     .rows = block->rows,
                                     .n = a->width,
                                     .stride = a->width,
                                     .scale = a->node.scale};
    (a->type->own_weights ? a->softmax->narrow : a->softmax->wide)(&rows);
}

static void run_block(const attention_run *run, ferry_attention_block *block, size_t batch, size_t at)
{
    const ferry_attention *a = run->a;
    const ferry_attention_node *n = &a->node;
    const size_t tiles = ferry_row_tiles(n->rows, a->mr), from = tiles * at / a->blocks;
    const size_t to = tiles * (at + 1) / a->blocks;
    const size_t first = ferry_row_tile_at(n->rows, tiles, from).first;
    const size_t y_bytes = a->quantise ? 1 : a->type->elem_bytes;
    const char *q = matrix_at(run, &n->q, batch);
    block->rows = (to < tiles ? ferry_row_tile_at(n->rows, tiles, to).first : n->rows) - first;
    for (size_t r = 0; r < block->rows; r++)
        block->q[r] = q + (int64_t)(first + r) * n->q.row * (int64_t)a->type->elem_bytes;
    block->y = (char *)run->run->out[0].data +
               (ferry_attention_offset(n, &n->y, batch) + (int64_t)first * n->y.row) * (int64_t)y_bytes;
    a->type->score(a, block);
    softmax(a, block);
    a->type->mix(a, block);
    for (size_t r = 0; a->quantise && r < block->rows; r++)
        a->quantise(block->mixed + r * n->columns, a->y_scale.scale, a->y_scale.zero, -128, 127,
                    (uint8_t *)block->y + (int64_t)r * n->y.row, n->columns);
}

// Part `begin` of run->parts of all blocks.
static void run_part(void *context, size_t begin, size_t count)
{
    const attention_run *run = context;
    const ferry_attention *a = run->a;
    const ferry_attention_node *n = &a->node;
    const size_t items = n->batches * a->blocks;
    for (size_t part = begin; part < begin + count; part++) {
        char *keys = (char *)run->run->workspace + part * a->part_bytes;
        char *values = keys + ferry_align_size(a->keys_bytes, ALIGN);
        char *scores = values + ferry_align_size(a->values_bytes, ALIGN);
        char *weights = scores + ferry_align_size(a->scores_bytes, ALIGN);
        ferry_attention_block block = {.keys = keys, .values = values, .scores = (float *)scores};
        block.weights = a->type->own_weights ? weights : scores;
        block.mixed = (float *)(weights + ferry_align_size(a->weights_bytes, ALIGN));
        size_t packed = SIZE_MAX;
        for (size_t item = items * part / run->parts; item < items * (part + 1) / run->parts; item++) {
            const size_t batch = item / a->blocks;
            if (batch != packed) {
                // Keys that are not there have no weight.
                a->type->pack(a, n->depth, n->keys, matrix_at(run, &n->k, batch), n->k.row, n->k.column, -INFINITY,
                              keys);
                a->type->pack(a, n->keys, n->columns, matrix_at(run, &n->v, batch), n->v.row, n->v.column, 0, values);
            }
            packed = batch;
            run_block(run, &block, batch, item % a->blocks);
        }
    }
}

void ferry_attention_run(const ferry_attention *a, const ferry_cpu_run *r)
{
    attention_run run = {.a = a, .run = r};
    const size_t threads = ferry_thread_pool_threads(r->pool), items = a->node.batches * a->blocks;
    run.parts = threads < a->parts ? threads : a->parts;
    if (run.parts > items) run.parts = items;
    if (items > 0) ferry_parallel_1d(r->pool, run_part, &run, run.parts, 1);
}
