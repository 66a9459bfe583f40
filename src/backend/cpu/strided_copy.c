// SPDX-License-Identifier: Apache-2.0
// Strided copies. Where the two sides are dense along different dimensions, blocks are copied that fit the first-level
// cache, so that no line is fetched more than once.
#include "backend/cpu/strided_copy.h"

#include <string.h>

#include "backend/cpu/turn_block.h"

#define BLOCK 32         // elements along each of the two dimensions of a turned copy
#define STRIP 2048       // columns of one task of a turned copy: a multiple of BLOCK
#define TASK_BYTES 16384 // copied, that are worth a task
#define SHORT_ROW 512    // bytes of a row that is copied without a call

void ferry_copy_row(size_t elem_bytes, int64_t n, void *out, int64_t out_step, const void *in, int64_t in_step)
{
    if (out_step == 1 && in_step == 1) {
        memcpy(out, in, (size_t)n * elem_bytes);
        return;
    }
    switch (elem_bytes) {
#define COPY(type)                                                                                                     \
    if (out_step == 1)                                                                                                 \
        for (int64_t i = 0; i < n; i++) ((type *)out)[i] = ((const type *)in)[i * in_step];                            \
    else                                                                                                               \
        for (int64_t i = 0; i < n; i++) ((type *)out)[i * out_step] = ((const type *)in)[i * in_step];                 \
    break
    case 1:
        COPY(uint8_t);
    case 2:
        COPY(uint16_t);
    case 4:
        COPY(uint32_t);
    default:
        COPY(uint64_t);
#undef COPY
    }
}

typedef struct job {
    const ferry_strided_copy *c;
    char *out;
    const char *in;
} job;

// Short rows of whole 16-byte pieces, as concatenated channels have them: a call of memcpy costs more than they do.
static void copy_short_rows(size_t rows, size_t row_bytes, char *out, ptrdiff_t out_stride, const char *in,
                            ptrdiff_t in_stride)
{
    for (size_t r = 0; r < rows; r++, out += out_stride, in += in_stride)
        for (size_t b = 0; b < row_bytes; b += 16) memcpy(out + b, in + b, 16);
}

// Rows of dense elements, as many at a time as lie at one distance.
static void copy_dense_rows(const job *j, size_t begin, size_t count)
{
    const ferry_nd *w = &j->c->walk;
    const int64_t bytes = (int64_t)j->c->elem_bytes, each = w->dims[w->rank - 2];
    const ptrdiff_t out_stride = (ptrdiff_t)(w->strides[0][w->rank - 2] * bytes);
    const ptrdiff_t in_stride = (ptrdiff_t)(w->strides[1][w->rank - 2] * bytes);
    const size_t row_bytes = (size_t)(ferry_nd_row(w) * bytes);
    for (size_t end = begin + count; begin < end;) {
        ferry_nd_cursor at;
        ferry_nd_seek(w, begin, &at);
        const size_t left = (size_t)(each - (int64_t)(begin % (size_t)each));
        const size_t rows = left < end - begin ? left : end - begin;
        copy_short_rows(rows, row_bytes, j->out + at.at[0] * bytes, out_stride, j->in + at.at[1] * bytes, in_stride);
        begin += rows;
    }
}

static void copy_rows(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const ferry_nd *w = &j->c->walk;
    const int64_t bytes = (int64_t)j->c->elem_bytes, row_bytes = ferry_nd_row(w) * bytes;
    if (w->rank >= 2 && ferry_nd_step(w, 0) == 1 && ferry_nd_step(w, 1) == 1 && row_bytes % 16 == 0 &&
        row_bytes <= SHORT_ROW) {
        copy_dense_rows(j, begin, count);
        return;
    }
    ferry_nd_cursor at;
    ferry_nd_seek(w, begin, &at);
    for (size_t i = 0; i < count; i++) {
        ferry_copy_row(j->c->elem_bytes, ferry_nd_row(w), j->out + at.at[0] * bytes, ferry_nd_step(w, 0),
                       j->in + at.at[1] * bytes, ferry_nd_step(w, 1));
        ferry_nd_next(w, &at);
    }
}

static void copy_block(const ferry_nd *w, size_t elem_bytes, int64_t rows, int64_t n, char *out, const char *in)
{
    const int32_t r = w->rank;
    const int64_t out_row = w->strides[0][r - 2], out_step = w->strides[0][r - 1], in_step = w->strides[1][r - 1];
    // Columns of the input are the rows of the output.
    if (out_step == 1) {
        ferry_turn_block(elem_bytes, rows, n, out, out_row, in, in_step);
        return;
    }
    switch (elem_bytes) {
#define COPY(type)                                                                                                     \
    for (int64_t i = 0; i < rows; i++)                                                                                 \
        for (int64_t k = 0; k < n; k++)                                                                                \
            ((type *)out)[i * out_row + k * out_step] = ((const type *)in)[i + k * in_step];                           \
    break
    case 1:
        COPY(uint8_t);
    case 2:
        COPY(uint16_t);
    case 4:
        COPY(uint32_t);
    default:
        COPY(uint64_t);
#undef COPY
    }
}

static size_t parts(int64_t n, int64_t each)
{
    return (size_t)((n + each - 1) / each);
}

// An item is a block of rows of one plane, along a strip of columns.
static void copy_turned(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const ferry_nd *w = &j->c->walk;
    const int32_t r = w->rank;
    const int64_t rows = w->dims[r - 2], n = w->dims[r - 1], bytes = (int64_t)j->c->elem_bytes;
    const size_t blocks = parts(rows, BLOCK), strips = parts(n, STRIP);
    for (size_t item = begin; item < begin + count; item++) {
        const int64_t from = (int64_t)(item % strips) * STRIP, until = n - from < STRIP ? n : from + STRIP;
        const int64_t first = (int64_t)(item / strips % blocks) * BLOCK;
        ferry_nd_cursor at;
        ferry_nd_seek(w, item / strips / blocks * (size_t)rows + (size_t)first, &at);
        const int64_t some = rows - first < BLOCK ? rows - first : BLOCK;
        for (int64_t k = from; k < until; k += BLOCK) {
            const int64_t most = until - k < BLOCK ? until - k : BLOCK;
            copy_block(w, j->c->elem_bytes, some, most, j->out + (at.at[0] + k * w->strides[0][r - 1]) * bytes,
                       j->in + (at.at[1] + k * w->strides[1][r - 1]) * bytes);
        }
    }
}

void ferry_strided_copy_run(const ferry_strided_copy *c, ferry_thread_pool *pool, void *out, const void *in)
{
    const ferry_nd *w = &c->walk;
    const int64_t row = ferry_nd_row(w), bytes = (int64_t)c->elem_bytes;
    if (w->runs == 0 || row == 0) return;
    job j = {c, (char *)out + c->out_first * bytes, (const char *)in + c->in_first * bytes};
    if (c->turned) {
        const int64_t rows = w->dims[w->rank - 2];
        const size_t items = w->runs / (size_t)rows * parts(rows, BLOCK) * parts(row, STRIP);
        const size_t item_bytes = (size_t)((rows < BLOCK ? rows : BLOCK) * (row < STRIP ? row : STRIP) * bytes);
        ferry_parallel_even(pool, copy_turned, &j, items, item_bytes >= TASK_BYTES ? 1 : TASK_BYTES / item_bytes);
        return;
    }
    const size_t row_bytes = (size_t)(row * bytes);
    ferry_parallel_even(pool, copy_rows, &j, w->runs, row_bytes >= TASK_BYTES ? 1 : TASK_BYTES / row_bytes);
}
