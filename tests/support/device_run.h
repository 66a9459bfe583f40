// SPDX-License-Identifier: Apache-2.0
// A small graph run by a built engine on a device, the CPU serving as its fallback, beside the reference kernels: what
// lets tests of operators and vectors run on a GPU.
#ifndef FERRY_TESTS_SUPPORT_DEVICE_RUN_H_
#define FERRY_TESTS_SUPPORT_DEVICE_RUN_H_

#include "ops/op.h"
#include "runtime/internal.h"

/// The runtime of that device ("cuda"), opened once for the process; NULL, with the reason in `err`, where it is
/// absent.
ferry_runtime *ferry_device_runtime(const char *device, ferry_error *err);
/// That of the environment variable FERRY_TEST_DEVICE; NULL, and no reason, where it is not set.
ferry_runtime *ferry_device_wanted(ferry_error *err);

/// What ran where: regions of an engine's plan on the device itself, on the CPU, and the operators of the latter.
typedef struct ferry_device_count {
    size_t on_device, on_host;
    char host_ops[256]; ///< joined with blanks
} ferry_device_count;

/// Builds an engine of `graph` for the shapes of `inputs` [n_inputs], runs it once, and compares with `wanted`
/// [n_outputs]: integers, and what is not finite, have to be equal, floats to 1e-4 of their norm, floats of 16 bits and
/// with `fp16`, which lets engines compute in FP16, to 1e-2. Where the CPU had to help, a second engine has every input
/// but the first as a constant. False, with a sentence in `why`, when one of them differs or fails.
///
/// *out_count: of the last engine; zeros where none was built, since a shape depends on what is an input here.
bool ferry_device_agrees(ferry_runtime *runtime, const ferry_graph *graph, const ferry_tensor *inputs,
                         const ferry_tensor *wanted, bool fp16, ferry_device_count *out_count, ferry_error *why);

#endif // FERRY_TESTS_SUPPORT_DEVICE_RUN_H_
