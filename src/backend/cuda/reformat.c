// SPDX-License-Identifier: Apache-2.0
// Changes of layout as kernels: a transposition where one side's channels lie together and the other's do not, else a
// strided copy.
#include <string.h>

#include "backend/cuda/node.h"
#include "backend/cuda/resident.h"
#include "backend/reading/conv_shape.h"

#define DIMS 6

// Read and written once; a side whose rows are short is moved in more than its own bytes.
double ferry_cuda_reformat_cost_us(const ferry_device *device, double bytes)
{
    return ferry_cuda_cost_us((const ferry_cuda_device *)device, FERRY_F32, 0, 3 * bytes);
}

ferry_status ferry_cuda_pack_reformat(ferry_device *device, ferry_dtype dtype, void **out_data, size_t *out_bytes,
                                      ferry_error *err)
{
    *out_data = NULL;
    *out_bytes = 0;
    ferry_cuda_package package = {.device = (ferry_cuda_device *)device};
    ferry_cuda_source s = {.heap = device->heap};
    const int bits = (int)ferry_dtype_bytes(dtype) * 8;
    ferry_cuda_source_add(&s, "#define ELEMENT %s\n#include \"reformat.cuh\"\n",
                          bits == 8    ? "unsigned char"
                          : bits == 16 ? "unsigned short"
                          : bits == 32 ? "unsigned"
                                       : "unsigned long long");
    const ferry_status status = ferry_cuda_source_compile(&s, &package, err);
    if (status == FERRY_OK) return ferry_cuda_package_finish(&package, out_data, out_bytes, err);
    ferry_cuda_package_clear(&package);
    return status;
}

// [N, C, positions] with the channels of one side lying together and densely in the other: a transposition of matrices.
static bool is_transposition(const ferry_tensor_desc *from, const ferry_tensor_desc *to)
{
    return from->rank >= 3 && from->layout != to->layout &&
           ferry_tensor_desc_is_dense(from->layout == FERRY_LAYOUT_PLAIN ? from : to, FERRY_LAYOUT_PLAIN) &&
           ferry_tensor_desc_row(from->layout == FERRY_LAYOUT_PLAIN ? to : from) > 0;
}

static ferry_status launch_transposition(ferry_cuda_kernel *kernel, const ferry_tensor_desc *in,
                                         const ferry_tensor_desc *out, ferry_error *err)
{
    const bool to_last = in->layout == FERRY_LAYOUT_PLAIN;
    const int64_t plane = ferry_cuda_plane(in), channels = in->dims[1];
    const int64_t pitch = ferry_tensor_desc_row(to_last ? out : in); // from a position to the next
    const int64_t rows = to_last ? channels : plane, columns = to_last ? plane : channels;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(
        kernel, 0, "ferry_transpose",
        (const uint64_t[3]){(uint64_t)(columns + 31) / 32, (uint64_t)(rows + 31) / 32, (uint64_t)in->dims[0]},
        (const unsigned[3]){32, 8, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, 0);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, rows);
    ferry_cuda_pass_int(launch, columns);
    ferry_cuda_pass_long(launch, to_last ? plane : pitch);
    ferry_cuda_pass_long(launch, to_last ? pitch : plane);
    ferry_cuda_pass_long(launch, in->strides[0]);
    ferry_cuda_pass_long(launch, out->strides[0]);
    return FERRY_OK;
}

static ferry_status launch_copy(ferry_cuda_kernel *kernel, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                ferry_error *err)
{
    int64_t dims[DIMS], from[DIMS], to[DIMS], elements = 1;
    if (in->rank > DIMS) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a change of layout in %d dimensions", in->rank);
    for (int32_t d = 0; d < DIMS; d++) {
        const int32_t own = d - (DIMS - in->rank);
        dims[d] = own >= 0 ? in->dims[own] : 1;
        from[d] = own >= 0 ? in->strides[own] : 0;
        to[d] = own >= 0 ? out->strides[own] : 0;
        elements *= dims[d];
        if (dims[d] > INT32_MAX) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a dimension beyond 2^31");
    }
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_strided_copy",
                                       (const uint64_t[3]){(uint64_t)(elements + 255) / 256, 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, 0);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_long(launch, elements);
    for (int d = 1; d < DIMS; d++) ferry_cuda_pass_int(launch, dims[d] > 0 ? dims[d] : 1);
    for (int d = 0; d < DIMS; d++) ferry_cuda_pass_long(launch, from[d]);
    for (int d = 0; d < DIMS; d++) ferry_cuda_pass_long(launch, to[d]);
    return FERRY_OK;
}

static ferry_status fill(ferry_cuda_kernel *kernel, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                         const void *packed, size_t packed_bytes, ferry_error *err)
{
    ferry_cuda_device *device = (ferry_cuda_device *)kernel->base.device;
    FERRY_TRY(ferry_cuda_resident_get(device, packed, packed_bytes, &kernel->resident, err));
    return is_transposition(in, out) ? launch_transposition(kernel, in, out, err) : launch_copy(kernel, in, out, err);
}

ferry_status ferry_cuda_prepare_reformat(ferry_device *device, const ferry_tensor_desc *in,
                                         const ferry_tensor_desc *out, const void *packed, size_t packed_bytes,
                                         ferry_kernel **out_kernel, ferry_error *err)
{
    *out_kernel = NULL;
    if (in->dtype != out->dtype || !ferry_tensor_desc_same_dims(in, out))
        return ferry_fail(err, FERRY_ERR_INTERNAL, "reformat between different tensors");
    const ferry_cuda_device *d = (const ferry_cuda_device *)device;
    FERRY_TRY(ferry_cuda_enter(d, err));
    ferry_cuda_kernel *kernel = ferry_new(device->heap, ferry_cuda_kernel);
    ferry_status s = kernel ? FERRY_OK : ferry_fail_memory(err, "a CUDA kernel");
    if (kernel) {
        kernel->base.device = device;
        s = fill(kernel, in, out, packed, packed_bytes, err);
    }
    ferry_cuda_leave(d);
    if (s == FERRY_OK)
        *out_kernel = &kernel->base;
    else if (kernel)
        ferry_cuda_release(&kernel->base);
    return s;
}
