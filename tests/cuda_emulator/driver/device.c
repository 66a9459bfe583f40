// SPDX-License-Identifier: Apache-2.0
// The one device: what it says of itself, and its primary context, which every thread makes its current one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/emulator.h"

struct emulated_context {
    int references;
    CUresult broken; // CUDA_SUCCESS while nothing failed
};

enum { MOST_PUSHED = 16 };

static bool initialised;
static struct emulated_context primary;
static _Thread_local CUcontext pushed[MOST_PUSHED];
static _Thread_local int depth;

int emulated_chip(void)
{
    const char *const text = getenv("FERRY_EMULATED_SM");
    const int chip = text ? atoi(text) : 0;
    return chip >= 50 && chip <= 121 ? chip : 90;
}

static int processors(void)
{
    const char *const text = getenv("FERRY_EMULATED_PROCESSORS");
    const int n = text ? atoi(text) : 0;
    return n >= 1 && n <= 1024 ? n : 4;
}

size_t emulated_memory_bytes(void)
{
    const char *const text = getenv("FERRY_EMULATED_MEMORY");
    return text ? (size_t)atoi(text) << 10 : (size_t)8 << 30;
}

size_t emulated_shared_limit(void)
{
    switch (emulated_chip()) {
    case 70:
    case 72:
        return 96 << 10;
    case 75:
        return 64 << 10;
    case 80:
    case 87:
        return 163 << 10;
    case 86:
    case 89:
    case 120:
    case 121:
        return 99 << 10;
    case 90:
    case 100:
    case 101:
    case 103:
    case 110:
        return 227 << 10;
    default:
        return 48 << 10;
    }
}

CUresult emulated_ready(void)
{
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!depth || !pushed[depth - 1]) return CUDA_ERROR_INVALID_CONTEXT;
    return __atomic_load_n(&primary.broken, __ATOMIC_ACQUIRE);
}

void emulated_break_context(CUresult why)
{
    __atomic_store_n(&primary.broken, why, __ATOMIC_RELEASE);
}

bool emulated_context_is_broken(void)
{
    return __atomic_load_n(&primary.broken, __ATOMIC_ACQUIRE) != CUDA_SUCCESS;
}

EXPORT(cuInit, (unsigned flags))
{
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (emulated_fails("nodevice")) return CUDA_ERROR_NO_DEVICE;
    if (emulated_fails("init")) return CUDA_ERROR_SYSTEM_DRIVER_MISMATCH;
    initialised = true;
    return CUDA_SUCCESS;
}

EXPORT(cuDriverGetVersion, (int *out))
{
    *out = emulated_fails("olddriver") ? 9020 : 12090;
    return CUDA_SUCCESS;
}

