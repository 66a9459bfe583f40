// SPDX-License-Identifier: Apache-2.0
// Conversions between the types that a tensor has: made once for each tensor and type, shared by all readers.
#include <stdio.h>

#include "ops/epilogue.h"
#include "passes/lowering.h"

static int form_of(ferry_dtype dtype)
{
    switch (dtype) {
    case FERRY_F32:
        return FERRY_FORM_F32;
    case FERRY_F16:
        return FERRY_FORM_F16;
    case FERRY_BF16:
        return FERRY_FORM_BF16;
    case FERRY_S8:
        return FERRY_FORM_S8;
    default:
        return -1;
    }
}

// ONNX's numbers, which the attribute `to` of Cast holds.
static int64_t onnx_number(ferry_dtype dtype)
{
    return dtype == FERRY_F16 ? 10 : dtype == FERRY_BF16 ? 16 : 1;
}

static const char *suffix(ferry_dtype dtype)
{
    static const char *const names[] = {"f32", "f16", "bf16", "s8"};
    return names[form_of(dtype)];
}

static ferry_status add_conversion(ferry_lowering *l, const char *op, ferry_value_id value,
                                   const ferry_value_id *inputs, int32_t n_inputs, ferry_dtype to, ferry_value_id *out,
                                   ferry_error *err)
{
    const char *name = ferry_arena_printf(&l->scratch, "%s_%s", l->graph->values[value].name, suffix(to));
    ferry_node_id node = FERRY_NO_NODE;
    if (!name) return ferry_fail_memory(err, "a conversion");
    FERRY_TRY(ferry_rewrite_add_node(l->out, "", op, name, inputs, n_inputs, to, &node, out, err));
    l->out->values[*out].shape = l->graph->values[value].shape;
    if (op[0] == 'C') FERRY_TRY(ferry_rewrite_set_int(l->out, node, "to", onnx_number(to), err));
    return FERRY_OK;
}

ferry_status ferry_lowering_grid(const ferry_lowering *l, ferry_value_id value, ferry_grid *out, ferry_error *err)
{
    const ferry_plan_value *v = &l->plan->values[value];
    *out = (ferry_grid){v->scale, v->zero};
    if (v->scale >= 0x1p-30f && v->scale <= 0x1p30f && v->zero >= -128 && v->zero <= 127) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: tensor '%s' has no usable scale for INT8",
                      l->graph->values[value].name);
}

ferry_status ferry_lowering_set_grid(ferry_lowering *l, ferry_value_id made, const ferry_grid *grid, ferry_error *err)
{
    const float *scale = ferry_arena_copy(&l->out->arena, &grid->scale, sizeof grid->scale);
    const int32_t *zero = grid->zero ? ferry_arena_copy(&l->out->arena, &grid->zero, sizeof grid->zero) : NULL;
    if (!scale || (grid->zero && !zero)) return ferry_fail_memory(err, "a scale");
    l->out->values[made].quant =
        (ferry_quant){.dtype = FERRY_S8, .axis = -1, .count = 1, .scales = scale, .zero_points = zero};
    return FERRY_OK;
}

ferry_status ferry_lowering_zero(ferry_lowering *l, int32_t zero, ferry_value_id *out, ferry_error *err)
{
    ferry_value_id *made = &l->zeros[zero + 128];
    const int8_t z = (int8_t)zero;
    const ferry_shape scalar = ferry_shape_of(0, NULL);
    const char *name = ferry_arena_printf(&l->scratch, zero ? "zero_s8_%d" : "zero_s8", (int)zero);
    if (!name) return ferry_fail_memory(err, "a zero point");
    if (*made == FERRY_NO_VALUE)
        FERRY_TRY(ferry_graph_add_constant(l->out, name, FERRY_S8, &scalar, &z, 1, true, made, err));
    *out = *made;
    return FERRY_OK;
}

static ferry_status scale_constant(ferry_lowering *l, ferry_value_id value, ferry_grid *out_grid, ferry_value_id *out,
                                   ferry_error *err)
{
    const ferry_shape scalar = ferry_shape_of(0, NULL);
    FERRY_TRY(ferry_lowering_grid(l, value, out_grid, err));
    const char *name = ferry_arena_printf(&l->scratch, "%s_scale", l->graph->values[value].name);
    if (!name) return ferry_fail_memory(err, "a scale");
    return ferry_graph_add_constant(l->out, name, FERRY_F32, &scalar, &out_grid->scale, sizeof out_grid->scale, true,
                                    out, err);
}

