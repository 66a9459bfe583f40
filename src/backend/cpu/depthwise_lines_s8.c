// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/depthwise_lines_s8.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "base/size.h"

#define MOST_REPEATED 9 // blocks after which weights may repeat: more would leave the first-level cache

// Interleaving 16-bit elements within 128-bit lanes: 8 channels a lane, 4 of them in each of two vectors.
__attribute__((unused)) static size_t slot_words(size_t channel)
{
    return channel % 8 / 4 * 8 + channel / 8 * 4 + channel % 4;
}

// Interleaving bytes twice within 128-bit lanes: 16 channels a lane, 4 of them in each of four vectors.
__attribute__((unused)) static size_t slot_bytes(size_t channel)
{
    return channel % 16 / 4 * 16 + channel / 16 * 4 + channel % 4;
}

#define FERRY_DEPTHWISE_LINES(block, tq, bytes, biased, slot, isa, suffix)                                             \
    void ferry_depthwise_lines_copy__##suffix(const int8_t *, size_t, char *, size_t, size_t, size_t);                 \
    void ferry_depthwise_lines_1__##suffix(const ferry_depthwise_lines_tile *);                                        \
    void ferry_depthwise_lines_2__##suffix(const ferry_depthwise_lines_tile *);                                        \
    void ferry_depthwise_lines_4__##suffix(const ferry_depthwise_lines_tile *);
#include "backend/cpu/depthwise_lines_s8.inc"
#undef FERRY_DEPTHWISE_LINES

