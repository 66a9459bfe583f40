// SPDX-License-Identifier: Apache-2.0
// Results for other programs.
#include "base/json.h"
#include "vision/result.h"

static void put(json_t *object, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(object, key, value) != 0) *ok = false;
}

static json_t *class_object(int64_t class_index, const ferry_labels *labels, bool *ok)
{
    json_t *o = json_object();
    put(o, "class", json_integer(class_index), ok);
    const char *label = ferry_labels_get(labels, class_index);
    if (label) put(o, "label", json_string(label), ok);
    return o;
}

static void append(json_t *list, json_t *value, bool *ok)
{
    if (json_array_append_new(list, value) != 0) *ok = false;
}

static json_t *write_classes(const ferry_result *r, const ferry_labels *labels, bool *ok)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->class_count; i++) {
        json_t *o = class_object(r->classes[i].class_index, labels, ok);
        put(o, "score", json_real(r->classes[i].score), ok);
        append(list, o, ok);
    }
    return list;
}

static json_t *write_detections(const ferry_result *r, const ferry_labels *labels, bool *ok)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->detection_count; i++) {
        const ferry_detection *d = &r->detections[i];
        const float sides[4] = {d->x1, d->y1, d->x2, d->y2};
        json_t *o = class_object(d->class_index, labels, ok), *box = json_array();
        put(o, "score", json_real(d->score), ok);
        for (int k = 0; k < 4; k++) append(box, json_real(sides[k]), ok);
        put(o, "box", box, ok);
        append(list, o, ok);
    }
    return list;
}

static json_t *write_map(const ferry_result *r, const ferry_labels *labels, bool *ok)
{
    uint64_t pixels[256] = {0};
    const ferry_picture *map = r->class_map;
    for (uint32_t y = 0; y < map->height; y++) {
        for (uint32_t x = 0; x < map->width; x++) pixels[map->pixels[y * map->stride_bytes + x]]++;
    }
    json_t *list = json_array();
    for (int c = 0; c < FERRY_CLASS_NONE; c++) {
        if (pixels[c] == 0) continue;
        json_t *o = class_object(c, labels, ok);
        put(o, "pixels", json_integer((json_int_t)pixels[c]), ok);
        append(list, o, ok);
    }
    return list;
}

ferry_status ferry_result_to_json(const ferry_result *result, const ferry_labels *labels, const ferry_heap *heap,
                                  char **out_text, ferry_error *error)
{
    *out_text = NULL;
    bool ok = true;
    json_t *o = json_object();
    put(o, "task", json_string(ferry_task_name(result->task)), &ok);
    if (result->task == FERRY_TASK_CLASSIFY) put(o, "classes", write_classes(result, labels, &ok), &ok);
    if (result->task == FERRY_TASK_DETECT) put(o, "detections", write_detections(result, labels, &ok), &ok);
    if (result->task == FERRY_TASK_SEGMENT) {
        put(o, "width", json_integer(result->class_map->width), &ok);
        put(o, "height", json_integer(result->class_map->height), &ok);
        put(o, "classes", write_map(result, labels, &ok), &ok);
    }
    if (result->nonfinite_count > 0) put(o, "nonfinite", json_integer((json_int_t)result->nonfinite_count), &ok);
    const ferry_status status =
        ok ? ferry_json_write(o, heap, out_text, error) : ferry_fail_memory(error, "result's JSON");
    json_decref(o);
    return status;
}
