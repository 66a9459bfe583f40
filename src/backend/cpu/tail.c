// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/tail.h"

#include <string.h>

#include "backend/cpu/unary_node.h"
#include "ops/op.h"

// A product whose own epilogue leaves room for an activation.
static bool is_open_product(const ferry_node *node)
{
    static const char *const names[] = {"Conv", "FusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul"};
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++)
        if (ferry_node_is(node, names[i])) return strcmp(ferry_node_string(node, "act", "none"), "none") == 0;
    return false;
}

static bool has_residual(const ferry_graph *g, const ferry_node *node)
{
    return (ferry_node_is(node, "FusedConv") || ferry_node_is(node, "FusedGemm")) && ferry_cpu_value(g, node, 3);
}

// What makes a value that one node alone reads; FERRY_NO_NODE when more do.
static ferry_node_id maker_for_one(const ferry_graph_view *view, ferry_value_id value)
{
    const ferry_value *v = &view->graph->values[value];
    const int32_t users = view->user_offsets[value + 1] - view->user_offsets[value];
    return v->is_output || ferry_value_is_constant(v) || users != 1 ? FERRY_NO_NODE : v->producer;
}

static bool is_alike(const ferry_value *a, const ferry_value *b)
{
    return a->dtype == b->dtype && ferry_cpu_is_float(a->dtype) && ferry_shape_equal(&a->shape, &b->shape);
}

// The product that activation `id` follows; FERRY_NO_NODE when it is none, or follows something else.
static ferry_node_id product_of(const ferry_graph_view *view, ferry_node_id id, ferry_unary_node *activation)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[id];
    if (!ferry_unary_node_read(g, node, activation) || !ferry_cpu_is_plain_node(view, id)) return FERRY_NO_NODE;
    if (!is_alike(ferry_cpu_value(g, node, 0), ferry_cpu_result(g, node))) return FERRY_NO_NODE;
    const ferry_node_id product = maker_for_one(view, node->inputs[0]);
    return product != FERRY_NO_NODE && is_open_product(&g->nodes[product]) ? product : FERRY_NO_NODE;
}

// The addition's input `i` is the activation, the other one the residual.
static bool find_residual(const ferry_graph_view *view, ferry_node_id add, int32_t i, ferry_tail *out)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[add];
    const ferry_value *y = ferry_cpu_result(g, node), *residual = ferry_cpu_value(g, node, 1 - i);
    if (ferry_value_is_constant(residual) || node->inputs[0] == node->inputs[1] || !is_alike(residual, y) ||
        !is_alike(ferry_cpu_value(g, node, i), y))
        return false;
    ferry_unary_node f;
    const ferry_node_id activation = maker_for_one(view, node->inputs[i]);
    const ferry_node_id product = activation == FERRY_NO_NODE ? FERRY_NO_NODE : product_of(view, activation, &f);
    if (product == FERRY_NO_NODE || has_residual(g, &g->nodes[product])) return false;
    // Of two products the later one takes the other's result: the shortcut is ready first.
    if (out->n_nodes == 3 && out->nodes[0] > product) return true;
    *out = (ferry_tail){.nodes = {product, activation, add},
                        .n_nodes = 3,
                        .macs = (f.macs + 1) * ferry_cpu_elements(y),
                        .bytes = ferry_cpu_bytes(y)};
    return true;
}

void ferry_tail_find(const ferry_graph_view *view, ferry_node_id root, ferry_tail *out)
{
    const ferry_node *node = &view->graph->nodes[root];
    *out = (ferry_tail){.nodes = {root}, .n_nodes = 1};
    if (ferry_node_is(node, "Add")) {
        if (!ferry_cpu_is_plain_node(view, root)) return;
        for (int32_t i = 0; i < 2; i++) find_residual(view, root, i, out);
        return;
    }
    ferry_unary_node f;
    const ferry_node_id product = product_of(view, root, &f);
    if (product == FERRY_NO_NODE) return;
    *out = (ferry_tail){.nodes = {product, root},
                        .n_nodes = 2,
                        .macs = f.macs * ferry_cpu_elements(ferry_cpu_result(view->graph, node))};
}