static const ferry_depthwise_lines_row *const rows[] = {
#define FERRY_DEPTHWISE_LINES(block, tq, bytes, biased, slot, isa, suffix)                                             \
    &(const ferry_depthwise_lines_row){#suffix,                                                                        \
                                       isa,                                                                            \
                                       block,                                                                          \
                                       tq,                                                                             \
                                       bytes,                                                                          \
                                       biased,                                                                         \
                                       slot,                                                                           \
                                       ferry_depthwise_lines_copy__##suffix,                                           \
                                       {[1] = ferry_depthwise_lines_1__##suffix,                                       \
                                        [2] = ferry_depthwise_lines_2__##suffix,                                       \
                                        [4] = ferry_depthwise_lines_4__##suffix}},
#include "backend/cpu/depthwise_lines_s8.inc"
#undef FERRY_DEPTHWISE_LINES
    NULL};

const ferry_depthwise_lines_row *ferry_depthwise_lines_pick(uint32_t isa)
{
    const ferry_depthwise_lines_row *best = NULL;
    for (size_t i = 0; rows[i]; i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t common_multiple(size_t a, size_t b)
{
    size_t x = a, y = b;
    while (y) {
        const size_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

// Output rows whose windows begin on neighbouring lines can share interleaved lines: as many as fill up their packs.
static size_t rows_at_once(const ferry_depthwise_lines_row *row, const ferry_depthwise_lines_cut *c)
{
    const size_t taps = c->kernel[0];
    if (c->stride[0] != 1 || c->dilation[0] != 1 || taps < 2) return 1;
    const size_t rows_made = round_up(taps + 1, row->tq) - taps + 1;
    return rows_made == 2 || rows_made == 4 ? rows_made : 1;
}

bool ferry_depthwise_lines_make(const ferry_depthwise_lines_row *row, int64_t channels, const ferry_window *window,
                                ferry_depthwise_lines_cut *out)
{
    ferry_depthwise_lines_cut c = {.channels = (size_t)channels};
    if (window->kernel[0] != 1 || window->stride[0] != 1 || channels < 1 || channels > INT32_MAX) return false;
    for (int i = 0; i < 2; i++) {
        if (window->kernel[1 + i] > FERRY_DEPTHWISE_LINES_TAPS || window->stride[1 + i] > 16 ||
            window->dilation[1 + i] > 64)
            return false;
        c.kernel[i] = (size_t)window->kernel[1 + i];
        c.stride[i] = (size_t)window->stride[1 + i];
        c.dilation[i] = (size_t)window->dilation[1 + i];
    }
    c.rows = rows_at_once(row, &c);
    c.lines = (c.rows - 1) * c.stride[0] + (c.kernel[0] - 1) * c.dilation[0] + 1;
    c.packs = c.rows > 1 ? c.lines / row->tq * c.kernel[1] : round_up(c.kernel[0] * c.kernel[1], row->tq) / row->tq;
    c.reach = (c.kernel[1] - 1) * c.dilation[1] / c.stride[1];
    if (c.packs * row->tq > FERRY_DEPTHWISE_LINES_TAPS) return false;
    c.blocks = round_up(c.channels, row->block) / row->block;
    const size_t repeated = common_multiple(c.channels, row->block) / row->block;
    c.flat = 4 * c.blocks * row->block >= 5 * c.channels && repeated <= MOST_REPEATED;
    if (c.flat) c.blocks = repeated;
    c.block_bytes = row->block * (sizeof(int32_t) + 2 * sizeof(float) + c.packs * c.rows * row->tq);
    *out = c;
    return true;
}

bool ferry_depthwise_lines_tap(const ferry_depthwise_lines_row *row, const ferry_depthwise_lines_cut *c, size_t pack,
                               size_t i, size_t *out_line, size_t *out_column)
{
    if (c->rows > 1) {
        const size_t each = c->lines / row->tq; // packs of a column
        *out_line = pack % each * row->tq + i;
        *out_column = pack / each;
        return true;
    }
    const size_t tap = pack * row->tq + i, taps = c->kernel[0] * c->kernel[1];
    *out_line = tap < taps ? tap / c->kernel[1] * c->dilation[0] : 0;
    *out_column = tap < taps ? tap % c->kernel[1] : 0;
    return tap < taps;
}

// The weight by which output row `r` multiplies what lies on that line and column; 0 outside of its window.
static int8_t weight_at(const ferry_depthwise_lines_cut *c, const int8_t *w, size_t r, size_t line, size_t column)
{
    const size_t first = r * c->stride[0];
    if (line < first || (line - first) / c->dilation[0] >= c->kernel[0]) return 0;
    return w[(line - first) / c->dilation[0] * c->kernel[1] + column];
}

static void pack_block(const ferry_depthwise_lines_row *row, const ferry_depthwise_lines_cut *c, size_t slot,
                       const int8_t *w, float mult, float bias, char *out)
{
    int32_t *starts = (int32_t *)out, sum = 0;
    float *mults = (float *)(starts + row->block), *biases = mults + row->block;
    int8_t *to = (int8_t *)(biases + row->block) + slot * row->tq;
    for (size_t t = 0; t < c->kernel[0] * c->kernel[1]; t++) sum += w[t];
    starts[slot] = row->biased ? -128 * sum : 0;
    mults[slot] = mult;
    biases[slot] = bias;
    for (size_t pack = 0; pack < c->packs; pack++)
        for (size_t r = 0; r < c->rows; r++, to += row->block * row->tq)
            for (size_t i = 0; i < row->tq; i++) {
                size_t line = 0, column = 0;
                const bool used = ferry_depthwise_lines_tap(row, c, pack, i, &line, &column);
                to[i] = used ? weight_at(c, w, r, line, column) : 0;
            }
}

void ferry_depthwise_lines_pack(const ferry_depthwise_lines_row *row, const ferry_depthwise_lines_cut *c,
                                const int8_t *w, const float *mult, const float *bias, char *out)
{
    const size_t taps = c->kernel[0] * c->kernel[1];
    memset(out, 0, c->blocks * c->block_bytes);
    for (size_t i = 0; i < c->blocks * row->block; i++) {
        const size_t channel = c->flat ? i % c->channels : i;
        if (channel >= c->channels) break;
        pack_block(row, c, row->slot(i % row->block), w + channel * taps, mult[channel], bias[channel],
                   out + i / row->block * c->block_bytes);
    }
}
