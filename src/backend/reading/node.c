// SPDX-License-Identifier: Apache-2.0
// What the families of tactics have in common: looking at a node, offering for it.
#include "backend/reading/node.h"

#include <string.h>

#include "base/f16.h"
#include "ops/op.h"

ferry_operand ferry_operand_of(const ferry_region *region, const ferry_tensor_desc *in, int32_t i)
{
    return ferry_operand_of_node(region, in, 0, i);
}

ferry_operand ferry_operand_of_node(const ferry_region *region, const ferry_tensor_desc *in, int32_t at, int32_t i)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[at]];
    ferry_operand operand = {.at = -1};
    if (i >= node->n_inputs || node->inputs[i] == FERRY_NO_VALUE) return operand;
    const ferry_value *value = &region->graph->values[node->inputs[i]];
    operand.present = true;
    if (ferry_value_is_constant(value)) {
        operand.data = value->data;
        operand.desc = (ferry_tensor_desc){.dtype = value->dtype, .rank = value->shape.rank, .quant = &value->quant};
        memcpy(operand.desc.dims, value->shape.dims, sizeof operand.desc.dims);
        ferry_tensor_desc_set_strides(&operand.desc);
        return operand;
    }
    for (int32_t k = 0; k < region->n_inputs; k++) {
        if (region->inputs[k] != node->inputs[i]) continue;
        operand.at = k;
        operand.desc = in[k];
    }
    return operand;
}

int32_t ferry_region_input(const ferry_region *region, ferry_value_id value)
{
    for (int32_t i = 0; i < region->n_inputs; i++)
        if (region->inputs[i] == value) return i;
    return -1;
}

ferry_status ferry_misfit(const char *tactic, const char *what, ferry_error *err)
{
    return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "tactic '%s': %s", tactic, what);
}

ferry_status ferry_region_check_single(const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                       const ferry_tensor_desc *out, ferry_error *err)
{
    if (region->n_nodes != 1) return ferry_misfit(tactic, "it runs one node, not several", err);
    return ferry_region_check_border(region, tactic, in, out, err);
}

// Whether every input of the region's node `at` is there: absent, constant, bound, or made by a node before it.
static bool has_inputs(const ferry_region *region, const ferry_tensor_desc *in, int32_t at)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[at]];
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_operand operand = ferry_operand_of_node(region, in, at, i);
        bool found = !operand.present || operand.at >= 0 || operand.data;
        for (int32_t k = 0; !found && k < at; k++) found = g->values[node->inputs[i]].producer == region->nodes[k];
        if (!found) return false;
    }
    return true;
}

ferry_status ferry_region_check_border(const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                       const ferry_tensor_desc *out, ferry_error *err)
{
    const int32_t n = region->n_nodes;
    if (n < 1) return ferry_misfit(tactic, "no node", err);
    const ferry_node *last = &region->graph->nodes[region->nodes[n - 1]];
    if (region->n_outputs < 1 || (n > 1 && region->n_outputs > 1) || last->n_outputs < 1 ||
        region->outputs[0] != last->outputs[0])
        return ferry_misfit(tactic, "output 0 of the node is not used", err);
    for (int32_t i = 0; i < region->n_inputs + region->n_outputs; i++) {
        const ferry_tensor_desc *desc = i < region->n_inputs ? &in[i] : &out[i - region->n_inputs];
        size_t bytes = 0;
        if (desc->bounded) return ferry_misfit(tactic, "a size that only the data decides", err);
        if (desc->rank < 0 || desc->rank > FERRY_MAX_RANK || !ferry_tensor_desc_bytes(desc, &bytes))
            return ferry_misfit(tactic, "a tensor without a size", err);
    }
    for (int32_t i = 0; i < n; i++)
        if (!has_inputs(region, in, i)) return ferry_misfit(tactic, "an input is not bound", err);
    return FERRY_OK;
}

bool ferry_node_is_plain(const ferry_graph_view *view, ferry_node_id root)
{
    const ferry_node *node = &view->graph->nodes[root];
    const ferry_value_id y = node->n_outputs < 1 ? FERRY_NO_VALUE : node->outputs[0];
    if (y == FERRY_NO_VALUE) return false;
    if (!view->graph->values[y].is_output && view->user_offsets[y + 1] == view->user_offsets[y]) return false;
    for (int32_t i = 0; i < node->n_inputs + node->n_outputs; i++) {
        const ferry_value_id v = i < node->n_inputs ? node->inputs[i] : node->outputs[i - node->n_inputs];
        if (v == FERRY_NO_VALUE) continue;
        if (!ferry_shape_is_known(&view->graph->values[v].shape)) return false;
        if (view->bounded && view->bounded[v]) return false;
    }
    return true;
}

const ferry_value *ferry_node_value(const ferry_graph *graph, const ferry_node *node, int32_t i)
{
    return i < node->n_inputs && node->inputs[i] != FERRY_NO_VALUE ? &graph->values[node->inputs[i]] : NULL;
}

bool ferry_node_has_constant(const ferry_graph *graph, const ferry_node *node, int32_t i)
{
    const ferry_value *value = ferry_node_value(graph, node, i);
    return value && ferry_value_is_constant(value);
}

