// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/block_offer.h"

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/filter_bf16.h"

// Fewer wide channels than this are no panel worth a loop.
#define LEAST_CHANNELS 8

static bool is_pointwise(const ferry_conv_shape *s)
{
    return s->group == 1 && ferry_conv_shape_is_pointwise(s);
}

static bool is_depthwise(const ferry_conv_shape *s)
{
    return ferry_conv_is_depthwise(s) && s->group > 1 && s->window.n_spatial == 2;
}

ferry_block_kind ferry_block_kind_of(const ferry_conv_shape *s, int32_t n)
{
    if (n == 3 && is_pointwise(&s[0]) && is_depthwise(&s[1]) && is_pointwise(&s[2])) return FERRY_BLOCK_WHOLE;
    if (n == 2 && is_pointwise(&s[0]) && is_depthwise(&s[1])) return FERRY_BLOCK_EXPAND_DEPTHWISE;
    if (n == 2 && is_depthwise(&s[0]) && is_pointwise(&s[1])) return FERRY_BLOCK_DEPTHWISE_PROJECT;
    return FERRY_BLOCK_NONE;
}

/// Stages found so far, the last one first.
typedef struct chain {
    ferry_tail tails[FERRY_BLOCK_STAGES];
    ferry_conv_shape shapes[FERRY_BLOCK_STAGES];
    int32_t n;
} chain;

static bool has_dtype(const ferry_graph *g, const ferry_node *conv, ferry_dtype dtype)
{
    return ferry_node_value(g, conv, 0)->dtype == dtype && ferry_node_result(g, conv)->dtype == dtype &&
           ferry_dtype_widens_to_f32(ferry_node_value(g, conv, 1)->dtype);
}

static bool has_residual(const ferry_graph *g, const ferry_tail *tail)
{
    const ferry_node *conv = &g->nodes[tail->nodes[0]];
    return tail->adds || (ferry_node_is(conv, "FusedConv") && ferry_node_value(g, conv, 3));
}

// Puts the convolution that ends in `root` in front of the chain.
static bool prepend(const ferry_graph_view *view, ferry_node_id root, ferry_dtype dtype, chain *c)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_conv_shape shape;
    ferry_tail_find(view, root, &tail);
    const ferry_node *conv = &g->nodes[tail.nodes[0]];
    if (c->n == FERRY_BLOCK_STAGES || (!ferry_node_is(conv, "Conv") && !ferry_node_is(conv, "FusedConv"))) return false;
    if (!ferry_conv_node_is_offered(view, tail.nodes[0], &shape) || !has_dtype(g, conv, dtype)) return false;
    c->tails[c->n] = tail;
    c->shapes[c->n++] = shape;
    return true;
}

static double macs_of(const ferry_conv_shape *s)
{
    // A depthwise filter reads as much as it computes.
    return (double)(s->batch * s->out_plane) * (double)(s->taps * s->c_each) * (double)s->c_out *
           (s->c_each == 1 ? 2 : 1);
}

static double price(const ferry_cpu_device *device, const ferry_graph *g, const chain *c, ferry_dtype dtype)
{
    double macs = 0;
    for (int32_t i = 0; i < c->n; i++) macs += macs_of(&c->shapes[i]) + c->tails[i].macs;
    const ferry_node *first = &g->nodes[c->tails[c->n - 1].nodes[0]];
    const ferry_tail *last = &c->tails[0];
    const double bytes = ferry_value_bytes(ferry_node_value(g, first, 0)) + last->bytes +
                         ferry_value_bytes(ferry_node_result(g, &g->nodes[last->nodes[last->n_nodes - 1]]));
    return ferry_cpu_cost_us(device, dtype, macs, bytes);
}

// What makes the input of the chain's first convolution, where nothing else reads it.
static ferry_node_id maker_of_input(const ferry_graph_view *view, const chain *c)
{
    const ferry_value_id v = view->graph->nodes[c->tails[c->n - 1].nodes[0]].inputs[0];
    const ferry_value *value = &view->graph->values[v];
    const int32_t users = view->user_offsets[v + 1] - view->user_offsets[v];
    return users == 1 && !value->is_output ? value->producer : FERRY_NO_NODE;
}

// In bf16, only what is widened is kept from memory.
static bool filters_bf16(const ferry_cpu_device *device, const ferry_conv_shape *depthwise)
{
    ferry_filter_bf16 filter = {.row = ferry_depthwise_pairs_pick(device->isa)};
    size_t packed = 0;
    return ferry_filter_bf16_plan(&filter, depthwise, true, &packed);
}

static ferry_status offer_chain(ferry_cpu_device *device, const ferry_graph_view *view, const chain *c,
                                ferry_dtype dtype, const char *tactic, const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_conv_shape shapes[FERRY_BLOCK_STAGES];
    ferry_node_id nodes[FERRY_BLOCK_STAGES * FERRY_TAIL_NODES];
    int32_t n_nodes = 0;
    for (int32_t i = 0; i < c->n; i++) {
        const ferry_tail *tail = &c->tails[c->n - 1 - i];
        shapes[i] = c->shapes[c->n - 1 - i];
        for (int32_t k = 0; k < tail->n_nodes; k++) nodes[n_nodes++] = tail->nodes[k];
    }
    const ferry_block_kind kind = ferry_block_kind_of(shapes, c->n);
    if (dtype == FERRY_BF16 && (kind != FERRY_BLOCK_EXPAND_DEPTHWISE || !filters_bf16(device, &shapes[1])))
        return FERRY_OK;
    if (kind == FERRY_BLOCK_NONE || shapes[c->n - 1].c_in < LEAST_CHANNELS) return FERRY_OK;
    // The kernel adds a residual to what a pointwise convolution gives, not in between.
    for (int32_t i = kind == FERRY_BLOCK_EXPAND_DEPTHWISE ? 0 : 1; i < c->n; i++)
        if (has_residual(view->graph, &c->tails[i])) return FERRY_OK;
    const ferry_offer offer = {.tactic = tactic,
                               .nodes = nodes,
                               .n_nodes = n_nodes,
                               .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .cost_us = price(device, view->graph, c, dtype)};
    return sink->take(sink->user, &offer, err);
}

ferry_status ferry_block_offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                               ferry_dtype dtype, const char *tactic, const ferry_offer_sink *sink, ferry_error *err)
{
    chain c = {.n = 0};
    while (root != FERRY_NO_NODE && prepend(view, root, dtype, &c)) {
        FERRY_TRY(offer_chain(device, view, &c, dtype, tactic, sink, err));
        root = maker_of_input(view, &c);
    }
    return FERRY_OK;
}
