// SPDX-License-Identifier: Apache-2.0
// The strip of depthwise_f32.h, written once: a file per instruction set includes it after its simd header, with KERNEL
// and MOST, the output positions (a power of two) computed side by side, so that they share loads of weights.
#include "backend/cpu/depthwise_f32.h"
#include "backend/cpu/finish_vf.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

// `positions` x `vectors` sums from channel `c` on. count < VEC: a narrow vector at the end.
static ALWAYS_INLINE void block(const ferry_depthwise_f32_strip *s, const float *x, float *y, const float *r, size_t c,
                                const size_t positions, const size_t vectors, const size_t count)
{
    vf acc[MOST][2];
    UNROLL
    for (size_t v = 0; v < vectors; v++) {
        const vf bias = vf_load(s->bias + c + v * VEC);
        UNROLL
        for (size_t p = 0; p < positions; p++) acc[p][v] = bias;
    }
    for (size_t t = 0; t < s->n_taps; t++) {
        const float *from = x + s->taps[t].x + c, *weights = s->w + s->taps[t].w + c;
        vf w[2];
        UNROLL
        for (size_t v = 0; v < vectors; v++) w[v] = vf_load(weights + v * VEC);
        UNROLL
        for (size_t p = 0; p < positions; p++) {
            UNROLL
            for (size_t v = 0; v < vectors; v++) {
                const float *at = from + p * s->x_step + v * VEC;
                acc[p][v] = vf_fma(count < VEC ? vf_load_part(at, count) : vf_load(at), w[v], acc[p][v]);
            }
        }
    }
    const ferry_finish *f = s->finish;
    UNROLL
    for (size_t p = 0; p < positions; p++) {
        UNROLL
        for (size_t v = 0; v < vectors; v++) {
            const size_t at = p * s->channels + c + v * VEC;
            vf t = acc[p][v];
            if (r)
                t = vf_act_residual(f, t, count < VEC ? vf_load_part(r + at, count) : vf_load(r + at));
            else
                t = vf_act(f, t);
            if (count < VEC)
                vf_store_part(y + at, t, count);
            else
                vf_store(y + at, t);
        }
    }
}

static ALWAYS_INLINE void all_channels(const ferry_depthwise_f32_strip *s, size_t first, const size_t positions)
{
    const float *x = s->x + first * s->x_step;
    float *y = s->y + first * s->channels;
    const float *r = s->r ? s->r + first * s->channels : NULL;
    size_t c = 0;
    for (; c + 2 * VEC <= s->channels; c += 2 * VEC) block(s, x, y, r, c, positions, 2, VEC);
    if (c + VEC <= s->channels) {
        block(s, x, y, r, c, positions, 1, VEC);
        c += VEC;
    }
    if (c < s->channels) block(s, x, y, r, c, positions, 1, s->channels - c);
    // Over what was just stored, while it is near: one long loop, where a block's sums would be many short ones.
    if (s->finish->kind == FERRY_FINISH_LOOP) s->finish->loop(y, y, positions * s->channels, s->finish->parameters);
}

void KERNEL(const ferry_depthwise_f32_strip *s);
void KERNEL(const ferry_depthwise_f32_strip *s)
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