// A table of int8 for the results of an int8 convolution.
static bool is_table(const ferry_graph *g, const ferry_node *node, const ferry_node *product)
{
    const ferry_value *table = ferry_cpu_value(g, node, 1);
    return ferry_node_is(node, "QTable") && ferry_node_is(product, "QConv") && table &&
           ferry_value_is_constant(table) && table->dtype == FERRY_S8 && ferry_cpu_elements(table) == 256 &&
           ferry_cpu_result(g, node)->dtype == FERRY_S8 && ferry_cpu_result(g, product)->dtype == FERRY_S8;
}

void ferry_tail_find_table(const ferry_graph_view *view, ferry_node_id root, ferry_tail *out)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    *out = (ferry_tail){.nodes = {root}, .n_nodes = 1};
    if (!ferry_node_is(node, "QTable") || !ferry_cpu_is_plain_node(view, root)) return;
    const ferry_node_id product = maker_for_one(view, node->inputs[0]);
    if (product == FERRY_NO_NODE || !is_table(g, node, &g->nodes[product])) return;
    *out =
        (ferry_tail){.nodes = {product, root}, .n_nodes = 2, .macs = 2 * ferry_cpu_elements(ferry_cpu_result(g, node))};
}

ferry_status ferry_tail_offer(const ferry_offer_sink *sink, const char *tactic, const ferry_tail *tail,
                              ferry_tensor_layout in_layout, ferry_tensor_layout out_layout, double cost_us,
                              ferry_error *err)
{
    const ferry_offer offer = {.tactic = tactic,
                               .nodes = tail->nodes,
                               .n_nodes = tail->n_nodes,
                               .in_layout = in_layout,
                               .out_layout = out_layout,
                               .cost_us = cost_us};
    return sink->take(sink->user, &offer, err);
}

ferry_status ferry_tail_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                             const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_finish *finish,
                             ferry_cpu_operand *residual, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    FERRY_TRY(ferry_cpu_check_border(region, tactic, in, out, err));
    if (region->n_nodes < 2) return FERRY_OK;
    const ferry_node *product = &g->nodes[region->nodes[0]], *activation = &g->nodes[region->nodes[1]];
    ferry_unary_node f;
    if (region->n_nodes == 2 && is_table(g, activation, product) && activation->inputs[0] == product->outputs[0]) {
        finish->table = ferry_cpu_value(g, activation, 1)->data;
        return FERRY_OK;
    }
    if (region->n_nodes > FERRY_TAIL_NODES || !is_open_product(product) || product->n_outputs < 1 ||
        !ferry_unary_node_read(g, activation, &f) || activation->inputs[0] != product->outputs[0])
        return ferry_cpu_misfit(tactic, "nodes that its store cannot take in", err);
    finish->kind = FERRY_FINISH_LOOP;
    finish->loop = ferry_elementwise_f32_pick(device->isa)->unary[f.loop];
    memcpy(finish->parameters, f.parameters, sizeof finish->parameters);
    finish->act_first = region->n_nodes == 3;
    if (region->n_nodes == 2) return FERRY_OK;
    const ferry_node *add = &g->nodes[region->nodes[2]];
    const bool second = add->n_inputs == 2 && add->inputs[1] == activation->outputs[0];
    if (!ferry_node_is(add, "Add") || residual->present || add->inputs[!second] == add->inputs[second] ||
        add->inputs[second] != activation->outputs[0])
        return ferry_cpu_misfit(tactic, "a residual that its store cannot take in", err);
    *residual = ferry_cpu_node_input(region, in, 2, second ? 0 : 1);
    finish->r_mult = 1;
    return FERRY_OK;
}
