// SPDX-License-Identifier: Apache-2.0
// The epilogue of docs/INT8.md as CUDA text.
#ifndef FERRY_SRC_BACKEND_CUDA_INTEGER_TEXT_H_
#define FERRY_SRC_BACKEND_CUDA_INTEGER_TEXT_H_

#include "backend/cuda/source.h"
#include "ops/epilogue.h"

/// Writes `float ferry_act(float t)`, the activation of an epilogue. Before it the text has to include "types.cuh".
void ferry_cuda_act_write(const ferry_epilogue *epilogue, ferry_cuda_source *source);

/// Writes that and `float ferry_finish(float t, float r)`, which adds a residual r on the side of the activation that
/// the epilogue says.
void ferry_cuda_finish_write(const ferry_epilogue *epilogue, ferry_cuda_source *source);

#endif // FERRY_SRC_BACKEND_CUDA_INTEGER_TEXT_H_
