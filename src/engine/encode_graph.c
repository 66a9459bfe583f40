// SPDX-License-Identifier: Apache-2.0
// The graph section, written.
#include "engine/format.h"
#include "ops/op.h"

void ferry_put_shape(ferry_coder *out, const ferry_shape *shape)
{
    ferry_put_s32(out, shape->rank);
    for (int32_t d = 0; d < shape->rank; d++) {
        ferry_put_s64(out, shape->dims[d]);
        ferry_put_s32(out, shape->symbols[d]);
    }
}

static void put_quant(ferry_coder *out, const ferry_quant *q)
{
    ferry_put_u32(out, (uint32_t)q->dtype);
    if (q->dtype == FERRY_DTYPE_NONE) return;
    ferry_put_s32(out, q->axis);
    ferry_put_u32(out, (uint32_t)q->count);
    ferry_put(out, q->scales, (size_t)q->count * sizeof *q->scales);
    ferry_put_u32(out, q->zero_points != NULL);
    if (q->zero_points) ferry_put(out, q->zero_points, (size_t)q->count * sizeof *q->zero_points);
}

static void put_value(ferry_coder *out, const ferry_value *v, uint64_t weight_offset)
{
    ferry_put_text(out, v->name);
    ferry_put_u32(out, (uint32_t)v->dtype);
    ferry_put_shape(out, &v->shape);
    put_quant(out, &v->quant);
    ferry_put_u32(out, ferry_value_is_constant(v));
    if (!ferry_value_is_constant(v)) return;
    ferry_put_u64(out, weight_offset);
    ferry_put_u64(out, v->data_bytes);
}

static void put_attr(ferry_coder *out, const ferry_attr *a)
{
    ferry_put_text(out, a->name);
    ferry_put_u32(out, (uint32_t)a->kind);
    ferry_put_u32(out, (uint32_t)a->count);
    switch (a->kind) {
    case FERRY_ATTR_INT:
    case FERRY_ATTR_INTS:
        ferry_put(out, a->u.ints, (size_t)a->count * sizeof *a->u.ints);
        break;
    case FERRY_ATTR_FLOAT:
    case FERRY_ATTR_FLOATS:
        ferry_put(out, a->u.floats, (size_t)a->count * sizeof *a->u.floats);
        break;
    case FERRY_ATTR_STRING:
    case FERRY_ATTR_STRINGS:
        for (int32_t i = 0; i < a->count; i++) ferry_put_text(out, a->u.strings[i]);
        break;
    case FERRY_ATTR_TENSOR: {
        const ferry_shape shape = ferry_shape_of(a->u.tensor->rank, a->u.tensor->dims);
        ferry_put_u32(out, (uint32_t)a->u.tensor->dtype);
        ferry_put_shape(out, &shape);
        ferry_put(out, a->u.tensor->data, ferry_tensor_bytes(a->u.tensor));
        break;
    }
    }
}

static void put_ids(ferry_coder *out, const int32_t *ids, size_t n)
{
    ferry_put_u32(out, (uint32_t)n);
    ferry_put(out, ids, n * sizeof *ids);
}

static void put_node(ferry_coder *out, const ferry_node *node)
{
    ferry_put_text(out, node->op->domain);
    ferry_put_text(out, node->op->name);
    ferry_put_text(out, node->name);
    ferry_put_text(out, node->absorbed);
    put_ids(out, node->inputs, (size_t)node->n_inputs);
    put_ids(out, node->outputs, (size_t)node->n_outputs);
    ferry_put_u32(out, (uint32_t)node->n_attrs);
    for (int32_t i = 0; i < node->n_attrs; i++) put_attr(out, &node->attrs[i]);
}

void ferry_engine_encode_graph(const ferry_graph *graph, const uint64_t *weight_offsets, ferry_coder *out)
{
    ferry_put_text(out, graph->name ? graph->name : "");
    ferry_put_s64(out, graph->opset);
    ferry_put_u32(out, (uint32_t)graph->n_symbols);
    for (size_t i = 0; i < graph->n_symbols; i++) ferry_put_text(out, graph->symbols[i]);
    ferry_put_u32(out, (uint32_t)graph->n_metadata);
    for (size_t i = 0; i < graph->n_metadata; i++) {
        ferry_put_text(out, graph->metadata[i].key);
        ferry_put_text(out, graph->metadata[i].value);
    }
    ferry_put_u32(out, (uint32_t)graph->n_values);
    for (size_t i = 0; i < graph->n_values; i++) put_value(out, &graph->values[i], weight_offsets[i]);
    put_ids(out, graph->inputs, graph->n_inputs);
    put_ids(out, graph->outputs, graph->n_outputs);
    ferry_put_u32(out, (uint32_t)graph->n_nodes);
    for (size_t i = 0; i < graph->n_nodes; i++) put_node(out, &graph->nodes[i]);
}
