// SPDX-License-Identifier: Apache-2.0
// Data movers as strided copies, for elements of any size and for every layout.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/strided_copy.h"
#include "backend/reading/move_plan.h"
#include "ops/op.h"

static const char tactic_name[] = "strided_copy";

typedef struct move_kernel {
    ferry_cpu_kernel base;
    ferry_move *moves;      // owned; in and out are indices of bindings
    const void **constants; // owned, [most]: what a move without a bound input reads
    int32_t most, count;
    bool fills;
    uint64_t value;
    size_t fill_elements, elem_bytes;
    int32_t fill_output;
} move_kernel;

typedef struct fill_job {
    char *out;
    uint64_t value;
    size_t elem_bytes;
} fill_job;

static void fill_some(void *context, size_t begin, size_t count)
{
    const fill_job *j = context;
    switch (j->elem_bytes) {
    case 1:
        memset(j->out + begin, (uint8_t)j->value, count);
        break;
    case 2:
        for (size_t i = begin; i < begin + count; i++) ((uint16_t *)j->out)[i] = (uint16_t)j->value;
        break;
    case 4:
        for (size_t i = begin; i < begin + count; i++) ((uint32_t *)j->out)[i] = (uint32_t)j->value;
        break;
    default:
        for (size_t i = begin; i < begin + count; i++) ((uint64_t *)j->out)[i] = j->value;
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const move_kernel *k = (const move_kernel *)kernel;
    if (k->fills) {
        fill_job j = {r->out[k->fill_output].data, k->value, k->elem_bytes};
        ferry_parallel_1d(r->pool, fill_some, &j, k->fill_elements, 16384);
    }
    for (int32_t i = 0; i < k->count; i++) {
        const ferry_move *m = &k->moves[i];
        ferry_strided_copy_run(&m->copy, r->pool, r->out[m->output].data,
                               m->input >= 0 ? r->in[m->input].data : k->constants[i]);
    }
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    move_kernel *k = (move_kernel *)kernel;
    const ferry_heap *heap = kernel->base.device->heap;
    ferry_heap_free(heap, k->moves, (size_t)k->most * sizeof *k->moves);
    ferry_heap_free(heap, k->constants, (size_t)k->most * sizeof *k->constants);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static int32_t region_output(const ferry_region *region, ferry_value_id value)
{
    for (int32_t i = 0; i < region->n_outputs && value != FERRY_NO_VALUE; i++)
        if (region->outputs[i] == value) return i;
    return -1;
}

static ferry_status fill_kernel(move_kernel *k, const ferry_region *region, const char *tactic,
                                const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_tensor_desc *descs,
                                ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_move_node n = {region->graph, node, descs, descs + node->n_inputs};
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_operand operand = ferry_operand_of(region, in, i);
        descs[i] = operand.desc;
        if (!operand.present) descs[i].rank = -1;
    }
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const int32_t at = region_output(region, node->outputs[o]);
        if (at >= 0)
            descs[node->n_inputs + o] = out[at];
        else
            descs[node->n_inputs + o].rank = -1;
    }
    if (!ferry_move_plan(&n, k->moves, &k->count, &k->fills, &k->value))
        return ferry_misfit(tactic, "shapes or parameters that do not fit together", err);
    k->fill_output = region_output(region, node->outputs[0]);
    k->fill_elements = 1;
    for (int32_t d = 0; d < n.y[0].rank; d++) k->fill_elements *= (size_t)n.y[0].dims[d];
    k->elem_bytes = ferry_dtype_bytes(n.y[0].dtype);
    if (k->fills && !ferry_tensor_desc_is_dense(&n.y[0], n.y[0].layout))
        return ferry_misfit(tactic, "an output with gaps", err);
    for (int32_t i = 0; i < k->count; i++) {
        const ferry_operand operand = ferry_operand_of(region, in, k->moves[i].input);
        k->moves[i].input = operand.at;
        k->constants[i] = operand.data;
        k->moves[i].output = region_output(region, node->outputs[k->moves[i].output]);
    }
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_heap *heap = device->base.heap;
    const int32_t most = ferry_move_most(node);
    if (most < 1 || node->n_inputs < 1) return ferry_misfit(tactic, "a node that it does not know", err);
    move_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a copy");
    k->base.deinit = deinit;
    k->most = most;
    k->moves = ferry_heap_alloc_array(heap, (size_t)most, sizeof *k->moves);
    k->constants = ferry_heap_alloc_array(heap, (size_t)most, sizeof *k->constants);
    const size_t n_descs = (size_t)node->n_inputs + (size_t)node->n_outputs;
    ferry_tensor_desc *descs = ferry_heap_alloc_array(heap, n_descs, sizeof *descs);
    const ferry_status s = k->moves && k->constants && descs ? fill_kernel(k, region, tactic, in, out, descs, err)
                                                             : ferry_fail_memory(err, "a copy");
    ferry_heap_free(heap, descs, n_descs * sizeof *descs);
    return ferry_cpu_kernel_done(&k->base, s, out_kernel);
}

