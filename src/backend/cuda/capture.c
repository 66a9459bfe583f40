// SPDX-License-Identifier: Apache-2.0
// What is enqueued while a stream captures becomes one CUDA graph: a chain of kernels, launched as a whole. It is built
// node by node rather than by the driver's own stream capture, so that ferry knows which arguments of which nodes are
// addresses that may change, and changes just those.
//
// What a library queues in a call of its own is captured on a stream aside, and becomes one node of the chain, a graph
// in the graph. Where such a call is given another address, it alone is captured anew.
#include <string.h>

#include "backend/cuda/device.h"

// Placeholders of tensors lie anywhere. A library chooses by how addresses are aligned: as all tensors are.
#define TENSOR_ALIGNMENT 16u

typedef struct captured {
    ferry_cu_graph_node node;
    const ferry_cuda_call *call; // borrowed from the kernel; NULL: a kernel of ferry's
    ferry_cu_function function;
    unsigned grid[3], block[3], shared_bytes;
    int32_t n_arguments;
    uint64_t values[FERRY_CUDA_MOST_ARGUMENTS];
    uint64_t captured[FERRY_CUDA_MOST_ARGUMENTS]; // the values that it was captured with
    uint32_t bound;                               // bits of arguments that are addresses of tensors
    bool changed;
} captured;

typedef struct ferry_cuda_capture {
    ferry_cuda_device *device;
    ferry_cu_graph graph;
    ferry_cu_graph_exec executable;
    ferry_cu_stream aside; // on which calls are captured; NULL: there were none yet
    captured *nodes;
    size_t n_nodes, capacity;
} ferry_cuda_capture;

_Static_assert(FERRY_CUDA_MOST_ARGUMENTS <= 32, "a bit an argument");

ferry_status ferry_cuda_capture_begin(ferry_device_stream *stream, ferry_error *err)
{
    ferry_cuda_device *device = stream->device;
    if (stream->capture) return ferry_fail(err, FERRY_ERR_INTERNAL, "the stream captures already");
    ferry_cuda_capture *c = ferry_new(device->base.heap, ferry_cuda_capture);
    if (!c) return ferry_fail_memory(err, "a CUDA graph");
    c->device = device;
    ferry_status s = ferry_cuda_enter(device, err);
    if (s == FERRY_OK) {
        s = ferry_cu_check(device->driver, device->driver->cuGraphCreate(&c->graph, 0), "making a graph", err);
        ferry_cuda_leave(device);
    }
    if (s != FERRY_OK) {
        ferry_delete(device->base.heap, c);
        return s;
    }
    stream->capture = c;
    return FERRY_OK;
}

static captured *next_node(ferry_cuda_capture *c, ferry_error *err)
{
    void *nodes = c->nodes;
    const bool room = ferry_heap_reserve(c->device->base.heap, &nodes, &c->capacity, sizeof *c->nodes, c->n_nodes + 1);
    c->nodes = nodes;
    if (room) return &c->nodes[c->n_nodes];
    (void)ferry_fail_memory(err, "a CUDA graph");
    return NULL;
}

static void take_arguments(captured *to, const ferry_cuda_launch *launch, const uint64_t *values)
{
    to->n_arguments = launch->n_arguments;
    for (int32_t i = 0; i < launch->n_arguments; i++) {
        to->values[i] = to->captured[i] = values[i];
        const ferry_cuda_argument_kind kind = launch->arguments[i].kind;
        if (kind == FERRY_CUDA_IN || kind == FERRY_CUDA_OUT) to->bound |= 1u << i;
    }
}

// Behind the node before it, overlapping its end where the kernel waits by itself and chip and driver can do that.
static ferry_status add_node(ferry_cuda_capture *c, const ferry_cu_kernel_node *node, bool waits,
                             ferry_cu_graph_node *out, ferry_error *err)
{
    const ferry_cu_driver *d = c->device->driver;
    const captured *last = c->n_nodes ? &c->nodes[c->n_nodes - 1] : NULL;
    const ferry_cu_graph_node *before = last ? &last->node : NULL;
    const bool overlaps = last && !last->call && waits && c->device->target.chip >= 90 && d->cuGraphAddDependencies_v2;
    const size_t n = before && !overlaps ? 1 : 0;
    FERRY_TRY(ferry_cu_check(d, d->cuGraphAddKernelNode(out, c->graph, n ? before : NULL, n, node),
                             "adding a kernel to a graph", err));
    if (!overlaps) return FERRY_OK;
    const ferry_cu_graph_edge edge = FERRY_CU_EDGE_PROGRAMMATIC;
    return ferry_cu_check(d, d->cuGraphAddDependencies_v2(c->graph, before, out, &edge, 1), "ordering a graph", err);
}

