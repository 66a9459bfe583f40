// SPDX-License-Identifier: Apache-2.0
// Activations: one formula per element. Those with more inputs (Clip, PRelu) are in activation_inputs.c.
#include "ops/activation.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "ops/map.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_activation[];

static ferry_status infer_float(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

static ferry_status infer_number(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

static inline double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

// log(1 + e^x) without overflow
static inline double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

// Comparisons are written so that NaN stays NaN.
static inline double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_OVER_PI 0.79788456080286535588

FERRY_MAP_FLOATS(relu, x < 0 ? 0 : x)
FERRY_MAP_INTEGERS(relu, s64, int64_t, x < 0 ? 0 : x)
FERRY_MAP_INTEGERS(relu, u64, uint64_t, x)
FERRY_MAP_EVAL(relu, .s64 = relu_s64, .u64 = relu_u64)

FERRY_MAP_FLOATS(leaky_relu, x < 0 ? p[0] * x : x)
FERRY_MAP_EVAL(leaky_relu, .parameters = {"alpha"}, .defaults = {0.01f})

FERRY_MAP_FLOATS(elu, x < 0 ? p[0] * expm1(x) : x)
FERRY_MAP_EVAL(elu, .parameters = {"alpha"}, .defaults = {1.0f})

FERRY_MAP_FLOATS(selu, p[1] * (x <= 0 ? p[0] * expm1(x) : x))
FERRY_MAP_EVAL(selu, .parameters = {"alpha", "gamma"},
               .defaults = {1.67326319217681884765625f, 1.05070102214813232421875f})

FERRY_MAP_FLOATS(celu, x < 0 ? p[0] * expm1(x / p[0]) : x)
FERRY_MAP_EVAL(celu, .parameters = {"alpha"}, .defaults = {1.0f})

FERRY_MAP_FLOATS(thresholded_relu, x <= p[0] ? 0 : x)
FERRY_MAP_EVAL(thresholded_relu, .parameters = {"alpha"}, .defaults = {1.0f})

FERRY_MAP_FLOATS(sigmoid, sigmoid(x))
FERRY_MAP_EVAL(sigmoid, .parameters = {NULL})

FERRY_MAP_FLOATS(hard_sigmoid, clamp(p[0] * x + p[1], 0, 1))
FERRY_MAP_EVAL(hard_sigmoid, .parameters = {"alpha", "beta"}, .defaults = {0.2f, 0.5f})

FERRY_MAP_FLOATS(hard_swish, x *clamp(x / 6 + 0.5, 0, 1))
FERRY_MAP_EVAL(hard_swish, .parameters = {NULL})

FERRY_MAP_FLOATS(tanh, tanh(x))
FERRY_MAP_EVAL(tanh, .parameters = {NULL})

FERRY_MAP_FLOATS(softplus, softplus(x))
FERRY_MAP_EVAL(softplus, .parameters = {NULL})

FERRY_MAP_FLOATS(softsign, x / (1 + fabs(x)))
FERRY_MAP_EVAL(softsign, .parameters = {NULL})

FERRY_MAP_FLOATS(gelu_erf, 0.5 * x * (1 + erf(x * SQRT_HALF)))
FERRY_MAP_EVAL(gelu_erf, .parameters = {NULL})
FERRY_MAP_FLOATS(gelu_tanh, 0.5 * x * (1 + tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x))))
FERRY_MAP_EVAL(gelu_tanh, .parameters = {NULL})

FERRY_MAP_FLOATS(mish, x *tanh(softplus(x)))
FERRY_MAP_EVAL(mish, .parameters = {NULL})

FERRY_MAP_FLOATS(swish, x *sigmoid(p[0] * x))
FERRY_MAP_EVAL(swish, .parameters = {"alpha"}, .defaults = {1.0f})

static ferry_status infer_gelu(ferry_infer *infer, ferry_error *err)
{
    const char *approximation = ferry_node_string(infer->node, "approximate", "none");
    if (strcmp(approximation, "none") != 0 && strcmp(approximation, "tanh") != 0) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "approximate is '%s'; it must be 'none' or 'tanh'", approximation);
    }
    return infer_float(infer, err);
}

static ferry_status eval_gelu(const ferry_eval *eval, ferry_error *err)
{
    const bool by_tanh = strcmp(ferry_node_string(eval->node, "approximate", "none"), "tanh") == 0;
    return by_tanh ? eval_gelu_tanh(eval, err) : eval_gelu_erf(eval, err);
}

static const ferry_attr_schema alpha_attrs[] = {{"alpha", FERRY_ATTR_FLOAT, false}, {0}};
static const ferry_attr_schema selu_attrs[] = {
    {"alpha", FERRY_ATTR_FLOAT, false}, {"gamma", FERRY_ATTR_FLOAT, false}, {0}};
static const ferry_attr_schema hard_sigmoid_attrs[] = {
    {"alpha", FERRY_ATTR_FLOAT, false}, {"beta", FERRY_ATTR_FLOAT, false}, {0}};
static const ferry_attr_schema gelu_attrs[] = {{"approximate", FERRY_ATTR_STRING, false}, {0}};
static const ferry_attr_schema shrink_attrs[] = {
    {"bias", FERRY_ATTR_FLOAT, false}, {"lambd", FERRY_ATTR_FLOAT, false}, {0}};

#define ROW(op_name, opset, schema, infer_function, eval_function)                                                     \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,           \
        .since = opset, .flags = FERRY_OP_ELEMENTWISE, .attrs = schema, .infer = infer_function, .eval = eval_function \
    }

const ferry_op ferry_ops_activation[] = {
    ROW("Relu", 1, NULL, infer_number, eval_relu),
    ROW("LeakyRelu", 1, alpha_attrs, infer_float, eval_leaky_relu),
    ROW("Elu", 1, alpha_attrs, infer_float, eval_elu),
    ROW("Selu", 1, selu_attrs, infer_float, eval_selu),
    ROW("Celu", 12, alpha_attrs, infer_float, eval_celu),
    ROW("ThresholdedRelu", 10, alpha_attrs, infer_float, eval_thresholded_relu),
    ROW("Sigmoid", 1, NULL, infer_float, eval_sigmoid),
    ROW("HardSigmoid", 1, hard_sigmoid_attrs, infer_float, eval_hard_sigmoid),
    ROW("HardSwish", 14, NULL, infer_float, eval_hard_swish),
    ROW("Tanh", 1, NULL, infer_float, eval_tanh),
    ROW("Softplus", 1, NULL, infer_float, eval_softplus),
    ROW("Softsign", 1, NULL, infer_float, eval_softsign),
    ROW("Gelu", 20, gelu_attrs, infer_gelu, eval_gelu),
    ROW("Mish", 18, NULL, infer_float, eval_mish),
    ROW("Swish", 24, alpha_attrs, infer_float, eval_swish),
    ROW("Shrink", 9, shrink_attrs, infer_number, ferry_shrink_eval),
    {.name = "PRelu",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .flags = FERRY_OP_ELEMENTWISE,
     .infer = ferry_prelu_infer,
     .eval = ferry_prelu_eval},
    {.name = "Clip",
     .domain = "",
     .min_inputs = 1,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .flags = FERRY_OP_ELEMENTWISE,
     .infer = ferry_clip_infer,
     .eval = ferry_clip_eval},
    {.name = NULL},
};
