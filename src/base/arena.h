// SPDX-License-Identifier: Apache-2.0
// Memory that dies together: a graph's, a pass's scratch, a report's texts.
#ifndef FERRY_SRC_BASE_ARENA_H_
#define FERRY_SRC_BASE_ARENA_H_

#include <stdarg.h>

#include "base/heap.h"

typedef struct ferry_arena_block ferry_arena_block;

typedef struct ferry_arena {
    const ferry_heap *heap; // borrowed
    ferry_arena_block *blocks;
    size_t used_bytes; // of all blocks: what the arena's user asked for
} ferry_arena;

void ferry_arena_init(ferry_arena *arena, const ferry_heap *heap);
/// Frees everything; the arena may be used again. A zeroed arena is accepted.
void ferry_arena_deinit(ferry_arena *arena);

/// Zeroed, 16-byte aligned memory (64-byte when bytes >= 4096); NULL when memory is gone.
void *ferry_arena_alloc(ferry_arena *arena, size_t bytes);
void *ferry_arena_alloc_array(ferry_arena *arena, size_t count, size_t elem_bytes);
void *ferry_arena_copy(ferry_arena *arena, const void *data, size_t bytes);
char *ferry_arena_strdup(ferry_arena *arena, const char *text);
char *ferry_arena_strndup(ferry_arena *arena, const char *text, size_t length);
char *ferry_arena_printf(ferry_arena *arena, const char *format, ...) FERRY_PRINTF(2, 3);

#endif // FERRY_SRC_BASE_ARENA_H_
