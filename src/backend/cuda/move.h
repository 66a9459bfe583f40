// SPDX-License-Identifier: Apache-2.0
// What the families of data movers share: the text of kernels/move.cuh, and the copies of a node as launches of it.
#ifndef FERRY_SRC_BACKEND_CUDA_MOVE_H_
#define FERRY_SRC_BACKEND_CUDA_MOVE_H_

#include "backend/cuda/device.h"
#include "backend/reading/move_plan.h"

#define FERRY_CUDA_MOST_MOVES (3 * FERRY_CUDA_MOST_LAUNCHES)

/// A node and what is copied for it.
typedef struct ferry_cuda_moving {
    const ferry_node *node;
    ferry_move moves[FERRY_CUDA_MOST_MOVES];
    int32_t count;
    bool fills;
    uint64_t value;
    ferry_tensor_desc x[FERRY_CUDA_MOST_MOVES], y[FERRY_CUDA_MOST_MOVES]; // of rank -1: absent
} ferry_cuda_moving;

/// Compiles the text for elements of that type.
ferry_status ferry_cuda_pack_moves(ferry_cuda_device *device, ferry_dtype dtype, ferry_cuda_package *package,
                                   ferry_error *err);
/// An unsigned type of as many bytes, as kernels spell it; NULL for types without a size.
const char *ferry_cuda_word_name(ferry_dtype dtype);

/// How many launches the copies take; -1: more than there may be, or some that kernels can't do.
int32_t ferry_cuda_moving_launches(const ferry_cuda_moving *moving);
double ferry_cuda_moving_cost_us(ferry_cuda_device *device, const ferry_cuda_moving *moving);
ferry_status ferry_cuda_moving_launch(const ferry_cuda_moving *moving, const ferry_region *region,
                                      ferry_cuda_kernel *kernel, ferry_error *err);

/// Whether input i is moved and constant, rather than a parameter such as Slice's starts.
bool ferry_cuda_moves_constant(const ferry_graph *graph, const ferry_node *node, int32_t i);
/// Where such an input's elements lie among the packed ones; for i == n_inputs, where they end.
size_t ferry_cuda_moved_constant_at(const ferry_graph *graph, const ferry_node *node, int32_t i);
/// The output's place among the region's; -1: it is none.
int32_t ferry_cuda_output_at(const ferry_region *region, ferry_value_id value);

#endif // FERRY_SRC_BACKEND_CUDA_MOVE_H_
