// SPDX-License-Identifier: Apache-2.0
// Small moves that passes are made of.
#include "passes/rewrite.h"

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "ops/element.h"

ferry_node_id ferry_rewrite_producer(const ferry_graph *graph, ferry_value_id value)
{
    return value == FERRY_NO_VALUE ? FERRY_NO_NODE : graph->values[value].producer;
}

ferry_node_id ferry_rewrite_made_by(const ferry_graph *graph, ferry_value_id value, const char *op)
{
    const ferry_node_id n = ferry_rewrite_producer(graph, value);
    return n != FERRY_NO_NODE && ferry_node_is(&graph->nodes[n], op) ? n : FERRY_NO_NODE;
}

ferry_node_id ferry_rewrite_only_user(const ferry_graph *graph, ferry_value_id value)
{
    return ferry_rewrite_is_rounded(graph, value) ? FERRY_NO_NODE : ferry_graph_only_user(graph, value);
}

ferry_node_id ferry_rewrite_only_user_is(const ferry_graph *graph, ferry_value_id value, const char *op)
{
    if (value == FERRY_NO_VALUE) return FERRY_NO_NODE;
    const ferry_node_id n = ferry_rewrite_only_user(graph, value);
    return n != FERRY_NO_NODE && ferry_node_is(&graph->nodes[n], op) ? n : FERRY_NO_NODE;
}

ferry_value_id ferry_rewrite_input(const ferry_node *node, int32_t i)
{
    return i < node->n_inputs ? node->inputs[i] : FERRY_NO_VALUE;
}

bool ferry_rewrite_is_constant(const ferry_graph *graph, ferry_value_id value)
{
    return value != FERRY_NO_VALUE && ferry_value_is_constant(&graph->values[value]);
}

bool ferry_rewrite_scalar(const ferry_graph *graph, ferry_value_id value, double *out)
{
    size_t elements = 0;
    if (!ferry_rewrite_is_constant(graph, value)) return false;
    if (!ferry_shape_elements(&graph->values[value].shape, &elements) || elements != 1) return false;
    const ferry_tensor t = ferry_value_tensor(&graph->values[value]);
    *out = ferry_load_f64(&t, 0);
    return true;
}

bool ferry_rewrite_scalar_is(const ferry_graph *graph, ferry_value_id value, double expected)
{
    double v = 0;
    return ferry_rewrite_scalar(graph, value, &v) && fabs(v - expected) <= 1e-5 * fabs(expected);
}

bool ferry_rewrite_other_input(const ferry_node *node, ferry_value_id value, ferry_value_id *out_other)
{
    if (node->n_inputs != 2 || (node->inputs[0] == value) == (node->inputs[1] == value)) return false;
    *out_other = node->inputs[node->inputs[0] == value ? 1 : 0];
    return true;
}

bool ferry_rewrite_with_scalar(const ferry_graph *graph, const ferry_node *node, double *out_scalar,
                               ferry_value_id *out_other)
{
    if (node->n_inputs != 2) return false;
    for (int i = 0; i < 2; i++) {
        if (ferry_rewrite_scalar(graph, node->inputs[i], out_scalar) &&
            !ferry_rewrite_is_constant(graph, node->inputs[1 - i])) {
            *out_other = node->inputs[1 - i];
            return true;
        }
    }
    return false;
}

bool ferry_rewrite_same_shape(const ferry_graph *graph, ferry_value_id a, ferry_value_id b)
{
    const ferry_shape *x = &graph->values[a].shape, *y = &graph->values[b].shape;
    if (x->rank != y->rank || x->rank == FERRY_RANK_UNKNOWN) return false;
    for (int32_t i = 0; i < x->rank; i++) {
        if (x->dims[i] != y->dims[i]) return false;
        if (x->dims[i] == FERRY_DIM_UNKNOWN && (x->symbols[i] == FERRY_NO_SYMBOL || x->symbols[i] != y->symbols[i]))
            return false;
    }
    return true;
}

bool ferry_rewrite_is_real(ferry_dtype dtype)
{
    return dtype == FERRY_F32 || dtype == FERRY_F16 || dtype == FERRY_BF16;
}

