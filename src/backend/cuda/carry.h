// SPDX-License-Identifier: Apache-2.0
// Kernel texts that an engine carries whole, for boards that compile them: with what they include, and where their
// compiled form is kept on the board's disk.
#ifndef FERRY_SRC_BACKEND_CUDA_CARRY_H_
#define FERRY_SRC_BACKEND_CUDA_CARRY_H_

#include "base/hash.h"
#include "base/heap.h"
#include "base/status.h"

/// `text` with each of ferry's headers in place of the first #include of it, zero-terminated: *out_bytes counts the
/// zero. Memory of `heap`.
ferry_status ferry_cuda_carry_text(const ferry_heap *heap, const char *text, void **out, size_t *out_bytes,
                                   ferry_error *err);

/// Compiled code that was kept, in memory of `heap`; false when there is none.
bool ferry_cuda_kept_find(const ferry_heap *heap, ferry_hash128 key, void **out, size_t *out_bytes);
/// Keeps it; a folder that can't be written only means that it is compiled again.
void ferry_cuda_kept_add(const ferry_heap *heap, ferry_hash128 key, const void *code, size_t bytes);

#endif // FERRY_SRC_BACKEND_CUDA_CARRY_H_
