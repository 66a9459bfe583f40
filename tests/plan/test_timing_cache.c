// SPDX-License-Identifier: Apache-2.0
// Timing caches: kept in files, merged, and refused by line when damaged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "plan/timing_cache.h"
#include "support/engine_case.h"
#include "support/failing_heap.h"
#include "support/mock_device.h"
#include "support/temp_folder.h"

static ferry_temp_folder folder;

static int set_up(void **state)
{
    (void)state;
    ferry_temp_folder_create(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_temp_folder_remove(&folder);
    return 0;
}

static ferry_timing_cache *create(void)
{
    ferry_timing_cache *cache = NULL;
    MUST(ferry_timing_cache_create(ferry_heap_default(), &cache, err));
    return cache;
}

static void cache__is_the_same_after_a_round_trip(void **state)
{
    (void)state;
    ferry_timing_cache *one = create(), *two = create();
    char key[64], path[512], again[512];
    snprintf(path, sizeof path, "%s", ferry_temp_path(&folder, "a.timings"));
    snprintf(again, sizeof again, "%s", ferry_temp_path(&folder, "b.timings"));
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "device|2 threads|tactic%d|Conv#ab \t%d", i % 7, (i * 7919) % 500);
        MUST(ferry_timing_cache_add(one, key, i * 0.25, err));
    }
    assert_int_equal(ferry_timing_cache_count(one), 500);
    MUST(ferry_timing_cache_write(one, path, err));
    MUST(ferry_timing_cache_read(two, path, err));
    assert_int_equal(ferry_timing_cache_count(two), 500);
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "device|2 threads|tactic%d|Conv#ab \t%d", i % 7, (i * 7919) % 500);
        assert_true(ferry_timing_cache_find(two, key) == i * 0.25);
    }
    assert_true(ferry_timing_cache_find(two, "no such key") < 0);
    MUST(ferry_timing_cache_write(two, again, err));
    ferry_file_map a, b;
    MUST(ferry_file_map_open(&a, path, err));
    MUST(ferry_file_map_open(&b, again, err));
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.data, b.data, a.bytes);
    ferry_file_map_close(&a);
    ferry_file_map_close(&b);
    ferry_timing_cache_destroy(one);
    ferry_timing_cache_destroy(two);
}

static void caches__merge_and_the_later_time_counts(void **state)
{
    (void)state;
    char one[512], two[512];
    static const char first[] = "ferry timing cache 1\n1.5\ta\n2.5\tb\n", second[] = "ferry timing cache 1\n9\tb\n3\tc";
    snprintf(one, sizeof one, "%s", ferry_temp_write(&folder, "one", first, strlen(first)));
    snprintf(two, sizeof two, "%s", ferry_temp_write(&folder, "two", second, strlen(second)));
    ferry_timing_cache *cache = create();
    MUST(ferry_timing_cache_read(cache, one, err));
    MUST(ferry_timing_cache_read(cache, two, err));
    assert_int_equal(ferry_timing_cache_count(cache), 3);
    assert_true(ferry_timing_cache_find(cache, "a") == 1.5);
    assert_true(ferry_timing_cache_find(cache, "b") == 9);
    assert_true(ferry_timing_cache_find(cache, "c") == 3);
    ferry_timing_cache_destroy(cache);
}

static void damaged_files__are_refused_by_line(void **state)
{
    (void)state;
    const struct {
        const char *text, *where;
    } cases[] = {
        {"", "line 1"},
        {"ferry timing cache 2\n", "line 1"},
        {"ferry timing cache 1\n1.5\ta\nno number\tb\n", "line 3"},
        {"ferry timing cache 1\n1.5 a\n", "line 2"},
        {"ferry timing cache 1\n1.5\t\n", "line 2"},
        {"ferry timing cache 1\n-1\ta\n", "line 2"},
        {"ferry timing cache 1\nnan\ta\n", "line 2"},
        {"ferry timing cache 1\ninf\ta\n", "line 2"},
        {"ferry timing cache 1\n\n\n1e999\ta\n", "line 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ferry_timing_cache *cache = create();
        ferry_error why = {.text = ""};
        char path[512];
        snprintf(path, sizeof path, "%s", ferry_temp_write(&folder, "bad", cases[i].text, strlen(cases[i].text)));
        assert_int_equal(ferry_timing_cache_read(cache, path, &why), FERRY_ERR_BAD_DATA);
        assert_non_null(strstr(why.text, path));
        assert_non_null(strstr(why.text, cases[i].where));
        ferry_timing_cache_destroy(cache);
    }
}

static void missing_file__is_an_empty_cache_but_not_an_unreadable_one(void **state)
{
    (void)state;
    ferry_timing_cache *cache = create();
    ferry_error why = {.text = ""};
    MUST(ferry_timing_cache_read(cache, ferry_temp_path(&folder, "none"), err));
    assert_int_equal(ferry_timing_cache_count(cache), 0);
    assert_int_equal(ferry_timing_cache_read(cache, folder.path, &why), FERRY_ERR_IO); // a folder
    assert_true(why.text[0] != 0);
    assert_int_equal(ferry_timing_cache_write(cache, ferry_temp_path(&folder, "no/such/file"), &why), FERRY_ERR_IO);
    ferry_timing_cache_destroy(cache);
}

static ferry_status fill(const ferry_heap *heap, void *context, ferry_error *err)
{
    (void)context;
    ferry_timing_cache *cache = NULL;
    ferry_status s = ferry_timing_cache_create(heap, &cache, err);
    char key[32];
    for (int i = 0; s == FERRY_OK && i < 100; i++) {
        snprintf(key, sizeof key, "key %d", i);
        s = ferry_timing_cache_add(cache, key, i, err);
        for (int k = 0; s == FERRY_OK && k <= i; k++) {
            snprintf(key, sizeof key, "key %d", k);
            assert_true(ferry_timing_cache_find(cache, key) == k);
        }
    }
    ferry_timing_cache_destroy(cache);
    return s;
}

static void cache__survives_every_refused_allocation(void **state)
{
    (void)state;
    assert_true(ferry_failing_heap_loop(fill, NULL) > 5);
}

// A build with a complete cache measures nothing, so it runs nothing on the device.
static void complete_cache__spares_the_measurements(void **state)
{
    (void)state;
    graph_builder b;
    char path[512];
    snprintf(path, sizeof path, "%s", ferry_temp_path(&folder, "build.timings"));
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", true, NULL);
    ferry_build_options options = *test_no_passes();
    options.timing_cache = path;
    size_t ran[2];
    for (int i = 0; i < 2; i++) {
        const size_t before = mock_commands_run();
        ferry_engine *engine = test_engine(runtime, &b.graph, &options);
        ran[i] = mock_commands_run() - before;
        ferry_engine_release(engine);
    }
    assert_true(ran[0] > 0);
    assert_int_equal(ran[1], 0);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache__is_the_same_after_a_round_trip),
        cmocka_unit_test(caches__merge_and_the_later_time_counts),
        cmocka_unit_test(damaged_files__are_refused_by_line),
        cmocka_unit_test(missing_file__is_an_empty_cache_but_not_an_unreadable_one),
        cmocka_unit_test(cache__survives_every_refused_allocation),
        cmocka_unit_test(complete_cache__spares_the_measurements),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
