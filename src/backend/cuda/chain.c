// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/chain.h"

#include <string.h>

#include "backend/reading/node.h"
#include "base/f16.h"
#include "ops/op.h"

typedef struct function {
    const char *op, *text;     // text: the function in functions.cuh
    const char *attributes[2]; // that it takes behind v
    float defaults[2];
    double flops;
} function;

static const function unary[] = {
    {"Relu", "fn_relu", {0}, {0}, 1},
    {"LeakyRelu", "fn_leaky_relu", {"alpha"}, {0.01f}, 2},
    {"ThresholdedRelu", "fn_thresholded_relu", {"alpha"}, {1}, 2},
    {"HardSigmoid", "fn_hard_sigmoid", {"alpha", "beta"}, {0.2f, 0.5f}, 3},
    {"HardSwish", "fn_hard_swish", {0}, {0}, 4},
    {"Elu", "fn_elu", {"alpha"}, {1}, 12},
    {"Selu", "fn_selu", {"alpha", "gamma"}, {1.67326319217681884765625f, 1.05070102214813232421875f}, 12},
    {"Celu", "fn_celu", {"alpha"}, {1}, 14},
    {"Sigmoid", "fn_sigmoid", {0}, {0}, 6},
    {"Swish", "fn_swish", {"alpha"}, {1}, 6},
    {"Silu", "fn_swish", {"alpha"}, {1}, 6},
    {"Tanh", "fn_tanh", {0}, {0}, 16},
    {"Softplus", "fn_softplus", {0}, {0}, 24},
    {"Softsign", "fn_softsign", {0}, {0}, 8},
    {"Mish", "fn_mish", {0}, {0}, 40},
    {"Erf", "fn_erf", {0}, {0}, 20},
    {"Exp", "fn_exp", {0}, {0}, 8},
    {"Log", "fn_log", {0}, {0}, 12},
    {"Sqrt", "fn_sqrt", {0}, {0}, 8},
    {"Reciprocal", "fn_reciprocal", {0}, {0}, 8},
    {"Abs", "fn_abs", {0}, {0}, 1},
    {"Neg", "fn_neg", {0}, {0}, 1},
    {"Sign", "fn_sign", {0}, {0}, 2},
    {"Floor", "fn_floor", {0}, {0}, 1},
    {"Ceil", "fn_ceil", {0}, {0}, 1},
    {"Round", "fn_round", {0}, {0}, 1},
};
static const function gelu_erf = {"Gelu", "fn_gelu_erf", {0}, {0}, 24};
static const function gelu_tanh = {"Gelu", "fn_gelu_tanh", {0}, {0}, 22};
static const function cast = {"Cast", NULL, {0}, {0}, 0};
static const function clip = {"Clip", NULL, {0}, {0}, 2};
static const function square = {"Pow", "fn_square", {0}, {0}, 1};
static const function cube = {"Pow", "fn_cube", {0}, {0}, 2};
static const function square_root = {"Pow", "fn_sqrt", {0}, {0}, 8};

static const function binary[] = {
    {"Add", "fn_add", {0}, {0}, 1},     {"Sub", "fn_sub", {0}, {0}, 1}, {"Mul", "fn_mul", {0}, {0}, 1},
    {"Div", "fn_div", {0}, {0}, 8},     {"Max", "fn_max", {0}, {0}, 2}, {"Min", "fn_min", {0}, {0}, 2},
    {"PRelu", "fn_prelu", {0}, {0}, 2},
};

static const function *find_unary(const ferry_graph *g, const ferry_node *node)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(unary); i++)
        if (ferry_node_is(node, unary[i].op)) return &unary[i];
    if (ferry_node_is(node, "Gelu"))
        return strcmp(ferry_node_string(node, "approximate", "none"), "tanh") == 0 ? &gelu_tanh : &gelu_erf;
    if (ferry_node_is(node, "Cast")) return &cast;
    if (ferry_node_is(node, "Clip")) {
        float bound = 0;
        for (int32_t i = 1; i < 3; i++)
            if (ferry_node_value(g, node, i) && !ferry_node_scalar(g, node, i, &bound)) return NULL;
        return &clip;
    }
    float exponent = 0;
    if (ferry_node_is(node, "Pow") && ferry_node_scalar(g, node, 1, &exponent))
        return exponent == 2 ? &square : exponent == 3 ? &cube : exponent == 0.5f ? &square_root : NULL;
    return NULL;
}

