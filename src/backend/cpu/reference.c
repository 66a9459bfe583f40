// SPDX-License-Identifier: Apache-2.0
// Runs any single node with its operator's reference kernel: what no fast kernel takes is slow here, never wrong.
#include "backend/cpu/cpu.h"
#include "ops/op.h"

#include <string.h>

static const char tactic_name[] = "reference";

#define NOT_BOUND (-1)

typedef struct reference_kernel {
    ferry_cpu_kernel base;
    const ferry_graph *graph;
    const ferry_node *node;
    ferry_tensor *in, *out;  // [n_inputs], [n_outputs]: without the addresses that bindings bring
    int32_t *in_at, *out_at; // index of the binding; NOT_BOUND for constants, absent inputs and unused outputs
    bool infer_at_run;       // an input's true size is known only when it runs
    size_t scratch_bytes;
} reference_kernel;

// Where the per-run arrays lie in the workspace, behind the operator's scratch.
typedef struct run_arrays {
    ferry_tensor *in, *out;
    ferry_shape *in_shapes, *out_shapes;
    ferry_dtype *in_dtypes, *out_dtypes;
    size_t bytes;
} run_arrays;

static run_arrays place_arrays(const ferry_node *node, size_t offset, void *workspace)
{
    const size_t n_in = (size_t)node->n_inputs, n_out = (size_t)node->n_outputs;
    run_arrays a;
    char *p = workspace;
#define PLACE(member, count)                                                                                           \
    offset = ferry_align_size(offset, 16);                                                                             \
    a.member = p ? (void *)(p + offset) : NULL;                                                                        \
    offset += (count) * sizeof *a.member
    PLACE(in, n_in);
    PLACE(out, n_out);
    PLACE(in_shapes, n_in);
    PLACE(out_shapes, n_out);
    PLACE(in_dtypes, n_in);
    PLACE(out_dtypes, n_out);
#undef PLACE
    a.bytes = offset;
    return a;
}

// Sets the outputs' true dims from the inputs' true dims and data.
static ferry_status infer_now(const reference_kernel *k, run_arrays *a, ferry_error *err)
{
    const ferry_node *node = k->node;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        a->in_shapes[i] = ferry_shape_of(a->in[i].rank, a->in[i].dims);
        a->in_dtypes[i] = a->in[i].dtype;
    }
    for (int32_t i = 0; i < node->n_outputs; i++) {
        a->out_shapes[i] = ferry_shape_unknown();
        a->out_dtypes[i] = FERRY_DTYPE_NONE;
    }
    ferry_infer infer = {.graph = k->graph,
                         .node = node,
                         .in_shapes = a->in_shapes,
                         .in_dtypes = a->in_dtypes,
                         .in_data = a->in,
                         .out_shapes = a->out_shapes,
                         .out_dtypes = a->out_dtypes};
    FERRY_TRY(node->op->infer(&infer, err));
    for (int32_t i = 0; i < node->n_outputs; i++) {
        if (!a->out[i].data) continue;
        size_t room = 1, need = 0;
        for (int32_t d = 0; d < k->out[i].rank; d++) room *= (size_t)k->out[i].dims[d];
        if (a->out_shapes[i].rank != k->out[i].rank || !ferry_shape_elements(&a->out_shapes[i], &need) || need > room)
            return ferry_fail(err, FERRY_ERR_INTERNAL, "output %d outgrows its planned size", i);
        memcpy(a->out[i].dims, a->out_shapes[i].dims, sizeof a->out[i].dims);
    }
    return FERRY_OK;
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    const reference_kernel *k = (const reference_kernel *)kernel;
    const ferry_node *node = k->node;
    run_arrays a = place_arrays(node, ferry_align_size(k->scratch_bytes, 64), r->workspace);
    for (int32_t i = 0; i < node->n_inputs; i++) {
        a.in[i] = k->in[i];
        if (k->in_at[i] == NOT_BOUND) continue;
        const ferry_binding *b = &r->in[k->in_at[i]];
        a.in[i].data = b->data;
        memcpy(a.in[i].dims, b->dims, (size_t)a.in[i].rank * sizeof *b->dims);
    }
    for (int32_t i = 0; i < node->n_outputs; i++) {
        a.out[i] = k->out[i];
        if (k->out_at[i] != NOT_BOUND) a.out[i].data = r->out[k->out_at[i]].data;
    }
    ferry_status s = k->infer_at_run ? infer_now(k, &a, err) : FERRY_OK;
    if (s == FERRY_OK) {
        const ferry_eval eval = {.node = node, .in = a.in, .out = a.out, .scratch = r->workspace};
        s = ferry_op_eval(&eval, err);
    }
    if (s != FERRY_OK) return ferry_within(err, s, "node '%s' (%s)", node->name, node->op->name);
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (k->out_at[i] != NOT_BOUND)
            memcpy(r->out[k->out_at[i]].dims, a.out[i].dims, (size_t)a.out[i].rank * sizeof *a.out[i].dims);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    reference_kernel *k = (reference_kernel *)kernel;
    const ferry_heap *heap = kernel->base.device->heap;
    const size_t n_in = (size_t)k->node->n_inputs, n_out = (size_t)k->node->n_outputs;
    ferry_heap_free(heap, k->in, n_in * sizeof *k->in);
    ferry_heap_free(heap, k->out, n_out * sizeof *k->out);
    ferry_heap_free(heap, k->in_at, n_in * sizeof *k->in_at);
    ferry_heap_free(heap, k->out_at, n_out * sizeof *k->out_at);
}

