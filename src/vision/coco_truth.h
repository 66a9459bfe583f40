// SPDX-License-Identifier: Apache-2.0
// What the two readers of ground truth fill in.
#ifndef FERRY_SRC_VISION_COCO_TRUTH_H_
#define FERRY_SRC_VISION_COCO_TRUTH_H_

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"
#include "ferry/metrics.h"

typedef struct ferry_truth_picture {
    const char *name;    // as recorded
    const char *stem;    // without folders and extension
    int64_t id;          // COCO's own; 0 for YOLO
    size_t first, count; // of its boxes
} ferry_truth_picture;

typedef struct ferry_truth_box {
    double x1, y1, x2, y2; // pixels, or relative to the picture
    int32_t class_index;
    bool is_crowd;
    size_t picture; // until the boxes are sorted by it
} ferry_truth_box;

struct ferry_coco_truth {
    ferry_heap heap;
    ferry_arena arena;
    ferry_truth_picture *pictures; // sorted by stem once complete
    size_t picture_count, picture_capacity;
    ferry_truth_box *boxes;
    size_t box_count, box_capacity;
    bool is_relative;
};

enum { FERRY_TRUTH_MAX_CLASS = 1000000 };

/// Appends a picture; its index is picture_count - 1 afterwards.
ferry_status ferry_truth_add_picture(ferry_coco_truth *truth, const char *name, int64_t id, ferry_error *err);
/// Appends a box to picture `box->picture`.
ferry_status ferry_truth_add_box(ferry_coco_truth *truth, const ferry_truth_box *box, ferry_error *err);

ferry_status ferry_truth_read_yolo(ferry_coco_truth *truth, const char *folder, ferry_error *err);
ferry_status ferry_truth_read_coco(ferry_coco_truth *truth, const char *path, ferry_error *err);

#endif // FERRY_SRC_VISION_COCO_TRUTH_H_
