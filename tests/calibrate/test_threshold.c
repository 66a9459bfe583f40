// SPDX-License-Identifier: Apache-2.0
// Golden thresholds: histograms of 2048 bins of width 1 whose best bins were computed once, independently, for each
// algorithm.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "calibrate/divergence.h"
#include "calibrate/threshold.h"
#include "support/failing_heap.h"

enum { BINS = 2048 };

static uint64_t histograms[5][BINS];

static int make_histograms(void **state)
{
    (void)state;
    for (int i = 0; i < BINS; i++) {
        histograms[0][i] = (uint64_t)floor(1e6 * exp(-i / 150.0));
        histograms[1][i] = (uint64_t)floor(1e6 * exp(-(i / 300.0) * (i / 300.0) / 2));
        histograms[4][i] = 1000;
    }
    memcpy(histograms[2], histograms[1], sizeof histograms[1]);
    histograms[2][1500] += 5;
    histograms[2][2047] += 1;
    memcpy(histograms[3], histograms[0], sizeof histograms[0]);
    histograms[3][0] = 100000000;
    return 0;
}

// Column "section 3 with bin 0 dropped, empty bins skipped, B from 127".
static void entropy2__meets_the_column_of_tensorrt_as_shipped(void **state)
{
    (void)state;
    const double golden[5] = {1587.5, 1395.5, 1395.5, 1587.5, 2047.5};
    for (int i = 0; i < 5; i++) {
        double threshold = -1;
        assert_int_equal(ferry_threshold_entropy2(ferry_heap_default(), histograms[i], BINS, 1, &threshold, NULL), 0);
        assert_true(threshold == golden[i]);
    }
}

// Column "PTQ edge (KL)".
static void entropy__meets_the_column_of_pytorch_quantization(void **state)
{
    (void)state;
    const double golden[5] = {1664, 1434, 1434, 1664, 2048};
    for (int i = 0; i < 5; i++) {
        double threshold = -1;
        assert_int_equal(ferry_threshold_entropy(ferry_heap_default(), histograms[i], BINS, 1, &threshold, NULL), 0);
        assert_true(threshold == golden[i]);
    }
}

// Column "99.99 % bin".
static void percentile__meets_the_column_99_99(void **state)
{
    (void)state;
    const size_t golden[5] = {1376, 1167, 1167, 1302, 2047};
    for (int i = 0; i < 5; i++)
        assert_int_equal(ferry_threshold_percentile_bin(histograms[i], BINS, 0, 99.99), golden[i]);
    // Zeros that were counted apart are values like any other.
    assert_int_equal(ferry_threshold_percentile_bin(histograms[0], BINS, 100000000 - 1000000, 99.99), 1302);
    const uint64_t none[2] = {0, 0};
    assert_int_equal(ferry_threshold_percentile_bin(none, 2, 0, 99.99), 2);
}

static double mse_slowly(const uint64_t *bins, size_t count, size_t b)
{
    const double s = (b + 0.5) / 127;
    double error = 0;
    for (size_t j = 0; j < count; j++) {
        const double level = fmin(nearbyint((j + 0.5) / s), 127);
        error += (double)bins[j] * (j + 0.5 - level * s) * (j + 0.5 - level * s);
    }
    return error;
}

static void mse__finds_the_least_squared_error(void **state)
{
    (void)state;
    for (int h = 0; h < 5; h++) {
        double threshold = -1, best = INFINITY;
        assert_int_equal(ferry_threshold_mse(ferry_heap_default(), histograms[h], BINS, 0.25, &threshold, NULL), 0);
        for (size_t b = 128; b < BINS; b++) best = fmin(best, mse_slowly(histograms[h], BINS, b));
        const double found = mse_slowly(histograms[h], BINS, (size_t)(threshold / 0.25));
        assert_true(found <= best * (1 + 1e-9));
    }
}

