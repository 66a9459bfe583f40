// SPDX-License-Identifier: Apache-2.0
// QAdd, QMul and QTable, and the conversions between floats and int8, in either layout: docs/INT8.md to the bit.
#include <string.h>

#include "backend/cuda/integer_text.h"
#include "backend/cuda/node.h"
#include "backend/reading/conv_shape.h"
#include "ops/integer.h"
#include "ops/op.h"

static const char *const tactics[] = {"integer_pointwise_plain", "integer_pointwise_channels_last"};

enum { NO_OPERAND = -1, ONE_ELEMENT = 3 }; // beside ferry_cuda_operand_kind

typedef enum integer_kind { KIND_ADD, KIND_MUL, KIND_TABLE, KIND_QUANTISE, KIND_DEQUANTISE } integer_kind;

/// What a node comes to.
typedef struct integer_node {
    integer_kind kind;
    const ferry_value *a, *b, *y; // b: of QAdd and QMul
    int b_kind, a_at, b_at;       // a_at, b_at: which inputs of the node they are
    float scale;                  // of conversions
    int32_t zero;
    size_t table_bytes;
    ferry_dtype table_type;
} integer_node;

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static ferry_tensor_layout layout_of(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
}

// Scale and zero point of a conversion: constants for the whole tensor.
static bool read_scale(const ferry_graph *g, const ferry_node *node, integer_node *n)
{
    const ferry_value *scale = ferry_node_value(g, node, 1), *zero = ferry_node_value(g, node, 2);
    if (!scale || !ferry_value_is_constant(scale) || scale->dtype != FERRY_F32 || ferry_value_elements(scale) != 1 ||
        ferry_node_int(node, "block_size", 0) != 0 || ferry_node_attr(node, "precision"))
        return false;
    n->scale = *(const float *)scale->data;
    if (!zero) return true;
    if (!ferry_value_is_constant(zero) || zero->dtype != FERRY_S8 || ferry_value_elements(zero) != 1) return false;
    n->zero = *(const int8_t *)zero->data;
    return true;
}

static bool read_table(const ferry_graph *g, const ferry_node *node, integer_node *n)
{
    const ferry_value *t = ferry_node_value(g, node, 1);
    if (!t || !ferry_value_is_constant(t) || ferry_value_elements(t) != 256 || n->a->dtype != FERRY_S8 ||
        t->dtype != n->y->dtype || !ferry_cuda_type_name(t->dtype))
        return false;
    n->table_type = t->dtype;
    n->table_bytes = 256 * ferry_dtype_bytes(t->dtype);
    return true;
}

// The operand that has the result's shape is `a`; how the other one is read.
static bool read_pair(const ferry_graph *g, const ferry_node *node, integer_node *n)
{
    const ferry_value *in[2] = {ferry_node_value(g, node, 0), ferry_node_value(g, node, 1)};
    for (int i = 0; i < 2; i++)
        if (!in[i] || in[i]->dtype != FERRY_S8 || ferry_value_is_constant(in[i])) return false;
    n->a_at = ferry_shape_equal(&in[0]->shape, &n->y->shape) ? 0 : 1;
    n->b_at = 1 - n->a_at;
    n->a = in[n->a_at];
    n->b = in[n->b_at];
    const ferry_shape *b = &n->b->shape, *y = &n->y->shape;
    bool gate = b->rank == y->rank && y->rank >= 3 && b->dims[0] == y->dims[0] && b->dims[1] == y->dims[1];
    for (int32_t d = 2; gate && d < b->rank; d++) gate = b->dims[d] == 1;
    n->b_kind = ferry_shape_equal(b, y)             ? FERRY_CUDA_SAME
                : ferry_value_elements(n->b) == 1.0 ? ONE_ELEMENT
                : gate                              ? FERRY_CUDA_GATE
                                                    : NO_OPERAND;
    return ferry_shape_equal(&n->a->shape, y) && n->b_kind != NO_OPERAND;
}

