// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLDEST_DRIVER 10020 // of JetPack 4

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static ferry_cu_driver driver;
static bool opened;
static ferry_cu_problem problem; // of the last attempt

// What broke this process's work on the GPU: written once, before `broken` says so.
static pthread_mutex_t breaking = PTHREAD_MUTEX_INITIALIZER;
static ferry_error breakage;
static atomic_bool broken;

// Errors of kernels, of the chip, and of what they leave behind: NVIDIA's reference says of each that all further work
// of the process fails with it.
static bool breaks_the_process(ferry_cu_result result)
{
    return result == 214 || result == 700 || result == 702 || result == 710 || (result >= 714 && result <= 719);
}

static void remember(const ferry_error *what)
{
    pthread_mutex_lock(&breaking);
    if (!atomic_load_explicit(&broken, memory_order_relaxed)) {
        breakage = *what;
        atomic_store_explicit(&broken, true, memory_order_release);
    }
    pthread_mutex_unlock(&breaking);
}

ferry_status ferry_cu_check_process(ferry_error *err)
{
    if (!atomic_load_explicit(&broken, memory_order_acquire)) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_DEVICE,
                      "the GPU serves this process no more since %s; start the process anew (other processes and the "
                      "CPU are not concerned)",
                      breakage.text);
}

ferry_status ferry_cu_check(const ferry_cu_driver *d, ferry_cu_result result, const char *doing, ferry_error *err)
{
    if (result == 0) return FERRY_OK;
    const char *name = NULL, *text = NULL;
    if (d->cuGetErrorName(result, &name) != 0 || !name) name = "an error without a name";
    if (d->cuGetErrorString(result, &text) != 0 || !text) text = "no description";
    const ferry_status s = result == FERRY_CU_OUT_OF_MEMORY ? FERRY_ERR_OUT_OF_MEMORY
                           : result == FERRY_CU_NO_DEVICE   ? FERRY_ERR_UNAVAILABLE
                                                            : FERRY_ERR_DEVICE;
    if (breaks_the_process(result)) {
        ferry_error what;
        (void)ferry_fail(&what, s, "%s failed with CUDA error %d, %s (%s)", doing, result, name, text);
        remember(&what);
        return ferry_cu_check_process(err);
    }
    return ferry_fail(err, s, "%s: CUDA error %d, %s (%s)", doing, result, name, text);
}

static ferry_status load(void *library, const char *path, ferry_error *err)
{
    const char *missing = NULL;
    // POSIX gives dlsym's result as an object pointer; copying its bytes is the way to make a function pointer of it.
#define LOAD(name, required, arguments)                                                                                \
    {                                                                                                                  \
        void *symbol = dlsym(library, #name);                                                                          \
        memcpy(&driver.name, &symbol, sizeof symbol);                                                                  \
        if (!symbol && (required)) missing = #name;                                                                    \
    }
    FERRY_CU_FUNCTIONS(LOAD)
#undef LOAD
    if (!missing && !driver.cuGraphInstantiateWithFlags && !driver.cuGraphInstantiate_v2)
        missing = "cuGraphInstantiateWithFlags";
    problem = !driver.cuInit ? FERRY_CU_BAD_LIBRARY : missing ? FERRY_CU_TOO_OLD : FERRY_CU_NO_PROBLEM;
    if (!driver.cuInit) return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "%s is no NVIDIA driver: it has no cuInit", path);
    if (missing)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE,
                          "the NVIDIA driver (%s) has no %s: it is older than CUDA 10.2's; install a newer driver",
                          path, missing);
    return FERRY_OK;
}

static ferry_status start(ferry_error *err)
{
    const ferry_cu_result r = driver.cuInit(0);
    problem = r == FERRY_CU_NO_DEVICE ? FERRY_CU_NO_GPU : r != 0 ? FERRY_CU_NO_START : FERRY_CU_NO_PROBLEM;
    if (r == FERRY_CU_NO_DEVICE)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "the NVIDIA driver is there, but finds no GPU");
    if (r != 0) {
        (void)ferry_cu_check(&driver, r, "starting the NVIDIA driver", err);
        return FERRY_ERR_UNAVAILABLE;
    }
    FERRY_TRY(ferry_cu_check(&driver, driver.cuDriverGetVersion(&driver.version), "asking the driver's version", err));
    if (driver.version >= OLDEST_DRIVER) return FERRY_OK;
    problem = FERRY_CU_TOO_OLD;
    return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "the NVIDIA driver serves CUDA %d.%d; 10.2 or newer is needed",
                      driver.version / 1000, driver.version % 1000 / 10);
}

static ferry_status open_once(ferry_error *err)
{
    const char *path = getenv("FERRY_LIBCUDA");
    if (!path || !path[0]) path = "libcuda.so.1";
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        problem = strstr(why, "No such file") && strstr(why, path) ? FERRY_CU_NO_LIBRARY : FERRY_CU_BAD_LIBRARY;
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "no NVIDIA driver: %s could not be opened (%s)", path, why);
    }
    ferry_status s = load(library, path, err);
    if (s == FERRY_OK) s = start(err);
    if (s != FERRY_OK) {
        dlclose(library);
        return s;
    }
    opened = true;
    return FERRY_OK;
}

ferry_status ferry_cu_driver_find(const ferry_cu_driver **out, ferry_cu_problem *out_problem, ferry_error *err)
{
    pthread_mutex_lock(&mutex);
    const ferry_status s = opened ? FERRY_OK : open_once(err);
    *out_problem = s == FERRY_OK ? FERRY_CU_NO_PROBLEM : problem;
    pthread_mutex_unlock(&mutex);
    *out = s == FERRY_OK ? &driver : NULL;
    return s;
}

ferry_status ferry_cu_driver_get(const ferry_cu_driver **out, ferry_error *err)
{
    ferry_cu_problem ignored;
    return ferry_cu_driver_find(out, &ignored, err);
}

void ferry_cu_driver_path(char *out, size_t bytes)
{
    void *symbol = NULL;
    Dl_info at;
    memcpy(&symbol, &driver.cuInit, sizeof symbol);
    const bool found = symbol && dladdr(symbol, &at) && at.dli_fname;
    snprintf(out, bytes, "%s", found ? at.dli_fname : "libcuda.so.1");
}
