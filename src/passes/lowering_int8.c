// SPDX-License-Identifier: Apache-2.0
// Nodes that the plan gives to INT8 become ferry's integer operators, with every multiplier made here, in double.
#include <math.h>
#include <string.h>

#include "ops/epilogue.h"
#include "passes/lowering.h"
#include "passes/weights.h"

// The unit that results are counted in: the output's scale, or 1 where the output is a float.
static ferry_status output_unit(ferry_lowering *l, ferry_node_id id, double *out, ferry_error *err)
{
    const ferry_value_id y = l->graph->nodes[id].outputs[0];
    const ferry_dtype to = l->plan->values[y].dtype;
    float scale = 1.0f;
    if (to == FERRY_S8)
        FERRY_TRY(ferry_lowering_scale(l, y, &scale, err));
    else if (!ferry_rewrite_is_real(to))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: tensor '%s' as %s", l->graph->values[y].name,
                          ferry_dtype_name(to));
    *out = (double)scale;
    return FERRY_OK;
}

static ferry_status set_to(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_dtype to = l->plan->values[l->graph->nodes[id].outputs[0]].dtype;
    if (to == FERRY_S8) return FERRY_OK; // the default
    return ferry_rewrite_set_int(l->out, id, "to", to, err);
}

static ferry_status input_s8(ferry_lowering *l, ferry_node_id id, int32_t i, ferry_value_id *out, double *out_scale,
                             ferry_error *err)
{
    const ferry_value_id x = l->graph->nodes[id].inputs[i];
    float scale = 0;
    FERRY_TRY(ferry_lowering_form(l, x, FERRY_S8, out, err));
    FERRY_TRY(ferry_lowering_scale(l, x, &scale, err));
    *out_scale = (double)scale;
    return FERRY_OK;
}

static ferry_status per_channel(ferry_lowering *l, ferry_node_id id, const char *what, const float *values,
                                int64_t count, ferry_value_id *out, ferry_error *err)
{
    const ferry_shape shape = ferry_shape_of(1, &count);
    const char *y = l->graph->values[l->graph->nodes[id].outputs[0]].name;
    const char *name = ferry_arena_printf(&l->scratch, "%s_%s", y, what);
    if (!name) return ferry_fail_memory(err, "multipliers");
    return ferry_graph_add_constant(l->out, name, FERRY_F32, &shape, values, (size_t)count * sizeof *values, true, out,
                                    err);
}

// m[c] = sx * sw[c] / sy and b[c] = bias[c] / sy.
static ferry_status multipliers(ferry_lowering *l, ferry_node_id id, double sx, double sy, const float *sw,
                                int64_t count, ferry_value_id out[2], ferry_error *err)
{
    const ferry_value_id bias_id = ferry_rewrite_input(&l->graph->nodes[id], 2);
    float *m = ferry_arena_alloc_array(&l->scratch, (size_t)count, sizeof *m);
    float *b = ferry_arena_alloc_array(&l->scratch, (size_t)count, sizeof *b);
    const double *bias = bias_id == FERRY_NO_VALUE ? NULL : ferry_rewrite_load(l->graph, bias_id, &l->scratch, NULL);
    if (!m || !b || (bias_id != FERRY_NO_VALUE && !bias)) return ferry_fail_memory(err, "multipliers");
    for (int64_t c = 0; c < count; c++) {
        m[c] = (float)(sx * (double)sw[c] / sy);
        b[c] = bias ? (float)(bias[c] / sy) : 0.0f;
    }
    FERRY_TRY(per_channel(l, id, "multiplier", m, count, &out[0], err));
    return per_channel(l, id, "bias", b, count, &out[1], err);
}

// The activation's constants in units of the output.
static ferry_status rescale_activation(ferry_lowering *l, ferry_node_id id, double sy, ferry_error *err)
{
    ferry_epilogue e;
    FERRY_TRY(ferry_epilogue_read(&l->graph->nodes[id], &e, err));
    if (e.act == FERRY_ACT_CLIP) {
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "act_alpha", (float)((double)e.alpha / sy), err));
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "act_beta", (float)((double)e.beta / sy), err));
    } else if (e.act == FERRY_ACT_HARD_SIGMOID) {
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "act_beta", (float)((double)e.beta / sy), err));
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "act_gamma", (float)((double)e.gamma / sy), err));
    }
    return FERRY_OK;
}

