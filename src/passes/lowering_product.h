// SPDX-License-Identifier: Apache-2.0
// The constants of an INT8 sum of products: what brings its sums to the output's grid, and the activation to its units.
#ifndef FERRY_SRC_PASSES_LOWERING_PRODUCT_H_
#define FERRY_SRC_PASSES_LOWERING_PRODUCT_H_

#include "passes/lowering.h"

typedef struct ferry_product_scales {
    ferry_grid x, y, r; // r.scale is 0 without a residual; a float's grid has the scale 1
    const float *w;     // [count]: of each output channel
    int64_t count;
    double slope, offset; // sums * slope + offset, in real units: an activation that became part of the multipliers
} ferry_product_scales;

/// Rewrites the activation's attributes for the output's grid; may set slope and offset.
ferry_status ferry_lowering_activation(ferry_lowering *lowering, ferry_node_id node, ferry_product_scales *scales,
                                       ferry_error *err);
/// Makes the constants m and b of docs/INT8.md for the quantised weights `w`, which lie in the graph being made.
ferry_status ferry_lowering_multipliers(ferry_lowering *lowering, ferry_node_id node, ferry_value_id w,
                                        const ferry_product_scales *scales, ferry_value_id out[2], ferry_error *err);

#endif // FERRY_SRC_PASSES_LOWERING_PRODUCT_H_
