// SPDX-License-Identifier: Apache-2.0
// Memory of the device and pinned memory of the host. Each block lies between bands that nobody may write, begins as
// garbage, and, if it is the device's, can't be touched by the host while the device has nothing to do.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "driver/emulator.h"

#define GUARD ((size_t)4096) // before and behind a block, which begins on a page of its own
#define GARBAGE 0xff         // no number, read as a float of any width
#define PAGE ((size_t)4096)

typedef enum memory_kind { DEVICE, PINNED, VARIABLE } memory_kind;

typedef struct memory_block {
    struct memory_block *next;
    memory_kind kind;
    char *data;
    size_t bytes;
} memory_block;

static memory_block *blocks;
static size_t device_bytes; // in use
static int open_count;

static size_t mapped_bytes(const memory_block *b)
{
    return (GUARD * 2 + b->bytes + PAGE - 1) / PAGE * PAGE;
}

static memory_block **find(const void *address)
{
    memory_block **at = &blocks;
    while (*at && (*at)->data != address) at = &(*at)->next;
    return at;
}

static void protect(const memory_block *b, int protection)
{
    if (b->kind == DEVICE) mprotect(b->data - GUARD, mapped_bytes(b), protection);
}

void emulated_memory_open(void)
{
    pthread_mutex_lock(&emulated_lock);
    if (open_count++ == 0)
        for (const memory_block *b = blocks; b; b = b->next) protect(b, PROT_READ | PROT_WRITE);
    pthread_mutex_unlock(&emulated_lock);
}

void emulated_memory_close(void)
{
    pthread_mutex_lock(&emulated_lock);
    if (--open_count == 0)
        for (const memory_block *b = blocks; b; b = b->next) protect(b, PROT_NONE);
    pthread_mutex_unlock(&emulated_lock);
}

/// With the lock held.
static void *add_block(memory_kind kind, size_t bytes)
{
    memory_block *const b = malloc(sizeof *b);
    if (!b) return NULL;
    *b = (memory_block){.next = blocks, .kind = kind, .bytes = bytes};
    char *const map = mmap(NULL, mapped_bytes(b), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        free(b);
        return NULL;
    }
    b->data = map + GUARD;
    memset(map, GARBAGE, mapped_bytes(b));
    if (kind == DEVICE) device_bytes += bytes;
    if (!open_count) protect(b, PROT_NONE);
    blocks = b;
    return b->data;
}

/// With the lock held, and the block readable.
static void check(const memory_block *b, const char *kernel)
{
    if (b->kind == VARIABLE) return;
    const size_t behind = mapped_bytes(b) - GUARD - b->bytes;
    for (size_t i = 1; i <= GUARD; i++) {
        if ((unsigned char)b->data[-(ptrdiff_t)i] == GARBAGE) continue;
        fprintf(stderr, "emulated GPU: %s wrote %zu bytes before a block of %zu bytes\n", kernel, i, b->bytes);
        abort();
    }
    for (size_t i = 0; i < behind; i++) {
        if ((unsigned char)b->data[b->bytes + i] == GARBAGE) continue;
        fprintf(stderr, "emulated GPU: %s wrote %zu bytes behind the end of a block of %zu bytes\n", kernel, i,
                b->bytes);
        abort();
    }
}

void emulated_check_guards(const char *kernel)
{
    char culprit[160];
    snprintf(culprit, sizeof culprit, "kernel '%s'", kernel);
    pthread_mutex_lock(&emulated_lock);
    for (const memory_block *b = blocks; b; b = b->next) check(b, culprit);
    pthread_mutex_unlock(&emulated_lock);
}

static CUresult remove_block(const void *address, memory_kind kind)
{
    pthread_mutex_lock(&emulated_lock);
    memory_block **const at = find(address), *const b = *at;
    if (!b || b->kind != kind) {
        pthread_mutex_unlock(&emulated_lock);
        return CUDA_ERROR_INVALID_VALUE;
    }
    *at = b->next;
    if (kind == DEVICE) device_bytes -= b->bytes;
    protect(b, PROT_READ | PROT_WRITE);
    check(b, "somebody");
    munmap(b->data - GUARD, mapped_bytes(b));
    pthread_mutex_unlock(&emulated_lock);
    free(b);
    return CUDA_SUCCESS;
}