static ferry_tensor describe(const ferry_tensor_desc *desc, const ferry_quant *quant)
{
    ferry_tensor t = {.dtype = desc->dtype, .rank = desc->rank, .quant = quant};
    memcpy(t.dims, desc->dims, sizeof t.dims);
    return t;
}

static int32_t index_of(const ferry_value_id *values, int32_t count, ferry_value_id value)
{
    for (int32_t i = 0; i < count; i++)
        if (values[i] == value) return i;
    return NOT_BOUND;
}

static void describe_tensors(reference_kernel *k, const ferry_region *region, const ferry_tensor_desc *in,
                             const ferry_tensor_desc *out)
{
    for (int32_t i = 0; i < k->node->n_inputs; i++) {
        const ferry_value_id v = k->node->inputs[i];
        k->in_at[i] = NOT_BOUND;
        if (v == FERRY_NO_VALUE) continue;
        const ferry_value *value = &region->graph->values[v];
        if (ferry_value_is_constant(value)) {
            k->in[i] = ferry_value_tensor(value);
            continue;
        }
        k->in_at[i] = index_of(region->inputs, region->n_inputs, v);
        k->in[i] = describe(&in[k->in_at[i]], &value->quant);
        k->infer_at_run |= in[k->in_at[i]].bounded;
    }
    for (int32_t i = 0; i < k->node->n_outputs; i++) {
        const ferry_value_id v = k->node->outputs[i];
        k->out_at[i] = v == FERRY_NO_VALUE ? NOT_BOUND : index_of(region->outputs, region->n_outputs, v);
        if (k->out_at[i] != NOT_BOUND) k->out[i] = describe(&out[k->out_at[i]], &region->graph->values[v].quant);
    }
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)tactic;
    (void)packed;
    (void)packed_bytes;
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    if (region->n_nodes != 1)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "tactic '%s' runs one node, not %d", tactic_name, region->n_nodes);
    const ferry_heap *heap = device->base.heap;
    reference_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a reference kernel");
    k->graph = region->graph;
    k->node = node;
    k->base.deinit = deinit;
    k->in = ferry_heap_alloc_array(heap, (size_t)node->n_inputs, sizeof *k->in);
    k->out = ferry_heap_alloc_array(heap, (size_t)node->n_outputs, sizeof *k->out);
    k->in_at = ferry_heap_alloc_array(heap, (size_t)node->n_inputs, sizeof *k->in_at);
    k->out_at = ferry_heap_alloc_array(heap, (size_t)node->n_outputs, sizeof *k->out_at);
    if (!k->in || !k->out || !k->in_at || !k->out_at) {
        device->base.backend->release(&k->base.base);
        return ferry_fail_memory(err, "a reference kernel");
    }
    describe_tensors(k, region, in, out);
    if (node->op->scratch_bytes) k->scratch_bytes = node->op->scratch_bytes(node, k->in, k->out);
    k->base.base.workspace_bytes = place_arrays(node, ferry_align_size(k->scratch_bytes, 64), NULL).bytes;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    (void)device;
    const ferry_node *node = &view->graph->nodes[root];
    if (!node->op->eval) return FERRY_OK;
    // A guess that only has to be worse than any kernel's: some ns for each element read or made.
    double elements = 0;
    for (int32_t i = 0; i < node->n_outputs; i++) {
        size_t n = 0;
        if (node->outputs[i] != FERRY_NO_VALUE &&
            ferry_shape_elements(&view->graph->values[node->outputs[i]].shape, &n))
            elements += (double)n;
    }
    const ferry_offer o = {.tactic = tactic_name,
                           .nodes = &root,
                           .n_nodes = 1,
                           .flags = FERRY_OFFER_REFERENCE,
                           .cost_us = 10 + 0.02 * elements};
    return sink->take(sink->user, &o, err);
}

extern const ferry_cpu_family ferry_cpu_family_reference;
const ferry_cpu_family ferry_cpu_family_reference = {
    .name = "reference",
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
