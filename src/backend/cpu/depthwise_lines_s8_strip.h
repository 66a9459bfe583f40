// SPDX-License-Identifier: Apache-2.0
// The kernels of depthwise_lines_s8.h, written once. A file per instruction set includes it after its simd header, with
//   SUFFIX, BLOCK, TQ            the row's name; as in the table
//   element, N_SUMS              type of a copied element; vectors of int32 that a block's sums fill
//   sums, sums_load(p)           int32, by slot
//   mixed                        what a vector of sums is multiplied from: TQ elements a slot
//   mix(x, offset, out)          of the taps x[0] to x[TQ - 1], at that byte: mixed out[N_SUMS]
//   multiply(sums, mixed, w)     sums + products with the weights at w, TQ for each sum
//   bounds, bounds_of(finish), store(y, n, sums v[N_SUMS], mults, biases, bounds)   the first n channels of a block
//   copy_elements(x, to, n)      to the form that mix() takes; writes whole vectors, reads no element beyond n
#include "backend/cpu/depthwise_lines_s8.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define HEADER_BYTES (BLOCK * (sizeof(int32_t) + 2 * sizeof(float)))
#define PACK_BYTES (BLOCK * TQ)

// One block of channels at one group, for `rows` output rows.
static ALWAYS_INLINE void block_of(const ferry_depthwise_lines_tile *t, const char *block, size_t offset, size_t y_at,
                                   size_t n, const bounds within, const size_t rows)
{
    const float *mults = (const float *)(block + BLOCK * sizeof(int32_t)), *biases = mults + BLOCK;
    const int8_t *w = (const int8_t *)block + HEADER_BYTES;
    sums acc[FERRY_DEPTHWISE_LINES_ROWS][N_SUMS];
    UNROLL
    for (size_t v = 0; v < N_SUMS; v++) {
        const sums start = sums_load(block + v * (BLOCK / N_SUMS) * sizeof(int32_t));
        UNROLL
        for (size_t r = 0; r < rows; r++) acc[r][v] = start;
    }
    for (size_t pack = 0; pack < t->packs; pack++, w += rows * PACK_BYTES) {
        mixed x[N_SUMS];
        mix(t->x + pack * TQ, offset, x);
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            UNROLL
            for (size_t v = 0; v < N_SUMS; v++)
                acc[r][v] = multiply(acc[r][v], x[v], w + r * PACK_BYTES + v * (PACK_BYTES / N_SUMS));
        }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++)
        if (r < t->rows) store(t->y[r] + y_at, n, acc[r], mults, biases, within);
}

static ALWAYS_INLINE void tile_of(const ferry_depthwise_lines_tile *t, const size_t rows)
{
    const bounds within = bounds_of(t->finish);
    const size_t block_bytes = HEADER_BYTES + t->packs * rows * PACK_BYTES;
    for (size_t b = 0; b < t->blocks; b++)
        for (size_t g = 0; g < t->groups; g++) {
            const size_t limit = t->limit - g * t->limit_step, here = b * BLOCK;
            if (limit <= here) break;
            block_of(t, t->w + b * block_bytes, g * t->x_step + here * sizeof(element), g * t->y_step + here,
                     limit - here < BLOCK ? limit - here : BLOCK, within, rows);
        }
}

#define ROWS(n)                                                                                                        \
    void PASTE(ferry_depthwise_lines_##n##__, SUFFIX)(const ferry_depthwise_lines_tile *tile);                         \
    void PASTE(ferry_depthwise_lines_##n##__, SUFFIX)(const ferry_depthwise_lines_tile *tile)                          \
    {                                                                                                                  \
        tile_of(tile, n);                                                                                              \
    }
ROWS(1)
ROWS(2)
ROWS(4)

void PASTE(ferry_depthwise_lines_copy__, SUFFIX)(const int8_t *, size_t, char *, size_t, size_t, size_t);
void PASTE(ferry_depthwise_lines_copy__, SUFFIX)(const int8_t *from, size_t from_step, char *to, size_t to_step,
                                                 size_t n, size_t count)
{
    for (size_t i = 0; i < count; i++, from += from_step, to += to_step) copy_elements(from, (element *)(void *)to, n);
}
