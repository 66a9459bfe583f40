// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv_node.h"

#include <string.h>

#include "backend/cpu/tail.h"

bool ferry_tensor_desc_is_dense(const ferry_tensor_desc *desc, ferry_tensor_layout layout)
{
    ferry_tensor_desc dense = *desc;
    dense.layout = layout;
    ferry_tensor_desc_set_strides(&dense);
    return memcmp(dense.strides, desc->strides, (size_t)desc->rank * sizeof *desc->strides) == 0;
}

bool ferry_tensor_desc_same_dims(const ferry_tensor_desc *a, const ferry_tensor_desc *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

int32_t ferry_conv_residual_index(const ferry_node *node)
{
    return ferry_node_is(node, "QConv") ? 4 : ferry_node_is(node, "FusedConv") ? 3 : -1;
}

ferry_status ferry_conv_node_read_slices(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                         const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_conv_node *c,
                                         ferry_error *err)
{
    FERRY_TRY(ferry_cpu_check_border(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const int32_t residual = ferry_conv_residual_index(node);
    *c = (ferry_conv_node){.x = ferry_cpu_input(region, in, 0), .w = ferry_cpu_input(region, in, 1)};
    c->residual.at = -1;
    ferry_epilogue epilogue = {.r_mult = 1};
    if (residual > 0) {
        c->residual = ferry_cpu_input(region, in, residual);
        FERRY_TRY(ferry_epilogue_read(node, &epilogue, err));
    }
    c->finish = ferry_finish_of(&epilogue);
    FERRY_TRY(ferry_tail_read(device, region, tactic, in, out, &c->finish, &c->residual, err));
    if (!c->x.present || !c->w.data) return ferry_cpu_misfit(tactic, "an input is missing", err);
    FERRY_TRY(ferry_conv_shape_read(node, &c->x.desc, c->w.desc.rank, c->w.desc.dims, &out[0], &c->shape, err));
    c->x_channels_last = ferry_tensor_desc_row(&c->x.desc) > 0;
    if (!c->x_channels_last && !ferry_tensor_desc_is_dense(&c->x.desc, FERRY_LAYOUT_PLAIN))
        return ferry_cpu_misfit(tactic, "an input in neither layout", err);
    c->y_row = (size_t)ferry_tensor_desc_row(&out[0]);
    c->r_row = c->residual.present ? (size_t)ferry_tensor_desc_row(&c->residual.desc) : c->y_row;
    if (c->y_row == 0) return ferry_cpu_misfit(tactic, "an output without channels last", err);
    if (c->residual.present && (c->r_row == 0 || !ferry_tensor_desc_same_dims(&c->residual.desc, &out[0])))
        return ferry_cpu_misfit(tactic, "a residual unlike its output", err);
    return FERRY_OK;
}

ferry_status ferry_conv_node_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                  const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_conv_node *c,
                                  ferry_error *err)
{
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, c, err));
    const bool x_dense = !c->x_channels_last || ferry_tensor_desc_is_dense(&c->x.desc, FERRY_LAYOUT_CHANNELS_LAST);
    if (!x_dense || c->y_row != (size_t)c->shape.c_out || c->r_row != c->y_row)
        return ferry_cpu_misfit(tactic, "a slice of a tensor", err);
    return FERRY_OK;
}

bool ferry_conv_node_is_offered(const ferry_graph_view *view, ferry_node_id root, ferry_conv_shape *shape)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    const int32_t residual = ferry_conv_residual_index(node);
    if (!ferry_cpu_is_plain_node(view, root) || !ferry_cpu_is_constant(g, node, 1)) return false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const bool constant = ferry_cpu_is_constant(g, node, i), bound = i == 0 || i == residual;
        if (node->inputs[i] != FERRY_NO_VALUE && constant == bound) return false;
    }
    const ferry_value *x = ferry_cpu_value(g, node, 0), *w = ferry_cpu_value(g, node, 1);
    const ferry_value *y = ferry_cpu_result(g, node);
    const ferry_tensor_desc in = ferry_cpu_describe(x, FERRY_LAYOUT_CHANNELS_LAST);
    const ferry_tensor_desc out = ferry_cpu_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    return ferry_conv_shape_read(node, &in, w->shape.rank, w->shape.dims, &out, shape, NULL) == FERRY_OK;
}
