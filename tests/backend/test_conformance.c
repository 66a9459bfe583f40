// SPDX-License-Identifier: Apache-2.0
// Every backend, and the CPU with each of its instruction sets alone, against the reference kernels on small graphs;
// and what the contract of a backend says of memory, copies, streams and events. What this machine lacks is named.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/mock_device.h"

static const char *const devices[] = {"cpu:none",
                                      "cpu:avx2",
                                      "cpu:avx512",
                                      "cpu:avx512vnni",
                                      "cpu:avx512bf16",
                                      "cpu:avx512vbmi",
                                      "cpu:neon",
                                      "cpu:neonfp16",
                                      "cpu:neondot",
                                      "cpu:neoni8mm",
                                      "cpu",
                                      "cuda",
                                      "dla",
                                      "mock",
                                      "mock:smash+slow"};
enum { DEVICES = sizeof devices / sizeof *devices };

// NULL, with a line in the log, when the device is absent from this machine.
static ferry_runtime *open_runtime(const char *device)
{
    ferry_runtime *runtime = NULL;
    ferry_error why = {.text = ""};
    const bool mock = strncmp(device, "mock", 4) == 0;
    const ferry_runtime_options options = {.size = sizeof options, .device = device};
    const ferry_status s = ferry_runtime_create_with(mock ? mock_and_cpu : ferry_backends(), &options, &runtime, &why);
    if (s == FERRY_OK) {
        ferry_runtime_release(runtime);
        return test_runtime(mock ? mock_and_cpu : ferry_backends(), device, true, NULL);
    }
    if (s != FERRY_ERR_UNAVAILABLE) fail_msg("%s: %s", device, why.text);
    print_message("[  SKIPPED ] %s: %s\n", device, why.text);
    return NULL;
}

static void attention(graph_builder *b)
{
    const int64_t heads[4] = {0, 7, 2, 8}, back[3] = {0, 7, 16};
    const float eighth = 0.35f;
    build_begin(b, 21);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x7x16");
    ferry_value_id qkv[3];
    static const char *const names[] = {"q", "k", "v"};
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "%sh", names[i]);
        const ferry_value_id m = BUILD_NODE(b, "MatMul", names[i], "", x, build_constant(b, "w", "16x16", 0.4f));
        const ferry_value_id h = BUILD_NODE(b, "Reshape", name, "", m, build_ints(b, "heads", 4, heads));
        snprintf(name, sizeof name, "%st", names[i]);
        qkv[i] = BUILD_NODE(b, "Transpose", name, i == 1 ? "perm=0,2,3,1" : "perm=0,2,1,3", h);
    }
    const ferry_value_id s = BUILD_NODE(b, "MatMul", "scores", "", qkv[0], qkv[1]);
    const ferry_value_id scaled = BUILD_NODE(b, "Mul", "scaled", "", s, build_scalar(b, eighth));
    const ferry_value_id p = BUILD_NODE(b, "Softmax", "p", "axis=-1", scaled);
    const ferry_value_id o = BUILD_NODE(b, "MatMul", "o", "", p, qkv[2]);
    const ferry_value_id t = BUILD_NODE(b, "Transpose", "t", "perm=0,2,1,3", o);
    const ferry_value_id r = BUILD_NODE(b, "Reshape", "r", "", t, build_ints(b, "back", 3, back));
    build_output(b, BUILD_NODE(b, "Add", "y", "", r, x));
    build_finish(b);
}

static void depthwise(graph_builder *b)
{
    build_begin(b, 22);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x5x9x7");
    const ferry_value_id c =
        BUILD_NODE(b, "Conv", "expand", "kernel_shape=1,1", x, build_constant(b, "w1", "17x5x1x1", 0.6f));
    const ferry_value_id n = BUILD_NODE(b, "BatchNormalization", "bn", "", c, build_between(b, "s", "17", 0.5f, 1.5f),
                                        build_constant(b, "sh", "17", 0.4f), build_constant(b, "m", "17", 0.2f),
                                        build_between(b, "var", "17", 0.5f, 1.5f));
    const ferry_value_id r = BUILD_NODE(b, "Clip", "relu6", "", n, build_scalar(b, 0), build_scalar(b, 6));
    const ferry_value_id d = BUILD_NODE(b, "Conv", "dw", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1 group=17", r,
                                        build_constant(b, "w2", "17x1x3x3", 0.4f), build_constant(b, "b2", "17", 0.3f));
    const ferry_value_id h = BUILD_NODE(b, "HardSwish", "hs", "", d);
    const ferry_value_id g = BUILD_NODE(b, "GlobalAveragePool", "gap", "", h);
    const ferry_value_id sg = BUILD_NODE(b, "Sigmoid", "gate", "", g);
    const ferry_value_id m = BUILD_NODE(b, "Mul", "se", "", h, sg);
    const ferry_value_id pr =
        BUILD_NODE(b, "Conv", "project", "kernel_shape=1,1", m, build_constant(b, "w3", "6x17x1x1", 0.4f));
    const ferry_value_id mp = BUILD_NODE(b, "MaxPool", "mp", "kernel_shape=3,3 strides=1,1 pads=1,1,1,1", pr);
    build_output(b, BUILD_NODE(b, "Concat", "y", "axis=1", mp, pr));
    build_finish(b);
}

