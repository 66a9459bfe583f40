// SPDX-License-Identifier: Apache-2.0
// Arithmetic, comparison, logic and bit operators of two inputs, and the family's table.
//
// Integers wrap. Integer division by zero, and the remainder of one, give 0: ONNX leaves them open, and a trap would
// end the process.
#include "ops/binary.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_binary[];

#define WRAP(a, operator, b) (int64_t)((uint64_t)(a) operator(uint64_t)(b))

static inline int64_t divide_s64(int64_t a, int64_t b)
{
    if (b == 0) return 0;
    return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b; // the smallest integer / -1 overflows
}

// The remainder with the sign of the divisor (Python's %).
static inline int64_t modulo_s64(int64_t a, int64_t b)
{
    if (b == 0 || b == -1) return 0;
    const int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// The remainder with the sign of the dividend (C's %).
static inline int64_t remainder_s64(int64_t a, int64_t b)
{
    return b == 0 || b == -1 ? 0 : a % b;
}

#define EVAL(name, ...)                                                                                                \
    static ferry_status eval_##name(const ferry_eval *eval, ferry_error *err)                                          \
    {                                                                                                                  \
        static const ferry_binary binary = {__VA_ARGS__};                                                              \
        return ferry_binary_eval(eval, &binary, err);                                                                  \
    }

// Sums, differences, products and quotients of two floats have the same value whether rounded from float or double.
#define ARITHMETIC(name, float_formula, signed_formula, unsigned_formula)                                              \
    FERRY_BINARY_FLOATS(name, float_formula)                                                                           \
    FERRY_BINARY_INTEGERS(name, signed_formula, unsigned_formula)                                                      \
    EVAL(name, name##_f32, name##_f64, name##_s64, name##_u64, false)

ARITHMETIC(add, a + b, WRAP(a, +, b), a + b)
ARITHMETIC(sub, a - b, WRAP(a, -, b), a - b)
ARITHMETIC(mul, (a) * (b), WRAP(a, *, b), (a) * (b))
ARITHMETIC(div, a / b, divide_s64(a, b), b == 0 ? 0 : a / b)
ARITHMETIC(fmod, fmod((double)a, (double)b), remainder_s64(a, b), b == 0 ? 0 : a % b)

// The remainder with the sign of the divisor, zero too.
static inline double modulo_f64(double a, double b)
{
    const double rest = fmod(a, b);
    if (rest == 0) return copysign(0, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

FERRY_BINARY_FLOATS(mod, modulo_f64((double)a, (double)b))
FERRY_BINARY_INTEGERS(mod, modulo_s64(a, b), b == 0 ? 0 : a % b)
EVAL(mod, mod_f32, mod_f64, mod_s64, mod_u64, false)

#define COMPARISON(name, formula)                                                                                      \
    FERRY_BINARY_RUN(name, f32, float, uint8_t, formula)                                                               \
    FERRY_BINARY_RUN(name, f64, double, uint8_t, formula)                                                              \
    FERRY_BINARY_RUN(name, s64, int64_t, uint8_t, formula)                                                             \
    FERRY_BINARY_RUN(name, u64, uint64_t, uint8_t, formula)                                                            \
    EVAL(name, name##_f32, name##_f64, name##_s64, name##_u64, true)

COMPARISON(equal, a == b)
COMPARISON(less, a < b)
COMPARISON(less_or_equal, a <= b)
COMPARISON(greater, a > b)
COMPARISON(greater_or_equal, a >= b)

// Bool is read as 0 or 1, so that logic is bit arithmetic.
#define BITS(name, formula)                                                                                            \
    FERRY_BINARY_INTEGERS(name, formula, formula)                                                                      \
    EVAL(name, .s64 = name##_s64, .u64 = name##_u64)

BITS(and, (a) & (b))
BITS(or, a | b)
BITS(xor, a ^ b)

// A shift by the width of the type or more, or by a negative number, shifts everything out; C leaves it undefined.
// Narrow types shift left beyond their width inside 64 bits, and the store drops what is beyond. The right shift of a
// signed number copies its sign.
FERRY_BINARY_INTEGERS(shift_left, b<0 || b> 63 ? 0 : (int64_t)((uint64_t)a << b), b > 63 ? 0 : a << b)
FERRY_BINARY_INTEGERS(shift_right, a >> (b < 0 || b > 63 ? 63 : b), b > 63 ? 0 : a >> b)

#define INFER(name, types, out_dtype)                                                                                  \
    static ferry_status infer_##name(ferry_infer *infer, ferry_error *err)                                             \
    {                                                                                                                  \
        return ferry_binary_infer(infer, types, out_dtype, err);                                                       \
    }
INFER(number, FERRY_TYPES_NUMBER, FERRY_DTYPE_NONE)
INFER(integer, FERRY_TYPES_INTEGER, FERRY_DTYPE_NONE)
INFER(logic, FERRY_TYPES_BOOL, FERRY_BOOL)
INFER(order, FERRY_TYPES_NUMBER, FERRY_BOOL)
INFER(equal, FERRY_TYPES_ANY, FERRY_BOOL)

static ferry_status eval_any_mod(const ferry_eval *eval, ferry_error *err)
{
    return ferry_node_int(eval->node, "fmod", 0) ? eval_fmod(eval, err) : eval_mod(eval, err);
}

static ferry_status infer_shift(ferry_infer *infer, ferry_error *err)
{
    const char *direction = ferry_node_string(infer->node, "direction", "");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "direction is '%s'; it must be 'LEFT' or 'RIGHT'", direction);
    }
    return ferry_binary_infer(infer, FERRY_TYPES_INTEGER, FERRY_DTYPE_NONE, err);
}

static ferry_status eval_shift(const ferry_eval *eval, ferry_error *err)
{
    static const ferry_binary left = {.s64 = shift_left_s64, .u64 = shift_left_u64};
    static const ferry_binary right = {.s64 = shift_right_s64, .u64 = shift_right_u64};
    const bool to_left = strcmp(ferry_node_string(eval->node, "direction", ""), "LEFT") == 0;
    return ferry_binary_eval(eval, to_left ? &left : &right, err);
}

static const ferry_attr_schema mod_attrs[] = {{"fmod", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema shift_attrs[] = {{"direction", FERRY_ATTR_STRING, true}, {0}};

#define ROW(op_name, least, most, opset, schema, infer_function, eval_function)                                        \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = least, .max_inputs = most, .min_outputs = 1, .max_outputs = 1,    \
        .since = opset, .flags = FERRY_OP_ELEMENTWISE, .attrs = schema, .infer = infer_function, .eval = eval_function \
    }

const ferry_op ferry_ops_binary[] = {
    ROW("Add", 2, 2, 7, NULL, infer_number, eval_add),
    ROW("Sub", 2, 2, 7, NULL, infer_number, eval_sub),
    ROW("Mul", 2, 2, 7, NULL, infer_number, eval_mul),
    ROW("Div", 2, 2, 7, NULL, infer_number, eval_div),
    ROW("Mod", 2, 2, 10, mod_attrs, infer_number, eval_any_mod),
    ROW("Pow", 2, 2, 7, NULL, ferry_pow_infer, ferry_pow_eval),
    ROW("Equal", 2, 2, 7, NULL, infer_equal, eval_equal),
    ROW("Less", 2, 2, 7, NULL, infer_order, eval_less),
    ROW("LessOrEqual", 2, 2, 12, NULL, infer_order, eval_less_or_equal),
    ROW("Greater", 2, 2, 7, NULL, infer_order, eval_greater),
    ROW("GreaterOrEqual", 2, 2, 12, NULL, infer_order, eval_greater_or_equal),
    ROW("And", 2, 2, 7, NULL, infer_logic, eval_and),
    ROW("Or", 2, 2, 7, NULL, infer_logic, eval_or),
    ROW("Xor", 2, 2, 7, NULL, infer_logic, eval_xor),
    ROW("BitwiseAnd", 2, 2, 18, NULL, infer_integer, eval_and),
    ROW("BitwiseOr", 2, 2, 18, NULL, infer_integer, eval_or),
    ROW("BitwiseXor", 2, 2, 18, NULL, infer_integer, eval_xor),
    ROW("BitShift", 2, 2, 11, shift_attrs, infer_shift, eval_shift),
    ROW("Where", 3, 3, 9, NULL, ferry_where_infer, ferry_where_eval),
    ROW("Sum", 1, -1, 6, NULL, ferry_variadic_float_infer, ferry_sum_eval),
    ROW("Mean", 1, -1, 6, NULL, ferry_variadic_float_infer, ferry_mean_eval),
    ROW("Max", 1, -1, 6, NULL, ferry_variadic_number_infer, ferry_max_eval),
    ROW("Min", 1, -1, 6, NULL, ferry_variadic_number_infer, ferry_min_eval),
    {.name = NULL},
};