// The plain definition of the published search, bin by bin, on histograms with holes.
static double kl_slowly(const uint64_t *bins, size_t count, size_t n)
{
    double p[512] = {0}, sums[128] = {0}, q[512] = {0}, total = 0, kept = 0, filled[128] = {0};
    for (size_t j = 0; j < count; j++) {
        const double c = (double)(j == 0 ? bins[1] : bins[j]);
        total += c;
        p[j < n ? j : n - 1] += c;
        if (j >= n) continue;
        kept += c;
        sums[j * 128 / n] += c;
        filled[j * 128 / n] += c > 0;
    }
    if (total - kept > total * FERRY_THRESHOLD_MOST_CLIPPED) return INFINITY;
    double d = 0;
    for (size_t j = 0; j < n; j++) {
        const size_t level = j * 128 / n;
        if ((j == 0 ? bins[1] : bins[j]) > 0) q[j] = sums[level] / filled[level] / kept;
        if (p[j] > 0 && q[j] == 0) return INFINITY;
        if (p[j] > 0) d += p[j] / total * log(p[j] / total / q[j]);
    }
    return d;
}

static void entropy__agrees_with_its_definition_on_ragged_histograms(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 20; round++) {
        uint64_t bins[500];
        for (int i = 0; i < 500; i++) bins[i] = rand() % 3 ? (uint64_t)(rand() % (1 + 500 - i)) : 0;
        bins[499] = 1;
        double threshold = 0, best = INFINITY;
        assert_int_equal(ferry_threshold_entropy(ferry_heap_default(), bins, 500, 1, &threshold, NULL), 0);
        for (size_t n = 128; n <= 500; n++) best = fmin(best, kl_slowly(bins, 500, n));
        assert_true(fabs(kl_slowly(bins, 500, (size_t)threshold) - best) <= 1e-12);
    }
}

// Nineteen values in twenty near zero and the rest at a ReLU6's ceiling: cutting the ceiling off would be wrong,
// whatever the divergence says.
static void entropy__keeps_a_ceiling_that_many_values_reach(void **state)
{
    (void)state;
    uint64_t bins[2048];
    for (size_t i = 0; i < 2048; i++) bins[i] = (uint64_t)(1e6 * exp(-(double)i / 12));
    bins[2000] = 600000;
    double entropy2 = 0, entropy = 0;
    assert_int_equal(ferry_threshold_entropy2(ferry_heap_default(), bins, 2048, 1, &entropy2, NULL), FERRY_OK);
    assert_int_equal(ferry_threshold_entropy(ferry_heap_default(), bins, 2048, 1, &entropy, NULL), FERRY_OK);
    assert_true(entropy2 >= 2000 && entropy >= 2000);
}

static double kl2_slowly(const uint64_t *bins, size_t count, size_t b)
{
    double p[512] = {0}, sums[127] = {0}, filled[127] = {0}, total = 0, d = 0;
    for (size_t j = 1; j < count; j++) {
        p[j < b ? j : b] += (double)bins[j];
        total += (double)bins[j];
    }
    for (size_t j = 0; j <= b; j++) {
        const size_t level = j == b ? 126 : (2 * j + 1) * 127 / (2 * b + 1);
        sums[level] += p[j];
        filled[level] += p[j] > 0;
    }
    double above = 0;
    for (size_t j = b + 1; j < count; j++) above += (double)bins[j];
    if (above > 0 && filled[126] < 2) return INFINITY; // alone in its level
    if (above > total * FERRY_THRESHOLD_MOST_CLIPPED) return INFINITY;
    for (size_t j = 0; j <= b; j++) {
        const size_t level = j == b ? 126 : (2 * j + 1) * 127 / (2 * b + 1);
        if (p[j] > 0) d += p[j] / total * log(p[j] / (sums[level] / filled[level]));
    }
    return d;
}

static void entropy2__agrees_with_its_definition_on_ragged_histograms(void **state)
{
    (void)state;
    srand(2);
    for (int round = 0; round < 20; round++) {
        uint64_t bins[500];
        for (int i = 0; i < 500; i++) bins[i] = rand() % 3 ? (uint64_t)(rand() % (1 + 500 - i)) : 0;
        bins[499] = 1;
        double threshold = 0, best = INFINITY;
        assert_int_equal(ferry_threshold_entropy2(ferry_heap_default(), bins, 500, 1, &threshold, NULL), 0);
        for (size_t b = 127; b < 500; b++) best = fmin(best, kl2_slowly(bins, 500, b));
        assert_true(fabs(kl2_slowly(bins, 500, (size_t)threshold) - best) <= 1e-12);
    }
}

