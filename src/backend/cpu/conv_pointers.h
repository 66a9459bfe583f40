// SPDX-License-Identifier: Apache-2.0
// Where the input elements of an output position of a convolution lie.
#ifndef FERRY_SRC_BACKEND_CPU_CONV_POINTERS_H_
#define FERRY_SRC_BACKEND_CPU_CONV_POINTERS_H_

#include "backend/reading/conv_shape.h"

/// Most rows that pointers are asked for at a time: those of the tallest tile.
#define FERRY_CONV_POINTERS_ROWS 32

/// For output positions [row, row + rows) of all pictures, and channels of `group` on: out[t * stride + i] points to
/// the c_each neighbouring input elements under tap t of position row + i, or to `zeros` where that is padding. The
/// input has its channels last.
void ferry_conv_pointers(const ferry_conv_shape *shape, const void *x, size_t elem_bytes, const void *zeros,
                         size_t group, size_t row, size_t rows, size_t stride, const void **out);

#endif // FERRY_SRC_BACKEND_CPU_CONV_POINTERS_H_
