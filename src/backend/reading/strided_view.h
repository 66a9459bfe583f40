// SPDX-License-Identifier: Apache-2.0
// What nodes that only move data come to, as seen from a tensor that lies elsewhere: dims and strides instead of
// copies, for regions whose kernels can read and write in steps.
#ifndef FERRY_SRC_BACKEND_READING_STRIDED_VIEW_H_
#define FERRY_SRC_BACKEND_READING_STRIDED_VIEW_H_

#include "backend/backend.h"

typedef struct ferry_strided_view {
    int32_t rank;
    int64_t dims[FERRY_MAX_RANK];
    int64_t strides[FERRY_MAX_RANK]; // in elements; anything where the dim is 1
    int64_t first;                   // element where it begins
} ferry_strided_view;

/// The whole tensor.
ferry_strided_view ferry_strided_view_of(const ferry_tensor_desc *desc);

/// Output `o` of the node, whose input 0 is seen as `x`. False when the node is not one that only moves (Reshape and
/// its kin, Transpose, Split, Slice in steps of one, Gather of one index), its other inputs are not constant, the
/// result is empty, or has no strides.
bool ferry_strided_view_through(const ferry_graph *graph, const ferry_node *node, int32_t o,
                                const ferry_strided_view *x, ferry_strided_view *y);

/// The other way: where input 0 of the node, of the dims in *x, has to lie so that its output 0 lies as `y`; for
/// Transpose, and Reshape and its kin.
bool ferry_strided_view_back(const ferry_node *node, const ferry_strided_view *y, ferry_strided_view *x);

#endif // FERRY_SRC_BACKEND_READING_STRIDED_VIEW_H_
