// SPDX-License-Identifier: Apache-2.0
// Engines built for a GPU that is not here, with layers on the CPU: the board takes the plan as it is, whatever its
// CPU.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "support/engine_case.h"
#include "support/picky_cuda.h"

// The CPU's convolution and product have constants that each CPU packs in its own way.
static void build_net(graph_builder *b)
{
    const int64_t flat[2] = {0, -1};
    build_begin(b, 9);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x8x10x6");
    const ferry_value_id gpu =
        BUILD_NODE(b, "Conv", "conv", "kernel_shape=3,3 pads=1,1,1,1", x, build_constant(b, "w1", "24x8x3x3", 0.3f));
    const ferry_value_id cpu = BUILD_NODE(b, "Conv", "host_conv", "kernel_shape=3,3 strides=2,2", gpu,
                                          build_constant(b, "w2", "40x24x3x3", 0.1f), build_constant(b, "b2", "40", 1));
    const ferry_value_id again = BUILD_NODE(b, "Relu", "relu", "", cpu);
    const ferry_value_id line = BUILD_NODE(b, "Reshape", "line", "", again, build_ints(b, "to", 2, flat));
    const ferry_value_id w3 = build_constant(b, "w3", "320x17", 0.1f);
    build_output(b, BUILD_NODE(b, "MatMul", "host_fc", "", line, w3));
    build_finish(b);
}

static void cross_build(const ferry_graph *graph, bool strip, void **out_data, size_t *out_bytes)
{
    const ferry_build_options options = {
        .size = sizeof options, .threads = 1, .no_timing = true, .strip_portable = strip};
    ferry_runtime *runtime = test_runtime(picky_cuda_and_cpu(), "cuda:sm_87", true, NULL);
    ferry_engine *engine = test_engine(runtime, graph, &options);
    assert_false(engine->replanned);
    assert_true(test_count_steps(engine, "cpu", FERRY_STEP_REGION) >= 2);
    assert_true(test_count_steps(engine, "cuda", FERRY_STEP_REGION) >= 1);
    MUST(ferry_engine_serialize(engine, out_data, out_bytes, err));
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
}

static void expect_as_it_is(const ferry_graph *graph, const void *data, size_t bytes, bool packs)
{
    test_log log;
    ferry_engine *engine = NULL;
    test_log_init(&log);
    ferry_runtime *runtime = test_runtime(picky_cuda_and_cpu(), "cuda", true, &log);
    MUST(ferry_engine_load_memory(runtime, data, bytes, NULL, &engine, err));
    assert_false(engine->replanned);
    assert_int_equal(strstr(log.text, "the constants of 2 layers are packed for 'cpu/") != NULL, packs);
    for (uint64_t seed = 0; seed < 3; seed++) test_expect_reference(engine, graph, seed, 1e-5);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
}

static void load_on_each_cpu(bool strip)
{
    graph_builder b;
    void *data = NULL;
    size_t bytes = 0;
    build_net(&b);
    cross_build(&b.graph, strip, &data, &bytes);
    unsetenv("FERRY_CPU");
    expect_as_it_is(&b.graph, data, bytes, ferry_isa_detect() != FERRY_ISA_NONE);
    setenv("FERRY_CPU", "none", 1);
    expect_as_it_is(&b.graph, data, bytes, false);
    if (ferry_isa_detect() & FERRY_ISA_AVX2) {
        setenv("FERRY_CPU", "avx2", 1);
        expect_as_it_is(&b.graph, data, bytes, true);
    }
    unsetenv("FERRY_CPU");
    ferry_bytes_free(data, bytes);
    build_end(&b);
}

static void plans_with_layers_on_the_cpu__are_taken_as_they_are(void **state)
{
    (void)state;
    load_on_each_cpu(false);
}

static void engines_without_a_portable_part__have_what_the_cpu_packs(void **state)
{
    (void)state;
    load_on_each_cpu(true);
}

