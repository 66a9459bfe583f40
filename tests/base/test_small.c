// SPDX-License-Identifier: Apache-2.0
// Hashes, half floats, text parsing and JSON.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/f16.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strings.h"
#include "support/temp_folder.h"

static void hash__is_the_same_streamed_and_at_once(void **state)
{
    (void)state;
    static uint8_t data[10000];
    char text[33];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7 + i / 256);
    const ferry_hash128 whole = ferry_hash128_of(data, sizeof data);
    for (size_t step = 1; step < 5000; step = step * 3 + 1) {
        ferry_hasher narrow, wide;
        ferry_hasher_init64(&narrow);
        ferry_hasher_init128(&wide);
        for (size_t i = 0; i < sizeof data; i += step) {
            const size_t n = sizeof data - i < step ? sizeof data - i : step;
            ferry_hasher_update(&narrow, data + i, n);
            ferry_hasher_update(&wide, data + i, n);
        }
        assert_int_equal(ferry_hasher_digest64(&narrow), ferry_hash64_of(data, sizeof data));
        const ferry_hash128 h = ferry_hasher_digest128(&wide);
        assert_true(h.low == whole.low && h.high == whole.high);
    }
    // What xxhsum -H3 and -H2 print of nothing.
    assert_string_equal(ferry_hash64_text(ferry_hash64_of("", 0), text), "2d06800538d394c2");
    assert_string_equal(ferry_hash128_text(ferry_hash128_of("", 0), text), "99aa06d3014798d86001c324468d497f");
}

static void hash__tells_texts_apart(void **state)
{
    (void)state;
    const char *const pairs[][2] = {{"ab", "c"}, {"a", "bc"}, {"", "abc"}, {NULL, "abc"}, {"abc", ""}, {"abc", NULL}};
    uint64_t seen[6];
    for (int i = 0; i < 6; i++) {
        ferry_hasher h;
        ferry_hasher_init64(&h);
        ferry_hasher_update_text(&h, pairs[i][0]);
        ferry_hasher_update_text(&h, pairs[i][1]);
        seen[i] = ferry_hasher_digest64(&h);
        for (int j = 0; j < i; j++) assert_true(seen[i] != seen[j]);
    }
}

static void f16__round_trips_every_half(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        const uint16_t h = (uint16_t)i;
        const float f = ferry_f32_from_f16(h), b = ferry_f32_from_bf16(h);
        if (f != f) {
            assert_true((ferry_f16_from_f32(f) & 0x7e00) == 0x7e00);
        } else {
            assert_int_equal(ferry_f16_from_f32(f), h);
        }
        if (b != b) {
            assert_true((ferry_bf16_from_f32(b) & 0x7fc0) == 0x7fc0);
        } else {
            assert_int_equal(ferry_bf16_from_f32(b), h);
        }
    }
    assert_true(ferry_f32_from_f16(0x3555) == 0.333251953125f);
    assert_true(ferry_f32_from_f16(1) == 0x1p-24f && ferry_f32_from_f16(0xfbff) == -65504);
}

// Between two neighbouring halves: below the middle, at it, and above.
static void f16__rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x7bff; i++) {
        const float low = ferry_f32_from_f16((uint16_t)i), high = ferry_f32_from_f16((uint16_t)(i + 1));
        const float middle = low + (high - low) / 2;
        assert_int_equal(ferry_f16_from_f32(nextafterf(middle, 0)), i);
        assert_int_equal(ferry_f16_from_f32(middle), i & 1 ? i + 1 : i);
        assert_int_equal(ferry_f16_from_f32(-middle), (i & 1 ? i + 1 : i) | 0x8000);
        assert_int_equal(ferry_f16_from_f32(nextafterf(middle, INFINITY)), i + 1);
    }
    assert_int_equal(ferry_f16_from_f32(65519.996f), 0x7bff);
    assert_int_equal(ferry_f16_from_f32(65520), 0x7c00);
    assert_int_equal(ferry_f16_from_f32(-INFINITY), 0xfc00);
    assert_int_equal(ferry_bf16_from_f32(ferry_f32_from_bits(0x3f808000)), 0x3f80);
    assert_int_equal(ferry_bf16_from_f32(ferry_f32_from_bits(0x3f818000)), 0x3f82);
    assert_int_equal(ferry_bf16_from_f32(ferry_f32_from_bits(0x3f808001)), 0x3f81);
    assert_int_equal(ferry_bf16_from_f32(3.4028234e38f), 0x7f80);
}