ferry_status ferry_cuda_capture_add(ferry_device_stream *stream, const ferry_cu_kernel_node *node,
                                    const ferry_cuda_launch *launch, ferry_error *err)
{
    ferry_cuda_capture *c = stream->capture;
    captured *to = next_node(c, err);
    if (!to) return FERRY_ERR_OUT_OF_MEMORY;
    uint64_t values[FERRY_CUDA_MOST_ARGUMENTS];
    *to = (captured){.function = node->function, .shared_bytes = node->shared_bytes};
    memcpy(to->grid, node->grid, sizeof to->grid);
    memcpy(to->block, node->block, sizeof to->block);
    for (int32_t i = 0; i < launch->n_arguments; i++) memcpy(&values[i], node->arguments[i], sizeof values[i]);
    take_arguments(to, launch, values);
    FERRY_TRY(add_node(c, node, launch->waits, &to->node, err));
    c->n_nodes++;
    return FERRY_OK;
}

// --- Calls of libraries ---------------------------------------------------------------------------------------------

bool ferry_cuda_captures_calls(const ferry_cu_driver *d)
{
    return d->cuStreamBeginCapture_v2 && d->cuStreamEndCapture && d->cuGraphAddChildGraphNode &&
           d->cuGraphExecChildGraphNodeSetParams;
}

// The call with the node's values as a graph of its own.
static ferry_status record(ferry_cuda_capture *c, const captured *n, ferry_cu_graph *out, ferry_error *err)
{
    const ferry_cu_driver *d = c->device->driver;
    *out = NULL;
    if (!c->aside)
        FERRY_TRY(
            ferry_cu_check(d, d->cuStreamCreate(&c->aside, FERRY_CU_STREAM_NON_BLOCKING), "making a stream", err));
    FERRY_TRY(ferry_cu_check(d, d->cuStreamBeginCapture_v2(c->aside, FERRY_CU_CAPTURE_RELAXED),
                             "capturing a library's call", err));
    ferry_status s = n->call->run(n->call, c->aside, n->values, err);
    const ferry_cu_result ended = d->cuStreamEndCapture(c->aside, out); // in any case
    if (s == FERRY_OK) s = ferry_cu_check(d, ended, "capturing a library's call", err);
    if (s != FERRY_OK && *out) (void)d->cuGraphDestroy(*out);
    return s;
}

ferry_status ferry_cuda_capture_add_call(ferry_device_stream *stream, const ferry_cuda_launch *launch,
                                         const uint64_t *values, ferry_error *err)
{
    ferry_cuda_capture *c = stream->capture;
    const ferry_cu_driver *d = c->device->driver;
    captured *to = next_node(c, err);
    if (!to) return FERRY_ERR_OUT_OF_MEMORY;
    *to = (captured){.call = launch->call};
    take_arguments(to, launch, values);
    for (int32_t i = 0; i < to->n_arguments; i++)
        if (to->bound >> i & 1) to->values[i] = ferry_align_size(to->values[i], TENSOR_ALIGNMENT);
    ferry_cu_graph inner = NULL;
    FERRY_TRY(record(c, to, &inner, err));
    const size_t n = c->n_nodes ? 1 : 0;
    const ferry_cu_result r = d->cuGraphAddChildGraphNode(&to->node, c->graph, n ? &to[-1].node : NULL, n, inner);
    (void)d->cuGraphDestroy(inner); // the node has a copy
    FERRY_TRY(ferry_cu_check(d, r, "adding a library's call to a graph", err));
    c->n_nodes++;
    return FERRY_OK;
}

static ferry_status update_call(ferry_cuda_capture *c, const captured *n, ferry_error *err)
{
    const ferry_cu_driver *d = c->device->driver;
    ferry_cu_graph inner = NULL;
    FERRY_TRY(record(c, n, &inner, err));
    const ferry_cu_result r = d->cuGraphExecChildGraphNodeSetParams(c->executable, n->node, inner);
    (void)d->cuGraphDestroy(inner);
    return ferry_cu_check(d, r, "giving a library's call in a graph another address", err);
}