static ferry_status lower_weighted(ferry_lowering *l, ferry_node_id id, ferry_int8_kind kind, ferry_error *err)
{
    const ferry_value_id r = ferry_rewrite_input(&l->graph->nodes[id], 3);
    ferry_value_id inputs[5], mb[2];
    double sx = 0, sy = 0;
    const float *sw = NULL;
    int64_t count = 0;
    float r_mult = 1.0f;
    FERRY_TRY(output_unit(l, id, &sy, err));
    FERRY_TRY(input_s8(l, id, 0, &inputs[0], &sx, err));
    FERRY_TRY(ferry_weights_quantise(l->graph, id, l->out, &inputs[1], &sw, &count, err));
    FERRY_TRY(multipliers(l, id, sx, sy, sw, count, mb, err));
    inputs[2] = mb[0];
    inputs[3] = mb[1];
    if (r != FERRY_NO_VALUE) { // a residual is read as it is stored
        const bool constant = ferry_rewrite_is_constant(l->graph, r);
        const ferry_dtype stored =
            constant || l->graph->values[r].is_input ? l->graph->values[r].dtype : l->plan->values[r].dtype;
        float sr = 1.0f;
        FERRY_TRY(ferry_lowering_form(l, r, stored, &inputs[4], err));
        if (stored == FERRY_S8) FERRY_TRY(ferry_lowering_scale(l, r, &sr, err));
        r_mult = (float)((double)sr / sy);
    }
    FERRY_TRY(rescale_activation(l, id, sy, err));
    FERRY_TRY(ferry_rewrite_set_op(l->out, id, "ferry", kind == FERRY_INT8_CONV ? "QConv" : "QGemm", err));
    FERRY_TRY(ferry_rewrite_set_inputs(l->out, id, inputs, r == FERRY_NO_VALUE ? 4 : 5, err));
    if (r != FERRY_NO_VALUE) FERRY_TRY(ferry_rewrite_set_float(l->out, id, "r_mult", r_mult, err));
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
    double sa = 0, sb = 1.0, sy = 0;
    int32_t n_inputs = two ? 2 : 1;
    FERRY_TRY(output_unit(l, id, &sy, err));
    FERRY_TRY(input_s8(l, id, 0, &inputs[0], &sa, err));
    if (two) FERRY_TRY(input_s8(l, id, 1, &inputs[1], &sb, err));
    if (kind == FERRY_INT8_RESIZE) { // X, roi, scales, sizes become X, scales, sizes
        inputs[2] = ferry_rewrite_input(node, 3);
        if (inputs[2] == FERRY_NO_VALUE) inputs[1] = ferry_rewrite_input(node, 2);
        n_inputs = inputs[2] == FERRY_NO_VALUE ? 2 : 3;
    }
    FERRY_TRY(ferry_rewrite_set_op(l->out, id, "ferry", ops[kind], err));
    FERRY_TRY(ferry_rewrite_set_inputs(l->out, id, inputs, n_inputs, err));
    if (kind == FERRY_INT8_ADD) {
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "a_mult", (float)(sa / sy), err));
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "b_mult", (float)((subtracts ? -sb : sb) / sy), err));
    } else {
        FERRY_TRY(ferry_rewrite_set_float(l->out, id, "mult", (float)(sa * sb / sy), err));
    }
    return set_to(l, id, err);
}

static ferry_status lower_table(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_value_id y = l->graph->nodes[id].outputs[0];
    const ferry_dtype to = l->plan->values[y].dtype;
    ferry_value_id inputs[2];
    double sx = 0, sy = 0, entries[256];
    const int64_t count = 256;
    const ferry_shape shape = ferry_shape_of(1, &count);
    FERRY_TRY(output_unit(l, id, &sy, err));
    FERRY_TRY(input_s8(l, id, ferry_int8_table_input(l->graph, &l->graph->nodes[id]), &inputs[0], &sx, err));
    FERRY_TRY(ferry_lowering_table(l->graph, id, (float)sx, entries, err));
    if (to == FERRY_S8)
        for (int i = 0; i < 256; i++) entries[i] = (double)ferry_sat8((float)(entries[i] / sy));
    const char *name = ferry_arena_printf(&l->scratch, "%s_table", l->graph->values[y].name);
    if (!name) return ferry_fail_memory(err, "a table");
    FERRY_TRY(ferry_rewrite_constant(l->out, name, to, &shape, entries, 256, NULL, &inputs[1], err));
    FERRY_TRY(ferry_rewrite_set_op(l->out, id, "ferry", "QTable", err));
    return ferry_rewrite_set_inputs(l->out, id, inputs, 2, err);
}

// Inputs come with the outputs' scale: the plan gives an input another one where its other readers profit from it.
static ferry_status lower_move(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_node *node = &l->graph->nodes[id];
    const int32_t n_data = ferry_node_is(node, "Concat") ? node->n_inputs : 1;
    ferry_value_id like = FERRY_NO_VALUE;
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const ferry_value_id y = node->outputs[o];
        if (y == FERRY_NO_VALUE) continue;
        if (like == FERRY_NO_VALUE) like = y;
        if (l->plan->values[y].dtype != FERRY_S8 || l->plan->values[y].scale != l->plan->values[like].scale)
            return ferry_fail(err, FERRY_ERR_BAD_DATA,
                              "numeric plan: '%s' moves INT8 data, but its output '%s' has another type or scale",
                              node->name, l->plan->values[y].name);
    }
    if (like == FERRY_NO_VALUE) return ferry_fail(err, FERRY_ERR_INTERNAL, "a node without outputs");
    for (int32_t i = 0; i < n_data; i++)
        FERRY_TRY(ferry_lowering_rescaled(l, node->inputs[i], like, &l->out->nodes[id].inputs[i], err));
    if (ferry_node_is(node, "Pad") && ferry_rewrite_input(node, 2) != FERRY_NO_VALUE) // 0 of the float type
        l->out->nodes[id].inputs[2] = FERRY_NO_VALUE;
    return FERRY_OK;
}

ferry_status ferry_lowering_int8_node(ferry_lowering *l, ferry_node_id id, ferry_error *err)
{
    const ferry_int8_kind kind = ferry_int8_kind_of(l->graph, id, &l->scratch, NULL);
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
