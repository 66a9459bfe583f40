// SPDX-License-Identifier: Apache-2.0
// The memory behind a public result. It only grows, so that decoding a stream of pictures soon allocates nothing.
#ifndef FERRY_SRC_VISION_RESULT_H_
#define FERRY_SRC_VISION_RESULT_H_

#include "base/heap.h"
#include "base/status.h"
#include "ferry/decode.h"
#include "ferry/picture.h"
#include "vision/box_list.h"

typedef struct ferry_result_store {
    ferry_result shown; // first: a ferry_result * is a ferry_result_store *
    ferry_heap heap;
    ferry_class_score *classes;
    size_t class_capacity;
    ferry_detection *detections;
    size_t detection_capacity;
    ferry_box_list candidates;
    float *scratch; // one value per class
    size_t scratch_capacity;
    uint8_t *mask;
    size_t mask_capacity;
    ferry_picture map;
} ferry_result_store;

/// Empties the result and returns the store behind it.
ferry_result_store *ferry_result_begin(ferry_result *result);

#endif // FERRY_SRC_VISION_RESULT_H_