static void log__is_exact_to_the_last_digits(void **state)
{
    (void)state;
    for (double x = 1e-300; x < 1e300; x *= 1.37)
        assert_true(fabs(ferry_calibration_log(x) - log(x)) <= 4e-16 * fmax(1, fabs(log(x))));
    assert_true(ferry_calibration_log(1) == 0);
}

static void choose__treats_degenerate_tensors(void **state)
{
    (void)state;
    static const float constant[1000] = {[0 ... 999] = -3.7f};
    static const float zeros[1000], lonely[4] = {NAN, INFINITY, -INFINITY, NAN}, tiny[2] = {1e-44f, -1e-40f};
    for (int a = FERRY_CALIBRATION_ENTROPY2; a < FERRY_CALIBRATION_AUTO; a++) {
        ferry_histogram h;
        double amax = -1;
        ferry_histogram_init(&h);
        assert_int_equal(ferry_threshold_choose(ferry_heap_default(), &h, a, 0, &amax, NULL), 0);
        assert_true(amax == 0); // nothing seen
        ferry_histogram_add(&h, lonely, 4);
        ferry_histogram_add(&h, zeros, 1000);
        assert_int_equal(ferry_threshold_choose(ferry_heap_default(), &h, a, 0, &amax, NULL), 0);
        assert_true(amax == 0); // only zeros, and what is not finite
        ferry_histogram_add(&h, tiny, 2);
        assert_int_equal(ferry_threshold_choose(ferry_heap_default(), &h, a, 0, &amax, NULL), 0);
        assert_true(amax > 0 && amax <= 1e-40f);
        ferry_histogram_init(&h);
        ferry_histogram_add(&h, constant, 1000);
        assert_int_equal(ferry_threshold_choose(ferry_heap_default(), &h, a, 0, &amax, NULL), 0);
        assert_true(fabs(amax - 3.7f) <=
                    3.7 / 1024); // a centre of the bin that holds the constant, at most the constant
        assert_true(amax <= 3.7f);
    }
}

// Half of the values in a narrow peak, half beyond a gap.
static void entropy__does_not_clip_into_a_gap(void **state)
{
    (void)state;
    uint64_t bins[BINS] = {0};
    for (int i = 1; i < 100; i++) bins[i] = (uint64_t)(10000 - 90 * i);
    for (int i = 1500; i < 1700; i++) bins[i] = (uint64_t)(2500 + i % 7);
    double threshold = 0;
    assert_int_equal(ferry_threshold_entropy2(ferry_heap_default(), bins, BINS, 1, &threshold, NULL), 0);
    assert_true(threshold > 1500 && threshold <= 1700);
    assert_int_equal(ferry_threshold_entropy(ferry_heap_default(), bins, BINS, 1, &threshold, NULL), 0);
    assert_true(threshold > 1500 && threshold <= 1700);
}

static void choose__clips_nothing_where_there_is_too_little_to_judge_by(void **state)
{
    (void)state;
    ferry_histogram h;
    double amax = 0;
    ferry_histogram_init(&h);
    srand(4);
    for (int i = 0; i < 512; i++) {
        const float x = (float)rand() / (float)RAND_MAX;
        ferry_histogram_add(&h, &x, 1);
    }
    for (int a = FERRY_CALIBRATION_ENTROPY2; a <= FERRY_CALIBRATION_ENTROPY; a++) {
        assert_int_equal(ferry_threshold_choose(ferry_heap_default(), &h, a, 0, &amax, NULL), 0);
        assert_true(amax == ferry_histogram_amax(&h));
    }
}

