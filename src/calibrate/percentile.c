// SPDX-License-Identifier: Apache-2.0
// The range that holds a given share of the values.
#include "calibrate/threshold.h"

size_t ferry_threshold_percentile_bin(const uint64_t *bins, size_t count, uint64_t zero_count, double percentile)
{
    uint64_t total = zero_count;
    for (size_t i = 0; i < count; i++) total += bins[i];
    if (total == 0) return count;
    const double wanted = percentile / 100 * (double)total;
    uint64_t sum = zero_count;
    for (size_t i = 0; i < count; i++) {
        sum += bins[i];
        if ((double)sum >= wanted) return i;
    }
    return count - 1; // a percentile of 100 and a little, from rounding
}
