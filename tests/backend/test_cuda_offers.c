// SPDX-License-Identifier: Apache-2.0
// Plans for NVIDIA's GPUs serve every GPU of a chip: what is offered depends on the chip alone, not on how large the
// device at hand is, or whether there is one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/picky_cuda.h"

static const ferry_backend *cuda;

// --- Networks
// ---------------------------------------------------------------------------------------------------------

// Convolutions of several kinds, with what their stores take in, pooling, and a product of few rows.
static void build_pictures(graph_builder *b)
{
    const int64_t flat[2] = {0, -1};
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x3x32x28");
    const ferry_value_id stem =
        BUILD_NODE(b, "Conv", "stem", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", x,
                   build_constant(b, "w0", "32x3x3x3", 0.3f), build_constant(b, "b0", "32", 0.2f));
    const ferry_value_id depth =
        BUILD_NODE(b, "Conv", "depth", "kernel_shape=3,3 pads=1,1,1,1 group=32", BUILD_NODE(b, "Relu", "r0", "", stem),
                   build_constant(b, "w1", "32x1x3x3", 0.3f));
    const ferry_value_id point =
        BUILD_NODE(b, "Conv", "point", "kernel_shape=1,1", depth, build_constant(b, "w2", "64x32x1x1", 0.2f));
    const ferry_value_id wide = BUILD_NODE(b, "Conv", "wide", "kernel_shape=3,3 pads=1,1,1,1", point,
                                           build_constant(b, "w3", "64x64x3x3", 0.05f));
    const ferry_value_id sum = BUILD_NODE(b, "Relu", "r3", "", BUILD_NODE(b, "Add", "add", "", wide, point));
    const ferry_value_id pool = BUILD_NODE(b, "MaxPool", "pool", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", sum);
    const ferry_value_id mean = BUILD_NODE(b, "GlobalAveragePool", "mean", "", pool);
    const ferry_value_id line = BUILD_NODE(b, "Reshape", "flat", "", mean, build_ints(b, "to", 2, flat));
    const ferry_value_id y = BUILD_NODE(b, "Gemm", "fc", "", line, build_constant(b, "w4", "64x40", 0.2f),
                                        build_constant(b, "b4", "40", 0.1f));
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=1", y));
    build_finish(b);
}

// Attention, and what is around it.
static void build_words(graph_builder *b)
{
    build_begin(b, 4);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x48x64");
    const ferry_value_id norm = BUILD_NODE(b, "LayerNormalization", "norm", "axis=-1", x,
                                           build_constant(b, "s", "64", 1), build_constant(b, "t", "64", 0.1f));
    const ferry_value_id q = BUILD_NODE(b, "MatMul", "q", "", norm, build_constant(b, "wq", "64x64", 0.1f));
    const ferry_value_id k = BUILD_NODE(b, "MatMul", "k", "", norm, build_constant(b, "wk", "64x64", 0.1f));
    const ferry_value_id v = BUILD_NODE(b, "MatMul", "v", "", norm, build_constant(b, "wv", "64x64", 0.1f));
    const ferry_value_id turned = BUILD_NODE(b, "Transpose", "kt", "perm=0,2,1", k);
    const ferry_value_id weights =
        BUILD_NODE(b, "Softmax", "p", "axis=2", BUILD_NODE(b, "MatMul", "qk", "", q, turned));
    build_output(b, BUILD_NODE(b, "Add", "y", "", BUILD_NODE(b, "MatMul", "pv", "", weights, v), x));
    build_finish(b);
}

// --- Offers as text
// ---------------------------------------------------------------------------------------------------

typedef struct listing {
    char text[65536];
    size_t used;
} listing;

static ferry_status write_down(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    listing *l = user;
    char nodes[128] = "";
    size_t n = 0;
    for (int32_t i = 0; i < offer->n_nodes && n < sizeof nodes; i++)
        n += (size_t)snprintf(nodes + n, sizeof nodes - n, " %d", offer->nodes[i]);
    const int used = snprintf(l->text + l->used, sizeof l->text - l->used, "%s%s %d>%d %x\n", offer->tactic, nodes,
                              (int)offer->in_layout, (int)offer->out_layout, offer->flags);
    assert_true(used > 0 && l->used + (size_t)used < sizeof l->text);
    l->used += (size_t)used;
    return FERRY_OK;
}

static void list_offers(const char *selector, const ferry_graph *g, listing *out)
{
    ferry_arena arena;
    ferry_device *device = NULL;
    ferry_graph_view view = {.graph = g};
    const ferry_offer_sink sink = {write_down, out};
    ferry_arena_init(&arena, ferry_heap_default());
    memset(out, 0, sizeof *out);
    MUST(cuda->open(selector, ferry_heap_default(), NULL, &device, err));
    MUST(ferry_graph_users(g, &arena, (int32_t **)&view.user_offsets, (ferry_node_id **)&view.users, err));
    for (size_t i = 0; i < g->n_nodes; i++) MUST(cuda->offer(device, &view, (ferry_node_id)i, &sink, err));
    cuda->close(device);
    ferry_arena_deinit(&arena);
}

static void set_size(const char *processors)
{
    setenv("FERRY_EMULATED_PROCESSORS", processors, 1);
}

static ferry_engine *build(const ferry_graph *graph, uint32_t precisions)
{
    const ferry_build_options options = {
        .size = sizeof options, .threads = 1, .no_timing = true, .precisions = precisions};
    ferry_runtime *runtime = test_runtime(NULL, "cuda", false, NULL);
    ferry_engine *engine = test_engine(runtime, graph, &options);
    ferry_runtime_release(runtime);
    return engine;
}

// --- Tests
// ------------------------------------------------------------------------------------------------------------

static const char *const chips[] = {"62", "75", "87", "90"};
static const char *const sizes[] = {"1", "16", "132"};

static void compare_offers(const ferry_graph *g)
{
    static listing first, other;
    ferry_device_info info;
    ferry_device *device = NULL;
    set_size("4");
    list_offers("", g, &first);
    assert_true(first.used > 0);
    for (size_t i = 0; i < FERRY_COUNT_OF(sizes); i++) {
        set_size(sizes[i]);
        list_offers("0", g, &other);
        assert_string_equal(first.text, other.text);
    }
    MUST(cuda->open("", ferry_heap_default(), NULL, &device, err));
    cuda->describe(device, &info);
    cuda->close(device);
    list_offers(strchr(info.fingerprint, '/') + 1, g, &other); // where there is no such device
    assert_string_equal(first.text, other.text);
}

static void offers__depend_on_the_chip_alone(void **state)
{
    (void)state;
    static void (*const nets[])(graph_builder *) = {build_pictures, build_words};
    for (size_t c = 0; c < FERRY_COUNT_OF(chips); c++) {
        setenv("FERRY_EMULATED_SM", chips[c], 1);
        for (size_t n = 0; n < FERRY_COUNT_OF(nets); n++)
            for (uint32_t precisions = 0; precisions <= FERRY_PRECISION_FP16; precisions += FERRY_PRECISION_FP16) {
                graph_builder b;
                nets[n](&b);
                set_size("4");
                ferry_engine *engine = build(&b.graph, precisions);
                ferry_graph shaped = {0};
                MUST(ferry_engine_shaped_graph(engine, &shaped, err));
                compare_offers(&shaped);
                ferry_graph_deinit(&shaped);
                ferry_engine_release(engine);
                build_end(&b);
            }
    }
}

static void engines__are_taken_as_they_are_by_every_gpu_of_the_chip(void **state)
{
    (void)state;
    graph_builder b;
    setenv("FERRY_EMULATED_SM", "87", 1);
    build_pictures(&b);
    for (size_t i = 0; i < FERRY_COUNT_OF(sizes); i++) {
        void *data = NULL;
        size_t bytes = 0;
        set_size(sizes[i]);
        ferry_engine *built = build(&b.graph, 0), *loaded = NULL;
        MUST(ferry_engine_serialize(built, &data, &bytes, err));
        ferry_engine_release(built);
        set_size(sizes[(i + 1) % FERRY_COUNT_OF(sizes)]);
        ferry_runtime *runtime = test_runtime(NULL, "cuda", false, NULL);
        MUST(ferry_engine_load_memory(runtime, data, bytes, NULL, &loaded, err));
        assert_false(loaded->replanned);
        test_expect_reference(loaded, &b.graph, i, 1e-4);
        ferry_engine_release(loaded);
        ferry_runtime_release(runtime);
        ferry_bytes_free(data, bytes);
    }
    build_end(&b);
}

static int find_emulator(void **state)
{
    cuda = ferry_backend_find("cuda");
    return picky_cuda_skip(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers__depend_on_the_chip_alone),
        cmocka_unit_test(engines__are_taken_as_they_are_by_every_gpu_of_the_chip),
    };
    return cmocka_run_group_tests(tests, find_emulator, NULL);
}
