// SPDX-License-Identifier: Apache-2.0
#include "plan/slice.h"

#include "ops/element.h"
#include "ops/op.h"

#define CHANNELS 1 // the axis. One that counts from the end would need a rank, which a graph need not know

bool ferry_slice_is_join(const ferry_graph *graph, const ferry_node *node)
{
    if (!ferry_node_is(node, "Concat") || node->n_inputs < 1 || node->n_outputs != 1) return false;
    if (node->outputs[0] == FERRY_NO_VALUE) return false;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == FERRY_NO_VALUE || ferry_value_is_constant(&graph->values[node->inputs[i]])) return false;
    return ferry_node_int(node, "axis", 0) == CHANNELS;
}

// The only element of a constant input of integers; false when it is something else.
static bool only_int(const ferry_graph *graph, const ferry_node *node, int32_t i, int64_t *out)
{
    if (i >= node->n_inputs || node->inputs[i] == FERRY_NO_VALUE) return false;
    const ferry_value *value = &graph->values[node->inputs[i]];
    size_t elements = 0;
    if (!value->data || (value->dtype != FERRY_S64 && value->dtype != FERRY_S32) ||
        !ferry_shape_elements(&value->shape, &elements) || elements != 1)
        return false;
    const ferry_tensor t = ferry_value_tensor(value);
    *out = ferry_load_s64(&t, 0);
    return true;
}

static bool slices_channels(const ferry_graph *graph, const ferry_node *node)
{
    int64_t start = 0, axis = 0, step = 1;
    if (!only_int(graph, node, 1, &start) || !only_int(graph, node, 3, &axis)) return false;
    if (node->n_inputs > 4 && node->inputs[4] != FERRY_NO_VALUE && !only_int(graph, node, 4, &step)) return false;
    return step == 1 && axis == CHANNELS;
}

bool ferry_slice_is_cut(const ferry_graph *graph, const ferry_node *node)
{
    const bool split = ferry_node_is(node, "Split");
    if ((!split && !ferry_node_is(node, "Slice")) || node->n_inputs < 1 || node->inputs[0] == FERRY_NO_VALUE)
        return false;
    if (ferry_value_is_constant(&graph->values[node->inputs[0]]) || node->n_outputs < 1) return false;
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] == FERRY_NO_VALUE) return false;
    return split ? ferry_node_int(node, "axis", 0) == CHANNELS : slices_channels(graph, node);
}

int32_t ferry_slice_joined(const ferry_graph *graph, const ferry_node *join, int32_t input, ferry_value_id value)
{
    if (input < 0 || input >= join->n_inputs) return 0;
    if (join->inputs[input] == value) return 1;
    const ferry_node_id maker = graph->values[join->inputs[input]].producer;
    if (maker == FERRY_NO_NODE) return 0;
    const ferry_node *split = &graph->nodes[maker];
    if (!ferry_node_is(split, "Split") || !ferry_slice_is_cut(graph, split) || split->inputs[0] != value ||
        split->n_outputs > join->n_inputs - input)
        return 0;
    for (int32_t o = 0; o < split->n_outputs; o++)
        if (join->inputs[input + o] != split->outputs[o]) return 0;
    return split->n_outputs;
}

int64_t ferry_slice_joined_at(const ferry_shape *shapes, const ferry_node *join, int32_t input)
{
    int64_t channels = 0;
    for (int32_t i = 0; i < input; i++) channels += shapes[join->inputs[i]].dims[1];
    return channels;
}

int64_t ferry_slice_cut_at(const ferry_graph *graph, const ferry_shape *shapes, const ferry_node *cut,
                           ferry_value_id value)
{
    const int64_t channels = shapes[cut->inputs[0]].dims[1];
    int64_t first = 0;
    if (ferry_node_is(cut, "Split")) {
        for (int32_t o = 0; o < cut->n_outputs && cut->outputs[o] != value; o++)
            first += shapes[cut->outputs[o]].dims[1];
    } else {
        if (!only_int(graph, cut, 1, &first)) return -1;
        first = first < -channels ? 0 : first < 0 ? first + channels : first > channels ? channels : first;
    }
    return shapes[value].dims[1] <= channels - first ? first : -1;
}
