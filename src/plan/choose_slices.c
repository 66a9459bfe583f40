// SPDX-License-Identifier: Apache-2.0
// Decides, once layouts are chosen, which values become slices of others: what a Concat, Split or Slice along the
// channels would copy is computed and read where it lies, as far as the kernels on both sides say that they can.
#include "plan/select.h"
#include "plan/slice.h"

// The candidate that a node's region runs; NULL: the node is a view, or outside of the graph.
static const ferry_candidate *runs(const ferry_planner *p, ferry_node_id node)
{
    const ferry_node_id root = node == FERRY_NO_NODE ? FERRY_NO_NODE : p->root[node];
    return root == FERRY_NO_NODE || p->chosen[root] < 0 ? NULL : &p->candidates[root].items[p->chosen[root]];
}

// A mover that was chosen for the node alone, with channels last on both sides.
static const ferry_candidate *moves_alone(const ferry_planner *p, ferry_node_id node)
{
    const ferry_candidate *c = runs(p, node);
    if (!c || c->n_nodes != 1 || c->in_layout != FERRY_LAYOUT_CHANNELS_LAST) return NULL;
    return c->out_layout == FERRY_LAYOUT_CHANNELS_LAST ? c : NULL;
}

static bool can_lie_inside(const ferry_planner *p, ferry_value_id value)
{
    return p->graph->values[value].shape.rank >= 3 && !p->bounded[value];
}

// Whether a slice that begins with that channel of `whole` lies as the device wants it.
static bool is_aligned(const ferry_planner *p, ferry_value_id whole, int64_t first, int32_t device)
{
    const size_t align = p->infos[device].slice_align;
    const ferry_value *v = &p->graph->values[whole];
    const size_t elem = ferry_dtype_bytes(v->dtype);
    if (align == 0) return true;
    return first >= 0 && (size_t)first * elem % align == 0 && (size_t)v->shape.dims[1] * elem % align == 0;
}

static ferry_shape *list_shapes(ferry_planner *p)
{
    ferry_shape *shapes = ferry_arena_alloc_array(&p->scratch, p->graph->n_values, sizeof *shapes);
    for (size_t v = 0; shapes && v < p->graph->n_values; v++) shapes[v] = p->graph->values[v].shape;
    return shapes;
}

// Whether some reader of `value` on the device, besides `spared`, needs it whole. Who reads it in another layout has it
// converted in any case.
static bool is_needed_dense(const ferry_planner *p, ferry_value_id value, int32_t device, ferry_node_id spared)
{
    for (int32_t u = p->view.user_offsets[value]; u < p->view.user_offsets[value + 1]; u++) {
        const ferry_node_id user = p->view.users[u];
        const ferry_candidate *c = runs(p, user);
        if (user == spared || p->elided[user] || !c || c->device != device) continue;
        if (c->in_layout == FERRY_LAYOUT_CHANNELS_LAST && !(c->flags & FERRY_OFFER_READS_SLICES)) return true;
    }
    return false;
}

// --- Split and Slice: what they make is read where it lies ----------------------------------------------------------

static void choose_cut(ferry_planner *p, const ferry_shape *shapes, ferry_node_id id)
{
    const ferry_node *node = &p->graph->nodes[id];
    const ferry_candidate *c = moves_alone(p, id);
    if (!c || !ferry_slice_is_cut(p->graph, node) || !can_lie_inside(p, node->inputs[0])) return;
    bool helps = false;
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const int64_t first = ferry_slice_cut_at(p->graph, shapes, node, node->outputs[o]);
        if (!is_aligned(p, node->inputs[0], first, c->device)) return;
        helps |= !is_needed_dense(p, node->outputs[o], c->device, id);
    }
    p->elided[id] = helps;
}

// --- Concat: what it joins is made where it is to lie ---------------------------------------------------------------

// Whether the value can be made among the channels of what `join` makes, on that device.
static bool can_be_made_inside(const ferry_planner *p, ferry_value_id value, ferry_node_id join, int32_t device)
{
    const ferry_node_id maker = p->graph->values[value].producer;
    const ferry_candidate *c = runs(p, maker);
    if (!c || c->device != device || p->joined[value].whole != FERRY_NO_VALUE || !can_lie_inside(p, value))
        return false;
    if (p->apart && p->apart[value]) return false;
    const bool writes = (c->flags & FERRY_OFFER_WRITES_SLICES) && c->out_layout == FERRY_LAYOUT_CHANNELS_LAST;
    const bool joined = p->elided[maker] && ferry_slice_is_join(p->graph, &p->graph->nodes[maker]);
    return (p->elided[maker] ? joined : writes) && !is_needed_dense(p, value, device, join);
}

// What begins with that input of the Concat and can be made there: the input, or what a Split makes it and the next
// ones of. How many inputs that is; 0: none.
static int32_t find_inside(const ferry_planner *p, ferry_node_id join, int32_t input, int32_t device,
                           ferry_value_id *out)
{
    const ferry_node *node = &p->graph->nodes[join];
    *out = node->inputs[input];
    const ferry_node_id maker = p->graph->values[*out].producer;
    if (maker != FERRY_NO_NODE && p->elided[maker] && ferry_slice_is_cut(p->graph, &p->graph->nodes[maker]))
        *out = p->graph->nodes[maker].inputs[0];
    return can_be_made_inside(p, *out, join, device) ? ferry_slice_joined(p->graph, node, input, *out) : 0;
}

static void choose_join(ferry_planner *p, const ferry_shape *shapes, ferry_node_id id)
{
    const ferry_node *node = &p->graph->nodes[id];
    const ferry_candidate *c = moves_alone(p, id);
    if (!c || (p->apart && p->apart[id]) || !ferry_slice_is_join(p->graph, node) ||
        !can_lie_inside(p, node->outputs[0]))
        return;
    for (int32_t i = 0; i < node->n_inputs;) {
        ferry_value_id value = FERRY_NO_VALUE;
        const bool aligned = is_aligned(p, node->outputs[0], ferry_slice_joined_at(shapes, node, i), c->device);
        const int32_t n = aligned ? find_inside(p, id, i, c->device, &value) : 0;
        if (n > 0) p->joined[value] = (ferry_planned_slice){.whole = node->outputs[0], .joined_at = i};
        p->elided[id] |= n > 0;
        i += n > 0 ? n : 1;
    }
}

ferry_status ferry_planner_choose_slices(ferry_planner *p, ferry_error *err)
{
    p->elided = ferry_arena_alloc_array(&p->scratch, p->graph->n_nodes, sizeof *p->elided);
    p->joined = ferry_arena_alloc_array(&p->scratch, p->graph->n_values, sizeof *p->joined);
    const ferry_shape *shapes = list_shapes(p);
    if (!p->elided || !p->joined || !shapes) return ferry_fail_memory(err, "a plan");
    for (size_t v = 0; v < p->graph->n_values; v++) p->joined[v].whole = FERRY_NO_VALUE;
    if (p->options->single_nodes) return FERRY_OK;
    for (size_t i = 0; i < p->graph->n_nodes; i++) choose_cut(p, shapes, (ferry_node_id)i);
    for (size_t i = 0; i < p->graph->n_nodes; i++) choose_join(p, shapes, (ferry_node_id)i);
    return FERRY_OK;
}
