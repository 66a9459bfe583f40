// SPDX-License-Identifier: Apache-2.0
// An NVIDIA GPU as a device, or a kind of GPU that is built for on a machine without one.
#include "backend/cuda/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/compile.h"
#include "backend/cuda/nvrtc.h"
#include "backend/cuda/resident.h"
#include "backend/cuda/vendor_blas.h"
#include "base/heap.h"
#include "base/log.h"

ferry_status ferry_cuda_enter(const ferry_cuda_device *device, ferry_error *err)
{
    if (!device->driver)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "%s is built for only: there is no such GPU to run on",
                          device->name);
    FERRY_TRY(ferry_cu_check_process(err));
    return ferry_cu_check(device->driver, device->driver->cuCtxPushCurrent_v2(device->context),
                          "entering the GPU's context", err);
}

void ferry_cuda_leave(const ferry_cuda_device *device)
{
    ferry_cu_context context = NULL;
    (void)device->driver->cuCtxPopCurrent_v2(&context);
}

// --- Opening --------------------------------------------------------------------------------------------------------

static ferry_status read_ordinal(const ferry_cu_driver *d, const char *selector, ferry_cu_device *out, ferry_error *err)
{
    int count = 0;
    FERRY_TRY(ferry_cu_check(d, d->cuDeviceGetCount(&count), "counting GPUs", err));
    const long ordinal = strtol(selector, NULL, 10);
    if (ordinal < 0 || ordinal >= count)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "there is no GPU %ld: the NVIDIA driver finds %d", ordinal,
                          count);
    return ferry_cu_check(d, d->cuDeviceGet(out, (int)ordinal), "opening a GPU", err);
}

static ferry_status read_target(const ferry_cu_driver *d, ferry_cu_device ordinal, ferry_cuda_target *out,
                                ferry_error *err)
{
    int major = 0, minor = 0, processors = 0, clock = 0, shared = 0, l2 = 0, integrated = 0;
    const struct {
        int attribute;
        int *to;
    } wanted[] = {{FERRY_CU_ATTR_MAJOR, &major},           {FERRY_CU_ATTR_MINOR, &minor},
                  {FERRY_CU_ATTR_PROCESSORS, &processors}, {FERRY_CU_ATTR_MAX_SHARED_OPTIN, &shared},
                  {FERRY_CU_ATTR_L2_BYTES, &l2},           {FERRY_CU_ATTR_INTEGRATED, &integrated}};
    for (size_t i = 0; i < FERRY_COUNT_OF(wanted); i++)
        FERRY_TRY(ferry_cu_check(d, d->cuDeviceGetAttribute(wanted[i].to, wanted[i].attribute, ordinal),
                                 "asking what the GPU has", err));
    const int chip = major * 10 + minor;
    if (chip < 50)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE,
                          "the GPU has compute capability %d.%d; ferry's kernels need 5.0 (Maxwell) or newer", major,
                          minor);
    // A chip newer than the table is taken for the newest one known. What a block may use is a chip's, not a device's:
    // the table says it as it does where the device is not here, so that plans are made alike.
    const bool known = ferry_cuda_target_of_chip(chip, out);
    if (!known) (void)ferry_cuda_target_of_chip(chip > 100 ? 120 : 90, out);
    out->chip = chip;
    out->most_cuda = 0;
    out->processors = processors;
    out->l2_bytes = (size_t)l2;
    out->integrated = integrated != 0;
    if (!known && shared > 0) out->shared_bytes = (size_t)shared;
    int clusters = 0;
    out->lacks_clusters = d->cuDeviceGetAttribute(&clusters, FERRY_CU_ATTR_CLUSTERS, ordinal) != 0 || !clusters;
    if (d->cuDeviceGetAttribute(&clock, FERRY_CU_ATTR_CLOCK_KHZ, ordinal) == 0 && clock > 0)
        out->clock_ghz = clock * 1e-6;
    return FERRY_OK;
}

