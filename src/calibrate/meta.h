// SPDX-License-Identifier: Apache-2.0
// The side file of a calibration cache: what the scales were made from. TensorRT's format has no place for it, and
// stale scales look like any others.
#ifndef FERRY_SRC_CALIBRATE_META_H_
#define FERRY_SRC_CALIBRATE_META_H_

#include "base/hash.h"
#include "base/report.h"
#include "ferry/calibrate.h"

typedef struct ferry_calibration_meta {
    char model[33], data[33], preprocessing[33]; ///< ferry_hash128_text() of each; "" when not known
    char algorithm[48];                          ///< "entropy2", "percentile:99.99", ...
    uint64_t count;                              ///< samples that were looked at
    uint64_t seed;
} ferry_calibration_meta;

/// Writes "entropy2" or "percentile:99.9" into `out`.
void ferry_calibration_describe(ferry_calibration_algorithm algorithm, double percentile, char out[48]);

/// Writes `cache_path`.meta, atomically.
ferry_status ferry_calibration_meta_save(const ferry_heap *heap, const char *cache_path,
                                         const ferry_calibration_meta *meta, ferry_error *err);

/// Reads `cache_path`.meta. *out_found is false, with FERRY_OK, where there is no such file: caches of TensorRT have
/// none.
ferry_status ferry_calibration_meta_load(const ferry_heap *heap, const char *cache_path, ferry_calibration_meta *out,
                                         bool *out_found, ferry_error *err);

/// Adds a WARNING to `report` for each thing that the stored description and the present one both know and that
/// differs.
void ferry_calibration_meta_compare(const ferry_calibration_meta *stored, const ferry_calibration_meta *now,
                                    const char *cache_path, ferry_report *report);

#endif // FERRY_SRC_CALIBRATE_META_H_
