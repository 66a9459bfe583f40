// SPDX-License-Identifier: Apache-2.0
// The loops of loops_half.h for bf16: a file per instruction set includes it with ROW, the suffix of its names.
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_half.h"
#include "backend/cpu/round_bf16.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

void PASTE(ferry_widen_bf16__, ROW)(const uint16_t *x, float *y, size_t n);
void PASTE(ferry_widen_bf16__, ROW)(const uint16_t *x, float *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = ferry_f32_from_bf16(x[i]);
}

void PASTE(ferry_narrow_bf16__, ROW)(const float *x, uint16_t *y, size_t n);
void PASTE(ferry_narrow_bf16__, ROW)(const float *x, uint16_t *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = round_bf16(x[i]);
}

#define LOOP(formula, a_step, b_step)                                                                                  \
    do {                                                                                                               \
        FERRY_VECTORS                                                                                                  \
        for (size_t i = 0; i < n; i++) {                                                                               \
            const float a = ferry_f32_from_bf16(as[i * (a_step)]), b = ferry_f32_from_bf16(bs[i * (b_step)]);          \
            y[i] = round_bf16(formula);                                                                                \
        }                                                                                                              \
    } while (0)

#define FUNCTION(name, formula)                                                                                        \
    static void binary_##name(const uint16_t *as, const uint16_t *bs, uint16_t *y, size_t n, int a_many, int b_many)   \
    {                                                                                                                  \
        if (a_many && b_many)                                                                                          \
            LOOP(formula, 1, 1);                                                                                       \
        else if (a_many)                                                                                               \
            LOOP(formula, 1, 0);                                                                                       \
        else                                                                                                           \
            LOOP(formula, 0, b_many ? 1 : 0);                                                                          \
    }
FERRY_BINARY_F32(FUNCTION)
#undef FUNCTION

extern const ferry_binary_bf16_loop PASTE(ferry_binary_bf16__, ROW)[FERRY_BINARY_F32_COUNT];
const ferry_binary_bf16_loop PASTE(ferry_binary_bf16__, ROW)[FERRY_BINARY_F32_COUNT] = {
#define FUNCTION(name, formula) binary_##name,
    FERRY_BINARY_F32(FUNCTION)
#undef FUNCTION
};
