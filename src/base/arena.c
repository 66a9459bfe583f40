// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)16 << 10)
#define LARGE_BYTES ((size_t)4096)

struct ferry_arena_block {
    ferry_arena_block *next;
    size_t bytes; // of the whole block, header included
    size_t used;
    char pad[64 - 3 * sizeof(size_t)]; // so that the payload keeps the heap's alignment
};

void ferry_arena_init(ferry_arena *arena, const ferry_heap *heap)
{
    *arena = (ferry_arena){.heap = heap};
}

void ferry_arena_deinit(ferry_arena *arena)
{
    for (ferry_arena_block *b = arena->blocks; b;) {
        ferry_arena_block *next = b->next;
        ferry_heap_free(arena->heap, b, b->bytes);
        b = next;
    }
    arena->blocks = NULL;
    arena->used_bytes = 0;
}

static ferry_arena_block *add_block(ferry_arena *arena, size_t payload)
{
    size_t bytes = 0;
    if (!ferry_add_size(payload, sizeof(ferry_arena_block), &bytes)) return NULL;
    ferry_arena_block *b = ferry_heap_alloc(arena->heap, bytes);
    if (!b) return NULL;
    b->bytes = bytes;
    b->used = sizeof *b;
    // A large block goes behind the head, which still has room for small things.
    if (payload >= LARGE_BYTES && arena->blocks && payload != BLOCK_BYTES) {
        b->next = arena->blocks->next;
        arena->blocks->next = b;
    } else {
        b->next = arena->blocks;
        arena->blocks = b;
    }
    return b;
}

void *ferry_arena_alloc(ferry_arena *arena, size_t bytes)
{
    if (bytes == 0) bytes = 1;
    if (bytes > SIZE_MAX - 64) return NULL;
    const size_t padded = ferry_align_size(bytes, 16);
    ferry_arena_block *b = arena->blocks;
    if (bytes >= LARGE_BYTES) {
        b = add_block(arena, padded);
    } else if (!b || b->bytes - b->used < padded) {
        b = add_block(arena, BLOCK_BYTES);
    }
    if (!b) return NULL;
    void *p = (char *)b + b->used;
    b->used += padded;
    arena->used_bytes += bytes;
    return p;
}

void *ferry_arena_alloc_array(ferry_arena *arena, size_t count, size_t elem_bytes)
{
    size_t bytes = 0;
    return ferry_mul_size(count, elem_bytes, &bytes) ? ferry_arena_alloc(arena, bytes) : NULL;
}

void *ferry_arena_copy(ferry_arena *arena, const void *data, size_t bytes)
{
    void *p = ferry_arena_alloc(arena, bytes);
    if (p && bytes) memcpy(p, data, bytes);
    return p;
}

char *ferry_arena_strndup(ferry_arena *arena, const char *text, size_t length)
{
    if (length == SIZE_MAX) return NULL;
    char *p = ferry_arena_alloc(arena, length + 1);
    if (p && length) memcpy(p, text, length);
    return p; // the rest is zero
}

char *ferry_arena_strdup(ferry_arena *arena, const char *text)
{
    return ferry_arena_strndup(arena, text, strlen(text));
}

char *ferry_arena_printf(ferry_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = n < 0 ? NULL : ferry_arena_alloc(arena, (size_t)n + 1);
    if (p) vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}
