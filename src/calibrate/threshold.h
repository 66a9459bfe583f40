// SPDX-License-Identifier: Apache-2.0
// From a histogram of |x| to the range that INT8 should keep; what lies beyond is clipped. docs/CALIBRATION.md defines
// each.
#ifndef FERRY_SRC_CALIBRATE_THRESHOLD_H_
#define FERRY_SRC_CALIBRATE_THRESHOLD_H_

#include "base/heap.h"
#include "base/status.h"
#include "calibrate/histogram.h"
#include "ferry/calibrate.h"

// The searches: `bins` counts |x| in `count` bins of the given width from 0. Each answers a threshold > 0, or 0 when
// nothing was counted. They use exact integers and their own logarithm, so that every machine finds the same one.

/// The share of the values that are not zero that an entropy search may clip. A divergence alone prefers a tight range
/// where most values crowd near zero, and would cut off the twentieth of a ReLU6's outputs that carries the network's
/// decision.
#define FERRY_THRESHOLD_MOST_CLIPPED 0.01

/// TensorRT as shipped: bin 0 dropped, every bin from the 127th a candidate, 127 levels up to its centre, outliers
/// folded into it on both sides, empty bins skipped; ties go to the wider range. The centre of the best bin.
ferry_status ferry_threshold_entropy2(const ferry_heap *heap, const uint64_t *bins, size_t count, double width,
                                      double *out, ferry_error *err);

/// As published: bin 0 set to bin 1, 128 levels, outliers folded into the reference only, ties go to the wider range.
/// The upper edge of the best bin.
ferry_status ferry_threshold_entropy(const ferry_heap *heap, const uint64_t *bins, size_t count, double width,
                                     double *out, ferry_error *err);

/// Least squared error of rounding to 127 levels and clipping, each value taken as its bin's centre. The centre of the
/// best bin, from bin 128 on; ties go to the narrower range.
ferry_status ferry_threshold_mse(const ferry_heap *heap, const uint64_t *bins, size_t count, double width, double *out,
                                 ferry_error *err);

/// The first bin up to which at least `percentile` % of the values lie, counting `zero_count` more at 0; `count` when
/// nothing was counted. Its upper edge is the threshold.
size_t ferry_threshold_percentile_bin(const uint64_t *bins, size_t count, uint64_t zero_count, double percentile);

/// The range of a tensor, at most the largest |x| seen; 0 when there is none to choose: no finite value, or only zeros.
/// Not for FERRY_CALIBRATION_AUTO. `percentile` 0 means the default. FERRY_ERR_INVALID_ARGUMENT for what it does not
/// know.
ferry_status ferry_threshold_choose(const ferry_heap *heap, const ferry_histogram *histogram,
                                    ferry_calibration_algorithm algorithm, double percentile, double *out_amax,
                                    ferry_error *err);

#endif // FERRY_SRC_CALIBRATE_THRESHOLD_H_
