// SPDX-License-Identifier: Apache-2.0
// The rules of calibration caches: an existing one is read and never modified, a new one is written after calibration.
#ifndef FERRY_SRC_CALIBRATE_SCALE_SOURCE_H_
#define FERRY_SRC_CALIBRATE_SCALE_SOURCE_H_

#include "calibrate/cache.h"
#include "calibrate/meta.h"

/// Looks for scales that exist already: first the calibrator's cache, then the file `options->cache_path`; with
/// `options->recalibrate` neither. *out_found tells whether `table` (empty before) was filled. `names` are the model's
/// float tensors, see ferry_scale_table_check(). `now` describes the present build; a side file that differs, or is
/// damaged, is a WARNING. When nothing is found it is made sure that a cache can be written and that samples were
/// given, before time is spent.
ferry_status ferry_scale_source_read(const ferry_calibration_options *options, const ferry_calibration_meta *now,
                                     const char *const *names, size_t name_count, ferry_scale_table *table,
                                     bool *out_found, ferry_report *report, ferry_error *err);

/// After calibration: writes `options->cache_path` and its side file, and hands the text to the calibrator.
ferry_status ferry_scale_source_write(const ferry_calibration_options *options, const ferry_calibration_meta *now,
                                      const ferry_scale_table *table, ferry_error *err);

/// Asks the calibrator, when there is one, whether a function that cannot say so itself has failed.
ferry_status ferry_scale_source_failure(const ferry_calibration_options *options, ferry_error *err);

/// The algorithm to use: the calibrator's, if it names one, else the options'.
ferry_calibration_algorithm ferry_scale_source_algorithm(const ferry_calibration_options *options);

#endif // FERRY_SRC_CALIBRATE_SCALE_SOURCE_H_
