// SPDX-License-Identifier: Apache-2.0
#include "support/failing_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { HEADER_BYTES = 64 }; // keeps the alignment; holds the size that was asked for

static void *failing_alloc(void *user, size_t bytes)
{
    ferry_failing_heap *heap = user;
    const size_t number = atomic_fetch_add(&heap->allocations, 1) + 1;
    if (heap->fail_at && (number == heap->fail_at || (heap->fail_after_too && number > heap->fail_at))) return NULL;
    void *block = NULL;
    if (bytes > SIZE_MAX - HEADER_BYTES || posix_memalign(&block, 64, bytes + HEADER_BYTES) != 0) return NULL;
    memset((char *)block + HEADER_BYTES, 0xA5, bytes);
    memcpy(block, &bytes, sizeof bytes);
    const size_t in_use = atomic_fetch_add(&heap->bytes_in_use, bytes) + bytes;
    atomic_fetch_add(&heap->blocks_in_use, 1);
    size_t peak = atomic_load(&heap->peak_bytes);
    while (in_use > peak && !atomic_compare_exchange_weak(&heap->peak_bytes, &peak, in_use)) {
    }
    return (char *)block + HEADER_BYTES;
}

static void failing_free(void *user, void *pointer, size_t bytes)
{
    ferry_failing_heap *heap = user;
    char *block = (char *)pointer - HEADER_BYTES;
    size_t asked;
    memcpy(&asked, block, sizeof asked);
    if (asked != bytes) atomic_fetch_add(&heap->wrong_sizes, 1);
    memset(block, 0x5A, asked + HEADER_BYTES);
    atomic_fetch_sub(&heap->bytes_in_use, asked);
    atomic_fetch_sub(&heap->blocks_in_use, 1);
    free(block);
}

void ferry_failing_heap_init(ferry_failing_heap *heap)
{
    memset(heap, 0, sizeof *heap);
    heap->heap = (ferry_heap){failing_alloc, failing_free, heap};
}

void ferry_failing_heap_arm(ferry_failing_heap *heap, size_t nth, bool after_too)
{
    atomic_store(&heap->allocations, 0);
    heap->fail_at = nth;
    heap->fail_after_too = after_too;
}

size_t ferry_failing_heap_loop(ferry_status (*attempt)(const ferry_heap *heap, void *context, ferry_error *err),
                               void *context)
{
    for (size_t nth = 1;; nth++) {
        ferry_failing_heap heap;
        ferry_error err = {"(no text)"};
        ferry_failing_heap_init(&heap);
        ferry_failing_heap_arm(&heap, nth, false);
        const ferry_status s = attempt(&heap.heap, context, &err);
        const size_t asked = atomic_load(&heap.allocations);
        assert_int_equal(atomic_load(&heap.blocks_in_use), 0);
        assert_int_equal(atomic_load(&heap.bytes_in_use), 0);
        assert_int_equal(atomic_load(&heap.wrong_sizes), 0);
        if (s == FERRY_OK && asked < nth) return asked;
        // A refused allocation that is survived (a cache, an estimate) is fine.
        if (s == FERRY_OK) continue;
        if (s != FERRY_ERR_OUT_OF_MEMORY)
            fail_msg("allocation %zu refused: %s: %s", nth, ferry_status_name(s), err.text);
        assert_string_not_equal(err.text, "(no text)");
    }
}
