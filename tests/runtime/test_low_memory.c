// SPDX-License-Identifier: Apache-2.0
// Engines built for little memory: the same results, and nothing of the file left resident after a run; in memory that
// is no file's, weights stay where they are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/temp_folder.h"

// Half a megabyte of weights in each of four layers.
static void build_chain(graph_builder *b)
{
    build_begin(b, 11);
    ferry_value_id x = build_input(b, "x", FERRY_F32, "1x352x4x4");
    const char *const names[] = {"c0", "c1", "c2", "c3"};
    for (int i = 0; i < 4; i++) x = BUILD_NODE(b, "Conv", names[i], "", x, build_constant(b, "w", "352x352x1x1", 0.1f));
    build_output(b, x);
    build_finish(b);
}

// Kilobytes of the file that are mapped into this process now; -1 where the system doesn't tell.
static long resident_kb(const char *path)
{
    char line[512];
    long sum = 0, known = -1;
    bool inside = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    if (!f) return -1;
    while (fgets(line, sizeof line, f)) {
        if (strchr(line, '-') && strstr(line, " r")) inside = strstr(line, path) != NULL;
        if (!inside || strncmp(line, "Rss:", 4) != 0) continue;
        sum += strtol(line + 4, NULL, 10);
        known = sum;
    }
    fclose(f);
    return known;
}

static const char *save(ferry_runtime *runtime, const graph_builder *b, bool low_memory,
                        const ferry_temp_folder *folder, const char *name)
{
    const ferry_build_options options = {
        .size = sizeof options, .threads = 1, .low_memory = low_memory, .no_winograd = true, .no_timing = true};
    ferry_engine *engine = test_engine(runtime, &b->graph, &options);
    assert_int_equal(ferry_engine_text(engine, "low_memory") != NULL, low_memory);
    const char *path = ferry_temp_path(folder, name);
    MUST(ferry_engine_save(engine, path, err));
    ferry_engine_release(engine);
    return path;
}

static long resident_after_run(ferry_runtime *runtime, const graph_builder *b, const char *path)
{
    ferry_engine *engine = NULL;
    MUST(ferry_engine_load(runtime, path, NULL, &engine, err));
    for (uint64_t seed = 1; seed < 4; seed++) test_expect_reference(engine, &b->graph, seed, 1e-5);
    const long kb = resident_kb(path);
    ferry_engine_release(engine);
    return kb;
}

static void low_memory__leaves_nothing_of_the_file_resident(void **state)
{
    (void)state;
    graph_builder b;
    ferry_temp_folder folder;
    build_chain(&b);
    ferry_temp_folder_create(&folder);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    const long usual = resident_after_run(runtime, &b, save(runtime, &b, false, &folder, "usual.engine"));
    const long low = resident_after_run(runtime, &b, save(runtime, &b, true, &folder, "low.engine"));
    ferry_runtime_release(runtime);
    ferry_temp_folder_remove(&folder);
    build_end(&b);
    if (usual <= 0) skip(); // an emulator or a system without such figures
    assert_true(usual >= 4 * 352 * 352 * 4 / 1024);
    assert_int_equal(low, 0);
}

static void low_memory__does_not_touch_memory_that_is_no_file(void **state)
{
    (void)state;
    graph_builder b;
    build_chain(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    const ferry_build_options options = {.size = sizeof options, .threads = 1, .low_memory = true};
    ferry_engine *engine = test_engine(runtime, &b.graph, &options), *copy = NULL;
    for (uint64_t seed = 1; seed < 3; seed++) test_expect_reference(engine, &b.graph, seed, 1e-5);
    void *data = NULL;
    size_t bytes = 0;
    MUST(ferry_engine_serialize(engine, &data, &bytes, err));
    MUST(ferry_engine_load_memory(runtime, data, bytes, NULL, &copy, err));
    ferry_bytes_free(data, bytes);
    for (uint64_t seed = 1; seed < 3; seed++) test_expect_reference(copy, &b.graph, seed, 1e-5);
    ferry_engine_release(copy);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void no_timing__measures_nothing(void **state)
{
    (void)state;
    graph_builder b;
    build_chain(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    const ferry_build_options options = {.size = sizeof options, .threads = 1, .no_timing = true};
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    for (size_t i = 0; i < engine->plan->n_steps; i++) assert_true(engine->plan->steps[i].measured_us < 0);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(low_memory__leaves_nothing_of_the_file_resident),
        cmocka_unit_test(low_memory__does_not_touch_memory_that_is_no_file),
        cmocka_unit_test(no_timing__measures_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
