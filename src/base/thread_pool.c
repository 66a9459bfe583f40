// SPDX-License-Identifier: Apache-2.0
// Deals a loop's tiles out to threads that meet once a loop. A network is a hundred loops of some microseconds, so
// starting and ending one must cost far less than that.
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/thread_gate.h"

// The tiles that were dealt to one thread. Whoever has finished its own takes from the others'.
typedef struct share {
    _Alignas(FERRY_CACHE_LINE) atomic_size_t next;
    size_t end;
} share;

typedef struct loop {
    ferry_task_1d task_1d; // or task_2d
    ferry_task_2d task_2d;
    void *context;
    size_t range_i, range_j, tile_i, tile_j; // of a 1d loop: only i
    size_t tiles_j;
} loop;

typedef struct worker {
    ferry_thread_pool *pool;
    size_t index;
    pthread_t thread;
} worker;

struct ferry_thread_pool {
    const ferry_heap *heap; // borrowed
    size_t threads;
    pthread_mutex_t turn; // of callers: their loops run one after another
    loop loop;            // as the shares: written before the gate opens, read by workers that came in
    share *shares;        // [threads]
    worker *workers;      // [threads - 1]
    size_t started;
    ferry_thread_gate gate;
};

size_t ferry_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    const int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

static void run_tile(const loop *l, size_t tile)
{
    const size_t i = (l->task_1d ? tile : tile / l->tiles_j) * l->tile_i, left_i = l->range_i - i;
    const size_t count_i = left_i < l->tile_i ? left_i : l->tile_i;
    if (l->task_1d) {
        l->task_1d(l->context, i, count_i);
        return;
    }
    const size_t j = tile % l->tiles_j * l->tile_j, left_j = l->range_j - j;
    l->task_2d(l->context, i, j, count_i, left_j < l->tile_j ? left_j : l->tile_j);
}

static void work_on(ferry_thread_pool *pool, size_t index)
{
    const loop l = pool->loop;
    for (size_t k = 0; k < pool->threads; k++) {
        share *s = &pool->shares[(index + k) % pool->threads];
        // A look first: an addition would take the line from its owner.
        while (atomic_load_explicit(&s->next, memory_order_relaxed) < s->end) {
            const size_t tile = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
            if (tile < s->end) run_tile(&l, tile);
        }
    }
}

static void *live(void *argument)
{
    const worker *w = argument;
    uint_fast64_t number = 0;
    while (ferry_thread_gate_enter(&w->pool->gate, &number)) {
        work_on(w->pool, w->index);
        ferry_thread_gate_leave(&w->pool->gate);
    }
    return NULL;
}

static void run_loop(ferry_thread_pool *pool, const loop *l, size_t tiles)
{
    if (!pool || pool->threads == 1 || tiles <= 1) {
        for (size_t tile = 0; tile < tiles; tile++) run_tile(l, tile);
        return;
    }
    const size_t each = tiles / pool->threads, rest = tiles % pool->threads;
    pthread_mutex_lock(&pool->turn);
    pool->loop = *l;
    for (size_t k = 0, at = 0; k < pool->threads; k++) {
        atomic_store_explicit(&pool->shares[k].next, at, memory_order_relaxed);
        pool->shares[k].end = at += each + (k < rest);
    }
    ferry_thread_gate_open(&pool->gate);
    work_on(pool, 0);
    ferry_thread_gate_close(&pool->gate);
    pthread_mutex_unlock(&pool->turn);
}

static size_t tiles_of(size_t range, size_t tile)
{
    return range / tile + (range % tile > 0);
}

void ferry_parallel_1d(ferry_thread_pool *pool, ferry_task_1d task, void *context, size_t range, size_t tile)
{
    if (tile == 0) tile = 1;
    const loop l = {.task_1d = task, .context = context, .range_i = range, .tile_i = tile};
    run_loop(pool, &l, tiles_of(range, tile));
}

enum { TASKS_EACH = 4, WHOLE_VECTORS = 64 };

