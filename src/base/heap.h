// SPDX-License-Identifier: Apache-2.0
// Allocation through the caller's hooks. The short name zeroes; the fast one says _uninit.
#ifndef FERRY_SRC_BASE_HEAP_H_
#define FERRY_SRC_BASE_HEAP_H_

#include "base/size.h"
#include "ferry/base.h"

/// The process heap, 64-byte aligned. Static storage.
const ferry_heap *ferry_heap_default(void);

/// `heap`, or the default one when `heap` is NULL or has no functions.
const ferry_heap *ferry_heap_or_default(const ferry_heap *heap);

/// Zeroed memory, 64-byte aligned; NULL when memory is gone. bytes == 0 is served as 1.
void *ferry_heap_alloc(const ferry_heap *heap, size_t bytes);
void *ferry_heap_alloc_uninit(const ferry_heap *heap, size_t bytes);

/// count * elem_bytes zeroed bytes; NULL on overflow too.
void *ferry_heap_alloc_array(const ferry_heap *heap, size_t count, size_t elem_bytes);

/// Frees; `bytes` is what was asked for. NULL is accepted.
void ferry_heap_free(const ferry_heap *heap, void *pointer, size_t bytes);

/// Makes room for `need` elements in the array `*data` of `*capacity` elements, growing by half; new elements are
/// zeroed. Returns false when memory is gone; the array is then as it was.
bool ferry_heap_reserve(const ferry_heap *heap, void **data, size_t *capacity, size_t elem_bytes, size_t need);

/// A copy of the string that is freed with ferry_heap_free(heap, s, strlen(s) + 1); NULL when memory is gone.
char *ferry_heap_strdup(const ferry_heap *heap, const char *text);

/// One zeroed object of `type`.
#define ferry_new(heap, type) ((type *)ferry_heap_alloc((heap), sizeof(type)))
#define ferry_delete(heap, object) ferry_heap_free((heap), (object), sizeof *(object))

#endif // FERRY_SRC_BASE_HEAP_H_
