// SPDX-License-Identifier: Apache-2.0
// Compiled kernels on the disk: a text is compiled once for a chip by a compiler, whichever engine it is for. They lie
// in ferry/cuda under XDG_CACHE_HOME or ~/.cache. Without a folder that can be written, all is as slow and as right.
#ifndef FERRY_SRC_BACKEND_CUDA_KEPT_H_
#define FERRY_SRC_BACKEND_CUDA_KEPT_H_

#include "base/hash.h"
#include "base/heap.h"
#include "base/status.h"

/// Bytes that the folder is kept to: what was used longest ago goes first. A tuned network takes some 10 MB.
#define FERRY_CUDA_KEPT_MOST ((uint64_t)256 << 20)

/// Compiled code that was kept, in memory of `heap`; false when there is none, or it is damaged.
bool ferry_cuda_kept_find(const ferry_heap *heap, ferry_hash128 key, void **out, size_t *out_bytes);
/// Keeps it. Processes and threads may do so at the same time.
void ferry_cuda_kept_add(const ferry_heap *heap, ferry_hash128 key, const void *code, size_t bytes);
/// Removes what was used longest ago until no more than `most_bytes` are left. ferry_cuda_kept_add sees to that itself
/// now and then.
void ferry_cuda_kept_trim(const ferry_heap *heap, uint64_t most_bytes);

typedef struct ferry_cuda_kept_state {
    char folder[1024]; // "" where the environment names none
    bool writable;     // or could be made
    uint64_t bytes;
    size_t files;
} ferry_cuda_kept_state;
void ferry_cuda_kept_look(ferry_cuda_kept_state *out);

#endif // FERRY_SRC_BACKEND_CUDA_KEPT_H_
