// SPDX-License-Identifier: Apache-2.0
#include "execute/block.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execute/async_copy.h"
#include "execute/fiber.h"
#include "execute/warp.h"

enum { MOST_THREADS = 1024, SHARED_ALIGNMENT = 128, SHARED_GUARD = 1024 };
// Read as a float of any width it is no number, so what nobody wrote spoils a result.
#define GARBAGE 0xff

typedef enum state { READY, AT_BARRIER, IN_COLLECTIVE, FINISHED } state;

typedef struct cuda_thread {
    emulated_fiber fiber;
    state state;
    emulated_uint3 index;
    emulated_collective collective;
    unsigned lanes;
    const void *operands;
    void *result;
} cuda_thread;

// The one grid that runs in this process, and its present block.
static const emulated_grid *grid;
static cuda_thread threads[MOST_THREADS];
static unsigned n_threads, current, finished, votes, released_votes;
static emulated_fiber scheduler;
static char *shared_memory; // of the greatest block so far, between guards
static size_t shared_capacity;

static unsigned wait_at_barrier(unsigned predicate);
static void wait_in_collective(emulated_collective what, unsigned lanes, const void *operands, void *result);

static emulated_runtime runtime = {.barrier = wait_at_barrier,
                                   .collective = wait_in_collective,
                                   .copy_async = emulated_copy_async,
                                   .copy_commit = emulated_copy_commit,
                                   .copy_wait = emulated_copy_wait};

const emulated_runtime *emulated_runtime_table(void)
{
    return &runtime;
}

// --- Faults ----------------------------------------------------------------------------------------------------------

void emulated_fault(const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    const emulated_uint3 b = runtime.block, t = threads[current].index;
    fprintf(stderr, "emulated GPU: kernel '%s', block (%u,%u,%u), thread (%u,%u,%u): %s\n", grid->kernel->name, b.x,
            b.y, b.z, t.x, t.y, t.z, text);
    abort();
}

static void on_bad_address(int signal_number, siginfo_t *info, void *unused)
{
    (void)unused;
    signal(signal_number, SIG_DFL);
    // The compiler puts a trap where an address is less aligned than its type.
    if (signal_number == SIGILL || signal_number == SIGTRAP) emulated_fault("a misaligned address, or __trap()");
    emulated_fault("%s at %p", emulated_fiber_of(info->si_addr) >= 0 ? "stack overflow" : "no memory to touch",
                   info->si_addr);
}

int emulated_is_shared(const void *address, size_t bytes)
{
    const char *const p = address;
    const char *const dynamic = runtime.dynamic_shared;
    return (p >= dynamic && p + bytes <= dynamic + grid->dynamic_shared_bytes) ||
           (p >= grid->image->shared_begin && p + bytes <= grid->image->shared_end);
}

// --- Threads that wait -----------------------------------------------------------------------------------------------

static void leave(state s)
{
    threads[current].state = s;
    emulated_fiber_switch(&threads[current].fiber, scheduler);
}

static unsigned wait_at_barrier(unsigned predicate)
{
    votes += predicate != 0;
    leave(AT_BARRIER);
    return released_votes;
}

static void wait_in_collective(emulated_collective what, unsigned lanes, const void *operands, void *result)
{
    cuda_thread *const t = &threads[current];
    if (!(lanes >> current % EMULATED_WARP & 1))
        emulated_fault("a warp collective with mask %08x, which leaves out lane %u itself", lanes,
                       current % EMULATED_WARP);
    t->collective = what;
    t->lanes = lanes;
    t->operands = operands;
    t->result = result;
    leave(IN_COLLECTIVE);
}

static void thread_main(void)
{
    grid->kernel->run(grid->arguments);
    finished++;
    leave(FINISHED);
    abort(); // a finished thread is not resumed
}

static void resume(unsigned thread)
{
    current = thread;
    runtime.thread = threads[thread].index;
    emulated_copy_select(thread);
    emulated_fiber_switch(&scheduler, threads[thread].fiber);
}

// --- Warps -----------------------------------------------------------------------------------------------------------

/// Runs every lane that can run, up to where it waits; false if none could.
static bool run_lanes(unsigned first, unsigned lanes, bool backward)
{
    bool any = false;
    for (unsigned i = 0; i < lanes; i++) {
        const unsigned thread = first + (backward ? lanes - 1 - i : i);
        if (threads[thread].state != READY) continue;
        resume(thread);
        any = true;
    }
    return any;
}

/// True if all lanes of the mask wait in the same collective as the leader.
static bool is_complete(unsigned first, unsigned lanes, const cuda_thread *leader)
{
    unsigned there = 0;
    for (unsigned lane = 0; lane < lanes; lane++) {
        const cuda_thread *const t = &threads[first + lane];
        there |=
            (unsigned)(t->state == IN_COLLECTIVE && t->collective == leader->collective && t->lanes == leader->lanes)
            << lane;
    }
    return (there & leader->lanes) == leader->lanes;
}

