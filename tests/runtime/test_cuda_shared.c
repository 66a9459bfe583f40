// SPDX-License-Identifier: Apache-2.0
// GPUs that use the host's memory: nothing is copied that both reach, between layers of the GPU and of the CPU neither;
// and on those with memory of their own, copies and runs follow each other without the host.
#include <pthread.h>
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

enum { ROUNDS = 3 };

static ferry_runtime *open_runtime(bool integrated)
{
    if (integrated)
        setenv("FERRY_EMULATED_INTEGRATED", "1", 1);
    else
        unsetenv("FERRY_EMULATED_INTEGRATED");
    return test_runtime(picky_cuda_and_cpu(), "cuda", true, NULL);
}

// --- A network with the CPU in its midst
// ------------------------------------------------------------------------------

// The CPU reads the caller's input and an output of the GPU's, and makes an output; `both` is still read by the GPU
// when the CPU could have computed over it.
static void build_net(graph_builder *b)
{
    build_begin(b, 5);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x9x7");
    const ferry_value_id w1 = build_constant(b, "w1", "8x4x3x3", 0.4f), w2 = build_constant(b, "w2", "8x8x3x3", 0.2f);
    const ferry_value_id c1 = BUILD_NODE(b, "Conv", "conv1", "kernel_shape=3,3 pads=1,1,1,1", x, w1);
    const ferry_value_id both = BUILD_NODE(b, "Abs", "host_abs", "", c1);
    const ferry_value_id c2 = BUILD_NODE(b, "Conv", "conv2", "kernel_shape=3,3 pads=1,1,1,1", both, w2);
    const ferry_value_id tanh = BUILD_NODE(b, "Tanh", "host_tanh", "", both);
    const ferry_value_id product = BUILD_NODE(b, "Mul", "mul", "", c2, tanh);
    const ferry_value_id sum = BUILD_NODE(b, "Add", "add", "", product, both);
    const ferry_value_id sigmoid = BUILD_NODE(b, "Sigmoid", "host_sigmoid", "", sum);
    build_output(b, BUILD_NODE(b, "Sqrt", "host_sqrt", "", sigmoid));
    build_output(b, sum);
    build_output(b, BUILD_NODE(b, "Exp", "exp", "", BUILD_NODE(b, "Neg", "host_neg", "", x)));
    build_finish(b);
}

typedef struct bench {
    graph_builder b;
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
} bench;

static void open_bench(bench *t, bool integrated)
{
    build_net(&t->b);
    t->runtime = open_runtime(integrated);
    assert_int_equal(ferry_runtime_shares_memory(t->runtime), integrated);
    ferry_build_options single = *test_no_passes();
    single.no_fusion = true;
    t->engine = test_engine(t->runtime, &t->b.graph, &single);
    assert_int_equal(test_count_steps(t->engine, "cpu", FERRY_STEP_REGION), 5);
    assert_int_equal(test_count_steps(t->engine, "cuda", FERRY_STEP_REGION), 5);
    MUST(ferry_context_create(t->engine, NULL, &t->context, err));
    MUST(ferry_stream_create(t->runtime, NULL, &t->stream, err));
    MUST(ferry_context_prepare(t->context, err));
}

// Copies that are none, to the GPU and from it.
static void expect_shared(const bench *t)
{
    size_t n[2] = {0};
    const ferry_plan *plan = t->engine->plan;
    for (size_t s = 0; s < plan->n_steps; s++)
        if (t->context->shares_step[s]) n[plan->buffers[plan->steps[s].outputs[0]].device]++;
    assert_true(n[0] >= 2 && n[1] >= 1);
}

static void close_bench(bench *t)
{
    ferry_context_release(t->context);
    ferry_stream_release(t->stream);
    ferry_engine_release(t->engine);
    ferry_runtime_release(t->runtime);
    build_end(&t->b);
}

static size_t copies(void)
{
    return picky_cuda_count("emulatedCopies");
}

// Inputs and outputs of one run, moved into pinned memory.
typedef struct pinned_io {
    test_io io;
    void *pinned[16];
} pinned_io;

