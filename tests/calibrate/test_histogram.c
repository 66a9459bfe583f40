// SPDX-License-Identifier: Apache-2.0
// A histogram is a function of the set of values: every test compares all its bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/f16.h"
#include "base/log.h"
#include "calibrate/histogram.h"
#include "calibrate/observer.h"
#include "support/failing_heap.h"

enum { MANY = 200000 };

static uint64_t next_random(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Values of many magnitudes, with zeros of both signs, subnormals, NaNs and infinities among them.
static void fill_wild(float *values, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t r = next_random(&seed);
        switch (r % 16) {
        case 0:
            values[i] = r & 16 ? 0.0f : -0.0f;
            break;
        case 1:
            values[i] = ferry_f32_from_bits((uint32_t)(r >> 32)); // anything at all
            break;
        default:
            values[i] = ldexpf((float)(int32_t)(r >> 32), -31) * (float)(1 + (r & 15));
        }
    }
}

static void expect_same(const ferry_histogram *a, const ferry_histogram *b)
{
    assert_memory_equal(a->bins, b->bins, sizeof a->bins);
    assert_int_equal(a->zero_count, b->zero_count);
    assert_int_equal(a->nan_count, b->nan_count);
    assert_int_equal(a->infinite_count, b->infinite_count);
    assert_int_equal(a->exponent, b->exponent);
    assert_int_equal(a->min_key, b->min_key);
    assert_int_equal(a->max_key, b->max_key);
}

// Each value by itself, as the definition says.
static void add_slowly(ferry_histogram *h, const float *values, size_t count)
{
    int exponent = FERRY_HISTOGRAM_LEAST_EXPONENT;
    float min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        while ((double)fabsf(values[i]) >= ldexp(1, exponent)) exponent++;
        min = fminf(min, values[i]);
        max = fmaxf(max, values[i]);
    }
    ferry_histogram_init(h);
    h->exponent = exponent;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i]))
            h->nan_count++;
        else if (isinf(values[i]))
            h->infinite_count++;
        else if (values[i] == 0)
            h->zero_count++;
        else
            h->bins[(size_t)floor(ldexp(fabs((double)values[i]), 12 - exponent))]++;
    }
    assert_true(min + 0.0f == min);
    if (min > max) return;
    ferry_histogram probe;
    ferry_histogram_init(&probe);
    ferry_histogram_add(&probe, values, count);
    assert_true(ferry_histogram_min(&probe) == min && ferry_histogram_max(&probe) == max);
    h->min_key = probe.min_key;
    h->max_key = probe.max_key;
}

static void histogram__matches_its_definition(void **state)
{
    (void)state;
    static float values[MANY];
    static ferry_histogram fast, slow;
    const size_t counts[] = {0, 1, 2, 3, 100, 2047, 2048, 2049, 16383, 16384, 50001, MANY};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        fill_wild(values, counts[i], i);
        if (i % 2)
            for (size_t j = 0; j < counts[i]; j++)
                if (!(fabsf(values[j]) < 100)) values[j] = (float)j / 1000;
        ferry_histogram_init(&fast);
        ferry_histogram_add(&fast, values, counts[i]);
        add_slowly(&slow, values, counts[i]);
        expect_same(&fast, &slow);
        assert_int_equal(ferry_histogram_finite_count(&fast) + fast.nan_count + fast.infinite_count, counts[i]);
    }
}

static void histogram__holds_the_extremes(void **state)
{
    (void)state;
    ferry_histogram h;
    const float all[] = {FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_TRUE_MIN, -0.0f};
    ferry_histogram_init(&h);
    assert_true(ferry_histogram_amax(&h) == 0);
    ferry_histogram_add(&h, &all[4], 1);
    assert_false(signbit(ferry_histogram_min(&h)));
    assert_false(signbit(ferry_histogram_max(&h)));
    ferry_histogram_add(&h, &all[3], 1);
    assert_int_equal(h.bins[0], 1);
    assert_int_equal(h.exponent, FERRY_HISTOGRAM_LEAST_EXPONENT);
    assert_true(ferry_histogram_min(&h) == -FLT_TRUE_MIN && ferry_histogram_amax(&h) == FLT_TRUE_MIN);
    ferry_histogram_add(&h, all, 3);
    assert_int_equal(h.exponent, 128);
    assert_int_equal(h.bins[0], 2);
    assert_int_equal(h.bins[4095], 2);
    assert_true(ferry_histogram_amax(&h) == FLT_MAX && ferry_histogram_min(&h) == -FLT_MAX);
    // A power of two opens the next range.
    const float one = 1, below = 1 - FLT_EPSILON / 2;
    ferry_histogram_init(&h);
    ferry_histogram_add(&h, &below, 1);
    assert_int_equal(h.exponent, 0);
    assert_int_equal(h.bins[4095], 1);
    ferry_histogram_add(&h, &one, 1);
    assert_int_equal(h.exponent, 1);
    assert_int_equal(h.bins[2047], 1);
    assert_int_equal(h.bins[2048], 1);
    assert_true(ferry_histogram_width(&h) == 2.0 / 4096);
}

