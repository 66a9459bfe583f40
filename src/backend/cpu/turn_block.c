// SPDX-License-Identifier: Apache-2.0
// Vectors of 16 bytes, which every processor of today has, are enough: beyond, memory is the limit.
#include "backend/cpu/turn_block.h"

#include <string.h>

#define UNROLL _Pragma("GCC unroll 16")

#define LOW_2 0, 2
#define HIGH_2 1, 3
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

// A square tile: interleaving the first half of the vectors with the second, as often as their number can be halved,
// transposes it. Tiles follow each other along the side whose lines are farther apart: such lines often fall into one
// set of a cache, so few of them should be open at a time, and each be used to its end.
#define TURN(type, lanes)                                                                                              \
    static inline void tile_##type(type *out, int64_t out_row, const type *in, int64_t in_step)                        \
    {                                                                                                                  \
        typedef type vector __attribute__((vector_size(16)));                                                          \
        vector a[lanes], b[lanes];                                                                                     \
        UNROLL                                                                                                         \
        for (int64_t k = 0; k < lanes; k++) memcpy(&a[k], in + k * in_step, sizeof a[k]);                              \
        UNROLL                                                                                                         \
        for (int left = lanes; left > 1; left /= 2) {                                                                  \
            UNROLL                                                                                                     \
            for (int k = 0; k < lanes / 2; k++) {                                                                      \
                b[2 * k] = __builtin_shufflevector(a[k], a[k + lanes / 2], LOW_##lanes);                               \
                b[2 * k + 1] = __builtin_shufflevector(a[k], a[k + lanes / 2], HIGH_##lanes);                          \
            }                                                                                                          \
            UNROLL                                                                                                     \
            for (int k = 0; k < lanes; k++) a[k] = b[k];                                                               \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (int64_t i = 0; i < lanes; i++) memcpy(out + i * out_row, &a[i], sizeof a[i]);                             \
    }                                                                                                                  \
    static void turn_##type(int64_t rows, int64_t n, type *out, int64_t out_row, const type *in, int64_t in_step)      \
    {                                                                                                                  \
        const int64_t some = rows / lanes * lanes, most = n / lanes * lanes;                                           \
        if (in_step > out_row) {                                                                                       \
            for (int64_t k = 0; k < most; k += lanes)                                                                  \
                for (int64_t i = 0; i < some; i += lanes)                                                              \
                    tile_##type(out + i * out_row + k, out_row, in + i + k * in_step, in_step);                        \
        } else {                                                                                                       \
            for (int64_t i = 0; i < some; i += lanes)                                                                  \
                for (int64_t k = 0; k < most; k += lanes)                                                              \
                    tile_##type(out + i * out_row + k, out_row, in + i + k * in_step, in_step);                        \
        }                                                                                                              \
        for (int64_t i = 0; i < rows; i++)                                                                             \
            for (int64_t k = i < some ? most : 0; k < n; k++) out[i * out_row + k] = in[i + k * in_step];              \
    }
TURN(uint8_t, 16)
TURN(uint16_t, 8)
TURN(uint32_t, 4)
TURN(uint64_t, 2)

void ferry_turn_block(size_t elem_bytes, int64_t rows, int64_t n, void *out, int64_t out_row, const void *in,
                      int64_t in_step)
{
    switch (elem_bytes) {
    case 1:
        turn_uint8_t(rows, n, out, out_row, in, in_step);
        break;
    case 2:
        turn_uint16_t(rows, n, out, out_row, in, in_step);
        break;
    case 4:
        turn_uint32_t(rows, n, out, out_row, in, in_step);
        break;
    default:
        turn_uint64_t(rows, n, out, out_row, in, in_step);
    }
}
