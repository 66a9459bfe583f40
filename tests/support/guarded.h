// SPDX-License-Identifier: Apache-2.0
// Memory whose first byte too many is noticed: it ends at a page without access and begins behind a pattern.
#ifndef FERRY_TESTS_SUPPORT_GUARDED_H_
#define FERRY_TESTS_SUPPORT_GUARDED_H_

#include <stdbool.h>
#include <stddef.h>

typedef struct guarded {
    void *data;
    void *map;
    size_t bytes, map_bytes;
} guarded;

/// Room for `bytes`, filled with 0xA5; it ends at the forbidden page unless `align` (a power of two) asks for a gap.
guarded guarded_make(size_t bytes, size_t align);
/// Whether the pattern before (and in the gap behind) the bytes is whole.
bool guarded_is_whole(const guarded *memory);
void guarded_free(guarded *memory);

#endif // FERRY_TESTS_SUPPORT_GUARDED_H_