void ferry_parallel_even(ferry_thread_pool *pool, ferry_task_1d task, void *context, size_t range, size_t least)
{
    const size_t threads = ferry_thread_pool_threads(pool), worth = least ? range / least : range;
    size_t tasks = worth < TASKS_EACH * threads ? worth : TASKS_EACH * threads;
    if (tasks > threads) tasks -= tasks % threads;
    if (threads == 1 || tasks < 2) tasks = 1;
    size_t tile = tiles_of(range, tasks);
    if (tasks > 1 && least >= WHOLE_VECTORS) tile = (tile + WHOLE_VECTORS - 1) / WHOLE_VECTORS * WHOLE_VECTORS;
    ferry_parallel_1d(pool, task, context, range, tile);
}

void ferry_parallel_2d(ferry_thread_pool *pool, ferry_task_2d task, void *context, size_t range_i, size_t range_j,
                       size_t tile_i, size_t tile_j)
{
    if (tile_i == 0) tile_i = 1;
    if (tile_j == 0) tile_j = 1;
    if (range_i == 0 || range_j == 0) return;
    const loop l = {.task_2d = task,
                    .context = context,
                    .range_i = range_i,
                    .range_j = range_j,
                    .tile_i = tile_i,
                    .tile_j = tile_j,
                    .tiles_j = tiles_of(range_j, tile_j)};
    run_loop(pool, &l, tiles_of(range_i, tile_i) * l.tiles_j);
}

void ferry_thread_pool_begin(ferry_thread_pool *pool)
{
    if (pool) atomic_fetch_add(&pool->gate.bursts, 1);
}

void ferry_thread_pool_end(ferry_thread_pool *pool)
{
    if (pool) atomic_fetch_sub(&pool->gate.bursts, 1);
}

size_t ferry_thread_pool_threads(const ferry_thread_pool *pool)
{
    return pool ? pool->threads : 1;
}

static bool start_workers(ferry_thread_pool *pool)
{
    for (; pool->started < pool->threads - 1; pool->started++) {
        worker *w = &pool->workers[pool->started];
        *w = (worker){.pool = pool, .index = pool->started + 1};
        if (pthread_create(&w->thread, NULL, live, w) != 0) return false;
    }
    return true;
}

ferry_status ferry_thread_pool_create(const ferry_heap *heap, size_t threads, ferry_thread_pool **out, ferry_error *err)
{
    *out = NULL;
    if (threads == 0) threads = ferry_processor_count();
    if (threads > FERRY_MAX_THREADS)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "%zu threads asked for, at most %d are possible", threads,
                          FERRY_MAX_THREADS);
    ferry_thread_pool *pool = ferry_new(heap, ferry_thread_pool);
    if (!pool) return ferry_fail_memory(err, "the thread pool");
    pool->heap = heap;
    pool->threads = threads;
    pthread_mutex_init(&pool->turn, NULL);
    ferry_thread_gate_init(&pool->gate, threads <= ferry_processor_count());
    pool->shares = ferry_heap_alloc_array(heap, threads, sizeof *pool->shares);
    pool->workers = ferry_heap_alloc_array(heap, threads, sizeof *pool->workers);
    const bool has_memory = pool->shares && pool->workers;
    if (!has_memory || !start_workers(pool)) {
        ferry_thread_pool_destroy(pool);
        return has_memory
                   ? ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "cannot start %zu threads: fewer may work", threads)
                   : ferry_fail_memory(err, "the thread pool");
    }
    *out = pool;
    return FERRY_OK;
}

void ferry_thread_pool_destroy(ferry_thread_pool *pool)
{
    if (!pool) return;
    ferry_thread_gate_end(&pool->gate);
    for (size_t i = 0; i < pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
    ferry_heap_free(pool->heap, pool->workers, pool->threads * sizeof *pool->workers);
    ferry_heap_free(pool->heap, pool->shares, pool->threads * sizeof *pool->shares);
    ferry_thread_gate_deinit(&pool->gate);
    pthread_mutex_destroy(&pool->turn);
    ferry_delete(pool->heap, pool);
}
