// SPDX-License-Identifier: Apache-2.0
// The histograms of a network's tensors with what must agree before two sets may be added: the object behind
// ferry/histograms.h.
#ifndef FERRY_SRC_CALIBRATE_HISTOGRAM_SET_H_
#define FERRY_SRC_CALIBRATE_HISTOGRAM_SET_H_

#include "base/arena.h"
#include "calibrate/histogram.h"
#include "ferry/histograms.h"

struct ferry_histograms {
    const ferry_heap *heap;
    ferry_arena arena;        // texts
    ferry_histogram *tensors; // owned, [count]
    const char **names;       // owned array, [count]; the names are in the arena
    size_t count;
    uint64_t samples;
    char model[33], preprocessing[33]; // hashes, as in ferry_calibration_meta
    const char *inputs;                // shape of one sample for each input: "x=1x3x224x224"
};

/// Names and inputs are copied; the model and preprocessing are left "". The caller sets `tensors`.
ferry_status ferry_histograms_create(const ferry_heap *heap, const char *const *names, size_t count, const char *inputs,
                                     ferry_histograms **out, ferry_error *err);

#endif // FERRY_SRC_CALIBRATE_HISTOGRAM_SET_H_
