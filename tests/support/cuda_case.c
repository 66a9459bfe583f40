// SPDX-License-Identifier: Apache-2.0
#include "support/cuda_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cuda/compile.h"
#include "backend/cuda/nvrtc.h"
#include "backend/cuda/target.h"

enum { MOST_TEXTS = 64 };

void cuda_case_check(const cuda_case *c, ferry_cu_result result, const char *doing)
{
    ferry_error why;
    if (ferry_cu_check(c->driver, result, doing, &why) != FERRY_OK) fail_msg("%s", why.text);
}

void *cuda_case_compile(const char *text, int chip, size_t *out_bytes)
{
    const ferry_nvrtc *nvrtc = NULL;
    ferry_nvrtc_header headers[MOST_TEXTS];
    size_t n = 0;
    for (; ferry_cuda_texts()[n].name && n < MOST_TEXTS; n++)
        headers[n] = (ferry_nvrtc_header){ferry_cuda_texts()[n].name, ferry_cuda_texts()[n].text};
    ferry_error why;
    ferry_cuda_target target;
    char arch[16];
    assert_true(ferry_cuda_target_of_chip(chip, &target));
    ferry_cuda_target_arch(&target, arch);
    void *cubin = NULL;
    if (ferry_nvrtc_get(chip, 0, &nvrtc, &why) != FERRY_OK ||
        ferry_nvrtc_compile(nvrtc, text, headers, n, arch, ferry_heap_default(), &cubin, out_bytes, &why) != FERRY_OK)
        fail_msg("%s", why.text);
    void *const out = malloc(*out_bytes);
    assert_non_null(out);
    memcpy(out, cubin, *out_bytes);
    ferry_heap_free(ferry_heap_default(), cubin, *out_bytes);
    return out;
}

static int chip_of(const cuda_case *c)
{
    int major, minor;
    cuda_case_check(c, c->driver->cuDeviceGetAttribute(&major, FERRY_CU_ATTR_MAJOR, 0), "the device's chip");
    cuda_case_check(c, c->driver->cuDeviceGetAttribute(&minor, FERRY_CU_ATTR_MINOR, 0), "the device's chip");
    return major * 10 + minor;
}

bool cuda_case_open(cuda_case *c, const char *text)
{
    *c = (cuda_case){0};
    ferry_error why;
    const ferry_nvrtc *nvrtc;
    if (ferry_cu_driver_get(&c->driver, &why) != FERRY_OK || ferry_nvrtc_get(0, 0, &nvrtc, &why) != FERRY_OK) {
        print_message("[  SKIPPED ] cuda: %s\n", why.text);
        return false;
    }
    cuda_case_check(c, c->driver->cuDevicePrimaryCtxRetain(&c->context, 0), "the device's context");
    cuda_case_check(c, c->driver->cuCtxPushCurrent_v2(c->context), "the device's context");
    cuda_case_check(c, c->driver->cuStreamCreate(&c->stream, FERRY_CU_STREAM_NON_BLOCKING), "a stream");
    c->chip = chip_of(c);
    size_t bytes;
    void *const cubin = cuda_case_compile(text, c->chip, &bytes);
    cuda_case_check(c, c->driver->cuModuleLoadData(&c->module, cubin), "loading a cubin");
    free(cubin);
    return true;
}

void cuda_case_close(cuda_case *c)
{
    cuda_case_check(c, c->driver->cuStreamDestroy_v2(c->stream), "a stream's end");
    cuda_case_check(c, c->driver->cuModuleUnload(c->module), "a module's end");
    cuda_case_check(c, c->driver->cuCtxPopCurrent_v2(&c->context), "the context");
    cuda_case_check(c, c->driver->cuDevicePrimaryCtxRelease(0), "the context");
}

ferry_cu_pointer cuda_case_upload(const cuda_case *c, const void *data, size_t bytes)
{
    ferry_cu_pointer memory = 0;
    cuda_case_check(c, c->driver->cuMemAlloc_v2(&memory, bytes), "device memory");
    if (data) {
        cuda_case_check(c, c->driver->cuMemcpyHtoDAsync_v2(memory, data, bytes, c->stream), "a copy");
        cuda_case_wait(c);
    }
    return memory;
}

void cuda_case_download(const cuda_case *c, void *to, ferry_cu_pointer from, size_t bytes)
{
    cuda_case_check(c, c->driver->cuMemcpyDtoHAsync_v2(to, from, bytes, c->stream), "a copy");
    cuda_case_wait(c);
}

void cuda_case_free(const cuda_case *c, ferry_cu_pointer memory)
{
    cuda_case_check(c, c->driver->cuMemFree_v2(memory), "device memory's end");
}

ferry_cu_function cuda_case_function(const cuda_case *c, const char *name)
{
    ferry_cu_function function = NULL;
    cuda_case_check(c, c->driver->cuModuleGetFunction(&function, c->module, name), name);
    return function;
}

void cuda_case_launch(const cuda_case *c, const char *name, unsigned blocks, unsigned threads, unsigned shared_bytes,
                      void **arguments)
{
    const ferry_cu_function f = cuda_case_function(c, name);
    const ferry_cu_result r =
        c->driver->cuLaunchKernel(f, blocks, 1, 1, threads, 1, 1, shared_bytes, c->stream, arguments, NULL);
    cuda_case_check(c, r, name);
}

void cuda_case_wait(const cuda_case *c)
{
    cuda_case_check(c, c->driver->cuStreamSynchronize(c->stream), "the stream");
}
