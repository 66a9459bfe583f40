// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/depthwise_quads_s8.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "base/size.h"

#define LINES 4     // of a quad
#define MOST_TAPS 9 // lines and columns of a window

#define FERRY_DEPTHWISE_QUADS(unit, biased, isa, suffix)                                                               \
    void ferry_depthwise_quads_lay__##suffix(const int8_t *const *, const size_t *, size_t, char *);                   \
    void ferry_depthwise_quads_1__##suffix(const ferry_depthwise_quads_tile *);                                        \
    void ferry_depthwise_quads_2__##suffix(const ferry_depthwise_quads_tile *);                                        \
    void ferry_depthwise_quads_4__##suffix(const ferry_depthwise_quads_tile *);
#include "backend/cpu/depthwise_quads_s8.inc"
#undef FERRY_DEPTHWISE_QUADS

static const ferry_depthwise_quads_row *const rows[] = {
#define FERRY_DEPTHWISE_QUADS(unit, biased, isa, suffix)                                                               \
    &(const ferry_depthwise_quads_row){#suffix,                                                                        \
                                       isa,                                                                            \
                                       unit,                                                                           \
                                       biased,                                                                         \
                                       ferry_depthwise_quads_lay__##suffix,                                            \
                                       {[1] = ferry_depthwise_quads_1__##suffix,                                       \
                                        [2] = ferry_depthwise_quads_2__##suffix,                                       \
                                        [4] = ferry_depthwise_quads_4__##suffix}},
#include "backend/cpu/depthwise_quads_s8.inc"
#undef FERRY_DEPTHWISE_QUADS
    NULL};

const ferry_depthwise_quads_row *ferry_depthwise_quads_pick(uint32_t isa)
{
    const ferry_depthwise_quads_row *best = NULL;
    for (size_t i = 0; rows[i]; i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}

bool ferry_depthwise_quads_make(const ferry_depthwise_quads_row *row, int64_t channels, const ferry_window *window,
                                ferry_depthwise_quads_cut *out)
{
    if (window->kernel[0] != 1 || window->stride[0] != 1 || window->dilation[1] != 1 || channels < 1 ||
        channels > INT32_MAX)
        return false;
    for (int i = 1; i < 3; i++)
        if (window->kernel[i] > MOST_TAPS || window->stride[i] > LINES || window->dilation[i] > MOST_TAPS) return false;
    ferry_depthwise_quads_cut c = {.channels = (size_t)channels,
                                   .kernel = {(size_t)window->kernel[1], (size_t)window->kernel[2]},
                                   .stride = {(size_t)window->stride[1], (size_t)window->stride[2]},
                                   .dilation = (size_t)window->dilation[2]};
    c.quads = (c.kernel[0] + LINES - 1) / LINES;
    c.rows = (c.quads * LINES - c.kernel[0]) / c.stride[0] + 1;
    c.rows = c.rows >= 4 ? 4 : c.rows >= 2 ? 2 : 1;
    c.units = (c.channels + row->unit - 1) / row->unit;
    c.unit_bytes =
        row->unit * (sizeof(int32_t) + 2 * sizeof(float) + c.kernel[1] * c.quads * c.rows * LINES * sizeof(int8_t));
    *out = c;
    return true;
}

static void pack_channel(const ferry_depthwise_quads_row *row, const ferry_depthwise_quads_cut *c, size_t slot,
                         const int8_t *w, int8_t *to)
{
    to += slot * LINES;
    for (size_t column = 0; column < c->kernel[1]; column++)
        for (size_t quad = 0; quad < c->quads; quad++)
            for (size_t r = 0; r < c->rows; r++, to += row->unit * LINES)
                for (size_t i = 0; i < LINES; i++) {
                    const size_t line = quad * LINES + i, first = r * c->stride[0];
                    const bool within = line >= first && line - first < c->kernel[0];
                    to[i] = within ? w[(line - first) * c->kernel[1] + column] : 0;
                }
}

void ferry_depthwise_quads_pack(const ferry_depthwise_quads_row *row, const ferry_depthwise_quads_cut *c,
                                const int8_t *w, const float *mult, const float *bias, char *out)
{
    const size_t taps = c->kernel[0] * c->kernel[1];
    memset(out, 0, c->units * c->unit_bytes);
    for (size_t channel = 0; channel < c->channels; channel++, w += taps) {
        const size_t slot = channel % row->unit;
        int32_t *starts = (int32_t *)(void *)(out + channel / row->unit * c->unit_bytes), sum = 0;
        float *mults = (float *)(starts + row->unit), *biases = mults + row->unit;
        for (size_t t = 0; t < taps; t++) sum += w[t];
        starts[slot] = row->biased ? -128 * sum : 0;
        mults[slot] = mult[channel];
        biases[slot] = bias[channel];
        pack_channel(row, c, slot, w, (int8_t *)(biases + row->unit));
    }
}
