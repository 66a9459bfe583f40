// SPDX-License-Identifier: Apache-2.0
// Histogram files: the same bytes out and in, and nothing is believed that could not have been counted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/status.h"
#include "calibrate/histogram_set.h"
#include "ferry/runtime.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

enum {
    AT_VERSION = 8,
    AT_TENSORS = 12,
    AT_SAMPLES = 16,
    AT_TEXT_BYTES = 24,
    AT_MODEL = 32,
    AT_CHECKSUM = 96,
    HEADER = 104
};
enum { TEXTS = 32, TENSOR = 40 + 8 * FERRY_HISTOGRAM_BINS, BYTES = HEADER + TEXTS + 2 * TENSOR };

static const char *const names[] = {"images", "layer 1/out: 0"};

// Two tensors, of which the second has odd values too.
static ferry_status make_set(const ferry_heap *heap, ferry_histograms **out, ferry_error *err)
{
    static const float values[] = {0, 0.5f, -2, 7.25f, 1e-30f, -0.0f}, odd[] = {NAN, INFINITY, -3};
    const ferry_status s = ferry_histograms_create(heap, names, 2, "images", out, err);
    if (s != FERRY_OK) return s;
    ferry_histograms *h = *out;
    h->samples = 3;
    memcpy(h->model, "0123456789abcdef0123456789abcdef", 33);
    h->tensors = ferry_heap_alloc_array(heap, 2, sizeof *h->tensors);
    if (!h->tensors) return ferry_fail_memory(err, "a test's histograms");
    for (size_t i = 0; i < 2; i++) ferry_histogram_init(&h->tensors[i]);
    ferry_histogram_add(&h->tensors[0], values, sizeof values / sizeof *values);
    ferry_histogram_add(&h->tensors[1], odd, sizeof odd / sizeof *odd);
    return FERRY_OK;
}

static ferry_histograms *set(void)
{
    ferry_histograms *h = NULL;
    assert_int_equal(make_set(ferry_heap_default(), &h, NULL), FERRY_OK);
    return h;
}

// The file's bytes, to be altered.
static uint8_t *bytes_of(const ferry_histograms *h)
{
    void *data = NULL;
    size_t n = 0;
    assert_int_equal(ferry_histograms_serialize(h, &data, &n, NULL), FERRY_OK);
    assert_int_equal(n, BYTES);
    return data;
}

static void seal(uint8_t *data, size_t bytes)
{
    ferry_hasher h;
    ferry_hasher_init64(&h);
    ferry_hasher_update(&h, data, AT_CHECKSUM);
    ferry_hasher_update(&h, data + HEADER, bytes - HEADER);
    const uint64_t sum = ferry_hasher_digest64(&h);
    for (int i = 0; i < 8; i++) data[AT_CHECKSUM + i] = (uint8_t)(sum >> (8 * i));
}

static void refuse(const uint8_t *data, size_t bytes, ferry_status status, const char *text)
{
    // Exactly as large as it is, so that reading past its end is seen.
    uint8_t *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    ferry_histograms *h = NULL;
    ferry_error why = {""};
    const ferry_status s = ferry_histograms_deserialize(copy, bytes, NULL, &h, &why);
    free(copy);
    assert_null(h);
    if (s != status || !strstr(why.text, text)) fail_msg("%s: %s (not '%s')", ferry_status_name(s), why.text, text);
}

