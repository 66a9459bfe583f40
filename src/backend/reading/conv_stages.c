// SPDX-License-Identifier: Apache-2.0
#include "backend/reading/conv_stages.h"

#include "backend/reading/node.h"
#include "ops/op.h"

static bool is_conv(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv");
}

ferry_region ferry_conv_stage_region(const ferry_graph *graph, const ferry_conv_stage *stage)
{
    return (ferry_region){.graph = graph,
                          .nodes = stage->nodes,
                          .n_nodes = stage->n_nodes,
                          .inputs = stage->inputs,
                          .outputs = &stage->output,
                          .n_inputs = stage->n_inputs,
                          .n_outputs = 1};
}

static bool made_in_stage(const ferry_graph *graph, const ferry_conv_stage *stage, ferry_value_id value)
{
    for (int32_t i = 0; i < stage->n_nodes; i++)
        if (graph->values[value].producer == stage->nodes[i]) return true;
    return false;
}

// Takes in the node's inputs that come from outside the stage; false when there are too many.
static bool take_inputs(const ferry_graph *graph, ferry_conv_stage *stage, const ferry_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        if (v == FERRY_NO_VALUE || ferry_value_is_constant(&graph->values[v]) || made_in_stage(graph, stage, v))
            continue;
        bool known = false;
        for (int32_t k = 0; k < stage->n_inputs; k++) known |= stage->inputs[k] == v;
        if (known) continue;
        if (stage->n_inputs == FERRY_CONV_STAGE_INPUTS) return false;
        stage->inputs[stage->n_inputs++] = v;
    }
    return node->n_outputs > 0 && node->outputs[0] != FERRY_NO_VALUE;
}

int32_t ferry_conv_stages(const ferry_region *region, ferry_conv_stage *stages, int32_t most)
{
    const ferry_graph *graph = region->graph;
    int32_t n = 0;
    for (int32_t i = 0; i < region->n_nodes; i++) {
        const ferry_node *node = &graph->nodes[region->nodes[i]];
        if (is_conv(node)) {
            if (n == most || (n > 0 && node->inputs[0] != stages[n - 1].output)) return 0;
            stages[n++] = (ferry_conv_stage){.nodes = &region->nodes[i]};
        }
        if (n == 0 || !take_inputs(graph, &stages[n - 1], node)) return 0;
        stages[n - 1].n_nodes++;
        stages[n - 1].output = node->outputs[0];
    }
    if (n == 0 || region->n_outputs != 1 || region->outputs[0] != stages[n - 1].output) return 0;
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < stages[i].n_inputs; k++)
            if ((k == 0 && i > 0) != (ferry_region_input(region, stages[i].inputs[k]) < 0)) return 0;
    return n;
}
