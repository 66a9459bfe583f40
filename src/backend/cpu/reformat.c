// SPDX-License-Identifier: Apache-2.0
// Changes of layout as kernels: one strided copy.
#include "backend/cpu/conv_node.h"
#include "backend/cpu/strided_copy.h"

typedef struct reformat_kernel {
    ferry_cpu_kernel base;
    ferry_strided_copy copy;
} reformat_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const reformat_kernel *k = (const reformat_kernel *)kernel;
    ferry_strided_copy_run(&k->copy, r->pool, r->out[0].data, r->in[0].data);
    return FERRY_OK;
}

ferry_status ferry_cpu_prepare_reformat(ferry_device *device, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                        const void *packed, size_t packed_bytes, ferry_kernel **out_kernel,
                                        ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    *out_kernel = NULL;
    if (in->dtype != out->dtype || !ferry_tensor_desc_same_dims(in, out))
        return ferry_fail(err, FERRY_ERR_INTERNAL, "reformat between different tensors");
    reformat_kernel *k = ferry_cpu_kernel_new((ferry_cpu_device *)device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a reformat kernel");
    ferry_strided_copy_make(&k->copy, ferry_dtype_bytes(in->dtype), in->rank, in->dims, out->strides, 0, in->strides,
                            0);
    *out_kernel = &k->base.base;
    return FERRY_OK;
}
