// SPDX-License-Identifier: Apache-2.0
// Measured times of tactics by what was measured: text, so that caches of several builds can be merged with a text
// editor.
#ifndef FERRY_SRC_PLAN_TIMING_CACHE_H_
#define FERRY_SRC_PLAN_TIMING_CACHE_H_

#include "plan/plan.h"

/// One thread at a time.
ferry_status ferry_timing_cache_create(const ferry_heap *heap, ferry_timing_cache **out, ferry_error *err);
void ferry_timing_cache_destroy(ferry_timing_cache *cache); // NULL accepted

/// Adds the entries of a file. A missing file is an empty cache; a damaged line is an error with its number.
ferry_status ferry_timing_cache_read(ferry_timing_cache *cache, const char *path, ferry_error *err);
/// Writes all entries, sorted by key, to a temporary file that then takes the path's place.
ferry_status ferry_timing_cache_write(const ferry_timing_cache *cache, const char *path, ferry_error *err);

/// Microseconds, or a negative number when the key is not there.
double ferry_timing_cache_find(const ferry_timing_cache *cache, const char *key);
/// A later time for the same key replaces the earlier one. The key is copied; it must not hold a line end.
ferry_status ferry_timing_cache_add(ferry_timing_cache *cache, const char *key, double microseconds, ferry_error *err);
size_t ferry_timing_cache_count(const ferry_timing_cache *cache);

#endif // FERRY_SRC_PLAN_TIMING_CACHE_H_
