// SPDX-License-Identifier: Apache-2.0
// The threads of a block take turns: each runs on a stack of its own until it waits for others.
#include <stdlib.h>
#include <string.h>

#include "execute/async_copy.h"
#include "execute/run.h"
#include "execute/warp.h"

// --- Threads that wait -----------------------------------------------------------------------------------------------

static void leave(state s)
{
    emulated_now->threads[emulated_now->current].state = s;
    emulated_fiber_switch(&emulated_now->threads[emulated_now->current].fiber, emulated_now->scheduler);
}

unsigned emulated_wait_at_barrier(unsigned predicate)
{
    emulated_now->votes += predicate != 0;
    leave(AT_BARRIER);
    return emulated_now->released_votes;
}

void emulated_wait_in_collective(emulated_collective what, unsigned lanes, const void *operands, void *result)
{
    cuda_thread *const t = &emulated_now->threads[emulated_now->current];
    if (!(lanes >> emulated_now->current % EMULATED_WARP & 1))
        emulated_fault("a warp collective with mask %08x, which leaves out lane %u itself", lanes,
                       emulated_now->current % EMULATED_WARP);
    t->collective = what;
    t->lanes = lanes;
    t->operands = operands;
    t->result = result;
    leave(IN_COLLECTIVE);
}

void emulated_wait_for_dependency(void)
{
    if (!emulated_now->dependency_done) leave(AT_DEPENDENCY);
}

static void thread_main(void)
{
    emulated_now->grid->kernel->run(emulated_now->grid->arguments);
    emulated_now->finished++;
    leave(FINISHED);
    abort(); // a finished thread is not resumed
}

static void resume(unsigned thread)
{
    emulated_now->current = thread;
    emulated_device.thread = emulated_now->threads[thread].index;
    emulated_copy_select(emulated_now->first_stack + thread);
    emulated_fiber_switch(&emulated_now->scheduler, emulated_now->threads[thread].fiber);
}

// --- Warps -----------------------------------------------------------------------------------------------------------

/// Runs every lane that can run, up to where it waits; false if none could.
static bool run_lanes(unsigned first, unsigned lanes, bool backward)
{
    bool any = false;
    for (unsigned i = 0; i < lanes; i++) {
        const unsigned thread = first + (backward ? lanes - 1 - i : i);
        if (emulated_now->threads[thread].state != READY) continue;
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
        const cuda_thread *const t = &emulated_now->threads[first + lane];
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
        cuda_thread *const leader = &emulated_now->threads[first + i];
        if (leader->state != IN_COLLECTIVE || !is_complete(first, lanes, leader)) continue;
        emulated_lanes l = {.mask = leader->lanes};
        for (unsigned lane = 0; lane < lanes; lane++) {
            cuda_thread *const t = &emulated_now->threads[first + lane];
            if (!(l.mask >> lane & 1)) continue;
            l.operands[lane] = t->operands;
            l.results[lane] = t->result;
            t->state = READY;
        }
        emulated_now->current = first + i; // whom a fault is told of
        emulated_collective_run(leader->collective, &l);
        any = true;
    }
    return any;
}

/// Until each of its threads waits for others than its warp, or has finished.
static void run_warp(unsigned warp, bool backward)
{
    const unsigned first = warp * EMULATED_WARP;
    const unsigned lanes =
        emulated_now->n_threads - first < EMULATED_WARP ? emulated_now->n_threads - first : EMULATED_WARP;
    while (run_lanes(first, lanes, backward) || run_collectives(first, lanes)) {
    }
}

// --- Blocks ----------------------------------------------------------------------------------------------------------

static void begin_block(void)
{
    const emulated_image *const image = emulated_now->grid->image;
    memset(emulated_device.dynamic_shared, GARBAGE, emulated_now->grid->dynamic_shared_bytes);
    if (emulated_static_shared_bytes(image)) memset(image->shared_begin, GARBAGE, emulated_static_shared_bytes(image));
    const emulated_uint3 size = emulated_now->grid->block_size;
    for (unsigned i = 0; i < emulated_now->n_threads; i++) {
        emulated_now->threads[i].fiber = emulated_fiber_begin(emulated_now->first_stack + i, thread_main);
        emulated_now->threads[i].state = READY;
        emulated_now->threads[i].index = (emulated_uint3){i % size.x, i / size.x % size.y, i / size.x / size.y};
    }
    emulated_now->finished = emulated_now->votes = 0;
}

static unsigned count(state s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < emulated_now->n_threads; i++) n += emulated_now->threads[i].state == s;
    return n;
}

static void let_go(state s)
{
    for (unsigned i = 0; i < emulated_now->n_threads; i++)
        if (emulated_now->threads[i].state == s) emulated_now->threads[i].state = READY;
}

/// Nobody can run: lanes that are still in a collective wait for some that never come.
static void check_divergence(void)
{
    for (unsigned i = 0; i < emulated_now->n_threads; i++) {
        if (emulated_now->threads[i].state != IN_COLLECTIVE) continue;
        emulated_now->current = i;
        emulated_fault("divergence: a warp collective with mask %08x waits for lanes that are elsewhere, or not there",
                       emulated_now->threads[i].lanes);
    }
}

void emulated_block_run(bool backward)
{
    begin_block();
    const unsigned warps = (emulated_now->n_threads + EMULATED_WARP - 1) / EMULATED_WARP;
    while (emulated_now->finished < emulated_now->n_threads) {
        for (unsigned i = 0; i < warps; i++) run_warp(backward ? warps - 1 - i : i, backward);
        if (count(AT_DEPENDENCY)) {
            emulated_run_dependency();
            let_go(AT_DEPENDENCY);
            continue;
        }
        check_divergence();
        let_go(AT_BARRIER);
        emulated_now->released_votes = emulated_now->votes;
        emulated_now->votes = 0;
        backward = !backward; // so that a barrier which is missing lets somebody read too early
    }
}