static void choose__refuses_what_it_cannot_choose(void **state)
{
    (void)state;
    ferry_histogram h;
    ferry_error err;
    double amax;
    ferry_histogram_init(&h);
    assert_int_equal(ferry_threshold_choose(ferry_heap_default(), &h, FERRY_CALIBRATION_AUTO, 0, &amax, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_threshold_choose(ferry_heap_default(), &h, FERRY_CALIBRATION_PERCENTILE, 101, &amax, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "101"));
}

static void algorithm__is_parsed_with_its_percentile(void **state)
{
    (void)state;
    ferry_calibration_algorithm a = FERRY_CALIBRATION_AUTO;
    double p = -1;
    ferry_error err;
    for (int i = FERRY_CALIBRATION_ENTROPY2; i <= FERRY_CALIBRATION_AUTO; i++) {
        assert_int_equal(ferry_calibration_algorithm_parse(ferry_calibration_algorithm_name(i), &a, &p, &err), 0);
        assert_int_equal(a, i);
        assert_true(p == 0);
    }
    assert_int_equal(ferry_calibration_algorithm_parse("percentile:99.9", &a, &p, &err), 0);
    assert_int_equal(a, FERRY_CALIBRATION_PERCENTILE);
    assert_true(p == 99.9);
    const char *const wrong[] = {
        "", "kl", "entropy2:3", "percentile:", "percentile:0", "percentile:100.1", "percentile:nan", "percentile:99x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ferry_calibration_algorithm_parse(wrong[i], &a, &p, &err), FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(err.text, wrong[i]));
        assert_int_equal(a, FERRY_CALIBRATION_PERCENTILE);
    }
    assert_null(ferry_calibration_algorithm_name(77));
    assert_string_equal(ferry_calibration_algorithm_name(FERRY_CALIBRATION_DEFAULT), "entropy2");
}

static ferry_status choose_all(const ferry_heap *heap, void *context, ferry_error *err)
{
    const ferry_histogram *h = context;
    double amax;
    for (int a = FERRY_CALIBRATION_ENTROPY2; a < FERRY_CALIBRATION_AUTO; a++) {
        const ferry_status s = ferry_threshold_choose(heap, h, a, 0, &amax, err);
        if (s != FERRY_OK) return s;
    }
    return FERRY_OK;
}

static void choose__survives_each_failing_allocation_and_is_quick(void **state)
{
    (void)state;
    static ferry_histogram h;
    static float values[200000];
    ferry_histogram_init(&h);
    srand(3);
    for (int i = 0; i < 200000; i++) values[i] = (float)(log((rand() + 1.0) / (RAND_MAX + 2.0)));
    ferry_histogram_add(&h, values, 200000);
    assert_int_equal(ferry_failing_heap_loop(choose_all, &h), 3);
    for (int a = FERRY_CALIBRATION_ENTROPY2; a < FERRY_CALIBRATION_AUTO; a++) {
        const double begun = ferry_clock_s();
        double amax;
        for (int i = 0; i < 10; i++) ferry_threshold_choose(ferry_heap_default(), &h, a, 0, &amax, NULL);
        print_message("%s: %.3f ms, amax %g of %g\n", ferry_calibration_algorithm_name(a),
                      (ferry_clock_s() - begun) * 100, amax, ferry_histogram_amax(&h));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entropy2__meets_the_column_of_tensorrt_as_shipped),
        cmocka_unit_test(entropy__meets_the_column_of_pytorch_quantization),
        cmocka_unit_test(percentile__meets_the_column_99_99),
        cmocka_unit_test(mse__finds_the_least_squared_error),
        cmocka_unit_test(entropy__agrees_with_its_definition_on_ragged_histograms),
        cmocka_unit_test(entropy__keeps_a_ceiling_that_many_values_reach),
        cmocka_unit_test(entropy2__agrees_with_its_definition_on_ragged_histograms),
        cmocka_unit_test(log__is_exact_to_the_last_digits),
        cmocka_unit_test(choose__treats_degenerate_tensors),
        cmocka_unit_test(entropy__does_not_clip_into_a_gap),
        cmocka_unit_test(choose__clips_nothing_where_there_is_too_little_to_judge_by),
        cmocka_unit_test(choose__refuses_what_it_cannot_choose),
        cmocka_unit_test(algorithm__is_parsed_with_its_percentile),
        cmocka_unit_test(choose__survives_each_failing_allocation_and_is_quick),
    };
    return cmocka_run_group_tests(tests, make_histograms, NULL);
}
