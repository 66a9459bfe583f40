// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/resident.h"

#include <elf.h>
#include <string.h>

#include "backend/cuda/compile.h"

static void unload(ferry_cuda_device *device, ferry_cuda_resident *r)
{
    for (int32_t i = 0; i < r->n_modules; i++) (void)device->driver->cuModuleUnload(r->modules[i]);
    if (r->constants) (void)device->driver->cuMemFree_v2(r->constants);
    ferry_delete(device->base.heap, r);
}

static ferry_status copy_constants(ferry_cuda_device *device, const ferry_cuda_package_view *package,
                                   ferry_cuda_resident *r, ferry_error *err)
{
    const ferry_cu_driver *d = device->driver;
    if (package->constant_bytes == 0) return FERRY_OK;
    const ferry_cu_result allocated = d->cuMemAlloc_v2(&r->constants, package->constant_bytes);
    if (allocated != 0) r->constants = 0;
    if (allocated == FERRY_CU_OUT_OF_MEMORY)
        return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "the GPU has no %zu bytes left for weights",
                          package->constant_bytes);
    FERRY_TRY(ferry_cu_check(d, allocated, "allocating memory for weights", err));
    r->constant_bytes = package->constant_bytes;
    ferry_cu_stream stream = NULL;
    FERRY_TRY(ferry_cu_check(d, d->cuStreamCreate(&stream, FERRY_CU_STREAM_NON_BLOCKING), "making a stream", err));
    ferry_cu_result result = d->cuMemcpyHtoDAsync_v2(r->constants, package->constants, package->constant_bytes, stream);
    if (result == 0) result = d->cuStreamSynchronize(stream);
    (void)d->cuStreamDestroy_v2(stream);
    return ferry_cu_check(d, result, "copying weights to the GPU", err);
}

static ferry_status load(ferry_cuda_device *device, const void *data, size_t bytes, ferry_cuda_resident *r,
                         ferry_error *err)
{
    ferry_cuda_package_view package;
    FERRY_TRY(ferry_cuda_package_read(data, bytes, &package, err));
    for (int32_t i = 0; i < package.n_cubins; i++) {
        const void *code = package.cubins[i];
        size_t code_bytes = package.cubin_bytes[i];
        if (memcmp(code, ELFMAG, SELFMAG) != 0)
            FERRY_TRY(ferry_cuda_compile_carried(device, code, code_bytes, &code, &code_bytes, err));
        const ferry_cu_result result = device->driver->cuModuleLoadData(&r->modules[i], code);
        if (result != 0) {
            const ferry_status s = ferry_cu_check(device->driver, result, "loading a compiled kernel", err);
            const bool sound = s == FERRY_ERR_OUT_OF_MEMORY || ferry_cu_check_process(NULL) != FERRY_OK;
            return sound ? s : FERRY_ERR_BAD_ENGINE; // the image's fault
        }
        r->n_modules = i + 1;
        r->code_bytes += code_bytes;
    }
    return copy_constants(device, &package, r, err);
}

static ferry_status get(ferry_cuda_device *device, const void *data, size_t bytes, ferry_cuda_resident **out,
                        ferry_error *err)
{
    for (ferry_cuda_resident *r = device->resident; r; r = r->next) {
        if (r->data != data || r->bytes != bytes) continue;
        r->users++;
        *out = r;
        return FERRY_OK;
    }
    ferry_cuda_resident *r = ferry_new(device->base.heap, ferry_cuda_resident);
    if (!r) return ferry_fail_memory(err, "a CUDA module");
    r->data = data;
    r->bytes = bytes;
    r->users = 1;
    const ferry_status s = load(device, data, bytes, r, err);
    if (s != FERRY_OK) {
        unload(device, r);
        return s;
    }
    r->next = device->resident;
    device->resident = r;
    *out = r;
    return FERRY_OK;
}

ferry_status ferry_cuda_resident_get(ferry_cuda_device *device, const void *data, size_t bytes,
                                     ferry_cuda_resident **out, ferry_error *err)
{
    *out = NULL;
    pthread_mutex_lock(&device->loading);
    const ferry_status s = get(device, data, bytes, out, err);
    pthread_mutex_unlock(&device->loading);
    return s;
}

void ferry_cuda_resident_put(ferry_cuda_device *device, ferry_cuda_resident *resident)
{
    if (!resident) return;
    pthread_mutex_lock(&device->loading);
    if (--resident->users == 0) {
        ferry_cuda_resident **link = &device->resident;
        while (*link != resident) link = &(*link)->next;
        *link = resident->next;
        unload(device, resident);
    }
    pthread_mutex_unlock(&device->loading);
}

void ferry_cuda_resident_count(ferry_cuda_device *device, uint64_t *out_constants, uint64_t *out_code)
{
    *out_constants = *out_code = 0;
    pthread_mutex_lock(&device->loading);
    for (const ferry_cuda_resident *r = device->resident; r; r = r->next) {
        *out_constants += r->constant_bytes;
        *out_code += r->code_bytes;
    }
    pthread_mutex_unlock(&device->loading);
}