static void files__come_back_as_they_were(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    ferry_histograms *h = set(), *again = NULL, *loaded = NULL;
    uint8_t *data = bytes_of(h);
    assert_int_equal(ferry_histograms_deserialize(data, BYTES, NULL, &again, NULL), FERRY_OK);
    uint8_t *same = bytes_of(again);
    assert_memory_equal(data, same, BYTES);
    const char *path = ferry_temp_path(&folder, "h");
    assert_int_equal(ferry_histograms_save(h, path, NULL), FERRY_OK);
    assert_int_equal(ferry_temp_count(&folder), 1);
    assert_int_equal(ferry_histograms_load(path, NULL, &loaded, NULL), FERRY_OK);
    uint8_t *third = bytes_of(loaded);
    assert_memory_equal(data, third, BYTES);
    ferry_histogram_info info;
    assert_int_equal(ferry_histograms_tensor(loaded, 1, &info, NULL), FERRY_OK);
    assert_string_equal(info.name, names[1]);
    assert_true(info.min == -3 && info.max == -3);
    assert_int_equal(info.finite_count, 1);
    assert_int_equal(info.nan_count, 1);
    assert_int_equal(info.infinite_count, 1);
    assert_int_equal(ferry_histograms_tensor(loaded, 0, &info, NULL), FERRY_OK);
    assert_true(info.min == -2 && info.max == 7.25f);
    assert_int_equal(info.zero_count, 2);
    assert_int_equal(ferry_histograms_tensor(loaded, 2, &info, NULL), FERRY_ERR_INVALID_ARGUMENT);
    // A folder that is not there, and a file that is none.
    ferry_error why = {""};
    assert_int_equal(ferry_histograms_save(h, ferry_temp_path(&folder, "no/h"), &why), FERRY_ERR_IO);
    assert_int_equal(ferry_histograms_save(h, NULL, &why), FERRY_ERR_INVALID_ARGUMENT);
    ferry_histograms *none = NULL;
    assert_int_equal(ferry_histograms_load(ferry_temp_path(&folder, "no"), NULL, &none, &why), FERRY_ERR_IO);
    assert_int_equal(ferry_histograms_load(NULL, NULL, &none, &why), FERRY_ERR_INVALID_ARGUMENT);
    const char *other = ferry_temp_write(&folder, "other", "hello", 5);
    assert_int_equal(ferry_histograms_load(other, NULL, &none, &why), FERRY_ERR_BAD_DATA);
    assert_memory_equal(why.text, other, strlen(other));
    ferry_bytes_free(data, BYTES);
    ferry_bytes_free(same, BYTES);
    ferry_bytes_free(third, BYTES);
    ferry_histograms_release(h);
    ferry_histograms_release(again);
    ferry_histograms_release(loaded);
    ferry_temp_folder_remove(&folder);
}

static void every_altered_byte__is_noticed(void **state)
{
    (void)state;
    ferry_histograms *h = set();
    uint8_t *data = bytes_of(h);
    for (size_t i = 0; i < BYTES; i += i < 400 ? 1 : 97) {
        data[i] ^= 0x10;
        ferry_histograms *none = NULL;
        assert_int_not_equal(ferry_histograms_deserialize(data, BYTES, NULL, &none, NULL), FERRY_OK);
        assert_null(none);
        data[i] ^= 0x10;
    }
    for (size_t n = 0; n < BYTES; n += n < 400 ? 1 : 997) refuse(data, n, FERRY_ERR_BAD_DATA, "histograms: ");
    refuse((const uint8_t *)"", 0, FERRY_ERR_BAD_DATA, "is no file of histograms (0 bytes)");
    ferry_histograms *none = NULL;
    assert_int_equal(ferry_histograms_deserialize(NULL, 100, NULL, &none, NULL), FERRY_ERR_BAD_DATA);
    ferry_bytes_free(data, BYTES);
    ferry_histograms_release(h);
}

static void put(uint8_t *data, size_t at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) data[at + i] = (uint8_t)(value >> (8 * i));
}

