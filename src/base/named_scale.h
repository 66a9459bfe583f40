// SPDX-License-Identifier: Apache-2.0
// What calibration hands to the passes: a tensor's name and its INT8 scale.
#ifndef FERRY_SRC_BASE_NAMED_SCALE_H_
#define FERRY_SRC_BASE_NAMED_SCALE_H_

/// A calibrated scale of a tensor, by the name it has in the model.
typedef struct ferry_named_scale {
    const char *name;
    float scale; // amax / 127; 0: none is known, and the tensor stays in float
} ferry_named_scale;

#endif // FERRY_SRC_BASE_NAMED_SCALE_H_
