// SPDX-License-Identifier: Apache-2.0
#include "calibrate/threshold.h"

#include "base/strings.h"

enum { KL_BINS = FERRY_HISTOGRAM_BINS / 2, LEAST_PER_BIN = 8 };

typedef ferry_status search(const ferry_heap *heap, const uint64_t *bins, size_t count, double width, double *out,
                            ferry_error *err);

// The divergence depends on the number of bins. TensorRT's largest value lies between bins 1024 and 2048, so ours is
// put there.
static ferry_status search_2048(search *kl, const ferry_heap *heap, const ferry_histogram *h, double *out,
                                ferry_error *err)
{
    uint64_t bins[KL_BINS];
    // With few values a bin, most counts are 0 or 1 and the divergence measures chance. (A squeezed tensor of eight
    // channels has 512 values on 64 pictures.) Then nothing is clipped.
    if (ferry_histogram_finite_count(h) - h->zero_count < LEAST_PER_BIN * KL_BINS) return FERRY_OK;
    for (size_t i = 0; i < KL_BINS; i++) bins[i] = h->bins[2 * i] + h->bins[2 * i + 1];
    return kl(heap, bins, KL_BINS, 2 * ferry_histogram_width(h), out, err);
}

ferry_status ferry_threshold_choose(const ferry_heap *heap, const ferry_histogram *histogram,
                                    ferry_calibration_algorithm algorithm, double percentile, double *out_amax,
                                    ferry_error *err)
{
    const double amax = ferry_histogram_amax(histogram), width = ferry_histogram_width(histogram);
    double chosen = amax;
    *out_amax = 0;
    if (percentile == 0) percentile = FERRY_CALIBRATION_DEFAULT_PERCENTILE;
    if (!(percentile > 0 && percentile <= 100))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "percentile %g does not lie in (0, 100]", percentile);
    switch (algorithm) {
    case FERRY_CALIBRATION_DEFAULT:
    case FERRY_CALIBRATION_ENTROPY2:
        FERRY_TRY(search_2048(ferry_threshold_entropy2, heap, histogram, &chosen, err));
        break;
    case FERRY_CALIBRATION_ENTROPY:
        FERRY_TRY(search_2048(ferry_threshold_entropy, heap, histogram, &chosen, err));
        break;
    case FERRY_CALIBRATION_MINMAX:
        break;
    case FERRY_CALIBRATION_PERCENTILE:
        chosen = (double)(ferry_threshold_percentile_bin(histogram->bins, FERRY_HISTOGRAM_BINS, histogram->zero_count,
                                                         percentile) +
                          1) *
                 width;
        break;
    case FERRY_CALIBRATION_MSE:
        FERRY_TRY(ferry_threshold_mse(heap, histogram->bins, FERRY_HISTOGRAM_BINS, width, &chosen, err));
        break;
    default:
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "calibration algorithm %d does not choose a range itself",
                          (int)algorithm);
    }
    *out_amax = chosen < amax ? chosen : amax;
    return FERRY_OK;
}

// By enumerator; the default comes first, under the name of what it stands for.
static const char *const names[] = {"entropy2", "entropy2", "entropy", "minmax", "percentile", "mse", "auto"};

const char *ferry_calibration_algorithm_name(ferry_calibration_algorithm algorithm)
{
    return (unsigned)algorithm < FERRY_COUNT_OF(names) ? names[(unsigned)algorithm] : NULL;
}

ferry_status ferry_calibration_algorithm_parse(const char *text, ferry_calibration_algorithm *out_algorithm,
                                               double *out_percentile, ferry_error *error)
{
    ferry_text rest = ferry_text_of(text), name;
    ferry_text_next(&rest, ':', &name);
    for (size_t i = FERRY_CALIBRATION_DEFAULT + 1; i < FERRY_COUNT_OF(names); i++) {
        if (!ferry_text_equal(name, names[i])) continue;
        double percentile = 0;
        if (rest.data && i == FERRY_CALIBRATION_PERCENTILE) {
            if (!ferry_parse_double(rest, &percentile) || !(percentile > 0 && percentile <= 100))
                return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                                  "'%s': a percentile above 0 and up to 100 is expected after the colon", text);
        } else if (rest.data) {
            break;
        }
        *out_algorithm = (ferry_calibration_algorithm)i;
        *out_percentile = percentile;
        return FERRY_OK;
    }
    return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                      "calibration algorithm '%s' is not known: entropy2, entropy, minmax, percentile[:P], mse or auto",
                      text);
}
