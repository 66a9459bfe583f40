// SPDX-License-Identifier: Apache-2.0
// What the mock device computes: a few operators, with the reference kernels, some of them only in channels-last
// layout so that plans need reformats, and Conv + Relu as one region.
#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "support/mock_internal.h"

// --- Which regions -------------------------------------------------------------------------------------------------

static const char *const known[] = {"Relu", "Add", "Mul", "Conv", "MaxPool", NULL};

static bool knows(const mock_device *d, const ferry_graph *graph, const ferry_node *node)
{
    bool found = false;
    for (int i = 0; known[i]; i++) found |= node->op->domain[0] == 0 && ferry_node_is(node, known[i]);
    if (!found || (d->no_conv && ferry_node_is(node, "Conv"))) return false;
    if (node->n_outputs != 1) return false;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != FERRY_NO_VALUE && graph->values[node->inputs[i]].dtype != FERRY_F32) return false;
    return true;
}

void mock_why_not(ferry_device *device, const ferry_graph *graph, ferry_node_id node, char *out, size_t out_bytes)
{
    (void)device;
    snprintf(out, out_bytes, "the mock device has no %s", graph->nodes[node].op->name);
}

// The Conv whose only reader is the Relu at `root`, or FERRY_NO_NODE.
static ferry_node_id conv_before(const mock_device *d, const ferry_graph *g, ferry_node_id root)
{
    if (!ferry_node_is(&g->nodes[root], "Relu")) return FERRY_NO_NODE;
    const ferry_value_id x = g->nodes[root].inputs[0];
    const ferry_node_id conv = g->values[x].producer;
    if (conv == FERRY_NO_NODE || !ferry_node_is(&g->nodes[conv], "Conv") || !knows(d, g, &g->nodes[conv]))
        return FERRY_NO_NODE;
    return ferry_graph_only_user(g, x) == root ? conv : FERRY_NO_NODE;
}

ferry_status mock_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                        const ferry_offer_sink *sink, ferry_error *err)
{
    const mock_device *d = (const mock_device *)device;
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!knows(d, g, node)) return FERRY_OK;
    const bool only_last = ferry_node_is(node, "Conv") || ferry_node_is(node, "MaxPool");
    const ferry_offer last = {.tactic = "mock_last",
                              .nodes = &root,
                              .n_nodes = 1,
                              .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                              .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                              .flags = ferry_node_is(node, "Relu") ? FERRY_OFFER_IN_PLACE : 0,
                              .cost_us = 5};
    FERRY_TRY(sink->take(sink->user, &last, err));
    if (!only_last) {
        const ferry_offer plain = {
            .tactic = "mock_plain", .nodes = &root, .n_nodes = 1, .flags = last.flags, .cost_us = 5};
        FERRY_TRY(sink->take(sink->user, &plain, err));
    }
    const ferry_node_id conv = conv_before(d, g, root);
    if (conv == FERRY_NO_NODE) return FERRY_OK;
    const ferry_node_id both[2] = {conv, root};
    const ferry_offer fused = {.tactic = "mock_conv_relu",
                               .nodes = both,
                               .n_nodes = 2,
                               .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .cost_us = 6};
    return sink->take(sink->user, &fused, err);
}

// --- Constants and places in the workspace -------------------------------------------------------------------------

typedef struct constant_walk {
    const ferry_graph *graph;
    const ferry_node_id *nodes;
    int32_t n_nodes;
    size_t offset;
} constant_walk;

// The next constant input of the region and its place; NULL at the end. (node, input) is the state.
static const ferry_value *next_constant(constant_walk *w, int32_t *node, int32_t *input, size_t *out_at)
{
    for (; *node < w->n_nodes; ++*node, *input = 0) {
        const ferry_node *n = &w->graph->nodes[w->nodes[*node]];
        for (; *input < n->n_inputs; ++*input) {
            const ferry_value_id v = n->inputs[*input];
            if (v == FERRY_NO_VALUE || !ferry_value_is_constant(&w->graph->values[v])) continue;
            *out_at = w->offset;
            w->offset = ferry_align_size(w->offset + w->graph->values[v].data_bytes, 64);
            ++*input;
            return &w->graph->values[v];
        }
    }
    return NULL;
}

ferry_status mock_pack(ferry_device *device, const ferry_region *region, const char *tactic, void **out_data,
                       size_t *out_bytes, ferry_error *err)
{
    (void)tactic;
    *out_data = NULL;
    *out_bytes = 0;
    size_t at = 0;
    constant_walk w = {region->graph, region->nodes, region->n_nodes, 0};
    for (int32_t n = 0, i = 0; next_constant(&w, &n, &i, &at);) {
    }
    if (w.offset == 0) return FERRY_OK;
    char *data = ferry_heap_alloc(device->heap, w.offset);
    if (!data) return ferry_fail_memory(err, "packed constants");
    *out_data = data;
    *out_bytes = w.offset;
    w.offset = 0;
    const ferry_value *v;
    for (int32_t n = 0, i = 0; (v = next_constant(&w, &n, &i, &at));) memcpy(data + at, v->data, v->data_bytes);
    return FERRY_OK;
}

