// SPDX-License-Identifier: Apache-2.0
// The true objects of a collection, found by a picture's name.
#include "vision/coco_truth.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *stem_of(ferry_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return ferry_arena_strndup(arena, name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

ferry_status ferry_truth_add_picture(ferry_coco_truth *truth, const char *name, int64_t id, ferry_error *err)
{
    if (!ferry_heap_reserve(&truth->heap, (void **)&truth->pictures, &truth->picture_capacity, sizeof *truth->pictures,
                            truth->picture_count + 1)) {
        return ferry_fail_memory(err, "ground truth");
    }
    ferry_truth_picture *p = &truth->pictures[truth->picture_count];
    *p = (ferry_truth_picture){.name = ferry_arena_strdup(&truth->arena, name), .id = id};
    p->stem = stem_of(&truth->arena, name);
    if (!p->name || !p->stem) return ferry_fail_memory(err, "ground truth");
    truth->picture_count++;
    return FERRY_OK;
}

ferry_status ferry_truth_add_box(ferry_coco_truth *truth, const ferry_truth_box *box, ferry_error *err)
{
    if (!ferry_heap_reserve(&truth->heap, (void **)&truth->boxes, &truth->box_capacity, sizeof *truth->boxes,
                            truth->box_count + 1)) {
        return ferry_fail_memory(err, "ground truth");
    }
    truth->boxes[truth->box_count++] = *box;
    return FERRY_OK;
}

// Groups the boxes by picture, in their order, and sorts the pictures by stem.
static int by_stem(const void *a, const void *b)
{
    const ferry_truth_picture *x = a, *y = b;
    const int order = strcmp(x->stem, y->stem);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static ferry_status finish(ferry_coco_truth *t, ferry_error *err)
{
    ferry_truth_box *grouped = ferry_heap_alloc_array(&t->heap, t->box_count, sizeof *grouped);
    if (!grouped) return ferry_fail_memory(err, "ground truth");
    for (size_t i = 0; i < t->box_count; i++) t->pictures[t->boxes[i].picture].count++;
    size_t first = 0;
    for (size_t p = 0; p < t->picture_count; p++) {
        t->pictures[p].first = first;
        first += t->pictures[p].count;
        t->pictures[p].count = 0;
    }
    for (size_t i = 0; i < t->box_count; i++) {
        ferry_truth_picture *p = &t->pictures[t->boxes[i].picture];
        grouped[p->first + p->count++] = t->boxes[i];
    }
    ferry_heap_free(&t->heap, t->boxes, t->box_capacity * sizeof *t->boxes);
    t->boxes = grouped;
    t->box_capacity = t->box_count;
    if (t->picture_count > 0) qsort(t->pictures, t->picture_count, sizeof *t->pictures, by_stem);
    for (size_t p = 1; p < t->picture_count; p++) {
        if (strcmp(t->pictures[p - 1].stem, t->pictures[p].stem) != 0) continue;
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "the pictures '%.200s' and '%.200s' have one name but for folder and extension",
                          t->pictures[p - 1].name, t->pictures[p].name);
    }
    return FERRY_OK;
}

ferry_status ferry_coco_truth_read(const char *path, const ferry_heap *heap, ferry_coco_truth **out, ferry_error *error)
{
    *out = NULL;
    heap = ferry_heap_or_default(heap);
    ferry_coco_truth *t = ferry_new(heap, ferry_coco_truth);
    if (!t) return ferry_fail_memory(error, "ground truth");
    t->heap = *heap;
    ferry_arena_init(&t->arena, &t->heap);
    struct stat info;
    const bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    ferry_status status = is_folder ? ferry_truth_read_yolo(t, path, error) : ferry_truth_read_coco(t, path, error);
    if (status == FERRY_OK) {
        status = finish(t, error);
        if (status != FERRY_OK) status = ferry_within(error, status, "%s", path);
    }
    if (status == FERRY_OK) {
        *out = t;
        return FERRY_OK;
    }
    ferry_coco_truth_destroy(t);
    return status;
}

void ferry_coco_truth_destroy(ferry_coco_truth *truth)
{
    if (!truth) return;
    const ferry_heap heap = truth->heap;
    ferry_heap_free(&heap, truth->pictures, truth->picture_capacity * sizeof *truth->pictures);
    ferry_heap_free(&heap, truth->boxes, truth->box_capacity * sizeof *truth->boxes);
    ferry_arena_deinit(&truth->arena);
    ferry_delete(&heap, truth);
}

size_t ferry_coco_truth_picture_count(const ferry_coco_truth *truth)
{
    return truth->picture_count;
}

int64_t ferry_coco_truth_find(const ferry_coco_truth *truth, const char *picture_path)
{
    const char *slash = strrchr(picture_path, '/'), *name = slash ? slash + 1 : picture_path;
    const char *dot = strrchr(name, '.');
    const size_t length = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    size_t low = 0, high = truth->picture_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *stem = truth->pictures[middle].stem;
        int order = strncmp(stem, name, length);
        if (order == 0 && stem[length] != 0) order = 1;
        if (order == 0) return (int64_t)middle;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

const char *ferry_coco_truth_picture_name(const ferry_coco_truth *truth, size_t picture)
{
    return picture < truth->picture_count ? truth->pictures[picture].name : NULL;
}

size_t ferry_coco_truth_boxes(const ferry_coco_truth *truth, size_t picture, uint32_t width, uint32_t height,
                              ferry_true_box *out_boxes, size_t capacity)
{
    if (picture >= truth->picture_count) return 0;
    const ferry_truth_picture *p = &truth->pictures[picture];
    const double sx = truth->is_relative ? width : 1, sy = truth->is_relative ? height : 1;
    for (size_t i = 0; out_boxes && i < p->count && i < capacity; i++) {
        const ferry_truth_box *b = &truth->boxes[p->first + i];
        out_boxes[i] = (ferry_true_box){(float)(b->x1 * sx), (float)(b->y1 * sy), (float)(b->x2 * sx),
                                        (float)(b->y2 * sy), b->class_index,      b->is_crowd};
    }
    return p->count;
}
