// SPDX-License-Identifier: Apache-2.0
// Arithmetic on sizes that come from files: overflow is an answer, never a wrapped number.
#ifndef FERRY_SRC_BASE_SIZE_H_
#define FERRY_SRC_BASE_SIZE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// *out = a * b; false (and *out untouched) on overflow.
static inline bool ferry_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/// *out = a + b; false on overflow.
static inline bool ferry_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/// Rounds up to a multiple of `align` (a power of two). The caller knows that it does not overflow.
static inline size_t ferry_align_size(size_t bytes, size_t align)
{
    return (bytes + align - 1) & ~(align - 1);
}

#define FERRY_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif // FERRY_SRC_BASE_SIZE_H_
