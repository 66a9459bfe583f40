// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "engine/engine_file.h"

void ferry_engine_image_init(ferry_engine_image *image, const ferry_heap *heap)
{
    *image = (ferry_engine_image){.heap = heap, .portable = true};
    ferry_arena_init(&image->arena, heap);
    ferry_graph_init(&image->graph, heap);
}

void ferry_engine_image_deinit(ferry_engine_image *image)
{
    if (!image->heap) return;
    for (size_t i = 0; i < image->n_tuned; i++) ferry_plan_deinit(&image->tuned[i]);
    ferry_graph_deinit(&image->graph);
    ferry_arena_deinit(&image->arena);
    ferry_file_map_close(&image->map);
    *image = (ferry_engine_image){0};
}

ferry_status ferry_engine_image_set_text(ferry_engine_image *image, const char *key, const char *value,
                                         ferry_error *err)
{
    const char *copy = ferry_arena_strdup(&image->arena, value);
    if (!copy) return ferry_fail_memory(err, "an engine's texts");
    for (size_t i = 0; i < image->n_texts; i++)
        if (strcmp(image->texts[i].key, key) == 0) {
            image->texts[i].value = copy;
            return FERRY_OK;
        }
    ferry_engine_text_entry *grown = ferry_arena_alloc_array(&image->arena, image->n_texts + 1, sizeof *grown);
    const char *name = ferry_arena_strdup(&image->arena, key);
    if (!grown || !name) return ferry_fail_memory(err, "an engine's texts");
    if (image->n_texts) memcpy(grown, image->texts, image->n_texts * sizeof *grown);
    grown[image->n_texts++] = (ferry_engine_text_entry){name, copy};
    image->texts = grown;
    return FERRY_OK;
}

const char *ferry_engine_image_text(const ferry_engine_image *image, const char *key)
{
    for (size_t i = 0; i < image->n_texts; i++)
        if (strcmp(image->texts[i].key, key) == 0) return image->texts[i].value;
    return NULL;
}
