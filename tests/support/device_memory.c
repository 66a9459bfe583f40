// SPDX-License-Identifier: Apache-2.0
#include "support/device_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define MOST 32
#define GUARD 512 // bytes on either side
#define ALIGN 256
#define PATTERN 0xA5
#define GARBAGE 0xFF // NaN

// One piece of host memory, and where it is in the block on the device.
typedef struct mirror {
    char *host;
    size_t bytes, at;
} mirror;

// All tensors lie in one block, so that one kernel makes them all.
typedef struct mirrors {
    ferry_device *device;
    ferry_device_stream *stream;
    mirror items[MOST];
    int32_t count;
    size_t room; // of the block, GUARD bytes around each item
    char *image; // of the block, on the host
    char *block;
} mirrors;

static const mirror *find(const mirrors *m, const char *p)
{
    for (int32_t i = 0; i < m->count; i++)
        if (p >= m->items[i].host && p <= m->items[i].host + m->items[i].bytes) return &m->items[i];
    return NULL;
}

static ferry_status collect(mirrors *m, const device_tensor *tensors, int32_t n, ferry_error *err)
{
    for (int32_t i = 0; i < n; i++) {
        const guarded *memory = tensors[i].memory;
        if (find(m, tensors[i].binding->data)) continue;
        if (m->count == MOST) return ferry_fail(err, FERRY_ERR_INTERNAL, "too many tensors");
        m->items[m->count++] = (mirror){.host = memory->data, .bytes = memory->bytes, .at = m->room + GUARD};
        m->room = ferry_align_size(m->room + 2 * GUARD + memory->bytes, ALIGN);
        if (!find(m, tensors[i].binding->data))
            return ferry_fail(err, FERRY_ERR_INTERNAL, "a binding outside of its memory");
    }
    return FERRY_OK;
}

// The bindings of the same tensors on the device.
static void translate(const mirrors *m, const device_tensor *tensors, int32_t n, ferry_binding *out)
{
    for (int32_t i = 0; i < n; i++) {
        const mirror *item = find(m, tensors[i].binding->data);
        out[i] = *tensors[i].binding;
        out[i].data = m->block + item->at + ((char *)tensors[i].binding->data - item->host);
    }
}

static ferry_status move(const mirrors *m, ferry_copy_kind kind, void *to, const void *from, size_t bytes,
                         ferry_error *err)
{
    const ferry_backend *backend = m->device->backend;
    FERRY_TRY(backend->copy(m->stream, kind, to, from, bytes, err));
    return backend->stream_wait(m->stream, err);
}

static ferry_status upload(mirrors *m, char *to, ferry_error *err)
{
    memset(m->image, PATTERN, m->room);
    for (int32_t i = 0; i < m->count; i++)
        if (m->items[i].bytes) memcpy(m->image + m->items[i].at, m->items[i].host, m->items[i].bytes);
    return move(m, FERRY_COPY_HOST_TO_DEVICE, to, m->image, m->room, err);
}

static bool guards_are_whole(const mirrors *m)
{
    bool whole = true;
    for (int32_t i = 0; i < m->count; i++) {
        const char *at = m->image + m->items[i].at;
        for (size_t k = 0; k < GUARD; k++)
            whole &= (unsigned char)*(at - 1 - k) == PATTERN && (unsigned char)at[m->items[i].bytes + k] == PATTERN;
    }
    return whole;
}

// Brings the block to the host's image, and the image to the tensors.
static ferry_status take_back(mirrors *m, bool *whole, ferry_error *err)
{
    FERRY_TRY(move(m, FERRY_COPY_DEVICE_TO_HOST, m->image, m->block, m->room, err));
    *whole &= guards_are_whole(m);
    for (int32_t i = 0; i < m->count; i++)
        if (m->items[i].bytes) memcpy(m->items[i].host, m->image + m->items[i].at, m->items[i].bytes);
    return FERRY_OK;
}

static ferry_status run_plainly(mirrors *m, const ferry_kernel *kernel, const ferry_binding *in,
                                const ferry_binding *out, void *workspace, bool *whole, ferry_error *err)
{
    FERRY_TRY(upload(m, m->block, err));
    FERRY_TRY(m->device->backend->enqueue(m->stream, kernel, in, out, workspace, err));
    FERRY_TRY(m->device->backend->stream_wait(m->stream, err));
    return take_back(m, whole, err);
}

// Twice, as the device may let one or the other pair of kernels overlap; the results have to be the same.
static ferry_status launch_twice(mirrors *m, void *graph, bool *whole, ferry_error *err)
{
    char *first = malloc(m->room);
    ferry_status s = first ? FERRY_OK : ferry_fail_memory(err, "a test's tensors");
    for (int i = 0; s == FERRY_OK && i < 2; i++) {
        memset(m->image, GARBAGE, m->room);
        s = move(m, FERRY_COPY_HOST_TO_DEVICE, m->block, m->image, m->room, err);
        if (s == FERRY_OK) s = m->device->backend->capture_launch(graph, m->stream, err);
        if (s == FERRY_OK) s = take_back(m, whole, err);
        if (s == FERRY_OK && i == 0) memcpy(first, m->image, m->room);
    }
    if (s == FERRY_OK && memcmp(first, m->image, m->room) != 0)
        s = ferry_fail(err, FERRY_ERR_INTERNAL,
                       "two launches of a graph differ: does the kernel wait for the one before?");
    free(first);
    return s;
}

