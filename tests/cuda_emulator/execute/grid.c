// SPDX-License-Identifier: Apache-2.0
#include "execute/grid.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execute/async_copy.h"
#include "execute/fiber.h"
#include "execute/run.h"

enum { SHARED_ALIGNMENT = 1024, SHARED_GUARD = 1024, MOST_RUNS = 2 };

static grid_run runs[MOST_RUNS]; // the second one is of a grid inside the first
grid_run *emulated_now;

emulated_runtime emulated_device = {.barrier = emulated_wait_at_barrier,
                                    .dependency_wait = emulated_wait_for_dependency,
                                    .collective = emulated_wait_in_collective,
                                    .copy_async = emulated_copy_async,
                                    .copy_commit = emulated_copy_commit,
                                    .copy_wait = emulated_copy_wait};

const emulated_runtime *emulated_runtime_table(void)
{
    return &emulated_device;
}

size_t emulated_static_shared_bytes(const emulated_image *image)
{
    return (size_t)(image->shared_end - image->shared_begin);
}

// --- Faults ----------------------------------------------------------------------------------------------------------

void emulated_fault(const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    const emulated_uint3 b = emulated_device.block, t = emulated_now->threads[emulated_now->current].index;
    fprintf(stderr, "emulated GPU: kernel '%s', block (%u,%u,%u), thread (%u,%u,%u): %s\n",
            emulated_now->grid->kernel->name, b.x, b.y, b.z, t.x, t.y, t.z, text);
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
    const char *const dynamic = emulated_device.dynamic_shared;
    return (p >= dynamic && p + bytes <= dynamic + emulated_now->grid->dynamic_shared_bytes) ||
           (p >= emulated_now->grid->image->shared_begin && p + bytes <= emulated_now->grid->image->shared_end);
}

// --- Shared memory ---------------------------------------------------------------------------------------------------

static void grow_shared(size_t bytes)
{
    free(emulated_now->shared_memory);
    emulated_now->shared_capacity = bytes;
    emulated_now->shared_memory = aligned_alloc(SHARED_ALIGNMENT, (bytes + SHARED_GUARD * 2 + SHARED_ALIGNMENT - 1) /
                                                                      SHARED_ALIGNMENT * SHARED_ALIGNMENT);
    if (!emulated_now->shared_memory) abort();
}

static void reserve_shared(size_t bytes)
{
    if (!emulated_now->shared_memory || bytes > emulated_now->shared_capacity) grow_shared(bytes);
    memset(emulated_now->shared_memory, GARBAGE, SHARED_GUARD * 2 + bytes);
    emulated_device.dynamic_shared = emulated_now->shared_memory + SHARED_GUARD;
}

/// Of the block's dynamic shared memory.
static void check_guards(void)
{
    const char *const begin = emulated_device.dynamic_shared, *const end =
                                                                  begin + emulated_now->grid->dynamic_shared_bytes;
    for (int i = 1; i <= SHARED_GUARD; i++)
        if ((unsigned char)begin[-i] != GARBAGE)
            emulated_fault("a write %d bytes before dynamic shared memory (some thread of the block)", i);
    for (int i = 0; i < SHARED_GUARD; i++)
        if ((unsigned char)end[i] != GARBAGE)
            emulated_fault("a write %d bytes behind the %zu of dynamic shared memory (some thread of the block)", i,
                           emulated_now->grid->dynamic_shared_bytes);
}

// --- Grids -----------------------------------------------------------------------------------------------------------

void emulated_run_dependency(void)
{
    const emulated_grid *const grid = emulated_now->grid;
    if (emulated_now->dependency_done) return;
    emulated_now->dependency_done = true;
    const emulated_image *const image = grid->image;
    const size_t bytes = emulated_static_shared_bytes(image);
    char *const kept = malloc(bytes + 1); // the other grid may be of the same module
    if (!kept) abort();
    if (bytes) memcpy(kept, image->shared_begin, bytes);
    emulated_grid_run(grid->dependency);
    if (bytes) memcpy(image->shared_begin, kept, bytes);
    free(kept);
}

static void run_blocks(void)
{
    const emulated_uint3 size = emulated_now->grid->grid_size;
    const size_t blocks = (size_t)size.x * size.y * size.z;
    for (size_t i = 0; i < blocks; i++) {
        emulated_device.block =
            (emulated_uint3){(unsigned)(i % size.x), (unsigned)(i / size.x % size.y), (unsigned)(i / size.x / size.y)};
        // Every second block starts backward, and copies at once: what leans on either shows in the other.
        emulated_copy_begin(emulated_now->first_stack, i % 2 == 0);
        emulated_block_run(i % 2 == 1);
        check_guards();
        emulated_run_dependency(); // of a first block that did not wait for it
    }
}

static void run_guarded(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
    enum { SIGNALS = sizeof signals / sizeof *signals };
    const struct sigaction ours = {.sa_sigaction = on_bad_address, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    struct sigaction before[SIGNALS];
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &ours, &before[i]);
    run_blocks();
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &before[i], NULL);
}

void emulated_grid_run(const emulated_grid *g)
{
    grid_run *const outer = emulated_now;
    const emulated_runtime before = emulated_device;
    emulated_now = outer ? outer + 1 : runs;
    emulated_now->grid = g;
    emulated_now->first_stack = outer ? MOST_THREADS : 0;
    emulated_now->n_threads = g->block_size.x * g->block_size.y * g->block_size.z;
    emulated_now->dependency_done = !g->dependency;
    reserve_shared(g->dynamic_shared_bytes);
    emulated_device.block_size = g->block_size;
    emulated_device.grid_size = g->grid_size;
    run_guarded();
    emulated_device = before;
    emulated_now = outer;
}
