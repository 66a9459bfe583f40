// SPDX-License-Identifier: Apache-2.0
// Finds regions of attention: both products and the softmax between them, and around them as many of the nodes that
// move or scale as nothing else reads and strides can stand for.
#include <string.h>

#include "backend/reading/attention_node.h"
#include "ops/op.h"

typedef struct set {
    const ferry_graph_view *view;
    ferry_node_id nodes[FERRY_ATTENTION_NODES]; // sorted, which is topological order
    bool core[FERRY_ATTENTION_NODES];           // what the region cannot do without
    int32_t n;
} set;

static int32_t find(const set *s, ferry_node_id node)
{
    for (int32_t i = 0; i < s->n; i++)
        if (s->nodes[i] == node) return i;
    return -1;
}

// False when there is no room.
static bool add(set *s, ferry_node_id node, bool core)
{
    if (find(s, node) >= 0) return true;
    if (s->n == FERRY_ATTENTION_NODES) return false;
    int32_t at = s->n++;
    for (; at > 0 && s->nodes[at - 1] > node; at--) {
        s->nodes[at] = s->nodes[at - 1];
        s->core[at] = s->core[at - 1];
    }
    s->nodes[at] = node;
    s->core[at] = core;
    return true;
}

static void remove_at(set *s, int32_t at)
{
    s->n--;
    memmove(&s->nodes[at], &s->nodes[at + 1], (size_t)(s->n - at) * sizeof *s->nodes);
    memmove(&s->core[at], &s->core[at + 1], (size_t)(s->n - at) * sizeof *s->core);
}

// Who makes input i of the node; FERRY_NO_NODE for what is given.
static ferry_node_id maker_of(const ferry_graph *g, ferry_node_id node, int32_t i)
{
    if (node == FERRY_NO_NODE || i >= g->nodes[node].n_inputs || g->nodes[node].inputs[i] == FERRY_NO_VALUE)
        return FERRY_NO_NODE;
    return g->values[g->nodes[node].inputs[i]].producer;
}

static bool read_once(const ferry_graph_view *view, ferry_node_id node)
{
    const ferry_node *n = &view->graph->nodes[node];
    const ferry_value_id y = n->n_outputs == 1 ? n->outputs[0] : FERRY_NO_VALUE;
    return y != FERRY_NO_VALUE && !view->graph->values[y].is_output &&
           view->user_offsets[y + 1] - view->user_offsets[y] == 1;
}

static bool moves(const ferry_node *node)
{
    return (node->op->flags & FERRY_OP_VIEW) || ferry_node_is(node, "Transpose") || ferry_node_is(node, "Split") ||
           ferry_node_is(node, "Slice") || ferry_node_is(node, "Gather");
}

// The way to q, k or v from the product that reads it.
static bool add_way(set *s, ferry_node_id product, int32_t i, bool scales)
{
    const ferry_graph *g = s->view->graph;
    double factor = 1;
    for (ferry_node_id at = maker_of(g, product, i); at != FERRY_NO_NODE; at = maker_of(g, at, i)) {
        i = 0;
        if (!moves(&g->nodes[at]) && !(scales && ferry_attention_factor(g, &g->nodes[at], &i, &factor))) return true;
        if (!ferry_node_is_plain(s->view, at)) return true;
        if (!add(s, at, false)) return false;
    }
    return true;
}

// From the root back to the first product.
static bool add_core(set *s, ferry_node_id root, ferry_node_id *mix, ferry_node_id *product)
{
    const ferry_graph_view *view = s->view;
    const ferry_graph *g = view->graph;
    ferry_node_id at = root;
    for (; at != FERRY_NO_NODE && !ferry_node_is(&g->nodes[at], "MatMul"); at = maker_of(g, at, 0)) {
        const ferry_node *node = &g->nodes[at];
        const bool known = (node->op->flags & FERRY_OP_VIEW) || ferry_node_is(node, "Transpose") ||
                           ferry_node_is(node, "QuantizeLinear");
        if (!known || (at != root && !read_once(view, at)) || !add(s, at, true)) return false;
    }
    if (at == FERRY_NO_NODE || (at != root && !read_once(view, at)) || !add(s, at, true)) return false;
    *mix = at;
    at = maker_of(g, at, 0);
    if (at == FERRY_NO_NODE || !ferry_node_is(&g->nodes[at], "Softmax") || !read_once(view, at) || !add(s, at, true))
        return false;
    int32_t input = 0;
    double factor = 1;
    for (at = maker_of(g, at, 0); at != FERRY_NO_NODE && ferry_attention_factor(g, &g->nodes[at], &input, &factor);
         at = maker_of(g, at, input))
        if (!read_once(view, at) || !add(s, at, true)) return false;
    if (at == FERRY_NO_NODE || !ferry_node_is(&g->nodes[at], "MatMul") || !read_once(view, at)) return false;
    *product = at;
    return add(s, at, true);
}

