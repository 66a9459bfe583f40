// SPDX-License-Identifier: Apache-2.0
// Stacks that one operating system thread changes between: each CUDA thread of a block runs on one.
#ifndef FERRY_TESTS_CUDA_EMULATOR_EXECUTE_FIBER_H_
#define FERRY_TESTS_CUDA_EMULATOR_EXECUTE_FIBER_H_

#include <stddef.h>

enum { EMULATED_STACKS = 2048 }; // of two blocks: one inside another

typedef void *emulated_fiber; // its stack pointer while it is not running

/// Stores where this stack is in *leave, and goes on where `enter` was left. What a called function may change is lost.
void emulated_fiber_switch(emulated_fiber *leave, emulated_fiber enter);

/// A fiber that begins with `entry`, which never returns, on stack number `index` of the pool. Whatever ran there is
/// forgotten. The pool is the process's: one block runs at a time.
emulated_fiber emulated_fiber_begin(size_t index, void (*entry)(void));

/// The stack that holds the address, or -1: for telling an overflow from another fault.
long emulated_fiber_of(const void *address);

#endif // FERRY_TESTS_CUDA_EMULATOR_EXECUTE_FIBER_H_
