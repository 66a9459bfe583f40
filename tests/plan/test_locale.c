// SPDX-License-Identifier: Apache-2.0
// Files that are exchanged between machines must not follow the program's locale, whose decimal point may be a comma.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strings.h"
#include "calibrate/meta.h"
#include "plan/timing_cache.h"
#include "support/temp_folder.h"

static ferry_temp_folder folder;

// A German locale is made in the test's folder, since few machines have one.
static int set_comma(void **state)
{
    (void)state;
    char command[600];
    ferry_temp_folder_create(&folder);
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", folder.path);
    if (system(command) != 0) return 0;
    setenv("LOCPATH", folder.path, 1);
    setlocale(LC_ALL, "de_DE.UTF-8");
    return 0;
}

static int set_point(void **state)
{
    (void)state;
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    ferry_temp_folder_remove(&folder);
    return 0;
}

static void skip_without_comma(void)
{
    char text[16];
    snprintf(text, sizeof text, "%.1f", 0.5);
    if (strcmp(text, "0,5") == 0) return;
    print_message("no locale with a decimal comma (localedef with de_DE)\n");
    skip();
}

static void point_decimal__undoes_the_locale(void **state)
{
    (void)state;
    char comma[] = "-1,25e-07",
         wide[] = "3\xd9\xab"
                  "5",
         plain[] = "42";
    ferry_point_decimal(comma);
    ferry_point_decimal(wide); // Arabic's separator is two bytes long
    ferry_point_decimal(plain);
    assert_string_equal(comma, "-1.25e-07");
    assert_string_equal(wide, "3.5");
    assert_string_equal(plain, "42");
}

static void timing_cache__is_the_same_in_every_locale(void **state)
{
    (void)state;
    skip_without_comma();
    const char *path = ferry_temp_path(&folder, "timings");
    ferry_timing_cache *cache = NULL;
    ferry_error err = {.text = ""};
    assert_int_equal(ferry_timing_cache_create(ferry_heap_default(), &cache, &err), FERRY_OK);
    assert_int_equal(ferry_timing_cache_add(cache, "a key", 12.5, &err), FERRY_OK);
    assert_int_equal(ferry_timing_cache_write(cache, path, &err), FERRY_OK);
    ferry_timing_cache_destroy(cache);
    char text[200] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, "12.500\ta key\n"));
    assert_int_equal(ferry_timing_cache_create(ferry_heap_default(), &cache, &err), FERRY_OK);
    assert_int_equal(ferry_timing_cache_read(cache, path, &err), FERRY_OK);
    assert_true(ferry_timing_cache_find(cache, "a key") == 12.5);
    ferry_timing_cache_destroy(cache);
}

static void calibration__is_described_with_a_point(void **state)
{
    (void)state;
    skip_without_comma();
    char text[48];
    ferry_calibration_describe(FERRY_CALIBRATION_PERCENTILE, 99.99, text);
    assert_non_null(strstr(text, ":99.99"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(point_decimal__undoes_the_locale),
        cmocka_unit_test(timing_cache__is_the_same_in_every_locale),
        cmocka_unit_test(calibration__is_described_with_a_point),
    };
    return cmocka_run_group_tests(tests, set_comma, set_point);
}
