// SPDX-License-Identifier: Apache-2.0
// The gate between a caller and its workers: it opens with each loop, lets in who comes in time, and closes behind
// them. Nobody waits for a worker that has not come yet: the loop is done without it, and it finds the gate closed.
#ifndef FERRY_SRC_BASE_THREAD_GATE_H_
#define FERRY_SRC_BASE_THREAD_GATE_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { FERRY_CACHE_LINE = 64 };

typedef struct ferry_thread_gate {
    bool may_spin; // set once: waiting threads take no processor from working ones
    _Alignas(FERRY_CACHE_LINE) atomic_uint_fast64_t state; // the number of the loop, whether it is open, workers inside
    atomic_bool closing;
    atomic_int bursts;    // how many want the workers to stay awake between loops
    pthread_mutex_t beds; // of those who sleep
    pthread_cond_t next_loop, all_left;
    atomic_int sleepers; // workers asleep, or about to be
    atomic_bool caller_sleeps;
} ferry_thread_gate;

/// The gate is zeroed memory.
void ferry_thread_gate_init(ferry_thread_gate *gate, bool may_spin);
void ferry_thread_gate_deinit(ferry_thread_gate *gate);

/// The caller: what was written before is seen by every worker that comes in; then closes and waits until all have
/// left. One caller at a time.
void ferry_thread_gate_open(ferry_thread_gate *gate);
void ferry_thread_gate_close(ferry_thread_gate *gate);

/// A worker: waits for a loop other than *number, which it sets, and comes in. False at the end of all loops.
bool ferry_thread_gate_enter(ferry_thread_gate *gate, uint_fast64_t *number);
void ferry_thread_gate_leave(ferry_thread_gate *gate);

/// Makes every worker's next `enter` answer false.
void ferry_thread_gate_end(ferry_thread_gate *gate);

#endif // FERRY_SRC_BASE_THREAD_GATE_H_
