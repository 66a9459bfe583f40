// SPDX-License-Identifier: Apache-2.0
// Elementwise mathematics of one input.
#include <math.h>

#include "base/status.h"
#include "ops/loops.h"
#include "ops/map.h"
#include "ops/rows.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_unary[];

#define INFER(name, types)                                                                                             \
    static ferry_status infer_##name(ferry_infer *infer, ferry_error *err)                                             \
    {                                                                                                                  \
        FERRY_TRY(ferry_need_types(infer, 0, types, err));                                                             \
        ferry_infer_like_first(infer);                                                                                 \
        return FERRY_OK;                                                                                               \
    }
INFER(float, FERRY_TYPES_FLOAT)
INFER(number, FERRY_TYPES_NUMBER)
INFER(signed, FERRY_TYPES_FLOAT | FERRY_TYPES_SIGNED)
INFER(integer, FERRY_TYPES_INTEGER)
INFER(bool, FERRY_TYPES_BOOL)

static ferry_status infer_test(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(infer_float(infer, err));
    infer->out_dtypes[0] = FERRY_BOOL;
    return FERRY_OK;
}

FERRY_MAP_FLOATS(abs, fabs(x))
FERRY_MAP_INTEGERS(abs, s64, int64_t, x < 0 ? (int64_t)(0 - (uint64_t)x) : x)
FERRY_MAP_INTEGERS(abs, u64, uint64_t, x)
FERRY_MAP_EVAL(abs, .s64 = abs_s64, .u64 = abs_u64)

FERRY_MAP_FLOATS(neg, -x)
FERRY_MAP_INTEGERS(neg, s64, int64_t, 0 - (uint64_t)x)
FERRY_MAP_EVAL(neg, .s64 = neg_s64)

// 0, -0 and NaN are their own sign.
FERRY_MAP_FLOATS(sign, x > 0 ? 1 : x < 0 ? -1 : x)
FERRY_MAP_INTEGERS(sign, s64, int64_t, (x > 0) - (x < 0))
FERRY_MAP_INTEGERS(sign, u64, uint64_t, x > 0)
FERRY_MAP_EVAL(sign, .s64 = sign_s64, .u64 = sign_u64)

#define FLOAT_OP(name, formula) FERRY_MAP_FLOATS(name, formula) FERRY_MAP_EVAL(name, .parameters = {NULL})
FLOAT_OP(exp, exp(x))
FLOAT_OP(log, log(x))
FLOAT_OP(sqrt, sqrt(x))
FLOAT_OP(reciprocal, 1 / x)
FLOAT_OP(floor, floor(x))
FLOAT_OP(ceil, ceil(x))
FLOAT_OP(round, rint(x)) // in the default rounding mode: half to even
FLOAT_OP(sin, sin(x))
FLOAT_OP(cos, cos(x))
FLOAT_OP(tan, tan(x))
FLOAT_OP(asin, asin(x))
FLOAT_OP(acos, acos(x))
FLOAT_OP(atan, atan(x))
FLOAT_OP(sinh, sinh(x))
FLOAT_OP(cosh, cosh(x))
FLOAT_OP(asinh, asinh(x))
FLOAT_OP(acosh, acosh(x))
FLOAT_OP(atanh, atanh(x))
FLOAT_OP(erf, erf(x))

static ferry_status eval_not(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const uint8_t *x = eval->in[0].data;
    uint8_t *y = eval->out[0].data;
    const int64_t n = ferry_elements(&eval->in[0]);
    for (int64_t i = 0; i < n; i++) y[i] = !x[i];
    return FERRY_OK;
}

static ferry_status eval_bitwise_not(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const uint8_t *x = eval->in[0].data;
    uint8_t *y = eval->out[0].data;
    const int64_t bytes = ferry_elements(&eval->in[0]) * (int64_t)ferry_dtype_bytes(eval->in[0].dtype);
    for (int64_t i = 0; i < bytes; i++) y[i] = (uint8_t)~x[i];
    return FERRY_OK;
}

typedef struct float_test {
    bool nan, plus_infinity, minus_infinity; // which of them answer true
} float_test;

static void test_floats(const ferry_eval *eval, float_test test)
{
    const ferry_tensor *x = &eval->in[0];
    uint8_t *y = eval->out[0].data;
    const int64_t n = ferry_elements(x);
    double v[FERRY_ROW];
    for (int64_t i = 0; i < n; i += FERRY_ROW) {
        const int64_t run = n - i < FERRY_ROW ? n - i : FERRY_ROW;
        ferry_row_load_f64(x->dtype, x->data, i, 1, run, v);
        for (int64_t k = 0; k < run; k++) {
            y[i + k] = (test.nan && isnan(v[k])) || (test.plus_infinity && v[k] == INFINITY) ||
                       (test.minus_infinity && v[k] == -INFINITY);
        }
    }
}

static ferry_status eval_is_nan(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    test_floats(eval, (float_test){.nan = true});
    return FERRY_OK;
}

static ferry_status eval_is_inf(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    test_floats(eval, (float_test){.plus_infinity = ferry_node_int(eval->node, "detect_positive", 1) != 0,
                                   .minus_infinity = ferry_node_int(eval->node, "detect_negative", 1) != 0});
    return FERRY_OK;
}

static const ferry_attr_schema is_inf_attrs[] = {
    {"detect_negative", FERRY_ATTR_INT, false}, {"detect_positive", FERRY_ATTR_INT, false}, {0}};

#define ROW(op_name, opset, schema, infer_function, eval_function)                                                     \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,           \
        .since = opset, .flags = FERRY_OP_ELEMENTWISE, .attrs = schema, .infer = infer_function, .eval = eval_function \
    }

const ferry_op ferry_ops_unary[] = {
    ROW("Abs", 1, NULL, infer_number, eval_abs),
    ROW("Neg", 1, NULL, infer_signed, eval_neg),
    ROW("Sign", 9, NULL, infer_number, eval_sign),
    ROW("Exp", 1, NULL, infer_float, eval_exp),
    ROW("Log", 1, NULL, infer_float, eval_log),
    ROW("Sqrt", 1, NULL, infer_float, eval_sqrt),
    ROW("Reciprocal", 1, NULL, infer_float, eval_reciprocal),
    ROW("Floor", 1, NULL, infer_float, eval_floor),
    ROW("Ceil", 1, NULL, infer_float, eval_ceil),
    ROW("Round", 11, NULL, infer_float, eval_round),
    ROW("Sin", 7, NULL, infer_float, eval_sin),
    ROW("Cos", 7, NULL, infer_float, eval_cos),
    ROW("Tan", 7, NULL, infer_float, eval_tan),
    ROW("Asin", 7, NULL, infer_float, eval_asin),
    ROW("Acos", 7, NULL, infer_float, eval_acos),
    ROW("Atan", 7, NULL, infer_float, eval_atan),
    ROW("Sinh", 9, NULL, infer_float, eval_sinh),
    ROW("Cosh", 9, NULL, infer_float, eval_cosh),
    ROW("Asinh", 9, NULL, infer_float, eval_asinh),
    ROW("Acosh", 9, NULL, infer_float, eval_acosh),
    ROW("Atanh", 9, NULL, infer_float, eval_atanh),
    ROW("Erf", 9, NULL, infer_float, eval_erf),
    ROW("Not", 1, NULL, infer_bool, eval_not),
    ROW("BitwiseNot", 18, NULL, infer_integer, eval_bitwise_not),
    ROW("IsNaN", 9, NULL, infer_test, eval_is_nan),
    ROW("IsInf", 10, is_inf_attrs, infer_test, eval_is_inf),
    {.name = NULL},
};