static ferry_status open_gpu(ferry_cuda_device *device, const char *selector, ferry_error *err)
{
    if (selector[strspn(selector, "0123456789")])
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "'%s' is neither a GPU's number nor a kind of GPU; known kinds: %s", selector,
                          ferry_cuda_target_names());
    if (ferry_cu_check_process(err) != FERRY_OK) return FERRY_ERR_UNAVAILABLE; // whoever can falls back to the CPU
    FERRY_TRY(ferry_cu_driver_get(&device->driver, err));
    const ferry_cu_driver *d = device->driver;
    device->driver_version = d->version;
    FERRY_TRY(read_ordinal(d, selector, &device->ordinal, err));
    FERRY_TRY(read_target(d, device->ordinal, &device->target, err));
    FERRY_TRY(ferry_cu_check(d, d->cuDeviceGetName(device->name, sizeof device->name, device->ordinal),
                             "asking the GPU's name", err));
    FERRY_TRY(ferry_cu_check(d, d->cuDeviceTotalMem_v2(&device->memory_bytes, device->ordinal),
                             "asking the GPU's memory", err));
    return ferry_cu_check(d, d->cuDevicePrimaryCtxRetain(&device->context, device->ordinal), "opening the GPU", err);
}

static ferry_status cuda_open(const char *selector, const ferry_heap *heap, const ferry_logger *logger,
                              ferry_device **out, ferry_error *err)
{
    *out = NULL;
    ferry_cuda_device *device = ferry_new(heap, ferry_cuda_device);
    if (!device) return ferry_fail_memory(err, "the CUDA device");
    device->base = (ferry_device){.backend = &ferry_backend_cuda, .heap = heap, .logger = logger};
    ferry_status s = FERRY_OK;
    if (ferry_cuda_target_find(selector, &device->target))
        snprintf(device->name, sizeof device->name, "%s (a target, not a device)", selector);
    else
        s = open_gpu(device, selector, err);
    if (s != FERRY_OK) {
        ferry_delete(heap, device);
        return s;
    }
    pthread_mutex_init(&device->mutex, NULL);
    pthread_mutex_init(&device->loading, NULL);
    pthread_cond_init(&device->compiled, NULL);
    *out = &device->base;
    return FERRY_OK;
}

static void cuda_close(ferry_device *device)
{
    if (!device) return;
    ferry_cuda_device *d = (ferry_cuda_device *)device;
    ferry_cuda_blas_close(d);
    ferry_cuda_compile_clear(d);
    if (d->context && d->driver->cuDevicePrimaryCtxRelease_v2)
        (void)d->driver->cuDevicePrimaryCtxRelease_v2(d->ordinal);
    else if (d->context)
        (void)d->driver->cuDevicePrimaryCtxRelease(d->ordinal);
    pthread_cond_destroy(&d->compiled);
    pthread_mutex_destroy(&d->mutex);
    pthread_mutex_destroy(&d->loading);
    ferry_delete(device->heap, d);
}

static void cuda_describe(const ferry_device *device, ferry_device_info *out)
{
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    *out = (ferry_device_info){.memory_bytes = d->memory_bytes,
                               .build_only = !d->driver,
                               .slice_align = 16,
                               .shares_memory = d->target.integrated};
    if (d->driver)
        snprintf(
            out->name, sizeof out->name, "%s, compute capability %d.%d, %d multiprocessors at %.2f GHz, CUDA %d.%d%s",
            d->name, d->target.chip / 10, d->target.chip % 10, d->target.processors, d->target.clock_ghz,
            d->driver_version / 1000, d->driver_version % 1000 / 10, d->target.integrated ? ", the host's memory" : "");
    else
        snprintf(out->name, sizeof out->name, "%s", d->name);
    // A plan made for a chip runs on each of its kind: cubins and offers know the chip alone.
    char chip[32];
    ferry_cuda_target_name(&d->target, chip);
    snprintf(out->fingerprint, sizeof out->fingerprint, "cuda/%s", chip);
    if (ferry_cuda_has_f16(&d->target)) out->fast_dtypes |= 1u << FERRY_F16;
    if (ferry_cuda_has_mma_bf16(&d->target)) out->fast_dtypes |= 1u << FERRY_BF16;
    if (ferry_cuda_has_dp4a(&d->target)) out->fast_dtypes |= 1u << FERRY_S8;
}

// --- Planning and preparing -----------------------------------------------------------------------------------------

static ferry_status cuda_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_cuda_family *family;
    for (size_t i = 0; (family = ferry_cuda_family_at(i)); i++)
        FERRY_TRY(family->offer((ferry_cuda_device *)device, view, root, sink, err));
    return FERRY_OK;
}

