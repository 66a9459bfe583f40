// SPDX-License-Identifier: Apache-2.0
#include "calibrate/histogram.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/f16.h"

enum {
    CHUNK = 2048,               // values looked at together: they and their bin numbers stay in the first cache
    EXPONENT_BITS = 0x7f800000, // of infinity; larger magnitudes are NaN
    MANY = 16384,               // from here on private counters cost less than they save
    LEAST = FERRY_HISTOGRAM_LEAST_EXPONENT,
    BINS = FERRY_HISTOGRAM_BINS
};

// Maps a float's bits to an integer of the same order, and back.
static int32_t key_of_bits(int32_t bits)
{
    return bits ^ (int32_t)((uint32_t)(bits >> 31) & 0x7fffffffu);
}

void ferry_histogram_init(ferry_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->exponent = LEAST;
    histogram->min_key = INT32_MAX;
    histogram->max_key = INT32_MIN;
}

// Least k with |x| < 2^k for a magnitude given by its bits, but not below the least exponent.
static int32_t exponent_for(uint32_t magnitude_bits)
{
    const int32_t k = (int32_t)(magnitude_bits >> 23) - 126; // subnormals get a bound that lies below LEAST anyway
    return k > LEAST ? k : LEAST;
}

// Merges bins until the range is [0, 2^exponent).
static void grow(ferry_histogram *h, int32_t exponent)
{
    const int32_t shift = exponent - h->exponent;
    if (shift <= 0) return;
    h->exponent = exponent;
    if (shift >= 12) {
        uint64_t sum = 0;
        for (size_t i = 0; i < BINS; i++) sum += h->bins[i];
        memset(h->bins, 0, sizeof h->bins);
        h->bins[0] = sum;
        return;
    }
    // Each target lies at or below its sources, so one pass upwards moves everything in place.
    for (size_t i = 0; i < BINS; i++) {
        const uint64_t count = h->bins[i];
        h->bins[i] = 0;
        h->bins[i >> shift] += count;
    }
}

// What a chunk holds, found before anything is counted. Integers throughout: exact, and every compiler vectorises them.
typedef struct survey {
    uint32_t top; // largest magnitude
    uint32_t zeros;
    int32_t min_key, max_key;
} survey;

static survey survey_chunk(const float *values, size_t count)
{
    int32_t bits[CHUNK];
    memcpy(bits, values, count * sizeof *values);
    int32_t top = 0, zeros = 0, min_key = INT32_MAX, max_key = INT32_MIN;
    for (size_t i = 0; i < count; i++) {
        const int32_t magnitude = bits[i] & 0x7fffffff;
        const int32_t key = key_of_bits(bits[i]);
        top = magnitude > top ? magnitude : top;
        zeros += magnitude == 0;
        min_key = key < min_key ? key : min_key;
        max_key = key > max_key ? key : max_key;
    }
    return (survey){(uint32_t)top, (uint32_t)zeros, min_key, max_key};
}

// Takes the values that are not finite out of a chunk, counting them. Returns how many are left in `out`.
static size_t keep_finite(ferry_histogram *h, const float *values, size_t count, float out[CHUNK])
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t magnitude = ferry_f32_bits(values[i]) & 0x7fffffffu;
        if (magnitude < EXPONENT_BITS) {
            out[kept++] = values[i];
        } else if (magnitude == EXPONENT_BITS) {
            h->infinite_count++;
        } else {
            h->nan_count++;
        }
    }
    return kept;
}

// Bin numbers of a chunk; zeros get 0. The factor is a power of two, so the product is exact (or below 1).
static void number_chunk(const ferry_histogram *h, const float *values, size_t count, int32_t out[CHUNK])
{
    const float factor = ldexpf(1.0f, 12 - h->exponent);
    for (size_t i = 0; i < count; i++) out[i] = (int32_t)(fabsf(values[i]) * factor);
}

// Counters of a long run of values. Two sets, because neighbours often fall into one bin and each increment would wait
// for the one before.
typedef struct counters {
    uint32_t even[BINS], odd[BINS];
    uint32_t used; // values counted since the last flush
} counters;

static void flush(ferry_histogram *h, counters *c)
{
    for (size_t i = 0; i < BINS; i++) h->bins[i] += (uint64_t)c->even[i] + c->odd[i];
    memset(c, 0, sizeof *c);
}

static void count_chunk(ferry_histogram *h, counters *c, const int32_t *numbers, size_t count)
{
    if (!c) {
        for (size_t i = 0; i < count; i++) h->bins[numbers[i]]++;
        return;
    }
    size_t i = 0;
    for (; i + 1 < count; i += 2) {
        c->even[numbers[i]]++;
        c->odd[numbers[i + 1]]++;
    }
    if (i < count) c->even[numbers[i]]++;
    c->used += (uint32_t)count;
}

