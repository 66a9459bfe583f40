// SPDX-License-Identifier: Apache-2.0
// The interleaving copy that a shuffle of channels is, channels last.
#ifndef FERRY_SRC_BACKEND_CPU_SHUFFLE_H_
#define FERRY_SRC_BACKEND_CPU_SHUFFLE_H_

#include "backend/cpu/node.h"
#include "backend/reading/shuffle_node.h"

/// Rows y[i * parts + p] = x[p][i].
typedef struct ferry_shuffle_rows {
    const void *x[FERRY_SHUFFLE_PARTS];
    void *y;
    size_t parts, rows, count;
    size_t x_stride, y_stride; // between rows, in elements
} ferry_shuffle_rows;

typedef void (*ferry_shuffle_loop)(const ferry_shuffle_rows *rows);

typedef struct ferry_shuffle_row {
    const char *name;
    uint32_t isa;
    ferry_shuffle_loop pairs[4], any[4]; // of two parts, of any number; for elements of 1, 2, 4 and 8 bytes
} ferry_shuffle_row;

/// The newest row that `isa` can run.
const ferry_shuffle_row *ferry_shuffle_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_SHUFFLE_H_
