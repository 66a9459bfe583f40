// SPDX-License-Identifier: Apache-2.0
// Engine files as they should be: what is written is read back, equal images give equal bytes, stripped ones still run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/format.h"
#include "support/engine_case.h"
#include "support/failing_heap.h"
#include "support/mock_device.h"
#include "support/temp_folder.h"

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static bytes serialize(const ferry_engine *engine)
{
    bytes b = {0};
    void *data = NULL;
    MUST(ferry_engine_serialize(engine, &data, &b.size, err));
    b.data = data;
    return b;
}

static ferry_engine *load(ferry_runtime *runtime, bytes b, bool verify, bool no_tuned)
{
    ferry_engine *engine = NULL;
    const ferry_engine_load_options options = {.size = sizeof options, .verify = verify, .no_tuned = no_tuned};
    MUST(ferry_engine_load_memory(runtime, b.data, b.size, &options, &engine, err));
    return engine;
}

static const ferry_section_entry *section(bytes b, ferry_section_kind kind)
{
    const ferry_engine_header *h = (const void *)b.data;
    const ferry_section_entry *table = (const void *)(b.data + h->table_offset);
    for (uint32_t i = 0; i < h->section_count; i++)
        if (table[i].kind == (uint32_t)kind) return &table[i];
    fail_msg("no section of kind %d", (int)kind);
    return NULL;
}

static void assert_same_section(bytes a, bytes b, ferry_section_kind kind)
{
    const ferry_section_entry *x = section(a, kind), *y = section(b, kind);
    assert_int_equal(x->bytes, y->bytes);
    assert_memory_equal(a.data + x->offset, b.data + y->offset, x->bytes);
    assert_int_equal(x->checksum, y->checksum);
}

static void engine__is_the_same_after_a_round_trip(void **state)
{
    (void)state;
    void (*const builds[])(graph_builder *) = {build_tiny_net, build_data_shapes};
    for (size_t i = 0; i < 2; i++) {
        graph_builder b;
        builds[i](&b);
        ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
        const ferry_text_pair metadata[] = {{"author", "nobody"}, {"empty", ""}};
        const ferry_build_options options = {.size = sizeof options,
                                             .threads = 1,
                                             .name = "tiny",
                                             .task = "classify",
                                             .labels_json = "a\nb\nc",
                                             .preprocess_json = "{}",
                                             .metadata = metadata,
                                             .n_metadata = 2};
        ferry_engine *first = test_engine(runtime, &b.graph, &options);
        const bytes one = serialize(first), again = serialize(first);
        assert_int_equal(one.size, again.size);
        assert_memory_equal(one.data, again.data, one.size);
        ferry_engine *second = load(runtime, one, true, false);
        assert_false(second->replanned);
        const bytes two = serialize(second);
        assert_int_equal(one.size, two.size);
        assert_memory_equal(one.data, two.data, one.size);
        assert_string_equal(ferry_engine_text(second, "name"), "tiny");
        assert_string_equal(ferry_engine_text(second, "task"), "classify");
        assert_string_equal(ferry_engine_text(second, "labels"), "a\nb\nc");
        assert_string_equal(ferry_engine_text(second, "metadata:author"), "nobody");
        assert_string_equal(ferry_engine_text(second, "metadata:empty"), "");
        assert_null(ferry_engine_text(second, "decoder"));
        test_expect_reference(second, &b.graph, 3, 1e-5);
        ferry_bytes_free(one.data, one.size);
        ferry_bytes_free(two.data, two.size);
        ferry_bytes_free(again.data, again.size);
        ferry_engine_release(first);
        ferry_engine_release(second);
        ferry_runtime_release(runtime);
        build_end(&b);
    }
}

