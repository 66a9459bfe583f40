// SPDX-License-Identifier: Apache-2.0
// Graphs: nodes with what they wait for, and their runnable copies. Of the nodes that may run next, the one that was
// added last runs first: a dependency that is missing shows.
#include <stdlib.h>
#include <string.h>

#include "driver/emulator.h"

typedef struct emulated_node node;

struct emulated_node {
    const node **after; // that this one waits for
    size_t n_after;
    size_t position;         // in its graph
    emulated_launch *launch; // NULL: a copy, a fill, or nothing
    void *to;
    const void *from; // NULL: a fill
    size_t bytes;
    unsigned char value;
};

struct emulated_graph {
    node **nodes;
    size_t count;
};

/// The nodes of a graph as they are to run; `order` are positions in the graph.
struct emulated_graph_exec {
    const struct emulated_graph *graph; // only to tell its nodes from others
    struct emulated_node *nodes;        // by position; `after` is not used any more
    size_t *order;
    size_t count;
};

static void release_node(node *n)
{
    if (!n) return;
    free(n->after);
    free(n->launch);
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

/// One row of bytes is all that is copied or filled.
static CUresult read_copy(const CUDA_MEMCPY3D *c, node *n)
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

EXPORT(cuGraphDestroy, (CUgraph graph))
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
    const CUresult r = read_copy(params, n);
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

// --- Instances -------------------------------------------------------------------------------------------------------

EXPORT(cuGraphExecDestroy, (CUgraphExec exec))
{
    if (!exec) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; exec->nodes && i < exec->count; i++) free(exec->nodes[i].launch);
    free(exec->nodes);
    free(exec->order);
    free(exec);
    return CUDA_SUCCESS;
}

static bool may_run(const node *n, const bool *done)
{
    for (size_t i = 0; i < n->n_after; i++)
        if (!done[n->after[i]->position]) return false;
    return !done[n->position];
}

/// False when nodes wait for each other.
static bool find_order(const struct emulated_graph *graph, size_t *order, bool *done)
{
    for (size_t i = 0; i < graph->count; i++) {
        size_t next = graph->count;
        while (next > 0 && !may_run(graph->nodes[next - 1], done)) next--;
        if (next == 0) return false;
        done[next - 1] = true;
        order[i] = next - 1;
    }
    return true;
}

static bool copy_nodes(struct emulated_node *to, node *const *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = *from[i];
        if (!to[i].launch) continue;
        to[i].launch = emulated_launch_copy(from[i]->launch);
        if (!to[i].launch) return false;
    }
    return true;
}

EXPORT(cuGraphInstantiateWithFlags, (CUgraphExec * out, CUgraph graph, unsigned long long flags))
{
    (void)flags;
    *out = NULL;
    CUresult r = emulated_ready();
    if (r || !graph) return r ? r : CUDA_ERROR_INVALID_VALUE;
    CUgraphExec exec = calloc(1, sizeof *exec);
    if (!exec) return CUDA_ERROR_OUT_OF_MEMORY;
    *exec = (struct emulated_graph_exec){graph, calloc(graph->count + 1, sizeof *exec->nodes),
                                         calloc(graph->count + 1, sizeof *exec->order), graph->count};
    bool *const done = calloc(graph->count + 1, sizeof *done);
    if (!exec->nodes || !exec->order || !done || !copy_nodes(exec->nodes, graph->nodes, graph->count))
        r = CUDA_ERROR_OUT_OF_MEMORY;
    else if (!find_order(graph, exec->order, done))
        r = CUDA_ERROR_INVALID_VALUE;
    free(done);
    if (r)
        cuGraphExecDestroy(exec);
    else
        *out = exec;
    return r;
}

EXPORT(cuGraphInstantiate_v2, (CUgraphExec * out, CUgraph graph, CUgraphNode *error, char *log, size_t log_bytes))
{
    if (error) *error = NULL;
    if (log && log_bytes) log[0] = 0;
    return cuGraphInstantiateWithFlags(out, graph, 0);
}

/// The instance's copy of a node of its graph.
static node *find(CUgraphExec exec, const node *n)
{
    return exec && n && n->position < exec->count ? &exec->nodes[n->position] : NULL;
}

EXPORT(cuGraphExecKernelNodeSetParams, (CUgraphExec exec, CUgraphNode of, const CUDA_KERNEL_NODE_PARAMS_v1 *params))
{
    node *const n = find(exec, of);
    if (!n || !n->launch) return CUDA_ERROR_INVALID_VALUE;
    emulated_launch *launch;
    const CUresult r = emulated_launch_create(params, &launch);
    if (r) return r;
    free(n->launch);
    n->launch = launch;
    return CUDA_SUCCESS;
}

EXPORT(cuGraphExecKernelNodeSetParams_v2, (CUgraphExec exec, CUgraphNode of, const CUDA_KERNEL_NODE_PARAMS_v2 *params))
{
    return cuGraphExecKernelNodeSetParams(exec, of, &params->v1);
}

EXPORT(cuGraphExecMemcpyNodeSetParams,
       (CUgraphExec exec, CUgraphNode of, const CUDA_MEMCPY3D *params, CUcontext context))
{
    (void)context;
    node *const n = find(exec, of);
    return n && !n->launch && n->from ? read_copy(params, n) : CUDA_ERROR_INVALID_VALUE;
}

// --- Launching -------------------------------------------------------------------------------------------------------

typedef struct graph_command {
    emulated_command base;
    size_t count;
    struct emulated_node nodes[]; // copies in the order in which they run: the instance may change after the launch
} graph_command;

static void run_node(const node *n)
{
    if (n->launch)
        emulated_launch_run(n->launch);
    else if (n->from)
        memmove(n->to, n->from, n->bytes);
    else if (n->to)
        memset(n->to, n->value, n->bytes);
}

static void free_command(graph_command *c)
{
    for (size_t i = 0; i < c->count; i++) free(c->nodes[i].launch);
    free(c);
}

static void run_graph(emulated_command *command)
{
    graph_command *const c = (graph_command *)command;
    for (size_t i = 0; i < c->count; i++) run_node(&c->nodes[i]);
    free_command(c);
}

EXPORT(cuGraphLaunch, (CUgraphExec exec, CUstream stream))
{
    if (!exec) return CUDA_ERROR_INVALID_VALUE;
    const CUresult ready = emulated_ready();
    if (ready) return ready;
    graph_command *const c = calloc(1, sizeof *c + exec->count * sizeof *c->nodes);
    if (!c) return CUDA_ERROR_OUT_OF_MEMORY;
    c->base.run = run_graph;
    for (; c->count < exec->count; c->count++) {
        node *const from = &exec->nodes[exec->order[c->count]];
        if (copy_nodes(&c->nodes[c->count], &from, 1)) continue;
        free_command(c);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    const CUresult r = emulated_enqueue(stream, &c->base);
    if (r) free_command(c);
    return r;
}

EXPORT(cuGraphUpload, (CUgraphExec exec, CUstream stream))
{
    (void)stream;
    return exec ? emulated_ready() : CUDA_ERROR_INVALID_VALUE;
}