static bool read_inside_only(const set *s, ferry_node_id node)
{
    const ferry_node *n = &s->view->graph->nodes[node];
    for (int32_t o = 0; o < n->n_outputs; o++) {
        const ferry_value_id y = n->outputs[o];
        if (y == FERRY_NO_VALUE) continue;
        if (s->view->graph->values[y].is_output) return false;
        for (int32_t u = s->view->user_offsets[y]; u < s->view->user_offsets[y + 1]; u++)
            if (find(s, s->view->users[u]) < 0) return false;
    }
    return true;
}

// What something outside reads stays outside, and so does what that is made from.
static void trim(set *s)
{
    for (int32_t i = s->n - 1; i >= 0; i--)
        if (!s->core[i] && !read_inside_only(s, s->nodes[i])) remove_at(s, i);
}

// Shapes as the graph has them; false when there are more inputs than q, k and v.
static bool read_set(const set *s, ferry_node_id root, ferry_attention_node *out)
{
    const ferry_graph *g = s->view->graph;
    ferry_value_id inputs[FERRY_ATTENTION_INPUTS];
    ferry_tensor_desc in[FERRY_ATTENTION_INPUTS];
    int32_t n = 0;
    for (int32_t i = 0; i < s->n; i++) {
        const ferry_node *node = &g->nodes[s->nodes[i]];
        for (int32_t k = 0; k < node->n_inputs; k++) {
            const ferry_value_id v = node->inputs[k];
            int32_t known = 0;
            if (v == FERRY_NO_VALUE || ferry_value_is_constant(&g->values[v])) continue;
            if (g->values[v].producer != FERRY_NO_NODE && find(s, g->values[v].producer) >= 0) continue;
            while (known < n && inputs[known] != v) known++;
            if (known < n) continue;
            if (n == FERRY_ATTENTION_INPUTS || !ferry_shape_is_known(&g->values[v].shape)) return false;
            in[n] = ferry_value_describe(&g->values[v], FERRY_LAYOUT_PLAIN);
            inputs[n++] = v;
        }
    }
    const ferry_region region = {.graph = g,
                                 .nodes = s->nodes,
                                 .n_nodes = s->n,
                                 .inputs = inputs,
                                 .outputs = g->nodes[root].outputs,
                                 .n_inputs = n,
                                 .n_outputs = 1};
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, &g->nodes[root]), FERRY_LAYOUT_PLAIN);
    return ferry_attention_read(&region, in, &y, out);
}

bool ferry_attention_find(const ferry_graph_view *view, ferry_node_id root, ferry_node_id *nodes, int32_t *n_nodes,
                          ferry_attention_node *out)
{
    set s = {.view = view};
    ferry_node_id mix = FERRY_NO_NODE, product = FERRY_NO_NODE;
    if (!ferry_node_is_plain(view, root) || !add_core(&s, root, &mix, &product)) return false;
    for (int32_t i = 0; i < s.n; i++)
        if (!ferry_node_is_plain(view, s.nodes[i])) return false;
    if (!add_way(&s, product, 0, true) || !add_way(&s, product, 1, true) || !add_way(&s, mix, 1, false)) return false;
    trim(&s);
    // Where strides cannot stand for a move, it is made as before: the region begins behind it.
    while (!read_set(&s, root, out)) {
        int32_t first = 0;
        while (first < s.n && s.core[first]) first++;
        if (first == s.n) return false;
        remove_at(&s, first);
    }
    memcpy(nodes, s.nodes, (size_t)s.n * sizeof *nodes);
    *n_nodes = s.n;
    return s.nodes[s.n - 1] == root;
}
