// SPDX-License-Identifier: Apache-2.0
// What calibration remembers of a tensor: a histogram of |x| that depends on the set of values alone. Neither their
// order, nor how they were split among calls, threads or machines, changes a bit of it.
#ifndef FERRY_SRC_CALIBRATE_HISTOGRAM_H_
#define FERRY_SRC_CALIBRATE_HISTOGRAM_H_

#include <stddef.h>
#include <stdint.h>

enum {
    FERRY_HISTOGRAM_BINS = 4096,
    // The range never gets narrower than [0, 2^-114): there the factor from value to bin, 2^126, is still a float.
    // A tensor with smaller values only (subnormals, in practice) has them all in its lower bins.
    FERRY_HISTOGRAM_LEAST_EXPONENT = -114
};

/// Bin i counts the values with i * width <= |x| < (i + 1) * width, width = 2^(exponent - 12). The exponent is the
/// least that holds the largest |x| (|x| < 2^exponent); when it grows by one, bins are merged in pairs, which is exact.
typedef struct ferry_histogram {
    uint64_t bins[FERRY_HISTOGRAM_BINS]; ///< of finite values that are not zero
    uint64_t zero_count, nan_count, infinite_count;
    int32_t exponent;
    int32_t min_key, max_key; // min and max as integers of the same order, see ferry_histogram_min()
} ferry_histogram;

/// Empties it. A histogram must be initialised before anything else.
void ferry_histogram_init(ferry_histogram *histogram);

/// Counts `count` values. One thread at a time.
void ferry_histogram_add(ferry_histogram *histogram, const float *values, size_t count);

/// Adds all that `from` has counted; the result is the same as if `into` had seen those values itself.
void ferry_histogram_merge(ferry_histogram *into, const ferry_histogram *from);

/// Finite values seen, zeros included.
uint64_t ferry_histogram_finite_count(const ferry_histogram *histogram);

/// Least and largest finite value, exactly; 0 when there was none. Zero is +0.
float ferry_histogram_min(const ferry_histogram *histogram);
float ferry_histogram_max(const ferry_histogram *histogram);
/// The larger of |min| and |max|.
float ferry_histogram_amax(const ferry_histogram *histogram);

/// NULL when counting some set of values gives this histogram's fields, as far as that can be told, else what gives it
/// away. For what comes out of a file.
const char *ferry_histogram_flaw(const ferry_histogram *histogram);

/// 2^(exponent - 12).
double ferry_histogram_width(const ferry_histogram *histogram);

#endif // FERRY_SRC_CALIBRATE_HISTOGRAM_H_