static bool read_node(const ferry_graph *g, const ferry_node *node, integer_node *n)
{
    *n = (integer_node){.a = ferry_node_value(g, node, 0), .b_kind = NO_OPERAND, .b_at = -1, .table_type = FERRY_S8};
    if (node->n_outputs < 1 || node->outputs[0] == FERRY_NO_VALUE || !n->a || ferry_value_is_constant(n->a))
        return false;
    n->y = ferry_node_result(g, node);
    if (!ferry_cuda_type_name(n->y->dtype) || !ferry_cuda_type_name(n->a->dtype)) return false;
    if (ferry_node_is(node, "QuantizeLinear")) {
        n->kind = KIND_QUANTISE;
        return ferry_dtype_widens_to_f32(n->a->dtype) && n->y->dtype == FERRY_S8 && read_scale(g, node, n);
    }
    if (ferry_node_is(node, "DequantizeLinear")) {
        n->kind = KIND_DEQUANTISE;
        return n->a->dtype == FERRY_S8 && ferry_dtype_widens_to_f32(n->y->dtype) && read_scale(g, node, n);
    }
    if (ferry_node_is(node, "QTable")) {
        n->kind = KIND_TABLE;
        return read_table(g, node, n);
    }
    n->kind = ferry_node_is(node, "QAdd") ? KIND_ADD : KIND_MUL;
    return (ferry_node_is(node, "QAdd") || ferry_node_is(node, "QMul")) && read_pair(g, node, n);
}

static int width_of(const integer_node *n)
{
    const size_t a = ferry_dtype_bytes(n->a->dtype), y = ferry_dtype_bytes(n->y->dtype);
    return (int)(16 / (a > y ? a : y));
}

// --- Text -----------------------------------------------------------------------------------------------------------

// t of QAdd or QMul; the text's a and b are input a_at and the other one.
static ferry_status write_pair(const ferry_node *node, const integer_node *n, ferry_cuda_source *s, ferry_error *err)
{
    ferry_epilogue epilogue;
    FERRY_TRY(ferry_epilogue_read(node, &epilogue, err));
    ferry_cuda_act_write(&epilogue, s);
    const float shift = ferry_node_float(node, "shift", 0.0f);
    const char *first = n->a_at == 0 ? "a" : "b", *second = n->a_at == 0 ? "b" : "a";
    ferry_cuda_source_add(s,
                          "FERRY_INLINE Y_TYPE ferry_integer(s8 a, s8 b, const TABLE_TYPE *)\n{\n    float t = fmaf(");
    if (n->kind == KIND_ADD) {
        ferry_cuda_source_add(s, "(float)%s, ", second);
        ferry_cuda_source_float(s, ferry_node_float(node, "b_mult", 1.0f));
        ferry_cuda_source_add(s, ", fmaf((float)%s, ", first);
        ferry_cuda_source_float(s, ferry_node_float(node, "a_mult", 1.0f));
        ferry_cuda_source_add(s, ", ");
        ferry_cuda_source_float(s, shift);
        ferry_cuda_source_add(s, "));\n");
    } else {
        ferry_cuda_source_add(s, "(float)(((int)%s - %d) * ((int)%s - %d)), ", first, ferry_zero_point(node, "a_zero"),
                              second, ferry_zero_point(node, "b_zero"));
        ferry_cuda_source_float(s, ferry_node_float(node, "mult", 1.0f));
        ferry_cuda_source_add(s, ", ");
        ferry_cuda_source_float(s, shift);
        ferry_cuda_source_add(s, ");\n");
    }
    ferry_cuda_source_add(s, "    return stored<Y_TYPE>::of(ferry_act(t));\n}\n");
    return FERRY_OK;
}

