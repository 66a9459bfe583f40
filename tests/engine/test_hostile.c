// SPDX-License-Identifier: Apache-2.0
// Engine files as they should not be: truncated, altered by accident, altered on purpose. Each is refused with a
// reason, or loads and runs without harm.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../fuzz/engine_input.h"
#include "support/engine_case.h"
#include "support/mock_device.h"

typedef struct target {
    ferry_runtime *runtime;
    ferry_stream *stream;
    uint8_t *data; // a block of exactly `size` bytes
    size_t size;
} target;

static const ferry_heap capped = {engine_input_alloc, engine_input_free, NULL};

static target open_target(const char *device, const char *run_on)
{
    target t = {0};
    graph_builder b;
    build_tiny_net(&b);
    ferry_runtime *builder = test_runtime(mock_and_cpu, device, true, NULL);
    ferry_engine *engine = test_engine(builder, &b.graph, NULL);
    void *data = NULL;
    MUST(ferry_engine_serialize(engine, &data, &t.size, err));
    t.data = malloc(t.size);
    assert_non_null(t.data);
    memcpy(t.data, data, t.size);
    ferry_bytes_free(data, t.size);
    ferry_engine_release(engine);
    ferry_runtime_release(builder);
    build_end(&b);
    const ferry_runtime_options options = {.size = sizeof options, .device = run_on, .fallback = true, .heap = &capped};
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = 1};
    MUST(ferry_runtime_create_with(mock_and_cpu, &options, &t.runtime, err));
    MUST(ferry_stream_create(t.runtime, &stream_options, &t.stream, err));
    return t;
}

static void close_target(target *t)
{
    ferry_stream_release(t->stream);
    ferry_runtime_release(t->runtime);
    free(t->data);
}

static const ferry_section_entry *section(const target *t, ferry_section_kind kind)
{
    const ferry_section_entry *table = (const void *)(t->data + sizeof(ferry_engine_header));
    const ferry_engine_header *h = (const void *)t->data;
    for (uint32_t i = 0; i < h->section_count; i++)
        if (table[i].kind == (uint32_t)kind) return &table[i];
    fail_msg("no section of kind %d", (int)kind);
    return NULL;
}

static void the_good_file__loads_and_runs(void **state)
{
    (void)state;
    target t = open_target("cpu:none", "cpu:none");
    ferry_error why;
    if (engine_input_try(t.runtime, t.stream, t.data, t.size, &why) != FERRY_OK) fail_msg("%s", why.text);
    close_target(&t);
}

static void truncated_files__are_refused_at_every_length(void **state)
{
    (void)state;
    target t = open_target("cpu:none", "cpu:none");
    for (size_t n = 0; n < t.size; n++) {
        uint8_t *less = malloc(n ? n : 1);
        ferry_error why = {.text = ""};
        ferry_engine *engine = NULL;
        assert_non_null(less);
        memcpy(less, t.data, n);
        assert_int_equal(ferry_engine_load_memory(t.runtime, less, n, NULL, &engine, &why), FERRY_ERR_BAD_ENGINE);
        assert_null(engine);
        if (n >= sizeof(ferry_engine_header)) assert_non_null(strstr(why.text, "truncated"));
        free(less);
    }
    uint8_t *more = malloc(t.size + 1);
    ferry_engine *engine = NULL;
    ferry_error why = {.text = ""};
    assert_non_null(more);
    memcpy(more, t.data, t.size);
    more[t.size] = 0;
    assert_int_equal(ferry_engine_load_memory(t.runtime, more, t.size + 1, NULL, &engine, &why), FERRY_ERR_BAD_ENGINE);
    free(more);
    close_target(&t);
}

// By accident: the checksums find every altered byte of the header, the table and the checked sections; and with
// `verify` those of weights and packed constants.
static void flipped_bytes__are_found_by_the_checksums(void **state)
{
    (void)state;
    target t = open_target("mock", "cpu:none");
    const ferry_engine_load_options verify = {.size = sizeof verify, .verify = true};
    const ferry_engine_header *h = (const void *)t.data;
    const ferry_section_entry *table = (const void *)(t.data + sizeof *h);
    size_t tried = 0;
    for (size_t i = 0; i < t.size; i++) {
        bool covered = i < sizeof *h + h->section_count * sizeof *table;
        for (uint32_t s = 0; s < h->section_count; s++)
            covered |= i >= table[s].offset && i - table[s].offset < table[s].bytes;
        if (!covered) continue; // gaps between sections
        ferry_engine *engine = NULL;
        ferry_error why = {.text = ""};
        t.data[i] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(ferry_engine_load_memory(t.runtime, t.data, t.size, &verify, &engine, &why),
                         FERRY_ERR_BAD_ENGINE);
        assert_true(why.text[0] != 0);
        t.data[i] ^= (uint8_t)(1u << (i % 8));
        tried++;
    }
    assert_true(tried > 2000);
    close_target(&t);
}

