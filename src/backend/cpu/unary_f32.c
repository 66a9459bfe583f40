// SPDX-License-Identifier: Apache-2.0
// Functions of one float tensor, element by element, in any layout and in place.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/elementwise_f32.h"
#include "backend/cpu/node.h"
#include "ops/op.h"

static const char tactic_name[] = "unary_f32";

#define CHUNK 4096 // elements of one task

typedef struct unary_kernel {
    ferry_cpu_kernel base;
    ferry_unary_f32_loop loop;
    float parameters[FERRY_UNARY_PARAMETERS];
    size_t elements;
    ferry_cpu_operand x;
} unary_kernel;

typedef struct unary_run {
    const unary_kernel *k;
    const float *x;
    float *y;
} unary_run;

static void run_some(void *context, size_t begin, size_t count)
{
    const unary_run *run = context;
    run->k->loop(run->x + begin, run->y + begin, count, run->k->parameters);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const unary_kernel *k = (const unary_kernel *)kernel;
    unary_run run = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data};
    ferry_parallel_1d(r->pool, run_some, &run, k->elements, CHUNK);
    return FERRY_OK;
}

typedef struct function {
    const char *op;
    ferry_unary_f32 loop;
    const char *parameters[FERRY_UNARY_PARAMETERS]; // attributes
    float defaults[FERRY_UNARY_PARAMETERS];
    double macs; // an element costs about as much as so many multiply-adds in a matrix product
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

// The only element of input i; false unless it is a float constant of one element.
static bool scalar(const ferry_graph *g, const ferry_node *node, int32_t i, float *out)
{
    const ferry_value *value = ferry_cpu_value(g, node, i);
    size_t n = 0;
    if (!value || !value->data || !ferry_cpu_is_float(value->dtype) || !ferry_shape_elements(&value->shape, &n) ||
        n != 1)
        return false;
    const float *element = NULL;
    size_t owned = 0;
    if (ferry_cpu_constant_f32(ferry_heap_default(), value, &element, &owned, NULL) != FERRY_OK) return false;
    *out = *element;
    ferry_cpu_constant_free(ferry_heap_default(), element, owned);
    return true;
}

static const function *find_pow(const ferry_graph *g, const ferry_node *node)
{
    float exponent = 0;
    if (!scalar(g, node, 1, &exponent)) return NULL;
    return exponent == 2 ? &square : exponent == 3 ? &cube : exponent == 0.5f ? &square_root : NULL;
}

// The function that the node applies to input 0, with its parameters; NULL when there is no loop for it.
static const function *find(const ferry_graph *g, const ferry_node *node, float *parameters)
{
    const function *f = NULL;
    for (size_t i = 0; !f && i < FERRY_COUNT_OF(functions); i++)
        if (ferry_node_is(node, functions[i].op)) f = &functions[i];
    if (ferry_node_is(node, "Gelu"))
        f = strcmp(ferry_node_string(node, "approximate", "none"), "tanh") == 0 ? &gelu_tanh : &gelu_erf;
    if (ferry_node_is(node, "Pow")) f = find_pow(g, node);
    if (!f) return NULL;
    for (int32_t i = 0; i < FERRY_UNARY_PARAMETERS; i++)
        parameters[i] = f->parameters[i] ? ferry_node_float(node, f->parameters[i], f->defaults[i]) : f->defaults[i];
    if (ferry_node_is(node, "Clip")) {
        for (int32_t i = 0; i < 2; i++)
            if (ferry_cpu_value(g, node, 1 + i) && !scalar(g, node, 1 + i, &parameters[i])) return NULL;
        if (parameters[0] > parameters[1]) parameters[0] = parameters[1]; // ONNX: the maximum wins
    }
    return f;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_cpu_check_region(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_cpu_operand x = ferry_cpu_input(region, in, 0);
    float parameters[FERRY_UNARY_PARAMETERS];
    const function *f = find(region->graph, node, parameters);
    size_t bytes = 0;
    if (!f || !x.present || x.desc.dtype != FERRY_F32 || out[0].dtype != FERRY_F32 ||
        !ferry_tensor_desc_same_dims(&x.desc, &out[0]) ||
        memcmp(x.desc.strides, out[0].strides, (size_t)out[0].rank * sizeof *out[0].strides) != 0 ||
        !ferry_tensor_desc_is_dense(&out[0], out[0].layout) || !ferry_tensor_desc_bytes(&out[0], &bytes))
        return ferry_cpu_misfit(tactic, "an output unlike its input", err);
    unary_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "an elementwise kernel");
    k->loop = ferry_elementwise_f32_pick(device->isa)->unary[f->loop];
    memcpy(k->parameters, parameters, sizeof parameters);
    k->elements = bytes / sizeof(float);
    k->x = x;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    const ferry_value *x = ferry_cpu_value(g, node, 0);
    float parameters[FERRY_UNARY_PARAMETERS];
    if (!x || ferry_value_is_constant(x) || !ferry_cpu_is_float(x->dtype) || !ferry_cpu_is_plain_node(view, root))
        return FERRY_OK;
    const function *f = find(g, node, parameters);
    if (!f) return FERRY_OK;
    const ferry_value *y = ferry_cpu_result(g, node);
    if (y->dtype != x->dtype || !ferry_shape_equal(&x->shape, &y->shape)) return FERRY_OK;
    const double cost =
        ferry_cpu_cost_us(device, FERRY_F32, f->macs * ferry_cpu_elements(x), ferry_cpu_bytes(x) + ferry_cpu_bytes(y));
    return ferry_cpu_offer_layouts(sink, view, tactic_name, root, FERRY_OFFER_IN_PLACE, cost, err);
}

extern const ferry_cpu_family ferry_cpu_family_unary_f32;
const ferry_cpu_family ferry_cpu_family_unary_f32 = {
    .name = "unary_f32",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