ferry_node_id ferry_maker_for_one(const ferry_graph_view *view, ferry_value_id value)
{
    const ferry_value *v = &view->graph->values[value];
    const int32_t users = view->user_offsets[value + 1] - view->user_offsets[value];
    return v->is_output || ferry_value_is_constant(v) || users != 1 ? FERRY_NO_NODE : v->producer;
}

bool ferry_value_is_alike(const ferry_value *a, const ferry_value *b)
{
    return a->dtype == b->dtype && ferry_dtype_widens_to_f32(a->dtype) && ferry_shape_equal(&a->shape, &b->shape);
}

bool ferry_value_is_vector(const ferry_value *value, int64_t elements)
{
    return value && value->data && value->dtype == FERRY_F32 && value->shape.rank == 1 &&
           value->shape.dims[0] == elements;
}

ferry_tensor_desc ferry_value_describe(const ferry_value *value, ferry_tensor_layout layout)
{
    ferry_tensor_desc d = {.dtype = value->dtype,
                           .layout = ferry_value_is_constant(value) ? FERRY_LAYOUT_PLAIN : layout,
                           .rank = value->shape.rank,
                           .quant = &value->quant};
    memcpy(d.dims, value->shape.dims, sizeof d.dims);
    ferry_tensor_desc_set_strides(&d);
    return d;
}

double ferry_value_elements(const ferry_value *value)
{
    double n = 1;
    for (int32_t d = 0; d < value->shape.rank; d++) n *= (double)value->shape.dims[d];
    return n;
}

double ferry_value_bytes(const ferry_value *value)
{
    return ferry_value_elements(value) * (double)ferry_dtype_bytes(value->dtype);
}

ferry_status ferry_offer_node(const ferry_offer_sink *sink, const char *tactic, ferry_node_id root,
                              ferry_tensor_layout in_layout, ferry_tensor_layout out_layout, uint32_t flags,
                              double cost_us, ferry_error *err)
{
    const ferry_offer offer = {.tactic = tactic,
                               .nodes = &root,
                               .n_nodes = 1,
                               .in_layout = in_layout,
                               .out_layout = out_layout,
                               .flags = flags,
                               .cost_us = cost_us};
    return sink->take(sink->user, &offer, err);
}

ferry_status ferry_offer_layouts(const ferry_offer_sink *sink, const ferry_graph_view *view, const char *tactic,
                                 ferry_node_id root, uint32_t flags, double cost_us, ferry_error *err)
{
    FERRY_TRY(ferry_offer_node(sink, tactic, root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, flags, cost_us, err));
    const ferry_node *node = &view->graph->nodes[root];
    bool spatial = false;
    for (int32_t i = 0; i < node->n_inputs + node->n_outputs; i++) {
        const ferry_value_id v = i < node->n_inputs ? node->inputs[i] : node->outputs[i - node->n_inputs];
        if (v == FERRY_NO_VALUE || ferry_value_is_constant(&view->graph->values[v])) continue;
        spatial |= view->graph->values[v].shape.rank >= 3;
    }
    if (!spatial) return FERRY_OK;
    return ferry_offer_node(sink, tactic, root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, flags, cost_us,
                            err);
}

ferry_status ferry_constant_f32(const ferry_heap *heap, const ferry_value *value, const float **out,
                                size_t *out_owned_bytes, ferry_error *err)
{
    *out = value->data;
    *out_owned_bytes = 0;
    if (value->dtype == FERRY_F32) return FERRY_OK;
    size_t n = 0, bytes = 0;
    if (!ferry_dtype_widens_to_f32(value->dtype) || !ferry_shape_elements(&value->shape, &n) ||
        !ferry_mul_size(n, sizeof(float), &bytes))
        return ferry_fail(err, FERRY_ERR_INTERNAL, "constant '%s' is not of floats", value->name);
    float *wide = ferry_heap_alloc_uninit(heap, bytes);
    if (!wide) return ferry_fail_memory(err, "a widened constant");
    const uint16_t *halves = value->data;
    const bool brain = value->dtype == FERRY_BF16;
    for (size_t i = 0; i < n; i++) wide[i] = brain ? ferry_f32_from_bf16(halves[i]) : ferry_f32_from_f16(halves[i]);
    *out = wide;
    *out_owned_bytes = bytes;
    return FERRY_OK;
}

void ferry_constant_free(const ferry_heap *heap, const float *elements, size_t owned_bytes)
{
    if (owned_bytes) ferry_heap_free(heap, (void *)(uintptr_t)elements, owned_bytes);
}

bool ferry_node_scalar(const ferry_graph *graph, const ferry_node *node, int32_t i, float *out)
{
    const ferry_value *value = ferry_node_value(graph, node, i);
    size_t n = 0;
    if (!value || !value->data || !ferry_dtype_widens_to_f32(value->dtype) ||
        !ferry_shape_elements(&value->shape, &n) || n != 1)
        return false;
    const float *element = NULL;
    size_t owned = 0;
    if (ferry_constant_f32(ferry_heap_default(), value, &element, &owned, NULL) != FERRY_OK) return false;
    *out = *element;
    ferry_constant_free(ferry_heap_default(), element, owned);
    return true;
}
