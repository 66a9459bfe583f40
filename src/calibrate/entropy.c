// SPDX-License-Identifier: Apache-2.0
// The entropy calibration that NVIDIA published (GTC 2017, S7310), with bin 0 and empty bins treated as
// pytorch-quantization does.
#include "calibrate/divergence.h"
#include "calibrate/threshold.h"

enum { LEVELS = 128 };
static const double infinite = 1e300;

// First bin of a level among `bins`: floor(j * 128 / bins) >= level.
static size_t level_begin(size_t level, size_t bins)
{
    return (level * bins + LEVELS - 1) / LEVELS;
}

// Divergence of keeping bins [0, n), times the total count; gives up above `enough`. The reference has everything above
// in its last bin, the levels do not: that is what makes clipping cost something.
static double candidate(const ferry_divergence *sums, size_t n, double enough)
{
    const double total = sums->counts[sums->count], kept = sums->counts[n], outliers = total - kept;
    const bool last_is_empty = !(sums->nonempty[n] > sums->nonempty[n - 1]);
    if (!(kept > 0) || (outliers > 0 && last_is_empty)) return infinite;
    if (outliers > total * FERRY_THRESHOLD_MOST_CLIPPED) return infinite;
    const size_t last = level_begin(LEVELS - 1, n);
    double sum = total * ferry_calibration_log(kept / total);
    if (outliers > 0) {
        const double count = kept - sums->counts[last];
        const double bins = sums->nonempty[n] - sums->nonempty[last];
        const double top = sums->counts[n] - sums->counts[n - 1] + outliers;
        sum += sums->logs[n - 1] - sums->logs[last] + top * ferry_calibration_log(top);
        sum -= (count + outliers) * ferry_calibration_log(count / bins);
    } else {
        sum += ferry_divergence_of_level(sums, last, n);
    }
    size_t begin = 0;
    for (size_t level = 0; level + 1 < LEVELS && sum <= enough; level++) {
        const size_t end = level_begin(level + 1, n);
        sum += ferry_divergence_of_level(sums, begin, end);
        begin = end;
    }
    return sum;
}

ferry_status ferry_threshold_entropy(const ferry_heap *heap, const uint64_t *bins, size_t count, double width,
                                     double *out, ferry_error *err)
{
    *out = 0;
    while (count > 0 && bins[count - 1] == 0) count--;
    if (count == 0) return FERRY_OK;
    *out = (double)count * width; // too few bins to search
    if (count <= LEVELS) return FERRY_OK;
    ferry_divergence sums;
    FERRY_TRY(ferry_divergence_init(&sums, heap, bins, count, bins[1], err));
    double best = infinite;
    for (size_t n = count; n >= LEVELS; n--) {
        const double d = candidate(&sums, n, best);
        if (d < best) {
            best = d;
            *out = (double)n * width;
        }
    }
    ferry_divergence_deinit(&sums);
    return FERRY_OK;
}
