// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/unary_node.h"

#include <math.h>
#include <string.h>

#include "ops/op.h"

typedef struct function {
    const char *op;
    ferry_unary_f32 loop;
    const char *arguments[FERRY_UNARY_ARGUMENTS]; // attributes
    float defaults[FERRY_UNARY_ARGUMENTS];
    double macs;
} function;

static const function functions[] = {
    {"Relu", FERRY_UNARY_F32_clip, {0}, {0, INFINITY}, 1},
    {"Clip", FERRY_UNARY_F32_clip, {0}, {-INFINITY, INFINITY}, 1},
    {"LeakyRelu", FERRY_UNARY_F32_leaky_relu, {"alpha"}, {0.01f}, 1},
    {"ThresholdedRelu", FERRY_UNARY_F32_thresholded_relu, {"alpha"}, {1}, 1},
    {"HardSigmoid", FERRY_UNARY_F32_hard_sigmoid, {"alpha", "beta"}, {0.2f, 0.5f}, 2},
    {"HardSwish", FERRY_UNARY_F32_hard_swish, {0}, {0}, 3},
    {"Elu", FERRY_UNARY_F32_elu, {"alpha"}, {1}, 12},
    {"Selu", FERRY_UNARY_F32_selu, {"alpha", "gamma"}, {1.67326319217681884765625f, 1.05070102214813232421875f}, 12},
    {"Celu", FERRY_UNARY_F32_celu, {"alpha"}, {1}, 16},
    {"Sigmoid", FERRY_UNARY_F32_sigmoid, {0}, {0}, 14},
    {"Silu", FERRY_UNARY_F32_silu, {0}, {0}, 14},
    {"Swish", FERRY_UNARY_F32_swish, {"alpha"}, {1}, 14},
    {"Tanh", FERRY_UNARY_F32_tanh, {0}, {0}, 22},
    {"Softplus", FERRY_UNARY_F32_softplus, {0}, {0}, 30},
    {"Softsign", FERRY_UNARY_F32_softsign, {0}, {0}, 6},
    {"Mish", FERRY_UNARY_F32_mish, {0}, {0}, 20},
    {"Erf", FERRY_UNARY_F32_erf, {0}, {0}, 30},
    {"Exp", FERRY_UNARY_F32_exp, {0}, {0}, 10},
    {"Log", FERRY_UNARY_F32_log, {0}, {0}, 16},
    {"Sqrt", FERRY_UNARY_F32_sqrt, {0}, {0}, 6},
    {"Reciprocal", FERRY_UNARY_F32_reciprocal, {0}, {0}, 6},
    {"Abs", FERRY_UNARY_F32_abs, {0}, {0}, 1},
    {"Neg", FERRY_UNARY_F32_neg, {0}, {0}, 1},
    {"Sign", FERRY_UNARY_F32_sign, {0}, {0}, 2},
    {"Floor", FERRY_UNARY_F32_floor, {0}, {0}, 1},
    {"Ceil", FERRY_UNARY_F32_ceil, {0}, {0}, 1},
    {"Round", FERRY_UNARY_F32_round, {0}, {0}, 1},
};
static const function gelu_erf = {"Gelu", FERRY_UNARY_F32_gelu_erf, {0}, {0}, 32};
static const function gelu_tanh = {"Gelu", FERRY_UNARY_F32_gelu_tanh, {0}, {0}, 28};
static const function square = {"Pow", FERRY_UNARY_F32_square, {0}, {0}, 1};
static const function cube = {"Pow", FERRY_UNARY_F32_cube, {0}, {0}, 1};
static const function square_root = {"Pow", FERRY_UNARY_F32_sqrt, {0}, {0}, 6};

static const function *find_pow(const ferry_graph *g, const ferry_node *node)
{
    float exponent = 0;
    if (!ferry_node_scalar(g, node, 1, &exponent)) return NULL;
    return exponent == 2 ? &square : exponent == 3 ? &cube : exponent == 0.5f ? &square_root : NULL;
}

bool ferry_unary_node_read(const ferry_graph *g, const ferry_node *node, ferry_unary_node *out)
{
    const function *f = NULL;
    for (size_t i = 0; !f && i < FERRY_COUNT_OF(functions); i++)
        if (ferry_node_is(node, functions[i].op)) f = &functions[i];
    if (ferry_node_is(node, "Gelu"))
        f = strcmp(ferry_node_string(node, "approximate", "none"), "tanh") == 0 ? &gelu_tanh : &gelu_erf;
    if (ferry_node_is(node, "Pow")) f = find_pow(g, node);
    if (!f) return false;
    *out = (ferry_unary_node){.loop = f->loop, .macs = f->macs};
    float *parameters = out->parameters;
    for (int32_t i = 0; i < FERRY_UNARY_ARGUMENTS; i++)
        parameters[i] = f->arguments[i] ? ferry_node_float(node, f->arguments[i], f->defaults[i]) : f->defaults[i];
    parameters[FERRY_UNARY_SCALE] = 1;
    parameters[FERRY_UNARY_SHIFT] = -0.0f;
    if (ferry_node_is(node, "Clip")) {
        for (int32_t i = 0; i < 2; i++)
            if (ferry_node_value(g, node, 1 + i) && !ferry_node_scalar(g, node, 1 + i, &parameters[i])) return false;
        if (parameters[0] > parameters[1]) parameters[0] = parameters[1]; // ONNX: the maximum wins
    }
    return true;
}
