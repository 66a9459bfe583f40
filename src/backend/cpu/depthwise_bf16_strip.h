// SPDX-License-Identifier: Apache-2.0
// The strip of depthwise_half.h for bf16, written once: a file per instruction set includes it after its simd headers,
// with KERNEL and MOST, the output positions (a power of two) computed side by side, so that they share loads of
// weights.
#include "backend/cpu/depthwise_half.h"
#include "backend/cpu/finish_vf.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define BOTH (2 * VEC) // channels of one step: VEC of even index and VEC of odd

static ALWAYS_INLINE void run_loop(const ferry_finish *f, vf *even, vf *odd, const size_t positions)
{
    float sums[MOST * BOTH];
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        vf_store(sums + p * BOTH, even[p]);
        vf_store(sums + p * BOTH + VEC, odd[p]);
    }
    f->loop(sums, sums, positions * BOTH, f->parameters);
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        even[p] = vf_load(sums + p * BOTH);
        odd[p] = vf_load(sums + p * BOTH + VEC);
    }
}

// BOTH sums of `positions` outputs from channel `c` on; only `count` of them exist.
static ALWAYS_INLINE void block(const ferry_depthwise_half_strip *s, const uint16_t *x, uint16_t *y, const uint16_t *r,
                                size_t c, const size_t positions, const size_t count)
{
    vf even[MOST], odd[MOST];
    const vf bias_even = vf_load(s->packed + c), bias_odd = vf_load(s->packed + c + VEC);
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        even[p] = bias_even;
        odd[p] = bias_odd;
    }
    for (size_t t = 0; t < s->n_taps; t++) {
        const uint16_t *from = x + s->taps[t].x + c;
        const float *weights = s->packed + s->padded + s->taps[t].w + c;
        const vf w_even = vf_load(weights), w_odd = vf_load(weights + VEC);
        UNROLL
        for (size_t p = 0; p < positions; p++) {
            const uint16_t *at = from + p * s->x_step;
            const vp elements = count < BOTH ? vp_load_part(at, count) : vp_load(at);
            even[p] = vf_fma(vp_even(elements), w_even, even[p]);
            odd[p] = vf_fma(vp_odd(elements), w_odd, odd[p]);
        }
    }
    const ferry_finish *f = s->finish;
    if (f->kind == FERRY_FINISH_LOOP) run_loop(f, even, odd, positions);
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        const size_t at = p * s->channels + c;
        vp to;
        if (r) {
            const vp add = count < BOTH ? vp_load_part(r + at, count) : vp_load(r + at);
            to = vp_from_even_odd(vf_act_residual(f, even[p], vp_even(add)), vf_act_residual(f, odd[p], vp_odd(add)));
        } else {
            to = vp_from_even_odd(vf_act(f, even[p]), vf_act(f, odd[p]));
        }
        if (count < BOTH)
            vp_store_part(y + at, to, count);
        else
            vp_store(y + at, to);
    }
}

static ALWAYS_INLINE void all_channels(const ferry_depthwise_half_strip *s, size_t first, const size_t positions)
{
    const uint16_t *x = s->x + first * s->x_step, *r = s->r ? s->r + first * s->channels : NULL;
    uint16_t *y = s->y + first * s->channels;
    size_t c = 0;
    for (; c + BOTH <= s->channels; c += BOTH) block(s, x, y, r, c, positions, BOTH);
    if (c < s->channels) block(s, x, y, r, c, positions, s->channels - c);
}

void KERNEL(const ferry_depthwise_half_strip *s);
void KERNEL(const ferry_depthwise_half_strip *s)
{
    size_t p = 0;
    for (; p + MOST <= s->positions; p += MOST) all_channels(s, p, MOST);
#if MOST > 4
    if (p + 4 <= s->positions) {
        all_channels(s, p, 4);
        p += 4;
    }
#endif
    if (p + 2 <= s->positions) { // fewer than 4 are left
        all_channels(s, p, 2);
        p += 2;
    }
    if (p < s->positions) all_channels(s, p, 1);
}