static const function *find_binary(const ferry_node *node)
{
    if (node->n_inputs != 2) return NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(binary); i++)
        if (ferry_node_is(node, binary[i].op)) return &binary[i];
    return NULL;
}

static bool is_float_of(const ferry_value *v, const ferry_value *like)
{
    return ferry_dtype_widens_to_f32(v->dtype) && ferry_shape_is_known(&v->shape) &&
           ferry_shape_equal(&v->shape, &like->shape);
}

// [C, 1, ...] or [1, C, 1, ...] behind broadcasting: dimension 1 of `like` alone.
static bool is_channel_shape(const ferry_shape *s, const ferry_shape *like)
{
    if (like->rank < 2 || s->rank > like->rank) return false;
    const int32_t skipped = like->rank - s->rank;
    for (int32_t d = 0; d < s->rank; d++)
        if (s->dims[d] != (d + skipped == 1 ? like->dims[1] : 1)) return false;
    return skipped <= 1;
}

static bool is_gate_shape(const ferry_shape *s, const ferry_shape *like)
{
    if (like->rank < 3 || s->rank != like->rank || s->dims[0] != like->dims[0] || s->dims[1] != like->dims[1])
        return false;
    for (int32_t d = 2; d < s->rank; d++)
        if (s->dims[d] != 1) return false;
    return true;
}

// How the node's input `i` is read beside the running value. False: in no way that chains know. *out_scalar: it is a
// number in the text.
static bool classify(const ferry_graph *g, const ferry_node *node, int32_t i, const ferry_value *like,
                     ferry_cuda_operand *out, bool *out_scalar)
{
    const ferry_value *v = ferry_node_value(g, node, i);
    float number = 0;
    *out_scalar = false;
    if (!v || !ferry_dtype_widens_to_f32(v->dtype)) return false;
    *out = (ferry_cuda_operand){.value = node->inputs[i], .dtype = v->dtype};
    if (ferry_value_is_constant(v)) {
        *out_scalar = ferry_node_scalar(g, node, i, &number) && v->shape.rank <= like->shape.rank;
        out->kind = FERRY_CUDA_CHANNEL;
        return *out_scalar || is_channel_shape(&v->shape, &like->shape);
    }
    if (is_float_of(v, like)) {
        out->kind = FERRY_CUDA_SAME;
        return true;
    }
    out->kind = FERRY_CUDA_GATE;
    return ferry_shape_is_known(&v->shape) && is_gate_shape(&v->shape, &like->shape);
}

// Whether the node can be part of a chain that comes in through its input `through`; adds its operand.
static bool take(const ferry_graph *g, const ferry_node *node, int32_t through, ferry_cuda_chain *chain)
{
    if (node->n_outputs < 1 || node->outputs[0] == FERRY_NO_VALUE) return false;
    const ferry_value *y = ferry_node_result(g, node), *x = ferry_node_value(g, node, through);
    if (!x || ferry_value_is_constant(x) || !is_float_of(x, y) || !ferry_dtype_widens_to_f32(y->dtype)) return false;
    const function *f = find_unary(g, node);
    if (f) {
        chain->flops += f->flops;
        return through == 0;
    }
    f = find_binary(node);
    if (!f || through > 1) return false;
    if (ferry_node_is(node, "PRelu") && through != 0) return false;
    chain->flops += f->flops;
    if (node->inputs[0] == node->inputs[1]) return through == 0; // x * x
    ferry_cuda_operand operand;
    bool scalar = false;
    if (!classify(g, node, 1 - through, y, &operand, &scalar)) return false;
    if (scalar) return true;
    if (chain->n_operands == FERRY_CUDA_CHAIN_OPERANDS) return false;
    chain->operands[chain->n_operands++] = operand;
    return true;
}

// The inputs through which a chain may come in, the preferred one first.
static int32_t list_ways(const ferry_graph *g, const ferry_node *node, int32_t branch, int32_t ways[2])
{
    if (node->n_inputs < 1) return 0;
    ways[0] = 0;
    if (!find_binary(node)) return 1;
    const bool first = branch == 0;
    ways[0] = first ? 0 : 1;
    ways[1] = first ? 1 : 0;
    (void)g;
    return 2;
}

