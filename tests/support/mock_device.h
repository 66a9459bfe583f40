// SPDX-License-Identifier: Apache-2.0
// A device that runs apart from the host: its memory can't be touched by the host, its work is done later by a thread
// of its own, and it knows few operators. Whatever passes on it does not assume host memory or finished work.
#ifndef FERRY_TESTS_SUPPORT_MOCK_DEVICE_H_
#define FERRY_TESTS_SUPPORT_MOCK_DEVICE_H_

#include "backend/backend.h"

/// The same device under three names. Selectors are words joined with '+':
///   "slow"     each command waits up to 3 ms instead of 0.2 ms
///   "steady"   each command waits 0.3 ms exactly
///   "noconv"   refuses Conv
///   "absent"   can't be opened
///   "broken"   every kernel fails when it runs
///   "stuck"    no kernel can be prepared
///   "other"    has another fingerprint
///   "small"    has 64 KiB of memory
///   "graphs"   captures graphs
///   "nograph"  begins to capture, and fails in the end
///   "smash"    writes over its workspace after use, to show who relies on it
extern const ferry_backend mock_backend;      // "mock"
extern const ferry_backend mock_backend_cuda; // "cuda"
extern const ferry_backend mock_backend_dla;  // "dla"

/// Lists for ferry_runtime_create_with.
extern const ferry_backend *const mock_and_cpu[];     // mock, cpu
extern const ferry_backend *const mock_gpu_dla_cpu[]; // cuda, dla, cpu

/// Commands that all mock devices of this process have run so far, and blocks of device memory in use.
size_t mock_commands_run(void);
size_t mock_blocks_in_use(void);

/// Graphs that all mock devices of this process have captured, launched and not destroyed yet, and addresses that were
/// given to graphs.
typedef struct mock_graph_counts {
    size_t captured, launched, alive, rebound;
} mock_graph_counts;
mock_graph_counts mock_graphs(void);

#endif // FERRY_TESTS_SUPPORT_MOCK_DEVICE_H_
