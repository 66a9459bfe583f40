// SPDX-License-Identifier: Apache-2.0
// Data movers as copies on the device: Concat, Split, Slice, Pad, Transpose, Expand, Tile, DepthToSpace and its
// inverse.
#include <string.h>

#include "backend/cuda/move.h"
#include "backend/cuda/node.h"
#include "backend/reading/conv_shape.h"

static const char tactic_name[] = "move";

static bool plan(const ferry_graph *g, ferry_cuda_moving *m)
{
    const ferry_move_node n = {g, m->node, m->x, m->y};
    return ferry_move_plan(&n, m->moves, &m->count, &m->fills, &m->value) &&
           (!m->fills || ferry_tensor_desc_is_dense(&m->y[0], m->y[0].layout)) && ferry_cuda_moving_launches(m) >= 0;
}

static bool is_known(const ferry_node *node)
{
    const int32_t most = ferry_move_most(node);
    return most >= 1 && most <= FERRY_CUDA_MOST_MOVES && node->n_inputs >= 1 &&
           node->n_inputs <= FERRY_CUDA_MOST_MOVES && node->n_outputs <= FERRY_CUDA_MOST_MOVES;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// --- Packing --------------------------------------------------------------------------------------------------------

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    if (region->n_nodes != 1) return ferry_misfit(tactic, "several nodes", err);
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (!is_known(node)) return ferry_misfit(tactic, "a node that it does not know", err);
    FERRY_TRY(ferry_cuda_pack_moves(device, ferry_node_result(g, node)->dtype, package, err));
    const size_t bytes = ferry_cuda_moved_constant_at(g, node, node->n_inputs);
    if (bytes == 0) return FERRY_OK;
    char *to = ferry_cuda_package_constants(package, bytes);
    if (!to) return ferry_fail_memory(err, "packed constants");
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (!ferry_cuda_moves_constant(g, node, i)) continue;
        const ferry_tensor t = ferry_value_tensor(ferry_node_value(g, node, i));
        memcpy(to + ferry_cuda_moved_constant_at(g, node, i), t.data,
               (size_t)ferry_tensor_elements(&t) * ferry_dtype_bytes(t.dtype));
    }
    return FERRY_OK;
}

const char *ferry_cuda_word_name(ferry_dtype dtype)
{
    switch (ferry_dtype_bytes(dtype)) {
    case 1:
        return "unsigned char";
    case 2:
        return "unsigned short";
    case 4:
        return "unsigned";
    case 8:
        return "unsigned long long";
    default:
        return NULL;
    }
}

ferry_status ferry_cuda_pack_moves(ferry_cuda_device *device, ferry_dtype dtype, ferry_cuda_package *package,
                                   ferry_error *err)
{
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#define ELEMENT %s\n#include \"move.cuh\"\n", ferry_cuda_word_name(dtype));
    return ferry_cuda_source_compile(&s, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    ferry_cuda_moving m = {.node = &g->nodes[region->nodes[0]]};
    if (!is_known(m.node)) return ferry_misfit(tactic, "a node that it does not know", err);
    for (int32_t i = 0; i < m.node->n_inputs; i++) {
        const ferry_operand operand = ferry_operand_of(region, in, i);
        m.x[i] = operand.desc;
        if (!operand.present) m.x[i].rank = -1;
    }
    for (int32_t o = 0; o < m.node->n_outputs; o++) {
        const int32_t at = ferry_cuda_output_at(region, m.node->outputs[o]);
        m.y[o] = at >= 0 ? out[at] : (ferry_tensor_desc){.rank = -1};
    }
    if (!plan(g, &m)) return ferry_misfit(tactic, "shapes or parameters that do not fit together", err);
    if (ferry_cuda_kernel_constant_bytes(kernel) != ferry_cuda_moved_constant_at(g, m.node, m.node->n_inputs))
        return ferry_misfit(tactic, "packed constants of another size", err);
    return ferry_cuda_moving_launch(&m, region, kernel, err);
}

// --- Offers ---------------------------------------------------------------------------------------------------------

static ferry_tensor_desc describe(const ferry_graph *g, ferry_value_id id, ferry_tensor_layout layout)
{
    if (id == FERRY_NO_VALUE) return (ferry_tensor_desc){.rank = -1};
    return ferry_value_describe(&g->values[id], g->values[id].shape.rank < 3 ? FERRY_LAYOUT_PLAIN : layout);
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_cuda_moving m = {.node = &g->nodes[root]};
    if (!is_known(m.node) || !ferry_node_is_plain(view, root) ||
        (!ferry_node_is(m.node, "Concat") && ferry_node_has_constant(g, m.node, 0)) ||
        !ferry_cuda_word_name(ferry_node_result(g, m.node)->dtype))
        return FERRY_OK;
    // Inputs and outputs in the same layout; a Transpose may also do the work of a change of layout.
    const bool spatial =
        ferry_node_value(g, m.node, 0)->shape.rank >= 3 || ferry_node_result(g, m.node)->shape.rank >= 3;
    for (int l = 0; l < (spatial ? 4 : 1); l++) {
        const ferry_tensor_layout from = l & 1 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        const ferry_tensor_layout to = l & 2 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        if (from != to && !ferry_node_is(m.node, "Transpose")) continue;
        for (int32_t i = 0; i < m.node->n_inputs; i++)
            m.x[i] = ferry_node_has_constant(g, m.node, i) ? describe(g, m.node->inputs[i], FERRY_LAYOUT_PLAIN)
                                                           : describe(g, m.node->inputs[i], from);
        for (int32_t o = 0; o < m.node->n_outputs; o++) m.y[o] = describe(g, m.node->outputs[o], to);
        m.fills = false;
        if (!plan(g, &m)) continue;
        const uint32_t flags =
            m.fills ? FERRY_OFFER_READS_SLICES : FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
        FERRY_TRY(
            ferry_offer_node(sink, tactic_name, root, from, to, flags, ferry_cuda_moving_cost_us(device, &m), err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_move;
const ferry_cuda_family ferry_cuda_family_move = {
    .name = "move",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