static void engine__is_the_same_from_a_file(void **state)
{
    (void)state;
    graph_builder b;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    build_tiny_net(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *first = test_engine(runtime, &b.graph, NULL), *second = NULL;
    const char *path = ferry_temp_path(&folder, "tiny.ferry");
    MUST(ferry_engine_save(first, path, err));
    assert_int_equal(ferry_temp_count(&folder), 1);
    MUST(ferry_engine_load(runtime, path, NULL, &second, err));
    test_expect_reference(second, &b.graph, 3, 1e-5);
    const bytes one = serialize(first), two = serialize(second);
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
    char *text = NULL;
    MUST(ferry_engine_check(runtime, path, &text, err));
    assert_non_null(strstr(text, "\"loads\":true"));
    assert_null(strstr(text, "\"sound\":false"));
    ferry_bytes_free(text, strlen(text) + 1);
    MUST(ferry_engine_describe(second, &text, err));
    assert_non_null(strstr(text, "\"layers\":["));
    ferry_bytes_free(text, strlen(text) + 1);
    ferry_error why = {.text = ""};
    ferry_engine *none = NULL;
    assert_int_equal(ferry_engine_load(runtime, ferry_temp_path(&folder, "absent"), NULL, &none, &why), FERRY_ERR_IO);
    assert_int_equal(ferry_engine_save(first, ferry_temp_path(&folder, "no/such/folder.ferry"), &why), FERRY_ERR_IO);
    assert_int_equal(ferry_temp_count(&folder), 1);
    ferry_bytes_free(one.data, one.size);
    ferry_bytes_free(two.data, two.size);
    ferry_engine_release(first);
    ferry_engine_release(second);
    ferry_runtime_release(runtime);
    ferry_temp_folder_remove(&folder);
    build_end(&b);
}

static void two_builds__give_the_same_bytes(void **state)
{
    (void)state;
    graph_builder b;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    build_conv_net(&b, "2");
    char timings[512];
    snprintf(timings, sizeof timings, "%s", ferry_temp_path(&folder, "timings"));
    bytes built[4];
    for (int i = 0; i < 4; i++) {
        // The first two time tactics each for itself; the others, with the cache of the second, measure nothing.
        const ferry_build_options options = {
            .size = sizeof options, .threads = 1, .timing_cache = i == 0 ? NULL : timings};
        ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", true, NULL);
        ferry_engine *engine = test_engine(runtime, &b.graph, &options);
        built[i] = serialize(engine);
        ferry_engine_release(engine);
        ferry_runtime_release(runtime);
    }
    for (int i = 1; i < 4; i++) {
        assert_same_section(built[0], built[i], FERRY_SECTION_GRAPH);
        assert_same_section(built[0], built[i], FERRY_SECTION_TEXTS);
        assert_same_section(built[0], built[i], FERRY_SECTION_PROFILES);
        assert_same_section(built[0], built[i], FERRY_SECTION_WEIGHTS);
    }
    assert_int_equal(built[2].size, built[3].size);
    assert_memory_equal(built[2].data, built[3].data, built[2].size);
    for (int i = 0; i < 4; i++) ferry_bytes_free(built[i].data, built[i].size);
    ferry_temp_folder_remove(&folder);
    build_end(&b);
}

static void stripped_engine__runs_here_and_is_refused_elsewhere(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *here = test_runtime(mock_and_cpu, "mock", true, NULL);
    ferry_runtime *there = test_runtime(mock_and_cpu, "mock:other", true, NULL);
    ferry_build_options options = *test_no_passes();
    ferry_engine *whole = test_engine(here, &b.graph, &options);
    options.strip_portable = true;
    ferry_engine *engine = test_engine(here, &b.graph, &options), *again = NULL;
    const bytes full = serialize(whole), less = serialize(engine);
    assert_true(section(less, FERRY_SECTION_WEIGHTS)->bytes < section(full, FERRY_SECTION_WEIGHTS)->bytes);
    again = load(here, less, true, false);
    test_expect_reference(again, &b.graph, 3, 1e-5);
    const bytes twice = serialize(again);
    assert_int_equal(twice.size, less.size);
    assert_memory_equal(twice.data, less.data, less.size);
    char *text = NULL;
    MUST(ferry_engine_describe(again, &text, err));
    assert_non_null(strstr(text, "\"portable\":false"));
    ferry_bytes_free(text, strlen(text) + 1);
    ferry_engine *none = NULL;
    ferry_error why = {.text = ""};
    assert_int_equal(ferry_engine_load_memory(there, less.data, less.size, NULL, &none, &why), FERRY_ERR_UNAVAILABLE);
    assert_non_null(strstr(why.text, "mock/mock/1"));
    assert_non_null(strstr(why.text, "mock/mock/2"));
    assert_non_null(strstr(why.text, "stripped"));
    assert_null(none);
    ferry_bytes_free(full.data, full.size);
    ferry_bytes_free(less.data, less.size);
    ferry_bytes_free(twice.data, twice.size);
    ferry_engine_release(whole);
    ferry_engine_release(engine);
    ferry_engine_release(again);
    ferry_runtime_release(here);
    ferry_runtime_release(there);
    build_end(&b);
}

// An engine of one device runs on another, keeps both tuned parts when saved, and needs no planning on either then.
static void foreign_engine__is_planned_anew_and_keeps_both_parts(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    test_log log;
    test_log_init(&log);
    ferry_runtime *mock = test_runtime(mock_and_cpu, "mock", true, NULL), *cpu = test_runtime(NULL, "cpu", false, &log);
    ferry_engine *first = test_engine(mock, &b.graph, NULL);
    const bytes one = serialize(first);
    ferry_engine *second = load(cpu, one, true, false);
    assert_true(second->replanned);
    assert_non_null(strstr(log.text, "warning: the engine has no part tuned for 'cpu/"));
    assert_int_equal(second->image.n_tuned, 2);
    test_expect_reference(second, &b.graph, 6, 1e-5);
    const bytes two = serialize(second);
    ferry_engine *on_mock = load(mock, two, true, false), *on_cpu = load(cpu, two, true, false);
    assert_false(on_mock->replanned);
    assert_false(on_cpu->replanned);
    test_expect_reference(on_mock, &b.graph, 6, 1e-5);
    test_expect_reference(on_cpu, &b.graph, 6, 1e-5);
    ferry_engine *anew = load(cpu, two, true, true);
    assert_true(anew->replanned);
    test_expect_reference(anew, &b.graph, 6, 1e-5);
    ferry_bytes_free(one.data, one.size);
    ferry_bytes_free(two.data, two.size);
    ferry_engine_release(first);
    ferry_engine_release(second);
    ferry_engine_release(on_mock);
    ferry_engine_release(on_cpu);
    ferry_engine_release(anew);
    ferry_runtime_release(mock);
    ferry_runtime_release(cpu);
    build_end(&b);
}

static void texts__are_replaced_and_kept(void **state)
{
    (void)state;
    graph_builder b;
    build_tiny_net(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    ferry_error why = {.text = ""};
    MUST(ferry_engine_set_text(engine, "labels", "one", err));
    MUST(ferry_engine_set_text(engine, "labels", "two", err));
    MUST(ferry_engine_set_text(engine, "metadata:k", "v", err));
    assert_int_equal(ferry_engine_set_text(engine, NULL, "v", &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_engine_set_text(engine, "labels", NULL, &why), FERRY_ERR_INVALID_ARGUMENT);
    const bytes saved = serialize(engine);
    ferry_engine *again = load(runtime, saved, true, false);
    assert_string_equal(ferry_engine_text(again, "labels"), "two");
    assert_string_equal(ferry_engine_text(again, "metadata:k"), "v");
    ferry_bytes_free(saved.data, saved.size);
    ferry_engine_release(engine);
    ferry_engine_release(again);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// --- Memory refused at every allocation ----------------------------------------------------------------------------

static ferry_status load_and_run(const ferry_heap *heap, void *context, ferry_error *err)
{
    const bytes *b = context;
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    ferry_context *c = NULL;
    ferry_stream *stream = NULL;
    char floats[4096] = {0};
    void *io[4] = {floats, floats, floats, floats};
    const ferry_runtime_options options = {.size = sizeof options, .device = "cpu:none", .heap = heap};
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = 2};
    ferry_status s = ferry_runtime_create(&options, &runtime, err);
    if (s == FERRY_OK) s = ferry_engine_load_memory(runtime, b->data, b->size, NULL, &engine, err);
    if (s == FERRY_OK) s = ferry_context_create(engine, NULL, &c, err);
    if (s == FERRY_OK) s = ferry_context_prepare(c, err);
    if (s == FERRY_OK) s = ferry_stream_create(runtime, &stream_options, &stream, err);
    if (s == FERRY_OK) s = ferry_context_run(c, stream, (const void *const *)io, io + 2, err);
    ferry_stream_release(stream);
    ferry_context_release(c);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    return s;
}

static void loading__survives_every_refused_allocation(void **state)
{
    (void)state;
    graph_builder b;
    build_tiny_net(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu:none", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    bytes saved = serialize(engine);
    assert_true(ferry_failing_heap_loop(load_and_run, &saved) > 50);
    ferry_bytes_free(saved.data, saved.size);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static ferry_status build_and_save(const ferry_heap *heap, void *context, ferry_error *err)
{
    const ferry_graph *graph = context;
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    void *data = NULL;
    size_t size = 0;
    const ferry_runtime_options options = {.size = sizeof options, .device = "cpu:none", .heap = heap};
    ferry_status s = ferry_runtime_create(&options, &runtime, err);
    if (s == FERRY_OK) s = test_build(runtime, graph, NULL, &engine, err);
    if (s == FERRY_OK) s = ferry_engine_serialize(engine, &data, &size, err);
    ferry_bytes_free(data, size);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    return s;
}

static void building__survives_every_refused_allocation(void **state)
{
    (void)state;
    graph_builder b;
    build_tiny_net(&b);
    assert_true(ferry_failing_heap_loop(build_and_save, &b.graph) > 50);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine__is_the_same_after_a_round_trip),
        cmocka_unit_test(engine__is_the_same_from_a_file),
        cmocka_unit_test(two_builds__give_the_same_bytes),
        cmocka_unit_test(stripped_engine__runs_here_and_is_refused_elsewhere),
        cmocka_unit_test(foreign_engine__is_planned_anew_and_keeps_both_parts),
        cmocka_unit_test(texts__are_replaced_and_kept),
        cmocka_unit_test(loading__survives_every_refused_allocation),
        cmocka_unit_test(building__survives_every_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
