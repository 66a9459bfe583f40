// SPDX-License-Identifier: Apache-2.0
// Preprocessing of pictures: members of the backend.
#include "backend/cuda/device.h"
#include "backend/cuda/resident.h"
#include "backend/cuda/source.h"
#include "vision/preprocess_work.h"

ferry_status ferry_cuda_pack_preprocess(ferry_device *device, void **out_data, size_t *out_bytes, ferry_error *err)
{
    ferry_cuda_package package = {.device = (ferry_cuda_device *)device};
    ferry_cuda_source s = {.heap = device->heap};
    ferry_cuda_source_add(&s, "#include \"preprocess.cuh\"\n");
    const ferry_status status = ferry_cuda_source_compile(&s, &package, err);
    if (status == FERRY_OK) return ferry_cuda_package_finish(&package, out_data, out_bytes, err);
    ferry_cuda_package_clear(&package);
    return status;
}

static void pass_axis(ferry_cuda_launch *launch, const ferry_preprocess_axis *axis)
{
    ferry_cuda_pass_int(launch, axis->begin_at);
    ferry_cuda_pass_int(launch, axis->length_at);
    ferry_cuda_pass_int(launch, axis->weights_at);
    ferry_cuda_pass_int(launch, axis->taps);
}

static ferry_status fill(ferry_cuda_kernel *kernel, const ferry_preprocess_work *w, const void *packed,
                         size_t packed_bytes, ferry_error *err)
{
    ferry_cuda_device *device = (ferry_cuda_device *)kernel->base.device;
    const ferry_preprocess_geometry *g = &w->geometry;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_resident_get(device, packed, packed_bytes, &kernel->resident, err));
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_preprocess",
                                       (const uint64_t[3]){(g->width + 31) / 32, (g->height + 7) / 8, 1},
                                       (const unsigned[3]){32, 8, 1}, 0, &launch, err));
    ferry_cuda_pass_in(launch, 0);
    ferry_cuda_pass_in(launch, 1);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_long(launch, (int64_t)w->source_stride);
    ferry_cuda_pass_int(launch, w->source_channels);
    ferry_cuda_pass_int(launch, w->grey);
    ferry_cuda_pass_int(launch, w->flipped);
    ferry_cuda_pass_int(launch, w->down_first);
    ferry_cuda_pass_int(launch, g->width);
    ferry_cuda_pass_int(launch, g->height);
    ferry_cuda_pass_int(launch, g->channels);
    ferry_cuda_pass_int(launch, g->content_x);
    ferry_cuda_pass_int(launch, g->content_y);
    ferry_cuda_pass_int(launch, g->content_width);
    ferry_cuda_pass_int(launch, g->content_height);
    pass_axis(launch, &w->x);
    pass_axis(launch, &w->y);
    ferry_cuda_pass_int(launch, w->channels_at);
    ferry_cuda_pass_int(launch, w->element_bytes);
    ferry_cuda_pass_int(launch, w->planar);
    return FERRY_OK;
}

ferry_status ferry_cuda_prepare_preprocess(ferry_device *device, const ferry_preprocess_work *work, const void *packed,
                                           size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    *out_kernel = NULL;
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    FERRY_TRY(ferry_cuda_enter(d, err));
    ferry_cuda_kernel *kernel = ferry_new(device->heap, ferry_cuda_kernel);
    ferry_status s = kernel ? FERRY_OK : ferry_fail_memory(err, "a CUDA kernel");
    if (kernel) {
        kernel->base.device = device;
        s = fill(kernel, work, packed, packed_bytes, err);
    }
    ferry_cuda_leave(d);
    if (s == FERRY_OK)
        *out_kernel = &kernel->base;
    else if (kernel)
        ferry_cuda_release(&kernel->base);
    return s;
}
