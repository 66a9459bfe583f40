// SPDX-License-Identifier: Apache-2.0
// Streams and events: what is queued returns at once, runs in order, and is over when it says so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/mock_device.h"

// A call on a stream that holds it until the test lets go.
typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open, reached;
} gate;

#define GATE                                                                                                           \
    {                                                                                                                  \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                                        \
    }

static void stand_at(void *user)
{
    gate *g = user;
    pthread_mutex_lock(&g->mutex);
    g->reached = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open) pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

static void wait_reached(gate *g)
{
    pthread_mutex_lock(&g->mutex);
    while (!g->reached) pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

static void open_gate(gate *g)
{
    pthread_mutex_lock(&g->mutex);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

static void count_up(void *user)
{
    atomic_fetch_add((atomic_int *)user, 1);
}

static void sleep_ms(int ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&t, NULL);
}

static ferry_stream *open_stream(ferry_runtime *runtime)
{
    ferry_stream *stream = NULL;
    const ferry_stream_options options = {.size = sizeof options, .threads = 1};
    MUST(ferry_stream_create(runtime, &options, &stream, err));
    return stream;
}

static ferry_event *open_event(ferry_runtime *runtime)
{
    ferry_event *event = NULL;
    MUST(ferry_event_create(runtime, &event, err));
    return event;
}

static void bind_all(ferry_context *context, test_io *io)
{
    for (int32_t i = 0; i < io->n; i++) MUST(ferry_context_bind(context, i, io->data[i], err));
}

// --- Streams -------------------------------------------------------------------------------------------------------

static void enqueue__returns_before_the_run(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    ferry_context *context = NULL;
    MUST(ferry_context_create(engine, NULL, &context, err));
    ferry_stream *stream = open_stream(runtime);
    test_io io;
    gate g = GATE;
    test_io_open(&io, context, 1);
    bind_all(context, &io);
    MUST(ferry_stream_call(stream, stand_at, &g, err));
    MUST(ferry_context_enqueue(context, stream, err));
    wait_reached(&g);
    ferry_error why;
    assert_int_equal(ferry_stream_query(stream, &why), FERRY_ERR_NOT_READY);
    assert_int_equal(((unsigned char *)io.data[io.n_in])[0], 0x77); // untouched: the run has not begun
    open_gate(&g);
    MUST(ferry_stream_wait(stream, err));
    MUST(ferry_stream_query(stream, err));
    test_io_expect(&io, &b.graph, 1e-5);
    test_io_close(&io);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// New addresses may be bound while earlier runs wait: each run keeps those it was queued with.
static void enqueue__keeps_the_addresses_of_each_run(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    ferry_context *context = NULL;
    MUST(ferry_context_create(engine, NULL, &context, err));
    ferry_stream *stream = open_stream(runtime);
    enum { RUNS = 12 };
    test_io io[RUNS];
    gate g = GATE;
    MUST(ferry_context_prepare(context, err));
    MUST(ferry_stream_call(stream, stand_at, &g, err));
    for (int i = 0; i < RUNS; i++) {
        test_io_open(&io[i], context, (uint64_t)i);
        bind_all(context, &io[i]);
        MUST(ferry_context_enqueue(context, stream, err));
    }
    open_gate(&g);
    MUST(ferry_stream_wait(stream, err));
    for (int i = 0; i < RUNS; i++) {
        test_io_expect(&io[i], &b.graph, 1e-5);
        test_io_close(&io[i]);
    }
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void stream__takes_more_than_its_ring_in_order(void **state)
{
    (void)state;
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_stream *stream = open_stream(runtime);
    atomic_int count = 0;
    for (int i = 0; i < 1000; i++) MUST(ferry_stream_call(stream, count_up, &count, err));
    MUST(ferry_stream_wait(stream, err));
    assert_int_equal(atomic_load(&count), 1000);
    // Released with work queued: it is done first.
    for (int i = 0; i < 50; i++) MUST(ferry_stream_call(stream, count_up, &count, err));
    ferry_stream_release(stream);
    assert_int_equal(atomic_load(&count), 1050);
    ferry_runtime_release(runtime);
}

static void stream__refuses_what_makes_no_sense(void **state)
{
    (void)state;
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL), *other = test_runtime(NULL, "cpu", false, NULL);
    ferry_stream *stream = open_stream(runtime);
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_engine *engine = test_engine(other, &b.graph, NULL);
    ferry_context *context = NULL;
    ferry_error why = {.text = ""};
    MUST(ferry_context_create(engine, NULL, &context, err));
    assert_int_equal(ferry_context_enqueue(context, stream, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "another runtime"));
    assert_int_equal(ferry_stream_call(stream, NULL, NULL, &why), FERRY_ERR_INVALID_ARGUMENT);
    char bytes[4];
    assert_int_equal(ferry_stream_copy(stream, (ferry_copy)3, bytes, bytes, 4, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_stream_copy(stream, FERRY_COPY_ON_DEVICE, NULL, bytes, 4, &why), FERRY_ERR_INVALID_ARGUMENT);
    const ferry_stream_options negative = {.size = sizeof negative, .threads = -1};
    ferry_stream *none = NULL;
    assert_int_equal(ferry_stream_create(runtime, &negative, &none, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_null(none);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_stream_release(stream);
    ferry_runtime_release(other);
    ferry_runtime_release(runtime);
    build_end(&b);
}

typedef struct insider {
    ferry_context *context;
    ferry_stream *stream;
    test_io *io;
    ferry_status waited, ran;
    ferry_error why;
} insider;

static void wait_inside(void *user)
{
    insider *i = user;
    i->waited = ferry_stream_wait(i->stream, NULL);
    i->ran =
        ferry_context_run(i->context, i->stream, (const void *const *)i->io->data, &i->io->data[i->io->n_in], &i->why);
}

static void stream__is_not_waited_for_on_its_own_thread(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    ferry_context *context = NULL;
    MUST(ferry_context_create(engine, NULL, &context, err));
    ferry_stream *stream = open_stream(runtime);
    test_io io;
    test_io_open(&io, context, 1);
    insider inside = {.context = context, .stream = stream, .io = &io};
    MUST(ferry_stream_call(stream, wait_inside, &inside, err));
    MUST(ferry_stream_wait(stream, err));
    assert_int_equal(inside.waited, FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(inside.ran, FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(inside.why.text, "the stream's own thread would wait for itself");
    assert_int_equal(((unsigned char *)io.data[io.n_in])[0], 0x77); // nothing was queued
    test_io_close(&io);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void note_late(void *user)
{
    const struct timespec a_while = {.tv_nsec = 20000000};
    nanosleep(&a_while, NULL);
    atomic_store((atomic_int *)user, 1);
}

// The thread that waits may run the network itself, but not before its turn.
static void run__comes_after_what_was_queued_before(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    ferry_context *context = NULL;
    MUST(ferry_context_create(engine, NULL, &context, err));
    ferry_stream *stream = open_stream(runtime);
    test_io io;
    test_io_open(&io, context, 1);
    for (int i = 0; i < 3; i++) {
        atomic_int noted = 0;
        MUST(ferry_stream_call(stream, note_late, &noted, err));
        MUST(test_io_run(&io, stream, err));
        assert_int_equal(atomic_load(&noted), 1);
        test_io_expect(&io, &b.graph, 1e-5);
    }
    test_io_close(&io);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void copies__reach_a_device_and_come_back(void **state)
{
    (void)state;
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", false, NULL);
    ferry_stream *stream = open_stream(runtime);
    enum { BYTES = 5000 };
    unsigned char *out = ferry_pinned_alloc(runtime, BYTES), *back = ferry_pinned_alloc(runtime, BYTES);
    void *one = ferry_memory_alloc(runtime, BYTES), *two = ferry_memory_alloc(runtime, BYTES);
    assert_true(out && back && one && two);
    for (int i = 0; i < BYTES; i++) out[i] = (unsigned char)(i * 7);
    MUST(ferry_stream_copy(stream, FERRY_COPY_TO_DEVICE, one, out, BYTES, err));
    MUST(ferry_stream_copy(stream, FERRY_COPY_ON_DEVICE, two, one, BYTES, err));
    MUST(ferry_stream_copy(stream, FERRY_COPY_FROM_DEVICE, back, two, BYTES, err));
    MUST(ferry_stream_wait(stream, err));
    assert_memory_equal(back, out, BYTES);
    ferry_memory_free(runtime, one, BYTES);
    ferry_memory_free(runtime, two, BYTES);
    ferry_pinned_free(runtime, out, BYTES);
    ferry_pinned_free(runtime, back, BYTES);
    ferry_stream_release(stream);
    ferry_runtime_release(runtime);
}

// --- Events --------------------------------------------------------------------------------------------------------

static void event__orders_two_streams(void **state)
{
    (void)state;
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_stream *first = open_stream(runtime), *second = open_stream(runtime);
    ferry_event *event = open_event(runtime);
    ferry_error why;
    atomic_int count = 0;
    gate g = GATE;
    MUST(ferry_event_query(event, err)); // never recorded: complete
    MUST(ferry_stream_wait_event(second, event, err));
    MUST(ferry_stream_wait(second, err));
    MUST(ferry_stream_call(first, stand_at, &g, err));
    MUST(ferry_event_record(event, first, err));
    MUST(ferry_stream_wait_event(second, event, err));
    MUST(ferry_stream_call(second, count_up, &count, err));
    wait_reached(&g);
    sleep_ms(20);
    assert_int_equal(atomic_load(&count), 0);
    assert_int_equal(ferry_event_query(event, &why), FERRY_ERR_NOT_READY);
    open_gate(&g);
    MUST(ferry_stream_wait(second, err));
    assert_int_equal(atomic_load(&count), 1);
    MUST(ferry_event_query(event, err));
    MUST(ferry_event_wait(event, err));
    ferry_event_release(event);
    ferry_stream_release(first);
    ferry_stream_release(second);
    ferry_runtime_release(runtime);
}

static void wait_a_little(void *user)
{
    (void)user;
    sleep_ms(30);
}

static void event__measures_time_between_two(void **state)
{
    (void)state;
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_stream *stream = open_stream(runtime);
    ferry_event *begin = open_event(runtime), *end = open_event(runtime);
    double ms = -1;
    ferry_error why = {.text = ""};
    assert_int_equal(ferry_event_elapsed(begin, end, &ms, &why), FERRY_ERR_NOT_READY);
    assert_non_null(strstr(why.text, "begin"));
    MUST(ferry_event_record(begin, stream, err));
    MUST(ferry_stream_call(stream, wait_a_little, NULL, err));
    MUST(ferry_event_wait(begin, err));
    assert_int_equal(ferry_event_elapsed(begin, end, &ms, &why), FERRY_ERR_NOT_READY);
    assert_non_null(strstr(why.text, "end"));
    MUST(ferry_event_record(end, stream, err));
    MUST(ferry_event_wait(end, err));
    MUST(ferry_event_elapsed(begin, end, &ms, err));
    assert_true(ms >= 29 && ms < 10000);
    // Recording again starts the event anew.
    gate g = GATE;
    MUST(ferry_stream_call(stream, stand_at, &g, err));
    MUST(ferry_event_record(begin, stream, err));
    assert_int_equal(ferry_event_query(begin, &why), FERRY_ERR_NOT_READY);
    open_gate(&g);
    MUST(ferry_event_wait(begin, err));
    ferry_event_release(begin);
    ferry_event_release(end);
    ferry_stream_release(stream);
    ferry_runtime_release(runtime);
}

// An event may be released while a stream still has to reach it.
static void event__outlives_its_release(void **state)
{
    (void)state;
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_stream *first = open_stream(runtime), *second = open_stream(runtime);
    ferry_event *event = open_event(runtime);
    gate g = GATE;
    MUST(ferry_stream_call(first, stand_at, &g, err));
    MUST(ferry_event_record(event, first, err));
    MUST(ferry_stream_wait_event(second, event, err));
    ferry_event_release(event);
    open_gate(&g);
    ferry_stream_release(first);
    ferry_stream_release(second);
    ferry_runtime_release(runtime);
}

// After a failure later runs are skipped until someone has waited for it; events still complete.
static void failure__is_told_once_and_leaves_the_stream_usable(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock:broken", true, NULL);
    const ferry_build_options options = {.size = sizeof options, .threads = 1, .no_fusion = true};
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    ferry_context *context = NULL;
    MUST(ferry_context_create(engine, NULL, &context, err));
    ferry_stream *stream = open_stream(runtime);
    ferry_event *event = open_event(runtime);
    atomic_int count = 0;
    void *memory[4];
    size_t bytes[4];
    for (int32_t i = 0; i < ferry_engine_binding_count(engine); i++) {
        MUST(ferry_context_binding_bytes(context, i, &bytes[i], err));
        memory[i] = ferry_memory_alloc(runtime, bytes[i]);
        MUST(ferry_context_bind(context, i, memory[i], err));
    }
    MUST(ferry_context_enqueue(context, stream, err));
    MUST(ferry_context_enqueue(context, stream, err));
    MUST(ferry_event_record(event, stream, err));
    MUST(ferry_stream_call(stream, count_up, &count, err));
    MUST(ferry_event_wait(event, err));
    ferry_error why = {.text = ""};
    assert_int_equal(ferry_stream_wait(stream, &why), FERRY_ERR_INTERNAL);
    assert_string_equal(why.text, "the mock device is broken");
    assert_int_equal(atomic_load(&count), 1);
    MUST(ferry_stream_wait(stream, err));
    for (int32_t i = 0; i < ferry_engine_binding_count(engine); i++) ferry_memory_free(runtime, memory[i], bytes[i]);
    ferry_event_release(event);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enqueue__returns_before_the_run),
        cmocka_unit_test(enqueue__keeps_the_addresses_of_each_run),
        cmocka_unit_test(stream__takes_more_than_its_ring_in_order),
        cmocka_unit_test(stream__refuses_what_makes_no_sense),
        cmocka_unit_test(stream__is_not_waited_for_on_its_own_thread),
        cmocka_unit_test(run__comes_after_what_was_queued_before),
        cmocka_unit_test(copies__reach_a_device_and_come_back),
        cmocka_unit_test(event__orders_two_streams),
        cmocka_unit_test(event__measures_time_between_two),
        cmocka_unit_test(event__outlives_its_release),
        cmocka_unit_test(failure__is_told_once_and_leaves_the_stream_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
