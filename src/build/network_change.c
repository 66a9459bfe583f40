// SPDX-License-Identifier: Apache-2.0
// Changing a network before it is built: outputs, names, the shapes of inputs, and ranges for INT8.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "build/internal.h"
#include "ops/element.h"

// --- Outputs and names ---------------------------------------------------------------------------------------------

ferry_status ferry_network_mark_output(ferry_network *network, int32_t tensor, ferry_error *error)
{
    const ferry_value *v = ferry_network_value(network, tensor, error);
    if (!v) return FERRY_ERR_INVALID_ARGUMENT;
    if (!v->is_output && v->producer == FERRY_NO_NODE)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "tensor '%s' is %s, which cannot be an output: put an Identity node behind it", v->name,
                          v->is_input ? "an input" : "a constant");
    return ferry_graph_mark_output(&network->graph, tensor, error);
}

ferry_status ferry_network_unmark_output(ferry_network *network, int32_t tensor, ferry_error *error)
{
    const ferry_value *v = ferry_network_value(network, tensor, error);
    if (!v) return FERRY_ERR_INVALID_ARGUMENT;
    if (!v->is_output) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "tensor '%s' is not an output", v->name);
    ferry_graph_unmark_output(&network->graph, tensor);
    return FERRY_OK;
}

ferry_status ferry_network_set_tensor_name(ferry_network *network, int32_t tensor, const char *name, ferry_error *error)
{
    if (!ferry_network_value(network, tensor, error)) return FERRY_ERR_INVALID_ARGUMENT;
    return ferry_graph_rename_value(&network->graph, tensor, name ? name : "", error);
}

static ferry_status copy_name(ferry_network *network, const char *name, const char **out, ferry_error *err)
{
    const char *own = ferry_arena_strdup(&network->graph.arena, name);
    if (!own) return ferry_fail_memory(err, "a name");
    *out = own;
    return FERRY_OK;
}

ferry_status ferry_network_set_node_name(ferry_network *network, int32_t node, const char *name, ferry_error *error)
{
    ferry_node_info info;
    FERRY_TRY(ferry_network_node(network, node, &info, error));
    if (!name || !*name)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "node '%s' needs a name that is not empty", info.name);
    return copy_name(network, name, &network->graph.nodes[node].name, error);
}

ferry_status ferry_network_set_name(ferry_network *network, const char *name, ferry_error *error)
{
    return copy_name(network, name ? name : "", &network->graph.name, error);
}

// --- Shapes of inputs ----------------------------------------------------------------------------------------------

static ferry_status check_dims(const ferry_network *network, const ferry_value *v, int32_t rank, const int64_t *dims,
                               ferry_error *err)
{
    if (!v->is_input) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "tensor '%s' is not an input", v->name);
    if (rank < 0 || rank > FERRY_MAX_RANK || (rank && !dims))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s': %d dimensions were given, 0 to %d can be",
                          v->name, rank, FERRY_MAX_RANK);
    // Nodes of older opsets were rewritten for the rank that their inputs had.
    if (v->shape.rank >= 0 && rank != v->shape.rank && network->graph.n_nodes)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "input '%s' has %d dimensions, %d were given: their number can only change before there are "
                          "nodes",
                          v->name, v->shape.rank, rank);
    for (int32_t d = 0; d < rank; d++)
        if (dims[d] < FERRY_DIM_UNKNOWN)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s': dimension %d cannot be %" PRId64, v->name,
                              d, dims[d]);
    return FERRY_OK;
}

// A dimension that has a name stands for the same size wherever the name is.
static void set_symbol(ferry_graph *graph, int32_t symbol, int64_t size)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        ferry_shape *shape = &graph->values[graph->inputs[i]].shape;
        for (int32_t d = 0; d < shape->rank; d++)
            if (shape->dims[d] < 0 && shape->symbols[d] == symbol) shape->dims[d] = size;
    }
}

static void set_dims(ferry_graph *graph, ferry_shape *shape, int32_t rank, const int64_t *dims)
{
    if (shape->rank != rank) *shape = ferry_shape_of(rank, dims);
    for (int32_t d = 0; d < rank; d++) {
        const int32_t symbol = shape->dims[d] < 0 ? shape->symbols[d] : FERRY_NO_SYMBOL;
        if (dims[d] >= 0 && symbol != FERRY_NO_SYMBOL) set_symbol(graph, symbol, dims[d]);
        if (dims[d] != shape->dims[d]) shape->symbols[d] = FERRY_NO_SYMBOL;
        shape->dims[d] = dims[d];
    }
}

ferry_status ferry_network_set_input_dims(ferry_network *network, int32_t tensor, int32_t rank, const int64_t *dims,
                                          ferry_error *error)
{
    ferry_graph *g = &network->graph;
    ferry_value *v = ferry_network_value(network, tensor, error);
    if (!v) return FERRY_ERR_INVALID_ARGUMENT;
    FERRY_TRY(check_dims(network, v, rank, dims, error));
    ferry_value *before = ferry_heap_alloc_array(network->heap, g->n_values, sizeof *before);
    if (!before) return ferry_fail_memory(error, "shapes");
    memcpy(before, g->values, g->n_values * sizeof *before);
    set_dims(g, &v->shape, rank, dims);
    const ferry_status s = ferry_graph_infer(g, NULL, 0, false, NULL, error);
    if (s != FERRY_OK) memcpy(g->values, before, g->n_values * sizeof *before);
    ferry_heap_free(network->heap, before, g->n_values * sizeof *before);
    if (s == FERRY_OK) {
        ferry_onnx_appender_destroy(network->appender); // it knew the old shapes
        network->appender = NULL;
    }
    return s;
}

// --- Ranges --------------------------------------------------------------------------------------------------------

ferry_status ferry_network_set_dynamic_range(ferry_network *network, int32_t tensor, float amax, ferry_error *error)
{
    const ferry_value *v = ferry_network_value(network, tensor, error);
    if (!v) return FERRY_ERR_INVALID_ARGUMENT;
    if (!ferry_dtype_is_float(v->dtype) || v->data)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "tensor '%s' is %s, which has no range to be told",
                          v->name, v->data ? "a constant" : ferry_dtype_name(v->dtype));
    if (!isfinite(amax) || !(amax > 0) || ferry_scale_of_amax((double)amax) <= 0)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "tensor '%s': %g is no range: a positive, finite number whose 127th part is a normal float "
                          "is needed",
                          v->name, (double)amax);
    void *ranges = network->ranges;
    if (!ferry_heap_reserve(network->heap, &ranges, &network->cap_ranges, sizeof *network->ranges,
                            network->graph.n_values))
        return ferry_fail_memory(error, "ranges");
    network->ranges = ranges;
    network->ranges[tensor] = amax;
    return FERRY_OK;
}

ferry_status ferry_network_reset_dynamic_range(ferry_network *network, int32_t tensor, ferry_error *error)
{
    if (!ferry_network_value(network, tensor, error)) return FERRY_ERR_INVALID_ARGUMENT;
    if ((size_t)tensor < network->cap_ranges) network->ranges[tensor] = 0;
    return FERRY_OK;
}
