// SPDX-License-Identifier: Apache-2.0
// Initialisers: borrowed from the file where they lie aligned for their type, copied else.
#include "import/onnx/reader.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Pages of the map that were copied need not stay in memory: an import takes one copy of the weights, not two.
static void drop_pages(const void *data, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = ((uintptr_t)data + page - 1) & ~(page - 1), to = ((uintptr_t)data + bytes) & ~(page - 1);
    if (to > from) madvise((void *)from, to - from, MADV_DONTNEED);
}

// In steps, so that even a single tensor that is the whole file is never there twice.
static void copy_out_of_map(char *to, const char *from, size_t bytes)
{
    enum { STEP = 1 << 20 };
    for (size_t at = 0; at < bytes; at += STEP) {
        memcpy(to + at, from + at, bytes - at < STEP ? bytes - at : STEP);
        // From the beginning of the page that the last step ended in.
        const size_t again = at < 65536 ? at : 65536;
        drop_pages(from + at - again, again + (bytes - at < STEP ? bytes - at : STEP));
    }
}

static ferry_status find_data(ferry_onnx_reader *r, const Ferry__Onnx__Tensor *t, ferry_dtype dtype, size_t bytes,
                              const void **place, bool *mapped, ferry_error *err)
{
    if (t->data_location == FERRY_ONNX_LOCATION_EXTERNAL) {
        *mapped = true;
        const uint8_t *data = NULL;
        FERRY_TRY(ferry_onnx_externals_find(&r->externals, t, bytes, &data, err));
        *place = data;
        return FERRY_OK;
    }
    *mapped = r->mapped;
    return ferry_onnx_tensor_locate(r->file, t, dtype, bytes, place, err);
}

static bool is_clean_bool(const uint8_t *data, size_t count)
{
    uint8_t all = 0;
    for (size_t i = 0; i < count; i++) all |= data[i];
    return all <= 1;
}

ferry_status ferry_onnx_constant_data(ferry_onnx_reader *r, const Ferry__Onnx__Tensor *t, ferry_dtype *dtype,
                                      ferry_shape *shape, const void **data, size_t *data_bytes, ferry_error *err)
{
    FERRY_TRY(ferry_onnx_tensor_header(t, dtype, shape, data_bytes, err));
    const size_t bytes = *data_bytes;
    const void *place = NULL;
    bool mapped = false;
    FERRY_TRY(find_data(r, t, *dtype, bytes, &place, &mapped, err));
    const bool aligned = (uintptr_t)place % ferry_dtype_bytes(*dtype) == 0;
    if (place && mapped && aligned && (*dtype != FERRY_BOOL || is_clean_bool(place, bytes))) {
        if (t->data_location != FERRY_ONNX_LOCATION_EXTERNAL) r->borrowed = true;
        *data = place;
    } else {
        void *room = ferry_graph_constant_room(r->graph, bytes);
        if (!room) return ferry_fail_memory(err, "weights");
        if (place && mapped)
            copy_out_of_map(room, place, bytes);
        else if (place && bytes)
            memcpy(room, place, bytes);
        if (!place) FERRY_TRY(ferry_onnx_tensor_decode(r->file, t, *dtype, room, err));
        if (*dtype == FERRY_BOOL) ferry_onnx_normalise_bool(room, bytes);
        *data = room;
    }
    return ferry_onnx_check_nan(r->allow_nan, *dtype, *data, bytes, err);
}

static ferry_status read_initializer(ferry_onnx_reader *r, const Ferry__Onnx__Tensor *t, ferry_error *err)
{
    if (!t->name || !*t->name) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "it has no name");
    if (ferry_graph_find_value(r->graph, t->name) != FERRY_NO_VALUE)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "there are two of that name");
    ferry_dtype dtype = FERRY_DTYPE_NONE;
    ferry_shape shape = ferry_shape_unknown();
    const void *data = NULL;
    size_t bytes = 0;
    ferry_value_id id;
    const ferry_status s = ferry_onnx_constant_data(r, t, &dtype, &shape, &data, &bytes, err);
    if (s == FERRY_OK) return ferry_graph_add_constant(r->graph, t->name, dtype, &shape, data, bytes, false, &id, err);
    // The name is known all the same, so that nodes that read it are not reported too; their shapes stay untold.
    if (s == FERRY_ERR_OUT_OF_MEMORY) return s;
    FERRY_TRY(ferry_graph_add_value(r->graph, t->name, dtype, NULL, &id, NULL));
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, NULL));
    r->walk.values[id].failed = true;
    return s;
}

ferry_status ferry_onnx_read_initializers(ferry_onnx_reader *r, ferry_error *err)
{
    const Ferry__Onnx__Graph *g = r->model->graph;
    for (size_t i = 0; i < g->n_initializer; i++) {
        ferry_error reason = {{0}};
        const char *name = g->initializer[i]->name;
        const ferry_status s = read_initializer(r, g->initializer[i], &reason);
        if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail_memory(err, "weights");
        if (s != FERRY_OK) ferry_onnx_problem(r, s, "initializer", name ? name : "", reason.text);
    }
    for (size_t i = 0; i < g->n_sparse_initializer; i++) {
        const Ferry__Onnx__Tensor *values = g->sparse_initializer[i]->values;
        ferry_onnx_problem(r, FERRY_ERR_UNSUPPORTED, "initializer", values && values->name ? values->name : "",
                           "sparse weights are not supported: export them as a dense tensor");
    }
    return FERRY_OK;
}
