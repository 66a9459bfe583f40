// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/vendor_blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backend/cuda/library.h"

enum { ALLOC_FAILED = 3 }; // cublasStatus_t

// Names of the library by ABI, newest first.
static const struct {
    const char *name;
    int major;
} names[] = {{"libcublasLt.so.13", 13}, {"libcublasLt.so.12", 12}, {"libcublasLt.so.11", 11}};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static ferry_cublaslt known[FERRY_COUNT_OF(names)];
static bool searched[FERRY_COUNT_OF(names)], here[FERRY_COUNT_OF(names)];

static bool load(ferry_cublaslt *l, void *library)
{
    bool all = true;
#define LOAD(name, required, result, arguments)                                                                        \
    {                                                                                                                  \
        void *symbol = dlsym(library, #name);                                                                          \
        memcpy(&l->name, &symbol, sizeof symbol);                                                                      \
        all &= symbol != NULL || !(required);                                                                          \
    }
    FERRY_CUBLASLT_FUNCTIONS(LOAD)
#undef LOAD
    for (int i = 0; all && i < 3; i++) all = l->cublasLtGetProperty(i, &l->version[i]) == 0;
    return all;
}

static bool open_name(const char *name, ferry_cublaslt *l)
{
    const char *list = ferry_cuda_library_folders("FERRY_LIBCUBLASLT");
    while (ferry_cuda_library_next(&list, name, l->path, sizeof l->path)) {
        void *library = dlopen(l->path, RTLD_NOW | RTLD_LOCAL);
        if (library && load(l, library)) return true;
        if (library) dlclose(library);
    }
    return false;
}

// With the mutex held. A library is large: those that an older driver does not serve are not opened.
static const ferry_cublaslt *find(int driver_version)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        if (driver_version > 0 && names[i].major > driver_version / 1000) continue;
        if (!searched[i]) here[i] = open_name(names[i].name, &known[i]);
        searched[i] = true;
        if (here[i]) return &known[i];
    }
    return NULL;
}

ferry_status ferry_cublaslt_get(int driver_version, const ferry_cublaslt **out, ferry_error *err)
{
    pthread_mutex_lock(&mutex);
    *out = find(driver_version);
    pthread_mutex_unlock(&mutex);
    if (*out) return FERRY_OK;
    return ferry_fail(
        err, FERRY_ERR_UNAVAILABLE,
        "NVIDIA's cuBLASLt, which it runs in, was not found (libcublasLt.so.13, .12 or .11, as the driver "
        "serves): install it (`pip install nvidia-cublas-cu12`, say) and set FERRY_LIBCUBLASLT to its "
        "folder, or build the engine with --tactics own");
}

void ferry_cublaslt_describe(int driver_version, char *out, size_t out_bytes)
{
    const ferry_cublaslt *library = NULL;
    if (ferry_cublaslt_get(driver_version, &library, NULL) == FERRY_OK)
        snprintf(out, out_bytes, "cuBLASLt %d.%d.%d", library->version[0], library->version[1], library->version[2]);
    else
        snprintf(out, out_bytes, "no cuBLASLt, which is optional");
}

ferry_status ferry_cublaslt_check(const ferry_cublaslt *l, ferry_cublas_result result, const char *doing,
                                  ferry_error *err)
{
    if (result == 0) return FERRY_OK;
    return ferry_fail(err, result == ALLOC_FAILED ? FERRY_ERR_OUT_OF_MEMORY : FERRY_ERR_DEVICE,
                      "%s: cuBLASLt error %d, %s", doing, result,
                      l->cublasLtGetStatusString ? l->cublasLtGetStatusString(result) : "no description");
}
