// SPDX-License-Identifier: Apache-2.0
// Quantising weights. Everything is decided by the weights alone, so two builds agree to the byte.
#include "passes/weights.h"

#include <float.h>
#include <math.h>

#include "ops/integer.h"

// A FusedConv or FusedGemm, whatever follows its bias.
static bool read_weighted(const ferry_graph *graph, ferry_node_id id, ferry_linear *out)
{
    const ferry_node *node = &graph->nodes[id];
    const ferry_value_id w_id = node->inputs[1];
    *out = (ferry_linear){.node = id, .group = ferry_node_int(node, "group", 1)};
    out->kind = ferry_node_is(node, "FusedGemm") ? FERRY_LINEAR_GEMM : FERRY_LINEAR_CONV;
    if (!ferry_rewrite_is_constant(graph, w_id)) return false;
    const ferry_value *w = &graph->values[w_id];
    if (!ferry_rewrite_is_real(w->dtype) || !ferry_shape_elements(&w->shape, &out->weights) || out->weights == 0)
        return false;
    const bool gemm = out->kind == FERRY_LINEAR_GEMM;
    out->trans_b = gemm && ferry_node_int(node, "transB", 0) != 0;
    out->out_channels = w->shape.dims[gemm && !out->trans_b ? 1 : 0];
    out->in_channels = w->shape.dims[gemm && !out->trans_b ? 0 : 1] * out->group;
    return true;
}

const char *ferry_weights_why_not(const ferry_graph *graph, ferry_node_id id, ferry_arena *scratch)
{
    ferry_linear l;
    const ferry_value_id bias = ferry_rewrite_input(&graph->nodes[id], 2);
    if (!read_weighted(graph, id, &l)) return "its weights are not constant";
    if (l.weights / (size_t)l.out_channels > FERRY_INT8_MAX_SUM) return "its sums are too long for int32";
    if (bias != FERRY_NO_VALUE && !ferry_rewrite_is_constant(graph, bias)) return "its bias is not constant";
    const ferry_tensor w = ferry_value_tensor(&graph->values[graph->nodes[id].inputs[1]]);
    const double *values =
        w.dtype == FERRY_F32 ? NULL : ferry_rewrite_load(graph, graph->nodes[id].inputs[1], scratch, NULL);
    if (!values && w.dtype != FERRY_F32) return "there is no memory to look at its weights";
    // The bounds keep every multiplier, and every t of docs/INT8.md, finite.
    for (size_t i = 0; i < l.weights; i++) {
        const double v = values ? values[i] : (double)((const float *)w.data)[i];
        if (!(fabs(v) <= 0x1p30)) return "a weight is not finite, or huge";
    }
    if (bias == FERRY_NO_VALUE) return NULL;
    size_t n = 0;
    const double *b = ferry_rewrite_load(graph, bias, scratch, &n);
    if (!b || n != (size_t)l.out_channels) return "its bias does not have one value for each channel";
    for (size_t i = 0; i < n; i++)
        if (!(fabs(b[i]) <= 0x1p80)) return "its bias is not finite, or huge";
    return NULL;
}

// The scales of the grid that Q/DQ weights lie on; false when there is none along output channels.
static bool grid_scales(const ferry_quant *q, const ferry_linear *l, float *scales)
{
    if (q->dtype != FERRY_S8 || q->zero_points) return false;
    if (q->count > 1 && (q->axis != ferry_linear_channel_axis(l) || q->count != l->out_channels)) return false;
    for (int64_t c = 0; c < l->out_channels; c++) scales[c] = q->scales[q->count > 1 ? c : 0];
    return true;
}

static void own_scales(const ferry_graph *graph, const ferry_linear *l, const double *w, float *scales)
{
    for (int64_t c = 0; c < l->out_channels; c++) scales[c] = 0.0f;
    for (size_t i = 0; i < l->weights; i++) {
        float *most = &scales[ferry_linear_out_channel(graph, l, i)];
        if ((float)fabs(w[i]) > *most) *most = (float)fabs(w[i]);
    }
    for (int64_t c = 0; c < l->out_channels; c++) {
        scales[c] = (float)((double)scales[c] / 127.0);
        if (!(scales[c] >= FLT_MIN)) scales[c] = 1.0f;
    }
}

