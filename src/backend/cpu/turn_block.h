// SPDX-License-Identifier: Apache-2.0
// Transposes a block of elements: what turns layouts into each other, and most Transposes.
#ifndef FERRY_SRC_BACKEND_CPU_TURN_BLOCK_H_
#define FERRY_SRC_BACKEND_CPU_TURN_BLOCK_H_

#include <stddef.h>
#include <stdint.h>

/// out[i * out_row + k] = in[i + k * in_step] for i < rows, k < n; strides in elements of 1, 2, 4 or 8 bytes.
void ferry_turn_block(size_t elem_bytes, int64_t rows, int64_t n, void *out, int64_t out_row, const void *in,
                      int64_t in_step);

#endif // FERRY_SRC_BACKEND_CPU_TURN_BLOCK_H_
