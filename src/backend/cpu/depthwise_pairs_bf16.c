// SPDX-License-Identifier: Apache-2.0
// The table of kernels that filter pairs of lines, and the packing that they share.
#include "backend/cpu/depthwise_pairs_bf16.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "base/f16.h"
#include "base/size.h"

#define MOST_TAPS 64 // of a line of the window
#define MOST_CHANNELS (1 << 24)

#define ROW(vec, isa, suffix)                                                                                          \
    void ferry_depthwise_pairing_bf16__##suffix(const ferry_depthwise_pairing *);                                      \
    void ferry_depthwise_pairs_bf16__##suffix(const ferry_depthwise_pairs *);
#include "backend/cpu/depthwise_pairs_bf16.inc"

static const ferry_depthwise_pairs_row rows[] = {
#define ROW(vec, isa, suffix)                                                                                          \
    {#suffix, isa, vec, ferry_depthwise_pairing_bf16__##suffix, ferry_depthwise_pairs_bf16__##suffix},
#include "backend/cpu/depthwise_pairs_bf16.inc"
};

const ferry_depthwise_pairs_row *ferry_depthwise_pairs_pick(uint32_t isa)
{
    const ferry_depthwise_pairs_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best->isa == FERRY_ISA_NONE && isa != FERRY_ISA_NONE ? NULL : best;
}

bool ferry_depthwise_pairs_packing_of(const ferry_depthwise_pairs_row *row, int64_t channels, int64_t lines,
                                      int64_t taps, ferry_depthwise_pairs_packing *p, size_t *out_bytes)
{
    if (channels < 1 || channels > MOST_CHANNELS || lines < 1 || taps < 1 || taps > MOST_TAPS) return false;
    p->panel = 2 * row->vec;
    p->panels = ((size_t)channels + p->panel - 1) / p->panel;
    p->lines = (size_t)lines;
    p->taps = (size_t)taps;
    p->pairs = ferry_depthwise_pairs_of(p->lines);
    if (p->pairs > FERRY_DEPTHWISE_PAIRS) return false;
    p->parity_bytes = p->pairs * p->taps * p->panel * 2 * sizeof(uint16_t);
    p->panel_bytes = p->panel * sizeof(float) + 2 * p->parity_bytes;
    return ferry_mul_size(p->panel_bytes, p->panels, out_bytes);
}

// Weights of one channel, `w` [lines][taps], for windows whose first line is that of a pair (parity 0) or its second.
static void pack_channel(const ferry_depthwise_pairs_packing *p, const float *w, size_t parity, uint16_t *to)
{
    for (size_t line = 0; line < p->lines; line++)
        for (size_t t = 0; t < p->taps; t++) {
            const size_t at = line + parity;
            to[(at / 2 * p->taps + t) * p->panel * 2 + at % 2] = ferry_bf16_from_f32(w[line * p->taps + t]);
        }
}

void ferry_depthwise_pairs_pack(const ferry_depthwise_pairs_packing *p, size_t channels, const float *w,
                                const float *bias, char *out)
{
    memset(out, 0, p->panel_bytes * p->panels);
    for (size_t c = 0; c < channels; c++) {
        char *panel = out + c / p->panel * p->panel_bytes, *weights = panel + p->panel * sizeof(float);
        const size_t place = c % p->panel;
        if (bias) memcpy(panel + place * sizeof *bias, &bias[c], sizeof *bias);
        for (size_t parity = 0; parity < 2; parity++)
            pack_channel(p, w + c * p->lines * p->taps, parity,
                         (uint16_t *)(weights + parity * p->parity_bytes) + 2 * place);
    }
}