static void open_pinned(pinned_io *p, const bench *t, uint64_t seed)
{
    test_io_open(&p->io, t->context, seed);
    for (int32_t i = 0; i < p->io.n; i++) {
        p->pinned[i] = ferry_pinned_alloc(t->runtime, p->io.bytes[i]);
        assert_non_null(p->pinned[i]);
        memcpy(p->pinned[i], p->io.data[i], p->io.bytes[i]);
    }
}

static void expect(pinned_io *p, const bench *t)
{
    for (int32_t i = 0; i < p->io.n_in; i++) assert_memory_equal(p->pinned[i], p->io.data[i], p->io.bytes[i]);
    for (int32_t i = p->io.n_in; i < p->io.n; i++) memcpy(p->io.data[i], p->pinned[i], p->io.bytes[i]);
    test_io_expect(&p->io, &t->b.graph, 1e-5);
}

static void close_pinned(pinned_io *p, const bench *t)
{
    for (int32_t i = 0; i < p->io.n; i++) ferry_pinned_free(t->runtime, p->pinned[i], p->io.bytes[i]);
    test_io_close(&p->io);
}

// --- Tests
// ------------------------------------------------------------------------------------------------------------

static void pinned_memory__is_used_where_it_lies(void **state)
{
    (void)state;
    bench t;
    open_bench(&t, true);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        pinned_io p;
        open_pinned(&p, &t, round + 1);
        const size_t before = copies();
        MUST(ferry_context_run(t.context, t.stream, (const void *const *)p.pinned, p.pinned + p.io.n_in, err));
        assert_int_equal(copies(), before);
        expect(&p, &t);
        close_pinned(&p, &t);
    }
    close_bench(&t);
}

static void bound_pinned_memory__needs_no_wait_between_runs(void **state)
{
    (void)state;
    bench t;
    pinned_io p[ROUNDS];
    open_bench(&t, true);
    const size_t before = copies();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        open_pinned(&p[round], &t, round + 11);
        for (int32_t i = 0; i < p[round].io.n; i++) MUST(ferry_context_bind(t.context, i, p[round].pinned[i], err));
        MUST(ferry_context_enqueue(t.context, t.stream, err));
    }
    MUST(ferry_stream_wait(t.stream, err));
    assert_int_equal(copies(), before);
    for (int round = 0; round < ROUNDS; round++) {
        expect(&p[round], &t);
        close_pinned(&p[round], &t);
    }
    close_bench(&t);
}

// What the CPU reads of the caller's, or makes for it, is copied then as well: it lies in the GPU's memory meanwhile.
static void pageable_memory__is_copied_and_nothing_else(void **state)
{
    (void)state;
    bench t;
    test_io io;
    open_bench(&t, true);
    assert_true(t.context->n_crossings >= 3);
    expect_shared(&t);
    assert_true(test_count_steps(t.engine, "cuda", FERRY_STEP_COPY) > t.context->n_crossings);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        test_io_open(&io, t.context, round + 21);
        const size_t before = copies();
        MUST(test_io_run(&io, t.stream, err));
        if (before) assert_int_equal(copies() - before, (size_t)io.n + t.context->n_crossings);
        test_io_expect(&io, &t.b.graph, 1e-5);
        test_io_close(&io);
    }
    close_bench(&t);
}

static void gpu_with_memory_of_its_own__is_copied_to(void **state)
{
    (void)state;
    bench t;
    pinned_io p;
    open_bench(&t, false);
    open_pinned(&p, &t, 31);
    const size_t before = copies();
    MUST(ferry_context_run(t.context, t.stream, (const void *const *)p.pinned, p.pinned + p.io.n_in, err));
    if (before)
        assert_int_equal(copies() - before, (size_t)p.io.n + test_count_steps(t.engine, "cuda", FERRY_STEP_COPY));
    expect(&p, &t);
    close_pinned(&p, &t);
    close_bench(&t);
}

static int sum_up(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero)
{
    (void)scale;
    (void)zero;
    const int64_t n = ferry_tensor_view_elements(tensor);
    for (int64_t i = 0; i < n && tensor->dtype == FERRY_F32; i++)
        *(double *)user += (double)((const float *)tensor->data)[i] * (double)(i % 5 + 1);
    return 0;
}

