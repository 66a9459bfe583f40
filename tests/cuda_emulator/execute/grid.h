// SPDX-License-Identifier: Apache-2.0
// Runs a grid on the CPU: its blocks one after another, the threads of a block in turns that end where they wait.
#ifndef FERRY_TESTS_CUDA_EMULATOR_EXECUTE_GRID_H_
#define FERRY_TESTS_CUDA_EMULATOR_EXECUTE_GRID_H_

#include <stddef.h>

#include "execute/runtime.h"

typedef struct emulated_grid {
    const emulated_image *image;
    const emulated_kernel *kernel;
    emulated_uint3 grid_size, block_size;
    size_t dynamic_shared_bytes;
    void *const *arguments;
    /// NULL, or a grid that has not run yet and may end after this one begins: it runs when threads of the first block
    /// wait for it (grid_dependency_wait), and at the latest behind that block.
    const struct emulated_grid *dependency;
} emulated_grid;

/// What modules are given.
const emulated_runtime *emulated_runtime_table(void);

/// Runs the whole grid. One call at a time in the process. A kernel that breaks a rule of the language ends the process
/// with its name, the block, the thread and what was wrong.
void emulated_grid_run(const emulated_grid *grid);

/// Says what is wrong in the kernel that runs, and ends the process.
_Noreturn void emulated_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// True if [address, address + bytes) is shared memory of the block that runs.
int emulated_is_shared(const void *address, size_t bytes);

#endif // FERRY_TESTS_CUDA_EMULATOR_EXECUTE_GRID_H_