// Nodes are found from the last to the first, operands belong to them in running order: both are turned around at the
// end by reading the nodes once more.
static bool read_nodes(const ferry_graph *g, const ferry_node_id *nodes, int32_t n, ferry_value_id from,
                       ferry_cuda_chain *out)
{
    *out = (ferry_cuda_chain){.from = from, .to = from};
    if (n > FERRY_CUDA_CHAIN_NODES) return false;
    for (int32_t i = 0; i < n; i++) {
        const ferry_node *node = &g->nodes[nodes[i]];
        int32_t through = -1;
        for (int32_t k = 0; k < 2 && k < node->n_inputs && through < 0; k++)
            if (node->inputs[k] == out->to) through = k;
        if (through < 0 || !take(g, node, through, out)) return false;
        out->nodes[out->n_nodes++] = nodes[i];
        out->to = node->outputs[0];
    }
    return true;
}

void ferry_cuda_chain_find(const ferry_graph_view *view, ferry_node_id root, int32_t branch, ferry_cuda_chain *out)
{
    const ferry_graph *g = view->graph;
    ferry_node_id found[FERRY_CUDA_CHAIN_NODES];
    int32_t n = 0;
    ferry_node_id at = root;
    ferry_value_id from = FERRY_NO_VALUE;
    ferry_cuda_chain probe = {0};
    *out = (ferry_cuda_chain){0};
    while (n < FERRY_CUDA_CHAIN_NODES && ferry_node_is_plain(view, at)) {
        const ferry_node *node = &g->nodes[at];
        int32_t ways[2];
        const int32_t n_ways = list_ways(g, node, branch, ways);
        int32_t chosen = -1;
        ferry_cuda_chain taken = probe;
        for (int32_t w = 0; w < n_ways && chosen < 0; w++) {
            taken = probe;
            if (take(g, node, ways[w], &taken)) chosen = ways[w];
            // Through a value that others read too, no chain goes on: the other input may be better.
            if (chosen >= 0 && w + 1 < n_ways && ferry_maker_for_one(view, node->inputs[chosen]) == FERRY_NO_NODE) {
                ferry_cuda_chain other = probe;
                if (take(g, node, ways[w + 1], &other) &&
                    ferry_maker_for_one(view, node->inputs[ways[w + 1]]) != FERRY_NO_NODE) {
                    chosen = ways[w + 1];
                    taken = other;
                }
            }
        }
        if (chosen < 0) break;
        probe = taken;
        found[n++] = at;
        from = node->inputs[chosen];
        at = ferry_maker_for_one(view, from);
        if (at == FERRY_NO_NODE) break;
    }
    ferry_node_id nodes[FERRY_CUDA_CHAIN_NODES];
    for (int32_t i = 0; i < n; i++) nodes[i] = found[n - 1 - i];
    if (n == 0 || !read_nodes(g, nodes, n, from, out)) *out = (ferry_cuda_chain){0};
}

void ferry_cuda_chain_tail(const ferry_graph *g, const ferry_cuda_chain *chain, int32_t n, ferry_cuda_chain *out)
{
    const int32_t skip = chain->n_nodes - n;
    const ferry_value_id from = skip > 0 ? g->nodes[chain->nodes[skip - 1]].outputs[0] : chain->from;
    if (!read_nodes(g, chain->nodes + skip, n, from, out)) *out = (ferry_cuda_chain){0};
}

bool ferry_cuda_chain_read(const ferry_region *region, int32_t first, ferry_value_id from, ferry_cuda_chain *out)
{
    return read_nodes(region->graph, region->nodes + first, region->n_nodes - first, from, out);
}

int32_t ferry_cuda_chain_count(const ferry_cuda_chain *chain, ferry_cuda_operand_kind kind)
{
    int32_t n = 0;
    for (int32_t i = 0; i < chain->n_operands; i++) n += chain->operands[i].kind == kind;
    return n;
}

// --- Text -----------------------------------------------------------------------------------------------------------