static double observe(bool integrated)
{
    bench t;
    test_io io;
    double sum = 0;
    open_bench(&t, integrated);
    test_io_open(&io, t.context, 41);
    MUST(ferry_context_set_observer(t.context, sum_up, &sum, err));
    MUST(test_io_run(&io, t.stream, err));
    test_io_expect(&io, &t.b.graph, 1e-5);
    test_io_close(&io);
    close_bench(&t);
    return sum;
}

static void observers_and_profilers__see_shared_tensors(void **state)
{
    (void)state;
    const double own = observe(false), shared = observe(true);
    assert_true(own != 0);
    assert_float_equal(shared, own, 1e-3);
}

// --- In one stream
// ----------------------------------------------------------------------------------------------------

static void build_gpu_net(graph_builder *b)
{
    build_begin(b, 6);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x9x7");
    const ferry_value_id w = build_constant(b, "w", "8x4x3x3", 0.4f);
    const ferry_value_id c = BUILD_NODE(b, "Conv", "conv", "kernel_shape=3,3 pads=1,1,1,1", x, w);
    build_output(b, BUILD_NODE(b, "MaxPool", "pool", "kernel_shape=2,2", c));
    build_finish(b);
}

static void wait_at_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
}

// A queue of copies from pinned memory, runs and copies back takes one wait: the last.
static void copies_and_runs__follow_each_other_on_the_device(void **state)
{
    (void)state;
    bench t = {0};
    pinned_io p[ROUNDS];
    void *on_device[2];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    build_gpu_net(&t.b);
    t.runtime = open_runtime(false);
    t.engine = test_engine(t.runtime, &t.b.graph, test_no_passes());
    MUST(ferry_context_create(t.engine, NULL, &t.context, err));
    MUST(ferry_stream_create(t.runtime, NULL, &t.stream, err));
    MUST(ferry_context_prepare(t.context, err));
    for (int i = 0; i < ROUNDS; i++) open_pinned(&p[i], &t, (uint64_t)i + 51);
    for (int i = 0; i < 2; i++) {
        on_device[i] = ferry_memory_alloc(t.runtime, p[0].io.bytes[i]);
        MUST(ferry_context_bind(t.context, i, on_device[i], err));
    }
    pthread_mutex_lock(&gate);
    MUST(ferry_stream_call(t.stream, wait_at_gate, &gate, err));
    for (int i = 0; i < ROUNDS; i++) {
        MUST(ferry_stream_copy(t.stream, FERRY_COPY_TO_DEVICE, on_device[0], p[i].pinned[0], p[i].io.bytes[0], err));
        MUST(ferry_context_enqueue(t.context, t.stream, err));
        MUST(ferry_stream_copy(t.stream, FERRY_COPY_FROM_DEVICE, p[i].pinned[1], on_device[1], p[i].io.bytes[1], err));
    }
    const size_t before = picky_cuda_count("emulatedWaits");
    pthread_mutex_unlock(&gate);
    MUST(ferry_stream_wait(t.stream, err));
    if (copies()) assert_int_equal(picky_cuda_count("emulatedWaits") - before, 1);
    for (int i = 0; i < ROUNDS; i++) {
        expect(&p[i], &t);
        close_pinned(&p[i], &t);
    }
    for (int i = 0; i < 2; i++) ferry_memory_free(t.runtime, on_device[i], p[0].io.bytes[i]);
    close_bench(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pinned_memory__is_used_where_it_lies),
        cmocka_unit_test(bound_pinned_memory__needs_no_wait_between_runs),
        cmocka_unit_test(pageable_memory__is_copied_and_nothing_else),
        cmocka_unit_test(gpu_with_memory_of_its_own__is_copied_to),
        cmocka_unit_test(observers_and_profilers__see_shared_tensors),
        cmocka_unit_test(copies_and_runs__follow_each_other_on_the_device),
    };
    return cmocka_run_group_tests(tests, picky_cuda_skip, NULL);
}