static void dilated(graph_builder *b)
{
    build_begin(b, 23);
    const float scales[4] = {1, 1, 2, 2};
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x4x10x11");
    const ferry_value_id c = BUILD_NODE(b, "Conv", "dil", "kernel_shape=3,3 dilations=2,2 pads=2,2,2,2 group=2", x,
                                        build_constant(b, "w1", "6x2x3x3", 0.4f));
    const ferry_value_id l = BUILD_NODE(b, "LeakyRelu", "leaky", "alpha=0.1", c);
    const ferry_value_id t = BUILD_NODE(b, "ConvTranspose", "up", "kernel_shape=2,2 strides=2,2", l,
                                        build_constant(b, "w2", "6x3x2x2", 0.4f));
    const ferry_value_id a = BUILD_NODE(b, "AveragePool", "ap", "kernel_shape=3,2 strides=2,1", t);
    const ferry_value_id u = BUILD_NODE(b, "Resize", "rs", "mode=linear coordinate_transformation_mode=half_pixel", a,
                                        build_floats(b, "roi", "0", scales), build_floats(b, "sc", "4", scales));
    build_output(b, BUILD_NODE(b, "ReduceMean", "y", "keepdims=0", u, build_ints(b, "axes", 1, (const int64_t[]){1})));
    build_finish(b);
}

static void conv_net(graph_builder *b)
{
    build_conv_net(b, "3");
}

static void every_device__agrees_with_the_reference(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*build)(graph_builder *);
        double tolerance;
    } graphs[] = {{"conv net", conv_net, 2e-5},   {"tiny net", build_tiny_net, 2e-5},
                  {"attention", attention, 2e-5}, {"depthwise", depthwise, 2e-5},
                  {"dilated", dilated, 2e-5},     {"data shapes", build_data_shapes, 0}};
    size_t ran = 0;
    for (size_t d = 0; d < DEVICES; d++) {
        ferry_runtime *runtime = open_runtime(devices[d]);
        if (!runtime) continue;
        for (size_t g = 0; g < sizeof graphs / sizeof *graphs; g++) {
            graph_builder b;
            graphs[g].build(&b);
            for (int plain = 0; plain < 2; plain++) {
                ferry_engine *engine = test_engine(runtime, &b.graph, plain ? test_no_passes() : NULL);
                for (uint64_t seed = 1; seed <= 2; seed++)
                    test_expect_reference(engine, &b.graph, seed, graphs[g].tolerance);
                ferry_engine_release(engine);
                ran++;
            }
            build_end(&b);
        }
        ferry_runtime_release(runtime);
    }
    assert_true(ran >= 36); // the CPU without and with its instructions, and the mock
}

// --- The contract --------------------------------------------------------------------------------------------------