// On purpose: every byte of header, table and the structured sections, several ways, with the checksums made right.
static void alter(target *t, size_t begin, size_t end, size_t step)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xFF, 0x10};
    for (size_t i = begin; i < end; i += step)
        for (size_t f = 0; f < sizeof flips; f++) {
            uint8_t *copy = malloc(t->size);
            ferry_error why;
            assert_non_null(copy);
            memcpy(copy, t->data, t->size);
            copy[i] ^= flips[f];
            engine_input_reseal(copy, t->size);
            (void)engine_input_try(t->runtime, t->stream, copy, t->size, &why);
            free(copy);
        }
}

static void altered_headers__do_no_harm(void **state)
{
    (void)state;
    target t = open_target("cpu:none", "cpu:none");
    const ferry_engine_header *h = (const void *)t.data;
    alter(&t, 0, sizeof *h + h->section_count * sizeof(ferry_section_entry), 1);
    close_target(&t);
}

static void altered_graphs__do_no_harm(void **state)
{
    (void)state;
    target t = open_target("cpu:none", "cpu:none");
    const ferry_section_entry *s = section(&t, FERRY_SECTION_GRAPH);
    alter(&t, s->offset, s->offset + s->bytes, 1);
    close_target(&t);
}

static void altered_plans__do_no_harm(void **state)
{
    (void)state;
    static const char *const devices[][2] = {{"cpu:none", "cpu:none"}, {"mock", "mock"}};
    for (size_t d = 0; d < 2; d++) {
        target t = open_target(devices[d][0], devices[d][1]);
        const ferry_section_entry *s = section(&t, FERRY_SECTION_PLAN);
        alter(&t, s->offset, s->offset + s->bytes, d ? 7 : 1);
        close_target(&t);
    }
}

static void altered_constants__do_no_harm(void **state)
{
    (void)state;
    target t = open_target("cpu:none", "cpu:none");
    static const ferry_section_kind kinds[] = {FERRY_SECTION_WEIGHTS, FERRY_SECTION_PROFILES, FERRY_SECTION_TEXTS};
    for (size_t k = 0; k < 3; k++) {
        const ferry_section_entry *s = section(&t, kinds[k]);
        alter(&t, s->offset, s->offset + s->bytes, k == 0 ? 4 : 1);
    }
    close_target(&t);
}

// 32-bit counts anywhere in a section: 0, huge, negative.
static void altered_words__do_no_harm(void **state)
{
    (void)state;
    target t = open_target("cpu:none", "cpu:none");
    static const uint32_t words[] = {0, 1, 3, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    static const ferry_section_kind kinds[] = {FERRY_SECTION_GRAPH, FERRY_SECTION_PLAN, FERRY_SECTION_PROFILES};
    for (size_t k = 0; k < 3; k++) {
        const ferry_section_entry s = *section(&t, kinds[k]);
        for (size_t i = 0; i + 4 <= s.bytes; i++)
            for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
                uint8_t *copy = malloc(t.size);
                ferry_error why;
                assert_non_null(copy);
                memcpy(copy, t.data, t.size);
                memcpy(copy + s.offset + i, &words[w], 4);
                engine_input_reseal(copy, t.size);
                (void)engine_input_try(t.runtime, t.stream, copy, t.size, &why);
                free(copy);
            }
    }
    close_target(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_file__loads_and_runs),
        cmocka_unit_test(truncated_files__are_refused_at_every_length),
        cmocka_unit_test(flipped_bytes__are_found_by_the_checksums),
        cmocka_unit_test(altered_headers__do_no_harm),
        cmocka_unit_test(altered_graphs__do_no_harm),
        cmocka_unit_test(altered_plans__do_no_harm),
        cmocka_unit_test(altered_constants__do_no_harm),
        cmocka_unit_test(altered_words__do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
