// SPDX-License-Identifier: Apache-2.0
// Channel shuffles with channels last: channel c of the whole is channel c / PARTS of part c % PARTS; outputs hold
// neighbouring channels of the whole, from `first` on. Set before: ELEMENT, PARTS, OUTPUTS, EACH_PART(F) and
// EACH_OUTPUT(F), which are F(0) F(1) ...
#pragma once
#include "types.cuh"

#define PART(n) const ELEMENT *x##n,
#define OUTPUT(n) , ELEMENT *y##n, unsigned first##n, unsigned count##n
#define TAKE(n)                                                                                                        \
    if (part == n) v = x##n[position * each + from];
#define PUT(n)                                                                                                         \
    if (channel - first##n < count##n) y##n[position * count##n + channel - first##n] = v;

extern "C" __global__ void __launch_bounds__(256)
    ferry_channel_shuffle(EACH_PART(PART) unsigned positions, unsigned each EACH_OUTPUT(OUTPUT))
{
    grid_dependency_launch();
    grid_dependency_wait();
    const unsigned whole = each * PARTS, total = positions * whole;
    for (unsigned i = blockIdx.x * 256u + threadIdx.x; i < total; i += gridDim.x * 256u) {
        const unsigned position = i / whole, channel = i - position * whole;
        const unsigned from = channel / PARTS, part = channel - from * PARTS;
        ELEMENT v = 0;
        EACH_PART(TAKE)
        EACH_OUTPUT(PUT)
    }
}
