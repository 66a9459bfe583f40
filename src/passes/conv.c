// SPDX-License-Identifier: Apache-2.0
// Turns Conv into ferry.FusedConv: pads made explicit, ready to take an activation and a residual.
#include <string.h>

#include "passes/rewrite.h"

ferry_status ferry_pass_conv(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

static int64_t int_at(const ferry_node *node, const char *name, int32_t i, int64_t otherwise)
{
    int32_t n = 0;
    const int64_t *v = ferry_node_ints(node, name, &n);
    return v && i < n ? v[i] : otherwise;
}

// False when SAME padding depends on a size that is not known.
static bool resolve_pads(const ferry_graph *graph, const ferry_node *node, int64_t *pads)
{
    const ferry_shape *x = &graph->values[node->inputs[0]].shape, *w = &graph->values[node->inputs[1]].shape;
    const int32_t n = x->rank - 2;
    const char *mode = ferry_node_string(node, "auto_pad", "NOTSET");
    for (int32_t i = 0; i < 2 * n; i++) pads[i] = strcmp(mode, "NOTSET") == 0 ? int_at(node, "pads", i, 0) : 0;
    if (strncmp(mode, "SAME_", 5) != 0) return true;
    for (int32_t i = 0; i < n; i++) {
        const int64_t in = x->dims[2 + i], stride = int_at(node, "strides", i, 1);
        if (in == FERRY_DIM_UNKNOWN || stride < 1) return false;
        const int64_t reach = (w->dims[2 + i] - 1) * int_at(node, "dilations", i, 1) + 1;
        const int64_t out = (in + stride - 1) / stride, total = (out - 1) * stride + reach - in;
        if (total <= 0) continue;
        const int64_t small = total / 2, large = total - small;
        const bool upper = strcmp(mode, "SAME_UPPER") == 0;
        pads[i] = upper ? small : large;
        pads[n + i] = upper ? large : small;
    }
    return true;
}

static ferry_status convert(ferry_graph *graph, ferry_node_id id, bool *changed, ferry_error *err)
{
    const ferry_node *node = &graph->nodes[id];
    const ferry_shape *x = &graph->values[node->inputs[0]].shape, *w = &graph->values[node->inputs[1]].shape;
    const int32_t n = x->rank - 2;
    if (n < 1 || n > 3 || w->rank != x->rank || !ferry_shape_is_known(w)) return FERRY_OK;
    if (!ferry_rewrite_is_real(graph->values[node->inputs[0]].dtype)) return FERRY_OK;
    int64_t pads[6], kernel[3];
    if (!resolve_pads(graph, node, pads)) return FERRY_OK;
    for (int32_t i = 0; i < 2 * n; i++)
        if (pads[i] < 0) return FERRY_OK;
    for (int32_t i = 0; i < n; i++) kernel[i] = w->dims[2 + i];
    FERRY_TRY(ferry_rewrite_set_op(graph, id, "ferry", "FusedConv", err));
    FERRY_TRY(ferry_rewrite_set_ints(graph, id, "pads", pads, 2 * n, err));
    FERRY_TRY(ferry_rewrite_set_ints(graph, id, "kernel_shape", kernel, n, err));
    *changed = true;
    return FERRY_OK;
}

ferry_status ferry_pass_conv(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    (void)context;
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (ferry_node_is(&graph->nodes[n], "Conv")) FERRY_TRY(convert(graph, (ferry_node_id)n, changed, err));
    return FERRY_OK;
}
