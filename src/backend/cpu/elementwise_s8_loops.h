// SPDX-License-Identifier: Apache-2.0
// The loops of elementwise_s8.h, for the compiler to vectorise: a file per instruction set includes it with ROW, the
// name of its table, and ISA, its name and bit.
#include <math.h>

#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/round_s8.h"

#define PIECE 256 // results between arithmetic and rounding, on the stack

// What follows the sum or product: the activation, then rounding or not. In passes over a piece, so that each loop is
// one without choices.
static void finish(const ferry_pair_s8 *p, float *t, size_t first, size_t n)
{
    const ferry_finish *f = p->finish;
    const float alpha = f->alpha, beta = f->beta, low = f->low, high = f->high;
    if (f->kind == FERRY_FINISH_LEAKY) {
        FERRY_VECTORS
        for (size_t i = 0; i < n; i++) t[i] = t[i] < 0.0f ? t[i] * alpha : t[i];
    } else {
        if (f->kind == FERRY_FINISH_HARD_SIGMOID)
            for (size_t i = 0; i < n; i++) t[i] = fmaf(t[i], alpha, beta);
        if (low > -INFINITY || high < INFINITY) {
            FERRY_VECTORS
            for (size_t i = 0; i < n; i++) {
                const float u = t[i] < low ? low : t[i];
                t[i] = u > high ? high : u;
            }
        }
    }
    if (p->real) {
        memcpy(p->real + first, t, n * sizeof *t);
        return;
    }
    int8_t *y = p->y + first;
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = round_s8(t[i]);
}

// The three ways in which operands can be many; one element each is a run of one.
#define PAIR_LOOP(formula)                                                                                             \
    for (size_t first = 0; first < n; first += PIECE) {                                                                \
        const size_t some = n - first < PIECE ? n - first : PIECE;                                                     \
        const int8_t *as = p->a + (p->a_many ? first : 0), *bs = p->b + (p->b_many ? first : 0);                       \
        float t[PIECE];                                                                                                \
        if (p->a_many && p->b_many) {                                                                                  \
            FERRY_VECTORS                                                                                              \
            for (size_t i = 0; i < some; i++) {                                                                        \
                const int32_t a = as[i], b = bs[i];                                                                    \
                t[i] = (formula);                                                                                      \
            }                                                                                                          \
        } else if (p->a_many) {                                                                                        \
            const int32_t b = bs[0];                                                                                   \
            FERRY_VECTORS                                                                                              \
            for (size_t i = 0; i < some; i++) {                                                                        \
                const int32_t a = as[i];                                                                               \
                t[i] = (formula);                                                                                      \
            }                                                                                                          \
        } else if (p->b_many) {                                                                                        \
            const int32_t a = as[0];                                                                                   \
            FERRY_VECTORS                                                                                              \
            for (size_t i = 0; i < some; i++) {                                                                        \
                const int32_t b = bs[i];                                                                               \
                t[i] = (formula);                                                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            const int32_t a = as[0], b = bs[0];                                                                        \
            for (size_t i = 0; i < some; i++) t[i] = (formula);                                                        \
        }                                                                                                              \
        finish(p, t, first, some);                                                                                     \
    }

static void add(const ferry_pair_s8 *p, size_t n)
{
    const float ma = p->a_mult, mb = p->b_mult;
    PAIR_LOOP(fmaf((float)b, mb, (float)a * ma))
}

static void mul(const ferry_pair_s8 *p, size_t n)
{
    const float mult = p->a_mult;
    PAIR_LOOP((float)(a * b) * mult)
}

static void quantise(const float *x, float scale, int32_t zero, int32_t low, int32_t high, uint8_t *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) {
        const int32_t q = round_within(x[i] / scale, 1024.0f) + zero; // 1024 is beyond both ends for every zero point
        const int32_t above = q < low ? low : q;
        y[i] = (uint8_t)(above > high ? high : above);
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

#ifndef LOOK_UP
#define LOOK_UP look_up
static void look_up(const int8_t *x, const int8_t *table, int8_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = table[x[i] + 128];
}
#endif

extern const ferry_elementwise_s8_row ROW;
const ferry_elementwise_s8_row ROW = {ISA, add, mul, quantise, dequantise_s8, dequantise_u8, LOOK_UP};
