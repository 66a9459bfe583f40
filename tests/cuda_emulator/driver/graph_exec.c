// SPDX-License-Identifier: Apache-2.0
// Instances of graphs. Of the nodes that may run, the one that was added last runs first: a dependency that is missing
// shows.
#include <stdlib.h>
#include <string.h>

#include "driver/graph.h"

/// The nodes of a graph as they are to run; `order` are positions in the graph.
struct emulated_graph_exec {
    const struct emulated_graph *graph; // only to tell its nodes from others
    struct emulated_node *nodes;        // by position; `after` is not used any more
    size_t *order;
    size_t count;
    unsigned launches;
};

// --- Instances -------------------------------------------------------------------------------------------------------

EXPORT(cuGraphExecDestroy, (CUgraphExec exec))
{
    if (!exec) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; exec->nodes && i < exec->count; i++) emulated_node_disown(&exec->nodes[i]);
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
        if (!emulated_node_own(&to[i])) return false;
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
                                         calloc(graph->count + 1, sizeof *exec->order), graph->count, 0};
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
    return n && !n->launch && n->from ? emulated_node_read_copy(params, n) : CUDA_ERROR_INVALID_VALUE;
}

static bool is_alike(const node *a, const node *b)
{
    if (a->call && b->call) return strcmp(a->call->name, b->call->name) == 0;
    return a->launch && b->launch;
}

EXPORT(cuGraphExecChildGraphNodeSetParams, (CUgraphExec exec, CUgraphNode of, CUgraph inner))
{
    node *const n = find(exec, of);
    if (!n || !n->inner || !inner) return CUDA_ERROR_INVALID_VALUE;
    bool alike = n->inner->count == inner->count;
    for (size_t i = 0; alike && i < inner->count; i++) alike = is_alike(n->inner->nodes[i], inner->nodes[i]);
    if (!alike) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    const node before = {.inner = n->inner};
    n->inner = emulated_graph_copy(inner);
    emulated_node_disown(&before);
    return n->inner ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

// --- Launching -------------------------------------------------------------------------------------------------------

typedef struct graph_command {
    emulated_command base;
    unsigned launch; // of the instance, counted from 0
    size_t count;
    struct emulated_node nodes[]; // copies in the order in which they run: the instance may change after the launch
} graph_command;

static void run_node(const node *n)
{
    for (size_t i = 0; n->inner && i < n->inner->count; i++) {
        if (n->inner->nodes[i]->launch)
            emulated_launch_run(n->inner->nodes[i]->launch, NULL);
        else
            emulated_call_run(n->inner->nodes[i]->call);
    }
    if (n->launch)
        emulated_launch_run(n->launch, NULL);
    else if (n->call)
        emulated_call_run(n->call);
    else if (n->from)
        memmove(n->to, n->from, n->bytes);
    else if (n->to)
        memset(n->to, n->value, n->bytes);
}

static void free_command(graph_command *c)
{
    for (size_t i = 0; i < c->count; i++) emulated_node_disown(&c->nodes[i]);
    free(c);
}

static void run_graph(emulated_command *command)
{
    graph_command *const c = (graph_command *)command;
    for (size_t i = 0; i < c->count; i++) {
        // Of kernels that may overlap, pairs do; the next time the pairs in between.
        const node *const n = &c->nodes[i], *const next = i + 1 < c->count ? n + 1 : NULL;
        if (next && next->overlaps == n->position + 1 && i % 2 == c->launch % 2)
            emulated_launch_run(c->nodes[++i].launch, n->launch);
        else
            run_node(n);
    }
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
    c->launch = exec->launches++;
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