// --- Graphs ---------------------------------------------------------------------------------------------------------

ferry_status ferry_cuda_capture_end(ferry_device_stream *stream, void **out_graph, ferry_error *err)
{
    ferry_cuda_capture *c = stream->capture;
    *out_graph = NULL;
    if (!c) return ferry_fail(err, FERRY_ERR_INTERNAL, "the stream does not capture");
    stream->capture = NULL;
    const ferry_cu_driver *d = c->device->driver;
    ferry_status s = ferry_cuda_enter(c->device, err);
    if (s == FERRY_OK) {
        const ferry_cu_result r = d->cuGraphInstantiateWithFlags
                                      ? d->cuGraphInstantiateWithFlags(&c->executable, c->graph, 0)
                                      : d->cuGraphInstantiate_v2(&c->executable, c->graph, NULL, NULL, 0);
        if (r != 0) c->executable = NULL;
        s = ferry_cu_check(d, r, "preparing a graph", err);
        ferry_cuda_leave(c->device);
    }
    if (s != FERRY_OK) {
        ferry_cuda_capture_destroy(c);
        return s;
    }
    *out_graph = c;
    return FERRY_OK;
}

static ferry_status update(ferry_cuda_capture *c, captured *n, ferry_error *err)
{
    void *addresses[FERRY_CUDA_MOST_ARGUMENTS];
    if (n->call) {
        n->changed = false;
        return update_call(c, n, err);
    }
    for (int32_t i = 0; i < n->n_arguments; i++) addresses[i] = &n->values[i];
    ferry_cu_kernel_node node = {.function = n->function, .shared_bytes = n->shared_bytes, .arguments = addresses};
    memcpy(node.grid, n->grid, sizeof node.grid);
    memcpy(node.block, n->block, sizeof node.block);
    n->changed = false;
    return ferry_cu_check(c->device->driver,
                          c->device->driver->cuGraphExecKernelNodeSetParams(c->executable, n->node, &node),
                          "giving a graph another address", err);
}

ferry_status ferry_cuda_capture_rebind(void *graph, const void *from, void *to, ferry_error *err)
{
    ferry_cuda_capture *c = graph;
    (void)err;
    for (size_t n = 0; n < c->n_nodes; n++)
        for (int32_t i = 0; i < c->nodes[n].n_arguments; i++) {
            captured *k = &c->nodes[n];
            if (!(k->bound >> i & 1) || k->captured[i] != (uint64_t)(uintptr_t)from) continue;
            k->changed |= k->values[i] != (uint64_t)(uintptr_t)to;
            k->values[i] = (uint64_t)(uintptr_t)to;
        }
    return FERRY_OK;
}

ferry_status ferry_cuda_capture_launch(void *graph, ferry_device_stream *stream, ferry_error *err)
{
    ferry_cuda_capture *c = graph;
    FERRY_TRY(ferry_cuda_enter(c->device, err));
    ferry_status s = FERRY_OK;
    for (size_t n = 0; s == FERRY_OK && n < c->n_nodes; n++)
        if (c->nodes[n].changed) s = update(c, &c->nodes[n], err);
    if (s == FERRY_OK)
        s = ferry_cu_check(c->device->driver, c->device->driver->cuGraphLaunch(c->executable, stream->stream),
                           "launching a graph", err);
    ferry_cuda_leave(c->device);
    return s;
}

void ferry_cuda_capture_destroy(void *graph)
{
    ferry_cuda_capture *c = graph;
    if (!c) return;
    const ferry_heap *heap = c->device->base.heap;
    if (ferry_cuda_enter(c->device, NULL) == FERRY_OK) {
        if (c->aside) (void)c->device->driver->cuStreamDestroy_v2(c->aside);
        if (c->executable) (void)c->device->driver->cuGraphExecDestroy(c->executable);
        if (c->graph) (void)c->device->driver->cuGraphDestroy(c->graph);
        ferry_cuda_leave(c->device);
    }
    ferry_heap_free(heap, c->nodes, c->capacity * sizeof *c->nodes);
    ferry_delete(heap, c);
}
