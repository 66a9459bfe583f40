// SPDX-License-Identifier: Apache-2.0
// Waiting for microseconds by spinning, without a system call, and for longer asleep.
#include "base/thread_gate.h"

#include "base/log.h"

// How long a thread spins before it sleeps: a worker within a burst and after one (so that runs in a row find it
// awake), and the caller for its workers' last tasks.
#define BURST_S 5e-3
#define LINGER_S 30e-6
#define LAST_TASKS_S 1e-3

#define LOOP ((uint_fast64_t)1 << 32) // what one loop adds to the state
#define OPEN ((uint_fast64_t)1 << 31)

enum { PAUSES_A_LOOK = 32 };

void ferry_thread_gate_init(ferry_thread_gate *gate, bool may_spin)
{
    gate->may_spin = may_spin;
    pthread_mutex_init(&gate->beds, NULL);
    pthread_cond_init(&gate->next_loop, NULL);
    pthread_cond_init(&gate->all_left, NULL);
}

void ferry_thread_gate_deinit(ferry_thread_gate *gate)
{
    pthread_cond_destroy(&gate->all_left);
    pthread_cond_destroy(&gate->next_loop);
    pthread_mutex_destroy(&gate->beds);
}

static void pause_a_little(void)
{
    for (int i = 0; i < PAUSES_A_LOOK; i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}

static uint_fast64_t number_of(uint_fast64_t state)
{
    return state / LOOP;
}

static uint_fast64_t workers_inside(uint_fast64_t state)
{
    return state % OPEN;
}

// Begins the next loop, or only makes the workers look up.
static void begin_loop(ferry_thread_gate *gate, uint_fast64_t open)
{
    atomic_store(&gate->state, (number_of(atomic_load(&gate->state)) + 1) * LOOP + open);
    if (atomic_load(&gate->sleepers) == 0) return;
    pthread_mutex_lock(&gate->beds);
    pthread_cond_broadcast(&gate->next_loop);
    pthread_mutex_unlock(&gate->beds);
}

void ferry_thread_gate_open(ferry_thread_gate *gate)
{
    begin_loop(gate, OPEN);
}

void ferry_thread_gate_end(ferry_thread_gate *gate)
{
    atomic_store(&gate->closing, true);
    begin_loop(gate, 0);
}

void ferry_thread_gate_close(ferry_thread_gate *gate)
{
    if (workers_inside(atomic_fetch_and(&gate->state, ~OPEN)) == 0) return;
    const double begin = ferry_clock_s();
    do {
        if (workers_inside(atomic_load(&gate->state)) == 0) return;
        pause_a_little();
    } while (ferry_clock_s() - begin < (gate->may_spin ? LAST_TASKS_S : LINGER_S));
    pthread_mutex_lock(&gate->beds);
    atomic_store(&gate->caller_sleeps, true);
    while (workers_inside(atomic_load(&gate->state)) != 0) pthread_cond_wait(&gate->all_left, &gate->beds);
    atomic_store(&gate->caller_sleeps, false);
    pthread_mutex_unlock(&gate->beds);
}

// Whether a worker should still spin that has waited since `begin`.
static bool is_worth_spinning(ferry_thread_gate *gate, double begin)
{
    if (!gate->may_spin) return false;
    const double waited = ferry_clock_s() - begin;
    return waited < LINGER_S || (waited < BURST_S && atomic_load(&gate->bursts) > 0);
}

// Waits for a loop other than `seen`; returns its number.
static uint_fast64_t await_loop(ferry_thread_gate *gate, uint_fast64_t seen)
{
    const double begin = ferry_clock_s();
    do {
        const uint_fast64_t now = number_of(atomic_load(&gate->state));
        if (now != seen) return now;
        pause_a_little();
    } while (is_worth_spinning(gate, begin));
    pthread_mutex_lock(&gate->beds);
    // Counted before the last look: either that sees the loop, or the loop's caller sees the sleeper.
    atomic_fetch_add(&gate->sleepers, 1);
    while (number_of(atomic_load(&gate->state)) == seen) pthread_cond_wait(&gate->next_loop, &gate->beds);
    atomic_fetch_sub(&gate->sleepers, 1);
    pthread_mutex_unlock(&gate->beds);
    return number_of(atomic_load(&gate->state));
}

static bool come_in(ferry_thread_gate *gate, uint_fast64_t number)
{
    uint_fast64_t state = atomic_load(&gate->state);
    while (number_of(state) == number && (state & OPEN))
        if (atomic_compare_exchange_weak(&gate->state, &state, state + 1)) return true;
    return false;
}

bool ferry_thread_gate_enter(ferry_thread_gate *gate, uint_fast64_t *number)
{
    while (!atomic_load(&gate->closing)) {
        *number = await_loop(gate, *number);
        if (come_in(gate, *number)) return true;
    }
    return false;
}

void ferry_thread_gate_leave(ferry_thread_gate *gate)
{
    const uint_fast64_t state = atomic_fetch_sub(&gate->state, 1) - 1;
    if (state % LOOP != 0 || !atomic_load(&gate->caller_sleeps)) return; // others are inside, or it is open
    pthread_mutex_lock(&gate->beds);
    pthread_cond_signal(&gate->all_left);
    pthread_mutex_unlock(&gate->beds);
}