EXPORT(cuDeviceGetCount, (int *out))
{
    *out = 1;
    return initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

EXPORT(cuDeviceGet, (CUdevice * out, int ordinal))
{
    *out = 0;
    return !initialised ? CUDA_ERROR_NOT_INITIALIZED : ordinal ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

EXPORT(cuDeviceGetName, (char *out, int bytes, CUdevice device))
{
    snprintf(out, (size_t)bytes, "Emulated sm_%d", emulated_chip());
    return device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

EXPORT(cuDeviceGetUuid, (CUuuid * out, CUdevice device))
{
    memcpy(out->bytes, "emulated-device", sizeof out->bytes);
    return device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

EXPORT(cuDeviceGetUuid_v2, (CUuuid * out, CUdevice device))
{
    return cuDeviceGetUuid(out, device);
}

EXPORT(cuDeviceTotalMem_v2, (size_t * out, CUdevice device))
{
    *out = emulated_memory_bytes();
    return device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

EXPORT(cuDeviceGetAttribute, (int *out, int attribute, CUdevice device))
{
    const bool integrated = getenv("FERRY_EMULATED_INTEGRATED") != NULL;
    // Numbers are CUdevice_attribute's; what isn't here is 0: a feature that the device lacks.
    const struct {
        int attribute, value;
    } rows[] = {
        {1, 1024},                                 // MAX_THREADS_PER_BLOCK
        {2, 1024},                                 // MAX_BLOCK_DIM_X
        {3, 1024},                                 // MAX_BLOCK_DIM_Y
        {4, 64},                                   // MAX_BLOCK_DIM_Z
        {5, 2147483647},                           // MAX_GRID_DIM_X
        {6, 65535},                                // MAX_GRID_DIM_Y
        {7, 65535},                                // MAX_GRID_DIM_Z
        {8, 48 << 10},                             // MAX_SHARED_MEMORY_PER_BLOCK
        {9, 64 << 10},                             // TOTAL_CONSTANT_MEMORY
        {10, EMULATED_WARP},                       // WARP_SIZE
        {12, 65536},                               // MAX_REGISTERS_PER_BLOCK
        {13, 900000 + 25000 * processors()},       // CLOCK_RATE
        {16, processors()},                        // MULTIPROCESSOR_COUNT
        {18, integrated},                          // INTEGRATED
        {19, 1},                                   // CAN_MAP_HOST_MEMORY
        {31, 1},                                   // CONCURRENT_KERNELS
        {36, 1000000},                             // MEMORY_CLOCK_RATE
        {37, 128},                                 // GLOBAL_MEMORY_BUS_WIDTH
        {38, processors() << 20},                  // L2_CACHE_SIZE
        {39, 2048},                                // MAX_THREADS_PER_MULTIPROCESSOR
        {40, 2},                                   // ASYNC_ENGINE_COUNT
        {41, 1},                                   // UNIFIED_ADDRESSING
        {75, emulated_chip() / 10},                // COMPUTE_CAPABILITY_MAJOR
        {76, emulated_chip() % 10},                // COMPUTE_CAPABILITY_MINOR
        {81, (int)emulated_shared_limit() + 1024}, // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
        {82, 65536},                               // MAX_REGISTERS_PER_MULTIPROCESSOR
        {97, (int)emulated_shared_limit()},        // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
        {106, 32},                                 // MAX_BLOCKS_PER_MULTIPROCESSOR
        {111, 1024},                               // RESERVED_SHARED_MEMORY_PER_BLOCK
    };
    *out = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].attribute == attribute) *out = rows[i].value;
    return device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

// --- The context -----------------------------------------------------------------------------------------------------

EXPORT(cuDevicePrimaryCtxRetain, (CUcontext * out, CUdevice device))
{
    *out = NULL;
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (device) return CUDA_ERROR_INVALID_DEVICE;
    __atomic_add_fetch(&primary.references, 1, __ATOMIC_RELAXED);
    *out = &primary;
    return CUDA_SUCCESS;
}

EXPORT(cuDevicePrimaryCtxRelease_v2, (CUdevice device))
{
    if (device) return CUDA_ERROR_INVALID_DEVICE;
    if (__atomic_load_n(&primary.references, __ATOMIC_RELAXED) == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (__atomic_sub_fetch(&primary.references, 1, __ATOMIC_RELAXED) == 0) emulated_break_context(CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

EXPORT(cuDevicePrimaryCtxRelease, (CUdevice device))
{
    return cuDevicePrimaryCtxRelease_v2(device);
}

EXPORT(cuCtxPushCurrent_v2, (CUcontext context))
{
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!context || depth == MOST_PUSHED) return CUDA_ERROR_INVALID_CONTEXT;
    pushed[depth++] = context;
    return CUDA_SUCCESS;
}

EXPORT(cuCtxPopCurrent_v2, (CUcontext * out))
{
    if (!depth) return CUDA_ERROR_INVALID_CONTEXT;
    depth--;
    if (out) *out = pushed[depth];
    return CUDA_SUCCESS;
}

EXPORT(cuCtxGetCurrent, (CUcontext * out))
{
    *out = depth ? pushed[depth - 1] : NULL;
    return initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

EXPORT(cuCtxSetCurrent, (CUcontext context))
{
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!depth) depth = 1;
    pushed[depth - 1] = context;
    return CUDA_SUCCESS;
}