static void write_unary(const ferry_graph *g, const ferry_node *node, const function *f, ferry_cuda_source *s)
{
    if (f == &cast) return;
    if (f == &clip) {
        float lo = -__builtin_inff(), hi = __builtin_inff();
        (void)ferry_node_scalar(g, node, 1, &lo);
        (void)ferry_node_scalar(g, node, 2, &hi);
        ferry_cuda_source_add(s, "    v = fn_clip(v, ");
        ferry_cuda_source_float(s, lo > hi ? hi : lo); // ONNX: the maximum wins
        ferry_cuda_source_add(s, ", ");
        ferry_cuda_source_float(s, hi);
        ferry_cuda_source_add(s, ");\n");
        return;
    }
    ferry_cuda_source_add(s, "    v = %s(v", f->text);
    for (int i = 0; i < 2 && f->attributes[i]; i++) {
        ferry_cuda_source_add(s, ", ");
        ferry_cuda_source_float(s, ferry_node_float(node, f->attributes[i], f->defaults[i]));
    }
    ferry_cuda_source_add(s, ");\n");
}

static void write_binary(const ferry_graph *g, const ferry_node *node, const function *f, ferry_value_id v,
                         int32_t *operand, ferry_cuda_source *s)
{
    const int32_t through = node->inputs[0] == v ? 0 : 1;
    float number = 0;
    ferry_cuda_source_add(s, "    v = %s(", f->text);
    for (int32_t i = 0; i < 2; i++) {
        if (i) ferry_cuda_source_add(s, ", ");
        if (node->inputs[i] == v && (i == through || node->inputs[0] == node->inputs[1]))
            ferry_cuda_source_add(s, "v");
        else if (ferry_node_scalar(g, node, i, &number))
            ferry_cuda_source_float(s, number);
        else
            ferry_cuda_source_add(s, "o%d", (*operand)++);
    }
    ferry_cuda_source_add(s, ");\n");
}

void ferry_cuda_chain_write(const ferry_graph *g, const ferry_cuda_chain *chain, const char *before,
                            ferry_cuda_source *s)
{
    ferry_cuda_source_define(s, "FERRY_OPERANDS", chain->n_operands);
    ferry_cuda_source_add(s, "#define FERRY_EACH_OPERAND(F)");
    for (int32_t i = 0; i < chain->n_operands; i++) {
        const ferry_cuda_operand *o = &chain->operands[i];
        ferry_cuda_source_add(s, " F(%d, %d, %s)", i, (int)o->kind,
                              o->kind == FERRY_CUDA_CHANNEL ? "float" : ferry_cuda_type_name(o->dtype));
    }
    ferry_cuda_source_add(s, "\nstatic __device__ __forceinline__ float ferry_chain(float v");
    for (int32_t i = 0; i < chain->n_operands; i++) ferry_cuda_source_add(s, ", float o%d", i);
    ferry_cuda_source_add(s, ")\n{\n%s", before ? before : "");
    ferry_value_id v = chain->from;
    int32_t operand = 0;
    for (int32_t i = 0; i < chain->n_nodes; i++) {
        const ferry_node *node = &g->nodes[chain->nodes[i]];
        const function *f = find_unary(g, node);
        if (f)
            write_unary(g, node, f, s);
        else if ((f = find_binary(node)))
            write_binary(g, node, f, v, &operand, s);
        v = node->outputs[0];
    }
    ferry_cuda_source_add(s, "    return v;\n}\n");
}

bool ferry_cuda_chain_pack(const ferry_graph *g, const ferry_cuda_chain *chain, int64_t channels, float *out)
{
    for (int32_t i = 0; i < chain->n_operands; i++) {
        if (chain->operands[i].kind != FERRY_CUDA_CHANNEL) continue;
        const ferry_value *v = &g->values[chain->operands[i].value];
        size_t n = 0;
        if (!ferry_value_is_constant(v) || !ferry_shape_elements(&v->shape, &n) || (int64_t)n != channels) return false;
        for (size_t e = 0; e < n; e++)
            out[e] = v->dtype == FERRY_F32   ? ((const float *)v->data)[e]
                     : v->dtype == FERRY_F16 ? ferry_f32_from_f16(((const uint16_t *)v->data)[e])
                                             : ferry_f32_from_bf16(((const uint16_t *)v->data)[e]);
        out += n;
    }
    return true;
}
