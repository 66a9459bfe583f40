// SPDX-License-Identifier: Apache-2.0
// The loop of pool_max_bf16.h, written once: a file per instruction set includes it after its simd headers, with
// KERNEL.
#include "backend/cpu/pool_max_bf16.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define BOTH (2 * VEC) // channels of one step: VEC of even index and VEC of odd

static ALWAYS_INLINE void step(const ferry_pool_window *w, const uint16_t *x, uint16_t *y, const size_t count)
{
    vf even = vf_set1(-INFINITY), odd = even;
    for (size_t i = 0; i < w->n; i++) {
        const uint16_t *at = x + (w->taps ? w->taps[i].x : (ptrdiff_t)i * w->step);
        const vp elements = count < BOTH ? vp_load_part(at, count) : vp_load(at);
        even = vf_larger(even, vp_even(elements));
        odd = vf_larger(odd, vp_odd(elements));
    }
    const vp most = vp_from_even_odd(even, odd);
    if (count < BOTH)
        vp_store_part(y, most, count);
    else
        vp_store(y, most);
}

void KERNEL(const ferry_pool_window *w, const uint16_t *x, uint16_t *y);
void KERNEL(const ferry_pool_window *w, const uint16_t *x, uint16_t *y)
{
    size_t c = 0;
    for (; c + BOTH <= w->channels; c += BOTH) step(w, x + c, y + c, BOTH);
    if (c < w->channels) step(w, x + c, y + c, w->channels - c);
}