// In a graph behind a kernel that makes all tensors.
static ferry_status run_behind(mirrors *m, const ferry_kernel *kernel, const ferry_binding *in,
                               const ferry_binding *out, void *workspace, bool *whole, ferry_error *err)
{
    const ferry_backend *backend = m->device->backend;
    ferry_tensor_desc desc = {.dtype = FERRY_S64, .rank = 1, .dims = {(int64_t)(m->room / 8)}};
    ferry_tensor_desc_set_strides(&desc);
    void *packed = NULL, *graph = NULL;
    size_t packed_bytes = 0;
    ferry_kernel *copy = NULL;
    char *staged = backend->alloc(m->device, m->room);
    ferry_status s = staged ? upload(m, staged, err) : ferry_fail_memory(err, "a test's tensors");
    if (s == FERRY_OK) s = backend->pack_reformat(m->device, desc.dtype, &packed, &packed_bytes, err);
    if (s == FERRY_OK) s = backend->prepare_reformat(m->device, &desc, &desc, packed, packed_bytes, &copy, err);
    if (s == FERRY_OK) s = backend->capture_begin(m->stream, err);
    if (s == FERRY_OK) {
        const ferry_binding from = {staged, desc.dims}, to = {m->block, desc.dims};
        s = backend->enqueue(m->stream, copy, &from, &to, NULL, err);
        if (s == FERRY_OK) s = backend->enqueue(m->stream, kernel, in, out, workspace, err);
        const ferry_status ended = backend->capture_end(m->stream, &graph, s == FERRY_OK ? err : NULL);
        if (s == FERRY_OK) s = ended;
    }
    if (s == FERRY_OK) s = launch_twice(m, graph, whole, err);
    if (graph) backend->capture_destroy(graph);
    backend->release(copy);
    ferry_heap_free(m->device->heap, packed, packed_bytes);
    if (staged) backend->free(m->device, staged, m->room);
    return s;
}

static ferry_status check_workspace(mirrors *m, const char *memory, size_t bytes, bool *whole, ferry_error *err)
{
    mirrors alone = {.device = m->device, .stream = m->stream, .count = 1, .room = bytes + 2 * GUARD};
    alone.items[0] = (mirror){.bytes = bytes, .at = GUARD};
    alone.image = malloc(alone.room);
    if (!alone.image) return ferry_fail_memory(err, "a test's tensors");
    const ferry_status s = move(&alone, FERRY_COPY_DEVICE_TO_HOST, alone.image, memory, alone.room, err);
    if (s == FERRY_OK) *whole &= guards_are_whole(&alone);
    free(alone.image);
    return s;
}

static ferry_status run_apart(mirrors *m, const ferry_kernel *kernel, const device_tensor *in, int32_t n_in,
                              const device_tensor *out, int32_t n_out, bool *whole, ferry_error *err)
{
    const ferry_backend *backend = m->device->backend;
    const size_t scratch = kernel->workspace_bytes, room = scratch + 2 * GUARD;
    ferry_binding own_in[MOST], own_out[MOST];
    translate(m, in, n_in, own_in);
    translate(m, out, n_out, own_out);
    char *garbage = malloc(room), *workspace = backend->alloc(m->device, room);
    ferry_status s = garbage && workspace ? FERRY_OK : ferry_fail_memory(err, "a test's scratch");
    if (garbage) memset(garbage, PATTERN, room);
    if (s == FERRY_OK) s = move(m, FERRY_COPY_HOST_TO_DEVICE, workspace, garbage, room, err);
    if (s == FERRY_OK)
        s = (backend->capture_begin ? run_behind : run_plainly)(m, kernel, own_in, own_out, workspace + GUARD, whole,
                                                                err);
    if (s == FERRY_OK) s = check_workspace(m, workspace, scratch, whole, err);
    if (workspace) backend->free(m->device, workspace, room);
    free(garbage);
    return s;
}

ferry_status device_run(ferry_device_stream *stream, const ferry_kernel *kernel, const device_tensor *in, int32_t n_in,
                        const device_tensor *out, int32_t n_out, void *workspace, bool *out_whole, ferry_error *err)
{
    const ferry_backend *backend = kernel->device->backend;
    ferry_device_info info;
    backend->describe(kernel->device, &info);
    *out_whole = true;
    if (info.host_memory) {
        ferry_binding own_in[MOST], own_out[MOST];
        for (int32_t i = 0; i < n_in; i++) own_in[i] = *in[i].binding;
        for (int32_t i = 0; i < n_out; i++) own_out[i] = *out[i].binding;
        return backend->enqueue(stream, kernel, own_in, own_out, workspace, err);
    }
    mirrors m = {.device = kernel->device, .stream = stream};
    FERRY_TRY(collect(&m, in, n_in, err));
    FERRY_TRY(collect(&m, out, n_out, err));
    m.image = malloc(m.room);
    m.block = backend->alloc(m.device, m.room);
    const ferry_status s = m.image && m.block ? run_apart(&m, kernel, in, n_in, out, n_out, out_whole, err)
                                              : ferry_fail_memory(err, "a test's tensors");
    if (m.block) backend->free(m.device, m.block, m.room);
    free(m.image);
    return s;
}