// A plan that was made here, for this CPU, is as good for another.
static void plans_that_a_cpu_made__are_taken_by_another(void **state)
{
    (void)state;
    graph_builder b;
    void *data = NULL;
    size_t bytes = 0;
    const ferry_build_options options = {.size = sizeof options, .threads = 1, .no_timing = true};
    build_net(&b);
    ferry_runtime *runtime = test_runtime(picky_cuda_and_cpu(), "cuda", true, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    MUST(ferry_engine_serialize(engine, &data, &bytes, err));
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    setenv("FERRY_CPU", "none", 1);
    expect_as_it_is(&b.graph, data, bytes, ferry_isa_detect() != FERRY_ISA_NONE);
    unsetenv("FERRY_CPU");
    ferry_bytes_free(data, bytes);
    build_end(&b);
}

// What a CPU without extensions offers is what plans for elsewhere are made of: each CPU has to offer it, too.
static ferry_status count(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    const ferry_offer *wanted = *(const ferry_offer *const *)user;
    if (wanted && strcmp(offer->tactic, wanted->tactic) == 0 && offer->n_nodes == wanted->n_nodes &&
        offer->in_layout == wanted->in_layout && offer->out_layout == wanted->out_layout &&
        (offer->flags & wanted->flags) == wanted->flags &&
        memcmp(offer->nodes, wanted->nodes, (size_t)offer->n_nodes * sizeof *offer->nodes) == 0)
        *(const ferry_offer **)user = NULL;
    return FERRY_OK;
}

typedef struct search {
    ferry_device *device;
    const ferry_graph_view *view;
    size_t found;
} search;

static ferry_status find(void *user, const ferry_offer *offer, ferry_error *err)
{
    search *s = user;
    const ferry_offer *wanted = offer;
    const ferry_offer_sink sink = {count, &wanted};
    FERRY_TRY(s->device->backend->offer(s->device, s->view, offer->nodes[offer->n_nodes - 1], &sink, err));
    if (wanted) fail_msg("this CPU does not offer '%s'", offer->tactic);
    s->found++;
    return FERRY_OK;
}

static void compare(const ferry_graph *g, const ferry_backend *cpu)
{
    ferry_arena arena;
    ferry_device *plain = NULL;
    ferry_graph_view view = {.graph = g};
    search s = {.view = &view};
    const ferry_offer_sink sink = {find, &s};
    ferry_arena_init(&arena, ferry_heap_default());
    MUST(ferry_graph_users(g, &arena, (int32_t **)&view.user_offsets, (ferry_node_id **)&view.users, err));
    MUST(cpu->open("none", ferry_heap_default(), NULL, &plain, err));
    MUST(cpu->open("", ferry_heap_default(), NULL, &s.device, err));
    for (size_t n = 0; n < g->n_nodes; n++) MUST(cpu->offer(plain, &view, (ferry_node_id)n, &sink, err));
    assert_true(s.found >= g->n_nodes);
    cpu->close(plain);
    cpu->close(s.device);
    ferry_arena_deinit(&arena);
}

static void every_cpu__offers_what_the_plainest_does(void **state)
{
    (void)state;
    static void (*const nets[])(graph_builder *) = {build_net, build_tiny_net, build_data_shapes};
    for (size_t i = 0; i < FERRY_COUNT_OF(nets); i++) {
        graph_builder b;
        nets[i](&b);
        compare(&b.graph, ferry_backend_find("cpu"));
        build_end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_with_layers_on_the_cpu__are_taken_as_they_are),
        cmocka_unit_test(engines_without_a_portable_part__have_what_the_cpu_packs),
        cmocka_unit_test(plans_that_a_cpu_made__are_taken_by_another),
        cmocka_unit_test(every_cpu__offers_what_the_plainest_does),
    };
    setenv("FERRY_EMULATED_SM", "87", 1);
    return cmocka_run_group_tests(tests, picky_cuda_skip, NULL);
}
