// SPDX-License-Identifier: Apache-2.0
// Calibration's run alone, for samples that are spread over processes: its histograms with what tells their origin.
#include <string.h>

#include "build/internal.h"
#include "build/samples.h"
#include "calibrate/histogram_set.h"
#include "calibrate/scale_source.h"

static ferry_status check_options(const ferry_building *b, ferry_error *err)
{
    if (!b->options.calibration)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "observing needs options->calibration");
    if (ferry_scale_source_algorithm(&b->calibration) == FERRY_CALIBRATION_AUTO)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "calibration auto compares the network's outputs, which histograms don't hold: name an "
                          "algorithm (mse, entropy2, entropy, minmax, percentile)");
    return FERRY_OK;
}

static ferry_status make_set(ferry_building *b, ferry_observation *seen, ferry_histograms **out, ferry_error *err)
{
    FERRY_TRY(ferry_histograms_create(b->heap, seen->names, seen->count, seen->inputs, out, err));
    ferry_calibration_meta meta;
    ferry_samples_describe_model(b, &meta);
    memcpy((*out)->model, meta.model, sizeof meta.model);
    memcpy((*out)->preprocessing, meta.preprocessing, sizeof meta.preprocessing);
    (*out)->samples = seen->samples;
    (*out)->tensors = seen->histograms;
    seen->histograms = NULL;
    return FERRY_OK;
}

ferry_status ferry_observe(ferry_runtime *runtime, const ferry_network *network, const ferry_build_options *options,
                           ferry_histograms **out, ferry_error *error)
{
    *out = NULL;
    ferry_building b;
    ferry_observation seen = {0};
    ferry_status s = ferry_building_init(&b, runtime, network, options, error);
    if (s == FERRY_OK) s = check_options(&b, error);
    if (s == FERRY_OK) s = ferry_building_float_tensors(&b, &seen.names, &seen.count, error);
    if (s == FERRY_OK) s = ferry_building_observe(&b, &seen, error);
    if (s == FERRY_OK) s = make_set(&b, &seen, out, error);
    ferry_heap_free(b.heap, seen.histograms, seen.count * sizeof *seen.histograms);
    ferry_building_deinit(&b);
    return s;
}
