// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/package.h"

#include <string.h>

#include "backend/cuda/compile.h"

#define MAGIC 0x32505546u // "FUP2", little-endian
#define ALIGN 256u        // of the constants, counted from the beginning of the bytes

// What the bytes begin with; integers little-endian, as on every machine that CUDA runs on.
typedef struct header {
    uint32_t magic, n_cubins;
    uint64_t cubin_at[FERRY_CUDA_MOST_CUBINS], cubin_bytes[FERRY_CUDA_MOST_CUBINS];
    uint64_t constants_at, constant_bytes;
} header;

ferry_status ferry_cuda_package_compile(ferry_cuda_package *package, const char *text, ferry_error *err)
{
    const int32_t n = package->n_cubins;
    if (n == FERRY_CUDA_MOST_CUBINS) return ferry_fail(err, FERRY_ERR_INTERNAL, "a region with more than %d cubins", n);
    FERRY_TRY(ferry_cuda_compile(package->device, text, &package->cubins[n], &package->cubin_bytes[n], err));
    package->n_cubins++;
    return FERRY_OK;
}

void *ferry_cuda_package_constants(ferry_cuda_package *package, size_t bytes)
{
    package->constants = ferry_heap_alloc(package->device->base.heap, bytes);
    package->constant_bytes = package->constants ? bytes : 0;
    return package->constants;
}

void ferry_cuda_package_clear(ferry_cuda_package *package)
{
    ferry_heap_free(package->device->base.heap, package->constants, package->constant_bytes);
    *package = (ferry_cuda_package){.device = package->device};
}

ferry_status ferry_cuda_package_finish(ferry_cuda_package *package, void **out_data, size_t *out_bytes,
                                       ferry_error *err)
{
    header h = {.magic = MAGIC, .n_cubins = (uint32_t)package->n_cubins};
    size_t at = ferry_align_size(sizeof h, 64);
    for (int32_t i = 0; i < package->n_cubins; i++) {
        h.cubin_at[i] = at;
        h.cubin_bytes[i] = package->cubin_bytes[i];
        at = ferry_align_size(at + package->cubin_bytes[i], 64);
    }
    at = ferry_align_size(at, ALIGN);
    h.constants_at = at;
    h.constant_bytes = package->constant_bytes;
    const size_t bytes = at + package->constant_bytes;
    char *data = ferry_heap_alloc(package->device->base.heap, bytes);
    if (data) {
        memcpy(data, &h, sizeof h);
        for (int32_t i = 0; i < package->n_cubins; i++)
            memcpy(data + h.cubin_at[i], package->cubins[i], package->cubin_bytes[i]);
        if (package->constant_bytes) memcpy(data + at, package->constants, package->constant_bytes);
        *out_data = data;
        *out_bytes = bytes;
    }
    ferry_cuda_package_clear(package);
    return data ? FERRY_OK : ferry_fail_memory(err, "packed constants");
}

ferry_status ferry_cuda_package_read(const void *data, size_t bytes, ferry_cuda_package_view *out, ferry_error *err)
{
    header h;
    *out = (ferry_cuda_package_view){0};
    if (!data || bytes < sizeof h) return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "compiled kernels are missing");
    memcpy(&h, data, sizeof h);
    if (h.magic != MAGIC || h.n_cubins > FERRY_CUDA_MOST_CUBINS)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "compiled kernels are damaged");
    for (uint32_t i = 0; i < h.n_cubins; i++) {
        if (h.cubin_at[i] > bytes || h.cubin_bytes[i] > bytes - h.cubin_at[i] || h.cubin_bytes[i] < 64)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a compiled kernel reaches beyond its section");
        out->cubins[i] = (const char *)data + h.cubin_at[i];
        out->cubin_bytes[i] = (size_t)h.cubin_bytes[i];
    }
    if (h.constants_at > bytes || h.constant_bytes > bytes - h.constants_at)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "packed constants reach beyond their section");
    out->n_cubins = (int32_t)h.n_cubins;
    out->constants = (const char *)data + h.constants_at;
    out->constant_bytes = (size_t)h.constant_bytes;
    return FERRY_OK;
}
