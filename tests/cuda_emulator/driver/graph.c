// SPDX-License-Identifier: Apache-2.0
// Graphs: nodes, and what they wait for.
#include <stdlib.h>
#include <string.h>

#include "driver/graph.h"

API CUresult cuGraphDestroy(CUgraph graph);

void emulated_node_disown(const node *n)
{
    free(n->launch);
    free(n->call);
    if (n->inner) cuGraphDestroy(n->inner);
}

bool emulated_node_own(node *n)
{
    const node from = *n;
    n->launch = from.launch ? emulated_launch_copy(from.launch) : NULL;
    n->call = from.call ? emulated_call_copy(from.call) : NULL;
    n->inner = from.inner ? emulated_graph_copy(from.inner) : NULL;
    return (n->launch || !from.launch) && (n->call || !from.call) && (n->inner || !from.inner);
}

static void release_node(node *n)
{
    if (!n) return;
    free(n->after);
    emulated_node_disown(n);
    free(n);
}

static CUresult add(CUgraph graph, const CUgraphNode *after, size_t n_after, node *n, CUgraphNode *out)
{
    node **const nodes = realloc(graph->nodes, (graph->count + 1) * sizeof *nodes);
    if (nodes) graph->nodes = nodes;
    n->after = malloc((n_after + 1) * sizeof *n->after);
    if (!nodes || !n->after) {
        release_node(n);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < n_after; i++) n->after[i] = after[i];
    n->n_after = n_after;
    n->position = graph->count;
    graph->nodes[graph->count++] = n;
    *out = n;
    return CUDA_SUCCESS;
}

