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
    emulated_launch *launch; // NULL: one of the following
    emulated_call *call;
    struct emulated_graph *inner; // a graph as one node
    void *to;
    const void *from; // NULL: a fill, or nothing
    size_t bytes;
    unsigned char value;
};

struct emulated_graph {
    node **nodes;
    size_t count;
};

/// Replaces what the node owns by copies of it; false when memory is gone.
bool emulated_node_own(node *n);
void emulated_node_disown(const node *n);
/// A copy of a graph whose nodes follow each other, as captured ones do.
struct emulated_graph *emulated_graph_copy(const struct emulated_graph *graph);

/// One row of bytes is all that is copied.
CUresult emulated_node_read_copy(const CUDA_MEMCPY3D *copy, node *out);

#endif // FERRY_TESTS_CUDA_EMULATOR_DRIVER_GRAPH_H_
