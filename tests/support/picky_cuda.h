// SPDX-License-Identifier: Apache-2.0
// The CUDA backend as it is, but for nodes whose names begin with "host", which it leaves to the CPU.
#ifndef FERRY_TESTS_SUPPORT_PICKY_CUDA_H_
#define FERRY_TESTS_SUPPORT_PICKY_CUDA_H_

#include "backend/backend.h"

/// The two, for ferry_runtime_create_with.
const ferry_backend *const *picky_cuda_and_cpu(void);

/// For a group of tests: ends the program as skipped where FERRY_LIBCUDA names no emulated device.
int picky_cuda_skip(void **state);

/// What a function of the emulator's own counts ("emulatedCopies"); 0 on a real GPU.
size_t picky_cuda_count(const char *name);

#endif // FERRY_TESTS_SUPPORT_PICKY_CUDA_H_
