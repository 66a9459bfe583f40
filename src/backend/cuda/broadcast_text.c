// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of any types as expressions in CUDA text.
#include "backend/cuda/broadcast_text.h"

#include <string.h>

#include "backend/reading/node.h"
#include "ops/op.h"

typedef struct row {
    const char *op;
    int32_t operands;
    const char *floats, *integers; // expressions of a, b, c; NULL: not for such types
    bool compares;                 // the result is a bool
} row;

static const row rows[] = {
    {"Add", 2, "a + b", "a + b", false},
    {"Sub", 2, "a - b", "a - b", false},
    {"Mul", 2, "a * b", "a * b", false},
    {"Div", 2, "a / b", "wide_divide(a, b)", false},
    {"Max", 2, "fn_max(a, b)", "a > b ? a : b", false},
    {"Min", 2, "fn_min(a, b)", "a < b ? a : b", false},
    {"Sum", 2, "a + b", NULL, false},
    {"Mean", 2, "(a + b) / 2.0f", NULL, false},
    {"Pow", 2, "fn_pow(a, b)", NULL, false},
    {"PRelu", 2, "fn_prelu(a, b)", NULL, false},
    {"Equal", 2, "a == b", "a == b", true},
    {"Less", 2, "a < b", "a < b", true},
    {"LessOrEqual", 2, "a <= b", "a <= b", true},
    {"Greater", 2, "a > b", "a > b", true},
    {"GreaterOrEqual", 2, "a >= b", "a >= b", true},
    {"And", 2, NULL, "a & b", false},
    {"Or", 2, NULL, "a | b", false},
    {"Xor", 2, NULL, "a ^ b", false},
    {"BitwiseAnd", 2, NULL, "a & b", false},
    {"BitwiseOr", 2, NULL, "a | b", false},
    {"BitwiseXor", 2, NULL, "a ^ b", false},
    {"BitwiseNot", 1, NULL, "~a", false},
    {"Not", 1, NULL, "a == 0", true},
    {"Abs", 1, NULL, "a < 0 ? -a : a", false},
    {"Neg", 1, NULL, "-a", false},
    {"Sin", 1, "sinf(a)", NULL, false},
    {"Cos", 1, "cosf(a)", NULL, false},
    {"Tan", 1, "tanf(a)", NULL, false},
    {"Asin", 1, "asinf(a)", NULL, false},
    {"Acos", 1, "acosf(a)", NULL, false},
    {"Atan", 1, "atanf(a)", NULL, false},
    {"Sinh", 1, "sinhf(a)", NULL, false},
    {"Cosh", 1, "coshf(a)", NULL, false},
    {"Asinh", 1, "asinhf(a)", NULL, false},
    {"Acosh", 1, "acoshf(a)", NULL, false},
    {"Atanh", 1, "atanhf(a)", NULL, false},
    {"IsNaN", 1, "a != a", NULL, true},
};

const char *ferry_cuda_any_type_name(ferry_dtype dtype)
{
    switch (dtype) {
    case FERRY_U8:
    case FERRY_BOOL:
        return "unsigned char";
    case FERRY_S32:
        return "int";
    case FERRY_S64:
        return "long long";
    default:
        return ferry_cuda_type_name(dtype);
    }
}

static bool write_row(const ferry_graph *g, const ferry_node *node, const row *r, ferry_cuda_source *s)
{
    const ferry_dtype y = ferry_node_result(g, node)->dtype, x = ferry_node_value(g, node, 0)->dtype;
    if (node->n_inputs != r->operands) return false;
    const bool floats = ferry_dtype_widens_to_f32(x);
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!ferry_node_value(g, node, i) || ferry_node_value(g, node, i)->dtype != x) return false;
    if (!(floats ? r->floats : r->integers) || (r->compares ? y != FERRY_BOOL : y != x)) return false;
    ferry_cuda_source_add(s, "static __device__ __forceinline__ %s compute(%s a, %s b, %s c)\n{\n    return %s;\n}\n",
                          r->compares ? "bool"
                          : floats    ? "float"
                                      : "long long",
                          floats ? "float" : "long long", floats ? "float" : "long long",
                          floats ? "float" : "long long", floats ? r->floats : r->integers);
    const char *read = floats ? "to_float" : "(long long)";
    ferry_cuda_source_add(s, "#define COMPUTE(a, b, c) %s(compute(%s(a), %s(b), %s(c)))\n",
                          r->compares ? "(unsigned char)"
                          : floats    ? "element<Y_TYPE>::of"
                                      : "(Y_TYPE)",
                          read, node->n_inputs > 1 ? read : "", node->n_inputs > 2 ? read : "");
    return true;
}