// Where a value of the region lies in the workspace, in plain layout: bindings first, then what nodes make.
static size_t place_value(const mock_kernel *k, ferry_value_id value, size_t *out_bytes)
{
    size_t at = 0, bytes = 0;
    for (int32_t i = 0; i < k->n_in; i++) {
        ferry_tensor_desc_bytes(&k->in[i], &bytes);
        *out_bytes = bytes;
        if (k->in_values[i] == value) return at;
        at += ferry_align_size(bytes, 64);
    }
    for (int32_t n = 0; n < k->n_nodes; n++) {
        const ferry_value_id made = k->graph->nodes[k->nodes[n]].outputs[0];
        // All values that one region makes have the size of its output here: Relu keeps the shape.
        ferry_tensor_desc_bytes(&k->out[0], &bytes);
        *out_bytes = bytes;
        if (made == value) return at;
        at += ferry_align_size(bytes, 64);
    }
    return at; // of nothing: the end, where the operators' scratch is
}

static ferry_tensor tensor_of(const ferry_tensor_desc *desc, void *data)
{
    ferry_tensor t = {.dtype = desc->dtype, .rank = desc->rank, .data = data, .quant = desc->quant};
    memcpy(t.dims, desc->dims, sizeof t.dims);
    return t;
}

enum { MOCK_INPUTS = 8 };

static size_t list_tensors(const mock_kernel *k, int32_t at, char *workspace, char *constants, ferry_tensor *in,
                           ferry_tensor *out)
{
    const ferry_node *node = &k->graph->nodes[k->nodes[at]];
    size_t bytes = 0, place = 0;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        in[i] = (ferry_tensor){0};
        if (v == FERRY_NO_VALUE) continue;
        if (ferry_value_is_constant(&k->graph->values[v])) {
            in[i] = ferry_value_tensor(&k->graph->values[v]);
            constant_walk w = {k->graph, k->nodes, k->n_nodes, 0};
            const ferry_value *found;
            for (int32_t n = 0, c = 0; (found = next_constant(&w, &n, &c, &place));)
                if (found == &k->graph->values[v]) break;
            in[i].data = constants ? constants + place : NULL;
            continue;
        }
        const ferry_tensor_desc *desc = &k->out[0];
        for (int32_t b = 0; b < k->n_in; b++)
            if (k->in_values[b] == v) desc = &k->in[b];
        in[i] = tensor_of(desc, workspace ? workspace + place_value(k, v, &bytes) : NULL);
    }
    out[0] = tensor_of(&k->out[0], workspace ? workspace + place_value(k, node->outputs[0], &bytes) : NULL);
    return place_value(k, FERRY_NO_VALUE, &bytes);
}

// --- Preparing -----------------------------------------------------------------------------------------------------

ferry_status mock_prepare(ferry_device *device, const ferry_region *region, const char *tactic,
                          const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                          size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    mock_device *d = (mock_device *)device;
    *out_kernel = NULL;
    if (d->stuck) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "the mock device is stuck");
    if (strncmp(tactic, "mock_", 5) != 0)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "the mock device has no tactic '%s'", tactic);
    if (region->n_nodes > MOCK_NODES || region->n_inputs > MOCK_BINDINGS || region->n_outputs != 1)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "no region of the mock device");
    for (int32_t n = 0; n < region->n_nodes; n++)
        if (!knows(d, region->graph, &region->graph->nodes[region->nodes[n]]) ||
            region->graph->nodes[region->nodes[n]].n_inputs > MOCK_INPUTS)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "the mock device can't run this");
    size_t at = 0;
    constant_walk w = {region->graph, region->nodes, region->n_nodes, 0};
    for (int32_t n = 0, i = 0; next_constant(&w, &n, &i, &at);) {
    }
    if (w.offset != packed_bytes)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "packed constants of %zu bytes, expected %zu", packed_bytes,
                          w.offset);
    mock_kernel *k = ferry_new(device->heap, mock_kernel);
    if (!k) return ferry_fail_memory(err, "a mock kernel");
    k->base.device = device;
    k->graph = region->graph;
    k->n_nodes = region->n_nodes;
    k->n_in = region->n_inputs;
    k->n_out = region->n_outputs;
    memcpy(k->nodes, region->nodes, (size_t)k->n_nodes * sizeof *k->nodes);
    memcpy(k->in_values, region->inputs, (size_t)k->n_in * sizeof *k->in_values);
    memcpy(k->out_values, region->outputs, (size_t)k->n_out * sizeof *k->out_values);
    memcpy(k->in, in, (size_t)k->n_in * sizeof *in);
    memcpy(k->out, out, (size_t)k->n_out * sizeof *out);
    if (packed_bytes) {
        k->constants = device->backend->alloc(device, packed_bytes);
        if (!k->constants) {
            ferry_delete(device->heap, k);
            return ferry_fail_memory(err, "constants on the mock device");
        }
        k->constants_bytes = packed_bytes;
        memcpy(mock_own(d, k->constants, packed_bytes), packed, packed_bytes);
    }
    size_t scratch = 0;
    for (int32_t n = 0; n < k->n_nodes; n++) {
        ferry_tensor ins[MOCK_INPUTS], outs[1];
        const ferry_node *node = &k->graph->nodes[k->nodes[n]];
        k->base.workspace_bytes = ferry_align_size(list_tensors(k, n, NULL, NULL, ins, outs), 64);
        const size_t need = node->op->scratch_bytes ? node->op->scratch_bytes(node, ins, outs) : 0;
        if (need > scratch) scratch = need;
    }
    k->base.workspace_bytes += scratch;
    *out_kernel = &k->base;
    return FERRY_OK;
}

