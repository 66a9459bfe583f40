// SPDX-License-Identifier: Apache-2.0
// Engine files of every format version, kept for ever: good ones still load and give the outputs of their day, broken
// ones are still refused for the same reason. `engine_test_golden --write FOLDER` makes those of the present version;
// files that are there are never made again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "../../fuzz/engine_input.h"
#include "support/engine_case.h"
#include "support/mock_device.h"

static char folder[1024];

static const char *path_of(const char *name)
{
    static char path[1400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

typedef struct good_file {
    const char *name;
    void (*build)(graph_builder *);
} good_file;

static void small_conv_net(graph_builder *b)
{
    build_conv_net(b, "?");
}

static const good_file good[] = {
    {"v1_tiny", build_tiny_net}, {"v1_conv_net", small_conv_net}, {"v1_data_shapes", build_data_shapes}};

typedef struct broken_file {
    const char *name, *reason;
    void (*apply)(uint8_t *data, size_t *size);
} broken_file;

static void write_u32(uint8_t *data, size_t at, uint32_t x)
{
    memcpy(data + at, &x, sizeof x);
}

static uint8_t *entry(uint8_t *data, uint32_t kind)
{
    uint8_t *at = data + sizeof(ferry_engine_header);
    while (((const ferry_section_entry *)(const void *)at)->kind != kind) at += sizeof(ferry_section_entry);
    return at;
}

static void cut_off(uint8_t *d, size_t *size)
{
    (void)d;
    *size -= 64;
}
static void only_header(uint8_t *d, size_t *size)
{
    (void)d;
    *size = 64;
}
static void other_magic(uint8_t *d, size_t *size)
{
    (void)size;
    d[0] = 'f';
}
static void newer_version(uint8_t *d, size_t *size)
{
    write_u32(d, 8, 2);
    engine_input_reseal(d, *size);
}
static void bad_header_sum(uint8_t *d, size_t *size)
{
    (void)size;
    d[56] ^= 1;
}
static void bad_table_sum(uint8_t *d, size_t *size)
{
    (void)size;
    d[64] ^= 1;
}
static void bad_graph_sum(uint8_t *d, size_t *size)
{
    d[*size > 1100 ? 1000 : 900] ^= 1;
}
static void many_sections(uint8_t *d, size_t *size)
{
    write_u32(d, 24, 1000);
    engine_input_reseal(d, *size);
}
static void no_weights(uint8_t *d, size_t *size)
{
    write_u32(entry(d, 6), 40, 99);
    engine_input_reseal(d, *size);
}
static void outside(uint8_t *d, size_t *size)
{
    ((ferry_section_entry *)(void *)entry(d, 2))->bytes = UINT64_MAX - 63;
    engine_input_reseal(d, *size);
}
static void text_grows(uint8_t *d, size_t *size)
{
    write_u32(d, ((ferry_section_entry *)(void *)entry(d, 1))->offset, 0xFFFFFF00);
    engine_input_reseal(d, *size);
}
static void many_profiles(uint8_t *d, size_t *size)
{
    write_u32(d, ((ferry_section_entry *)(void *)entry(d, 3))->offset, 0x10000000);
    engine_input_reseal(d, *size);
}
static void no_plan_devices(uint8_t *d, size_t *size)
{
    write_u32(d, ((ferry_section_entry *)(void *)entry(d, 4))->offset, 0);
    engine_input_reseal(d, *size);
}

static const broken_file broken[] = {
    {"v1_cut_off", "truncated", cut_off},
    {"v1_only_header", "truncated", only_header},
    {"v1_other_magic", "not a ferry engine", other_magic},
    {"v1_newer_version", "engine format 2", newer_version},
    {"v1_bad_header_sum", "header: wrong checksum", bad_header_sum},
    {"v1_bad_table_sum", "section table: wrong checksum", bad_table_sum},
    {"v1_bad_graph_sum", "section 'graph'", bad_graph_sum},
    {"v1_many_sections", "impossible sizes", many_sections},
    {"v1_no_weights", "a section is missing", no_weights},
    {"v1_outside", "outside the file", outside},
    {"v1_text_grows", "graph section", text_grows},
    {"v1_many_profiles", "profiles section", many_profiles},
    {"v1_no_plan_devices", "plan section", no_plan_devices},
};

// --- The tests -----------------------------------------------------------------------------------------------------

static void run_golden(ferry_engine *engine, test_io *io, ferry_context **context, ferry_stream **stream)
{
    const ferry_stream_options options = {.size = sizeof options, .threads = 1};
    MUST(ferry_context_create(engine, NULL, context, err));
    MUST(ferry_stream_create(engine->runtime, &options, stream, err));
    test_io_open(io, *context, 77);
    MUST(test_io_run(io, *stream, err));
    test_io_dims(io);
}

static void close_golden(test_io *io, ferry_context *context, ferry_stream *stream)
{
    test_io_close(io);
    ferry_stream_release(stream);
    ferry_context_release(context);
}

static void good_files__still_give_their_outputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char name[64];
        ferry_runtime *runtime = test_runtime(NULL, "cpu:none", false, NULL);
        ferry_engine *engine = NULL;
        ferry_context *context = NULL;
        ferry_stream *stream = NULL;
        ferry_file_map map;
        test_io io;
        snprintf(name, sizeof name, "%s.ferry", good[i].name);
        const ferry_engine_load_options verify = {.size = sizeof verify, .verify = true};
        MUST(ferry_engine_load(runtime, path_of(name), &verify, &engine, err));
        run_golden(engine, &io, &context, &stream);
        snprintf(name, sizeof name, "%s.out", good[i].name);
        MUST(ferry_file_map_open(&map, path_of(name), err));
        const uint8_t *at = map.data;
        for (int32_t o = io.n_in; o < io.n; o++) {
            const size_t bytes = ferry_tensor_bytes(&io.tensors[o]), n = ferry_tensor_elements(&io.tensors[o]);
            assert_true(bytes <= (size_t)(map.data + map.bytes - at));
            for (size_t e = 0; io.tensors[o].dtype == FERRY_F32 && e < n; e++) {
                float want;
                memcpy(&want, at + e * sizeof want, sizeof want);
                assert_true(fabsf(((const float *)io.data[o])[e] - want) <= 1e-5f * (1 + fabsf(want)));
            }
            if (io.tensors[o].dtype != FERRY_F32) assert_memory_equal(io.data[o], at, bytes);
            at += bytes;
        }
        assert_ptr_equal(at, map.data + map.bytes);
        ferry_file_map_close(&map);
        close_golden(&io, context, stream);
        ferry_engine_release(engine);
        ferry_runtime_release(runtime);
    }
}

