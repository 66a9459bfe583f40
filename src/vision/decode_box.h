// SPDX-License-Identifier: Apache-2.0
// From raw numbers at one position to a box in pixels of the input.
#ifndef FERRY_SRC_VISION_DECODE_BOX_H_
#define FERRY_SRC_VISION_DECODE_BOX_H_

#include "vision/decoder_bind.h"

/// `samples` is the sample's data by output. False when the box is not finite.
bool ferry_decode_box(const ferry_binding *binding, const ferry_bound_level *level, const float *const *samples,
                      int64_t anchor, int64_t y, int64_t x, float out_box[4]);

/// One of the functions without softmax.
double ferry_decode_apply(ferry_decode_fn fn, double value);

#endif // FERRY_SRC_VISION_DECODE_BOX_H_