static void histogram__does_not_depend_on_order_or_split(void **state)
{
    (void)state;
    static float values[MANY], shuffled[MANY];
    static ferry_histogram whole, pieces, parts[3];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        fill_wild(values, MANY, seed);
        if (seed % 2)
            for (size_t i = 0; i < MANY; i++) values[i] = fabsf(values[i]) < 1e3f ? values[i] : 1;
        ferry_histogram_init(&whole);
        ferry_histogram_add(&whole, values, MANY);
        // in reverse, one at a time
        ferry_histogram_init(&pieces);
        for (size_t i = MANY; i-- > 0;) ferry_histogram_add(&pieces, &values[i], 1);
        expect_same(&whole, &pieces);
        // shuffled, in batches of 1, 7 and 64 samples of 100 values
        uint64_t state_seed = seed;
        memcpy(shuffled, values, sizeof values);
        for (size_t i = MANY - 1; i > 0; i--) {
            const size_t j = next_random(&state_seed) % (i + 1);
            const float t = shuffled[i];
            shuffled[i] = shuffled[j];
            shuffled[j] = t;
        }
        const size_t batches[] = {1, 7, 64, 1999};
        for (size_t b = 0; b < 4; b++) {
            ferry_histogram_init(&pieces);
            for (size_t i = 0; i < MANY; i += batches[b] * 100)
                ferry_histogram_add(&pieces, shuffled + i, MANY - i < batches[b] * 100 ? MANY - i : batches[b] * 100);
            expect_same(&whole, &pieces);
        }
        // merged in every order
        for (int p = 0; p < 3; p++) ferry_histogram_init(&parts[p]);
        for (size_t i = 0; i < MANY; i++) ferry_histogram_add(&parts[next_random(&state_seed) % 3], &values[i], 1);
        const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        for (int o = 0; o < 6; o++) {
            ferry_histogram_init(&pieces);
            for (int p = 0; p < 3; p++) ferry_histogram_merge(&pieces, &parts[orders[o][p]]);
            expect_same(&whole, &pieces);
        }
    }
}

static void observer__gives_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    static float values[MANY];
    fill_wild(values, MANY, 9);
    ferry_observer *observers[3];
    const size_t threads[3] = {1, 2, 5};
    for (int i = 0; i < 3; i++) {
        ferry_thread_pool *pool = NULL;
        ferry_error err;
        assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), threads[i], &pool, &err), FERRY_OK);
        assert_int_equal(ferry_observer_create(ferry_heap_default(), 2, pool, &observers[i], &err), FERRY_OK);
        for (size_t count = 1; count <= MANY; count = count * 3 + 1)
            assert_int_equal(ferry_observer_observe(observers[i], count % 2, FERRY_F32, values, count, &err), FERRY_OK);
        assert_int_equal(ferry_observer_observe(observers[i], 0, FERRY_F32, values, MANY, &err), FERRY_OK);
        ferry_thread_pool_destroy(pool);
    }
    for (size_t t = 0; t < 2; t++) {
        expect_same(ferry_observer_histogram(observers[0], t), ferry_observer_histogram(observers[1], t));
        expect_same(ferry_observer_histogram(observers[0], t), ferry_observer_histogram(observers[2], t));
    }
    for (int i = 0; i < 3; i++) ferry_observer_destroy(observers[i]);
}

