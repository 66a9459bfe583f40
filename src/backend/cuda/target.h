// SPDX-License-Identifier: Apache-2.0
// Kinds of NVIDIA GPU that ferry makes kernels for: by compute capability, or by the name of a Jetson board.
#ifndef FERRY_SRC_BACKEND_CUDA_TARGET_H_
#define FERRY_SRC_BACKEND_CUDA_TARGET_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct ferry_cuda_target {
    int chip;             // compute capability: 87 is 8.7
    int most_cuda;        // major version of CUDA that the board's newest driver serves; 0: any
    int processors;       // streaming multiprocessors
    double clock_ghz;     // of them, boosted
    double bandwidth_gbs; // of device memory
    size_t shared_bytes;  // most of one block
    size_t l2_bytes;
    bool integrated;     // memory is the host's
    bool lacks_clusters; // the driver says that it has none
} ferry_cuda_target;

/// "orin-nano", "sm_87", ...: false when it is neither a board nor a chip of the table.
bool ferry_cuda_target_find(const char *name, ferry_cuda_target *out);
/// What is known of a chip; false for one that ferry does not know.
bool ferry_cuda_target_of_chip(int chip, ferry_cuda_target *out);
/// The name that finds the chip, and whether it lacks what others of it have: equal names may exchange plans.
void ferry_cuda_target_name(const ferry_cuda_target *target, char out[32]);
/// Names for messages: "nano, tx2, ...".
const char *ferry_cuda_target_names(void);

/// Whether engines for it carry kernels as text, which the board compiles when it first loads them: those of CUDA 10
/// take no cubin of a later version, and CUDA 10's own compiler makes none.
static inline bool ferry_cuda_carries_text(const ferry_cuda_target *t)
{
    return t->most_cuda == 10;
}

/// NVRTC's name for the chip: "sm_87"; "sm_90a" where the chip has instructions of its own generation only.
void ferry_cuda_target_arch(const ferry_cuda_target *target, char out[16]);

// What chips can do.
static inline bool ferry_cuda_has_cp_async(const ferry_cuda_target *t)
{
    return t->chip >= 80;
}
static inline bool ferry_cuda_has_mma_f16(const ferry_cuda_target *t)
{
    return t->chip >= 75;
}
static inline bool ferry_cuda_has_mma_bf16(const ferry_cuda_target *t)
{
    return t->chip >= 80;
}
static inline bool ferry_cuda_has_mma_tf32(const ferry_cuda_target *t)
{
    return t->chip >= 80;
}
/// Products of warpgroups, which later chips do not have.
static inline bool ferry_cuda_has_wgmma(const ferry_cuda_target *t)
{
    return t->chip == 90;
}
/// Blocks of a cluster run at the same time and read each other's shared memory.
static inline bool ferry_cuda_has_clusters(const ferry_cuda_target *t)
{
    return t->chip >= 90 && !t->lacks_clusters;
}
static inline bool ferry_cuda_has_mma_s8(const ferry_cuda_target *t)
{
    return t->chip >= 80;
}
static inline bool ferry_cuda_has_dp4a(const ferry_cuda_target *t)
{
    return t->chip >= 61 && t->chip != 62;
}
static inline bool ferry_cuda_has_f16(const ferry_cuda_target *t)
{
    return t->chip >= 53 && t->chip != 61;
}

/// Multiply-adds a second at the peak: of floats, and of f16 or int8 on whatever unit is the fastest.
double ferry_cuda_peak_macs(const ferry_cuda_target *target, int dtype);

#endif // FERRY_SRC_BACKEND_CUDA_TARGET_H_
