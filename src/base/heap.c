// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include <stdlib.h>
#include <string.h>

#define HEAP_ALIGN 64

static void *default_alloc(void *user, size_t bytes)
{
    (void)user;
    void *p = NULL;
    return posix_memalign(&p, HEAP_ALIGN, bytes) == 0 ? p : NULL;
}

static void default_free(void *user, void *pointer, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(pointer);
}

static const ferry_heap default_heap = {default_alloc, default_free, NULL};

const ferry_heap *ferry_heap_default(void)
{
    return &default_heap;
}

const ferry_heap *ferry_heap_or_default(const ferry_heap *heap)
{
    return heap && heap->alloc && heap->free ? heap : &default_heap;
}

void *ferry_heap_alloc_uninit(const ferry_heap *heap, size_t bytes)
{
    return heap->alloc(heap->user, bytes ? bytes : 1);
}

void *ferry_heap_alloc(const ferry_heap *heap, size_t bytes)
{
    void *p = ferry_heap_alloc_uninit(heap, bytes);
    if (p) memset(p, 0, bytes ? bytes : 1);
    return p;
}

void *ferry_heap_alloc_array(const ferry_heap *heap, size_t count, size_t elem_bytes)
{
    size_t bytes = 0;
    return ferry_mul_size(count, elem_bytes, &bytes) ? ferry_heap_alloc(heap, bytes) : NULL;
}

void ferry_heap_free(const ferry_heap *heap, void *pointer, size_t bytes)
{
    if (pointer) heap->free(heap->user, pointer, bytes ? bytes : 1);
}

bool ferry_heap_reserve(const ferry_heap *heap, void **data, size_t *capacity, size_t elem_bytes, size_t need)
{
    if (need <= *capacity) return true;
    size_t grown = *capacity + *capacity / 2;
    if (grown < need) grown = need;
    if (grown < 8) grown = 8;
    size_t bytes = 0;
    if (!ferry_mul_size(grown, elem_bytes, &bytes)) return false;
    char *p = ferry_heap_alloc_uninit(heap, bytes);
    if (!p) return false;
    const size_t old_bytes = *capacity * elem_bytes;
    if (*data) memcpy(p, *data, old_bytes);
    memset(p + old_bytes, 0, bytes - old_bytes);
    ferry_heap_free(heap, *data, old_bytes);
    *data = p;
    *capacity = grown;
    return true;
}

char *ferry_heap_strdup(const ferry_heap *heap, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = ferry_heap_alloc_uninit(heap, bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

void ferry_text_free(const ferry_heap *heap, char *text)
{
    if (text) ferry_heap_free(ferry_heap_or_default(heap), text, strlen(text) + 1);
}
