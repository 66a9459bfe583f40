// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/affine.h"

#include <math.h>
#include <string.h>

#include "ops/op.h"

// What the node does where input `i` is the constant.
static bool step_of(const ferry_node *node, int32_t i, double c, ferry_affine *out)
{
    if (ferry_node_is(node, "Mul"))
        *out = (ferry_affine){c, -0.0};
    else if (ferry_node_is(node, "Div") && i == 1)
        *out = (ferry_affine){1 / c, -0.0};
    else if (ferry_node_is(node, "Add"))
        *out = (ferry_affine){1, c};
    else if (ferry_node_is(node, "Sub"))
        *out = i == 1 ? (ferry_affine){1, -c} : (ferry_affine){-1, c};
    else
        return false;
    return true;
}

bool ferry_affine_follow(const ferry_graph *graph, const ferry_node *node, ferry_affine *affine, ferry_value_id *out_x)
{
    float c = 0;
    ferry_affine step;
    if (node->n_inputs != 2 || node->n_outputs < 1) return false;
    for (int32_t i = 0; i < 2; i++) {
        const ferry_value *x = ferry_node_value(graph, node, 1 - i);
        if (!x || ferry_value_is_constant(x) || !ferry_node_scalar(graph, node, i, &c)) continue;
        if (!ferry_value_is_alike(x, ferry_node_result(graph, node)) || !step_of(node, i, c, &step)) return false;
        *affine = (ferry_affine){affine->scale * step.scale, affine->shift * step.scale + step.shift};
        if (!isfinite((float)affine->scale) || !isfinite((float)affine->shift)) return false;
        *out_x = node->inputs[1 - i];
        return true;
    }
    return false;
}

int32_t ferry_affine_find(const ferry_graph_view *view, ferry_node_id root, ferry_node_id nodes[FERRY_AFFINE_NODES])
{
    int32_t n = 0;
    ferry_affine ignored = {1, 0};
    ferry_value_id x = FERRY_NO_VALUE;
    while (n < FERRY_AFFINE_NODES && root != FERRY_NO_NODE && ferry_node_is_plain(view, root) &&
           ferry_affine_follow(view->graph, &view->graph->nodes[root], &ignored, &x)) {
        memmove(nodes + 1, nodes, (size_t)n * sizeof *nodes);
        nodes[0] = root;
        n++;
        root = ferry_maker_for_one(view, x);
    }
    return n;
}

bool ferry_affine_read(const ferry_region *region, int32_t first, ferry_value_id x, ferry_affine *out)
{
    const ferry_graph *g = region->graph;
    *out = (ferry_affine){1, -0.0};
    for (int32_t i = first; i < region->n_nodes; i++) {
        ferry_value_id read = FERRY_NO_VALUE;
        if (!ferry_affine_follow(g, &g->nodes[region->nodes[i]], out, &read) || read != x) return false;
        x = g->nodes[region->nodes[i]].outputs[0];
    }
    return true;
}
