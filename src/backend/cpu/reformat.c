// SPDX-License-Identifier: Apache-2.0
// Copies between layouts: a plain strided copy with the innermost loop along the output's densest dimension.
#include "backend/cpu/cpu.h"

#include <string.h>

typedef struct reformat_kernel {
    ferry_cpu_kernel base;
    size_t elem_bytes;
    int32_t rank;                 // after merging, at least 1
    int64_t dims[FERRY_MAX_RANK]; // sorted: the output's densest dimension last
    int64_t in_strides[FERRY_MAX_RANK], out_strides[FERRY_MAX_RANK];
} reformat_kernel;

typedef struct copy_job {
    const reformat_kernel *k;
    const char *in;
    char *out;
} copy_job;

static void copy_row(const reformat_kernel *k, const char *in, char *out)
{
    const int32_t last = k->rank - 1;
    const int64_t n = k->dims[last], si = k->in_strides[last], so = k->out_strides[last];
    if (si == 1 && so == 1) {
        memcpy(out, in, (size_t)n * k->elem_bytes);
        return;
    }
    switch (k->elem_bytes) {
#define COPY(type)                                                                                                     \
    for (int64_t i = 0; i < n; i++) ((type *)out)[i * so] = ((const type *)in)[i * si];                                \
    break
    case 1:
        COPY(uint8_t);
    case 2:
        COPY(uint16_t);
    case 4:
        COPY(uint32_t);
    default:
        COPY(uint64_t);
#undef COPY
    }
}

// One item is one row along the innermost dimension.
static void copy_rows(void *context, size_t begin, size_t count)
{
    const copy_job *job = context;
    const reformat_kernel *k = job->k;
    for (size_t row = begin; row < begin + count; row++) {
        size_t rest = row;
        int64_t in_at = 0, out_at = 0;
        for (int32_t d = k->rank - 2; d >= 0; d--) {
            const int64_t i = (int64_t)(rest % (size_t)k->dims[d]);
            rest /= (size_t)k->dims[d];
            in_at += i * k->in_strides[d];
            out_at += i * k->out_strides[d];
        }
        copy_row(k, job->in + in_at * (int64_t)k->elem_bytes, job->out + out_at * (int64_t)k->elem_bytes);
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const reformat_kernel *k = (const reformat_kernel *)kernel;
    size_t rows = 1;
    for (int32_t d = 0; d < k->rank - 1; d++) rows *= (size_t)k->dims[d];
    if (k->dims[k->rank - 1] == 0 || rows == 0) return FERRY_OK;
    copy_job job = {k, r->in[0].data, r->out[0].data};
    const size_t row_bytes = (size_t)k->dims[k->rank - 1] * k->elem_bytes;
    const size_t tile = row_bytes >= 16384 ? 1 : 16384 / row_bytes;
    ferry_parallel_1d(r->pool, copy_rows, &job, rows, tile);
    return FERRY_OK;
}

ferry_status ferry_cpu_prepare_reformat(ferry_device *device, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                        ferry_kernel **out_kernel, ferry_error *err)
{
    *out_kernel = NULL;
    if (in->dtype != out->dtype || in->rank != out->rank)
        return ferry_fail(err, FERRY_ERR_INTERNAL, "reformat between different tensors");
    reformat_kernel *k = ferry_cpu_kernel_new((ferry_cpu_device *)device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a reformat kernel");
    k->elem_bytes = ferry_dtype_bytes(in->dtype);
    // Insertion sort of the dimensions by the output's stride, densest last; then neighbours that are dense in both are
    // merged.
    for (int32_t d = 0; d < in->rank; d++) {
        if (in->dims[d] == 1) continue;
        int32_t at = k->rank;
        while (at > 0 && k->out_strides[at - 1] < out->strides[d]) {
            k->dims[at] = k->dims[at - 1];
            k->in_strides[at] = k->in_strides[at - 1];
            k->out_strides[at] = k->out_strides[at - 1];
            at--;
        }
        k->dims[at] = in->dims[d];
        k->in_strides[at] = in->strides[d];
        k->out_strides[at] = out->strides[d];
        k->rank++;
    }
    if (k->rank == 0) {
        k->rank = 1;
        k->dims[0] = k->in_strides[0] = k->out_strides[0] = 1;
    }
    for (int32_t d = k->rank - 2; d >= 0; d--) {
        if (k->in_strides[d] != k->in_strides[d + 1] * k->dims[d + 1] ||
            k->out_strides[d] != k->out_strides[d + 1] * k->dims[d + 1])
            continue;
        k->dims[d] *= k->dims[d + 1];
        k->in_strides[d] = k->in_strides[d + 1];
        k->out_strides[d] = k->out_strides[d + 1];
        for (int32_t e = d + 1; e + 1 < k->rank; e++) {
            k->dims[e] = k->dims[e + 1];
            k->in_strides[e] = k->in_strides[e + 1];
            k->out_strides[e] = k->out_strides[e + 1];
        }
        k->rank--;
    }
    *out_kernel = &k->base.base;
    return FERRY_OK;
}
