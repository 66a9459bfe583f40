// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/kernel.h"

#include <string.h>

#include "backend/cuda/resident.h"

#define MOST_STATIC_SHARED (48u * 1024u) // a kernel that wants more has to ask for it

static ferry_status next_launch(ferry_cuda_kernel *kernel, ferry_cuda_launch **out, ferry_error *err)
{
    if (kernel->n_launches == FERRY_CUDA_MOST_LAUNCHES)
        return ferry_fail(err, FERRY_ERR_INTERNAL, "more than %d launches in a kernel", FERRY_CUDA_MOST_LAUNCHES);
    *out = &kernel->launches[kernel->n_launches];
    return FERRY_OK;
}

ferry_status ferry_cuda_kernel_launch(ferry_cuda_kernel *kernel, int32_t cubin, const char *function,
                                      const uint64_t grid[3], const unsigned block[3], size_t shared_bytes,
                                      ferry_cuda_launch **out, ferry_error *err)
{
    ferry_cuda_device *device = (ferry_cuda_device *)kernel->base.device;
    const ferry_cu_driver *d = device->driver;
    if (!kernel->resident || cubin >= kernel->resident->n_modules)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "compiled kernel %d is missing", cubin);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(next_launch(kernel, &launch, err));
    if (grid[0] > INT32_MAX || grid[1] > UINT16_MAX || grid[2] > UINT16_MAX)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a grid of %llu x %llu x %llu blocks is beyond what GPUs take",
                          (unsigned long long)grid[0], (unsigned long long)grid[1], (unsigned long long)grid[2]);
    if (shared_bytes > device->target.shared_bytes)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a block needs %zu bytes of shared memory, the GPU has %zu",
                          shared_bytes, device->target.shared_bytes);
    *launch = (ferry_cuda_launch){.shared_bytes = (unsigned)shared_bytes};
    for (int i = 0; i < 3; i++) {
        launch->grid[i] = (unsigned)grid[i];
        launch->block[i] = block[i];
    }
    if (d->cuModuleGetFunction(&launch->function, kernel->resident->modules[cubin], function) != 0)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "compiled kernel %d has no function '%s'", cubin, function);
    if (shared_bytes > MOST_STATIC_SHARED)
        FERRY_TRY(ferry_cu_check(
            d, d->cuFuncSetAttribute(launch->function, FERRY_CU_FUNC_MAX_DYNAMIC_SHARED, (int)shared_bytes),
            "asking for shared memory", err));
    kernel->n_launches++;
    *out = launch;
    return FERRY_OK;
}

ferry_status ferry_cuda_kernel_call(ferry_cuda_kernel *kernel, ferry_cuda_call *call, ferry_cuda_launch **out,
                                    ferry_error *err)
{
    const ferry_status s = next_launch(kernel, out, err);
    if (s != FERRY_OK) {
        call->release(call);
        return s;
    }
    **out = (ferry_cuda_launch){.call = call, .grid = {1, 1, 1}};
    kernel->n_launches++;
    return FERRY_OK;
}

// More arguments than there is room for is a mistake in a family, which its first run shows: the last is overwritten.
static ferry_cuda_argument *next(ferry_cuda_launch *launch)
{
    if (launch->n_arguments < FERRY_CUDA_MOST_ARGUMENTS) launch->n_arguments++;
    return &launch->arguments[launch->n_arguments - 1];
}

static void pass_bytes(ferry_cuda_launch *launch, const void *value, size_t bytes)
{
    ferry_cuda_argument a = {.kind = FERRY_CUDA_VALUE};
    memcpy(&a.value, value, bytes);
    *next(launch) = a;
}

void ferry_cuda_pass_in(ferry_cuda_launch *launch, int32_t at)
{
    if (at < 0)
        ferry_cuda_pass_null(launch);
    else
        *next(launch) = (ferry_cuda_argument){.kind = FERRY_CUDA_IN, .at = at};
}

void ferry_cuda_pass_out(ferry_cuda_launch *launch, int32_t at)
{
    if (at < 0)
        ferry_cuda_pass_null(launch);
    else
        *next(launch) = (ferry_cuda_argument){.kind = FERRY_CUDA_OUT, .at = at};
}

void ferry_cuda_pass_int(ferry_cuda_launch *launch, int64_t value)
{
    const int32_t v = (int32_t)value;
    pass_bytes(launch, &v, sizeof v);
}

