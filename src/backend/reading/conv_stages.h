// SPDX-License-Identifier: Apache-2.0
// A chain of convolutions taken as one region, cut into stages that the families of single convolutions can read and
// pack: each stage is a region of its own.
#ifndef FERRY_SRC_BACKEND_READING_CONV_STAGES_H_
#define FERRY_SRC_BACKEND_READING_CONV_STAGES_H_

#include "backend/backend.h"

#define FERRY_CONV_STAGE_INPUTS 2 // the picture, and a residual

typedef struct ferry_conv_stage {
    const ferry_node_id *nodes; // a convolution and what its store does as well
    int32_t n_nodes, n_inputs;
    ferry_value_id inputs[FERRY_CONV_STAGE_INPUTS], output;
} ferry_conv_stage;

/// Cuts the region at its convolutions. 0 when it is no chain of at most `most` convolutions, each reading the one
/// before and no other; else their number.
int32_t ferry_conv_stages(const ferry_region *region, ferry_conv_stage *stages, int32_t most);

/// Borrows from `stage`.
ferry_region ferry_conv_stage_region(const ferry_graph *graph, const ferry_conv_stage *stage);

#endif // FERRY_SRC_BACKEND_READING_CONV_STAGES_H_
