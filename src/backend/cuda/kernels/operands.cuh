// SPDX-License-Identifier: Apache-2.0
// What the store of a product does with its sums: loads the chain's operands for a run of neighbouring channels, runs
// the chain, stores. Each operand comes as an address and a row: elements from a position to the next one (a tensor of
// the output's shape), from a picture to the next one (a gate), or nothing (a constant).
// Set before: the chain.
#pragma once
#include "types.cuh"

#define OPERAND_PARAMETERS FERRY_EACH_OPERAND(OPERAND_PARAMETER)
#define OPERAND_PARAMETER(n, kind, type) , const type *OPERAND_QUALIFIER_##kind o##n, int o##n##_row
#define OPERAND_QUALIFIER_0
#define OPERAND_QUALIFIER_1 __restrict__ // constants stay what they are
#define OPERAND_QUALIFIER_2
#define OPERANDS FERRY_EACH_OPERAND(OPERAND_ARGUMENT)
#define OPERAND_ARGUMENT(n, kind, type) , o##n, o##n##_row
#define OPERAND_LOAD(n, kind, type)                                                                                    \
    float v##n[W];                                                                                                     \
    load<W>(o##n + (long long)(kind == 0 ? position : kind == 2 ? picture : 0) * o##n##_row + channel, v##n);
#define OPERAND_PASS(n, kind, type) , v##n[e]

// Channels [channel, channel + W) of a position, counted over all pictures.
template <int W, class T>
FERRY_INLINE void finish(float (&v)[W], T *y, int y_row, int position, int picture, int channel OPERAND_PARAMETERS)
{
    FERRY_EACH_OPERAND(OPERAND_LOAD)
#pragma unroll
    for (int e = 0; e < W; e++) v[e] = ferry_chain(v[e] FERRY_EACH_OPERAND(OPERAND_PASS));
    store<W>(y + (long long)position * y_row + channel, v);
}