CUresult emulated_node_read_copy(const CUDA_MEMCPY3D *c, node *n)
{
    if (c->height != 1 || c->depth != 1) return CUDA_ERROR_NOT_SUPPORTED;
    n->from = c->from.memory_type == CU_MEMORYTYPE_HOST ? c->from.host : (const void *)c->from.device;
    n->to = c->to.memory_type == CU_MEMORYTYPE_HOST ? c->to.host : (void *)c->to.device;
    n->from = (const char *)n->from + c->from.x_bytes;
    n->to = (char *)n->to + c->to.x_bytes;
    n->bytes = c->width_bytes;
    const bool good =
        (c->from.memory_type == CU_MEMORYTYPE_HOST || emulated_is_device((CUdeviceptr)n->from, n->bytes)) &&
        (c->to.memory_type == CU_MEMORYTYPE_HOST || emulated_is_device((CUdeviceptr)n->to, n->bytes));
    return good ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// --- Building --------------------------------------------------------------------------------------------------------

EXPORT(cuGraphCreate, (CUgraph * out, unsigned flags))
{
    *out = NULL;
    const CUresult r = emulated_ready();
    if (r || flags) return r ? r : CUDA_ERROR_INVALID_VALUE;
    *out = calloc(1, sizeof **out);
    return *out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuGraphDestroy(CUgraph graph)
{
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < graph->count; i++) release_node(graph->nodes[i]);
    free(graph->nodes);
    free(graph);
    return CUDA_SUCCESS;
}

EXPORT(cuGraphAddEmptyNode, (CUgraphNode * out, CUgraph graph, const CUgraphNode *after, size_t n_after))
{
    node *const n = calloc(1, sizeof *n);
    return n ? add(graph, after, n_after, n, out) : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT(cuGraphAddKernelNode, (CUgraphNode * out, CUgraph graph, const CUgraphNode *after, size_t n_after,
                              const CUDA_KERNEL_NODE_PARAMS_v1 *params))
{
    node *const n = calloc(1, sizeof *n);
    if (!n) return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult r = emulated_launch_create(params, &n->launch);
    if (!r) return add(graph, after, n_after, n, out);
    release_node(n);
    return r;
}

EXPORT(cuGraphAddKernelNode_v2, (CUgraphNode * out, CUgraph graph, const CUgraphNode *after, size_t n_after,
                                 const CUDA_KERNEL_NODE_PARAMS_v2 *params))
{
    return cuGraphAddKernelNode(out, graph, after, n_after, &params->v1);
}

EXPORT(cuGraphAddMemcpyNode, (CUgraphNode * out, CUgraph graph, const CUgraphNode *after, size_t n_after,
                              const CUDA_MEMCPY3D *params, CUcontext context))
{
    (void)context;
    node *const n = calloc(1, sizeof *n);
    if (!n) return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult r = emulated_node_read_copy(params, n);
    if (!r) return add(graph, after, n_after, n, out);
    release_node(n);
    return r;
}

EXPORT(cuGraphAddMemsetNode, (CUgraphNode * out, CUgraph graph, const CUgraphNode *after, size_t n_after,
                              const CUDA_MEMSET_NODE_PARAMS *params, CUcontext context))
{
    (void)context;
    if (params->element_bytes != 1 || params->height != 1) return CUDA_ERROR_NOT_SUPPORTED;
    if (!emulated_is_device(params->to, params->width)) return CUDA_ERROR_INVALID_VALUE;
    node *const n = calloc(1, sizeof *n);
    if (!n) return CUDA_ERROR_OUT_OF_MEMORY;
    n->to = (void *)params->to;
    n->bytes = params->width;
    n->value = (unsigned char)params->value;
    return add(graph, after, n_after, n, out);
}

CUresult emulated_graph_append(CUgraph graph, emulated_launch *launch, emulated_call *call)
{
    node *const n = calloc(1, sizeof *n), *last = graph->count ? graph->nodes[graph->count - 1] : NULL, *out;
    if (n) {
        n->launch = launch;
        n->call = call;
        return add(graph, &last, last ? 1 : 0, n, &out);
    }
    free(launch);
    free(call);
    return CUDA_ERROR_OUT_OF_MEMORY;
}

struct emulated_graph *emulated_graph_copy(const struct emulated_graph *graph)
{
    CUgraph copy = calloc(1, sizeof *copy);
    bool whole = copy != NULL;
    for (size_t i = 0; whole && i < graph->count; i++) {
        node n = *graph->nodes[i];
        whole = !n.inner && !n.to; // of what streams capture here
        if (whole && !emulated_node_own(&n)) {
            emulated_node_disown(&n);
            whole = false;
        }
        if (whole) whole = emulated_graph_append(copy, n.launch, n.call) == CUDA_SUCCESS;
    }
    if (copy && !whole) cuGraphDestroy(copy);
    return whole ? copy : NULL;
}

EXPORT(cuGraphAddChildGraphNode,
       (CUgraphNode * out, CUgraph graph, const CUgraphNode *after, size_t n_after, CUgraph inner))
{
    if (!inner) return CUDA_ERROR_INVALID_VALUE;
    node *const n = calloc(1, sizeof *n);
    if (!n) return CUDA_ERROR_OUT_OF_MEMORY;
    n->inner = emulated_graph_copy(inner);
    if (n->inner) return add(graph, after, n_after, n, out);
    release_node(n);
    return CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult add_dependency(node *to, const node *from, bool programmatic)
{
    const node **const after = realloc(to->after, (to->n_after + 1) * sizeof *after);
    if (!after) return CUDA_ERROR_OUT_OF_MEMORY;
    to->after = after;
    to->after[to->n_after++] = from;
    if (programmatic) to->overlaps = from->position + 1;
    return CUDA_SUCCESS;
}

EXPORT(cuGraphAddDependencies_v2,
       (CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, const CUgraphEdgeData *edges, size_t count))
{
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    CUresult r = CUDA_SUCCESS;
    for (size_t i = 0; i < count && !r; i++) {
        const bool programmatic = edges && edges[i].type == CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
        if (programmatic && (!from[i]->launch || !to[i]->launch || edges[i].from_port > 1))
            return CUDA_ERROR_INVALID_VALUE;
        r = add_dependency(to[i], from[i], programmatic);
    }
    return r;
}

EXPORT(cuGraphAddDependencies, (CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count))
{
    return cuGraphAddDependencies_v2(graph, from, to, NULL, count);
}
