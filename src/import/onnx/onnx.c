// SPDX-License-Identifier: Apache-2.0
// One import from bytes to a checked graph: scan, unpack, read, sort, verify, infer.
#include "import/onnx/onnx.h"

#include <libgen.h>
#include <string.h>

#include "import/import.h"
#include "import/onnx/reader.h"
#include "import/onnx/wire.h"

// --- protobuf-c's memory: an arena that dies with the import, with a cap --------------------------------------------

typedef struct unpack_memory {
    ferry_arena *arena;
    size_t most_bytes;
    bool refused, exhausted; // by the cap; by the heap
} unpack_memory;

static void *unpack_alloc(void *user, size_t bytes)
{
    unpack_memory *m = user;
    if (bytes > m->most_bytes || m->arena->used_bytes > m->most_bytes - bytes) {
        m->refused = true;
        return NULL;
    }
    void *p = ferry_arena_alloc(m->arena, bytes);
    m->exhausted = m->exhausted || !p;
    return p;
}

static void unpack_free(void *user, void *pointer)
{
    (void)user;
    (void)pointer;
}

// A message of two bytes may become one of two hundred: many of them are no honest model.
static size_t fair_share(size_t slim_bytes)
{
    const size_t most = (size_t)4 << 30, base = (size_t)64 << 20;
    return slim_bytes > (most - base) / 32 ? most : base + 32 * slim_bytes;
}

// The message that the slim copy holds, in `arena`.
static ferry_status unpack(const ferry_onnx_slim *slim, const ProtobufCMessageDescriptor *what, ferry_arena *arena,
                           ProtobufCMessage **out, ferry_error *err)
{
    unpack_memory memory = {.arena = arena, .most_bytes = fair_share(slim->bytes)};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &memory};
    *out = protobuf_c_message_unpack(what, &allocator, slim->bytes, slim->data);
    if (*out) return FERRY_OK;
    if (memory.exhausted) return ferry_fail_memory(err, "reading the model");
    if (memory.refused)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the model describes more than a file of its size should");
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "protobuf cannot read it: the file is damaged or not ONNX");
}

static ferry_status read_message(ferry_onnx_file file, ferry_onnx_root root, const ProtobufCMessageDescriptor *what,
                                 ferry_arena *arena, ProtobufCMessage **out, ferry_error *err)
{
    ferry_onnx_slim slim = {0};
    FERRY_TRY(ferry_onnx_slim_make(file.data, file.bytes, root, arena->heap, &slim, err));
    const ferry_status s = unpack(&slim, what, arena, out, err);
    ferry_onnx_slim_free(&slim);
    return s;
}

// --- The import ----------------------------------------------------------------------------------------------------

typedef struct kept_map {
    const ferry_heap *heap;
    ferry_file_map map;
} kept_map;

static void release_map(void *object)
{
    kept_map *kept = object;
    ferry_file_map_close(&kept->map);
    ferry_delete(kept->heap, kept);
}

static ferry_status keep_map(ferry_onnx_reader *r, ferry_file_map *map, ferry_error *err)
{
    kept_map *kept = ferry_new(r->heap, kept_map);
    if (!kept) return ferry_fail_memory(err, "the model's file");
    *kept = (kept_map){r->heap, *map};
    *map = (ferry_file_map){0};
    return ferry_graph_keep(r->graph, kept, release_map, err);
}

static ferry_status finish(ferry_onnx_reader *r, const ferry_onnx_input *input, ferry_error *err)
{
    ferry_error reason = {{0}};
    const ferry_status sorted = ferry_graph_compact(r->graph, &reason);
    if (sorted != FERRY_OK) {
        ferry_onnx_problem(r, sorted, "model", NULL, reason.text);
        return ferry_report_status(r->report, sorted, err);
    }
    FERRY_TRY(ferry_graph_verify(r->graph, r->report, err));
    FERRY_TRY(ferry_graph_infer(r->graph, NULL, 0, false, r->report, err));
    if (r->borrowed) FERRY_TRY(keep_map(r, input->map, err));
    return ferry_onnx_externals_keep(&r->externals, r->graph, err);
}

