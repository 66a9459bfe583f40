// SPDX-License-Identifier: Apache-2.0
#include "passes/lowering_product.h"

#include <math.h>

#include "ops/epilogue.h"

// What is added to each result: the output's zero point, less the residual's.
static double shift_of(const ferry_product_scales *s)
{
    return (double)s->y.zero - (double)s->r.zero * ((double)s->r.scale / (double)s->y.scale);
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

// The sum of each output channel's weights.
static ferry_status sum_weights(ferry_lowering *l, ferry_node_id id, ferry_value_id w, int64_t count, int64_t **out,
                                ferry_error *err)
{
    const ferry_value *v = &l->out->values[w];
    const int8_t *weights = v->data;
    const ferry_node *node = &l->graph->nodes[id];
    const bool last = ferry_node_is(node, "FusedGemm") && !ferry_node_int(node, "transB", 0); // [K, N]
    const int64_t each = count ? (int64_t)v->data_bytes / count : 0;
    int64_t *sums = ferry_arena_alloc_array(&l->scratch, (size_t)count + 1, sizeof *sums);
    if (!sums) return ferry_fail_memory(err, "sums of weights");
    for (int64_t c = 0; c < count; c++)
        for (int64_t k = 0; k < each; k++) sums[c] += weights[last ? k * count + c : c * each + k];
    *out = sums;
    return FERRY_OK;
}

ferry_status ferry_lowering_multipliers(ferry_lowering *l, ferry_node_id id, ferry_value_id w,
                                        const ferry_product_scales *s, ferry_value_id out[2], ferry_error *err)
{
    const ferry_value_id bias_id = ferry_rewrite_input(&l->graph->nodes[id], 2);
    float *m = ferry_arena_alloc_array(&l->scratch, (size_t)s->count, sizeof *m);
    float *b = ferry_arena_alloc_array(&l->scratch, (size_t)s->count, sizeof *b);
    const double *bias = bias_id == FERRY_NO_VALUE ? NULL : ferry_rewrite_load(l->graph, bias_id, &l->scratch, NULL);
    const double sx = (double)s->x.scale, sy = (double)s->y.scale, shift = shift_of(s);
    int64_t *sums = NULL;
    if (!m || !b || (bias_id != FERRY_NO_VALUE && !bias)) return ferry_fail_memory(err, "multipliers");
    if (s->x.zero) FERRY_TRY(sum_weights(l, id, w, s->count, &sums, err));
    for (int64_t c = 0; c < s->count; c++) {
        const double product = sx * (double)s->w[c];
        double real = bias ? bias[c] : 0.0;
        if (sums) real -= product * (double)(s->x.zero * sums[c]);
        m[c] = (float)(s->slope * product / sy);
        b[c] = (float)((s->slope * real + s->offset) / sy + shift);
    }
    FERRY_TRY(per_channel(l, id, "multiplier", m, s->count, &out[0], err));
    return per_channel(l, id, "bias", b, s->count, &out[1], err);
}

// Between low and high, in real units; nothing where int8 itself has those bounds.
static ferry_status clip(ferry_lowering *l, ferry_node_id id, const ferry_product_scales *s, double low, double high,
                         bool adds_last, ferry_error *err)
{
    const bool to_s8 = l->plan->values[l->graph->nodes[id].outputs[0]].dtype == FERRY_S8;
    const double shift = adds_last ? shift_of(s) : (double)s->y.zero, sy = (double)s->y.scale;
    const float alpha = (float)(low / sy + shift), beta = (float)(high / sy + shift);
    if (to_s8 && !adds_last && alpha <= -128.0f && beta >= 127.0f)
        return ferry_rewrite_set_string(l->out, id, "act", "none", err);
    FERRY_TRY(ferry_rewrite_set_string(l->out, id, "act", "clip", err));
    FERRY_TRY(ferry_rewrite_set_float(l->out, id, "act_alpha", alpha, err));
    return ferry_rewrite_set_float(l->out, id, "act_beta", beta, err);
}

ferry_status ferry_lowering_activation(ferry_lowering *l, ferry_node_id id, ferry_product_scales *s, ferry_error *err)
{
    ferry_epilogue e;
    FERRY_TRY(ferry_epilogue_read(&l->graph->nodes[id], &e, err));
    const bool residual = s->r.scale > 0.0f, adds_last = residual && e.act_first;
    const double sy = (double)s->y.scale;
    switch (e.act) {
    case FERRY_ACT_RELU: // needs no constants where the shift is 0
        return s->y.zero || shift_of(s) != 0.0 ? clip(l, id, s, 0.0, INFINITY, adds_last, err) : FERRY_OK;
    case FERRY_ACT_CLIP:
        return clip(l, id, s, (double)e.alpha, (double)e.beta, adds_last, err);
    case FERRY_ACT_HARD_SIGMOID:
        if (residual && !adds_last) { // the slope is not the residual's
            FERRY_TRY(ferry_rewrite_set_float(l->out, id, "act_beta", (float)((double)e.beta / sy), err));
            return ferry_rewrite_set_float(l->out, id, "act_gamma", (float)((double)e.gamma / sy), err);
        }
        s->slope = (double)e.alpha;
        s->offset = (double)e.beta;
        return clip(l, id, s, 0.0, (double)e.gamma, adds_last, err);
    case FERRY_ACT_NONE:
    case FERRY_ACT_LEAKY_RELU:
        return FERRY_OK;
    }
    return FERRY_OK;
}
