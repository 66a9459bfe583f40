// SPDX-License-Identifier: Apache-2.0
// Scaling the channels of convolutions and matrix products: the algebra that folding needs, in double.
#include "passes/linear.h"

#include <math.h>
#include <string.h>

bool ferry_linear_of(const ferry_graph *graph, ferry_node_id id, ferry_linear *out)
{
    if (id == FERRY_NO_NODE) return false;
    const ferry_node *node = &graph->nodes[id];
    const bool fused = ferry_node_is(node, "FusedConv") || ferry_node_is(node, "FusedGemm");
    *out = (ferry_linear){.node = id, .group = ferry_node_int(node, "group", 1)};
    if (ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv"))
        out->kind = FERRY_LINEAR_CONV;
    else if (ferry_node_is(node, "ConvTranspose"))
        out->kind = FERRY_LINEAR_TRANSPOSED;
    else if (ferry_node_is(node, "FusedGemm"))
        out->kind = FERRY_LINEAR_GEMM;
    else
        return false;
    if (fused &&
        (strcmp(ferry_node_string(node, "act", "none"), "none") != 0 || ferry_rewrite_input(node, 3) != FERRY_NO_VALUE))
        return false;
    const ferry_value_id w_id = node->inputs[1], bias_id = ferry_rewrite_input(node, 2);
    if (!ferry_rewrite_is_constant(graph, w_id) || out->group < 1) return false;
    const ferry_value *w = &graph->values[w_id];
    if (!ferry_rewrite_is_real(w->dtype) || !ferry_shape_elements(&w->shape, &out->weights) || out->weights == 0)
        return false;
    if (out->kind == FERRY_LINEAR_GEMM) {
        if (w->shape.rank != 2) return false;
        out->trans_b = ferry_node_int(node, "transB", 0) != 0;
        out->out_channels = w->shape.dims[out->trans_b ? 0 : 1];
        out->in_channels = w->shape.dims[out->trans_b ? 1 : 0];
    } else {
        if (w->shape.rank < 3) return false;
        const bool conv = out->kind == FERRY_LINEAR_CONV;
        if (w->shape.dims[0] % out->group) return false;
        out->out_channels = conv ? w->shape.dims[0] : w->shape.dims[1] * out->group;
        out->in_channels = conv ? w->shape.dims[1] * out->group : w->shape.dims[0];
    }
    if (bias_id == FERRY_NO_VALUE) return true;
    size_t n = 0;
    return ferry_rewrite_is_constant(graph, bias_id) && ferry_shape_elements(&graph->values[bias_id].shape, &n) &&
           n == (size_t)out->out_channels;
}

static int64_t taps_of(const ferry_graph *graph, const ferry_linear *l)
{
    const ferry_shape *w = &graph->values[graph->nodes[l->node].inputs[1]].shape;
    return (int64_t)l->weights / (w->dims[0] * w->dims[1]);
}

int64_t ferry_linear_out_channel(const ferry_graph *graph, const ferry_linear *l, size_t weight)
{
    const int64_t i = (int64_t)weight;
    if (l->kind == FERRY_LINEAR_CONV) return i / ((int64_t)l->weights / l->out_channels);
    if (l->kind == FERRY_LINEAR_GEMM) return l->trans_b ? i / l->in_channels : i % l->out_channels;
    const int64_t taps = taps_of(graph, l), per_group = l->out_channels / l->group;
    const int64_t in = i / (per_group * taps);
    return in / (l->in_channels / l->group) * per_group + i / taps % per_group;
}

int64_t ferry_linear_in_channel(const ferry_graph *graph, const ferry_linear *l, size_t weight)
{
    const int64_t i = (int64_t)weight;
    if (l->kind == FERRY_LINEAR_GEMM) return l->trans_b ? i % l->in_channels : i / l->out_channels;
    const int64_t taps = taps_of(graph, l);
    if (l->kind == FERRY_LINEAR_TRANSPOSED) return i / (l->out_channels / l->group * taps);
    const int64_t per_group = l->in_channels / l->group;
    const int64_t out = i / (per_group * taps);
    return out / (l->out_channels / l->group) * per_group + i / taps % per_group;
}

int32_t ferry_linear_channel_axis(const ferry_linear *l)
{
    if (l->kind == FERRY_LINEAR_CONV) return 0;
    if (l->kind == FERRY_LINEAR_GEMM) return l->trans_b ? 0 : 1;
    return l->group == 1 ? 1 : -1;
}

bool ferry_linear_has_borders(const ferry_graph *graph, const ferry_linear *l)
{
    const ferry_node *node = &graph->nodes[l->node];
    if (l->kind == FERRY_LINEAR_GEMM) return false;
    if (l->kind == FERRY_LINEAR_TRANSPOSED) return true;
    const char *auto_pad = ferry_node_string(node, "auto_pad", "NOTSET");
    if (strcmp(auto_pad, "NOTSET") != 0) return strcmp(auto_pad, "VALID") != 0;
    int32_t n = 0;
    const int64_t *pads = ferry_node_ints(node, "pads", &n);
    for (int32_t i = 0; i < n; i++)
        if (pads[i] != 0) return true;
    return false;
}

// The grid that Q/DQ weights lie on grows with them; `scale` NULL: it no longer holds.
static ferry_status carry_grid(ferry_graph *graph, const ferry_linear *l, const ferry_quant *from, const double *scale,
                               ferry_value_id to, ferry_error *err)
{
    const int32_t axis = ferry_linear_channel_axis(l);
    if (from->dtype != FERRY_S8 || !scale || axis < 0 || (from->count > 1 && from->axis != axis)) return FERRY_OK;
    float *scales = ferry_arena_alloc_array(&graph->arena, (size_t)l->out_channels, sizeof *scales);
    if (!scales) return ferry_fail_memory(err, "scales of weights");
    for (int64_t c = 0; c < l->out_channels; c++) {
        scales[c] = (float)((double)from->scales[from->count > 1 ? c : 0] * fabs(scale[c]));
        if (!(scales[c] > 0.0f) || !isfinite(scales[c])) return FERRY_OK;
    }
    graph->values[to].quant =
        (ferry_quant){.dtype = FERRY_S8, .axis = axis, .count = (int32_t)l->out_channels, .scales = scales};
    return FERRY_OK;
}

static ferry_status store(ferry_graph *graph, const ferry_linear *l, const double *weights, const double *bias,
                          const double *grid_scale, bool *done, ferry_error *err)
{
    const ferry_node *node = &graph->nodes[l->node];
    const ferry_value_id w_id = node->inputs[1], bias_id = ferry_rewrite_input(node, 2);
    const ferry_dtype dtype = graph->values[w_id].dtype;
    const ferry_shape w_shape = graph->values[w_id].shape, bias_shape = ferry_shape_of(1, &l->out_channels);
    const ferry_quant grid = graph->values[w_id].quant;
    char bias_name[300];
    strncpy(bias_name, graph->values[node->outputs[0]].name, sizeof bias_name - 8);
    bias_name[sizeof bias_name - 8] = 0;
    strcat(bias_name, "_bias");
    bool finite = false;
    ferry_value_id new_w = FERRY_NO_VALUE, new_bias = FERRY_NO_VALUE;
    FERRY_TRY(ferry_rewrite_constant(graph, bias_id == FERRY_NO_VALUE ? bias_name : graph->values[bias_id].name, dtype,
                                     &bias_shape, bias, (size_t)l->out_channels, &finite, &new_bias, err));
    if (!finite) return FERRY_OK;
    FERRY_TRY(ferry_rewrite_constant(graph, graph->values[w_id].name, dtype, &w_shape, weights, l->weights, &finite,
                                     &new_w, err));
    if (!finite) return FERRY_OK;
    FERRY_TRY(carry_grid(graph, l, &grid, grid_scale, new_w, err));
    FERRY_TRY(ferry_rewrite_set_input(graph, l->node, 1, new_w, err));
    FERRY_TRY(ferry_rewrite_set_input(graph, l->node, 2, new_bias, err));
    *done = true;
    return FERRY_OK;
}

static double *load_bias(const ferry_graph *graph, const ferry_linear *l, ferry_arena *scratch)
{
    const ferry_value_id bias = ferry_rewrite_input(&graph->nodes[l->node], 2);
    if (bias != FERRY_NO_VALUE) return ferry_rewrite_load(graph, bias, scratch, NULL);
    return ferry_arena_alloc_array(scratch, (size_t)l->out_channels, sizeof(double));
}

ferry_status ferry_linear_scale_outputs(ferry_graph *graph, const ferry_linear *l, const double *scale,
                                        const double *shift, ferry_arena *scratch, bool *done, ferry_error *err)
{
    double *w = ferry_rewrite_load(graph, graph->nodes[l->node].inputs[1], scratch, NULL);
    double *bias = load_bias(graph, l, scratch);
    if (!w || !bias) return ferry_fail_memory(err, "folding into weights");
    for (size_t i = 0; i < l->weights; i++) w[i] *= scale[ferry_linear_out_channel(graph, l, i)];
    for (int64_t c = 0; c < l->out_channels; c++) bias[c] = bias[c] * scale[c] + shift[c];
    return store(graph, l, w, bias, scale, done, err);
}

ferry_status ferry_linear_scale_inputs(ferry_graph *graph, const ferry_linear *l, const double *scale,
                                       const double *shift, ferry_arena *scratch, bool *done, ferry_error *err)
{
    double *w = ferry_rewrite_load(graph, graph->nodes[l->node].inputs[1], scratch, NULL);
    double *bias = load_bias(graph, l, scratch);
    double *grid = ferry_arena_alloc_array(scratch, (size_t)l->out_channels, sizeof *grid);
    if (!w || !bias || !grid) return ferry_fail_memory(err, "folding into weights");
    bool uniform = true;
    for (int64_t c = 0; c < l->in_channels; c++) uniform = uniform && scale[c] == scale[0];
    for (int64_t c = 0; c < l->out_channels; c++) grid[c] = scale[0];
    for (size_t i = 0; i < l->weights; i++) {
        const int64_t in = ferry_linear_in_channel(graph, l, i);
        bias[ferry_linear_out_channel(graph, l, i)] += w[i] * shift[in];
        w[i] *= scale[in];
    }
    return store(graph, l, w, bias, uniform ? grid : NULL, done, err);
}

double *ferry_rewrite_per_channel(const ferry_graph *graph, ferry_value_id value, int32_t rank, int32_t axis,
                                  int64_t count, ferry_arena *scratch)
{
    if (!ferry_rewrite_is_constant(graph, value) || count < 1) return NULL;
    const ferry_shape *s = &graph->values[value].shape;
    if (s->rank > rank) return NULL;
    int64_t along = 1;
    for (int32_t i = 0; i < s->rank; i++) {
        const bool is_axis = rank - s->rank + i == axis;
        if (is_axis) along = s->dims[i];
        if (!is_axis && s->dims[i] != 1) return NULL;
    }
    if (along != 1 && along != count) return NULL;
    double *values = ferry_rewrite_load(graph, value, scratch, NULL);
    double *out = ferry_arena_alloc_array(scratch, (size_t)count, sizeof *out);
    for (int64_t c = 0; out && values && c < count; c++) out[c] = values[along == 1 ? 0 : c];
    return values ? out : NULL;
}
