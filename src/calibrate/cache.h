// SPDX-License-Identifier: Apache-2.0
// TensorRT's calibration cache, both ways; docs/CALIBRATION.md describes the format.
#ifndef FERRY_SRC_CALIBRATE_CACHE_H_
#define FERRY_SRC_CALIBRATE_CACHE_H_

#include "calibrate/scale_table.h"

/// Version and algorithm of the first line. TensorRT ignores a cache whose first line is not its own.
typedef struct ferry_cache_header {
    char version[32];   ///< digits, e.g. "8600" (8.6.0) or "100300" (10.3.0)
    char algorithm[64]; ///< "EntropyCalibration2", "EntropyCalibration", "MinMaxCalibration", "LegacyCalibration", ...
} ferry_cache_header;

/// Version written where none is asked for: 8.6.0, which JetPack 5.1.2 and 6.0 ship.
#define FERRY_CACHE_DEFAULT_VERSION "8600"

/// TensorRT's name for what ferry calls so. TensorRT has none for percentile and mse: their caches say
/// EntropyCalibration2, so that it accepts the scales.
const char *ferry_cache_algorithm_name(ferry_calibration_algorithm algorithm);

/// Reads a cache's text into `table`, which must be empty. `origin` names it in texts. Any version and algorithm are
/// accepted. A name that occurs twice keeps its place and its last scale, and is a finding (WARNING).
/// FERRY_ERR_BAD_DATA with the line number for anything else; text in which the scales are decimal is told apart.
ferry_status ferry_cache_parse(const char *text, size_t bytes, const char *origin, ferry_scale_table *table,
                               ferry_cache_header *out_header, ferry_report *report, ferry_error *err);

/// Reads a cache file.
ferry_status ferry_cache_load(const char *path, ferry_scale_table *table, ferry_cache_header *out_header,
                              ferry_report *report, ferry_error *err);

/// The text of a cache, zero-terminated, in `heap` (freed with ferry_text_free()). FERRY_ERR_INVALID_ARGUMENT for a
/// name that the format cannot hold (a line end), a header with odd characters, or a scale that is negative or not
/// finite.
ferry_status ferry_cache_text(const ferry_scale_table *table, const ferry_cache_header *header, const ferry_heap *heap,
                              char **out_text, ferry_error *err);

/// Writes a cache file, atomically.
ferry_status ferry_cache_save(const ferry_scale_table *table, const ferry_cache_header *header, const char *path,
                              ferry_error *err);

/// Fills a header; `version` NULL means the default. FERRY_ERR_INVALID_ARGUMENT for a version that is not 1 to 9
/// digits.
ferry_status ferry_cache_header_init(ferry_cache_header *header, const char *version,
                                     ferry_calibration_algorithm algorithm, ferry_error *err);

#endif // FERRY_SRC_CALIBRATE_CACHE_H_