// Moves `count` of the rounded weights one step against the sign of `sum`, those with the largest error first (the
// first of equals), so that the errors cancel.
static void cancel(const double *ideal, int8_t *q, const size_t *index, size_t n, double sum)
{
    const double sign = sum > 0 ? 1.0 : -1.0;
    for (int count = (int)nearbyint(fabs(sum)); count > 0; count--) {
        size_t best = n;
        double most = 0.0;
        for (size_t i = 0; i < n; i++) {
            const double e = ((double)q[index[i]] - ideal[index[i]]) * sign;
            const double moved = (double)q[index[i]] - sign;
            if (e <= most || e > 0.5 || moved < -127.0 || moved > 127.0) continue;
            most = e;
            best = i;
        }
        if (best == n) return;
        q[index[best]] = (int8_t)(q[index[best]] - (int)sign);
    }
}

static double error_sum(const double *ideal, const int8_t *q, const size_t *index, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)q[index[i]] - ideal[index[i]];
    return sum;
}

// A mean shift of a whole channel hurts more than noise does. Inputs are mostly positive after an activation, so the
// shift follows the sum of the rounding errors: each filter's sum is brought to at most half a step.
static ferry_status balance(const ferry_graph *graph, const ferry_linear *l, const double *ideal, int8_t *q,
                            ferry_arena *scratch, ferry_error *err)
{
    const size_t n = l->weights / (size_t)l->out_channels;
    size_t *index = ferry_arena_alloc_array(scratch, l->weights, sizeof *index);
    size_t *filled = ferry_arena_alloc_array(scratch, (size_t)l->out_channels, sizeof *filled);
    if (!index || !filled) return ferry_fail_memory(err, "INT8 weights");
    for (size_t i = 0; i < l->weights; i++) {
        const size_t c = (size_t)ferry_linear_out_channel(graph, l, i);
        index[c * n + filled[c]++] = i;
    }
    for (int64_t c = 0; c < l->out_channels; c++) {
        const size_t *of = index + (size_t)c * n;
        cancel(ideal, q, of, n, error_sum(ideal, q, of, n));
    }
    return FERRY_OK;
}

ferry_status ferry_weights_quantise(const ferry_graph *from, ferry_node_id id, ferry_graph *to, ferry_value_id *out,
                                    const float **out_scales, int64_t *out_count, ferry_error *err)
{
    ferry_linear l;
    if (!read_weighted(from, id, &l)) return ferry_fail(err, FERRY_ERR_INTERNAL, "weights that can't be INT8");
    const ferry_value *value = &from->values[from->nodes[id].inputs[1]];
    ferry_arena scratch;
    ferry_arena_init(&scratch, from->heap);
    float *scales = ferry_arena_alloc_array(&to->arena, (size_t)l.out_channels, sizeof *scales);
    double *w = ferry_rewrite_load(from, from->nodes[id].inputs[1], &scratch, NULL);
    int8_t *q = ferry_arena_alloc(&scratch, l.weights);
    ferry_status s = scales && w && q ? FERRY_OK : ferry_fail_memory(err, "INT8 weights");
    if (s == FERRY_OK) {
        const bool on_grid = grid_scales(&value->quant, &l, scales);
        if (!on_grid) own_scales(from, &l, w, scales);
        const double least = on_grid ? -128.0 : -127.0;
        for (size_t i = 0; i < l.weights; i++) {
            w[i] /= (double)scales[ferry_linear_out_channel(from, &l, i)];
            const double v = nearbyint(w[i]);
            q[i] = (int8_t)(v < least ? least : v > 127.0 ? 127.0 : v);
        }
        if (!on_grid) s = balance(from, &l, w, q, &scratch, err);
    }
    if (s == FERRY_OK) {
        s = ferry_graph_add_constant(to, value->name, FERRY_S8, &value->shape, q, l.weights, true, out, err);
    }
    if (s == FERRY_OK) {
        to->values[*out].quant = (ferry_quant){.dtype = FERRY_S8,
                                               .axis = ferry_linear_channel_axis(&l),
                                               .count = (int32_t)l.out_channels,
                                               .scales = scales};
        *out_scales = scales;
        *out_count = l.out_channels;
    }
    ferry_arena_deinit(&scratch);
    return s;
}
