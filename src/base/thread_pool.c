// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <pthread.h>
#include <pthreadpool.h>
#include <sched.h>
#include <stdatomic.h>

#if defined(__SANITIZE_THREAD__)
#define FERRY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FERRY_TSAN 1
#endif
#endif

// pthreadpool synchronises with atomics of its own, which a ThreadSanitizer that did not compile them cannot see.
#ifdef FERRY_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define ACQUIRE(address) __tsan_acquire(address)
#define RELEASE(address) __tsan_release(address)
#else
#define ACQUIRE(address) ((void)(address))
#define RELEASE(address) ((void)(address))
#endif

struct ferry_thread_pool {
    const ferry_heap *heap; // borrowed
    pthreadpool_t workers;  // NULL with one thread
    size_t threads;
    atomic_int brackets; // begin/end depth
};

size_t ferry_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    const int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

static void *do_nothing(void *argument)
{
    return argument;
}

// pthreadpool does not look at pthread_create's answer and would wait for ever for a thread that was refused.
static bool threads_can_be_had(size_t count)
{
    pthread_t made[FERRY_MAX_THREADS];
    size_t n = 0;
    while (n < count && pthread_create(&made[n], NULL, do_nothing, NULL) == 0) n++;
    for (size_t i = 0; i < n; i++) pthread_join(made[i], NULL);
    return n == count;
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
    if (threads > 1) {
        if (threads_can_be_had(threads - 1)) pool->workers = pthreadpool_create(threads);
        if (!pool->workers) {
            ferry_delete(heap, pool);
            return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "cannot start %zu threads: fewer may work", threads);
        }
    }
    *out = pool;
    return FERRY_OK;
}

void ferry_thread_pool_destroy(ferry_thread_pool *pool)
{
    if (!pool) return;
    if (pool->workers) pthreadpool_destroy(pool->workers);
    ferry_delete(pool->heap, pool);
}

size_t ferry_thread_pool_threads(const ferry_thread_pool *pool)
{
    return pool ? pool->threads : 1;
}

typedef struct job {
    ferry_task_1d task_1d;
    ferry_task_2d task_2d;
    void *context;
} job;

static void run_1d(void *argument, size_t begin, size_t count)
{
    job *const j = argument;
    ACQUIRE(j);
    j->task_1d(j->context, begin, count);
    RELEASE(j);
}

static void run_2d(void *argument, size_t i, size_t j, size_t count_i, size_t count_j)
{
    job *const work = argument;
    ACQUIRE(work);
    work->task_2d(work->context, i, j, count_i, count_j);
    RELEASE(work);
}

static uint32_t loop_flags(ferry_thread_pool *pool)
{
    return atomic_load(&pool->brackets) > 0 ? 0 : PTHREADPOOL_FLAG_YIELD_WORKERS;
}

void ferry_parallel_1d(ferry_thread_pool *pool, ferry_task_1d task, void *context, size_t range, size_t tile)
{
    if (tile == 0) tile = 1;
    if (!pool || !pool->workers || range <= tile) {
        for (size_t i = 0; i < range; i += tile) {
            task(context, i, range - i < tile ? range - i : tile);
            if (range - i <= tile) break; // i + tile may not be representable
        }
        return;
    }
    job j = {.task_1d = task, .context = context};
    RELEASE(&j);
    pthreadpool_parallelize_1d_tile_1d(pool->workers, run_1d, &j, range, tile, loop_flags(pool));
    ACQUIRE(&j);
}

void ferry_parallel_2d(ferry_thread_pool *pool, ferry_task_2d task, void *context, size_t range_i, size_t range_j,
                       size_t tile_i, size_t tile_j)
{
    if (tile_i == 0) tile_i = 1;
    if (tile_j == 0) tile_j = 1;
    if (range_i == 0 || range_j == 0) return;
    if (!pool || !pool->workers || (range_i <= tile_i && range_j <= tile_j)) {
        for (size_t i = 0;; i += tile_i) {
            const size_t count_i = range_i - i < tile_i ? range_i - i : tile_i;
            for (size_t j = 0;; j += tile_j) {
                const size_t count_j = range_j - j < tile_j ? range_j - j : tile_j;
                task(context, i, j, count_i, count_j);
                if (range_j - j <= tile_j) break;
            }
            if (range_i - i <= tile_i) break;
        }
        return;
    }
    job work = {.task_2d = task, .context = context};
    RELEASE(&work);
    pthreadpool_parallelize_2d_tile_2d(pool->workers, run_2d, &work, range_i, range_j, tile_i, tile_j,
                                       loop_flags(pool));
    ACQUIRE(&work);
}

void ferry_thread_pool_begin(ferry_thread_pool *pool)
{
    if (pool) atomic_fetch_add(&pool->brackets, 1);
}

static void rest(void *context, size_t begin, size_t count)
{
    (void)context;
    (void)begin;
    (void)count;
}

void ferry_thread_pool_end(ferry_thread_pool *pool)
{
    if (!pool || atomic_fetch_sub(&pool->brackets, 1) != 1) return;
    // An empty loop tells the spinning workers to sleep.
    ferry_parallel_1d(pool, rest, NULL, pool->threads, 1);
}
