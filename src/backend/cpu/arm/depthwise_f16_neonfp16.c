// SPDX-License-Identifier: Apache-2.0
// Strips of depthwise convolutions of f16 for NEON's f16 arithmetic: the taps of an output are summed in f16, eight
// channels at a time, then widened.
#include "backend/cpu/arm/simd_neon.h"
#include "backend/cpu/arm/simd_f16_neon.h"
#include "backend/cpu/depthwise_half.h"
#include "backend/cpu/finish_vf.h"

#define MOST 8     // output positions computed side by side, which share loads of weights
#define CHANNELS 8 // of one step

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

static ALWAYS_INLINE float16x8_t load(const uint16_t *p, size_t count)
{
    uint16_t all[CHANNELS] = {0};
    if (count < CHANNELS)
        for (size_t i = 0; i < count; i++) all[i] = p[i];
    return vreinterpretq_f16_u16(vld1q_u16(count < CHANNELS ? all : p));
}

static ALWAYS_INLINE void store(uint16_t *p, vf low, vf high, size_t count)
{
    const uint16x8_t v = vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(low), high));
    uint16_t all[CHANNELS];
    vst1q_u16(count < CHANNELS ? all : p, v);
    if (count < CHANNELS)
        for (size_t i = 0; i < count; i++) p[i] = all[i];
}

// The sums of `positions` outputs, widened: low[p] and high[p], four channels each.
static ALWAYS_INLINE void sum_taps(const ferry_depthwise_half_strip *s, const uint16_t *x, size_t c,
                                   const size_t positions, const size_t count, vf *low, vf *high)
{
    const float *scale = s->packed + s->padded + c;
    const uint16_t *w = (const uint16_t *)(s->packed + 2 * s->padded) + c;
    float16x8_t run[MOST];
    UNROLL
    for (size_t p = 0; p < positions; p++) run[p] = vdupq_n_f16(0);
    for (size_t t = 0; t < s->n_taps; t++) {
        const uint16_t *from = x + s->taps[t].x + c;
        const float16x8_t weights = load(w + s->taps[t].w, CHANNELS);
        UNROLL
        for (size_t p = 0; p < positions; p++) run[p] = vfmaq_f16(run[p], load(from + p * s->x_step, count), weights);
    }
    const vf scale_low = vf_load(scale), scale_high = vf_load(scale + VEC);
    const vf bias_low = vf_load(s->packed + c), bias_high = vf_load(s->packed + c + VEC);
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        low[p] = vf_fma(vcvt_f32_f16(vget_low_f16(run[p])), scale_low, bias_low);
        high[p] = vf_fma(vcvt_high_f32_f16(run[p]), scale_high, bias_high);
    }
}

static ALWAYS_INLINE void run_loop(const ferry_finish *f, vf *low, vf *high, const size_t positions)
{
    float sums[MOST * CHANNELS];
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        vf_store(sums + p * CHANNELS, low[p]);
        vf_store(sums + p * CHANNELS + VEC, high[p]);
    }
    f->loop(sums, sums, positions * CHANNELS, f->parameters);
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        low[p] = vf_load(sums + p * CHANNELS);
        high[p] = vf_load(sums + p * CHANNELS + VEC);
    }
}

// `positions` outputs from channel `c` on; only `count` of the step's channels exist.
static ALWAYS_INLINE void block(const ferry_depthwise_half_strip *s, size_t first, size_t c, const size_t positions,
                                const size_t count)
{
    const ferry_finish *f = s->finish;
    vf low[MOST], high[MOST];
    sum_taps(s, s->x + first * s->x_step, c, positions, count, low, high);
    if (f->kind == FERRY_FINISH_LOOP) run_loop(f, low, high, positions);
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        const size_t at = (first + p) * s->channels + c;
        if (s->r) {
            const float16x8_t add = load(s->r + at, count);
            low[p] = vf_act_residual(f, low[p], vcvt_f32_f16(vget_low_f16(add)));
            high[p] = vf_act_residual(f, high[p], vcvt_high_f32_f16(add));
        } else {
            low[p] = vf_act(f, low[p]);
            high[p] = vf_act(f, high[p]);
        }
        store(s->y + at, low[p], high[p], count);
    }
}

static ALWAYS_INLINE void all_channels(const ferry_depthwise_half_strip *s, size_t first, const size_t positions)
{
    size_t c = 0;
    for (; c + CHANNELS <= s->channels; c += CHANNELS) block(s, first, c, positions, CHANNELS);
    if (c < s->channels) block(s, first, c, positions, s->channels - c);
}

void ferry_depthwise_f16__neonfp16(const ferry_depthwise_half_strip *s);
void ferry_depthwise_f16__neonfp16(const ferry_depthwise_half_strip *s)
{
    size_t p = 0;
    for (; p + MOST <= s->positions; p += MOST) all_channels(s, p, MOST);
    for (; p + 2 <= s->positions; p += 2) all_channels(s, p, 2);
    if (p < s->positions) all_channels(s, p, 1);
}
