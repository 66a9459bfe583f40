// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/attention_kernel.h"

#include "backend/cpu/elementwise_s8.h"

#define SOFTMAX_MACS 24 // an element costs about as much as so many multiply-adds in a matrix product

typedef struct attention_kernel {
    ferry_cpu_kernel base;
    ferry_attention attention;
} attention_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    ferry_attention_run(&((const attention_kernel *)kernel)->attention, r);
    return FERRY_OK;
}

static ferry_status fill_kernel(attention_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const ferry_attention_tactic *tactic, const ferry_tensor_desc *in,
                                const ferry_tensor_desc *out, ferry_error *err)
{
    ferry_attention *a = &k->attention;
    ferry_attention_node *n = &a->node;
    a->type = tactic->type;
    a->softmax = ferry_softmax_pick(device->isa);
    if (!tactic->pick(device->isa, a) || a->softmax->vec != a->vec || !ferry_attention_read(region, in, out, n) ||
        n->dtype != tactic->dtype || out[0].dtype != (n->quantise ? FERRY_S8 : tactic->dtype))
        return ferry_misfit(tactic->name, "not attention of tensors that fit together", err);
    if (n->quantise) {
        if (!tactic->quantises || !ferry_scale_node_read(region->graph, n->quantise, &a->y_scale))
            return ferry_misfit(tactic->name, "a scale that it does not take", err);
        a->quantise = ferry_elementwise_s8_pick(device->isa)->quantise;
    }
    if (!ferry_attention_plan(a, &k->base.base.workspace_bytes))
        return ferry_misfit(tactic->name, "matrices too large", err);
    return FERRY_OK;
}

ferry_status ferry_attention_prepare(ferry_cpu_device *device, const ferry_region *region,
                                     const ferry_attention_tactic *tactic, const ferry_tensor_desc *in,
                                     const ferry_tensor_desc *out, ferry_kernel **out_kernel, ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic->name, in, out, err));
    attention_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "attention");
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, out, err), out_kernel);
}

static bool takes(const ferry_attention_tactic *tactic, bool via_f32, const ferry_graph *g, ferry_node_id root,
                  const ferry_attention_node *n)
{
    const ferry_dtype y = ferry_node_result(g, &g->nodes[root])->dtype;
    ferry_scale_node scale;
    if (n->dtype != tactic->dtype && !(via_f32 && ferry_dtype_widens_to_f32(n->dtype))) return false;
    if (!n->quantise) return y == n->dtype;
    return tactic->quantises && n->dtype == tactic->dtype && y == FERRY_S8 &&
           ferry_scale_node_read(g, n->quantise, &scale);
}

ferry_status ferry_attention_offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                                   const ferry_attention_tactic *tactic, bool via_f32, const ferry_offer_sink *sink,
                                   ferry_error *err)
{
    ferry_node_id nodes[FERRY_ATTENTION_NODES];
    int32_t n_nodes = 0;
    ferry_attention_node n;
    ferry_attention a = {0};
    if (!tactic->pick(device->isa, &a) || !ferry_attention_find(view, root, nodes, &n_nodes, &n) ||
        !takes(tactic, via_f32, view->graph, root, &n))
        return FERRY_OK;
    const double scores = (double)n.batches * (double)n.rows * (double)n.keys;
    const double macs = scores * (double)(n.depth + n.columns), bytes = (double)ferry_dtype_bytes(tactic->dtype);
    const double moved =
        (double)n.batches * bytes * (double)((n.rows + 3 * n.keys) * n.depth + (n.rows + 3 * n.keys) * n.columns);
    const ferry_offer offer = {.tactic = tactic->name,
                               .nodes = nodes,
                               .n_nodes = n_nodes,
                               .in_layout = FERRY_LAYOUT_PLAIN,
                               .out_layout = FERRY_LAYOUT_PLAIN,
                               .cost_us = 1 + ferry_cpu_cost_us(device, tactic->dtype, macs, moved) +
                                          ferry_cpu_cost_us(device, FERRY_F32, SOFTMAX_MACS * scores, 0)};
    return sink->take(sink->user, &offer, err);
}
