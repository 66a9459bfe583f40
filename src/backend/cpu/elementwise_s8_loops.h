// SPDX-License-Identifier: Apache-2.0
// The loops of elementwise_s8.h: a file per instruction set includes it after its simd header, with ROW, the name of
// its table, and ISA, its name and bit.
#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/pair_s8_loops.h"
#include "backend/cpu/quotient.h"
#include "backend/cpu/round_s8.h"

static void quantise_dividing(const float *x, float scale, int32_t zero, int32_t low, int32_t high, uint8_t *y,
                              size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) {
        const int32_t q = round_within(x[i] / scale, 1024.0f) + zero; // 1024 is beyond both ends for every zero point
        const int32_t above = q < low ? low : q;
        y[i] = (uint8_t)(above > high ? high : above);
    }
}

static void quantise(const float *x, float scale, int32_t zero, int32_t low, int32_t high, uint8_t *y, size_t n)
{
    if (!quotient_multiplies(scale)) {
        quantise_dividing(x, scale, zero, low, high, y, n);
        return;
    }
    // Within these, rounded as they are, quotients round to what is within low and high.
    const float inverse = 1.0f / scale, least = (float)(low - zero) * scale, most = (float)(high - zero) * scale;
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) {
        float v = x[i] == x[i] ? x[i] : 0.0f;
        v = v > least ? v : least;
        v = v < most ? v : most;
        y[i] = (uint8_t)(round_small(quotient(v, scale, inverse)) + zero);
    }
}

static void dequantise_s8(const int8_t *x, float scale, int32_t zero, float *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}

static void dequantise_u8(const uint8_t *x, float scale, int32_t zero, float *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}

static void colours(const uint8_t *x, size_t plane, uint8_t *y, size_t each, size_t n)
{
    const uint8_t *a = x, *b = x + plane, *c = b + plane;
    if (each == 3) {
        FERRY_VECTORS
        for (size_t i = 0; i < n; i++) {
            y[3 * i] = a[i];
            y[3 * i + 1] = b[i];
            y[3 * i + 2] = c[i];
        }
        return;
    }
    uint32_t *four = (uint32_t *)(void *)y;
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) four[i] = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16;
}

#ifndef LOOK_UP
#define LOOK_UP look_up
static void look_up(const int8_t *x, const int8_t *table, int8_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = table[x[i] + 128];
}
#endif

extern const ferry_elementwise_s8_row ROW;
const ferry_elementwise_s8_row ROW = {ISA, add, mul, quantise, dequantise_s8, dequantise_u8, LOOK_UP, colours};
