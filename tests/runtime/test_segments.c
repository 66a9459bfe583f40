// SPDX-License-Identifier: Apache-2.0
// Steps that run as captured graphs: captured once, given new addresses, split where the host takes part, left where
// somebody looks between the steps.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/mock_device.h"

typedef struct bench {
    graph_builder b;
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
    test_io io;
} bench;

static void open_bench(bench *t, const char *device, test_log *log)
{
    build_conv_net(&t->b, "2");
    t->runtime = test_runtime(mock_and_cpu, device, true, log);
    t->engine = test_engine(t->runtime, &t->b.graph, test_no_passes());
    MUST(ferry_context_create(t->engine, NULL, &t->context, err));
    MUST(ferry_stream_create(t->runtime, NULL, &t->stream, err));
    test_io_open(&t->io, t->context, 1);
}

static void close_bench(bench *t)
{
    test_io_close(&t->io);
    ferry_context_release(t->context);
    ferry_stream_release(t->stream);
    ferry_engine_release(t->engine);
    ferry_runtime_release(t->runtime);
    build_end(&t->b);
    assert_int_equal(mock_graphs().alive, 0);
    assert_int_equal(mock_blocks_in_use(), 0);
}

static void run(bench *t)
{
    MUST(test_io_run(&t->io, t->stream, err));
    test_io_expect(&t->io, &t->b.graph, 1e-5);
}

static size_t longest_segment(const ferry_context *c)
{
    size_t most = 0;
    for (size_t i = 0; i < c->n_segments; i++) {
        const size_t n = c->segments[i].end - c->segments[i].begin;
        most = n > most ? n : most;
        for (size_t s = c->segments[i].begin; s < c->segments[i].end; s++) {
            assert_int_equal(c->engine->plan->steps[s].device, c->segments[i].device);
            assert_int_not_equal(c->engine->plan->steps[s].kind, FERRY_STEP_COPY);
        }
    }
    return most;
}

static void graphs__run_all_steps_between_those_of_the_host(void **state)
{
    (void)state;
    bench t;
    open_bench(&t, "mock:graphs+smash", NULL);
    assert_true(longest_segment(t.context) >= 4);
    const mock_graph_counts before = mock_graphs();
    run(&t);
    assert_int_equal(mock_graphs().launched - before.launched, t.context->n_segments);
    close_bench(&t);
}

// test_io_run gives every run other device memory: `run_staged` frees it, so take some in between.
static void graphs__take_new_addresses_without_another_capture(void **state)
{
    (void)state;
    bench t;
    open_bench(&t, "mock:graphs", NULL);
    run(&t);
    const mock_graph_counts before = mock_graphs();
    void *blocks[3];
    for (size_t i = 0; i < 3; i++) {
        blocks[i] = ferry_memory_alloc(t.runtime, (i + 1) << 12);
        test_io_close(&t.io);
        test_io_open(&t.io, t.context, i + 2);
        run(&t);
    }
    for (size_t i = 0; i < 3; i++) ferry_memory_free(t.runtime, blocks[i], (i + 1) << 12);
    const mock_graph_counts after = mock_graphs();
    assert_int_equal(after.captured, before.captured);
    assert_int_equal(after.launched - before.launched, 3 * t.context->n_segments);
    assert_true(after.rebound > before.rebound);
    close_bench(&t);
}

static void graphs__are_left_alone_while_addresses_stay(void **state)
{
    (void)state;
    bench t;
    open_bench(&t, "mock:graphs", NULL);
    const int32_t n = ferry_engine_binding_count(t.engine);
    for (int32_t i = 0; i < n; i++)
        MUST(ferry_context_bind(t.context, i, ferry_memory_alloc(t.runtime, t.io.bytes[i]), err));
    MUST(ferry_context_enqueue(t.context, t.stream, err));
    MUST(ferry_stream_wait(t.stream, err));
    const mock_graph_counts before = mock_graphs();
    for (int i = 0; i < 5; i++) MUST(ferry_context_enqueue(t.context, t.stream, err));
    MUST(ferry_stream_wait(t.stream, err));
    assert_int_equal(mock_graphs().rebound, before.rebound);
    assert_int_equal(mock_graphs().launched - before.launched, 5 * t.context->n_segments);
    for (int32_t i = 0; i < n; i++) ferry_memory_free(t.runtime, t.context->bound[i].on_device, t.io.bytes[i]);
    close_bench(&t);
}