static void broken_files__are_still_refused_for_their_reason(void **state)
{
    (void)state;
    ferry_runtime *runtime = test_runtime(NULL, "cpu:none", false, NULL);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char name[64];
        ferry_engine *engine = NULL;
        ferry_error why = {.text = ""};
        snprintf(name, sizeof name, "broken/%s.ferry", broken[i].name);
        assert_int_equal(ferry_engine_load(runtime, path_of(name), NULL, &engine, &why), FERRY_ERR_BAD_ENGINE);
        if (!strstr(why.text, broken[i].reason)) fail_msg("%s: %s", broken[i].name, why.text);
    }
    ferry_runtime_release(runtime);
}

// --- Making them ---------------------------------------------------------------------------------------------------

static void put_file(const char *name, const void *data, size_t size)
{
    struct stat st;
    if (stat(path_of(name), &st) == 0) return; // kept for ever
    MUST(ferry_file_write(path_of(name), data, size, err));
}

static void write_good(const good_file *file)
{
    graph_builder b;
    char name[64];
    file->build(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu:none", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    void *data = NULL;
    size_t size = 0, used = 0;
    MUST(ferry_engine_serialize(engine, &data, &size, err));
    snprintf(name, sizeof name, "%s.ferry", file->name);
    put_file(name, data, size);
    ferry_bytes_free(data, size);
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    test_io io;
    run_golden(engine, &io, &context, &stream);
    static uint8_t out[65536];
    for (int32_t o = io.n_in; o < io.n; o++) {
        const size_t bytes = ferry_tensor_bytes(&io.tensors[o]);
        assert_true(used + bytes <= sizeof out);
        memcpy(out + used, io.data[o], bytes);
        used += bytes;
    }
    snprintf(name, sizeof name, "%s.out", file->name);
    put_file(name, out, used);
    close_golden(&io, context, stream);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void write_broken(const broken_file *file)
{
    ferry_file_map map;
    char name[64];
    MUST(ferry_file_map_open(&map, path_of("v1_tiny.ferry"), err));
    uint8_t *copy = malloc(map.bytes);
    assert_non_null(copy);
    memcpy(copy, map.data, map.bytes);
    size_t size = map.bytes;
    file->apply(copy, &size);
    snprintf(name, sizeof name, "broken/%s.ferry", file->name);
    put_file(name, copy, size);
    free(copy);
    ferry_file_map_close(&map);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files__still_give_their_outputs),
        cmocka_unit_test(broken_files__are_still_refused_for_their_reason),
    };
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        snprintf(folder, sizeof folder, "%s", argv[2]);
        mkdir(path_of("broken"), 0777);
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) write_good(&good[i]);
        for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) write_broken(&broken[i]);
        return 0;
    }
    const char *source = getenv("FERRY_SOURCE_DIR");
    snprintf(folder, sizeof folder, "%s/tests/golden", source ? source : ".");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
