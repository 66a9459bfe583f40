// SPDX-License-Identifier: Apache-2.0
// What of NVIDIA's is on this machine: the driver and its GPUs, the compiler, further libraries, and ferry's own cache.
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/device.h"
#include "backend/cuda/kept.h"
#include "backend/cuda/nvrtc.h"
#include "backend/cuda/vendor_blas.h"
#include "base/diagnosis.h"
#include "base/heap.h"

// --- The driver and its GPUs ----------------------------------------------------------------------------------------

// The PCI address of an NVIDIA display controller; "" without one. A Jetson's GPU is on no such bus.
static void find_pci_gpu(char *out, size_t bytes)
{
    const char *root = getenv("FERRY_ROOT");
    char pattern[512];
    glob_t found = {0};
    out[0] = 0;
    snprintf(pattern, sizeof pattern, "%s/sys/bus/pci/devices/*/vendor", root ? root : "");
    if (glob(pattern, 0, NULL, &found) != 0) return;
    for (size_t i = 0; i < found.gl_pathc && !out[0]; i++) {
        unsigned vendor = 0, class = 0;
        char path[512];
        const size_t folder = strlen(found.gl_pathv[i]) - strlen("vendor");
        snprintf(path, sizeof path, "%.*sclass", (int)folder, found.gl_pathv[i]);
        FILE *v = fopen(found.gl_pathv[i], "r"), *c = fopen(path, "r");
        if (v && c && fscanf(v, "%x", &vendor) == 1 && fscanf(c, "%x", &class) == 1 && vendor == 0x10de &&
            class >> 16 == 0x03) {
            path[folder - 1] = 0;
            snprintf(out, bytes, "%s", strrchr(path, '/') + 1);
        }
        if (v) fclose(v);
        if (c) fclose(c);
    }
    globfree(&found);
}

static void add_missing_driver(ferry_diagnosis *d, ferry_cu_problem problem, const char *why)
{
    char gpu[64];
    find_pci_gpu(gpu, sizeof gpu);
    const ferry_found state =
        problem == FERRY_CU_NO_LIBRARY || problem == FERRY_CU_NO_GPU ? FERRY_FOUND_ABSENT : FERRY_FOUND_BROKEN;
    const char *remedy =
        problem == FERRY_CU_NO_LIBRARY && !gpu[0] ? "engines for GPUs elsewhere can be built all the same: --target"
        : problem == FERRY_CU_NO_LIBRARY          ? "install NVIDIA's driver; in a container, run it with --gpus all"
        : problem == FERRY_CU_NO_GPU ? "where there is a GPU: load its kernel module, give the container the GPU, and "
                                       "look at CUDA_VISIBLE_DEVICES"
        : problem == FERRY_CU_BAD_LIBRARY ? "install NVIDIA's driver anew, or let FERRY_LIBCUDA name its libcuda.so.1"
        : problem == FERRY_CU_TOO_OLD     ? "install a newer driver"
                                      : "the driver's library and kernel module must be of one version: restart after "
                                        "an update, and see whether nvidia-smi works";
    ferry_diagnosis_add(d, "GPU driver", state, remedy, "%s%s%s%s", why, gpu[0] ? "; an NVIDIA GPU is there, PCI " : "",
                        gpu, problem == FERRY_CU_NO_LIBRARY && !gpu[0] ? "; no NVIDIA GPU is seen either" : "");
}

static void add_gpu(ferry_diagnosis *d, int ordinal)
{
    char selector[16], part[32];
    ferry_error err = {.text = ""};
    ferry_device *device = NULL;
    ferry_device_info info;
    ferry_device_memory memory = {0};
    snprintf(selector, sizeof selector, "%d", ordinal);
    snprintf(part, sizeof part, "GPU cuda:%d", ordinal);
    const ferry_status s = ferry_backend_cuda.open(selector, ferry_heap_default(), NULL, &device, &err);
    if (s != FERRY_OK) {
        ferry_diagnosis_add(d, part, s == FERRY_ERR_UNAVAILABLE ? FERRY_FOUND_ABSENT : FERRY_FOUND_BROKEN, NULL, "%s",
                            err.text);
        return;
    }
    ferry_backend_cuda.describe(device, &info);
    if (ferry_backend_cuda.measure_memory(device, &memory, &err) == FERRY_OK)
        ferry_diagnosis_add(d, part, FERRY_FOUND_WORKS, NULL, "%s; %.1f of %.1f GB free", info.name,
                            (double)memory.free_bytes / 1e9, (double)memory.total_bytes / 1e9);
    else
        ferry_diagnosis_add(d, part, FERRY_FOUND_BROKEN, "see whether nvidia-smi works", "%s; %s", info.name, err.text);
    ferry_backend_cuda.close(device);
}

static void add_driver(ferry_diagnosis *d)
{
    const ferry_cu_driver *driver = NULL;
    ferry_error err = {.text = ""};
    ferry_cu_problem problem = FERRY_CU_NO_PROBLEM;
    int count = 0;
    if (ferry_cu_driver_find(&driver, &problem, &err) != FERRY_OK) {
        add_missing_driver(d, problem, err.text);
        return;
    }
    char path[512];
    ferry_cu_driver_path(path, sizeof path);
    ferry_diagnosis_add(d, "GPU driver", FERRY_FOUND_WORKS, NULL, "CUDA %d.%d (%s)", driver->version / 1000,
                        driver->version % 1000 / 10, path);
    if (driver->cuDeviceGetCount(&count) != 0) count = 0;
    for (int i = 0; i < count; i++) add_gpu(d, i);
}

// --- Further libraries ----------------------------------------------------------------------------------------------

// A library is found where an engine would find it: one that the driver is too old for does not count.
static void add_cublaslt(ferry_diagnosis *d)
{
    const ferry_cu_driver *driver = NULL;
    const ferry_cublaslt *l = NULL;
    const int version = ferry_cu_driver_get(&driver, NULL) == FERRY_OK ? driver->version : 0;
    if (ferry_cublaslt_get(version, &l, NULL) == FERRY_OK)
        ferry_diagnosis_add(d, "cuBLASLt", FERRY_FOUND_WORKS, NULL, "%d.%d.%d (%s)", l->version[0], l->version[1],
                            l->version[2], l->path);
    else
        ferry_diagnosis_add(d, "cuBLASLt", FERRY_FOUND_ABSENT, NULL,
                            "no libcublasLt.so.13, .12 or .11 was found; ferry's own kernels serve");
}

static void add_cache(ferry_diagnosis *d)
{
    ferry_cuda_kept_state state;
    ferry_cuda_kept_look(&state);
    if (!state.folder[0])
        ferry_diagnosis_add(d, "kernel cache", FERRY_FOUND_ABSENT, "set HOME or XDG_CACHE_HOME",
                            "neither HOME nor XDG_CACHE_HOME is set: every build compiles its kernels anew");
    else if (!state.writable)
        ferry_diagnosis_add(d, "kernel cache", FERRY_FOUND_ABSENT, "set XDG_CACHE_HOME to a folder that can be written",
                            "%s can't be written: every build compiles its kernels anew", state.folder);
    else
        ferry_diagnosis_add(d, "kernel cache", FERRY_FOUND_WORKS, NULL, "%s, %zu kernels, %.1f of at most %.0f MB",
                            state.folder, state.files, (double)state.bytes / 1e6, (double)FERRY_CUDA_KEPT_MOST / 1e6);
}

void ferry_cuda_diagnose(ferry_diagnosis *d)
{
    add_driver(d);
    ferry_nvrtc_diagnose(d);
    add_cublaslt(d);
    add_cache(d);
}
