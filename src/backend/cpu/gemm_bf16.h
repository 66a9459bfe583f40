// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of matrix products of bf16 with sums in f32: a tile of rows times a panel of packed weights, two
// elements of k at a time. As in gemm_f32.h, a row of a convolution is a list of pointers, one for each tap.
#ifndef FERRY_SRC_BACKEND_CPU_GEMM_BF16_H_
#define FERRY_SRC_BACKEND_CPU_GEMM_BF16_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

typedef struct ferry_gemm_bf16_tile {
    const void *const *x; // [taps][mr]: where each row's kc elements begin; those beyond `rows` are not read
    size_t taps, kc;
    const char *w;     // a panel as ferry_gemm_bf16_pack made it
    size_t rows, cols; // 1..mr, 1..nr
    uint16_t *y;       // row i at y + i * y_stride
    const uint16_t *r; // the residual, like y; NULL: none
    size_t y_stride, r_stride;
    const ferry_finish *finish;
    float *sums;       // where they go as whole vectors, y_stride apart, instead of being finished; NULL: they are
    const char *ahead; // weights wanted soon: a cache line for each pair from here is brought near; NULL: none
} ferry_gemm_bf16_tile;

/// Every element is bias + pair 0 + pair 1 ..., in that order, whatever the tile: results do not depend on how rows are
/// cut into tiles. How the sum of a pair's two products is rounded is the instruction set's matter: within two
/// roundings to f32, and denormals may count as zeros.
typedef void (*ferry_gemm_bf16_kernel)(const ferry_gemm_bf16_tile *tile);

typedef struct ferry_gemm_bf16_row {
    const char *name;
    uint32_t isa;
    size_t mr, nr, vec; // vec: columns of a vector; panels are filled up to a multiple
    ferry_gemm_bf16_kernel run;
} ferry_gemm_bf16_row;

/// From plainest to newest; NULL beyond the end.
const ferry_gemm_bf16_row *ferry_gemm_bf16_at(size_t index);
/// The newest row that `isa` can run. NULL where only the plain one could and there are vectors: kernels for f32 are
/// faster there.
const ferry_gemm_bf16_row *ferry_gemm_bf16_pick(uint32_t isa);

/// What a weight panel is made of: `taps` runs of `kc` elements, each filled up to whole pairs.
typedef struct ferry_gemm_bf16_shape {
    size_t taps, kc, columns;
} ferry_gemm_bf16_shape;

/// Bytes of the packed weights; false on overflow.
bool ferry_gemm_bf16_packed_bytes(const ferry_gemm_bf16_row *row, const ferry_gemm_bf16_shape *shape, size_t *out);
/// w[column * column_stride + tap * tap_stride + k * k_stride], rounded to bf16; bias: [columns], or NULL.
typedef struct ferry_gemm_bf16_weights {
    const float *w;
    size_t column_stride, tap_stride, k_stride;
    const float *bias;
} ferry_gemm_bf16_weights;
void ferry_gemm_bf16_pack(const ferry_gemm_bf16_row *row, const ferry_gemm_bf16_shape *shape,
                          const ferry_gemm_bf16_weights *weights, char *out);
/// Where the panel of that column (a multiple of nr) begins.
size_t ferry_gemm_bf16_panel(const ferry_gemm_bf16_shape *shape, size_t column);

#endif // FERRY_SRC_BACKEND_CPU_GEMM_BF16_H_
