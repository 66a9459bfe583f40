// SPDX-License-Identifier: Apache-2.0
// Copies and fills. As on the real device, pageable host memory is read before the call returns, and written before it
// returns; pinned memory is read and written when the stream comes to it.
#include <stdlib.h>
#include <string.h>

#include "driver/emulator.h"

typedef struct copy_command {
    emulated_command base;
    void *to;
    const void *from; // NULL: `staged`, or a fill with `value`
    size_t bytes;
    unsigned char value;
    unsigned char staged[];
} copy_command;

static void run_copy(emulated_command *command)
{
    copy_command *const c = (copy_command *)command;
    memmove(c->to, c->from ? c->from : c->staged, c->bytes);
    free(c);
}

static void run_fill(emulated_command *command)
{
    copy_command *const c = (copy_command *)command;
    memset(c->to, c->value, c->bytes);
    free(c);
}

static size_t copies; // queued so far

API size_t emulatedCopies(void);
size_t emulatedCopies(void)
{
    return __atomic_load_n(&copies, __ATOMIC_RELAXED);
}

static CUresult enqueue(copy_command *c, CUstream stream)
{
    __atomic_add_fetch(&copies, 1, __ATOMIC_RELAXED);
    const CUresult r = emulated_enqueue(stream, &c->base);
    if (r) free(c);
    return r;
}

static CUresult enqueue_copy(void *to, const void *from, size_t bytes, bool stage, CUstream stream)
{
    if (!bytes) return emulated_ready();
    copy_command *const c = malloc(sizeof *c + (stage ? bytes : 0));
    if (!c) return CUDA_ERROR_OUT_OF_MEMORY;
    *c = (copy_command){{.run = run_copy}, to, stage ? NULL : from, bytes, 0};
    if (stage) memcpy(c->staged, from, bytes);
    return enqueue(c, stream);
}

API CUresult cuStreamSynchronize(CUstream stream);

EXPORT(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))
{
    if (!emulated_is_device(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    return enqueue_copy((void *)to, from, bytes, !emulated_is_pinned(from), stream);
}

EXPORT(cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream))
{
    if (!emulated_is_device(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
    const CUresult r = enqueue_copy(to, (const void *)from, bytes, false, stream);
    return r || emulated_is_pinned(to) ? r : cuStreamSynchronize(stream);
}

EXPORT(cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))
{
    if (!emulated_is_device(to, bytes) || !emulated_is_device(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
    return enqueue_copy((void *)to, (const void *)from, bytes, false, stream);
}

EXPORT(cuMemcpyAsync, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))
{
    const bool to_device = emulated_is_device(to, bytes), from_device = emulated_is_device(from, bytes);
    if (!to_device) return cuMemcpyDtoHAsync_v2((void *)to, from, bytes, stream);
    if (!from_device) return cuMemcpyHtoDAsync_v2(to, (const void *)from, bytes, stream);
    return cuMemcpyDtoDAsync_v2(to, from, bytes, stream);
}

EXPORT(cuMemsetD8Async, (CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream))
{
    if (!emulated_is_device(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    copy_command *const c = malloc(sizeof *c);
    if (!c) return CUDA_ERROR_OUT_OF_MEMORY;
    *c = (copy_command){{.run = run_fill}, (void *)to, NULL, bytes, value};
    return enqueue(c, stream);
}

static CUresult finish(CUresult queued)
{
    return queued ? queued : cuStreamSynchronize(NULL);
}

EXPORT(cuMemcpyHtoD_v2, (CUdeviceptr to, const void *from, size_t bytes))
{
    return finish(cuMemcpyHtoDAsync_v2(to, from, bytes, NULL));
}

EXPORT(cuMemcpyDtoH_v2, (void *to, CUdeviceptr from, size_t bytes))
{
    return finish(cuMemcpyDtoHAsync_v2(to, from, bytes, NULL));
}

EXPORT(cuMemcpyDtoD_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes))
{
    return finish(cuMemcpyDtoDAsync_v2(to, from, bytes, NULL));
}

EXPORT(cuMemsetD8_v2, (CUdeviceptr to, unsigned char value, size_t bytes))
{
    return finish(cuMemsetD8Async(to, value, bytes, NULL));
}
