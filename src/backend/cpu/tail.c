// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/tail.h"

#include <string.h>

#include "backend/cpu/affine.h"
#include "backend/cpu/rough_f32.h"
#include "backend/cpu/unary_node.h"
#include "ops/op.h"

static bool is_product(const ferry_node *node)
{
    static const char *const names[] = {"Conv", "FusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul"};
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++)
        if (ferry_node_is(node, names[i])) return true;
    return false;
}

// A product whose own epilogue leaves room for an activation.
static bool is_open_product(const ferry_node *node)
{
    return is_product(node) && strcmp(ferry_node_string(node, "act", "none"), "none") == 0;
}

static bool has_residual(const ferry_graph *g, const ferry_node *node)
{
    return (ferry_node_is(node, "FusedConv") || ferry_node_is(node, "FusedGemm")) && ferry_node_value(g, node, 3);
}

// The product that activation `id` follows; FERRY_NO_NODE when it is none, or follows something else.
static ferry_node_id product_of(const ferry_graph_view *view, ferry_node_id id, ferry_unary_node *activation)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[id];
    if (!ferry_unary_node_read(g, node, activation) || !ferry_node_is_plain(view, id)) return FERRY_NO_NODE;
    if (!ferry_value_is_alike(ferry_node_value(g, node, 0), ferry_node_result(g, node))) return FERRY_NO_NODE;
    const ferry_node_id product = ferry_maker_for_one(view, node->inputs[0]);
    return product != FERRY_NO_NODE && is_open_product(&g->nodes[product]) ? product : FERRY_NO_NODE;
}

// The addition's input `i` is the activation, the other one the residual.
static bool find_residual(const ferry_graph_view *view, ferry_node_id add, int32_t i, ferry_tail *out)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[add];
    const ferry_value *y = ferry_node_result(g, node), *residual = ferry_node_value(g, node, 1 - i);
    if (ferry_value_is_constant(residual) || node->inputs[0] == node->inputs[1] || !ferry_value_is_alike(residual, y) ||
        !ferry_value_is_alike(ferry_node_value(g, node, i), y))
        return false;
    ferry_unary_node f;
    const ferry_node_id activation = ferry_maker_for_one(view, node->inputs[i]);
    const ferry_node_id product = activation == FERRY_NO_NODE ? FERRY_NO_NODE : product_of(view, activation, &f);
    if (product == FERRY_NO_NODE || has_residual(g, &g->nodes[product])) return false;
    // Of two products the later one takes the other's result: the shortcut is ready first.
    if (out->adds && out->nodes[0] > product) return true;
    *out = (ferry_tail){.nodes = {product, activation, add},
                        .n_nodes = 3,
                        .adds = true,
                        .macs = (f.macs + 1) * ferry_value_elements(y),
                        .bytes = ferry_value_bytes(y)};
    return true;
}

// The product that `id` is, or whose activation it is: out->nodes begins with both then. False when it is neither.
static bool find_product(const ferry_graph_view *view, ferry_node_id id, ferry_tail *out)
{
    const ferry_node *node = &view->graph->nodes[id];
    ferry_unary_node f;
    if (is_product(node)) {
        *out = (ferry_tail){.nodes = {id}, .n_nodes = 1};
        return true;
    }
    const ferry_node_id product = product_of(view, id, &f);
    if (product == FERRY_NO_NODE) return false;
    *out = (ferry_tail){.nodes = {product, id},
                        .n_nodes = 2,
                        .macs = f.macs * ferry_value_elements(ferry_node_result(view->graph, node))};
    return true;
}

// Scales and shifts that end in `root`, behind a product and perhaps its activation.
static bool find_affine(const ferry_graph_view *view, ferry_node_id root, ferry_tail *out)
{
    const ferry_graph *g = view->graph;
    ferry_node_id nodes[FERRY_AFFINE_NODES];
    ferry_affine affine = {1, 0};
    ferry_value_id x = FERRY_NO_VALUE;
    const int32_t n = ferry_affine_find(view, root, nodes);
    if (n == 0 || !ferry_affine_follow(g, &g->nodes[nodes[0]], &affine, &x)) return false;
    const ferry_node_id before = ferry_maker_for_one(view, x);
    if (before == FERRY_NO_NODE || !find_product(view, before, out)) return false;
    for (int32_t i = 0; i < n; i++) out->nodes[out->n_nodes++] = nodes[i];
    return true;
}

void ferry_tail_find(const ferry_graph_view *view, ferry_node_id root, ferry_tail *out)
{
    const ferry_tail alone = {.nodes = {root}, .n_nodes = 1};
    if (find_affine(view, root, out)) return;
    *out = alone;
    if (ferry_node_is(&view->graph->nodes[root], "Add")) {
        if (!ferry_node_is_plain(view, root)) return;
        for (int32_t i = 0; i < 2; i++) find_residual(view, root, i, out);
        return;
    }
    if (!find_product(view, root, out)) *out = alone;
}

// A table of int8 for the results of an int8 convolution.
static bool is_table(const ferry_graph *g, const ferry_node *node, const ferry_node *product)
{
    const ferry_value *table = ferry_node_value(g, node, 1);
    return ferry_node_is(node, "QTable") && ferry_node_is(product, "QConv") && table &&
           ferry_value_is_constant(table) && table->dtype == FERRY_S8 && ferry_value_elements(table) == 256 &&
           ferry_node_result(g, node)->dtype == FERRY_S8 && ferry_node_result(g, product)->dtype == FERRY_S8;
}