double *ferry_rewrite_load(const ferry_graph *graph, ferry_value_id value, ferry_arena *scratch, size_t *out_count)
{
    const ferry_tensor t = ferry_value_tensor(&graph->values[value]);
    const size_t n = ferry_tensor_elements(&t);
    double *out = ferry_arena_alloc_array(scratch, n ? n : 1, sizeof *out);
    if (!out) return NULL;
    if (t.dtype == FERRY_F32)
        for (size_t i = 0; i < n; i++) out[i] = (double)((const float *)t.data)[i];
    else
        for (size_t i = 0; i < n; i++) out[i] = ferry_load_f64(&t, i);
    if (out_count) *out_count = n;
    return out;
}

ferry_status ferry_rewrite_constant(ferry_graph *graph, const char *name, ferry_dtype dtype, const ferry_shape *shape,
                                    const double *elements, size_t count, bool *out_finite, ferry_value_id *out,
                                    ferry_error *err)
{
    size_t bytes = 0;
    if (!ferry_mul_size(count, ferry_dtype_bytes(dtype), &bytes)) return ferry_fail_memory(err, "a constant");
    void *data = ferry_heap_alloc(graph->heap, bytes);
    if (!data) return ferry_fail_memory(err, "a constant");
    ferry_tensor t = {.dtype = dtype, .rank = 1, .dims = {(int64_t)count}, .data = data};
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        ferry_store_f64(&t, i, elements[i]);
        finite = finite && (!ferry_dtype_is_float(dtype) || isfinite(ferry_load_f64(&t, i)));
    }
    ferry_status s = FERRY_OK;
    if (out_finite) *out_finite = finite;
    if (!out_finite || finite) s = ferry_graph_add_constant(graph, name, dtype, shape, data, bytes, true, out, err);
    ferry_heap_free(graph->heap, data, bytes);
    return s;
}

ferry_status ferry_rewrite_set_inputs(ferry_graph *graph, ferry_node_id node, const ferry_value_id *inputs,
                                      int32_t n_inputs, ferry_error *err)
{
    ferry_value_id *own = ferry_arena_copy(&graph->arena, inputs, (size_t)n_inputs * sizeof *inputs);
    if (!own) return ferry_fail_memory(err, "inputs of a node");
    graph->nodes[node].inputs = own;
    graph->nodes[node].n_inputs = n_inputs;
    return FERRY_OK;
}

ferry_status ferry_rewrite_set_input(ferry_graph *graph, ferry_node_id node, int32_t i, ferry_value_id value,
                                     ferry_error *err)
{
    enum { MOST = 8 };
    const ferry_node *n = &graph->nodes[node];
    if (i < n->n_inputs) {
        n->inputs[i] = value;
        return FERRY_OK;
    }
    if (i >= MOST) return ferry_fail(err, FERRY_ERR_INTERNAL, "input %d of a rewritten node", i);
    ferry_value_id inputs[MOST];
    for (int32_t k = 0; k <= i; k++) inputs[k] = ferry_rewrite_input(n, k);
    inputs[i] = value;
    return ferry_rewrite_set_inputs(graph, node, inputs, i + 1, err);
}

ferry_status ferry_rewrite_set_int(ferry_graph *graph, ferry_node_id node, const char *name, int64_t value,
                                   ferry_error *err)
{
    const ferry_attr a = {.name = name, .kind = FERRY_ATTR_INT, .count = 1, .u.ints = &value};
    return ferry_node_set_attr(graph, node, &a, err);
}

ferry_status ferry_rewrite_set_ints(ferry_graph *graph, ferry_node_id node, const char *name, const int64_t *values,
                                    int32_t count, ferry_error *err)
{
    const ferry_attr a = {.name = name, .kind = FERRY_ATTR_INTS, .count = count, .u.ints = values};
    return ferry_node_set_attr(graph, node, &a, err);
}

ferry_status ferry_rewrite_set_float(ferry_graph *graph, ferry_node_id node, const char *name, float value,
                                     ferry_error *err)
{
    const ferry_attr a = {.name = name, .kind = FERRY_ATTR_FLOAT, .count = 1, .u.floats = &value};
    return ferry_node_set_attr(graph, node, &a, err);
}

ferry_status ferry_rewrite_set_string(ferry_graph *graph, ferry_node_id node, const char *name, const char *value,
                                      ferry_error *err)
{
    const ferry_attr a = {.name = name, .kind = FERRY_ATTR_STRING, .count = 1, .u.strings = &value};
    return ferry_node_set_attr(graph, node, &a, err);
}

