// SPDX-License-Identifier: Apache-2.0
// A decoder's life: from a preset, a text or a file, until it is destroyed.
#include <stdio.h>
#include <string.h>

#include "vision/decoder_json.h"

#define MAX_FILE_BYTES ((size_t)1 << 20)

static ferry_status from_root(const json_t *root, const ferry_heap *heap, ferry_decoder **out, ferry_error *err)
{
    heap = ferry_heap_or_default(heap);
    ferry_decoder *d = ferry_new(heap, ferry_decoder);
    if (!d) return ferry_fail_memory(err, "decoder");
    d->heap = *heap;
    ferry_arena_init(&d->arena, &d->heap);
    const ferry_status status = ferry_decoder_read(d, root, err);
    if (status == FERRY_OK) {
        *out = d;
        return FERRY_OK;
    }
    ferry_decoder_destroy(d);
    return status;
}

ferry_status ferry_decoder_from_json(const char *json, size_t bytes, const ferry_heap *heap, ferry_decoder **out,
                                     ferry_error *error)
{
    *out = NULL;
    if (bytes > MAX_FILE_BYTES) {
        return ferry_fail(error, FERRY_ERR_BAD_DATA, "a decoder of %zu bytes: at most %zu are read", bytes,
                          MAX_FILE_BYTES);
    }
    json_t *root = NULL;
    FERRY_TRY(ferry_json_parse(json, bytes, &root, error));
    const ferry_status status = from_root(root, heap, out, error);
    json_decref(root);
    return status;
}

static ferry_status from_file(const char *path, const ferry_heap *heap, ferry_decoder **out, ferry_error *err)
{
    json_t *root = NULL;
    FERRY_TRY(ferry_json_parse_file(path, MAX_FILE_BYTES, &root, err));
    ferry_status status = from_root(root, heap, out, err);
    if (status != FERRY_OK) status = ferry_within(err, status, "%s", path);
    json_decref(root);
    return status;
}

ferry_status ferry_decoder_parse(const char *preset_or_path, const ferry_heap *heap, ferry_decoder **out,
                                 ferry_error *error)
{
    *out = NULL;
    const size_t length = strlen(preset_or_path);
    const bool path = strchr(preset_or_path, '/') || (length > 5 && strcmp(preset_or_path + length - 5, ".json") == 0);
    if (path) return from_file(preset_or_path, heap, out, error);
    const char *json = ferry_decoder_preset_json(preset_or_path);
    if (json) return ferry_decoder_from_json(json, strlen(json), heap, out, error);
    char known[400];
    size_t used = 0;
    const char *name;
    known[0] = 0;
    for (size_t i = 0; (name = ferry_decoder_preset_name(i)) != NULL && used < sizeof known; i++) {
        const int n = snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", name);
        used += n < 0 ? 0 : (size_t)n;
    }
    return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                      "decoder '%.100s' is not one of %s; the path of an own one holds a '/' or ends in .json",
                      preset_or_path, known);
}

void ferry_decoder_destroy(ferry_decoder *decoder)
{
    if (!decoder) return;
    ferry_arena_deinit(&decoder->arena);
    const ferry_heap heap = decoder->heap;
    ferry_delete(&heap, decoder);
}

ferry_task ferry_decoder_task(const ferry_decoder *decoder)
{
    return decoder->task;
}

const char *ferry_decoder_name(const ferry_decoder *decoder)
{
    return decoder->name;
}

int32_t ferry_decoder_class_offset(const ferry_decoder *decoder)
{
    return decoder->class_offset;
}

ferry_status ferry_decoder_set_class_offset(ferry_decoder *decoder, int64_t offset, ferry_error *error)
{
    if (offset < 0 || offset > FERRY_DECODER_MAX_CLASSES) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "class offset %lld is not in 0 to %d", (long long)offset,
                          FERRY_DECODER_MAX_CLASSES);
    }
    decoder->class_offset = (int32_t)offset;
    return FERRY_OK;
}