// Runs of fewer bytes than a line cost as much as a line.
static double price(ferry_cpu_device *device, const ferry_move *moves, int32_t count)
{
    double us = 0.5;
    for (int32_t i = 0; i < count; i++) {
        const ferry_nd *w = &moves[i].copy.walk;
        const double elements = (double)w->runs * (double)ferry_nd_row(w);
        const bool dense = ferry_nd_step(w, 0) == 1 && ferry_nd_step(w, 1) == 1;
        const double bytes = elements * (double)moves[i].copy.elem_bytes;
        us += ferry_cpu_cost_us(device, FERRY_F32, 0, 2 * bytes) - 0.9;
        us += dense ? (double)w->runs * 5e-3 : elements * 8e-4;
    }
    return us;
}

static void describe(const ferry_graph *graph, ferry_value_id id, ferry_tensor_layout layout, ferry_tensor_desc *out)
{
    *out = (ferry_tensor_desc){.rank = -1};
    if (id == FERRY_NO_VALUE) return;
    const ferry_value *v = &graph->values[id];
    const bool plain = ferry_value_is_constant(v) || v->shape.rank < 3;
    *out = (ferry_tensor_desc){.dtype = v->dtype, .layout = plain ? FERRY_LAYOUT_PLAIN : layout, .rank = v->shape.rank};
    memcpy(out->dims, v->shape.dims, sizeof out->dims);
    ferry_tensor_desc_set_strides(out);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    const int32_t most = ferry_move_most(node);
    if (most < 1 || node->n_inputs < 1 || !ferry_node_is_plain(view, root) || ferry_node_has_constant(g, node, 0))
        return FERRY_OK;
    const ferry_heap *heap = device->base.heap;
    const size_t n_descs = (size_t)node->n_inputs + (size_t)node->n_outputs;
    ferry_tensor_desc *descs = ferry_heap_alloc_array(heap, n_descs, sizeof *descs);
    ferry_move *moves = ferry_heap_alloc_array(heap, (size_t)most, sizeof *moves);
    ferry_status s = descs && moves ? FERRY_OK : ferry_fail_memory(err, "offers");
    // Inputs and outputs in the same layout; a Transpose may also do the work of a change of layout.
    const bool spatial = ferry_node_value(g, node, 0)->shape.rank >= 3 || ferry_node_result(g, node)->shape.rank >= 3;
    const bool free_layouts = ferry_node_is(node, "Transpose");
    for (int l = 0; s == FERRY_OK && l < (spatial ? 4 : 1); l++) {
        const ferry_tensor_layout from = l & 1 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        const ferry_tensor_layout to = l & 2 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        if (from != to && !free_layouts) continue;
        for (int32_t i = 0; i < node->n_inputs; i++) describe(g, node->inputs[i], from, &descs[i]);
        for (int32_t o = 0; o < node->n_outputs; o++) describe(g, node->outputs[o], to, &descs[node->n_inputs + o]);
        const ferry_move_node n = {g, node, descs, descs + node->n_inputs};
        int32_t count = 0;
        bool fills = false;
        uint64_t value = 0;
        if (!ferry_move_plan(&n, moves, &count, &fills, &value)) break;
        const double filling = fills ? ferry_value_bytes(ferry_node_result(g, node)) / 16e3 : 0;
        const uint32_t flags = fills ? FERRY_OFFER_READS_SLICES : FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
        s = ferry_offer_node(sink, tactic_name, root, from, to, flags, price(device, moves, count) + filling, err);
    }
    ferry_heap_free(heap, descs, n_descs * sizeof *descs);
    ferry_heap_free(heap, moves, (size_t)most * sizeof *moves);
    return s;
}

extern const ferry_cpu_family ferry_cpu_family_move;
const ferry_cpu_family ferry_cpu_family_move = {
    .name = "move",
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