static void what_could_not_be_counted__is_refused(void **state)
{
    (void)state;
    enum { FIRST = HEADER + TEXTS, SECOND = FIRST + TENSOR };
    static const struct {
        size_t at, bytes;
        uint64_t value;
        ferry_status status;
        const char *text;
    } cases[] = {
        {AT_VERSION, 4, 2, FERRY_ERR_UNSUPPORTED, "of format 2, this ferry reads format 1"},
        {AT_TENSORS, 4, 3, FERRY_ERR_BAD_DATA, "its header speaks of 3 tensors"},
        {AT_TENSORS, 4, UINT32_MAX, FERRY_ERR_BAD_DATA, "cut off or damaged"},
        {AT_TEXT_BYTES, 8, UINT64_MAX - 7, FERRY_ERR_BAD_DATA, "cut off or damaged"},
        {AT_TEXT_BYTES, 8, 24, FERRY_ERR_BAD_DATA, "cut off or damaged"},
        {AT_SAMPLES, 8, UINT64_MAX, FERRY_ERR_BAD_DATA, "a header that no ferry writes"},
        {AT_MODEL, 1, 'x', FERRY_ERR_BAD_DATA, "a header that no ferry writes"},
        {AT_MODEL + 31, 1, 0, FERRY_ERR_BAD_DATA, "a header that no ferry writes"},
        {HEADER + 6, 1, 'x', FERRY_ERR_BAD_DATA, "names"},     // joins two texts
        {HEADER + 8, 1, 0, FERRY_ERR_BAD_DATA, "text behind"}, // and parts one
        {HEADER + TEXTS - 1, 1, 'x', FERRY_ERR_BAD_DATA, "text behind"},
        {FIRST, 4, 4, FERRY_ERR_BAD_DATA, "tensor 'images' has bins of another width"},
        {FIRST, 4, 0x7fffffff, FERRY_ERR_BAD_DATA, "bins of another width"},
        {FIRST + 4, 4, 0x7fffffff, FERRY_ERR_BAD_DATA, "no finite range"},
        {FIRST + 8, 4, 0x7f800000, FERRY_ERR_BAD_DATA, "no finite range"}, // infinity
        {FIRST + 12, 4, 1, FERRY_ERR_BAD_DATA, "a field that is not zero"},
        {FIRST + 16, 8, UINT64_MAX, FERRY_ERR_BAD_DATA, "more values than can be"},
        {FIRST + 24, 8, UINT64_MAX / 2, FERRY_ERR_BAD_DATA, "more values than can be"},
        {FIRST + 40, 8, UINT64_MAX, FERRY_ERR_BAD_DATA, "more values than can be"},
        {FIRST + 40 + 8 * 4095, 8, 1, FERRY_ERR_BAD_DATA, "a largest value that lies in no bin"},
        {SECOND + 40 + 8 * 3072, 8, 0, FERRY_ERR_BAD_DATA, "tensor 'layer 1/out: 0' has a range, and no values"},
    };
    ferry_histograms *h = set();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *data = bytes_of(h);
        put(data, cases[i].at, cases[i].value, cases[i].bytes);
        seal(data, BYTES);
        refuse(data, BYTES, cases[i].status, cases[i].text);
        ferry_bytes_free(data, BYTES);
    }
    ferry_histograms_release(h);
}

static void sums__that_no_counter_holds_are_refused(void **state)
{
    (void)state;
    ferry_histograms *a = set();
    uint8_t *data = bytes_of(a);
    ferry_histograms *big = NULL;
    ferry_error why = {""};
    put(data, HEADER + TEXTS + 16, UINT64_MAX / 4 - 100, 8);
    seal(data, BYTES);
    assert_int_equal(ferry_histograms_deserialize(data, BYTES, NULL, &big, NULL), FERRY_OK);
    assert_int_equal(ferry_histograms_merge(big, a, NULL), FERRY_OK);
    assert_int_equal(ferry_histograms_merge(big, big, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "more values than can be"));
    assert_int_equal(ferry_histograms_sample_count(big), 6);
    // With itself is allowed where it fits: everything twice.
    assert_int_equal(ferry_histograms_merge(a, a, NULL), FERRY_OK);
    assert_int_equal(ferry_histograms_sample_count(a), 6);
    assert_int_equal(a->tensors[0].zero_count, 4);
    ferry_bytes_free(data, BYTES);
    ferry_histograms_release(big);
    ferry_histograms_release(a);
}

static ferry_status there_and_back(const ferry_heap *heap, void *context, ferry_error *err)
{
    const ferry_temp_folder *folder = context;
    const char *path = ferry_temp_path(folder, "h");
    ferry_histograms *h = NULL, *again = NULL;
    ferry_status s = make_set(heap, &h, err);
    if (s == FERRY_OK) s = ferry_histograms_save(h, path, err);
    if (s == FERRY_OK) s = ferry_histograms_load(path, heap, &again, err);
    ferry_histograms_release(h);
    ferry_histograms_release(again);
    return s;
}

static void files__survive_every_refused_allocation(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    assert_true(ferry_failing_heap_loop(there_and_back, &folder) > 8);
    ferry_temp_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files__come_back_as_they_were),
        cmocka_unit_test(every_altered_byte__is_noticed),
        cmocka_unit_test(what_could_not_be_counted__is_refused),
        cmocka_unit_test(sums__that_no_counter_holds_are_refused),
        cmocka_unit_test(files__survive_every_refused_allocation),
    };
    return cmocka_run_group_tests_name("histogram_file", tests, NULL, NULL);
}
