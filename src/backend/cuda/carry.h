// SPDX-License-Identifier: Apache-2.0
// Kernel texts that an engine carries whole, for boards that compile them: with what they include.
#ifndef FERRY_SRC_BACKEND_CUDA_CARRY_H_
#define FERRY_SRC_BACKEND_CUDA_CARRY_H_

#include "base/heap.h"
#include "base/status.h"

/// `text` with each of ferry's headers in place of the first #include of it, zero-terminated: *out_bytes counts the
/// zero. Memory of `heap`.
ferry_status ferry_cuda_carry_text(const ferry_heap *heap, const char *text, void **out, size_t *out_bytes,
                                   ferry_error *err);

#endif // FERRY_SRC_BACKEND_CUDA_CARRY_H_