// Each command of this device takes 0.3 ms, and it knows when: runs that follow each other leave no gap that would be
// counted, and none is missed.
static void events__are_timed_by_the_device(void **state)
{
    (void)state;
    bench t;
    ferry_event *begin = NULL, *end = NULL;
    open_bench(&t, "mock:graphs+steady", NULL);
    const int32_t n = ferry_engine_binding_count(t.engine);
    for (int32_t i = 0; i < n; i++)
        MUST(ferry_context_bind(t.context, i, ferry_memory_alloc(t.runtime, t.io.bytes[i]), err));
    MUST(ferry_event_create(t.runtime, &begin, err));
    MUST(ferry_event_create(t.runtime, &end, err));
    for (int round = 0; round < 2; round++) {
        const size_t before = mock_commands_run();
        MUST(ferry_event_record(begin, t.stream, err));
        for (int i = 0; i < 4; i++) MUST(ferry_context_enqueue(t.context, t.stream, err));
        MUST(ferry_event_record(end, t.stream, err));
        MUST(ferry_stream_wait(t.stream, err));
        const size_t commands = mock_commands_run() - before;
        double ms = 0;
        MUST(ferry_event_query(end, err));
        MUST(ferry_event_elapsed(begin, end, &ms, err));
        assert_true(commands > 4 * 4);
        assert_true(ms >= 0.3 * (double)(commands - 1));
    }
    ferry_event_release(begin);
    ferry_event_release(end);
    for (int32_t i = 0; i < n; i++) ferry_memory_free(t.runtime, t.context->bound[i].on_device, t.io.bytes[i]);
    close_bench(&t);
}

static void look_at_layer(void *user, const ferry_layer_time *layer)
{
    (void)layer;
    ++*(size_t *)user;
}

static void graphs__give_way_to_a_profiler(void **state)
{
    (void)state;
    bench t;
    size_t layers = 0;
    open_bench(&t, "mock:graphs", NULL);
    const mock_graph_counts before = mock_graphs();
    MUST(ferry_context_set_profiler(t.context, look_at_layer, &layers, err));
    run(&t);
    assert_int_equal(layers, t.engine->plan->n_steps);
    assert_int_equal(mock_graphs().launched, before.launched);
    MUST(ferry_context_set_profiler(t.context, NULL, NULL, err));
    run(&t);
    assert_true(mock_graphs().launched > before.launched);
    close_bench(&t);
}

static void failing_capture__falls_back_to_single_launches_and_says_so(void **state)
{
    (void)state;
    bench t;
    test_log log;
    test_log_init(&log);
    const mock_graph_counts before = mock_graphs();
    open_bench(&t, "mock:nograph", &log);
    run(&t);
    assert_int_equal(mock_graphs().launched, before.launched);
    assert_non_null(strstr(log.text, "are launched one by one: the mock graph came to nothing"));
    close_bench(&t);
}

static void *run_often(void *user)
{
    bench *t = user;
    for (int i = 0; i < 20; i++) run(t);
    return NULL;
}

static void graphs__of_several_contexts_run_at_once(void **state)
{
    (void)state;
    enum { LANES = 3 };
    bench lanes[LANES];
    pthread_t threads[LANES];
    open_bench(&lanes[0], "mock:graphs+smash", NULL);
    for (int i = 1; i < LANES; i++) {
        lanes[i] = lanes[0];
        MUST(ferry_context_create(lanes[0].engine, NULL, &lanes[i].context, err));
        MUST(ferry_stream_create(lanes[0].runtime, NULL, &lanes[i].stream, err));
        test_io_open(&lanes[i].io, lanes[i].context, (uint64_t)i + 7);
    }
    for (int i = 0; i < LANES; i++) assert_int_equal(pthread_create(&threads[i], NULL, run_often, &lanes[i]), 0);
    for (int i = 0; i < LANES; i++) pthread_join(threads[i], NULL);
    for (int i = 1; i < LANES; i++) {
        test_io_close(&lanes[i].io);
        ferry_stream_release(lanes[i].stream);
        ferry_context_release(lanes[i].context);
    }
    close_bench(&lanes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs__run_all_steps_between_those_of_the_host),
        cmocka_unit_test(graphs__take_new_addresses_without_another_capture),
        cmocka_unit_test(graphs__are_left_alone_while_addresses_stay),
        cmocka_unit_test(events__are_timed_by_the_device),
        cmocka_unit_test(graphs__give_way_to_a_profiler),
        cmocka_unit_test(failing_capture__falls_back_to_single_launches_and_says_so),
        cmocka_unit_test(graphs__of_several_contexts_run_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
