// SPDX-License-Identifier: Apache-2.0
// Data-parallel loops over a fixed set of threads. Which thread runs a task is left open, so tasks must be independent:
// then results never depend on the number of threads.
#ifndef FERRY_SRC_BASE_THREAD_POOL_H_
#define FERRY_SRC_BASE_THREAD_POOL_H_

#include "base/heap.h"
#include "base/status.h"

typedef struct ferry_thread_pool ferry_thread_pool;

/// Items [begin, begin + count) of the range; count is the tile, less at the end.
typedef void (*ferry_task_1d)(void *context, size_t begin, size_t count);
/// Items [i, i + count_i) x [j, j + count_j).
typedef void (*ferry_task_2d)(void *context, size_t i, size_t j, size_t count_i, size_t count_j);

enum { FERRY_MAX_THREADS = 512 };

/// Processors that this process may run on (its affinity mask); at least 1.
size_t ferry_processor_count(void);

/// `threads` counts the caller too; 0 = ferry_processor_count(). One thread means that no thread is made at all.
/// FERRY_ERR_INVALID_ARGUMENT above FERRY_MAX_THREADS; FERRY_ERR_OUT_OF_MEMORY when threads cannot be had.
ferry_status ferry_thread_pool_create(const ferry_heap *heap, size_t threads, ferry_thread_pool **out,
                                      ferry_error *err);

/// Waits for the threads to end. NULL is accepted.
void ferry_thread_pool_destroy(ferry_thread_pool *pool);

/// Threads that run tasks, the caller included; 1 for a NULL pool.
size_t ferry_thread_pool_threads(const ferry_thread_pool *pool);

/// Runs `task` over [0, range) in tiles of `tile` (0 = 1) and returns when all is done. Allocates nothing. A NULL pool
/// runs everything here, in order. Several threads may call at once: their loops run one after another. A task must not
/// call it on the same pool.
void ferry_parallel_1d(ferry_thread_pool *pool, ferry_task_1d task, void *context, size_t range, size_t tile);
/// The same for loops that may be cut anywhere: into tasks of one length, as many for each thread, of at least `least`
/// items (0 = 1) unless there are fewer. Where `least` is long, tasks begin at multiples of 64.
void ferry_parallel_even(ferry_thread_pool *pool, ferry_task_1d task, void *context, size_t range, size_t least);
void ferry_parallel_2d(ferry_thread_pool *pool, ferry_task_2d task, void *context, size_t range_i, size_t range_j,
                       size_t tile_i, size_t tile_j);

/// Between begin and end, the workers spin for some milliseconds while they wait for the next loop; outside, they
/// sleep shortly after a loop. Brackets may nest and come from several threads. NULL is accepted.
void ferry_thread_pool_begin(ferry_thread_pool *pool);
void ferry_thread_pool_end(ferry_thread_pool *pool);

#endif // FERRY_SRC_BASE_THREAD_POOL_H_
