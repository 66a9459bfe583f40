// SPDX-License-Identifier: Apache-2.0
// FERRY_CALIBRATION_AUTO: which algorithm's scales keep the network's outputs closest to FP32.
#ifndef FERRY_SRC_BUILD_AUTO_SCALE_H_
#define FERRY_SRC_BUILD_AUTO_SCALE_H_

#include "build/internal.h"
#include "calibrate/observer.h"

/// Samples that algorithms are tried on: the first ones that calibration saw.
enum { FERRY_AUTO_MOST_SAMPLES = 16 };

/// Runs kept while calibrating: inputs, and what FP32 made of them. Zeroed to start with.
typedef struct ferry_kept_runs {
    const ferry_heap *heap;
    void *data[FERRY_AUTO_MOST_SAMPLES]; // of each run: every binding's bytes, one after another
    size_t run_bytes, count, most;
} ferry_kept_runs;

/// Keeps a run when there is room: `buffers` [bindings] of `bytes` [bindings].
ferry_status ferry_kept_runs_add(ferry_kept_runs *kept, void *const *buffers, const size_t *bytes, size_t n_bindings,
                                 ferry_error *err);
void ferry_kept_runs_deinit(ferry_kept_runs *kept);

/// Builds the network in INT8 with the scales of each algorithm, at the shapes of `shapes` (another building of the
/// same network), runs it on the kept samples, and leaves the best one in `b->calibration`. Says which, with the
/// figures.
ferry_status ferry_building_choose_algorithm(ferry_building *b, const ferry_building *shapes,
                                             const ferry_observer *observer, const char *const *names,
                                             const ferry_kept_runs *kept, ferry_error *err);

#endif // FERRY_SRC_BUILD_AUTO_SCALE_H_
