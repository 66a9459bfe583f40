// SPDX-License-Identifier: Apache-2.0
// Nodes that the plan gives to INT8 become ferry's integer operators, with every multiplier made here, in double.
#include <math.h>
#include <string.h>

#include "ops/epilogue.h"
#include "passes/lowering.h"
#include "passes/lowering_product.h"
#include "passes/weights.h"

// The grid that results are counted in: scale 1 and zero point 0 where the output is a float.
static ferry_status output_grid(ferry_lowering *l, ferry_node_id id, ferry_grid *out, ferry_error *err)
{
    const ferry_value_id y = l->graph->nodes[id].outputs[0];
    const ferry_dtype to = l->plan->values[y].dtype;
    *out = (ferry_grid){.scale = 1.0f};
    if (to == FERRY_S8) return ferry_lowering_grid(l, y, out, err);
    if (ferry_rewrite_is_real(to)) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: tensor '%s' as %s", l->graph->values[y].name,
                      ferry_dtype_name(to));
}

static ferry_status set_to(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_dtype to = l->plan->values[l->graph->nodes[id].outputs[0]].dtype;
    if (to == FERRY_S8) return FERRY_OK; // the default
    return ferry_rewrite_set_int(l->out, id, "to", to, err);
}

static ferry_status input_s8(ferry_lowering *l, ferry_node_id id, int32_t i, ferry_value_id *out, ferry_grid *out_grid,
                             ferry_error *err)
{
    const ferry_value_id x = l->graph->nodes[id].inputs[i];
    FERRY_TRY(ferry_lowering_form(l, x, FERRY_S8, out, err));
    return ferry_lowering_grid(l, x, out_grid, err);
}

static ferry_status lower_weighted(ferry_lowering *l, ferry_node_id id, ferry_int8_kind kind, ferry_error *err)
{
    ferry_value_id inputs[5], mb[2];
    ferry_product_scales s = {.slope = 1.0};
    FERRY_TRY(output_grid(l, id, &s.y, err));
    FERRY_TRY(input_s8(l, id, 0, &inputs[0], &s.x, err));
    FERRY_TRY(ferry_weights_quantise(l->graph, id, l->out, &inputs[1], &s.w, &s.count, err));
    const ferry_value_id r = ferry_rewrite_input(&l->graph->nodes[id], 3);
    if (r != FERRY_NO_VALUE) { // a residual is read as it is stored
        const bool constant = ferry_rewrite_is_constant(l->graph, r);
        const ferry_dtype stored =
            constant || l->graph->values[r].is_input ? l->graph->values[r].dtype : l->plan->values[r].dtype;
        s.r.scale = 1.0f;
        FERRY_TRY(ferry_lowering_form(l, r, stored, &inputs[4], err));
        if (stored == FERRY_S8) FERRY_TRY(ferry_lowering_grid(l, r, &s.r, err));
    }
    FERRY_TRY(ferry_lowering_activation(l, id, &s, err));
    FERRY_TRY(ferry_lowering_multipliers(l, id, inputs[1], &s, mb, err));
    inputs[2] = mb[0];
    inputs[3] = mb[1];
    FERRY_TRY(ferry_rewrite_set_op(l->out, id, "ferry", kind == FERRY_INT8_CONV ? "QConv" : "QGemm", err));
    FERRY_TRY(ferry_rewrite_set_inputs(l->out, id, inputs, r == FERRY_NO_VALUE ? 4 : 5, err));
    if (r != FERRY_NO_VALUE)
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "r_mult", (float)((double)s.r.scale / (double)s.y.scale), err));
    if (kind == FERRY_INT8_CONV && s.x.zero) FERRY_TRY(ferry_rewrite_set_int(l->out, id, "x_zero", s.x.zero, err));
    return set_to(l, id, err);
}

