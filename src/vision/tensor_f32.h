// SPDX-License-Identifier: Apache-2.0
// One sample of an output as float, whatever type the network gives.
#ifndef FERRY_SRC_VISION_TENSOR_F32_H_
#define FERRY_SRC_VISION_TENSOR_F32_H_

#include "base/heap.h"
#include "base/status.h"
#include "ferry/tensor.h"

typedef struct ferry_tensor_f32 {
    const float *data; // borrowed from the view, or `owned`
    int64_t count;
    float *owned;
} ferry_tensor_f32;

/// `has_batch`: the first dimension is the batch, of which `batch_index` is taken; else there is one sample. A batch of
/// one serves every index when `shared` (priors). FERRY_ERR_INVALID_ARGUMENT for a missing sample or no data,
/// FERRY_ERR_UNSUPPORTED for a type that is no number.
ferry_status ferry_tensor_f32_init(ferry_tensor_f32 *out, const ferry_tensor_view *view, bool has_batch, bool shared,
                                   uint32_t batch_index, const ferry_heap *heap, ferry_error *err);
void ferry_tensor_f32_deinit(ferry_tensor_f32 *tensor, const ferry_heap *heap);

/// Element `index` of the whole tensor as a whole number: floats are rounded, NaN and what is too big become -1.
int64_t ferry_tensor_index_at(const ferry_tensor_view *view, int64_t index);

#endif // FERRY_SRC_VISION_TENSOR_F32_H_
