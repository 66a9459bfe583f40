// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/tail.h"

#include <stdio.h>
#include <string.h>

#include "backend/reading/conv_shape.h"
#include "ops/epilogue.h"

static bool is_fused(const ferry_node *node)
{
    return ferry_node_is(node, "FusedConv") || ferry_node_is(node, "FusedGemm");
}

static void write_act(const ferry_epilogue *e, char *out, size_t room)
{
    uint32_t a = 0, b = 0, g = 0;
    memcpy(&a, &e->alpha, sizeof a);
    memcpy(&b, &e->beta, sizeof b);
    memcpy(&g, &e->gamma, sizeof g);
    switch (e->act) {
    case FERRY_ACT_NONE:
        out[0] = 0;
        break;
    case FERRY_ACT_RELU:
        snprintf(out, room, "v = fn_relu(v); ");
        break;
    case FERRY_ACT_CLIP:
        snprintf(out, room, "v = fn_clip(v, __int_as_float(0x%08x), __int_as_float(0x%08x)); ", a, b);
        break;
    case FERRY_ACT_LEAKY_RELU:
        snprintf(out, room, "v = fn_leaky_relu(v, __int_as_float(0x%08x)); ", a);
        break;
    case FERRY_ACT_HARD_SIGMOID:
        snprintf(out, room,
                 "v = fn_clip(fmaf(v, __int_as_float(0x%08x), __int_as_float(0x%08x)), 0.0f, __int_as_float(0x%08x)); ",
                 a, b, g);
        break;
    }
}

// The residual becomes the chain's last operand, so that those of its nodes keep their numbers.
static bool take_epilogue(const ferry_graph *g, ferry_cuda_tail *p)
{
    const ferry_node *node = &g->nodes[p->nodes[0]];
    ferry_epilogue e;
    char act[160] = "", residual[64] = "";
    p->before[0] = 0;
    if (!is_fused(node)) return true;
    if (ferry_epilogue_read(node, &e, NULL) != FERRY_OK) return false;
    write_act(&e, act, sizeof act);
    const ferry_value *r = ferry_node_value(g, node, 3);
    if (r) {
        const int32_t at = p->chain.n_operands;
        uint32_t mult = 0;
        if (at == FERRY_CUDA_CHAIN_OPERANDS || !ferry_dtype_widens_to_f32(r->dtype) || ferry_value_is_constant(r))
            return false;
        p->chain.operands[p->chain.n_operands++] =
            (ferry_cuda_operand){.kind = FERRY_CUDA_SAME, .value = node->inputs[3], .dtype = r->dtype};
        memcpy(&mult, &e.r_mult, sizeof mult);
        snprintf(residual, sizeof residual, "v = fmaf(o%d, __int_as_float(0x%08x), v); ", at, mult);
    }
    snprintf(p->before, sizeof p->before, "    %s%s\n", e.act_first ? act : residual, e.act_first ? residual : act);
    return true;
}

bool ferry_cuda_tail_find(const ferry_graph_view *view, ferry_node_id root, int32_t branch,
                          bool (*is_product)(const ferry_node *node), ferry_cuda_tail *out)
{
    const ferry_graph *g = view->graph;
    *out = (ferry_cuda_tail){0};
    ferry_node_id first = root;
    if (!is_product(&g->nodes[root])) {
        ferry_cuda_chain_find(view, root, branch, &out->chain);
        if (out->chain.n_nodes == 0) return false;
        first = ferry_maker_for_one(view, out->chain.from);
        if (first == FERRY_NO_NODE || !is_product(&g->nodes[first])) return false;
    } else if (branch == 0) {
        out->chain.from = out->chain.to = g->nodes[root].outputs[0];
    } else {
        return false;
    }
    const ferry_node *node = &g->nodes[first];
    if (!ferry_node_is_plain(view, first) || node->outputs[0] != out->chain.from) return false;
    out->nodes[out->n_nodes++] = first;
    for (int32_t i = 0; i < out->chain.n_nodes; i++) out->nodes[out->n_nodes++] = out->chain.nodes[i];
    out->y = out->chain.to;
    return take_epilogue(g, out);
}