// Add, Sub, Mul, MatMul, the poolings and linear Resize: one or two inputs and one or two multipliers.
static ferry_status lower_arithmetic(ferry_lowering *l, ferry_node_id id, ferry_int8_kind kind, ferry_error *err)
{
    static const char *const ops[] = {[FERRY_INT8_MATMUL] = "QMatMul",
                                      [FERRY_INT8_ADD] = "QAdd",
                                      [FERRY_INT8_MUL] = "QMul",
                                      [FERRY_INT8_AVERAGE_POOL] = "QAveragePool",
                                      [FERRY_INT8_GLOBAL_AVERAGE_POOL] = "QGlobalAveragePool",
                                      [FERRY_INT8_RESIZE] = "QResize"};
    const ferry_node *node = &l->graph->nodes[id];
    const bool two = kind == FERRY_INT8_ADD || kind == FERRY_INT8_MUL || kind == FERRY_INT8_MATMUL;
    const bool subtracts = ferry_node_is(node, "Sub");
    ferry_value_id inputs[3] = {FERRY_NO_VALUE, FERRY_NO_VALUE, FERRY_NO_VALUE};
    ferry_grid a, b = {.scale = 1.0f}, y;
    int32_t n_inputs = two ? 2 : 1;
    FERRY_TRY(output_grid(l, id, &y, err));
    FERRY_TRY(input_s8(l, id, 0, &inputs[0], &a, err));
    if (two) FERRY_TRY(input_s8(l, id, 1, &inputs[1], &b, err));
    if (kind == FERRY_INT8_RESIZE) { // X, roi, scales, sizes become X, scales, sizes
        inputs[2] = ferry_rewrite_input(node, 3);
        if (inputs[2] == FERRY_NO_VALUE) inputs[1] = ferry_rewrite_input(node, 2);
        n_inputs = inputs[2] == FERRY_NO_VALUE ? 2 : 3;
    }
    FERRY_TRY(ferry_rewrite_set_op(l->out, id, "ferry", ops[kind], err));
    FERRY_TRY(ferry_rewrite_set_inputs(l->out, id, inputs, n_inputs, err));
    const double sa = (double)a.scale, sb = (double)(subtracts ? -b.scale : b.scale), sy = (double)y.scale;
    double shift = (double)y.zero;
    if (kind == FERRY_INT8_ADD) {
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "a_mult", (float)(sa / sy), err));
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "b_mult", (float)(sb / sy), err));
        shift -= (double)a.zero * (sa / sy) + (double)b.zero * (sb / sy);
    } else {
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "mult", (float)(sa * sb / sy), err));
        if (!two) shift -= (double)a.zero * (sa * sb / sy);
    }
    if (kind == FERRY_INT8_MUL && a.zero) FERRY_TRY(ferry_rewrite_set_int(l->out, id, "a_zero", a.zero, err));
    if (kind == FERRY_INT8_MUL && b.zero) FERRY_TRY(ferry_rewrite_set_int(l->out, id, "b_zero", b.zero, err));
    if (shift != 0.0) FERRY_TRY(ferry_rewrite_set_float(l->out, id, "shift", (float)shift, err));
    return set_to(l, id, err);
}

static ferry_status lower_table(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_value_id y = l->graph->nodes[id].outputs[0];
    const ferry_dtype to = l->plan->values[y].dtype;
    ferry_value_id inputs[2];
    ferry_grid x, unit;
    double entries[256];
    const int64_t count = 256;
    const ferry_shape shape = ferry_shape_of(1, &count);
    FERRY_TRY(output_grid(l, id, &unit, err));
    FERRY_TRY(input_s8(l, id, ferry_int8_table_input(l->graph, &l->graph->nodes[id]), &inputs[0], &x, err));
    FERRY_TRY(ferry_lowering_table(l->graph, id, &x, entries, err));
    for (int i = 0; i < 256 && to == FERRY_S8; i++)
        entries[i] = (double)ferry_sat8((float)(entries[i] / (double)unit.scale + (double)unit.zero));
    const char *name = ferry_arena_printf(&l->scratch, "%s_table", l->graph->values[y].name);
    if (!name) return ferry_fail_memory(err, "a table");
    FERRY_TRY(ferry_rewrite_constant(l->out, name, to, &shape, entries, 256, NULL, &inputs[1], err));
    FERRY_TRY(ferry_rewrite_set_op(l->out, id, "ferry", "QTable", err));
    return ferry_rewrite_set_inputs(l->out, id, inputs, 2, err);
}