static void add_chunk(ferry_histogram *h, counters *c, const float *values, size_t count)
{
    float finite[CHUNK];
    int32_t numbers[CHUNK];
    survey seen = survey_chunk(values, count);
    if (seen.top >= EXPONENT_BITS) {
        count = keep_finite(h, values, count, finite);
        if (count == 0) return;
        values = finite;
        seen = survey_chunk(values, count);
    }
    if (seen.min_key < h->min_key) h->min_key = seen.min_key;
    if (seen.max_key > h->max_key) h->max_key = seen.max_key;
    h->zero_count += seen.zeros;
    if (seen.zeros == count) return;
    if (exponent_for(seen.top) > h->exponent) {
        if (c) flush(h, c);
        grow(h, exponent_for(seen.top));
    }
    number_chunk(h, values, count, numbers);
    count_chunk(h, c, numbers, count);
    // Zeros were counted into bin 0 so that the loop has no branch. Unsigned: the private counters may come later.
    h->bins[0] -= seen.zeros;
}

static void add_chunks(ferry_histogram *h, counters *c, const float *values, size_t count)
{
    for (size_t done = 0; done < count; done += CHUNK) {
        add_chunk(h, c, values + done, count - done < CHUNK ? count - done : CHUNK);
        if (c && c->used >= UINT32_MAX / 2) flush(h, c);
    }
}

static void add_many(ferry_histogram *h, const float *values, size_t count)
{
    counters c;
    memset(&c, 0, sizeof c);
    add_chunks(h, &c, values, count);
    flush(h, &c);
}

void ferry_histogram_add(ferry_histogram *histogram, const float *values, size_t count)
{
    if (count >= MANY)
        add_many(histogram, values, count);
    else
        add_chunks(histogram, NULL, values, count);
}

void ferry_histogram_merge(ferry_histogram *into, const ferry_histogram *from)
{
    grow(into, from->exponent);
    const int32_t shift = into->exponent - from->exponent;
    for (size_t i = 0; i < BINS; i++) into->bins[shift >= 12 ? 0 : i >> shift] += from->bins[i];
    into->zero_count += from->zero_count;
    into->nan_count += from->nan_count;
    into->infinite_count += from->infinite_count;
    if (from->min_key < into->min_key) into->min_key = from->min_key;
    if (from->max_key > into->max_key) into->max_key = from->max_key;
}

uint64_t ferry_histogram_finite_count(const ferry_histogram *histogram)
{
    uint64_t count = histogram->zero_count;
    for (size_t i = 0; i < BINS; i++) count += histogram->bins[i];
    return count;
}

static float value_of_key(const ferry_histogram *h, int32_t key)
{
    if (h->min_key > h->max_key) return 0;
    return ferry_f32_from_bits((uint32_t)key_of_bits(key)) + 0.0f; // -0 + 0 is +0
}

float ferry_histogram_min(const ferry_histogram *histogram)
{
    return value_of_key(histogram, histogram->min_key);
}

float ferry_histogram_max(const ferry_histogram *histogram)
{
    return value_of_key(histogram, histogram->max_key);
}

float ferry_histogram_amax(const ferry_histogram *histogram)
{
    return fmaxf(fabsf(ferry_histogram_min(histogram)), fabsf(ferry_histogram_max(histogram)));
}

static uint32_t magnitude_of_key(int32_t key)
{
    return (uint32_t)key_of_bits(key) & 0x7fffffffu; // the mapping is its own inverse
}

// Beyond any honest count, and far from an overflow when two are added.
static const char *count_flaw(const ferry_histogram *h, bool *any)
{
    const uint64_t most = UINT64_MAX / 4;
    uint64_t sum = h->zero_count;
    for (size_t i = 0; i <= BINS; i++) {
        if (sum > most) return "more values than can be";
        if (i < BINS && h->bins[i] > most) return "more values than can be";
        if (i < BINS) sum += h->bins[i];
    }
    if (h->nan_count > most || h->infinite_count > most) return "more values than can be";
    *any = sum > 0;
    return NULL;
}

const char *ferry_histogram_flaw(const ferry_histogram *h)
{
    bool any = false;
    const char *flaw = count_flaw(h, &any);
    if (flaw) return flaw;
    size_t used = BINS; // bins up to the last that counted something
    while (used > 0 && h->bins[used - 1] == 0) used--;
    if (!any) {
        if (h->exponent == LEAST && h->min_key == INT32_MAX && h->max_key == INT32_MIN) return NULL;
        return "a range, and no values";
    }
    const uint32_t least = magnitude_of_key(h->min_key), most = magnitude_of_key(h->max_key);
    if (h->min_key > h->max_key || least >= EXPONENT_BITS || most >= EXPONENT_BITS)
        return "no finite range of its values";
    const uint32_t top = least > most ? least : most;
    if (h->exponent != (top ? exponent_for(top) : LEAST)) return "bins of another width than its values need";
    const float factor = ldexpf(1.0f, 12 - h->exponent);
    const size_t expected = top ? (size_t)(ferry_f32_from_bits(top) * factor) + 1 : 0;
    return used == expected ? NULL : "a largest value that lies in no bin";
}

double ferry_histogram_width(const ferry_histogram *histogram)
{
    return ldexp(1.0, histogram->exponent - 12);
}
