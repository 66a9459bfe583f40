// SPDX-License-Identifier: Apache-2.0
// Candidates made ready to run on scratch tensors, and measured against each other on their devices.
#ifndef FERRY_SRC_PLAN_BENCH_H_
#define FERRY_SRC_PLAN_BENCH_H_

#include "plan/select.h"

enum { FERRY_BENCH_ROUNDS = 12 };

/// Device memory that stands for a tensor.
typedef struct ferry_bench_tensor {
    ferry_value_id value;
    ferry_tensor_layout layout;
    ferry_device *device;
    void *data;
    size_t bytes;
    struct ferry_bench_tensor *next;
} ferry_bench_tensor;

/// One candidate made ready to run.
typedef struct ferry_bench {
    ferry_candidate *candidate;
    ferry_device *device;
    ferry_device_stream *stream;
    ferry_device_event *begin, *end; // of a round, on a device that works later
    ferry_kernel *kernel;
    void *packed;
    size_t packed_bytes;
    ferry_binding *in, *out; // [region.n_inputs], [region.n_outputs]
    ferry_region region;
    void *workspace;
    void *graph; // of `repeat` runs, where the device captures
    double us[FERRY_BENCH_ROUNDS];
    int repeat;
} ferry_bench;

/// The rivals of one node.
typedef struct ferry_bench_set {
    ferry_planner *planner;
    ferry_arena *arena; // of everything here that lies with the host
    ferry_bench *benches;
    size_t count;
    ferry_bench_tensor *tensors; // what the rivals share
} ferry_bench_set;

/// Makes a candidate the set's next; `benches` has room for it. A failure leaves the set as it was.
ferry_status ferry_bench_set_add(ferry_bench_set *set, ferry_candidate *candidate, ferry_error *err);
/// Gives back all that the devices hold.
void ferry_bench_set_close(ferry_bench_set *set);
/// Fills in the candidates' costs: interleaved rounds, of which the lower quartile counts, since whatever disturbs a
/// round only makes it longer.
ferry_status ferry_bench_set_measure(ferry_bench_set *set, ferry_error *err);

#endif // FERRY_SRC_PLAN_BENCH_H_