// What stood there is 0 of the float type.
static ferry_status pad_with(ferry_lowering *l, ferry_node_id id, int32_t zero, ferry_error *err)
{
    ferry_value_id inputs[4] = {FERRY_NO_VALUE, FERRY_NO_VALUE, FERRY_NO_VALUE, FERRY_NO_VALUE};
    const ferry_node *node = &l->out->nodes[id];
    if (node->n_inputs > 4) return ferry_fail(err, FERRY_ERR_INTERNAL, "a Pad of %d inputs", node->n_inputs);
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (i != 2) inputs[i] = node->inputs[i];
    if (zero) FERRY_TRY(ferry_lowering_zero(l, zero, &inputs[2], err));
    const int32_t count = zero && node->n_inputs < 3 ? 3 : node->n_inputs;
    return ferry_rewrite_set_inputs(l->out, id, inputs, count, err);
}

// Inputs come with the outputs' grid: the plan gives an input another one where its other readers profit from it.
static ferry_status lower_move(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_node *node = &l->graph->nodes[id];
    const int32_t n_data = ferry_node_is(node, "Concat") ? node->n_inputs : 1;
    ferry_value_id like = FERRY_NO_VALUE;
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const ferry_value_id y = node->outputs[o];
        if (y == FERRY_NO_VALUE) continue;
        if (like == FERRY_NO_VALUE) like = y;
        if (l->plan->values[y].dtype != FERRY_S8 || l->plan->values[y].scale != l->plan->values[like].scale ||
            l->plan->values[y].zero != l->plan->values[like].zero)
            return ferry_fail(err, FERRY_ERR_BAD_DATA,
                              "numeric plan: '%s' moves INT8 data, but its output '%s' has another type or scale",
                              node->name, l->plan->values[y].name);
    }
    if (like == FERRY_NO_VALUE) return ferry_fail(err, FERRY_ERR_INTERNAL, "a node without outputs");
    for (int32_t i = 0; i < n_data; i++)
        FERRY_TRY(ferry_lowering_rescaled(l, node->inputs[i], like, &l->out->nodes[id].inputs[i], err));
    return ferry_node_is(node, "Pad") ? pad_with(l, id, l->plan->values[like].zero, err) : FERRY_OK;
}

// A plan out of a file may say what no arithmetic here can do.
static ferry_status check_zeros(const ferry_lowering *l, const ferry_node *node, ferry_int8_kind kind, ferry_error *err)
{
    ferry_value_id unfit = FERRY_NO_VALUE;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != FERRY_NO_VALUE && l->plan->values[node->inputs[i]].zero &&
            !ferry_int8_takes_zero(kind, node, i))
            unfit = node->inputs[i];
    const ferry_value_id y = node->outputs[0];
    if (y != FERRY_NO_VALUE && l->plan->values[y].zero && !ferry_int8_makes_zero(kind, node)) unfit = y;
    if (unfit == FERRY_NO_VALUE) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: '%s' has no form for the zero point of '%s'", node->name,
                      l->plan->values[unfit].name);
}

ferry_status ferry_lowering_int8_node(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_int8_kind kind = ferry_int8_kind_of(l->graph, id, &l->scratch, NULL);
    FERRY_TRY(check_zeros(l, &l->graph->nodes[id], kind, err));
    switch (kind) {
    case FERRY_INT8_CONV:
    case FERRY_INT8_GEMM:
        return lower_weighted(l, id, kind, err);
    case FERRY_INT8_MATMUL:
    case FERRY_INT8_ADD:
    case FERRY_INT8_MUL:
    case FERRY_INT8_AVERAGE_POOL:
    case FERRY_INT8_GLOBAL_AVERAGE_POOL:
    case FERRY_INT8_RESIZE:
        return lower_arithmetic(l, id, kind, err);
    case FERRY_INT8_TABLE:
        return lower_table(l, id, err);
    case FERRY_INT8_MOVE:
        return lower_move(l, id, err);
    case FERRY_INT8_NONE:
        break;
    }
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: '%s' (%s) has no INT8 form", l->graph->nodes[id].name,
                      l->graph->nodes[id].op->name);
}
