// SPDX-License-Identifier: Apache-2.0
#include "import/onnx/external.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_map.h"
#include "base/strings.h"
#include "graph/graph.h"

struct ferry_onnx_external {
    struct ferry_onnx_external *next;
    const ferry_heap *heap;
    const char *location; // as the tensors name it; owned by the arena of the list
    ferry_file_map map;
};

// A path with its symbolic links resolved, in the arena; NULL when there is no such file.
static const char *resolve(ferry_arena *arena, const char *path)
{
    char *real = realpath(path, NULL);
    const char *own = real ? ferry_arena_strdup(arena, real) : NULL;
    free(real); // from the C library, not from our heap
    return own;
}

void ferry_onnx_externals_init(ferry_onnx_externals *e, const ferry_heap *heap, const char *folder,
                               const char *model_path)
{
    *e = (ferry_onnx_externals){.heap = heap, .folder = folder};
    ferry_arena_init(&e->arena, heap);
    if (folder) e->real_folder = resolve(&e->arena, *folder ? folder : ".");
    // Model stores keep a link to the model beside links to its data, all of which lie in another folder together.
    const char *real_model = model_path ? resolve(&e->arena, model_path) : NULL;
    char *copy = real_model ? ferry_arena_strdup(&e->arena, real_model) : NULL;
    if (copy) e->real_model_folder = dirname(copy);
}

static void close_file(struct ferry_onnx_external *file)
{
    ferry_file_map_close(&file->map);
    ferry_delete(file->heap, file);
}

void ferry_onnx_externals_deinit(ferry_onnx_externals *e)
{
    if (!e->heap) return;
    for (struct ferry_onnx_external *f = e->files; f;) {
        struct ferry_onnx_external *next = f->next;
        close_file(f);
        f = next;
    }
    ferry_arena_deinit(&e->arena);
    *e = (ferry_onnx_externals){0};
}

static bool has_parent_step(const char *location)
{
    ferry_text rest = ferry_text_of(location), step;
    while (ferry_text_next(&rest, '/', &step))
        if (ferry_text_equal(step, "..")) return true;
    return false;
}

static bool lies_in(const char *folder, const char *path)
{
    if (!folder) return false;
    const size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static ferry_status open_external(ferry_onnx_externals *e, const char *location, const struct ferry_onnx_external **out,
                                  ferry_error *err)
{
    for (const struct ferry_onnx_external *f = e->files; f; f = f->next) {
        if (strcmp(f->location, location) != 0) continue;
        *out = f;
        return FERRY_OK;
    }
    if (!e->folder)
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "its data are in the file '%s' beside the model, but the model came from memory: import the file, "
            "or give the folder",
            location);
    if (*location == 0 || *location == '/' || has_parent_step(location))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "its data are said to be in '%s': only files in the model's own folder are read", location);
    const char *path = ferry_arena_printf(&e->arena, "%s/%s", *e->folder ? e->folder : ".", location);
    if (!path) return ferry_fail_memory(err, "external data");
    const char *real = resolve(&e->arena, path);
    if (!real)
        return ferry_fail(err, FERRY_ERR_IO,
                          "its data should be in the file '%s', which is missing: copy it beside the model", path);
    if (!lies_in(e->real_folder, real) && !lies_in(e->real_model_folder, real))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "its data file '%s' is a link that leaves the model's folder, to '%s'", path, real);
    struct ferry_onnx_external *file = ferry_new(e->heap, struct ferry_onnx_external);
    if (!file) return ferry_fail_memory(err, "external data");
    file->heap = e->heap;
    file->location = ferry_arena_strdup(&e->arena, location);
    ferry_status s =
        file->location ? ferry_file_map_open(&file->map, real, err) : ferry_fail_memory(err, "external data");
    if (s != FERRY_OK) {
        close_file(file);
        return s;
    }
    file->next = e->files;
    e->files = file;
    *out = file;
    return FERRY_OK;
}

static const char *find_entry(const Ferry__Onnx__Tensor *t, const char *key)
{
    for (size_t i = 0; i < t->n_external_data; i++)
        if (t->external_data[i]->key && strcmp(t->external_data[i]->key, key) == 0)
            return t->external_data[i]->value ? t->external_data[i]->value : "";
    return NULL;
}

static ferry_status read_number(const Ferry__Onnx__Tensor *t, const char *key, uint64_t otherwise, uint64_t *out,
                                ferry_error *err)
{
    const char *text = find_entry(t, key);
    *out = otherwise;
    if (text && !ferry_parse_u64(ferry_text_of(text), out))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the %s of its external data is '%s', a number is needed", key,
                          text);
    return FERRY_OK;
}

ferry_status ferry_onnx_externals_find(ferry_onnx_externals *e, const Ferry__Onnx__Tensor *tensor, size_t bytes,
                                       const uint8_t **out, ferry_error *err)
{
    const char *location = find_entry(tensor, "location");
    if (!location) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "its data are external, but no location is given");
    uint64_t offset = 0, length = 0;
    FERRY_TRY(read_number(tensor, "offset", 0, &offset, err));
    FERRY_TRY(read_number(tensor, "length", bytes, &length, err));
    if (length != bytes)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "its data in '%s' have %" PRIu64 " bytes, its shape and type need %zu", location, length,
                          bytes);
    const struct ferry_onnx_external *file = NULL;
    FERRY_TRY(open_external(e, location, &file, err));
    if (offset > file->map.bytes || bytes > file->map.bytes - offset)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "its data should be %zu bytes at offset %" PRIu64 " of '%s', which has only %zu bytes", bytes,
                          offset, location, file->map.bytes);
    *out = file->map.data + offset;
    return FERRY_OK;
}

static void release_file(void *object)
{
    close_file(object);
}

ferry_status ferry_onnx_externals_keep(ferry_onnx_externals *e, ferry_graph *graph, ferry_error *err)
{
    while (e->files) {
        struct ferry_onnx_external *file = e->files;
        e->files = file->next;
        file->location = NULL; // dies with the list's arena
        FERRY_TRY(ferry_graph_keep(graph, file, release_file, err));
    }
    return FERRY_OK;
}
