// SPDX-License-Identifier: Apache-2.0
// A tensor as lines along some of its dimensions, and its other dimensions as a walk.
#ifndef FERRY_SRC_BACKEND_CPU_LINES_VIEW_H_
#define FERRY_SRC_BACKEND_CPU_LINES_VIEW_H_

#include "backend/reading/nd.h"

typedef struct ferry_lines_view {
    size_t n, step; // of a line's elements; step 1: lines are dense, else runs of the walk are
    ferry_nd walk;  // over what is kept: operand 0 is x, operand 1 is y
} ferry_lines_view;

/// gone[d]: dimension d of x lies along the lines. y has x's dims, or what remains of them (with `keep`, as ones).
/// False when the lines do not lie as these loops need them, or y does not fit.
bool ferry_lines_view_make(const ferry_tensor_desc *x, const ferry_tensor_desc *y, const bool *gone, bool same_shape,
                           bool keep, ferry_lines_view *out);

#endif // FERRY_SRC_BACKEND_CPU_LINES_VIEW_H_
