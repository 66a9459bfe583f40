// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/scale_node.h"

bool ferry_scale_node_read(const ferry_graph *g, const ferry_node *node, ferry_scale_node *out)
{
    const ferry_value *scale = ferry_node_value(g, node, 1), *zero = ferry_node_value(g, node, 2);
    out->zero = 0;
    if (!scale || !ferry_value_is_constant(scale) || scale->dtype != FERRY_F32 || ferry_value_elements(scale) != 1 ||
        ferry_node_int(node, "block_size", 0) != 0 || ferry_node_attr(node, "precision"))
        return false;
    out->scale = *(const float *)scale->data;
    if (!zero) return true;
    if (!ferry_value_is_constant(zero) || zero->dtype != FERRY_S8 || ferry_value_elements(zero) != 1) return false;
    out->zero = *(const int8_t *)zero->data;
    return true;
}