void emulated_memory_add_variable(void *address, size_t bytes)
{
    memory_block *const b = malloc(sizeof *b);
    if (!b) abort();
    pthread_mutex_lock(&emulated_lock);
    *b = (memory_block){blocks, VARIABLE, address, bytes};
    blocks = b;
    pthread_mutex_unlock(&emulated_lock);
}

void emulated_memory_remove_variable(void *address)
{
    pthread_mutex_lock(&emulated_lock);
    memory_block **const at = find(address), *const b = *at;
    if (b) *at = b->next;
    pthread_mutex_unlock(&emulated_lock);
    free(b);
}

static bool contains(const memory_block *b, const char *address, size_t bytes)
{
    return address >= b->data && bytes <= b->bytes && (size_t)(address - b->data) <= b->bytes - bytes;
}

bool emulated_is_device(CUdeviceptr address, size_t bytes)
{
    pthread_mutex_lock(&emulated_lock);
    const memory_block *b = blocks;
    while (b && !contains(b, (const char *)address, bytes)) b = b->next;
    pthread_mutex_unlock(&emulated_lock);
    return b != NULL;
}

bool emulated_is_pinned(const void *address)
{
    pthread_mutex_lock(&emulated_lock);
    const memory_block *b = blocks;
    while (b && !(b->kind == PINNED && contains(b, address, 0))) b = b->next;
    pthread_mutex_unlock(&emulated_lock);
    return b != NULL;
}

// --- Calls -----------------------------------------------------------------------------------------------------------

EXPORT(cuMemGetInfo_v2, (size_t * out_free, size_t *out_total))
{
    const CUresult r = emulated_ready();
    pthread_mutex_lock(&emulated_lock);
    *out_total = emulated_memory_bytes();
    *out_free = *out_total - device_bytes;
    pthread_mutex_unlock(&emulated_lock);
    return r;
}

EXPORT(cuMemAlloc_v2, (CUdeviceptr * out, size_t bytes))
{
    *out = 0;
    const CUresult r = emulated_ready();
    if (r) return r;
    if (!bytes) return CUDA_ERROR_INVALID_VALUE;
    if (emulated_fails_now("alloc")) return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&emulated_lock);
    if (bytes <= emulated_memory_bytes() - device_bytes) *out = (CUdeviceptr)add_block(DEVICE, bytes);
    pthread_mutex_unlock(&emulated_lock);
    return *out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT(cuMemFree_v2, (CUdeviceptr address))
{
    if (!address) return CUDA_SUCCESS;
    emulated_wait_for_all(); // as the driver does
    return remove_block((void *)address, DEVICE);
}

EXPORT(cuMemHostAlloc, (void **out, size_t bytes, unsigned flags))
{
    (void)flags;
    *out = NULL;
    const CUresult r = emulated_ready();
    if (r) return r;
    if (!bytes) return CUDA_ERROR_INVALID_VALUE;
    if (emulated_fails_now("alloc")) return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&emulated_lock);
    *out = add_block(PINNED, bytes);
    pthread_mutex_unlock(&emulated_lock);
    return *out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT(cuMemFreeHost, (void *address))
{
    emulated_wait_for_all();
    return remove_block(address, PINNED);
}

EXPORT(cuPointerGetAttribute, (void *out, int attribute, CUdeviceptr address))
{
    pthread_mutex_lock(&emulated_lock);
    const memory_block *b = blocks;
    while (b && !contains(b, (const char *)address, 0)) b = b->next;
    const bool pinned = b && b->kind == PINNED;
    pthread_mutex_unlock(&emulated_lock);
    if (!b) return CUDA_ERROR_INVALID_VALUE; // pageable memory
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *)out = pinned ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        *(CUdeviceptr *)out = address;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        *(void **)out = pinned ? (void *)address : NULL;
        return pinned ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}

EXPORT(cuMemHostGetDevicePointer_v2, (CUdeviceptr * out, void *address, unsigned flags))
{
    *out = (CUdeviceptr)address;
    return flags || !emulated_is_pinned(address) ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
