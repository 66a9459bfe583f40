// SPDX-License-Identifier: Apache-2.0
// The entropy calibration that TensorRT ships, after NVIDIA's description of it for MLPerf.
#include "calibrate/divergence.h"
#include "calibrate/threshold.h"

enum { LEVELS = 127 };
static const double infinite = 1e300;

// First bin of a level: the bins j with floor((j + 1/2) * 127 / (b + 1/2)) >= level. In integers, so never off by one.
static size_t level_begin(size_t level, size_t b)
{
    const size_t odd = (level * (2 * b + 1) + LEVELS - 1) / LEVELS; // 2j + 1 >= odd
    return odd / 2;
}

// Divergence of candidate b times the total count; gives up above `enough`.
static double candidate(const ferry_divergence *sums, size_t b, double enough)
{
    const size_t last = level_begin(LEVELS - 1, b);
    const double total = sums->counts[sums->count], above = total - sums->counts[b + 1];
    const double neighbours = sums->nonempty[b] - sums->nonempty[last];
    // What is folded into a bin that has its level for itself costs nothing, so half of the values could be clipped for
    // free where a histogram has a gap.
    if (above > 0 && neighbours == 0) return infinite;
    if (above > total * FERRY_THRESHOLD_MOST_CLIPPED) return infinite;
    // The last level: its other bins as they are, and b with everything above it.
    const double folded = total - sums->counts[b], count = total - sums->counts[last];
    double sum = 0;
    if (count > 0) {
        sum = sums->logs[b] - sums->logs[last] - count * ferry_calibration_log(count / (neighbours + (folded > 0)));
        if (folded > 0) sum += folded * ferry_calibration_log(folded);
    }
    size_t begin = 0;
    for (size_t level = 0; level + 1 < LEVELS && sum <= enough; level++) {
        const size_t end = level_begin(level + 1, b);
        sum += ferry_divergence_of_level(sums, begin, end);
        begin = end;
    }
    return sum;
}

ferry_status ferry_threshold_entropy2(const ferry_heap *heap, const uint64_t *bins, size_t count, double width,
                                      double *out, ferry_error *err)
{
    *out = 0;
    while (count > 0 && bins[count - 1] == 0) count--;
    if (count == 0) return FERRY_OK;
    *out = (double)count * width; // too few bins to search
    if (count <= LEVELS) return FERRY_OK;
    ferry_divergence sums;
    FERRY_TRY(ferry_divergence_init(&sums, heap, bins, count, 0, err));
    double best = infinite;
    for (size_t b = count; b-- > LEVELS;) {
        const double d = candidate(&sums, b, best);
        if (d < best) {
            best = d;
            *out = ((double)b + 0.5) * width;
        }
    }
    ferry_divergence_deinit(&sums);
    return FERRY_OK;
}