static const char *folder_of(ferry_arena *arena, const ferry_onnx_input *input)
{
    char *copy = input->path ? ferry_arena_strdup(arena, input->path) : NULL;
    return copy ? dirname(copy) : input->folder;
}

ferry_status ferry_onnx_import(const ferry_onnx_input *input, const ferry_heap *heap, bool allow_nan, ferry_graph *out,
                               ferry_report *report, ferry_error *err)
{
    ferry_graph graph;
    ferry_graph_init(&graph, heap);
    ferry_onnx_reader r = {.heap = heap,
                           .report = report,
                           .file = {input->data, input->bytes},
                           .mapped = input->map != NULL,
                           .allow_nan = allow_nan,
                           .graph = &graph};
    ferry_arena_init(&r.scratch, heap);
    ferry_infer_walk_init(&r.walk, &graph, report, heap);
    ferry_onnx_externals_init(&r.externals, heap, folder_of(&r.scratch, input), input->path);
    ProtobufCMessage *message = NULL;
    ferry_status s =
        read_message(r.file, FERRY_ONNX_ROOT_MODEL, &ferry__onnx__model__descriptor, &r.scratch, &message, err);
    if (s == FERRY_OK) {
        r.model = (const Ferry__Onnx__Model *)message;
        if (!r.model->has_ir_version || !r.model->graph)
            s = ferry_fail(err, FERRY_ERR_BAD_MODEL, "holds no graph or no IR version: it is not an ONNX model");
    }
    if (s == FERRY_OK) s = ferry_onnx_read_model(&r, err);
    if (s == FERRY_OK) s = finish(&r, input, err);
    ferry_onnx_externals_deinit(&r.externals);
    ferry_infer_walk_deinit(&r.walk);
    ferry_arena_deinit(&r.scratch);
    if (s == FERRY_OK)
        *out = graph;
    else
        ferry_graph_deinit(&graph);
    return s;
}

// --- A tensor alone ------------------------------------------------------------------------------------------------

static ferry_status read_tensor(ferry_onnx_file file, ferry_arena *arena, ferry_tensor *out, const char **out_name,
                                ferry_error *err)
{
    ProtobufCMessage *message = NULL;
    FERRY_TRY(read_message(file, FERRY_ONNX_ROOT_TENSOR, &ferry__onnx__tensor__descriptor, arena, &message, err));
    const Ferry__Onnx__Tensor *t = (const Ferry__Onnx__Tensor *)message;
    ferry_shape shape;
    size_t bytes = 0;
    const void *place = NULL;
    FERRY_TRY(ferry_onnx_tensor_header(t, &out->dtype, &shape, &bytes, err));
    FERRY_TRY(ferry_onnx_tensor_locate(file, t, out->dtype, bytes, &place, err));
    out->rank = shape.rank;
    memcpy(out->dims, shape.dims, sizeof out->dims);
    out->data = ferry_arena_alloc(arena, bytes);
    *out_name = t->name ? t->name : "";
    if (!out->data) return ferry_fail_memory(err, "a tensor");
    if (!place) return ferry_onnx_tensor_decode(file, t, out->dtype, out->data, err);
    if (bytes) memcpy(out->data, place, bytes);
    if (out->dtype == FERRY_BOOL) ferry_onnx_normalise_bool(out->data, bytes);
    return FERRY_OK;
}

ferry_status ferry_onnx_read_tensor_file(const char *path, ferry_arena *arena, ferry_tensor *out, const char **out_name,
                                         ferry_error *err)
{
    *out = (ferry_tensor){0};
    *out_name = "";
    ferry_file_map map;
    FERRY_TRY(ferry_file_map_open(&map, path, err));
    const ferry_status s = read_tensor((ferry_onnx_file){map.data, map.bytes}, arena, out, out_name, err);
    ferry_file_map_close(&map);
    return s == FERRY_OK ? s : ferry_within(err, s, "%s", path);
}
