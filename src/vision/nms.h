// SPDX-License-Identifier: Apache-2.0
// Non-maximum suppression: of boxes that show the same thing, the best one stays.
#ifndef FERRY_SRC_VISION_NMS_H_
#define FERRY_SRC_VISION_NMS_H_

#include "vision/box_list.h"

/// Intersection over union of two boxes x1, y1, x2, y2; 0 when both are empty.
float ferry_box_iou(const float a[4], const float b[4]);

/// Keeps of `sorted` (best first) the first `most` that overlap no better kept one of their class by more than
/// `iou_limit` (1 or more: all are kept), moved to the front in their order. Returns how many there are.
/// Takes at most most * count comparisons.
size_t ferry_nms(ferry_box_candidate *sorted, size_t count, float iou_limit, size_t most);

#endif // FERRY_SRC_VISION_NMS_H_
