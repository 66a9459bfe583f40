// SPDX-License-Identifier: Apache-2.0
// Loops over floats: functions of one and of two inputs, a table of them for each instruction set.
#ifndef FERRY_SRC_BACKEND_CPU_ELEMENTWISE_F32_H_
#define FERRY_SRC_BACKEND_CPU_ELEMENTWISE_F32_H_

#include <stddef.h>
#include <stdint.h>

// clang-format off
/// FUNCTION(name, formula of `float x` and the arguments p0 and p1), VECTOR(name, the same of vectors)
#define FERRY_UNARY_F32(FUNCTION, VECTOR)                                             \
    FUNCTION(clip, math_clamp(x, p0, p1)) /* NaN stays */            \
    FUNCTION(leaky_relu, x < 0 ? x * p0 : x)                                        \
    FUNCTION(thresholded_relu, x <= p0 ? 0 : x)                                     \
    VECTOR(hard_sigmoid, vf_hard_sigmoid(x, p0, p1))                                  \
    VECTOR(hard_swish, vf_hard_swish(x))                                              \
    FUNCTION(elu, x < 0 ? p0 * math_expm1(x) : x)                                   \
    FUNCTION(selu, p1 * (x <= 0 ? p0 * math_expm1(x) : x))                        \
    FUNCTION(celu, x < 0 ? p0 * math_expm1(x / p0) : x)                           \
    VECTOR(sigmoid, vf_sigmoid(x))                                                    \
    VECTOR(silu, vf_swish(x, vf_set1(1)))                                             \
    VECTOR(swish, vf_swish(x, p0))                                                    \
    FUNCTION(tanh, math_tanh(x))                                                      \
    FUNCTION(softplus, math_softplus(x))                                              \
    FUNCTION(softsign, x / (1 + fabsf(x)))                                            \
    FUNCTION(gelu_erf, math_gelu(x))                  \
    VECTOR(gelu_tanh, vf_gelu_tanh(x))                                                \
    FUNCTION(mish, math_mish(x))                                                      \
    FUNCTION(erf, math_erf(x))                                                        \
    VECTOR(exp, vf_exp(x))                                                            \
    FUNCTION(log, math_log(x))                                                        \
    FUNCTION(sqrt, sqrtf(x))                                                          \
    FUNCTION(reciprocal, 1 / x)                                                       \
    FUNCTION(abs, fabsf(x))                                                           \
    FUNCTION(neg, -x)                                                                 \
    FUNCTION(sign, x > 0 ? 1 : x < 0 ? -1 : x)                                        \
    FUNCTION(floor, floorf(x))                                                        \
    FUNCTION(ceil, ceilf(x))                                                          \
    FUNCTION(round, rintf(x))                                                         \
    FUNCTION(square, x *x)                                                            \
    FUNCTION(cube, x *x *x)

/// FUNCTION(name, formula of `float a`, `float b`)
#define FERRY_BINARY_F32(FUNCTION)                   \
    FUNCTION(add, a + b)                             \
    FUNCTION(sub, a - b)                             \
    FUNCTION(mul, a *b)                              \
    FUNCTION(div, a / b)                             \
    FUNCTION(max, a > b || a != a ? a : b)           \
    FUNCTION(min, a < b || a != a ? a : b)           \
    FUNCTION(prelu, a < 0 ? a * b : a)
// clang-format on

typedef enum ferry_unary_f32 {
#define FUNCTION(name, formula) FERRY_UNARY_F32_##name,
    FERRY_UNARY_F32(FUNCTION, FUNCTION)
#undef FUNCTION
        FERRY_UNARY_F32_COUNT
} ferry_unary_f32;

typedef enum ferry_binary_f32 {
#define FUNCTION(name, formula) FERRY_BINARY_F32_##name,
    FERRY_BINARY_F32(FUNCTION)
#undef FUNCTION
        FERRY_BINARY_F32_COUNT
} ferry_binary_f32;

/// What loops of one input are given: the function's arguments p0 and p1, then what its result is multiplied by, and
/// what is added to that. 1 and -0 leave every result as it is.
enum { FERRY_UNARY_ARGUMENTS = 2, FERRY_UNARY_SCALE = 2, FERRY_UNARY_SHIFT = 3, FERRY_UNARY_PARAMETERS = 4 };

/// y may be x. `parameters`: [FERRY_UNARY_PARAMETERS].
typedef void (*ferry_unary_f32_loop)(const float *x, float *y, size_t n, const float *parameters);
/// a or b is one element when its `many` is 0. y may be a or b where that one is n elements.
typedef void (*ferry_binary_f32_loop)(const float *a, const float *b, float *y, size_t n, int a_many, int b_many);

typedef struct ferry_elementwise_f32_row {
    const char *name;
    uint32_t isa;
    const ferry_unary_f32_loop *unary;   // [FERRY_UNARY_F32_COUNT]
    const ferry_binary_f32_loop *binary; // [FERRY_BINARY_F32_COUNT]
} ferry_elementwise_f32_row;

const ferry_elementwise_f32_row *ferry_elementwise_f32_at(size_t index);
const ferry_elementwise_f32_row *ferry_elementwise_f32_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_ELEMENTWISE_F32_H_
