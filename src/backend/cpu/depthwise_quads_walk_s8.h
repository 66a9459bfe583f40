// SPDX-License-Identifier: Apache-2.0
// Walks down a picture for depthwise convolutions in int8 whose kernels want quads of lines (depthwise_quads_s8.h): a
// few quads stay in the first-level cache, and padding is laid out as elements are.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_QUADS_WALK_S8_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_QUADS_WALK_S8_H_

#include "backend/cpu/depthwise_quads_s8.h"
#include "backend/cpu/elementwise_s8.h"
#include "backend/reading/conv_shape.h"
#include "base/thread_pool.h"

#define FERRY_DEPTHWISE_QUADS_LEAST 8 // output columns that quads must be able to hold

typedef struct ferry_depthwise_quads_walk {
    const ferry_depthwise_quads_row *row;
    ferry_depthwise_quads_cut cut;
    ferry_conv_shape shape; // its input has channels last
    ferry_finish finish;
    ferry_look_up_s8 look_up; // for the finish's table
    int8_t padding[64];       // the input's zero point
    // What is laid out at a time, set by fit: output columns, units of channels, and bytes of a quad of lines.
    size_t columns, units, quad_bytes;
} ferry_depthwise_quads_walk;

/// Chooses columns and units for row, cut and an output of that width. False when their quads would not fit.
bool ferry_depthwise_quads_fit(ferry_depthwise_quads_walk *walk, size_t width);

/// packed: by ferry_depthwise_quads_pack.
void ferry_depthwise_quads_run(const ferry_depthwise_quads_walk *walk, ferry_thread_pool *pool, const int8_t *x,
                               const char *packed, int8_t *y);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_QUADS_WALK_S8_H_
