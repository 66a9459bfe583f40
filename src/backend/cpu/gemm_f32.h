// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of matrix products in float: a tile of rows times a panel of packed weights. Convolutions use them too:
// a row is then a list of pointers, one for each tap of the filter.
#ifndef FERRY_SRC_BACKEND_CPU_GEMM_F32_H_
#define FERRY_SRC_BACKEND_CPU_GEMM_F32_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

typedef struct ferry_gemm_f32_tile {
    const void *const *x; // [taps][mr]: where each row's kc elements begin; those beyond `rows` are not read
    size_t x_step;        // of the kernel of lines, whose x is [taps]: elements from a row's to the next row's
    size_t taps, kc;
    const float *w;    // a panel as ferry_gemm_f32_pack made it
    size_t rows, cols; // 1..mr, 1..nr
    float *y;          // row i at y + i * y_stride
    const float *r;    // the residual, like y; NULL: none
    size_t y_stride, r_stride;
    const ferry_finish *finish;
    const char *ahead; // weights wanted soon: taps * kc cache lines from here are brought near meanwhile; NULL: none
} ferry_gemm_f32_tile;

/// Every element is bias + x[0]*w[0] + x[1]*w[1] ..., in that order, whatever the tile: results do not depend on how
/// rows are cut into tiles.
typedef void (*ferry_gemm_f32_kernel)(const ferry_gemm_f32_tile *tile);

typedef struct ferry_gemm_f32_row {
    const char *name; // of the instruction set: "avx512"
    uint32_t isa;     // FERRY_ISA_* bits that it needs
    size_t mr, nr, vec;
    ferry_gemm_f32_kernel run;
    ferry_gemm_f32_kernel run_lines; // rows lie x_step apart: windows that slide along lines of a picture
} ferry_gemm_f32_row;

/// From plainest to newest; NULL beyond the end.
const ferry_gemm_f32_row *ferry_gemm_f32_at(size_t index);
/// The newest row that `isa` can run.
const ferry_gemm_f32_row *ferry_gemm_f32_pick(uint32_t isa);

/// Packed weights: panels of nr columns (the last one rounded up to vec); in each the biases, then a row for each k.
/// False on overflow.
bool ferry_gemm_f32_packed_floats(const ferry_gemm_f32_row *row, size_t k, size_t columns, size_t *out);
/// w[k * k_stride + column * column_stride]; bias may be NULL.
void ferry_gemm_f32_pack(const ferry_gemm_f32_row *row, size_t k, size_t columns, const float *w, size_t k_stride,
                         size_t column_stride, const float *bias, float *out);
/// Where the panel of that column (a multiple of nr) begins.
static inline size_t ferry_gemm_f32_panel(size_t k, size_t column)
{
    return (k + 1) * column;
}

#endif // FERRY_SRC_BACKEND_CPU_GEMM_F32_H_
