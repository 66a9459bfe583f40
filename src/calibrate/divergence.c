// SPDX-License-Identifier: Apache-2.0
#include "calibrate/divergence.h"

ferry_status ferry_divergence_init(ferry_divergence *sums, const ferry_heap *heap, const uint64_t *bins, size_t count,
                                   uint64_t first, ferry_error *err)
{
    const size_t n = count + 1;
    double *all = ferry_heap_alloc_array(heap, 3 * n, sizeof *all);
    if (!all) return ferry_fail_memory(err, "the search for a threshold");
    *sums = (ferry_divergence){heap, count, all, all + n, all + 2 * n};
    for (size_t i = 0; i < count; i++) {
        const double c = (double)(i ? bins[i] : first);
        sums->counts[i + 1] = sums->counts[i] + c;
        sums->logs[i + 1] = sums->logs[i] + (c > 0 ? c * ferry_calibration_log(c) : 0);
        sums->nonempty[i + 1] = sums->nonempty[i] + (c > 0);
    }
    return FERRY_OK;
}

double ferry_divergence_of_level(const ferry_divergence *sums, size_t begin, size_t end)
{
    const double count = sums->counts[end] - sums->counts[begin];
    if (!(count > 0)) return 0;
    const double bins = sums->nonempty[end] - sums->nonempty[begin];
    return sums->logs[end] - sums->logs[begin] - count * ferry_calibration_log(count / bins);
}

void ferry_divergence_deinit(ferry_divergence *sums)
{
    ferry_heap_free(sums->heap, sums->counts, 3 * (sums->count + 1) * sizeof *sums->counts);
    memset(sums, 0, sizeof *sums);
}
