// SPDX-License-Identifier: Apache-2.0
// The range that loses least in squares: too wide rounds coarsely, too narrow clips.
#include "calibrate/threshold.h"

#include <string.h>

enum { LEVELS = 127, FIRST_CANDIDATE = 128 };

// First bin j whose centre rounds to `level` or above when bin `b`'s centre is level 127: (2j + 1) * 254 > (2 level -
// 1)(2b + 1). There are no ties, an even number never equals an odd one.
static size_t level_begin(size_t level, size_t b)
{
    return ((2 * level - 1) * (2 * b + 1) / (2 * LEVELS) + 1) / 2;
}

// With centres x = 2j + 1 in half bins and step s = (2b + 1) / 127, the error is
//     sum c x^2  -  2 s sum(level) level * sum_x(level)  +  s^2 sum(level) level^2 * sum_c(level),
// and summing by parts leaves one look-up a level. The first sum is the same for all candidates and left out.
static double candidate(const double *counts, const double *weighted, size_t count, size_t b)
{
    const double s = (double)(2 * b + 1) / LEVELS;
    double first = 0, second = 0;
    for (size_t level = 1; level <= LEVELS; level++) {
        size_t begin = level_begin(level, b);
        if (begin > count) begin = count;
        first += weighted[count] - weighted[begin];
        second += (double)(2 * level - 1) * (counts[count] - counts[begin]);
    }
    return s * (s * second - 2 * first);
}

ferry_status ferry_threshold_mse(const ferry_heap *heap, const uint64_t *bins, size_t count, double width, double *out,
                                 ferry_error *err)
{
    *out = 0;
    while (count > 0 && bins[count - 1] == 0) count--;
    if (count == 0) return FERRY_OK;
    *out = ((double)count - 0.5) * width;
    if (count <= FIRST_CANDIDATE) return FERRY_OK;
    double *counts = ferry_heap_alloc_array(heap, 2 * (count + 1), sizeof *counts);
    if (!counts) return ferry_fail_memory(err, "the search for a threshold");
    double *weighted = counts + count + 1;
    for (size_t i = 0; i < count; i++) {
        counts[i + 1] = counts[i] + (double)bins[i];
        weighted[i + 1] = weighted[i] + (double)bins[i] * (double)(2 * i + 1);
    }
    double best = 0;
    for (size_t b = FIRST_CANDIDATE; b < count; b++) {
        const double error = candidate(counts, weighted, count, b);
        if (b == FIRST_CANDIDATE || error < best) {
            best = error;
            *out = ((double)b + 0.5) * width;
        }
    }
    ferry_heap_free(heap, counts, 2 * (count + 1) * sizeof *counts);
    return FERRY_OK;
}