ferry_status ferry_cuda_tail_offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                                   bool (*is_product)(const ferry_node *node),
                                   ferry_status (*offer)(ferry_cuda_device *device, const ferry_graph_view *view,
                                                         const ferry_cuda_tail *product, const ferry_offer_sink *sink,
                                                         ferry_error *err),
                                   const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cuda_tail p, other;
    const bool found = ferry_cuda_tail_find(view, root, 0, is_product, &p);
    if (found) FERRY_TRY(offer(device, view, &p, sink, err));
    if (ferry_cuda_tail_find(view, root, 1, is_product, &other) && (!found || other.nodes[0] != p.nodes[0]))
        FERRY_TRY(offer(device, view, &other, sink, err));
    return FERRY_OK;
}

bool ferry_cuda_tail_read(const ferry_region *region, ferry_cuda_tail *out)
{
    *out = (ferry_cuda_tail){0};
    if (region->n_nodes < 1 || region->n_nodes > FERRY_CUDA_TAIL_NODES || region->n_outputs != 1) return false;
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    if (node->n_outputs < 1 || !ferry_cuda_chain_read(region, 1, node->outputs[0], &out->chain)) return false;
    memcpy(out->nodes, region->nodes, (size_t)region->n_nodes * sizeof *out->nodes);
    out->n_nodes = region->n_nodes;
    out->y = out->chain.to;
    return out->y == region->outputs[0] && take_epilogue(region->graph, out);
}

double ferry_cuda_tail_bytes(const ferry_graph *g, const ferry_cuda_tail *p)
{
    double bytes = ferry_value_bytes(&g->values[p->y]);
    for (int32_t i = 0; i < p->chain.n_operands; i++)
        bytes += ferry_value_bytes(&g->values[p->chain.operands[i].value]);
    return bytes;
}

int64_t ferry_cuda_row(const ferry_tensor_desc *desc, int width)
{
    int64_t elements = 0;
    const int64_t row = ferry_tensor_desc_row(desc);
    return row <= INT32_MAX && row % width == 0 && ferry_cuda_elements(desc, &elements) ? row : 0;
}

static bool operand_fits(const ferry_cuda_operand *o, const ferry_tensor_desc *desc, const ferry_tensor_desc *out,
                         bool rows, int width)
{
    if (desc->dtype != o->dtype || desc->rank != out->rank) return false;
    if (rows)
        return o->kind == FERRY_CUDA_SAME && ferry_tensor_desc_is_dense(desc, FERRY_LAYOUT_PLAIN) &&
               ferry_tensor_desc_same_dims(desc, out);
    if (ferry_cuda_row(desc, width) == 0) return false;
    if (o->kind == FERRY_CUDA_SAME) return ferry_tensor_desc_same_dims(desc, out);
    return desc->dims[0] == out->dims[0] && desc->dims[1] == out->dims[1] && ferry_cuda_plane(desc) == 1;
}

bool ferry_cuda_tail_operands_fit(const ferry_region *region, const ferry_cuda_tail *p, const ferry_tensor_desc *in,
                                  const ferry_tensor_desc *out, bool rows, int width)
{
    for (int32_t i = 0; i < p->chain.n_operands; i++) {
        const ferry_cuda_operand *o = &p->chain.operands[i];
        if (o->kind == FERRY_CUDA_CHANNEL) {
            if (rows && out->rank != 2) return false; // dimension 1 is not that of the columns
            continue;
        }
        const int32_t at = ferry_region_input(region, o->value);
        if (at < 0 || !operand_fits(o, &in[at], out, rows, width)) return false;
    }
    return true;
}

static int64_t row_of(const ferry_tensor_desc *desc)
{
    const int64_t row = ferry_tensor_desc_row(desc);
    return row > 0 ? row : desc->dims[desc->rank - 1];
}

void ferry_cuda_tail_pass_operands(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel,
                                   const ferry_region *region, const ferry_cuda_tail *p, const ferry_tensor_desc *in,
                                   int64_t channels, size_t constants_at)
{
    for (int32_t i = 0; i < p->chain.n_operands; i++) {
        const ferry_cuda_operand *o = &p->chain.operands[i];
        if (o->kind == FERRY_CUDA_CHANNEL) {
            ferry_cuda_pass_constants(launch, kernel, constants_at);
            ferry_cuda_pass_int(launch, 0);
            constants_at += (size_t)channels * sizeof(float);
        } else {
            const int32_t at = ferry_region_input(region, o->value);
            ferry_cuda_pass_in(launch, at);
            ferry_cuda_pass_int(launch, row_of(&in[at]));
        }
    }
}

size_t ferry_cuda_tail_constant_bytes(const ferry_cuda_tail *p, int64_t channels)
{
    return (size_t)channels * (size_t)ferry_cuda_chain_count(&p->chain, FERRY_CUDA_CHANNEL) * sizeof(float);
}
