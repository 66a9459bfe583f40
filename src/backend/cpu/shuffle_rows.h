// SPDX-License-Identifier: Apache-2.0
// Loops that interleave rows: a file per instruction set includes it with ROW, the name of its table, and ISA, its name
// and bit.
#include <stdint.h>
#include <string.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/shuffle.h"

#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

// `lanes` pairs at a time; the last step is a whole one too, over some pairs once more.
#define LOOPS(type, lanes)                                                                                             \
    static inline void block_##type(const type *a, const type *b, type *y)                                             \
    {                                                                                                                  \
        typedef type vector __attribute__((vector_size(lanes * sizeof(type))));                                        \
        vector v, w;                                                                                                   \
        memcpy(&v, a, sizeof v);                                                                                       \
        memcpy(&w, b, sizeof w);                                                                                       \
        const vector low = __builtin_shufflevector(v, w, LOW_##lanes);                                                 \
        const vector high = __builtin_shufflevector(v, w, HIGH_##lanes);                                               \
        memcpy(y, &low, sizeof low);                                                                                   \
        memcpy(y + lanes, &high, sizeof high);                                                                         \
    }                                                                                                                  \
    static void pairs_##type(const ferry_shuffle_rows *s)                                                              \
    {                                                                                                                  \
        for (size_t r = 0; r < s->rows; r++) {                                                                         \
            const type *a = (const type *)s->x[0] + r * s->x_stride, *b = (const type *)s->x[1] + r * s->x_stride;     \
            type *y = (type *)s->y + r * s->y_stride;                                                                  \
            size_t i = 0;                                                                                              \
            for (; i + lanes <= s->count; i += lanes) block_##type(a + i, b + i, y + 2 * i);                           \
            if (i > 0 && i < s->count) {                                                                               \
                i = s->count - lanes;                                                                                  \
                block_##type(a + i, b + i, y + 2 * i);                                                                 \
                continue;                                                                                              \
            }                                                                                                          \
            for (; i < s->count; i++) {                                                                                \
                y[2 * i] = a[i];                                                                                       \
                y[2 * i + 1] = b[i];                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void any_##type(const ferry_shuffle_rows *s)                                                                \
    {                                                                                                                  \
        for (size_t r = 0; r < s->rows; r++) {                                                                         \
            for (size_t p = 0; p < s->parts; p++) {                                                                    \
                const type *x = (const type *)s->x[p] + r * s->x_stride;                                               \
                type *y = (type *)s->y + r * s->y_stride + p;                                                          \
                for (size_t i = 0; i < s->count; i++) y[i * s->parts] = x[i];                                          \
            }                                                                                                          \
        }                                                                                                              \
    }
LOOPS(uint8_t, 16)
LOOPS(uint16_t, 8)
LOOPS(uint32_t, 8)
LOOPS(uint64_t, 4)

extern const ferry_shuffle_row ROW;
const ferry_shuffle_row ROW = {
    ISA,
    {pairs_uint8_t, pairs_uint16_t, pairs_uint32_t, pairs_uint64_t},
    {any_uint8_t, any_uint16_t, any_uint32_t, any_uint64_t},
};
