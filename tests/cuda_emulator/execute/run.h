// SPDX-License-Identifier: Apache-2.0
// A grid while it runs: what grids (grid.c) and blocks (block.c) share.
#ifndef FERRY_TESTS_CUDA_EMULATOR_EXECUTE_RUN_H_
#define FERRY_TESTS_CUDA_EMULATOR_EXECUTE_RUN_H_

#include <stdbool.h>

#include "execute/fiber.h"
#include "execute/grid.h"

enum { MOST_THREADS = 1024 };
// Shared memory before anybody wrote it: read as a float of any width it is no number.
#define GARBAGE 0xff

typedef enum state { READY, AT_BARRIER, AT_DEPENDENCY, IN_COLLECTIVE, FINISHED } state;

typedef struct cuda_thread {
    emulated_fiber fiber;
    state state;
    emulated_uint3 index;
    emulated_collective collective;
    unsigned lanes;
    const void *operands;
    void *result;
} cuda_thread;

/// A grid, and its present block.
typedef struct grid_run {
    const emulated_grid *grid;
    cuda_thread threads[MOST_THREADS];
    unsigned n_threads, current, finished, votes, released_votes;
    bool dependency_done;
    size_t first_stack; // of those that its threads run on
    emulated_fiber scheduler;
    char *shared_memory; // of the greatest block so far, between guards
    size_t shared_capacity;
} grid_run;

/// The grid that runs; NULL: none. One runs in the process at a time, and a second one inside it: the first waits for
/// what it depends on.
extern grid_run *emulated_now;
extern emulated_runtime emulated_device;

size_t emulated_static_shared_bytes(const emulated_image *image);
/// Runs what the grid depends on, once.
void emulated_run_dependency(void);
/// Runs the block whose place is set.
void emulated_block_run(bool backward);

// What a thread does when it waits.
unsigned emulated_wait_at_barrier(unsigned predicate);
void emulated_wait_for_dependency(void);
void emulated_wait_in_collective(emulated_collective what, unsigned lanes, const void *operands, void *result);

#endif // FERRY_TESTS_CUDA_EMULATOR_EXECUTE_RUN_H_
