// SPDX-License-Identifier: Apache-2.0
// The strip of depthwise_s8.h, written once: a file per instruction set includes it after its simd header, with
//   KERNEL, BLOCK, TQ                  the function's name; as in the table
//   SLOT(channel)                      as in the table
//   sum_taps(strip, block, position offset, n, int32_t out[BLOCK])   exact sums of n <= BLOCK channels, by slot
#include <string.h>

#include "backend/cpu/depthwise_s8.h"
#include "backend/cpu/finish_vf.h"

// Outputs of one position and block; t holds fma(sum, mult, bias) by channel.
static void finish_block(const ferry_depthwise_s8_strip *s, const float *t, size_t at, size_t n)
{
    const ferry_finish f = *s->finish;
    for (size_t c = 0; c < n; c += VEC) {
        const size_t left = n - c < VEC ? n - c : VEC, to = at + c;
        vf v = vf_load(t + c);
        if (s->r) {
            vf r;
            if (!s->r_float)
                r = vf_load_s8((const int8_t *)s->r + to, left);
            else
                r = left < VEC ? vf_load_part((const float *)s->r + to, left) : vf_load((const float *)s->r + to);
            v = vf_act_residual(&f, v, r);
        } else {
            v = vf_act(&f, v);
        }
        if (!s->y_float)
            vf_store_sat8((int8_t *)s->y + to, v, left);
        else if (left < VEC)
            vf_store_part((float *)s->y + to, v, left);
        else
            vf_store((float *)s->y + to, v);
    }
}

void KERNEL(const ferry_depthwise_s8_strip *s);
void KERNEL(const ferry_depthwise_s8_strip *s)
{
    const size_t block_bytes = ferry_depthwise_s8_block_bytes(BLOCK, TQ, s->taps);
    for (size_t p = 0; p < s->positions; p++)
        for (size_t c = 0; c < s->channels; c += BLOCK) {
            const char *block = s->w + c / BLOCK * block_bytes;
            const float *mults = (const float *)(block + BLOCK * sizeof(int32_t)), *biases = mults + BLOCK;
            const size_t n = s->channels - c < BLOCK ? s->channels - c : BLOCK, at = p * s->channels + c;
#ifdef FAST_STORE
            // Without a residual, and with bounds alone as activation, int8 outputs need no detour.
            if (!s->r && !s->y_float && s->finish->kind == FERRY_FINISH_CLAMP) {
                store_fast(s, block, p * s->x_step + c, n, (int8_t *)s->y + at);
                continue;
            }
#endif
            int32_t sums[BLOCK];
            float by_slot[BLOCK], by_channel[BLOCK];
            sum_taps(s, block, p * s->x_step + c, n, sums);
            for (size_t i = 0; i < BLOCK; i += VEC)
                vf_store(by_slot + i, vf_fma(vf_load_s32(sums + i), vf_load(mults + i), vf_load(biases + i)));
            for (size_t i = 0; i < BLOCK; i++) by_channel[i] = by_slot[SLOT(i)];
            finish_block(s, by_channel, at, n);
        }
}
