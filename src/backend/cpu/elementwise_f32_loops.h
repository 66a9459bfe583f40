// SPDX-License-Identifier: Apache-2.0
// The loops of elementwise_f32.h: a file per instruction set includes it after its simd header, with MADD and ROW, the
// name of its tables.
#include "backend/cpu/elementwise_f32.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/math_f32.h"
#include "backend/cpu/math_vf.h"

MATH_INLINE float math_clamp(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

#define FUNCTION(name, formula)                                                                                        \
    static void unary_##name(const float *from, float *y, size_t n, const float *p)                                    \
    {                                                                                                                  \
        const float p0 = p[0], p1 = p[1], scale = p[FERRY_UNARY_SCALE], shift = p[FERRY_UNARY_SHIFT];                  \
        (void)p0;                                                                                                      \
        (void)p1;                                                                                                      \
        FERRY_VECTORS                                                                                                  \
        for (size_t i = 0; i < n; i++) {                                                                               \
            const float x = from[i];                                                                                   \
            y[i] = (formula)*scale + shift;                                                                            \
        }                                                                                                              \
    }
#define VECTOR(name, formula)                                                                                          \
    static void unary_##name(const float *from, float *y, size_t n, const float *p)                                    \
    {                                                                                                                  \
        const vf p0 = vf_set1(p[0]), p1 = vf_set1(p[1]);                                                               \
        const vf scale = vf_set1(p[FERRY_UNARY_SCALE]), shift = vf_set1(p[FERRY_UNARY_SHIFT]);                         \
        (void)p0;                                                                                                      \
        (void)p1;                                                                                                      \
        size_t i = 0;                                                                                                  \
        for (; i + VEC <= n; i += VEC) {                                                                               \
            const vf x = vf_load(from + i);                                                                            \
            vf_store(y + i, vf_fma(formula, scale, shift));                                                            \
        }                                                                                                              \
        if (i == n) return;                                                                                            \
        const vf x = vf_load_part(from + i, n - i);                                                                    \
        vf_store_part(y + i, vf_fma(formula, scale, shift), n - i);                                                    \
    }
FERRY_UNARY_F32(FUNCTION, VECTOR)
#undef FUNCTION
#undef VECTOR

#define FUNCTION(name, formula)                                                                                        \
    static void binary_##name(const float *as, const float *bs, float *y, size_t n, int a_many, int b_many)            \
    {                                                                                                                  \
        if (a_many && b_many) {                                                                                        \
            FERRY_VECTORS                                                                                              \
            for (size_t i = 0; i < n; i++) {                                                                           \
                const float a = as[i], b = bs[i];                                                                      \
                y[i] = (formula);                                                                                      \
            }                                                                                                          \
        } else if (a_many) {                                                                                           \
            const float b = bs[0];                                                                                     \
            FERRY_VECTORS                                                                                              \
            for (size_t i = 0; i < n; i++) {                                                                           \
                const float a = as[i];                                                                                 \
                y[i] = (formula);                                                                                      \
            }                                                                                                          \
        } else if (b_many) {                                                                                           \
            const float a = as[0];                                                                                     \
            FERRY_VECTORS                                                                                              \
            for (size_t i = 0; i < n; i++) {                                                                           \
                const float b = bs[i];                                                                                 \
                y[i] = (formula);                                                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            const float a = as[0], b = bs[0];                                                                          \
            for (size_t i = 0; i < n; i++) y[i] = (formula);                                                           \
        }                                                                                                              \
    }
FERRY_BINARY_F32(FUNCTION)
#undef FUNCTION

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

extern const ferry_unary_f32_loop PASTE(ferry_unary_f32__, ROW)[FERRY_UNARY_F32_COUNT];
const ferry_unary_f32_loop PASTE(ferry_unary_f32__, ROW)[FERRY_UNARY_F32_COUNT] = {
#define FUNCTION(name, formula) unary_##name,
    FERRY_UNARY_F32(FUNCTION, FUNCTION)
#undef FUNCTION
};

extern const ferry_binary_f32_loop PASTE(ferry_binary_f32__, ROW)[FERRY_BINARY_F32_COUNT];
const ferry_binary_f32_loop PASTE(ferry_binary_f32__, ROW)[FERRY_BINARY_F32_COUNT] = {
#define FUNCTION(name, formula) binary_##name,
    FERRY_BINARY_F32(FUNCTION)
#undef FUNCTION
};