static ferry_status find_family(const char *tactic, const ferry_cuda_family **out, ferry_error *err)
{
    *out = ferry_cuda_family_of(tactic);
    return *out ? FERRY_OK : ferry_fail(err, FERRY_ERR_BAD_ENGINE, "the CUDA backend has no tactic '%s'", tactic);
}

static ferry_status cuda_pack(ferry_device *device, const ferry_region *region, const char *tactic, void **out_data,
                              size_t *out_bytes, ferry_error *err)
{
    *out_data = NULL;
    *out_bytes = 0;
    const ferry_cuda_family *family = NULL;
    FERRY_TRY(find_family(tactic, &family, err));
    ferry_cuda_package package = {.device = (ferry_cuda_device *)device};
    const ferry_status s = family->pack(package.device, region, tactic, &package, err);
    if (s == FERRY_OK) return ferry_cuda_package_finish(&package, out_data, out_bytes, err);
    ferry_cuda_package_clear(&package);
    return s;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_cuda_family *family, const ferry_region *region,
                            const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                            const void *packed, size_t packed_bytes, ferry_cuda_kernel *kernel, ferry_error *err)
{
    FERRY_TRY(ferry_cuda_resident_get(device, packed, packed_bytes, &kernel->resident, err));
    return family->prepare(device, region, tactic, in, out, kernel, err);
}

static ferry_status cuda_prepare(ferry_device *device, const ferry_region *region, const char *tactic,
                                 const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                                 size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    *out_kernel = NULL;
    ferry_cuda_device *d = (ferry_cuda_device *)device;
    const ferry_cuda_family *family = NULL;
    FERRY_TRY(find_family(tactic, &family, err));
    FERRY_TRY(ferry_cuda_enter(d, err));
    ferry_cuda_kernel *kernel = ferry_new(device->heap, ferry_cuda_kernel);
    ferry_status s = kernel ? FERRY_OK : ferry_fail_memory(err, "a CUDA kernel");
    if (kernel) {
        kernel->base.device = device;
        s = prepare(d, family, region, tactic, in, out, packed, packed_bytes, kernel, err);
    }
    ferry_cuda_leave(d);
    if (s == FERRY_OK)
        *out_kernel = &kernel->base;
    else if (kernel)
        ferry_cuda_release(&kernel->base);
    return s;
}

// --- Memory ---------------------------------------------------------------------------------------------------------

// Whoever asks learns only that there is no memory: what else was the matter is logged.
static void tell_why(const ferry_cuda_device *d, ferry_status status, const ferry_error *why)
{
    if (status != FERRY_OK && status != FERRY_ERR_OUT_OF_MEMORY)
        ferry_log(d->base.logger, FERRY_SEVERITY_ERROR, "%s", why->text);
}

static void *cuda_alloc(ferry_device *device, size_t bytes)
{
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    ferry_cu_pointer pointer = 0;
    ferry_error why = {.text = ""};
    ferry_status s = ferry_cuda_enter(d, &why);
    if (s == FERRY_OK) {
        s = ferry_cu_check(d->driver, d->driver->cuMemAlloc_v2(&pointer, bytes ? bytes : 1), "allocating", &why);
        ferry_cuda_leave(d);
    }
    tell_why(d, s, &why);
    return s == FERRY_OK ? (void *)(uintptr_t)pointer : NULL;
}

static void cuda_free(ferry_device *device, void *pointer, size_t bytes)
{
    (void)bytes;
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    if (!pointer || ferry_cuda_enter(d, NULL) != FERRY_OK) return;
    (void)d->driver->cuMemFree_v2((ferry_cu_pointer)(uintptr_t)pointer);
    ferry_cuda_leave(d);
}

static void *cuda_alloc_pinned(ferry_device *device, size_t bytes)
{
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    void *pointer = NULL;
    ferry_error why = {.text = ""};
    ferry_status s = ferry_cuda_enter(d, &why);
    if (s == FERRY_OK) {
        const unsigned flags = FERRY_CU_HOST_PORTABLE | FERRY_CU_HOST_MAPPED;
        s = ferry_cu_check(d->driver, d->driver->cuMemHostAlloc(&pointer, bytes ? bytes : 1, flags),
                           "allocating pinned memory", &why);
        ferry_cuda_leave(d);
    }
    tell_why(d, s, &why);
    return s == FERRY_OK ? pointer : NULL;
}

