// SPDX-License-Identifier: Apache-2.0
// A decoder's result drawn into its picture, whatever kind it is.
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/status.h"
#include "ferry/draw.h"
#include "vision/picture_internal.h"

static ferry_status draw_classes(ferry_picture *picture, const ferry_result *result, const ferry_labels *labels,
                                 const ferry_draw_options *options, const ferry_heap *heap, ferry_error *err)
{
    enum { MOST = 20 };
    ferry_draw_entry entries[MOST];
    const size_t count = result->class_count < MOST ? result->class_count : MOST;
    for (size_t i = 0; i < count; i++) {
        const ferry_class_score *c = &result->classes[i];
        entries[i] = (ferry_draw_entry){(uint32_t)c->class_index, c->score, ferry_labels_get(labels, c->class_index)};
    }
    return ferry_draw_classes(picture, entries, count, options, heap, err);
}

static ferry_status draw_detections(ferry_picture *picture, const ferry_result *result, const ferry_labels *labels,
                                    const ferry_draw_options *options, const ferry_heap *heap, ferry_error *err)
{
    const size_t count = result->detection_count;
    if (count == 0) return FERRY_OK;
    ferry_draw_box *boxes = ferry_heap_alloc_array(heap, count, sizeof *boxes);
    if (!boxes) return ferry_fail_memory(err, "boxes to draw");
    for (size_t i = 0; i < count; i++) {
        const ferry_detection *d = &result->detections[i];
        boxes[i] = (ferry_draw_box){
            d->x1, d->y1, d->x2, d->y2, (uint32_t)d->class_index, d->score, ferry_labels_get(labels, d->class_index)};
    }
    const ferry_status s = ferry_draw_boxes(picture, boxes, count, options, heap, err);
    ferry_heap_free(heap, boxes, count * sizeof *boxes);
    return s;
}

typedef struct coverage {
    uint32_t class_index;
    uint64_t pixels;
} coverage;

static int more_pixels_first(const void *a, const void *b)
{
    const coverage *x = a, *y = b;
    if (x->pixels != y->pixels) return x->pixels > y->pixels ? -1 : 1;
    return x->class_index < y->class_index ? -1 : x->class_index > y->class_index;
}

// Classes of the map by size; returns how many there are.
static size_t measure(const ferry_picture *map, uint32_t background, coverage out[256])
{
    for (uint32_t i = 0; i < 256; i++) out[i] = (coverage){i, 0};
    for (uint32_t y = 0; y < map->height; y++) {
        const uint8_t *row = ferry_picture_row(map, y);
        for (uint32_t x = 0; x < map->width; x++) out[row[x]].pixels++;
    }
    out[FERRY_CLASS_NONE].pixels = 0;
    if (background < 256) out[background].pixels = 0;
    qsort(out, 256, sizeof *out, more_pixels_first);
    size_t count = 0;
    while (count < 256 && out[count].pixels > 0) count++;
    return count;
}

static ferry_status draw_class_map(ferry_picture *picture, const ferry_result *result, const ferry_labels *labels,
                                   const ferry_draw_options *options, const ferry_heap *heap, ferry_error *err)
{
    const char *zero = ferry_labels_get(labels, 0);
    const bool named = zero && (strcmp(zero, "background") == 0 || strcmp(zero, "__background__") == 0);
    const uint32_t background = named ? 0 : UINT32_MAX;
    coverage classes[256];
    ferry_draw_entry entries[256];
    FERRY_TRY(ferry_draw_mask(picture, result->class_map, background, options, err));
    const size_t count = measure(result->class_map, background, classes);
    const double total = (double)result->class_map->width * result->class_map->height;
    for (size_t i = 0; i < count; i++) {
        entries[i] = (ferry_draw_entry){classes[i].class_index, (float)((double)classes[i].pixels / total),
                                        ferry_labels_get(labels, classes[i].class_index)};
    }
    return ferry_draw_legend(picture, entries, count, options, heap, err);
}

ferry_status ferry_draw_result(ferry_picture *picture, const ferry_result *result, const ferry_labels *labels,
                               const ferry_draw_options *options, const ferry_heap *heap, ferry_error *error)
{
    heap = ferry_heap_or_default(heap);
    switch (result->task) {
    case FERRY_TASK_CLASSIFY:
        return draw_classes(picture, result, labels, options, heap, error);
    case FERRY_TASK_DETECT:
        return draw_detections(picture, result, labels, options, heap, error);
    case FERRY_TASK_SEGMENT:
        return result->class_map ? draw_class_map(picture, result, labels, options, heap, error) : FERRY_OK;
    case FERRY_TASK_RAW:
        break;
    }
    return FERRY_OK;
}
