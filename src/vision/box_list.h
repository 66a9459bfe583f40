// SPDX-License-Identifier: Apache-2.0
// The best boxes so far, at most so many: a bounded heap, so that a threshold of zero costs neither memory nor time.
#ifndef FERRY_SRC_VISION_BOX_LIST_H_
#define FERRY_SRC_VISION_BOX_LIST_H_

#include "base/heap.h"

typedef struct ferry_box_candidate {
    float box[4]; // x1, y1, x2, y2 in pixels: of the input first, then of the picture
    float score;
    int32_t class_index;
    uint64_t order; // among equal scores the lower comes first
} ferry_box_candidate;

typedef struct ferry_box_list {
    ferry_box_candidate *items; // a heap with the worst on top, until sorted
    size_t count, capacity, most;
    uint64_t offered; // how many there were, those included that were beaten
} ferry_box_list;

/// Empties the list. `most` > 0 is how many are kept.
void ferry_box_list_begin(ferry_box_list *candidates, size_t most);
/// False when memory is gone.
bool ferry_box_list_offer(ferry_box_list *candidates, const ferry_heap *heap, const ferry_box_candidate *candidate);
/// Best first; equal scores by order.
void ferry_box_list_sort(ferry_box_list *candidates);
void ferry_box_list_deinit(ferry_box_list *candidates, const ferry_heap *heap);

#endif // FERRY_SRC_VISION_BOX_LIST_H_
