// SPDX-License-Identifier: Apache-2.0
#include "calibrate/histogram_set.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "calibrate/cache.h"

// --- Lifetime ------------------------------------------------------------------------------------------------------

ferry_status ferry_histograms_create(const ferry_heap *heap, const char *const *names, size_t count, const char *inputs,
                                     ferry_histograms **out, ferry_error *err)
{
    *out = NULL;
    ferry_histograms *h = ferry_new(heap, ferry_histograms);
    if (!h) return ferry_fail_memory(err, "histograms");
    h->heap = heap;
    h->count = count;
    ferry_arena_init(&h->arena, heap);
    h->names = ferry_heap_alloc_array(heap, count, sizeof *h->names);
    h->inputs = ferry_arena_strdup(&h->arena, inputs);
    bool ok = h->names && h->inputs;
    for (size_t i = 0; ok && i < count; i++) ok = (h->names[i] = ferry_arena_strdup(&h->arena, names[i])) != NULL;
    if (ok) {
        *out = h;
        return FERRY_OK;
    }
    ferry_histograms_release(h);
    return ferry_fail_memory(err, "histograms");
}

void ferry_histograms_release(ferry_histograms *histograms)
{
    if (!histograms) return;
    const ferry_heap *heap = histograms->heap;
    ferry_heap_free(heap, histograms->tensors, histograms->count * sizeof *histograms->tensors);
    ferry_heap_free(heap, histograms->names, histograms->count * sizeof *histograms->names);
    ferry_arena_deinit(&histograms->arena);
    ferry_delete(heap, histograms);
}

// --- Asking --------------------------------------------------------------------------------------------------------

uint64_t ferry_histograms_sample_count(const ferry_histograms *histograms)
{
    return histograms->samples;
}

size_t ferry_histograms_tensor_count(const ferry_histograms *histograms)
{
    return histograms->count;
}

ferry_status ferry_histograms_tensor(const ferry_histograms *histograms, size_t tensor, ferry_histogram_info *out,
                                     ferry_error *error)
{
    if (tensor >= histograms->count)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "there is no tensor %zu, the histograms have %zu", tensor,
                          histograms->count);
    const ferry_histogram *h = &histograms->tensors[tensor];
    *out = (ferry_histogram_info){.name = histograms->names[tensor],
                                  .min = ferry_histogram_min(h),
                                  .max = ferry_histogram_max(h),
                                  .finite_count = ferry_histogram_finite_count(h),
                                  .zero_count = h->zero_count,
                                  .nan_count = h->nan_count,
                                  .infinite_count = h->infinite_count};
    return FERRY_OK;
}

// --- Merging -------------------------------------------------------------------------------------------------------

static ferry_status check_names(const ferry_histograms *into, const ferry_histograms *from, ferry_error *err)
{
    if (into->count != from->count)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "histograms of %zu and of %zu tensors cannot be added: they are of different models",
                          into->count, from->count);
    for (size_t i = 0; i < into->count; i++)
        if (strcmp(into->names[i], from->names[i]) != 0)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                              "histograms of different models cannot be added: tensor %zu is '%s' in one and '%s' in "
                              "the other",
                              i, into->names[i], from->names[i]);
    return FERRY_OK;
}

static ferry_status check_origin(const ferry_histograms *into, const ferry_histograms *from, ferry_error *err)
{
    FERRY_TRY(check_names(into, from, err));
    if (strcmp(into->inputs, from->inputs) != 0)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "histograms of different input shapes cannot be added: %s in one, %s in the other",
                          into->inputs, from->inputs);
    if (strcmp(into->model, from->model) != 0)
        return ferry_fail(
            err, FERRY_ERR_INVALID_ARGUMENT,
            "histograms of different models cannot be added: their tensors have the same names, but their "
            "operators or weights differ (hashes %.32s and %.32s)",
            into->model, from->model);
    if (strcmp(into->preprocessing, from->preprocessing) != 0)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "histograms of different preprocessings cannot be added (hashes %.32s and %.32s)",
                          into->preprocessing, from->preprocessing);
    return FERRY_OK;
}

static ferry_status check_sums(const ferry_histograms *into, const ferry_histograms *from, ferry_error *err)
{
    ferry_histogram sum;
    const char *flaw = from->samples > UINT64_MAX / 2 - into->samples ? "more samples than can be" : NULL;
    for (size_t i = 0; i < into->count && !flaw; i++) {
        sum = into->tensors[i];
        ferry_histogram_merge(&sum, &from->tensors[i]);
        flaw = ferry_histogram_flaw(&sum);
    }
    if (!flaw) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the sum of these histograms would have %s", flaw);
}

ferry_status ferry_histograms_merge(ferry_histograms *into, const ferry_histograms *from, ferry_error *error)
{
    if (!into || !from) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "histograms to add are NULL");
    FERRY_TRY(check_origin(into, from, error));
    FERRY_TRY(check_sums(into, from, error));
    for (size_t i = 0; i < into->count; i++) {
        const ferry_histogram part = from->tensors[i]; // `from` may be `into`
        ferry_histogram_merge(&into->tensors[i], &part);
    }
    into->samples += from->samples;
    return FERRY_OK;
}

// --- Scales --------------------------------------------------------------------------------------------------------

static ferry_status choose_scales(const ferry_histograms *h, ferry_calibration_algorithm algorithm, double percentile,
                                  const ferry_logger *logger, ferry_scale_table *table, ferry_error *err)
{
    ferry_report report;
    ferry_report_init(&report, h->heap);
    const ferry_status s =
        ferry_scale_table_from_histograms(table, h->tensors, h->count, h->names, algorithm, percentile, &report, err);
    for (size_t i = 0; i < report.count; i++)
        ferry_log(logger, report.findings[i].severity, "%s: %s", report.findings[i].subject, report.findings[i].text);
    ferry_report_deinit(&report);
    return s;
}

ferry_status ferry_histograms_cache(const ferry_histograms *histograms, ferry_calibration_algorithm algorithm,
                                    double percentile, const char *cache_version, const ferry_logger *logger,
                                    char **out_text, ferry_error *error)
{
    *out_text = NULL;
    if (algorithm == FERRY_CALIBRATION_AUTO)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "calibration auto compares the network's outputs, which histograms don't hold: name an "
                          "algorithm (mse, entropy2, entropy, minmax, percentile)");
    if (histograms->samples == 0)
        return ferry_fail(error, FERRY_ERR_BAD_DATA, "no sample was seen: there is nothing to choose scales from");
    ferry_cache_header header;
    ferry_scale_table table;
    FERRY_TRY(ferry_cache_header_init(&header, cache_version, algorithm, error));
    ferry_scale_table_init(&table, histograms->heap);
    ferry_status s = choose_scales(histograms, algorithm, percentile, logger, &table, error);
    if (s == FERRY_OK) s = ferry_cache_text(&table, &header, ferry_heap_default(), out_text, error);
    ferry_scale_table_deinit(&table);
    return s;
}
