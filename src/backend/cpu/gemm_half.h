// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of matrix products of 16-bit floats, f16 or bf16: a tile of rows times a panel of packed weights. As in
// gemm_f32.h, a row of a convolution is a list of pointers, one for each tap.
#ifndef FERRY_SRC_BACKEND_CPU_GEMM_HALF_H_
#define FERRY_SRC_BACKEND_CPU_GEMM_HALF_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"
#include "graph/graph.h"

typedef struct ferry_gemm_half_tile {
    const void *const *x; // [taps][mr]: where each row's kc elements begin; those beyond `rows` are not read
    size_t taps, kc;
    const char *w;     // a panel as ferry_gemm_half_pack made it
    size_t rows, cols; // 1..mr, 1..nr
    uint16_t *y;       // row i at y + i * y_stride
    const uint16_t *r; // the residual, like y; NULL: none
    size_t y_stride, r_stride;
    const ferry_finish *finish;
    float *sums; // of bf16: where they go as whole vectors, y_stride apart, instead of being finished; NULL: they are
    const char *ahead; // weights wanted soon, that a kernel may bring near, a line for each pair of k; NULL: none
} ferry_gemm_half_tile;

/// Of bf16, every element is bias + pair 0 + pair 1 ..., in that order, whatever the tile: results do not depend on how
/// rows are cut into tiles. How the sum of a pair's two products is rounded is the instruction set's matter: within two
/// roundings to f32, and denormals may count as zeros. Of f16, the bias is followed by sums of runs of products, each
/// run summed in f16; see docs/INT8.md, "16-bit floats".
typedef void (*ferry_gemm_half_kernel)(const ferry_gemm_half_tile *tile);

typedef struct ferry_gemm_half_row {
    const char *name;
    ferry_dtype dtype;
    uint32_t isa;
    size_t mr, nr, vec; // vec: columns of a vector; panels are filled up to a multiple
    size_t kq;          // elements of k that are multiplied at a time; taps are filled up to a multiple in the weights
    ferry_gemm_half_kernel run;
} ferry_gemm_half_row;

/// From plainest to newest; NULL beyond the end.
const ferry_gemm_half_row *ferry_gemm_half_at(size_t index);
/// The newest row for the type that `isa` can run. NULL where there is none, or only the plain one and there are
/// vectors: kernels for f32 are faster there.
const ferry_gemm_half_row *ferry_gemm_half_pick(uint32_t isa, ferry_dtype dtype);

/// What a weight panel is made of: `taps` runs of `kc` elements, each filled up to a multiple of kq.
typedef struct ferry_gemm_half_shape {
    size_t taps, kc, columns;
} ferry_gemm_half_shape;

/// Bytes of the packed weights; false on overflow.
bool ferry_gemm_half_packed_bytes(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape, size_t *out);
/// w[column * column_stride + tap * tap_stride + k * k_stride], rounded to the type; bias: [columns], or NULL.
typedef struct ferry_gemm_half_weights {
    const float *w;
    size_t column_stride, tap_stride, k_stride;
    const float *bias;
} ferry_gemm_half_weights;
void ferry_gemm_half_pack(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape,
                          const ferry_gemm_half_weights *weights, char *out);
/// Where the panel of that column (a multiple of nr) begins.
size_t ferry_gemm_half_panel(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape, size_t column);

#endif // FERRY_SRC_BACKEND_CPU_GEMM_HALF_H_
