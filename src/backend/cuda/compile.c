// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/compile.h"

#include <string.h>

#include "backend/cuda/nvrtc.h"
#include "base/hash.h"

#define MOST_TEXTS 64

struct ferry_cuda_cubin {
    ferry_hash128 key; // of the text
    void *data;
    size_t bytes;
    struct ferry_cuda_cubin *next;
};

static const struct ferry_cuda_cubin *find(const ferry_cuda_device *device, ferry_hash128 key)
{
    const struct ferry_cuda_cubin *c = device->cubins;
    while (c && (c->key.low != key.low || c->key.high != key.high)) c = c->next;
    return c;
}

static ferry_status compile(ferry_cuda_device *device, const char *text, struct ferry_cuda_cubin *out, ferry_error *err)
{
    ferry_nvrtc_header headers[MOST_TEXTS];
    size_t n = 0;
    for (; ferry_cuda_texts[n].name && n < MOST_TEXTS; n++)
        headers[n] = (ferry_nvrtc_header){ferry_cuda_texts[n].name, ferry_cuda_texts[n].text};
    const ferry_nvrtc *nvrtc = NULL;
    char arch[16];
    // A driver takes cubins of its own CUDA's major version, not of a later one.
    const int most = device->driver ? device->driver_version / 1000 : device->target.most_cuda;
    FERRY_TRY(ferry_nvrtc_get(device->target.chip, most, &nvrtc, err));
    ferry_cuda_target_arch(&device->target, arch);
    return ferry_nvrtc_compile(nvrtc, text, headers, n, arch, device->base.heap, &out->data, &out->bytes, err);
}

ferry_status ferry_cuda_compile(ferry_cuda_device *device, const char *text, const void **out_cubin, size_t *out_bytes,
                                ferry_error *err)
{
    const ferry_hash128 key = ferry_hash128_of(text, strlen(text));
    pthread_mutex_lock(&device->mutex);
    const struct ferry_cuda_cubin *known = find(device, key);
    pthread_mutex_unlock(&device->mutex);
    if (!known) {
        struct ferry_cuda_cubin *made = ferry_new(device->base.heap, struct ferry_cuda_cubin);
        if (!made) return ferry_fail_memory(err, "a compiled kernel");
        made->key = key;
        const ferry_status s = compile(device, text, made, err);
        if (s != FERRY_OK) {
            ferry_delete(device->base.heap, made);
            return s;
        }
        // Another thread may have made the same one meanwhile: both are kept, the newer is found.
        pthread_mutex_lock(&device->mutex);
        made->next = device->cubins;
        device->cubins = made;
        pthread_mutex_unlock(&device->mutex);
        known = made;
    }
    *out_cubin = known->data;
    *out_bytes = known->bytes;
    return FERRY_OK;
}

void ferry_cuda_compile_clear(ferry_cuda_device *device)
{
    while (device->cubins) {
        struct ferry_cuda_cubin *next = device->cubins->next;
        ferry_heap_free(device->base.heap, device->cubins->data, device->cubins->bytes);
        ferry_delete(device->base.heap, device->cubins);
        device->cubins = next;
    }
}