void ferry_tail_find_table(const ferry_graph_view *view, ferry_node_id root, ferry_tail *out)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    *out = (ferry_tail){.nodes = {root}, .n_nodes = 1};
    if (!ferry_node_is(node, "QTable") || !ferry_node_is_plain(view, root)) return;
    const ferry_node_id product = ferry_maker_for_one(view, node->inputs[0]);
    if (product == FERRY_NO_NODE || !is_table(g, node, &g->nodes[product])) return;
    *out = (ferry_tail){
        .nodes = {product, root}, .n_nodes = 2, .macs = 2 * ferry_value_elements(ferry_node_result(g, node))};
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
                               .flags = tail->flags,
                               .cost_us = cost_us};
    return sink->take(sink->user, &offer, err);
}

// The same finish by a loop, which can scale and shift as well. False where the residual comes behind the activation.
static bool become_loop(ferry_finish *f, const ferry_elementwise_f32_row *loops, bool residual)
{
    ferry_unary_f32 loop = FERRY_UNARY_F32_clip;
    float arguments[FERRY_UNARY_ARGUMENTS] = {f->low, f->high};
    if ((residual && f->act_first) || (f->kind == FERRY_FINISH_HARD_SIGMOID && f->high != 1)) return false;
    if (f->kind == FERRY_FINISH_LEAKY || f->kind == FERRY_FINISH_HARD_SIGMOID) {
        loop = f->kind == FERRY_FINISH_LEAKY ? FERRY_UNARY_F32_leaky_relu : FERRY_UNARY_F32_hard_sigmoid;
        arguments[0] = f->alpha;
        arguments[1] = f->beta;
    }
    f->kind = FERRY_FINISH_LOOP;
    f->loop = loops->unary[loop];
    memcpy(f->parameters, arguments, sizeof arguments);
    f->low = -INFINITY;
    f->high = INFINITY;
    return true;
}

// A finish by a loop as one that needs none, where there is such.
static void simplify(ferry_finish *f, const ferry_elementwise_f32_row *loops)
{
    const float *p = f->parameters, scale = p[FERRY_UNARY_SCALE], shift = p[FERRY_UNARY_SHIFT];
    if (f->kind != FERRY_FINISH_LOOP) return;
    if (f->loop == loops->unary[FERRY_UNARY_F32_hard_swish]) {
        f->kind = FERRY_FINISH_HARD_SWISH;
        f->alpha = scale;
        f->beta = shift;
    } else if (f->loop == loops->unary[FERRY_UNARY_F32_clip] && scale == 1 && shift == 0) {
        f->kind = FERRY_FINISH_CLAMP;
        f->low = p[0];
        f->high = p[1];
    }
}

// What the nodes behind the product do.
static ferry_status read_behind(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                const ferry_tensor_desc *in, ferry_dtype to, ferry_finish *finish,
                                ferry_operand *residual, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *product = &g->nodes[region->nodes[0]], *second = &g->nodes[region->nodes[1]];
    ferry_unary_node f;
    int32_t next = 1;
    if (is_open_product(product) && ferry_unary_node_read(g, second, &f) && second->inputs[0] == product->outputs[0]) {
        finish->kind = FERRY_FINISH_LOOP;
        finish->loop = ferry_unary_loop_for(device->isa, f.loop, to);
        memcpy(finish->parameters, f.parameters, sizeof finish->parameters);
        finish->act_first = false;
        next = 2;
    }
    if (next == region->n_nodes) return FERRY_OK;
    const ferry_value_id made = g->nodes[region->nodes[next - 1]].outputs[0];
    ferry_affine affine;
    if (ferry_affine_read(region, next, made, &affine)) {
        if (next == 1 && !become_loop(finish, ferry_elementwise_f32_pick(device->isa), residual->present))
            return ferry_misfit(tactic, "a scale behind a residual", err);
        finish->parameters[FERRY_UNARY_SCALE] = (float)affine.scale;
        finish->parameters[FERRY_UNARY_SHIFT] = (float)affine.shift;
        return FERRY_OK;
    }
    const ferry_node *add = &g->nodes[region->nodes[next]];
    const bool swapped = add->n_inputs == 2 && add->inputs[1] == made;
    if (next != 2 || region->n_nodes != 3 || !ferry_node_is(add, "Add") || add->n_inputs != 2 || residual->present ||
        add->inputs[!swapped] == made || add->inputs[swapped] != made)
        return ferry_misfit(tactic, "a residual that its store cannot take in", err);
    *residual = ferry_operand_of_node(region, in, 2, swapped ? 0 : 1);
    finish->r_mult = 1;
    finish->act_first = true;
    return FERRY_OK;
}

ferry_status ferry_tail_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                             const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_finish *finish,
                             ferry_operand *residual, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    if (region->n_nodes < 2) return FERRY_OK;
    const ferry_node *product = &g->nodes[region->nodes[0]], *second = &g->nodes[region->nodes[1]];
    if (region->n_nodes == 2 && is_table(g, second, product) && second->inputs[0] == product->outputs[0]) {
        finish->table = ferry_node_value(g, second, 1)->data;
        return FERRY_OK;
    }
    if (region->n_nodes > FERRY_TAIL_NODES || !is_product(product) || product->n_outputs < 1)
        return ferry_misfit(tactic, "nodes that its store cannot take in", err);
    FERRY_TRY(read_behind(device, region, tactic, in, out[0].dtype, finish, residual, err));
    simplify(finish, ferry_elementwise_f32_pick(device->isa));
    return FERRY_OK;
}
