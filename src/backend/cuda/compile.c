// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/compile.h"

#include <string.h>

#include "backend/cuda/carry.h"
#include "backend/cuda/kept.h"
#include "backend/cuda/nvrtc.h"
#include "base/hash.h"

#define MOST_TEXTS 64

struct ferry_cuda_cubin {
    ferry_hash128 key; // of the text
    void *data;        // NULL: a thread is compiling it
    size_t bytes;
    struct ferry_cuda_cubin *next;
};

static struct ferry_cuda_cubin *find(const ferry_cuda_device *device, ferry_hash128 key)
{
    struct ferry_cuda_cubin *c = device->cubins;
    while (c && (c->key.low != key.low || c->key.high != key.high)) c = c->next;
    return c;
}

static ferry_status find_nvrtc(const ferry_cuda_device *device, const ferry_nvrtc **out, ferry_error *err)
{
    // A driver takes cubins of its own CUDA's major version, not of a later one.
    const int most = device->driver ? device->driver_version / 1000 : device->target.most_cuda;
    return ferry_nvrtc_get(device->target.chip, most, out, err);
}

// What was compiled is kept under all that decides its bytes. A text of an engine's carries what it includes; one of
// ferry's own names its headers, which stand for themselves here.
static ferry_hash128 kept_key(const ferry_nvrtc *nvrtc, const char *arch, const char *text, bool carried)
{
    ferry_hasher hasher;
    ferry_hasher_init128(&hasher);
    ferry_hasher_update_text(&hasher, arch);
    ferry_hasher_update_u64(&hasher, ferry_nvrtc_identity(nvrtc));
    ferry_hasher_update_text(&hasher, text);
    for (size_t i = 0; !carried && ferry_cuda_texts()[i].name; i++)
        ferry_hasher_update_text(&hasher, ferry_cuda_texts()[i].text);
    return ferry_hasher_digest128(&hasher);
}

static ferry_status compile(ferry_cuda_device *device, const char *text, bool carried, struct ferry_cuda_cubin *out,
                            ferry_error *err)
{
    const ferry_heap *heap = device->base.heap;
    if (!carried && !device->driver && ferry_cuda_carries_text(&device->target))
        return ferry_cuda_carry_text(heap, text, &out->data, &out->bytes, err);
    ferry_nvrtc_header headers[MOST_TEXTS];
    size_t n = 0;
    for (; !carried && ferry_cuda_texts()[n].name && n < MOST_TEXTS; n++)
        headers[n] = (ferry_nvrtc_header){ferry_cuda_texts()[n].name, ferry_cuda_texts()[n].text};
    const ferry_nvrtc *nvrtc = NULL;
    char arch[16];
    FERRY_TRY(find_nvrtc(device, &nvrtc, err));
    ferry_cuda_target_arch(&device->target, arch);
    const ferry_hash128 key = kept_key(nvrtc, arch, text, carried);
    if (ferry_cuda_kept_find(heap, key, &out->data, &out->bytes)) return FERRY_OK;
    FERRY_TRY(ferry_nvrtc_compile(nvrtc, text, headers, n, arch, heap, &out->data, &out->bytes, err));
    ferry_cuda_kept_add(heap, key, out->data, out->bytes);
    return FERRY_OK;
}

static void remove_cubin(ferry_cuda_device *device, struct ferry_cuda_cubin *cubin)
{
    struct ferry_cuda_cubin **link = &device->cubins;
    while (*link != cubin) link = &(*link)->next;
    *link = cubin->next;
    ferry_delete(device->base.heap, cubin);
}

// Compiles what nobody has begun yet. Called with the mutex, which is released meanwhile: others wait for the result.
static ferry_status add(ferry_cuda_device *device, ferry_hash128 key, const char *text, bool carried,
                        struct ferry_cuda_cubin **out, ferry_error *err)
{
    struct ferry_cuda_cubin *made = ferry_new(device->base.heap, struct ferry_cuda_cubin);
    if (!made) return ferry_fail_memory(err, "a compiled kernel");
    made->key = key;
    made->next = device->cubins;
    device->cubins = made;
    pthread_mutex_unlock(&device->mutex);
    struct ferry_cuda_cubin result = {0};
    const ferry_status s = compile(device, text, carried, &result, err);
    pthread_mutex_lock(&device->mutex);
    made->data = result.data;
    made->bytes = result.bytes;
    if (s != FERRY_OK) remove_cubin(device, made);
    pthread_cond_broadcast(&device->compiled);
    *out = made;
    return s;
}

static ferry_status get(ferry_cuda_device *device, const char *text, bool carried, const void **out_code,
                        size_t *out_bytes, ferry_error *err)
{
    const ferry_hash128 key = ferry_hash128_of(text, strlen(text));
    ferry_status s = FERRY_OK;
    pthread_mutex_lock(&device->mutex);
    struct ferry_cuda_cubin *c;
    while ((c = find(device, key)) && !c->data) pthread_cond_wait(&device->compiled, &device->mutex);
    if (!c) s = add(device, key, text, carried, &c, err);
    if (s == FERRY_OK) {
        *out_code = c->data;
        *out_bytes = c->bytes;
    }
    pthread_mutex_unlock(&device->mutex);
    return s;
}

ferry_status ferry_cuda_compile(ferry_cuda_device *device, const char *text, const void **out_cubin, size_t *out_bytes,
                                ferry_error *err)
{
    return get(device, text, false, out_cubin, out_bytes, err);
}

ferry_status ferry_cuda_compile_carried(ferry_cuda_device *device, const char *text, size_t text_bytes,
                                        const void **out_code, size_t *out_bytes, ferry_error *err)
{
    if (text_bytes == 0 || text[text_bytes - 1] != 0 || strlen(text) + 1 != text_bytes)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a kernel is neither compiled nor a text");
    return get(device, text, true, out_code, out_bytes, err);
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