void ferry_cuda_pass_long(ferry_cuda_launch *launch, int64_t value)
{
    pass_bytes(launch, &value, sizeof value);
}

void ferry_cuda_pass_float(ferry_cuda_launch *launch, float value)
{
    pass_bytes(launch, &value, sizeof value);
}

void ferry_cuda_pass_null(ferry_cuda_launch *launch)
{
    *next(launch) = (ferry_cuda_argument){.kind = FERRY_CUDA_VALUE};
}

void ferry_cuda_pass_workspace(ferry_cuda_launch *launch, size_t offset)
{
    *next(launch) = (ferry_cuda_argument){.kind = FERRY_CUDA_WORKSPACE, .value = offset};
}

void ferry_cuda_pass_constants(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel, size_t offset)
{
    const ferry_cu_pointer address = kernel->resident ? kernel->resident->constants + offset : 0;
    pass_bytes(launch, &address, sizeof address);
}

size_t ferry_cuda_kernel_constant_bytes(const ferry_cuda_kernel *kernel)
{
    return kernel->resident ? kernel->resident->constant_bytes : 0;
}

static ferry_status run(ferry_device_stream *stream, const ferry_cuda_launch *l, const ferry_binding *in,
                        const ferry_binding *out, void *workspace, ferry_error *err)
{
    uint64_t values[FERRY_CUDA_MOST_ARGUMENTS];
    void *addresses[FERRY_CUDA_MOST_ARGUMENTS];
    for (int32_t i = 0; i < l->n_arguments; i++) {
        const ferry_cuda_argument *a = &l->arguments[i];
        values[i] = a->kind == FERRY_CUDA_IN          ? (uint64_t)(uintptr_t)in[a->at].data
                    : a->kind == FERRY_CUDA_OUT       ? (uint64_t)(uintptr_t)out[a->at].data
                    : a->kind == FERRY_CUDA_WORKSPACE ? (uint64_t)(uintptr_t)workspace + a->value
                                                      : a->value;
        addresses[i] = &values[i];
    }
    if (l->call)
        return stream->capture ? ferry_cuda_capture_add_call(stream, l, values, err)
                               : l->call->run(l->call, stream->stream, values, err);
    const ferry_cu_kernel_node node = {.function = l->function,
                                       .grid = {l->grid[0], l->grid[1], l->grid[2]},
                                       .block = {l->block[0], l->block[1], l->block[2]},
                                       .shared_bytes = l->shared_bytes,
                                       .arguments = addresses};
    if (stream->capture) return ferry_cuda_capture_add(stream, &node, l, err);
    const ferry_cu_driver *d = stream->device->driver;
    return ferry_cu_check(d,
                          d->cuLaunchKernel(l->function, l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1],
                                            l->block[2], l->shared_bytes, stream->stream, addresses, NULL),
                          "launching a kernel", err);
}

ferry_status ferry_cuda_enqueue(ferry_device_stream *stream, const ferry_kernel *kernel, const ferry_binding *in,
                                const ferry_binding *out, void *workspace, ferry_error *err)
{
    const ferry_cuda_kernel *k = (const ferry_cuda_kernel *)kernel;
    FERRY_TRY(ferry_cuda_enter(stream->device, err));
    ferry_status s = FERRY_OK;
    for (int32_t i = 0; s == FERRY_OK && i < k->n_launches; i++) {
        const ferry_cuda_launch *l = &k->launches[i];
        if (l->grid[0] && l->grid[1] && l->grid[2]) s = run(stream, l, in, out, workspace, err);
    }
    ferry_cuda_leave(stream->device);
    return s;
}

void ferry_cuda_release(ferry_kernel *kernel)
{
    if (!kernel) return;
    ferry_cuda_device *device = (ferry_cuda_device *)kernel->device;
    ferry_cuda_kernel *k = (ferry_cuda_kernel *)kernel;
    for (int32_t i = 0; i < k->n_launches; i++)
        if (k->launches[i].call) k->launches[i].call->release(k->launches[i].call);
    // Where the context can't be entered any more, the memory of the host is given back all the same.
    const bool entered = ferry_cuda_enter(device, NULL) == FERRY_OK;
    ferry_cuda_resident_put(device, k->resident);
    if (entered) ferry_cuda_leave(device);
    ferry_delete(device->base.heap, k);
}