static void cuda_free_pinned(ferry_device *device, void *pointer, size_t bytes)
{
    (void)bytes;
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    if (!pointer || ferry_cuda_enter(d, NULL) != FERRY_OK) return;
    (void)d->driver->cuMemFreeHost(pointer);
    ferry_cuda_leave(d);
}

static ferry_status cuda_measure_memory(ferry_device *device, ferry_device_memory *out, ferry_error *err)
{
    ferry_cuda_device *d = (ferry_cuda_device *)device;
    size_t free_bytes = 0, total_bytes = 0;
    FERRY_TRY(ferry_cuda_enter(d, err));
    const ferry_cu_result result = d->driver->cuMemGetInfo_v2(&free_bytes, &total_bytes);
    ferry_cuda_leave(d);
    *out = (ferry_device_memory){.free_bytes = free_bytes, .total_bytes = total_bytes};
    ferry_cuda_resident_count(d, &out->constant_bytes, &out->code_bytes);
    return ferry_cu_check(d->driver, result, "asking for the GPU's free memory", err);
}

static void describe_tools(char *out, size_t out_bytes)
{
    const ferry_cu_driver *driver = NULL;
    const int version = ferry_cu_driver_get(&driver, NULL) == FERRY_OK ? driver->version : 0;
    ferry_nvrtc_describe(out, out_bytes);
    const size_t used = strlen(out);
    if (used + 2 >= out_bytes) return;
    memcpy(out + used, "; ", 3);
    ferry_cublaslt_describe(version, out + used + 2, out_bytes - used - 2);
}

static void describe_libraries(ferry_device *device, char *out, size_t out_bytes)
{
    ferry_cublaslt_describe(((const ferry_cuda_device *)device)->driver_version, out, out_bytes);
}

static bool cuda_find_shared(ferry_device *device, void *address, void **out_on_device, void **out_on_host)
{
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    const ferry_cu_pointer pointer = (ferry_cu_pointer)(uintptr_t)address;
    if (!d->target.integrated || ferry_cuda_enter(d, NULL) != FERRY_OK) return false;
    const bool found = d->driver->cuPointerGetAttribute(out_on_device, FERRY_CU_POINTER_ON_DEVICE, pointer) == 0 &&
                       d->driver->cuPointerGetAttribute(out_on_host, FERRY_CU_POINTER_ON_HOST, pointer) == 0;
    ferry_cuda_leave(d);
    return found && *out_on_device && *out_on_host;
}

const ferry_backend ferry_backend_cuda = {
    .abi = FERRY_BACKEND_ABI,
    .name = "cuda",
    .open = cuda_open,
    .close = cuda_close,
    .describe = cuda_describe,
    .describe_tools = describe_tools,
    .describe_libraries = describe_libraries,
    .offer = cuda_offer,
    .pack = cuda_pack,
    .reformat_cost_us = ferry_cuda_reformat_cost_us,
    .pack_reformat = ferry_cuda_pack_reformat,
    .prepare = cuda_prepare,
    .prepare_reformat = ferry_cuda_prepare_reformat,
    .pack_preprocess = ferry_cuda_pack_preprocess,
    .prepare_preprocess = ferry_cuda_prepare_preprocess,
    .release = ferry_cuda_release,
    .enqueue = ferry_cuda_enqueue,
    .copy = ferry_cuda_copy,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .alloc_pinned = cuda_alloc_pinned,
    .free_pinned = cuda_free_pinned,
    .find_shared = cuda_find_shared,
    .stream_create = ferry_cuda_stream_create,
    .stream_destroy = ferry_cuda_stream_destroy,
    .stream_wait = ferry_cuda_stream_wait,
    .event_create = ferry_cuda_event_create,
    .event_destroy = ferry_cuda_event_destroy,
    .event_record = ferry_cuda_event_record,
    .event_elapsed = ferry_cuda_event_elapsed,
    .capture_begin = ferry_cuda_capture_begin,
    .capture_end = ferry_cuda_capture_end,
    .capture_rebind = ferry_cuda_capture_rebind,
    .capture_launch = ferry_cuda_capture_launch,
    .capture_destroy = ferry_cuda_capture_destroy,
    .diagnose = ferry_cuda_diagnose,
    .measure_memory = cuda_measure_memory,
};