static void observer__widens_other_floats(void **state)
{
    (void)state;
    enum { N = 5000 };
    static float values[N];
    static uint16_t halves[N], brains[N];
    static double doubles[N];
    uint64_t seed = 3;
    for (int i = 0; i < N; i++) { // eight bits of mantissa: exact in each type
        values[i] = (float)((int)(next_random(&seed) % 511) - 255) / 16;
        halves[i] = ferry_f16_from_f32(values[i]);
        brains[i] = ferry_bf16_from_f32(values[i]);
        doubles[i] = values[i];
    }
    ferry_observer *o = NULL;
    ferry_error err;
    assert_int_equal(ferry_observer_create(ferry_heap_default(), 4, NULL, &o, &err), FERRY_OK);
    assert_int_equal(ferry_observer_observe(o, 0, FERRY_F32, values, N, &err), FERRY_OK);
    assert_int_equal(ferry_observer_observe(o, 1, FERRY_F16, halves, N, &err), FERRY_OK);
    assert_int_equal(ferry_observer_observe(o, 2, FERRY_BF16, brains, N, &err), FERRY_OK);
    assert_int_equal(ferry_observer_observe(o, 3, FERRY_F64, doubles, N, &err), FERRY_OK);
    for (size_t t = 1; t < 4; t++) expect_same(ferry_observer_histogram(o, 0), ferry_observer_histogram(o, t));
    assert_int_equal(ferry_observer_observe(o, 4, FERRY_F32, values, N, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_observer_observe(o, 0, FERRY_S64, values, 1, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "int64"));
    assert_null(ferry_observer_histogram(o, 4));
    ferry_observer *other = NULL;
    assert_int_equal(ferry_observer_create(ferry_heap_default(), 3, NULL, &other, &err), FERRY_OK);
    assert_int_equal(ferry_observer_merge(o, other, &err), FERRY_ERR_INVALID_ARGUMENT);
    ferry_observer_destroy(other);
    assert_int_equal(ferry_observer_create(ferry_heap_default(), 4, NULL, &other, &err), FERRY_OK);
    assert_int_equal(ferry_observer_merge(other, o, &err), FERRY_OK);
    expect_same(ferry_observer_histogram(o, 3), ferry_observer_histogram(other, 0));
    ferry_observer_destroy(other);
    ferry_observer_destroy(o);
}

static ferry_status create_observer(const ferry_heap *heap, void *context, ferry_error *err)
{
    ferry_observer *o = NULL;
    const ferry_status s = ferry_observer_create(heap, 3, context, &o, err);
    ferry_observer_destroy(o);
    return s;
}

static void observer__survives_each_failing_allocation(void **state)
{
    (void)state;
    ferry_thread_pool *pool = NULL;
    assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), 2, &pool, NULL), FERRY_OK);
    assert_int_equal(ferry_failing_heap_loop(create_observer, pool), 3);
    assert_int_equal(ferry_failing_heap_loop(create_observer, NULL), 2);
    ferry_thread_pool_destroy(pool);
}

static void histogram__counts_quickly(void **state)
{
    (void)state;
    static float values[2000000];
    const size_t n = 2000000;
    static ferry_histogram h;
    uint64_t seed = 5;
    for (size_t i = 0; i < n; i++) {
        const float x = (float)(next_random(&seed) >> 40) * (float)(next_random(&seed) >> 40) * 0x1p-40f - 16;
        values[i] = x;
    }
    for (int relu = 0; relu < 2; relu++) {
        if (relu)
            for (size_t i = 0; i < n; i++) values[i] = values[i] < 0 ? 0 : values[i];
        ferry_histogram_init(&h);
        double best = INFINITY;
        for (int round = 0; round < 5; round++) {
            const double begun = ferry_clock_s();
            ferry_histogram_add(&h, values, n);
            best = fmin(best, ferry_clock_s() - begun);
        }
        print_message("%s: %.2f ns an element, %d %% zeros\n", relu ? "relu" : "plain", best / (double)n * 1e9,
                      (int)(h.zero_count * 100 / (5 * n)));
        assert_int_equal(ferry_histogram_finite_count(&h), 5 * n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histogram__matches_its_definition),
        cmocka_unit_test(histogram__holds_the_extremes),
        cmocka_unit_test(histogram__does_not_depend_on_order_or_split),
        cmocka_unit_test(observer__gives_the_same_for_any_number_of_threads),
        cmocka_unit_test(observer__widens_other_floats),
        cmocka_unit_test(observer__survives_each_failing_allocation),
        cmocka_unit_test(histogram__counts_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