static void glob__matches_stars_and_marks(void **state)
{
    (void)state;
    assert_true(ferry_glob_match("*", ""));
    assert_true(ferry_glob_match("a*c", "abbbc"));
    assert_true(ferry_glob_match("*/conv?/*", "model/conv1/out"));
    assert_true(ferry_glob_match("**a**b", "xaayb"));
    assert_false(ferry_glob_match("a?", "a"));
    assert_false(ferry_glob_match("", "a"));
    assert_false(ferry_glob_match("a*b", "acbd"));
    assert_true(ferry_glob_match("[x]", "[x]"));
    char text[20001], pattern[201];
    memset(text, 'a', 20000);
    text[20000] = 0;
    for (int i = 0; i < 100; i++) memcpy(pattern + 2 * i, "*a", 3);
    pattern[199] = 'b'; // would be exponential with naive backtracking
    assert_false(ferry_glob_match(pattern, text));
}

static void size__is_parsed(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"4096", 4096},
                {"512M", 512ull << 20},
                {"1GiB", 1ull << 30},
                {"1.5G", 3ull << 29},
                {"2k", 2048},
                {" 3 TB ", 3ull << 40},
                {"7b", 7},
                {"0.25K", 256},
                {"18446744073709551615", UINT64_MAX}};
    uint64_t bytes = 0;
    ferry_error err;
    for (size_t i = 0; i < FERRY_COUNT_OF(good); i++) {
        assert_int_equal(ferry_parse_size(good[i].text, &bytes, &err), FERRY_OK);
        assert_int_equal(bytes, good[i].bytes);
    }
    const char *const bad[] = {"",          "M",      "-1",  "1.5",   "1.G",
                               "1..5G",     "1.2.3G", "5X",  "1GiBs", "18446744073709551616",
                               "16777216T", "1e3",    ".5G", "1 2"};
    for (size_t i = 0; i < FERRY_COUNT_OF(bad); i++) {
        assert_int_equal(ferry_parse_size(bad[i], &bytes, &err), FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(err.text, "is not a size"));
    }
}

