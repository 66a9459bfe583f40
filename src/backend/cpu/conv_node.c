// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv_node.h"

#include "backend/cpu/tail.h"

ferry_status ferry_conv_node_read_slices(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                         const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_conv_node *c,
                                         ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const int32_t residual = ferry_conv_residual_index(node);
    *c = (ferry_conv_node){.x = ferry_operand_of(region, in, 0), .w = ferry_operand_of(region, in, 1)};
    c->residual.at = -1;
    ferry_epilogue epilogue = {.r_mult = 1};
    if (residual > 0) {
        c->residual = ferry_operand_of(region, in, residual);
        FERRY_TRY(ferry_epilogue_read(node, &epilogue, err));
    }
    c->finish = ferry_finish_of(&epilogue);
    FERRY_TRY(ferry_tail_read(device, region, tactic, in, out, &c->finish, &c->residual, err));
    if (!c->x.present || !c->w.data) return ferry_misfit(tactic, "an input is missing", err);
    FERRY_TRY(ferry_conv_shape_read(node, &c->x.desc, c->w.desc.rank, c->w.desc.dims, &out[0], &c->shape, err));
    c->x_channels_last = ferry_tensor_desc_row(&c->x.desc) > 0;
    if (!c->x_channels_last && !ferry_tensor_desc_is_dense(&c->x.desc, FERRY_LAYOUT_PLAIN))
        return ferry_misfit(tactic, "an input in neither layout", err);
    c->y_row = (size_t)ferry_tensor_desc_row(&out[0]);
    c->r_row = c->residual.present ? (size_t)ferry_tensor_desc_row(&c->residual.desc) : c->y_row;
    if (c->y_row == 0) return ferry_misfit(tactic, "an output without channels last", err);
    if (c->residual.present && (c->r_row == 0 || !ferry_tensor_desc_same_dims(&c->residual.desc, &out[0])))
        return ferry_misfit(tactic, "a residual unlike its output", err);
    return FERRY_OK;
}

ferry_status ferry_conv_node_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                  const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_conv_node *c,
                                  ferry_error *err)
{
    FERRY_TRY(ferry_conv_node_read_slices(device, region, tactic, in, out, c, err));
    const bool x_dense = !c->x_channels_last || ferry_tensor_desc_is_dense(&c->x.desc, FERRY_LAYOUT_CHANNELS_LAST);
    if (!x_dense || c->y_row != (size_t)c->shape.c_out || c->r_row != c->y_row)
        return ferry_misfit(tactic, "a slice of a tensor", err);
    return FERRY_OK;
}
