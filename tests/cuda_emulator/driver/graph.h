// SPDX-License-Identifier: Apache-2.0
// Graphs as they are built (graph.c) and as they run (graph_exec.c).
#ifndef FERRY_TESTS_CUDA_EMULATOR_DRIVER_GRAPH_H_
#define FERRY_TESTS_CUDA_EMULATOR_DRIVER_GRAPH_H_

#include "driver/emulator.h"

typedef struct emulated_node node;

struct emulated_node {
    const node **after; // that this one waits for
    size_t n_after;
    size_t overlaps;         // 1 + position of one of `after` that may still run when this one begins; 0: none
    size_t position;         // in its graph
    emulated_launch *launch; // NULL: a copy, a fill, or nothing
    void *to;
    const void *from; // NULL: a fill
    size_t bytes;
    unsigned char value;
};

struct emulated_graph {
    node **nodes;
    size_t count;
};

/// One row of bytes is all that is copied.
CUresult emulated_node_read_copy(const CUDA_MEMCPY3D *copy, node *out);

#endif // FERRY_TESTS_CUDA_EMULATOR_DRIVER_GRAPH_H_
