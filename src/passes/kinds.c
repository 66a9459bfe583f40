// SPDX-License-Identifier: Apache-2.0
// Which operators have an integer form, and when their parameters allow it.
#include "passes/kinds.h"

#include <math.h>
#include <string.h>

#include "ops/integer.h"
#include "passes/weights.h"

static bool is_any(const ferry_node *node, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ferry_node_is(node, names[i])) return true;
    return false;
}
#define IS_ANY(node, ...)                                                                                              \
    is_any((node), (const char *const[]){__VA_ARGS__},                                                                 \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static bool real_activation(const ferry_graph *graph, ferry_value_id value)
{
    return value != FERRY_NO_VALUE && !ferry_rewrite_is_constant(graph, value) &&
           ferry_rewrite_is_real(graph->values[value].dtype);
}

static ferry_int8_kind weighted_kind(const ferry_graph *graph, ferry_node_id id, ferry_int8_kind kind,
                                     ferry_arena *scratch, const char **why)
{
    const ferry_node *node = &graph->nodes[id];
    if (!real_activation(graph, node->inputs[0])) {
        *why = "its input is not a floating-point activation";
        return FERRY_INT8_NONE;
    }
    if (ferry_node_int(node, "transA", 0) != 0) {
        *why = "its input is transposed";
        return FERRY_INT8_NONE;
    }
    *why = ferry_weights_why_not(graph, id, scratch);
    return *why ? FERRY_INT8_NONE : kind;
}

int32_t ferry_int8_table_input(const ferry_graph *graph, const ferry_node *node)
{
    if (node->n_inputs == 2 && ferry_rewrite_is_constant(graph, node->inputs[0])) return 1;
    return 0;
}

// A function of one activation: an activation function, or arithmetic with a constant scalar.
static bool is_table(const ferry_graph *graph, const ferry_node *node)
{
    if (IS_ANY(node, "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Silu", "Gelu", "Elu",
               "Selu", "Celu", "Softplus", "Softsign", "Mish", "ThresholdedRelu", "Abs", "Neg", "Erf", "Swish")) {
        for (int32_t i = 1; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE && !ferry_rewrite_is_constant(graph, node->inputs[i])) return false;
        return true;
    }
    if (!IS_ANY(node, "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu") || node->n_inputs != 2) return false;
    double s = 0;
    const int32_t x = ferry_int8_table_input(graph, node);
    if (x == 1 && IS_ANY(node, "PRelu", "Pow")) return false;
    return ferry_rewrite_scalar(graph, node->inputs[1 - x], &s) && isfinite(s) &&
           ferry_rewrite_same_shape(graph, node->inputs[x], node->outputs[0]);
}

static bool is_nearest(const ferry_node *node)
{
    return strcmp(ferry_node_string(node, "mode", "nearest"), "nearest") == 0 &&
           strcmp(ferry_node_string(node, "coordinate_transformation_mode", "half_pixel"), "tf_crop_and_resize") != 0;
}

static bool is_linear_resize(const ferry_graph *graph, const ferry_node *node, ferry_arena *scratch)
{
    static const char *const modes[] = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
    if (strcmp(ferry_node_string(node, "mode", "nearest"), "linear") != 0) return false;
    if (ferry_node_int(node, "antialias", 0) != 0 || ferry_node_attr(node, "axes")) return false;
    if (strcmp(ferry_node_string(node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0) return false;
    bool known = false;
    for (size_t i = 0; i < FERRY_COUNT_OF(modes); i++)
        known = known || strcmp(ferry_node_string(node, "coordinate_transformation_mode", modes[0]), modes[i]) == 0;
    const ferry_shape *x = &graph->values[node->inputs[0]].shape, *y = &graph->values[node->outputs[0]].shape;
    if (!known || x->rank != 4 || y->rank != 4 || y->dims[1] != x->dims[1]) return false;
    const ferry_value_id scales = ferry_rewrite_input(node, 2), sizes = ferry_rewrite_input(node, 3);
    size_t n = 0;
    if (ferry_rewrite_is_constant(graph, sizes)) {
        const double *d = ferry_rewrite_load(graph, sizes, scratch, &n);
        return d && n == 4 && x->dims[0] != FERRY_DIM_UNKNOWN && d[0] == (double)x->dims[0];
    }
    if (sizes != FERRY_NO_VALUE || !ferry_rewrite_is_constant(graph, scales)) return false;
    const double *d = ferry_rewrite_load(graph, scales, scratch, &n);
    return d && n == 4 && d[0] == 1.0 && d[1] == 1.0 && d[2] > 0.0 && d[3] > 0.0;
}

static bool is_move(const ferry_graph *graph, const ferry_node *node)
{
    if (IS_ANY(node, "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather",
               "DepthToSpace", "SpaceToDepth", "Expand", "Tile", "Identity", "GlobalMaxPool"))
        return true;
    if (ferry_node_is(node, "MaxPool")) return node->n_outputs < 2 || node->outputs[1] == FERRY_NO_VALUE;
    if (ferry_node_is(node, "Resize")) return is_nearest(node);
    if (ferry_node_is(node, "Pad")) {
        double fill = 0;
        const ferry_value_id value = ferry_rewrite_input(node, 2);
        if (strcmp(ferry_node_string(node, "mode", "constant"), "constant") != 0) return true;
        return value == FERRY_NO_VALUE || (ferry_rewrite_scalar(graph, value, &fill) && fill == 0.0);
    }
    if (!ferry_node_is(node, "Concat")) return false;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!real_activation(graph, node->inputs[i])) return false;
    return true;
}

ferry_int8_kind ferry_int8_kind_of(const ferry_graph *graph, ferry_node_id id, ferry_arena *scratch,
                                   const char **out_why)
{
    const char *ignored = NULL;
    const char **why = out_why ? out_why : &ignored;
    *why = NULL;
    const ferry_node *node = &graph->nodes[id];
    if (node->n_outputs < 1 || node->n_inputs < 1) return FERRY_INT8_NONE;
    if (ferry_node_is(node, "FusedConv")) return weighted_kind(graph, id, FERRY_INT8_CONV, scratch, why);
    if (ferry_node_is(node, "FusedGemm")) return weighted_kind(graph, id, FERRY_INT8_GEMM, scratch, why);
    *why = "the operator has no integer form here";
    if (node->outputs[0] == FERRY_NO_VALUE || !ferry_rewrite_is_real(graph->values[node->outputs[0]].dtype))
        return FERRY_INT8_NONE;
    const bool two =
        node->n_inputs == 2 && real_activation(graph, node->inputs[0]) && real_activation(graph, node->inputs[1]);
    if (is_table(graph, node))
        return real_activation(graph, node->inputs[ferry_int8_table_input(graph, node)]) ? FERRY_INT8_TABLE
                                                                                         : FERRY_INT8_NONE;
    if (IS_ANY(node, "Add", "Sub")) return two ? FERRY_INT8_ADD : FERRY_INT8_NONE;
    if (ferry_node_is(node, "Mul")) return two ? FERRY_INT8_MUL : FERRY_INT8_NONE;
    if (!real_activation(graph, node->inputs[0])) return FERRY_INT8_NONE;
    const int32_t rank = graph->values[node->inputs[0]].shape.rank;
    if (ferry_node_is(node, "MatMul")) {
        const ferry_shape *a = &graph->values[node->inputs[0]].shape;
        return two && rank >= 2 && graph->values[node->inputs[1]].shape.rank >= 2 &&
                       a->dims[rank - 1] <= FERRY_INT8_MAX_SUM
                   ? FERRY_INT8_MATMUL
                   : FERRY_INT8_NONE;
    }
    if (ferry_node_is(node, "GlobalAveragePool"))
        return rank >= 3 && rank <= 5 ? FERRY_INT8_GLOBAL_AVERAGE_POOL : FERRY_INT8_NONE;
    if (ferry_node_is(node, "AveragePool"))
        return rank >= 3 && rank <= 5 && strcmp(ferry_node_string(node, "auto_pad", "NOTSET"), "NOTSET") == 0
                   ? FERRY_INT8_AVERAGE_POOL
                   : FERRY_INT8_NONE;
    if (is_move(graph, node)) return FERRY_INT8_MOVE;
    if (ferry_node_is(node, "Resize") && is_linear_resize(graph, node, scratch)) return FERRY_INT8_RESIZE;
    return FERRY_INT8_NONE;
}

int32_t ferry_int8_inputs(ferry_int8_kind kind, const ferry_node *node, int32_t *out, int32_t most)
{
    int32_t count = 1;
    if (kind == FERRY_INT8_NONE || most < 1) return 0;
    if (kind == FERRY_INT8_ADD || kind == FERRY_INT8_MUL || kind == FERRY_INT8_MATMUL) count = 2;
    if (kind == FERRY_INT8_MOVE && ferry_node_is(node, "Concat")) count = node->n_inputs;
    if (count > most) count = most;
    for (int32_t i = 0; i < count; i++) out[i] = i;
    return count;
}

static bool acts(const ferry_node *node, const char *act)
{
    return strcmp(ferry_node_string(node, "act", "none"), act) == 0;
}

// A residual that is added in front of the activation.
static bool adds_first(const ferry_node *node)
{
    return ferry_rewrite_input(node, 3) != FERRY_NO_VALUE && ferry_node_int(node, "act_first", 0) == 0;
}

bool ferry_int8_takes_zero(ferry_int8_kind kind, const ferry_node *node, int32_t i)
{
    if (kind == FERRY_INT8_MATMUL) return i > 1;
    if (kind == FERRY_INT8_AVERAGE_POOL) return ferry_node_int(node, "count_include_pad", 0) == 0;
    if (kind != FERRY_INT8_CONV && kind != FERRY_INT8_GEMM) return true;
    return i != 3 || adds_first(node) || !acts(node, "leaky_relu");
}

bool ferry_int8_makes_zero(ferry_int8_kind kind, const ferry_node *node)
{
    if (kind == FERRY_INT8_MATMUL) return false;
    if (kind != FERRY_INT8_CONV && kind != FERRY_INT8_GEMM) return true;
    return !acts(node, "leaky_relu") && !(acts(node, "hard_sigmoid") && adds_first(node));
}

uint32_t ferry_float_inputs(const ferry_node *node)
{
    static const struct {
        const char *name;
        uint32_t mask;
    } table[] = {
        {"FusedConv", 0x0b},
        {"FusedGemm", 0x0b},
        {"Conv", ~0u},
        {"ConvTranspose", ~0u},
        {"Gemm", ~0u},
        {"MatMul", ~0u},
        {"Resize", 1},
        {"Pad", 5},
        {"Reshape", 1},
        {"Transpose", ~0u},
        {"Concat", ~0u},
        {"Split", 1},
        {"Slice", 1},
        {"Gather", 1},
        {"GatherElements", 1},
        {"GatherND", 1},
        {"Squeeze", 1},
        {"Unsqueeze", 1},
        {"Flatten", 1},
        {"Expand", 1},
        {"Tile", 1},
        {"DepthToSpace", 1},
        {"SpaceToDepth", 1},
        {"Identity", 1},
        {"MaxPool", 1},
        {"AveragePool", 1},
        {"GlobalMaxPool", 1},
        {"GlobalAveragePool", 1},
        {"LpPool", 1},
        {"Softmax", 1},
        {"LogSoftmax", 1},
        {"LayerNormalization", ~0u},
        {"InstanceNormalization", ~0u},
        {"GroupNormalization", ~0u},
        {"BatchNormalization", 1},
        {"LRN", 1},
        {"ReduceMean", 1},
        {"ReduceSum", 1},
        {"ReduceMax", 1},
        {"ReduceMin", 1},
        {"Where", 6},
        {"Clip", ~0u},
        {"PRelu", ~0u},
        {"Relu", 1},
        {"LeakyRelu", 1},
        {"Sigmoid", 1},
        {"Tanh", 1},
        {"HardSigmoid", 1},
        {"HardSwish", 1},
        {"Silu", 1},
        {"Gelu", 1},
        {"Elu", 1},
        {"Selu", 1},
        {"Celu", 1},
        {"Softplus", 1},
        {"Softsign", 1},
        {"Mish", 1},
        {"ThresholdedRelu", 1},
        {"Abs", 1},
        {"Neg", 1},
        {"Erf", 1},
        {"Exp", 1},
        {"Sqrt", 1},
        {"Add", ~0u},
        {"Sub", ~0u},
        {"Mul", ~0u},
        {"Div", ~0u},
        {"Pow", ~0u},
        {"Max", ~0u},
        {"Min", ~0u},
        {"Sum", ~0u},
        {"Mean", ~0u},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(table); i++)
        if (ferry_node_is(node, table[i].name)) return table[i].mask;
    return 0;
}