static void every_device__keeps_the_contract(void **state)
{
    (void)state;
    for (size_t d = 0; d < DEVICES; d++) {
        ferry_runtime *runtime = open_runtime(devices[d]);
        if (!runtime) continue;
        ferry_device *device = runtime->devices[0];
        const ferry_backend *be = device->backend;
        ferry_device_info info;
        be->describe(device, &info);
        assert_true(info.name[0] && info.fingerprint[0]);
        assert_null(strpbrk(info.fingerprint, " \n\t"));
        assert_int_equal(be->abi, FERRY_BACKEND_ABI);

        ferry_device_stream *stream = NULL;
        MUST(be->stream_create(device, 2, &stream, err));
        MUST(be->stream_wait(stream, err)); // nothing queued
        enum { BYTES = 100000 };
        unsigned char *out = be->alloc_pinned(device, BYTES), *back = be->alloc_pinned(device, BYTES);
        void *one = be->alloc(device, BYTES), *two = be->alloc(device, BYTES);
        assert_true(out && back && one && two);
        assert_int_equal((uintptr_t)one % 64, 0);
        for (int i = 0; i < BYTES; i++) out[i] = (unsigned char)(i * 31 + i / 256);
        ferry_device_event *begin = NULL, *end = NULL;
        double ms = -1;
        MUST(be->event_create(device, &begin, err));
        MUST(be->event_create(device, &end, err));
        ferry_error why = {.text = ""};
        assert_int_equal(be->event_elapsed(begin, end, &ms, &why), FERRY_ERR_INVALID_ARGUMENT);
        MUST(be->event_record(stream, begin, err));
        MUST(be->copy(stream, FERRY_COPY_HOST_TO_DEVICE, one, out, BYTES, err));
        MUST(be->copy(stream, FERRY_COPY_DEVICE_TO_DEVICE, two, one, BYTES, err));
        MUST(be->copy(stream, FERRY_COPY_DEVICE_TO_HOST, back, two, BYTES, err));
        MUST(be->copy(stream, FERRY_COPY_DEVICE_TO_HOST, back, two, 0, err));
        MUST(be->event_record(stream, end, err));
        MUST(be->stream_wait(stream, err));
        assert_memory_equal(out, back, BYTES);
        MUST(be->event_elapsed(begin, end, &ms, err));
        assert_true(ms >= 0 && ms < 60000);
        be->event_destroy(begin);
        be->event_destroy(end);
        be->free(device, one, BYTES);
        be->free(device, two, BYTES);
        be->free_pinned(device, out, BYTES);
        be->free_pinned(device, back, BYTES);
        be->stream_destroy(stream);
        be->release(NULL);
        ferry_runtime_release(runtime);
    }
}

static void bindings__begin_where_kernels_need_them(void **state)
{
    (void)state;
    for (size_t d = 0; d < DEVICES; d++) {
        ferry_runtime *runtime = open_runtime(devices[d]);
        if (!runtime) continue;
        graph_builder b;
        build_conv_net(&b, "1");
        ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
        ferry_context *context = NULL;
        MUST(ferry_context_create(engine, NULL, &context, err));
        ferry_error why = {.text = ""};
        const size_t align = runtime->infos[0].slice_align;
        const ferry_status s = ferry_context_bind(context, 0, (void *)(uintptr_t)0x7004, &why);
        assert_int_equal(s, align > 4 ? FERRY_ERR_INVALID_ARGUMENT : FERRY_OK);
        if (strcmp(devices[d], "cuda") == 0)
            assert_string_equal(why.text, "binding 0, 'x': address 0x7004 is not a multiple of 16 bytes, where kernels "
                                          "of device cuda need tensors to begin");
        MUST(ferry_context_bind(context, 0, (void *)(uintptr_t)0x7010, err));
        ferry_context_release(context);
        ferry_engine_release(engine);
        build_end(&b);
        ferry_runtime_release(runtime);
    }
}

static void unknown_tactics__are_refused(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    for (size_t d = 0; d < DEVICES; d++) {
        ferry_runtime *runtime = open_runtime(devices[d]);
        if (!runtime) continue;
        ferry_arena arena;
        ferry_arena_init(&arena, ferry_heap_default());
        int32_t *offsets = NULL;
        ferry_node_id *users = NULL, first = 0;
        ferry_region region;
        ferry_tensor_desc desc[4] = {{0}};
        ferry_kernel *kernel = NULL;
        ferry_error why = {.text = ""};
        MUST(ferry_graph_users(&b.graph, &arena, &offsets, &users, err));
        MUST(ferry_region_make(&b.graph, offsets, users, &first, 1, &arena, &region, err));
        ferry_device *device = runtime->devices[0];
        assert_int_not_equal(
            device->backend->prepare(device, &region, "no such tactic", desc, desc, NULL, 0, &kernel, &why), FERRY_OK);
        assert_null(kernel);
        assert_non_null(strstr(why.text, "no such tactic"));
        ferry_arena_deinit(&arena);
        ferry_runtime_release(runtime);
    }
    build_end(&b);
}

static void devices__are_listed_with_what_is_missing(void **state)
{
    (void)state;
    ferry_device_description list[8];
    const size_t n = ferry_devices(list, 8);
    assert_true(n >= 3 && n <= 8);
    bool cpu = false;
    for (size_t i = 0; i < n; i++) {
        assert_true(list[i].name[0] && list[i].description[0]);
        if (!list[i].available) assert_int_equal(list[i].fingerprint[0], 0);
        cpu |= strcmp(list[i].name, "cpu") == 0 && list[i].available && list[i].memory_bytes > 0;
    }
    assert_true(cpu);
    assert_int_equal(ferry_devices(NULL, 0), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_device__agrees_with_the_reference),  cmocka_unit_test(every_device__keeps_the_contract),
        cmocka_unit_test(bindings__begin_where_kernels_need_them),  cmocka_unit_test(unknown_tactics__are_refused),
        cmocka_unit_test(devices__are_listed_with_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
