// SPDX-License-Identifier: Apache-2.0
// The loops of pool_loops.h: a file per instruction set includes it with ROW, the suffix of its table. Those with
// OWN_S8 have max_s8 and sum_channels_s8 of their own, those with OWN_MAX_BF16 max_bf16.
#include <math.h>
#include <string.h>

#include "backend/cpu/loops.h"
#include "backend/cpu/pool_loops.h"
#include "backend/cpu/round_bf16.h"
#include "backend/cpu/round_s8.h"

#define CHUNK 64   // channels summed at a time, on the stack
#define PARTIAL 64 // elements summed before they are added to the whole: keeps long float sums exact enough

static inline ptrdiff_t element(const ferry_pool_window *w, size_t i)
{
    return w->taps ? w->taps[i].x : (ptrdiff_t)i * w->step;
}

#include "backend/cpu/pool_max_rows.h"

#define SAME(x) (x)

// type: of the elements; held: of the largest so far
#define MAX_OF(name, type, held, least, larger, load, store)                                                           \
    static void name(const ferry_pool_window *w, const type *x, type *y)                                               \
    {                                                                                                                  \
        if (name##_vectors(w, x, y)) return;                                                                           \
        for (size_t c = 0; c < w->channels; c += CHUNK) {                                                              \
            const size_t n = w->channels - c < CHUNK ? w->channels - c : CHUNK;                                        \
            held most[CHUNK];                                                                                          \
            for (size_t k = 0; k < CHUNK; k++) most[k] = (least);                                                      \
            for (size_t i = 0; i < w->n; i++) {                                                                        \
                const type *from = x + element(w, i) + c;                                                              \
                FERRY_VECTORS                                                                                          \
                for (size_t k = 0; k < n; k++) {                                                                       \
                    const held a = most[k], b = load(from[k]);                                                         \
                    most[k] = (larger);                                                                                \
                }                                                                                                      \
            }                                                                                                          \
            FERRY_VECTORS                                                                                              \
            for (size_t k = 0; k < n; k++) y[c + k] = store(most[k]);                                                  \
        }                                                                                                              \
    }
MAX_OF(max_f32, float, float, -INFINITY, b > a || b != b ? b : a, SAME, SAME) // a NaN stays: nothing is larger
#ifndef OWN_MAX_BF16
MAX_OF(max_bf16, uint16_t, float, -INFINITY, b > a || b != b ? b : a, ferry_f32_from_bf16, round_bf16)
#endif
#ifndef OWN_S8
MAX_OF(max_s8, int8_t, int8_t, INT8_MIN, b > a ? b : a, SAME, SAME)
#endif
MAX_OF(max_u8, uint8_t, uint8_t, 0, b > a ? b : a, SAME, SAME)

#define AVERAGE_OF(name, type, load, store)                                                                            \
    static void name(const ferry_pool_window *w, const type *x, type *y)                                               \
    {                                                                                                                  \
        for (size_t c = 0; c < w->channels; c += CHUNK) {                                                              \
            const size_t n = w->channels - c < CHUNK ? w->channels - c : CHUNK;                                        \
            float sum[CHUNK] = {0};                                                                                    \
            for (size_t first = 0; first < w->n; first += PARTIAL) {                                                   \
                const size_t end = w->n - first < PARTIAL ? w->n : first + PARTIAL;                                    \
                float partial[CHUNK] = {0};                                                                            \
                for (size_t i = first; i < end; i++) {                                                                 \
                    const type *from = x + element(w, i) + c;                                                          \
                    FERRY_VECTORS                                                                                      \
                    for (size_t k = 0; k < n; k++) partial[k] += load(from[k]);                                        \
                }                                                                                                      \
                FERRY_VECTORS                                                                                          \
                for (size_t k = 0; k < n; k++) sum[k] += partial[k];                                                   \
            }                                                                                                          \
            FERRY_VECTORS                                                                                              \
            for (size_t k = 0; k < n; k++) y[c + k] = store(w->count > 0 ? sum[k] / w->count : 0);                     \
        }                                                                                                              \
    }
AVERAGE_OF(average_f32, float, SAME, SAME)
AVERAGE_OF(average_bf16, uint16_t, ferry_f32_from_bf16, round_bf16)

#ifndef OWN_S8
#define SUM_CHANNELS 64 // summed at a time
// Exact sums of n <= SUM_CHANNELS channels; the others are 0.
static inline __attribute__((always_inline)) void sum_channels_s8(const ferry_pool_window *w, const int8_t *x, size_t n,
                                                                  int32_t *out)
{
    int32_t sum[SUM_CHANNELS] = {0};
    for (size_t i = 0; i < w->n; i++) {
        const int8_t *from = x + element(w, i);
        FERRY_VECTORS
        for (size_t k = 0; k < n; k++) sum[k] += from[k];
    }
    memcpy(out, sum, sizeof sum);
}
#endif

// Averages of up to SUM_CHANNELS channels, not rounded yet.
static inline __attribute__((always_inline)) void mean_s8(const ferry_pool_window *w, const int8_t *x, size_t n,
                                                          float *out)
{
    int32_t sum[SUM_CHANNELS];
    sum_channels_s8(w, x, n, sum);
    FERRY_VECTORS
    for (size_t k = 0; k < SUM_CHANNELS; k++) out[k] = fmaf((float)sum[k] / w->count, w->mult, w->shift);
}

static void average_s8(const ferry_pool_window *w, const int8_t *x, int8_t *y)
{
    for (size_t c = 0; c < w->channels; c += SUM_CHANNELS) {
        const size_t n = w->channels - c < SUM_CHANNELS ? w->channels - c : SUM_CHANNELS;
        float t[SUM_CHANNELS];
        int8_t rounded[SUM_CHANNELS];
        mean_s8(w, x + c, n, t);
        FERRY_VECTORS
        for (size_t k = 0; k < SUM_CHANNELS; k++) rounded[k] = round_s8(t[k]);
        memcpy(y + c, rounded, n);
    }
}

static void average_s8_f32(const ferry_pool_window *w, const int8_t *x, float *y)
{
    for (size_t c = 0; c < w->channels; c += SUM_CHANNELS) {
        const size_t n = w->channels - c < SUM_CHANNELS ? w->channels - c : SUM_CHANNELS;
        float t[SUM_CHANNELS];
        mean_s8(w, x + c, n, t);
        memcpy(y + c, t, n * sizeof *t);
    }
}

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

extern const ferry_pool_row PASTE(ferry_pool__, ROW);
const ferry_pool_row PASTE(ferry_pool__, ROW) = {
    .max_f32 = max_f32,
    .average_f32 = average_f32,
    .max_bf16 = max_bf16,
    .average_bf16 = average_bf16,
    .max_s8 = max_s8,
    .average_s8 = average_s8,
    .max_u8 = max_u8,
    .average_s8_f32 = average_s8_f32,
};