// The tensor as it is stored, or made from that.
static ferry_status plain_form(ferry_lowering *l, ferry_value_id value, ferry_dtype dtype, ferry_value_id *out,
                               ferry_error *err);

static ferry_status quantise(ferry_lowering *l, ferry_value_id value, ferry_value_id *out, ferry_error *err)
{
    ferry_value_id inputs[3] = {FERRY_NO_VALUE, FERRY_NO_VALUE, FERRY_NO_VALUE};
    ferry_grid grid;
    FERRY_TRY(plain_form(l, value, FERRY_F32, &inputs[0], err));
    FERRY_TRY(scale_constant(l, value, &grid, &inputs[1], err));
    FERRY_TRY(ferry_lowering_zero(l, grid.zero, &inputs[2], err));
    FERRY_TRY(add_conversion(l, "QuantizeLinear", value, inputs, 3, FERRY_S8, out, err));
    return ferry_lowering_set_grid(l, *out, &grid, err);
}

// The integers in inputs[0] as f32.
static ferry_status dequantise(ferry_lowering *l, ferry_value_id value, ferry_value_id inputs[3], ferry_value_id *out,
                               ferry_error *err)
{
    ferry_grid grid;
    FERRY_TRY(scale_constant(l, value, &grid, &inputs[1], err));
    if (grid.zero) FERRY_TRY(ferry_lowering_zero(l, grid.zero, &inputs[2], err));
    return add_conversion(l, "DequantizeLinear", value, inputs, grid.zero ? 3 : 2, FERRY_F32, out, err);
}

static ferry_status convert(ferry_lowering *l, ferry_value_id value, ferry_dtype from, ferry_dtype to,
                            ferry_value_id *out, ferry_error *err)
{
    ferry_value_id inputs[3] = {FERRY_NO_VALUE, FERRY_NO_VALUE, FERRY_NO_VALUE};
    if (to == FERRY_S8) return quantise(l, value, out, err);
    if (from == FERRY_S8 && to == FERRY_F32) {
        inputs[0] = l->forms[value].as[FERRY_FORM_S8];
        return dequantise(l, value, inputs, out, err);
    }
    // Through f32, exactly once rounded: f32 holds every value of the narrower types and of INT8 times its scale.
    const ferry_dtype by_way = from == FERRY_F32 || to == FERRY_F32 ? from : FERRY_F32;
    FERRY_TRY(plain_form(l, value, by_way, &inputs[0], err));
    return add_conversion(l, "Cast", value, inputs, 1, to, out, err);
}

static ferry_status convert_constant(ferry_lowering *l, ferry_value_id value, ferry_dtype to, ferry_value_id *out,
                                     ferry_error *err)
{
    size_t count = 0;
    if (to == FERRY_S8)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: constant '%s' can't be an INT8 activation",
                          l->graph->values[value].name);
    const double *elements = ferry_rewrite_load(l->graph, value, &l->scratch, &count);
    const char *name = ferry_arena_printf(&l->scratch, "%s_%s", l->graph->values[value].name, suffix(to));
    if (!elements || !name) return ferry_fail_memory(err, "a constant");
    return ferry_rewrite_constant(l->out, name, to, &l->graph->values[value].shape, elements, count, NULL, out, err);
}

// The integers between a QuantizeLinear and a DequantizeLinear that stayed: what the latter makes, as INT8.
static ferry_value_id integers_of(const ferry_lowering *l, ferry_value_id value)
{
    const ferry_node_id dq = ferry_rewrite_made_by(l->graph, value, "DequantizeLinear");
    const ferry_quant *quant = &l->graph->values[value].quant;
    if (dq == FERRY_NO_NODE || !ferry_rewrite_is_rounded(l->graph, value) ||
        l->plan->values[value].scale != quant->scales[0] ||
        l->plan->values[value].zero != ferry_rewrite_zero_point(quant) ||
        l->graph->values[l->graph->nodes[dq].inputs[0]].dtype != FERRY_S8)
        return FERRY_NO_VALUE;
    return l->graph->nodes[dq].inputs[0];
}