ferry_status ferry_rewrite_set_op(ferry_graph *graph, ferry_node_id node, const char *domain, const char *name,
                                  ferry_error *err)
{
    const ferry_op *op = ferry_op_find(domain, name);
    if (!op) return ferry_fail(err, FERRY_ERR_INTERNAL, "no operator %s.%s", domain, name);
    ferry_node *n = &graph->nodes[node];
    ferry_attr *kept = ferry_arena_alloc_array(&graph->arena, (size_t)n->n_attrs + 1, sizeof *kept);
    if (!kept) return ferry_fail_memory(err, "attributes");
    int32_t count = 0;
    for (int32_t i = 0; i < n->n_attrs; i++)
        for (const ferry_attr_schema *s = op->attrs; s && s->name; s++)
            if (strcmp(s->name, n->attrs[i].name) == 0) kept[count++] = n->attrs[i];
    n->op = op;
    n->attrs = kept;
    n->n_attrs = count;
    return FERRY_OK;
}

ferry_status ferry_rewrite_absorb(ferry_graph *graph, ferry_node_id into, ferry_node_id gone, ferry_error *err)
{
    ferry_node *a = &graph->nodes[into];
    const ferry_node *b = &graph->nodes[gone];
    const char *text =
        ferry_arena_printf(&graph->arena, "%s%s%s%s%s", a->absorbed ? a->absorbed : "", a->absorbed ? " + " : "",
                           b->name, b->absorbed ? " + " : "", b->absorbed ? b->absorbed : "");
    if (!text) return ferry_fail_memory(err, "names of merged nodes");
    a->absorbed = text;
    return FERRY_OK;
}

ferry_status ferry_rewrite_merge_into(ferry_graph *graph, ferry_node_id first, ferry_node_id second, ferry_error *err)
{
    FERRY_TRY(ferry_rewrite_absorb(graph, first, second, err));
    const ferry_value_id old = graph->nodes[first].outputs[0], value = graph->nodes[second].outputs[0];
    ferry_graph_remove_node(graph, second);
    graph->values[old].producer = FERRY_NO_NODE;
    graph->nodes[first].outputs[0] = value;
    graph->values[value].producer = first;
    return FERRY_OK;
}

// A pair behind `out` rounds for the readers of `out` alone: `value` may take it over when it has no other.
static bool may_pass_on_rounding(const ferry_graph *graph, ferry_value_id out, ferry_value_id value)
{
    const ferry_quant *from = &graph->values[out].quant, *to = &graph->values[value].quant;
    if (!ferry_rewrite_is_rounded(graph, out)) return true;
    if (ferry_rewrite_is_rounded(graph, value)) return from->scales[0] == to->scales[0];
    return ferry_graph_only_user(graph, value) != FERRY_NO_NODE;
}

bool ferry_rewrite_bypass(ferry_graph *graph, ferry_node_id node, ferry_value_id value)
{
    const ferry_value_id out = graph->nodes[node].outputs[0];
    if (!ferry_graph_can_replace(graph, out, value) || !may_pass_on_rounding(graph, out, value)) return false;
    if (graph->values[value].quant.dtype == FERRY_DTYPE_NONE && !ferry_rewrite_is_constant(graph, value))
        graph->values[value].quant = graph->values[out].quant;
    ferry_graph_replace_uses(graph, out, value);
    ferry_graph_remove_node(graph, node);
    return true;
}

ferry_status ferry_rewrite_add_node(ferry_graph *graph, const char *domain, const char *op_name, const char *name,
                                    const ferry_value_id *inputs, int32_t n_inputs, ferry_dtype dtype,
                                    ferry_node_id *out_node, ferry_value_id *out_value, ferry_error *err)
{
    const ferry_op *op = ferry_op_find(domain, op_name);
    if (!op) return ferry_fail(err, FERRY_ERR_INTERNAL, "no operator %s.%s", domain, op_name);
    const ferry_shape shape = ferry_shape_unknown();
    ferry_value_id value = FERRY_NO_VALUE;
    FERRY_TRY(ferry_graph_add_value(graph, name, dtype, &shape, &value, err));
    ferry_node_id node = FERRY_NO_NODE;
    FERRY_TRY(ferry_graph_add_node(graph, op, name, inputs, n_inputs, &value, 1, NULL, 0, &node, err));
    if (out_node) *out_node = node;
    if (out_value) *out_value = value;
    return FERRY_OK;
}
