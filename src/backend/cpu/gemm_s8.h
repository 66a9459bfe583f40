// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of int8 matrix products with the epilogue of docs/INT8.md: a tile of rows times a panel of packed
// weights. Sums are exact, so every row of the table gives the same bits.
#ifndef FERRY_SRC_BACKEND_CPU_GEMM_S8_H_
#define FERRY_SRC_BACKEND_CPU_GEMM_S8_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

/// How a kernel wants the elements of its rows.
typedef enum ferry_s8_form {
    FERRY_S8_PLAIN = 0,  // as they are
    FERRY_S8_BIASED = 1, // as they are; the kernel adds 128, since vpdpbusd multiplies unsigned by signed
    FERRY_S8_WIDE = 2    // as int16
} ferry_s8_form;

typedef struct ferry_gemm_s8_tile {
    const void *const *x; // [taps][mr]: where each row's kc elements begin
    size_t taps, kc;      // kc is a multiple of the row's kq
    const char *w;        // a panel as ferry_gemm_s8_pack made it
    size_t rows, cols;    // 1..mr, 1..nr
    void *y;              // row i at y + i * y_stride elements
    const void *r;        // the residual; NULL: none
    size_t y_stride, r_stride;
    bool y_float, r_float; // f32, else s8
    const ferry_finish *finish;
} ferry_gemm_s8_tile;

typedef void (*ferry_gemm_s8_kernel)(const ferry_gemm_s8_tile *tile);

typedef struct ferry_gemm_s8_row {
    const char *name;
    uint32_t isa;
    size_t mr, nr, vec; // vec: columns of a vector; panels are filled up to a multiple
    size_t kq;          // elements of k that are multiplied at a time; rows are filled up to a multiple with zeros
    ferry_s8_form form;
    ferry_gemm_s8_kernel run;
} ferry_gemm_s8_row;

const ferry_gemm_s8_row *ferry_gemm_s8_at(size_t index);
const ferry_gemm_s8_row *ferry_gemm_s8_pick(uint32_t isa);

/// What a weight panel is made of: `taps` runs of `kc` elements, each filled up to a multiple of kq.
typedef struct ferry_gemm_s8_shape {
    size_t taps, kc, columns;
} ferry_gemm_s8_shape;

/// Bytes of the packed weights; false on overflow.
bool ferry_gemm_s8_packed_bytes(const ferry_gemm_s8_row *row, const ferry_gemm_s8_shape *shape, size_t *out);
/// w[column * column_stride + tap * tap_stride + k * k_stride]; mult and bias: [columns].
typedef struct ferry_gemm_s8_weights {
    const int8_t *w;
    size_t column_stride, tap_stride, k_stride;
    const float *mult, *bias;
} ferry_gemm_s8_weights;
void ferry_gemm_s8_pack(const ferry_gemm_s8_row *row, const ferry_gemm_s8_shape *shape,
                        const ferry_gemm_s8_weights *weights, char *out);
/// Where the panel of that column (a multiple of nr) begins.
size_t ferry_gemm_s8_panel(const ferry_gemm_s8_row *row, const ferry_gemm_s8_shape *shape, size_t column);

static inline size_t ferry_s8_form_bytes(ferry_s8_form form)
{
    return form == FERRY_S8_WIDE ? 2 : 1;
}

#endif // FERRY_SRC_BACKEND_CPU_GEMM_S8_H_