static ferry_status write_function(const ferry_node *node, const integer_node *n, ferry_cuda_source *s,
                                   ferry_error *err)
{
    static const char signature[] = "FERRY_INLINE Y_TYPE ferry_integer(A_TYPE a, s8, const TABLE_TYPE *table)\n{\n";
    switch (n->kind) {
    case KIND_ADD:
    case KIND_MUL:
        return write_pair(node, n, s, err);
    case KIND_TABLE:
        ferry_cuda_source_add(s, "%s    return table[(int)a + 128];\n}\n", signature);
        return FERRY_OK;
    case KIND_QUANTISE:
        ferry_cuda_source_add(s, "%s    return quantise(to_float(a), ", signature);
        ferry_cuda_source_float(s, n->scale);
        ferry_cuda_source_add(s, ", %d.0f);\n}\n", n->zero);
        return FERRY_OK;
    case KIND_DEQUANTISE:
        ferry_cuda_source_add(s, "%s    return stored<Y_TYPE>::of(__fmul_rn((float)((int)a - (%d)), ", signature,
                              n->zero);
        ferry_cuda_source_float(s, n->scale);
        ferry_cuda_source_add(s, "));\n}\n");
        return FERRY_OK;
    }
    return ferry_fail(err, FERRY_ERR_INTERNAL, "an unknown int8 operator");
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    integer_node n;
    if (region->n_nodes != 1 || !read_node(region->graph, node, &n))
        return ferry_misfit(tactic, "a node that it does not run", err);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"integer.cuh\"\n#define A_TYPE %s\n#define Y_TYPE %s\n#define TABLE_TYPE %s\n",
                          ferry_cuda_type_name(n.a->dtype), ferry_cuda_type_name(n.y->dtype),
                          ferry_cuda_type_name(n.table_type));
    ferry_cuda_source_define(&s, "WIDTH", width_of(&n));
    ferry_cuda_source_define(&s, "B_KIND", n.b_kind);
    ferry_cuda_source_define(&s, "CHANNELS_LAST", layout_of(tactic) == FERRY_LAYOUT_CHANNELS_LAST);
    ferry_status status = write_function(node, &n, &s, err);
    ferry_cuda_source_add(&s, "#include \"integer_pointwise.cuh\"\n");
    if (status == FERRY_OK)
        status = ferry_cuda_source_compile(&s, package, err);
    else
        ferry_heap_free(s.heap, s.text, s.capacity);
    if (status != FERRY_OK || n.table_bytes == 0) return status;
    void *table = ferry_cuda_package_constants(package, n.table_bytes);
    if (!table) return ferry_fail_memory(err, "a table");
    memcpy(table, ferry_node_value(region->graph, node, 1)->data, n.table_bytes);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_tensor_layout layout = layout_of(tactic);
    integer_node n;
    int64_t elements = 0;
    if (!read_node(region->graph, node, &n) || n.table_bytes != ferry_cuda_kernel_constant_bytes(kernel))
        return ferry_misfit(tactic, "a node that it does not run", err);
    const ferry_operand a = ferry_operand_of(region, in, n.a_at);
    const ferry_operand b = n.b_at < 0 ? (ferry_operand){.at = -1} : ferry_operand_of(region, in, n.b_at);
    if (a.at < 0 || a.desc.dtype != n.a->dtype || out->dtype != n.y->dtype ||
        !ferry_tensor_desc_is_dense(&a.desc, layout) || !ferry_tensor_desc_is_dense(out, layout) ||
        !ferry_tensor_desc_same_dims(&a.desc, out) || !ferry_cuda_elements(out, &elements))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    int64_t others = 0, wanted = 1;
    if (n.b_kind == FERRY_CUDA_SAME) wanted = elements;
    if (n.b_kind == FERRY_CUDA_GATE) wanted = out->rank >= 2 ? out->dims[0] * out->dims[1] : -1;
    if (n.b_at >= 0 && (b.at < 0 || b.desc.dtype != FERRY_S8 || !ferry_tensor_desc_is_dense(&b.desc, layout) ||
                        !ferry_cuda_elements(&b.desc, &others) || others != wanted ||
                        (n.b_kind == FERRY_CUDA_SAME && !ferry_tensor_desc_same_dims(&b.desc, out)) ||
                        (n.b_kind == FERRY_CUDA_GATE && ferry_cuda_plane(&b.desc) != 1)))
        return ferry_misfit(tactic, "operands that do not fit together", err);
    const int64_t block = 256 * width_of(&n);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_integer_pointwise",
                                       (const uint64_t[3]){(uint64_t)((elements + block - 1) / block), 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, a.at);
    ferry_cuda_pass_in(launch, b.at);
    ferry_cuda_pass_constants(launch, kernel, 0);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, elements);
    ferry_cuda_pass_int(launch, out->rank >= 2 ? out->dims[1] : 1);
    ferry_cuda_pass_int(launch, ferry_cuda_plane(out));
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_node *node = &view->graph->nodes[root];
    integer_node n;
    if (!ferry_node_is_plain(view, root) || !read_node(view->graph, node, &n) || ferry_value_elements(n.y) > INT32_MAX)
        return FERRY_OK;
    const double bytes = ferry_value_bytes(n.a) + ferry_value_bytes(n.y) + (n.b ? ferry_value_bytes(n.b) : 0);
    ferry_offer offer = {.nodes = &root,
                         .n_nodes = 1,
                         .flags = n.a->dtype == n.y->dtype && n.a_at == 0 ? FERRY_OFFER_IN_PLACE : 0,
                         .cost_us = ferry_cuda_cost_us(device, FERRY_F32, 4 * ferry_value_elements(n.y), bytes)};
    for (int layout = 0; layout < (n.y->shape.rank >= 3 ? 2 : 1); layout++) {
        offer.tactic = tactics[layout];
        offer.in_layout = offer.out_layout = layout ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_integer_pointwise;
const ferry_cuda_family ferry_cuda_family_integer_pointwise = {
    .name = "integer_pointwise",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
