// SPDX-License-Identifier: Apache-2.0
// cp.async: hardware copies at any time between the instruction and the wait for its group. Here a block either copies
// at once or as late as possible, so that a missing wait shows, and so does memory that is reused too early.
#ifndef FERRY_TESTS_CUDA_EMULATOR_EXECUTE_ASYNC_COPY_H_
#define FERRY_TESTS_CUDA_EMULATOR_EXECUTE_ASYNC_COPY_H_

#include <stddef.h>

/// Of a block whose threads run on stacks from `first_stack` on: forgets what was pending.
void emulated_copy_begin(size_t first_stack, int late);
/// The thread that the others speak of, by its stack.
void emulated_copy_select(size_t stack);

void emulated_copy_async(void *shared, const void *global, unsigned bytes, int may_be_late, int valid);
void emulated_copy_commit(void);
void emulated_copy_wait(unsigned pending); // until at most so many groups of the thread are open

#endif // FERRY_TESTS_CUDA_EMULATOR_EXECUTE_ASYNC_COPY_H_
