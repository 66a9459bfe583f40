// SPDX-License-Identifier: Apache-2.0
// Shared ownership of what constants point into: file maps, and the pools that copied constant data lies in.
#include "graph/internal.h"

#include <stdatomic.h>

typedef struct kept_object {
    const ferry_heap *heap;
    atomic_size_t owners;
    void *object;
    void (*release)(void *object);
} kept_object;

struct ferry_graph_kept {
    struct ferry_graph_kept *next;
    kept_object *shared;
};

// A graph adds only to the pool that it made itself; copies of the graph own the pool too, and only read from it.
struct ferry_constant_pool {
    const ferry_heap *heap;
    ferry_arena arena;
};

static void release_shared(kept_object *shared)
{
    if (atomic_fetch_sub(&shared->owners, 1) > 1) return;
    shared->release(shared->object);
    ferry_delete(shared->heap, shared);
}

ferry_status ferry_graph_keep(ferry_graph *graph, void *object, void (*release)(void *object), ferry_error *err)
{
    struct ferry_graph_kept *kept = ferry_new(graph->heap, struct ferry_graph_kept);
    kept_object *shared = ferry_new(graph->heap, kept_object);
    if (!kept || !shared) {
        if (kept) ferry_delete(graph->heap, kept);
        if (shared) ferry_delete(graph->heap, shared);
        release(object);
        return ferry_fail_memory(err, "a graph's resources");
    }
    *shared = (kept_object){.heap = graph->heap, .object = object, .release = release};
    atomic_init(&shared->owners, 1);
    *kept = (struct ferry_graph_kept){graph->kept, shared};
    graph->kept = kept;
    return FERRY_OK;
}

ferry_status ferry_graph_share_kept(const ferry_graph *from, ferry_graph *to, ferry_error *err)
{
    for (const struct ferry_graph_kept *k = from->kept; k; k = k->next) {
        struct ferry_graph_kept *kept = ferry_new(to->heap, struct ferry_graph_kept);
        if (!kept) return ferry_fail_memory(err, "a graph's resources");
        atomic_fetch_add(&k->shared->owners, 1);
        *kept = (struct ferry_graph_kept){to->kept, k->shared};
        to->kept = kept;
    }
    return FERRY_OK;
}

void ferry_graph_release_kept(ferry_graph *graph)
{
    for (struct ferry_graph_kept *k = graph->kept; k;) {
        struct ferry_graph_kept *next = k->next;
        release_shared(k->shared);
        ferry_delete(graph->heap, k);
        k = next;
    }
    graph->kept = NULL;
    graph->constants = NULL; // was one of them
}

static void release_pool(void *object)
{
    struct ferry_constant_pool *pool = object;
    ferry_arena_deinit(&pool->arena);
    ferry_delete(pool->heap, pool);
}

void *ferry_graph_constant_room(ferry_graph *graph, size_t bytes)
{
    if (!graph->constants) {
        struct ferry_constant_pool *pool = ferry_new(graph->heap, struct ferry_constant_pool);
        if (!pool) return NULL;
        pool->heap = graph->heap;
        ferry_arena_init(&pool->arena, graph->heap);
        if (ferry_graph_keep(graph, pool, release_pool, NULL) != FERRY_OK) return NULL;
        graph->constants = pool;
    }
    return ferry_arena_alloc(&graph->constants->arena, bytes);
}
