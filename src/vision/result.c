// SPDX-License-Identifier: Apache-2.0
#include "vision/result.h"

#include <string.h>

ferry_status ferry_result_create(const ferry_heap *heap, ferry_result **out, ferry_error *error)
{
    *out = NULL;
    heap = ferry_heap_or_default(heap);
    ferry_result_store *store = ferry_new(heap, ferry_result_store);
    if (!store) return ferry_fail_memory(error, "result");
    store->heap = *heap;
    *out = &store->shown;
    return FERRY_OK;
}

void ferry_result_destroy(ferry_result *result)
{
    if (!result) return;
    ferry_result_store *store = (ferry_result_store *)result;
    const ferry_heap heap = store->heap;
    ferry_heap_free(&heap, store->classes, store->class_capacity * sizeof *store->classes);
    ferry_heap_free(&heap, store->detections, store->detection_capacity * sizeof *store->detections);
    ferry_heap_free(&heap, store->scratch, store->scratch_capacity * sizeof *store->scratch);
    ferry_heap_free(&heap, store->mask, store->mask_capacity);
    ferry_box_list_deinit(&store->candidates, &heap);
    ferry_picture_deinit(&store->map);
    ferry_delete(&heap, store);
}

ferry_result_store *ferry_result_begin(ferry_result *result)
{
    ferry_result_store *store = (ferry_result_store *)result;
    memset(&store->shown, 0, sizeof store->shown);
    ferry_picture_deinit(&store->map);
    return store;
}