static ferry_status plain_form(ferry_lowering *l, ferry_value_id value, ferry_dtype dtype, ferry_value_id *out,
                               ferry_error *err)
{
    const int form = form_of(dtype);
    const ferry_value *v = &l->graph->values[value];
    if (form < 0 || form_of(v->dtype) < 0)
        return ferry_fail(err, FERRY_ERR_INTERNAL, "tensor '%s' of %s as %s", v->name, ferry_dtype_name(v->dtype),
                          ferry_dtype_name(dtype));
    ferry_value_id *made = &l->forms[value].as[form];
    if (*made == FERRY_NO_VALUE && dtype == FERRY_S8) *made = integers_of(l, value);
    if (*made == FERRY_NO_VALUE) {
        const ferry_dtype stored = v->is_input ? v->dtype : l->plan->values[value].dtype;
        if (ferry_value_is_constant(v))
            FERRY_TRY(convert_constant(l, value, dtype, made, err));
        else
            FERRY_TRY(convert(l, value, stored, dtype, made, err));
    }
    *out = *made;
    return FERRY_OK;
}

bool ferry_lowering_rounds(const ferry_lowering *l, ferry_value_id value)
{
    const ferry_value *v = &l->graph->values[value];
    return ferry_rewrite_is_rounded(l->graph, value) && form_of(v->dtype) >= 0 && l->plan->values[value].scale > 0.0f &&
           (v->is_input || l->plan->values[value].dtype != FERRY_S8) &&
           ferry_rewrite_made_by(l->graph, value, "DequantizeLinear") == FERRY_NO_NODE;
}

ferry_status ferry_lowering_form(ferry_lowering *l, ferry_value_id value, ferry_dtype dtype, ferry_value_id *out,
                                 ferry_error *err)
{
    if (dtype == FERRY_S8 || !ferry_lowering_rounds(l, value)) return plain_form(l, value, dtype, out, err);
    const int form = form_of(dtype);
    if (form < 0) return ferry_fail(err, FERRY_ERR_INTERNAL, "a rounded tensor as %s", ferry_dtype_name(dtype));
    ferry_value_id inputs[3], *made = &l->forms[value].rounded[form];
    if (*made == FERRY_NO_VALUE && dtype == FERRY_F32) {
        FERRY_TRY(plain_form(l, value, FERRY_S8, &inputs[0], err));
        FERRY_TRY(dequantise(l, value, inputs, made, err));
    } else if (*made == FERRY_NO_VALUE) {
        FERRY_TRY(ferry_lowering_form(l, value, FERRY_F32, &inputs[0], err));
        FERRY_TRY(add_conversion(l, "Cast", value, inputs, 1, dtype, made, err));
    }
    *out = *made;
    return FERRY_OK;
}

ferry_status ferry_lowering_rescaled(ferry_lowering *l, ferry_value_id value, ferry_value_id like, ferry_value_id *out,
                                     ferry_error *err)
{
    const int64_t count = 256;
    const ferry_shape shape = ferry_shape_of(1, &count);
    double entries[256];
    ferry_grid from, to;
    ferry_value_id inputs[2];
    ferry_node_id node = FERRY_NO_NODE;
    FERRY_TRY(ferry_lowering_form(l, value, FERRY_S8, &inputs[0], err));
    FERRY_TRY(ferry_lowering_grid(l, value, &from, err));
    FERRY_TRY(ferry_lowering_grid(l, like, &to, err));
    if (from.scale == to.scale && from.zero == to.zero) {
        *out = inputs[0];
        return FERRY_OK;
    }
    for (int q = -128; q < 128; q++) // in float, as a DequantizeLinear and a QuantizeLinear would
        entries[q + 128] = (double)ferry_quantised((float)(q - from.zero) * from.scale / to.scale, to.zero);
    const char *name =
        ferry_arena_printf(&l->scratch, "%s_for_%s", l->graph->values[value].name, l->graph->values[like].name);
    if (!name) return ferry_fail_memory(err, "a table");
    FERRY_TRY(ferry_rewrite_constant(l->out, name, FERRY_S8, &shape, entries, 256, NULL, &inputs[1], err));
    FERRY_TRY(ferry_rewrite_add_node(l->out, "ferry", "QTable", name, inputs, 2, FERRY_S8, &node, out, err));
    l->out->values[*out].shape = l->graph->values[value].shape;
    return ferry_lowering_set_grid(l, *out, &to, err);
}
