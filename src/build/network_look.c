// SPDX-License-Identifier: Apache-2.0
// Looking into a network: bindings, tensors, nodes and their attributes.
#include <string.h>

#include "build/internal.h"

ferry_value *ferry_network_value(const ferry_network *network, int32_t tensor, ferry_error *err)
{
    const ferry_graph *g = &network->graph;
    if (tensor >= 0 && (size_t)tensor < g->n_values) return &g->values[tensor];
    ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "there is no tensor %d, the network has %zu", tensor, g->n_values);
    return NULL;
}

float ferry_network_range(const ferry_network *network, ferry_value_id tensor)
{
    return (size_t)tensor < network->cap_ranges ? network->ranges[tensor] : 0.0f;
}

// --- Bindings ------------------------------------------------------------------------------------------------------

int32_t ferry_network_binding_count(const ferry_network *network)
{
    return (int32_t)(network->graph.n_inputs + network->graph.n_outputs);
}

int32_t ferry_network_binding_tensor(const ferry_network *network, int32_t index)
{
    const ferry_graph *g = &network->graph;
    if (index < 0 || index >= ferry_network_binding_count(network)) return FERRY_NO_TENSOR;
    return (size_t)index < g->n_inputs ? g->inputs[index] : g->outputs[(size_t)index - g->n_inputs];
}

ferry_status ferry_network_binding(const ferry_network *network, int32_t index, ferry_binding_info *out,
                                   ferry_error *error)
{
    const ferry_value_id id = ferry_network_binding_tensor(network, index);
    if (id == FERRY_NO_VALUE)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "binding %d of %d", index,
                          ferry_network_binding_count(network));
    const ferry_value *v = &network->graph.values[id];
    *out = (ferry_binding_info){.name = v->name,
                                .dtype = v->dtype,
                                .is_input = (size_t)index < network->graph.n_inputs,
                                .rank = v->shape.rank < 0 ? 0 : v->shape.rank};
    memcpy(out->dims, v->shape.dims, sizeof out->dims);
    memcpy(out->min_dims, v->shape.dims, sizeof out->dims);
    memcpy(out->opt_dims, v->shape.dims, sizeof out->dims);
    memcpy(out->max_dims, v->shape.dims, sizeof out->dims);
    return FERRY_OK;
}

const char *ferry_network_metadata(const ferry_network *network, const char *key)
{
    for (size_t i = 0; key && i < network->graph.n_metadata; i++)
        if (strcmp(network->graph.metadata[i].key, key) == 0) return network->graph.metadata[i].value;
    return NULL;
}

const char *ferry_network_name(const ferry_network *network)
{
    return network->graph.name;
}

int64_t ferry_network_opset(const ferry_network *network)
{
    return network->graph.opset;
}

// --- Tensors -------------------------------------------------------------------------------------------------------

int32_t ferry_network_tensor_count(const ferry_network *network)
{
    return (int32_t)network->graph.n_values;
}

int32_t ferry_network_find_tensor(const ferry_network *network, const char *name)
{
    return name ? ferry_graph_find_value(&network->graph, name) : FERRY_NO_TENSOR;
}

ferry_status ferry_network_tensor(const ferry_network *network, int32_t tensor, ferry_tensor_info *out,
                                  ferry_error *error)
{
    const ferry_value *v = ferry_network_value(network, tensor, error);
    if (!v) return FERRY_ERR_INVALID_ARGUMENT;
    *out = (ferry_tensor_info){.name = v->name,
                               .dtype = v->dtype,
                               .rank = v->shape.rank,
                               .is_input = v->is_input,
                               .is_output = v->is_output,
                               .is_constant = ferry_value_is_constant(v),
                               .producer = v->producer,
                               .dynamic_range = ferry_network_range(network, tensor)};
    for (int32_t d = 0; d < v->shape.rank; d++) {
        const int32_t symbol = v->shape.symbols[d];
        out->dims[d] = v->shape.dims[d];
        if (v->shape.dims[d] < 0 && symbol >= 0) out->dim_names[d] = network->graph.symbols[symbol];
    }
    return FERRY_OK;
}

static ferry_tensor_view view_of(const char *name, const ferry_tensor *t)
{
    ferry_tensor_view view = {.name = name, .dtype = t->dtype, .rank = t->rank, .data = t->data};
    memcpy(view.dims, t->dims, sizeof view.dims);
    return view;
}

ferry_status ferry_network_constant(const ferry_network *network, int32_t tensor, ferry_tensor_view *out,
                                    ferry_error *error)
{
    const ferry_value *v = ferry_network_value(network, tensor, error);
    if (!v) return FERRY_ERR_INVALID_ARGUMENT;
    if (!ferry_value_is_constant(v))
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "tensor '%s' is not a constant", v->name);
    const ferry_tensor t = ferry_value_tensor(v);
    *out = view_of(v->name, &t);
    return FERRY_OK;
}

// --- Nodes ---------------------------------------------------------------------------------------------------------

static const ferry_node *find_node(const ferry_network *network, int32_t node, ferry_error *err)
{
    const ferry_graph *g = &network->graph;
    if (node >= 0 && (size_t)node < g->n_nodes) return &g->nodes[node];
    ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "there is no node %d, the network has %zu", node, g->n_nodes);
    return NULL;
}

int32_t ferry_network_node_count(const ferry_network *network)
{
    return (int32_t)network->graph.n_nodes;
}

ferry_status ferry_network_node(const ferry_network *network, int32_t node, ferry_node_info *out, ferry_error *error)
{
    const ferry_node *n = find_node(network, node, error);
    if (!n) return FERRY_ERR_INVALID_ARGUMENT;
    *out = (ferry_node_info){.op_type = n->op->name,
                             .name = n->name,
                             .inputs = n->inputs,
                             .outputs = n->outputs,
                             .n_inputs = n->n_inputs,
                             .n_outputs = n->n_outputs,
                             .n_attributes = n->n_attrs};
    return FERRY_OK;
}

ferry_status ferry_network_attribute(const ferry_network *network, int32_t node, int32_t index, ferry_attribute *out,
                                     ferry_error *error)
{
    const ferry_node *n = find_node(network, node, error);
    if (!n) return FERRY_ERR_INVALID_ARGUMENT;
    if (index < 0 || index >= n->n_attrs)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "there is no attribute %d, node '%s' has %d", index,
                          n->name, n->n_attrs);
    const ferry_attr *a = &n->attrs[index];
    *out = (ferry_attribute){.name = a->name, .kind = (ferry_attribute_kind)a->kind, .count = a->count};
    switch (a->kind) {
    case FERRY_ATTR_INT:
    case FERRY_ATTR_INTS:
        out->ints = a->u.ints;
        break;
    case FERRY_ATTR_FLOAT:
    case FERRY_ATTR_FLOATS:
        out->floats = a->u.floats;
        break;
    case FERRY_ATTR_STRING:
    case FERRY_ATTR_STRINGS:
        out->strings = a->u.strings;
        break;
    case FERRY_ATTR_TENSOR:
        out->tensor = view_of(NULL, a->u.tensor);
        break;
    }
    return FERRY_OK;
}