ferry_status mock_prepare_reformat(ferry_device *device, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                   const void *packed, size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    *out_kernel = NULL;
    mock_kernel *k = ferry_new(device->heap, mock_kernel);
    if (!k) return ferry_fail_memory(err, "a mock kernel");
    k->base.device = device;
    k->n_in = k->n_out = 1;
    k->in[0] = *in;
    k->out[0] = *out;
    *out_kernel = &k->base;
    return FERRY_OK;
}

void mock_release(ferry_kernel *kernel)
{
    mock_kernel *k = (mock_kernel *)kernel;
    if (!k) return;
    ferry_device *device = kernel->device;
    if (k->constants) device->backend->free(device, k->constants, k->constants_bytes);
    ferry_delete(device->heap, k);
}

// --- Running, on the device's thread -------------------------------------------------------------------------------

static void convert(const ferry_tensor_desc *from, const char *in, const ferry_tensor_desc *to, char *out)
{
    const size_t elem = ferry_dtype_bytes(from->dtype);
    int64_t at[FERRY_MAX_RANK] = {0};
    size_t n = 1;
    for (int32_t d = 0; d < from->rank; d++) n *= (size_t)from->dims[d];
    for (size_t i = 0; i < n; i++) {
        int64_t source = 0, target = 0;
        for (int32_t d = 0; d < from->rank; d++) {
            source += at[d] * from->strides[d];
            target += at[d] * to->strides[d];
        }
        memcpy(out + (size_t)target * elem, in + (size_t)source * elem, elem);
        for (int32_t d = from->rank - 1; d >= 0 && ++at[d] == from->dims[d]; d--) at[d] = 0;
    }
}

static ferry_tensor_desc plain_of(const ferry_tensor_desc *desc)
{
    ferry_tensor_desc plain = *desc;
    plain.layout = FERRY_LAYOUT_PLAIN;
    ferry_tensor_desc_set_strides(&plain);
    return plain;
}

static char *own_bytes(const mock_device *d, const ferry_tensor_desc *desc, const void *data)
{
    size_t bytes = 0;
    ferry_tensor_desc_bytes(desc, &bytes);
    return mock_own(d, data, bytes);
}

ferry_status mock_kernel_run(const mock_kernel *k, const ferry_binding *in, const ferry_binding *out, void *workspace,
                             ferry_error *err)
{
    const mock_device *d = (const mock_device *)k->base.device;
    size_t bytes = 0;
    if (k->n_nodes == 0) {
        convert(&k->in[0], own_bytes(d, &k->in[0], in[0].data), &k->out[0], own_bytes(d, &k->out[0], out[0].data));
        return FERRY_OK;
    }
    char *scratch = mock_own(d, workspace, k->base.workspace_bytes);
    for (int32_t i = 0; i < k->n_in; i++) {
        const ferry_tensor_desc plain = plain_of(&k->in[i]);
        convert(&k->in[i], own_bytes(d, &k->in[i], in[i].data), &plain,
                scratch + place_value(k, k->in_values[i], &bytes));
    }
    char *constants = k->constants ? mock_own(d, k->constants, k->constants_bytes) : NULL;
    for (int32_t n = 0; n < k->n_nodes; n++) {
        ferry_tensor ins[MOCK_INPUTS], outs[1];
        const size_t end = list_tensors(k, n, scratch, constants, ins, outs);
        const ferry_eval eval = {.node = &k->graph->nodes[k->nodes[n]],
                                 .in = ins,
                                 .out = outs,
                                 .scratch = scratch + ferry_align_size(end, 64)};
        FERRY_TRY(ferry_op_eval(&eval, err));
    }
    const ferry_tensor_desc plain = plain_of(&k->out[0]);
    convert(&plain, scratch + place_value(k, k->out_values[0], &bytes), &k->out[0],
            own_bytes(d, &k->out[0], out[0].data));
    if (d->smash) memset(scratch, 0xEE, k->base.workspace_bytes);
    return FERRY_OK;
}