// From any type to any: as docs of the operator define it.
static bool write_cast(const ferry_graph *g, const ferry_node *node, ferry_cuda_source *s)
{
    const ferry_dtype y = ferry_node_result(g, node)->dtype, x = ferry_node_value(g, node, 0)->dtype;
    const char *from = ferry_dtype_widens_to_f32(x) ? "to_float(a)" : "a";
    if (y == FERRY_BOOL)
        ferry_cuda_source_add(s, "#define COMPUTE(a, b, c) (unsigned char)(%s != 0)\n", from);
    else if (ferry_dtype_widens_to_f32(y) && (ferry_dtype_widens_to_f32(x) || x != FERRY_S64))
        ferry_cuda_source_add(s, "#define COMPUTE(a, b, c) element<Y_TYPE>::of(%s%s)\n",
                              ferry_dtype_widens_to_f32(x) ? "" : "(float)", from);
    else if (y == FERRY_F32)
        ferry_cuda_source_add(s, "#define COMPUTE(a, b, c) (float)(a)\n");
    else if (ferry_dtype_widens_to_f32(y))
        return false; // would be rounded twice
    else if (!ferry_dtype_widens_to_f32(x))
        ferry_cuda_source_add(s, "#define COMPUTE(a, b, c) (Y_TYPE)(a)\n");
    else
        ferry_cuda_source_add(s, "#define COMPUTE(a, b, c) to_integer<Y_TYPE>(to_float(a), %s)\n",
                              y == FERRY_U8    ? "0.0f, 255.0f, 0, 255"
                              : y == FERRY_S8  ? "-128.0f, 127.0f, -128, 127"
                              : y == FERRY_S32 ? "-2147483648.0f, 2147483648.0f, (int)0x80000000u, 0x7fffffff"
                                               : "-9223372036854775808.0f, 9223372036854775808.0f, "
                                                 "(long long)0x8000000000000000ull, 0x7fffffffffffffffll");
    return true;
}

static bool write_where(const ferry_graph *g, const ferry_node *node, ferry_cuda_source *s)
{
    const ferry_dtype y = ferry_node_result(g, node)->dtype;
    if (node->n_inputs != 3 || ferry_node_value(g, node, 0)->dtype != FERRY_BOOL) return false;
    for (int32_t i = 1; i < 3; i++)
        if (!ferry_node_value(g, node, i) || ferry_node_value(g, node, i)->dtype != y) return false;
    ferry_cuda_source_add(s, "#define COMPUTE(a, b, c) ((a) ? (b) : (c))\n");
    return true;
}

static bool write_modulo(const ferry_graph *g, const ferry_node *node, ferry_cuda_source *s)
{
    const bool c = ferry_node_int(node, "fmod", 0) != 0;
    const row r = {"Mod", 2, c ? "fmodf(a, b)" : "fn_modulo(a, b)", c ? "wide_remainder(a, b)" : "wide_modulo(a, b)",
                   false};
    return write_row(g, node, &r, s);
}

bool ferry_cuda_broadcast_write(const ferry_graph *g, const ferry_node *node, ferry_cuda_source *s)
{
    if (node->n_inputs < 1 || node->n_inputs > FERRY_CUDA_BROADCAST_OPERANDS || !ferry_node_value(g, node, 0))
        return false;
    if (ferry_node_is(node, "Cast")) return write_cast(g, node, s);
    if (ferry_node_is(node, "Where")) return write_where(g, node, s);
    if (ferry_node_is(node, "Mod")) return write_modulo(g, node, s);
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if (ferry_node_is(node, rows[i].op)) return write_row(g, node, &rows[i], s);
    return false;
}
