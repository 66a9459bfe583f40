// SPDX-License-Identifier: Apache-2.0
#include "vision/nms.h"

static float min_f(float a, float b)
{
    return a < b ? a : b;
}

static float max_f(float a, float b)
{
    return a > b ? a : b;
}

float ferry_box_iou(const float a[4], const float b[4])
{
    const float w = min_f(a[2], b[2]) - max_f(a[0], b[0]), h = min_f(a[3], b[3]) - max_f(a[1], b[1]);
    if (!(w > 0 && h > 0)) return 0;
    const float both = w * h;
    const float either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both;
    return either > 0 ? both / either : 0;
}

size_t ferry_nms(ferry_box_candidate *sorted, size_t count, float iou_limit, size_t most)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < most; i++) {
        bool keep = true;
        for (size_t k = 0; keep && k < kept && iou_limit < 1; k++) {
            keep = sorted[k].class_index != sorted[i].class_index ||
                   ferry_box_iou(sorted[k].box, sorted[i].box) <= iou_limit;
        }
        if (keep) sorted[kept++] = sorted[i]; // kept <= i: nothing unread is overwritten
    }
    return kept;
}
