// SPDX-License-Identifier: Apache-2.0
// Winograd's minimal filtering for 3x3 windows: F(m x m, 3 x 3) takes (m + 2)^2 products a pair of channels for m x m
// outputs, where the plain sum takes 9 m^2: 2.25 times less for m = 2, 4 times less for m = 4.
//
// A tile of m x m outputs sees a window of n x n inputs, n = m + 2. Window and filter are evaluated at n points in each
// direction, multiplied point by point (one matrix product for each of the n^2 points), and interpolated:
// Y = At [(G g Gt) * (Bt d B)] A. The points of F(2, 3) are 0, +-1 and infinity; of F(4, 3) 0, +-a, +-b and infinity
// with a = 1 / sqrt(2), b = sqrt(2), which keeps the numbers nearer to each other than the usual 1 and 2.
//
// Rounding: relative to a plain float sum of as many channels the L2 error is at most about 1.5 times as large for
// F(2, 3), and 5 times for F(4, 3): 1e-6 for 64 channels, 2e-6 for 512. A NaN or an infinity in the input reaches all
// outputs of the tiles that see it.
#ifndef FERRY_SRC_BACKEND_CPU_WINOGRAD_H_
#define FERRY_SRC_BACKEND_CPU_WINOGRAD_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

#define FERRY_WINOGRAD_A 0.70710678118654752440
#define FERRY_WINOGRAD_B 1.41421356237309504880

/// Most points of a tile: F(4, 3).
#define FERRY_WINOGRAD_POINTS 36

/// One tile's window to its values at the points.
typedef struct ferry_winograd_input {
    const void *const *x; // [n * n]: where the channels of each element of the window begin
    size_t channels;
    float *v; // point p's channels at v + p * v_step, filled up with zeros to a whole vector
    size_t v_step;
} ferry_winograd_input;

/// One tile's products at the points to its outputs.
typedef struct ferry_winograd_output {
    const float *p; // point i's channels at p + i * p_step; whole vectors may be read
    size_t p_step;
    size_t channels;
    const float *bias; // [channels], whole vectors may be read
    void *y;           // channels of output (i, j) from element i * y_row + j * y_column on
    const void *r;     // the residual, like y with distances of its own; NULL: none
    size_t y_row, y_column, r_row, r_column;
    size_t rows, columns; // 1..m: those beyond do not exist
    const ferry_finish *finish;
} ferry_winograd_output;

typedef struct ferry_winograd_size {
    void (*input)(const ferry_winograd_input *tile);
    void (*output)(const ferry_winograd_output *tile);
} ferry_winograd_size;

/// Transforms for tensors of one type; they compute in f32.
typedef struct ferry_winograd_row {
    const char *name; // of the instruction set: "avx512"
    uint32_t isa;     // FERRY_ISA_* bits that it needs
    size_t vec;
    ferry_winograd_size f2, f4;
} ferry_winograd_row;

/// The newest row for f32 tensors that `isa` can run.
const ferry_winograd_row *ferry_winograd_f32_pick(uint32_t isa);
/// The same for bf16; NULL where only the plain one could and there are vectors.
const ferry_winograd_row *ferry_winograd_bf16_pick(uint32_t isa);

/// The values of a 3x3 filter at the points of F(m, 3), m = 2 or 4, in double: out[(m + 2) * (m + 2)].
void ferry_winograd_filter(size_t m, const float filter[9], double *out);

#endif // FERRY_SRC_BACKEND_CPU_WINOGRAD_H_
