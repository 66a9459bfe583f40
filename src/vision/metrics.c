// SPDX-License-Identifier: Apache-2.0
// Accuracy by counting: top-k, and pixels by class.
#include "ferry/metrics.h"

void ferry_topk_add(ferry_topk_counts *counts, const ferry_result *result, int64_t true_class)
{
    counts->pictures++;
    for (size_t i = 0; i < result->class_count && i < 5; i++) {
        if (result->classes[i].class_index != true_class) continue;
        counts->top5++;
        if (i == 0) counts->top1++;
        return;
    }
}

void ferry_iou_add(ferry_iou_counts *counts, const uint8_t *truth, size_t truth_stride, const uint8_t *found,
                   size_t found_stride, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < height; y++, truth += truth_stride, found += found_stride) {
        for (uint32_t x = 0; x < width; x++) {
            const uint8_t t = truth[x], f = found[x];
            if (t == 255) continue;
            counts->pixels++;
            if (t == f) {
                counts->right++;
                counts->both[t]++;
            } else {
                counts->true_only[t]++;
                if (f != 255) counts->found_only[f]++;
            }
        }
    }
}

double ferry_iou_mean(const ferry_iou_counts *counts, size_t *out_class_count)
{
    double sum = 0;
    size_t classes = 0;
    for (int c = 0; c < 255; c++) {
        if (counts->both[c] + counts->true_only[c] == 0) continue;
        sum += (double)counts->both[c] / (double)(counts->both[c] + counts->true_only[c] + counts->found_only[c]);
        classes++;
    }
    if (out_class_count) *out_class_count = classes;
    return classes > 0 ? sum / (double)classes : 0;
}

double ferry_iou_pixel_accuracy(const ferry_iou_counts *counts)
{
    return counts->pixels > 0 ? (double)counts->right / (double)counts->pixels : 0;
}