static bool run_collectives(unsigned first, unsigned lanes)
{
    bool any = false;
    for (unsigned i = 0; i < lanes; i++) {
        cuda_thread *const leader = &threads[first + i];
        if (leader->state != IN_COLLECTIVE || !is_complete(first, lanes, leader)) continue;
        emulated_lanes l = {.mask = leader->lanes};
        for (unsigned lane = 0; lane < lanes; lane++) {
            cuda_thread *const t = &threads[first + lane];
            if (!(l.mask >> lane & 1)) continue;
            l.operands[lane] = t->operands;
            l.results[lane] = t->result;
            t->state = READY;
        }
        current = first + i; // whom a fault is told of
        emulated_collective_run(leader->collective, &l);
        any = true;
    }
    return any;
}

static void check_divergence(unsigned first, unsigned lanes)
{
    for (unsigned i = 0; i < lanes; i++) {
        if (threads[first + i].state != IN_COLLECTIVE) continue;
        current = first + i;
        emulated_fault("divergence: a warp collective with mask %08x waits for lanes that are elsewhere, or not there",
                       threads[first + i].lanes);
    }
}

/// Until each of its threads waits at the block's barrier or has finished.
static void run_warp(unsigned warp, bool backward)
{
    const unsigned first = warp * EMULATED_WARP;
    const unsigned lanes = n_threads - first < EMULATED_WARP ? n_threads - first : EMULATED_WARP;
    while (run_lanes(first, lanes, backward) || run_collectives(first, lanes)) {
    }
    check_divergence(first, lanes);
}

// --- Blocks ----------------------------------------------------------------------------------------------------------

static void begin_block(void)
{
    memset(runtime.dynamic_shared, GARBAGE, grid->dynamic_shared_bytes);
    if (grid->image->shared_end > grid->image->shared_begin)
        memset(grid->image->shared_begin, GARBAGE, (size_t)(grid->image->shared_end - grid->image->shared_begin));
    const emulated_uint3 size = grid->block_size;
    for (unsigned i = 0; i < n_threads; i++) {
        threads[i].fiber = emulated_fiber_begin(i, thread_main);
        threads[i].state = READY;
        threads[i].index = (emulated_uint3){i % size.x, i / size.x % size.y, i / size.x / size.y};
    }
    finished = votes = 0;
}

/// The order of threads turns around at each barrier, so that one which is missing lets somebody read too early.
static void run_block(bool backward)
{
    begin_block();
    const unsigned warps = (n_threads + EMULATED_WARP - 1) / EMULATED_WARP;
    while (finished < n_threads) {
        for (unsigned i = 0; i < warps; i++) run_warp(backward ? warps - 1 - i : i, backward);
        for (unsigned i = 0; i < n_threads; i++)
            if (threads[i].state == AT_BARRIER) threads[i].state = READY;
        released_votes = votes;
        votes = 0;
        backward = !backward;
    }
}

static void reserve_shared(size_t bytes)
{
    if (shared_memory && bytes <= shared_capacity) return;
    free(shared_memory);
    shared_capacity = bytes;
    shared_memory = aligned_alloc(SHARED_ALIGNMENT, (bytes + SHARED_GUARD * 2 + SHARED_ALIGNMENT - 1) /
                                                        SHARED_ALIGNMENT * SHARED_ALIGNMENT);
    if (!shared_memory) abort();
}

static void check_guards(void)
{
    const char *const begin = runtime.dynamic_shared, *const end = begin + grid->dynamic_shared_bytes;
    for (int i = 1; i <= SHARED_GUARD; i++)
        if ((unsigned char)begin[-i] != GARBAGE)
            emulated_fault("a write %d bytes before dynamic shared memory (some thread of the block)", i);
    for (int i = 0; i < SHARED_GUARD; i++)
        if ((unsigned char)end[i] != GARBAGE)
            emulated_fault("a write %d bytes behind the %zu of dynamic shared memory (some thread of the block)", i,
                           grid->dynamic_shared_bytes);
}

static void run_blocks(void)
{
    const emulated_uint3 size = grid->grid_size;
    const size_t blocks = (size_t)size.x * size.y * size.z;
    for (size_t i = 0; i < blocks; i++) {
        runtime.block =
            (emulated_uint3){(unsigned)(i % size.x), (unsigned)(i / size.x % size.y), (unsigned)(i / size.x / size.y)};
        // Every second block starts backward, and copies at once: what leans on either shows in the other.
        emulated_copy_begin(i % 2 == 0);
        run_block(i % 2 == 1);
        check_guards();
    }
}

void emulated_grid_run(const emulated_grid *g)
{
    grid = g;
    n_threads = g->block_size.x * g->block_size.y * g->block_size.z;
    reserve_shared(g->dynamic_shared_bytes);
    memset(shared_memory, GARBAGE, SHARED_GUARD * 2 + g->dynamic_shared_bytes);
    runtime.dynamic_shared = shared_memory + SHARED_GUARD;
    runtime.block_size = g->block_size;
    runtime.grid_size = g->grid_size;
    const struct sigaction ours = {.sa_sigaction = on_bad_address, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
    enum { SIGNALS = sizeof signals / sizeof *signals };
    struct sigaction before[SIGNALS];
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &ours, &before[i]);
    run_blocks();
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &before[i], NULL);
    grid = NULL;
}
