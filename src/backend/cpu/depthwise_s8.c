// SPDX-License-Identifier: Apache-2.0
// The table of int8 depthwise kernels, and their packing.
#include "backend/cpu/depthwise_s8.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "base/size.h"

static size_t slot_same(size_t channel)
{
    return channel;
}

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

#define FERRY_DEPTHWISE_S8(block, tq, biased, slot, isa, suffix)                                                       \
    void ferry_depthwise_s8__##suffix(const ferry_depthwise_s8_strip *);
#include "backend/cpu/depthwise_s8.inc"
#undef FERRY_DEPTHWISE_S8

static const ferry_depthwise_s8_row rows[] = {
#define FERRY_DEPTHWISE_S8(block, tq, biased, slot, isa, suffix)                                                       \
    {#suffix, isa, block, tq, biased, slot, ferry_depthwise_s8__##suffix},
#include "backend/cpu/depthwise_s8.inc"
#undef FERRY_DEPTHWISE_S8
};

const ferry_depthwise_s8_row *ferry_depthwise_s8_pick(uint32_t isa)
{
    const ferry_depthwise_s8_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}

void ferry_depthwise_s8_pack(const ferry_depthwise_s8_row *row, size_t channels, size_t taps, const int8_t *w,
                             const float *mult, const float *bias, char *out)
{
    const size_t bytes = ferry_depthwise_s8_block_bytes(row->block, row->tq, taps);
    memset(out, 0, (channels + row->block - 1) / row->block * bytes);
    for (size_t c = 0; c < channels; c++) {
        char *block = out + c / row->block * bytes;
        int32_t *starts = (int32_t *)block;
        float *mults = (float *)(starts + row->block), *biases = mults + row->block;
        int8_t *weights = (int8_t *)(biases + row->block);
        const size_t slot = row->slot(c % row->block);
        mults[slot] = mult[c];
        biases[slot] = bias[c];
        int32_t sum = 0;
        for (size_t t = 0; t < taps; t++) {
            weights[t / row->tq * row->block * row->tq + slot * row->tq + t % row->tq] = w[c * taps + t];
            sum += w[c * taps + t];
        }
        if (row->biased) starts[slot] = -128 * sum;
    }
}
