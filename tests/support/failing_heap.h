// SPDX-License-Identifier: Apache-2.0
// A heap that counts what is in use and refuses the nth allocation: proves that nothing leaks and that no failure is
// missed.
#ifndef FERRY_TESTS_SUPPORT_FAILING_HEAP_H_
#define FERRY_TESTS_SUPPORT_FAILING_HEAP_H_

#include <stdatomic.h>
#include <stdbool.h>

#include "ferry/base.h"

typedef struct ferry_failing_heap {
    ferry_heap heap; ///< give its address to the code under test
    atomic_size_t bytes_in_use, blocks_in_use;
    atomic_size_t peak_bytes;
    atomic_size_t allocations; ///< asked for since the last arm, refused ones included
    atomic_size_t wrong_sizes; ///< frees whose size was not the one that was asked for
    size_t fail_at;            ///< refuse the allocation of this number, counted from 1; 0 = none
    bool fail_after_too;       ///< and every later one
} ferry_failing_heap;

/// `heap` must not move afterwards. Fills memory with 0xA5, so that reading what was never written shows.
void ferry_failing_heap_init(ferry_failing_heap *heap);

/// Refuses the nth allocation from now (0 = none), and each later one if `after_too`.
void ferry_failing_heap_arm(ferry_failing_heap *heap, size_t nth, bool after_too);

/// Calls `attempt` with the 1st allocation refused, then the 2nd, ... until it returns FERRY_OK with none refused.
/// Fails the running cmocka test when an attempt answers anything but FERRY_OK or FERRY_ERR_OUT_OF_MEMORY, gives no
/// text, leaves memory behind, or frees with a wrong size. `attempt` frees all that it made, also after success.
/// Returns the number of allocations of the successful run.
size_t ferry_failing_heap_loop(ferry_status (*attempt)(const ferry_heap *heap, void *context, ferry_error *err),
                               void *context);

#endif // FERRY_TESTS_SUPPORT_FAILING_HEAP_H_
