// SPDX-License-Identifier: Apache-2.0
#include "support/device_memory.h"

#include <stdlib.h>
#include <string.h>

#define MOST 32
#define GUARD 512 // bytes on either side
#define PATTERN 0xA5

// One piece of host memory and where it is on the device.
typedef struct mirror {
    char *host;
    size_t bytes;
    char *device; // GUARD bytes before the mirrored ones
} mirror;

typedef struct mirrors {
    ferry_device *device;
    ferry_device_stream *stream;
    mirror items[MOST];
    int32_t count;
} mirrors;

static ferry_status make(mirrors *m, void *host, size_t bytes, bool has_data, ferry_error *err)
{
    const ferry_backend *backend = m->device->backend;
    if (m->count == MOST) return ferry_fail(err, FERRY_ERR_INTERNAL, "too many tensors");
    mirror *item = &m->items[m->count++];
    *item = (mirror){.host = host, .bytes = bytes};
    const size_t room = bytes + 2 * GUARD;
    item->device = backend->alloc(m->device, room);
    char *staged = malloc(room);
    if (!item->device || !staged) return ferry_fail_memory(err, "a test's tensors");
    memset(staged, PATTERN, room);
    if (has_data && bytes) memcpy(staged + GUARD, host, bytes);
    ferry_status s = backend->copy(m->stream, FERRY_COPY_HOST_TO_DEVICE, item->device, staged, room, err);
    if (s == FERRY_OK) s = backend->stream_wait(m->stream, err);
    free(staged);
    return s;
}

static ferry_status take_back(mirrors *m, const mirror *item, bool has_data, bool *whole, ferry_error *err)
{
    const size_t room = item->bytes + 2 * GUARD;
    char *staged = malloc(room);
    ferry_status s = m->device->backend->copy(m->stream, FERRY_COPY_DEVICE_TO_HOST, staged, item->device, room, err);
    if (s == FERRY_OK) s = m->device->backend->stream_wait(m->stream, err);
    for (size_t i = 0; s == FERRY_OK && i < GUARD; i++)
        *whole &= (unsigned char)staged[i] == PATTERN && (unsigned char)staged[GUARD + item->bytes + i] == PATTERN;
    if (s == FERRY_OK && has_data && item->bytes) memcpy(item->host, staged + GUARD, item->bytes);
    free(staged);
    return s;
}

// The binding of the same address on the device.
static ferry_status translate(mirrors *m, const device_tensor *t, ferry_binding *out, ferry_error *err)
{
    *out = *t->binding;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < m->count; i++) {
            const mirror *item = &m->items[i];
            const char *p = t->binding->data;
            if (p < item->host || p > item->host + item->bytes) continue;
            out->data = item->device + GUARD + (p - item->host);
            return FERRY_OK;
        }
        FERRY_TRY(make(m, t->memory->data, t->memory->bytes, true, err));
    }
    return ferry_fail(err, FERRY_ERR_INTERNAL, "a binding outside of its memory");
}

static ferry_status run_apart(mirrors *m, const ferry_kernel *kernel, const device_tensor *in, int32_t n_in,
                              const device_tensor *out, int32_t n_out, bool *whole, ferry_error *err)
{
    ferry_binding own_in[MOST], own_out[MOST];
    for (int32_t i = 0; i < n_in; i++) FERRY_TRY(translate(m, &in[i], &own_in[i], err));
    for (int32_t i = 0; i < n_out; i++) FERRY_TRY(translate(m, &out[i], &own_out[i], err));
    const int32_t tensors = m->count;
    FERRY_TRY(make(m, NULL, kernel->workspace_bytes, false, err));
    FERRY_TRY(m->device->backend->enqueue(m->stream, kernel, own_in, own_out, m->items[tensors].device + GUARD, err));
    FERRY_TRY(m->device->backend->stream_wait(m->stream, err));
    for (int32_t i = 0; i < m->count; i++) FERRY_TRY(take_back(m, &m->items[i], i < tensors, whole, err));
    return FERRY_OK;
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
    const ferry_status s = run_apart(&m, kernel, in, n_in, out, n_out, out_whole, err);
    for (int32_t i = 0; i < m.count; i++) backend->free(m.device, m.items[i].device, m.items[i].bytes + 2 * GUARD);
    return s;
}