static void numbers__are_parsed_in_any_locale(void **state)
{
    (void)state;
    double d = 0;
    uint64_t values[4], u = 0;
    double reals[3];
    size_t count = 0;
    ferry_error err;
    setlocale(LC_ALL, "de_DE.UTF-8"); // where it exists
    assert_true(ferry_parse_double(ferry_text_of("-1.5e-3"), &d) && d == -1.5e-3);
    assert_true(ferry_parse_double(ferry_text_of("+.5"), &d) && d == 0.5);
    setlocale(LC_ALL, "C");
    const char *const wrong[] = {"", ".", "1e", "nan", "inf", "0x10", "1e999", " 1", "1 ", "1,5"};
    for (size_t i = 0; i < FERRY_COUNT_OF(wrong); i++) assert_false(ferry_parse_double(ferry_text_of(wrong[i]), &d));
    assert_false(ferry_parse_u64(ferry_text_of("18446744073709551616"), &u));
    assert_false(ferry_parse_u64(ferry_text_of("-1"), &u));
    assert_int_equal(ferry_parse_u64_list(ferry_text_of("1x3x224"), 'x', values, 4, &count, &err), FERRY_OK);
    assert_int_equal(count, 3);
    assert_int_equal(values[2], 224);
    assert_int_equal(ferry_parse_u64_list(ferry_text_of("1x3x"), 'x', values, 4, &count, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_parse_u64_list(ferry_text_of("1x2x3x4x5"), 'x', values, 4, &count, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "more than 4"));
    assert_int_equal(ferry_parse_double_list(ferry_text_of("0.485, 0.456,0.406"), ',', reals, 3, &count, &err),
                     FERRY_OK);
    assert_true(count == 3 && reals[1] == 0.456);
    assert_int_equal(ferry_parse_double_list(ferry_text_of("1,a"), ',', reals, 3, &count, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "'a' in '1,a'"));
}

static void text__is_cut_at_separators_and_lines(void **state)
{
    (void)state;
    ferry_text rest = ferry_text_of("a,,b,"), item;
    const char *const items[] = {"a", "", "b", ""};
    for (int i = 0; i < 4; i++) {
        assert_true(ferry_text_next(&rest, ',', &item));
        assert_true(ferry_text_equal(item, items[i]));
    }
    assert_false(ferry_text_next(&rest, ',', &item));
    rest = ferry_text_of("one\r\n\ntwo\nlast");
    const char *const lines[] = {"one", "", "two", "last"};
    for (int i = 0; i < 4; i++) {
        assert_true(ferry_text_next_line(&rest, &item));
        assert_true(ferry_text_equal(item, lines[i]));
    }
    assert_false(ferry_text_next_line(&rest, &item));
    assert_true(ferry_text_equal(ferry_text_trim(ferry_text_of(" \tx y\r\n")), "x y"));
}

static void json__bounds_nesting_and_saves_what_it_reads(void **state)
{
    (void)state;
    char deep[2 * FERRY_JSON_MAX_DEPTH + 8];
    json_t *value = NULL;
    ferry_error err;
    memset(deep, '[', FERRY_JSON_MAX_DEPTH);
    memset(deep + FERRY_JSON_MAX_DEPTH, ']', FERRY_JSON_MAX_DEPTH);
    assert_int_equal(ferry_json_parse(deep, 2 * FERRY_JSON_MAX_DEPTH, &value, &err), FERRY_OK);
    json_decref(value);
    memset(deep, '[', FERRY_JSON_MAX_DEPTH + 1);
    assert_int_equal(ferry_json_parse(deep, FERRY_JSON_MAX_DEPTH + 1, &value, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "nests deeper than 64"));
    assert_null(value);
    const char *brackets = "{\"a\": \"[[[[\\\"[[[[\", \"b\": [1, 2.5]}";
    assert_int_equal(ferry_json_parse(brackets, strlen(brackets), &value, &err), FERRY_OK);
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    const char *path = ferry_temp_path(&folder, "x.json");
    assert_int_equal(ferry_json_save(value, path, &err), FERRY_OK);
    json_t *again = NULL;
    assert_int_equal(ferry_json_parse_file(path, 1000, &again, &err), FERRY_OK);
    assert_true(json_equal(value, again));
    assert_int_equal(ferry_json_save(value, ferry_temp_path(&folder, "no/x.json"), &err), FERRY_ERR_IO);
    assert_int_equal(ferry_temp_count(&folder), 1);
    json_decref(value);
    json_decref(again);
    ferry_temp_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash__is_the_same_streamed_and_at_once),
        cmocka_unit_test(hash__tells_texts_apart),
        cmocka_unit_test(f16__round_trips_every_half),
        cmocka_unit_test(f16__rounds_to_nearest_even),
        cmocka_unit_test(glob__matches_stars_and_marks),
        cmocka_unit_test(size__is_parsed),
        cmocka_unit_test(numbers__are_parsed_in_any_locale),
        cmocka_unit_test(text__is_cut_at_separators_and_lines),
        cmocka_unit_test(json__bounds_nesting_and_saves_what_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
