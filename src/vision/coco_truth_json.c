// SPDX-License-Identifier: Apache-2.0
// A COCO "instances" JSON: images, annotations, categories. Members that ferry has no use for are let be.
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "vision/coco_truth.h"

#define MAX_JSON_BYTES ((size_t)1 << 30)

typedef struct id_index {
    int64_t id;
    size_t index;
} id_index;

typedef struct id_map {
    id_index *items; // sorted by id
    size_t count;
} id_map;

static int by_id(const void *a, const void *b)
{
    const id_index *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id ? 1 : 0;
}

static const id_index *find_id(const id_map *map, int64_t id)
{
    const id_index key = {id, 0};
    return map->count > 0 ? bsearch(&key, map->items, map->count, sizeof key, by_id) : NULL;
}

static ferry_status get_list(const json_t *root, const char *key, const json_t **out, ferry_error *err)
{
    *out = json_object_get(root, key);
    if (json_is_array(*out)) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA,
                      "no list '%s': a COCO instances file has images, annotations, categories", key);
}

// The ids of a list's members, sorted; none may occur twice.
static ferry_status map_ids(ferry_arena *arena, const json_t *list, const char *what, id_map *out, ferry_error *err)
{
    out->count = json_array_size(list);
    out->items = ferry_arena_alloc_array(arena, out->count, sizeof *out->items);
    if (!out->items) return ferry_fail_memory(err, "ground truth");
    for (size_t i = 0; i < out->count; i++) {
        const json_t *id = json_object_get(json_array_get(list, i), "id");
        if (!json_is_integer(id)) {
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s[%zu] has no whole number 'id'", what, i);
        }
        out->items[i] = (id_index){json_integer_value(id), i};
    }
    if (out->count > 0) qsort(out->items, out->count, sizeof *out->items, by_id);
    for (size_t i = 1; i < out->count; i++) {
        if (out->items[i].id != out->items[i - 1].id) continue;
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: the id %lld occurs twice", what, (long long)out->items[i].id);
    }
    return FERRY_OK;
}

static ferry_status add_annotation(ferry_coco_truth *t, const json_t *a, const id_map *images, const id_map *categories,
                                   ferry_error *err)
{
    const json_t *image = json_object_get(a, "image_id"), *category = json_object_get(a, "category_id");
    const id_index *i = json_is_integer(image) ? find_id(images, json_integer_value(image)) : NULL;
    const id_index *c = json_is_integer(category) ? find_id(categories, json_integer_value(category)) : NULL;
    if (!i || !c) return ferry_fail(err, FERRY_ERR_BAD_DATA, "'image_id' or 'category_id' is not one of the file's");
    const json_t *bbox = json_object_get(a, "bbox"), *crowd = json_object_get(a, "iscrowd");
    double v[4];
    for (size_t k = 0; k < 4; k++) {
        const json_t *n = json_array_size(bbox) == 4 ? json_array_get(bbox, k) : NULL;
        if (!json_is_number(n) || !(fabs(json_number_value(n)) <= 1e7)) {
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "'bbox' is not [x, y, width, height]");
        }
        v[k] = json_number_value(n);
    }
    const ferry_truth_box box = {.x1 = v[0],
                                 .y1 = v[1],
                                 .x2 = v[0] + v[2],
                                 .y2 = v[1] + v[3],
                                 .class_index = (int32_t)(c - categories->items),
                                 .is_crowd = json_is_true(crowd) || json_integer_value(crowd) == 1,
                                 .picture = i->index};
    return ferry_truth_add_box(t, &box, err);
}

static ferry_status read_root(ferry_coco_truth *t, const json_t *root, ferry_arena *scratch, ferry_error *err)
{
    const json_t *images, *annotations, *categories;
    id_map image_map, category_map;
    FERRY_TRY(get_list(root, "images", &images, err));
    FERRY_TRY(get_list(root, "annotations", &annotations, err));
    FERRY_TRY(get_list(root, "categories", &categories, err));
    FERRY_TRY(map_ids(scratch, images, "images", &image_map, err));
    FERRY_TRY(map_ids(scratch, categories, "categories", &category_map, err));
    if (category_map.count > FERRY_TRUTH_MAX_CLASS) return ferry_fail(err, FERRY_ERR_BAD_DATA, "too many categories");
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *image = json_array_get(images, i);
        const char *name = json_string_value(json_object_get(image, "file_name"));
        if (!name) return ferry_fail(err, FERRY_ERR_BAD_DATA, "images[%zu] has no 'file_name'", i);
        FERRY_TRY(ferry_truth_add_picture(t, name, json_integer_value(json_object_get(image, "id")), err));
    }
    for (size_t i = 0; i < json_array_size(annotations); i++) {
        const ferry_status status = add_annotation(t, json_array_get(annotations, i), &image_map, &category_map, err);
        if (status != FERRY_OK) return ferry_within(err, status, "annotations[%zu]", i);
    }
    return FERRY_OK;
}

ferry_status ferry_truth_read_coco(ferry_coco_truth *truth, const char *path, ferry_error *err)
{
    json_t *root = NULL;
    FERRY_TRY(ferry_json_parse_file(path, MAX_JSON_BYTES, &root, err));
    ferry_arena scratch;
    ferry_arena_init(&scratch, &truth->heap);
    ferry_status status = read_root(truth, root, &scratch, err);
    if (status != FERRY_OK) status = ferry_within(err, status, "%s", path);
    ferry_arena_deinit(&scratch);
    json_decref(root);
    return status;
}
