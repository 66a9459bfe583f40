// SPDX-License-Identifier: Apache-2.0
// fork() with streams at work: the child can use engines, is refused what belongs to threads that it lacks, and never
// hangs; the parent notices nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/mock_device.h"

typedef struct parent {
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
    ferry_event *event;
    const ferry_graph *graph;
    test_io io;
} parent;

// Runs `child` after fork() and expects it to end well within half a minute. In the child a failed assertion would
// return into cmocka, so it answers with the line that was wrong.
static void in_child(int (*child)(parent *p), parent *p)
{
    const pid_t id = fork();
    assert_int_not_equal(id, -1);
    if (id == 0) {
        alarm(30);
        _exit(child(p) == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(id, &status, 0), id);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("the child ended with status 0x%x", status);
}

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            print_error("in the child: line %d: %s\n", __LINE__, #condition);                                          \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

static void wait_for_byte(void *user)
{
    char byte;
    const ssize_t n = read(((int *)user)[0], &byte, 1);
    (void)n;
}

static int refused(ferry_status status, const ferry_error *why)
{
    return status == FERRY_ERR_INVALID_ARGUMENT && strstr(why->text, "before fork()") != NULL;
}

// --- What belongs to the parent ------------------------------------------------------------------------------------

static int use_parents_objects(parent *p)
{
    ferry_error why = {""};
    char byte = 0;
    double ms;
    const int64_t dims[] = {1, 3, 12, 10};
    EXPECT(refused(ferry_stream_wait(p->stream, &why), &why));
    EXPECT(refused(ferry_stream_query(p->stream, &why), &why));
    EXPECT(refused(ferry_stream_copy(p->stream, FERRY_COPY_ON_DEVICE, &byte, &why, 1, &why), &why));
    EXPECT(refused(ferry_stream_call(p->stream, wait_for_byte, NULL, &why), &why));
    EXPECT(refused(ferry_context_enqueue(p->context, p->stream, &why), &why));
    EXPECT(refused(test_io_run(&p->io, p->stream, &why), &why));
    EXPECT(refused(ferry_context_bind(p->context, 0, &byte, &why), &why));
    EXPECT(refused(ferry_context_set_input_shape(p->context, "x", 4, dims, &why), &why));
    EXPECT(refused(ferry_context_set_profiler(p->context, NULL, NULL, &why), &why));
    EXPECT(refused(ferry_context_set_observer(p->context, NULL, NULL, &why), &why));
    EXPECT(refused(ferry_event_record(p->event, p->stream, &why), &why));
    EXPECT(refused(ferry_stream_wait_event(p->stream, p->event, &why), &why));
    EXPECT(refused(ferry_event_wait(p->event, &why), &why));
    EXPECT(refused(ferry_event_query(p->event, &why), &why));
    EXPECT(refused(ferry_event_elapsed(p->event, p->event, &ms, &why), &why));
    ferry_context_release(p->context);
    ferry_event_release(p->event);
    ferry_stream_release(p->stream);
    ferry_engine_release(p->engine);
    ferry_runtime_release(p->runtime);
    return 0;
}

// --- What works ----------------------------------------------------------------------------------------------------

static int run_anew(parent *p, ferry_engine *engine)
{
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    ferry_event *event = NULL;
    test_io io;
    const ferry_stream_options options = {.size = sizeof options, .threads = 2};
    EXPECT(ferry_context_create(engine, NULL, &context, NULL) == FERRY_OK);
    EXPECT(ferry_stream_create(p->runtime, &options, &stream, NULL) == FERRY_OK);
    EXPECT(ferry_event_create(p->runtime, &event, NULL) == FERRY_OK);
    test_io_open(&io, context, 5);
    EXPECT(test_io_run(&io, stream, NULL) == FERRY_OK);
    EXPECT(ferry_event_record(event, stream, NULL) == FERRY_OK);
    EXPECT(ferry_event_wait(event, NULL) == FERRY_OK);
    for (int32_t i = io.n_in; i < io.n; i++) EXPECT(memcmp(io.data[i], p->io.data[i], io.bytes[i]) == 0);
    test_io_close(&io);
    ferry_event_release(event);
    ferry_stream_release(stream);
    ferry_context_release(context);
    return 0;
}

static int use_the_engine(parent *p)
{
    return run_anew(p, p->engine);
}

static int build_and_load(parent *p)
{
    ferry_engine *built = NULL, *loaded = NULL;
    void *data = NULL;
    size_t bytes = 0;
    EXPECT(test_build(p->runtime, p->graph, NULL, &built, NULL) == FERRY_OK);
    EXPECT(ferry_engine_serialize(built, &data, &bytes, NULL) == FERRY_OK);
    EXPECT(ferry_engine_load_memory(p->runtime, data, bytes, NULL, &loaded, NULL) == FERRY_OK);
    ferry_bytes_free(data, bytes);
    EXPECT(run_anew(p, loaded) == 0);
    ferry_engine_release(loaded);
    ferry_engine_release(built);
    return 0;
}

static int fork_again(parent *p)
{
    if (use_the_engine(p) != 0) return 1;
    const pid_t id = fork();
    if (id == 0) _exit(use_the_engine(p));
    int status = 1;
    return waitpid(id, &status, 0) == id && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// The stream has runs queued behind a call that waits, while the process forks.
static void children__use_engines_and_are_refused_the_rest(void **state)
{
    (void)state;
    graph_builder b;
    parent p = {0};
    int ends[2];
    const ferry_stream_options options = {.size = sizeof options, .threads = 2};
    build_conv_net(&b, "1");
    p.graph = &b.graph;
    p.runtime = test_runtime(NULL, "cpu", false, NULL);
    p.engine = test_engine(p.runtime, &b.graph, NULL);
    MUST(ferry_context_create(p.engine, NULL, &p.context, err));
    MUST(ferry_stream_create(p.runtime, &options, &p.stream, err));
    MUST(ferry_event_create(p.runtime, &p.event, err));
    test_io_open(&p.io, p.context, 5);
    MUST(test_io_run(&p.io, p.stream, err));
    assert_int_equal(pipe(ends), 0);
    MUST(ferry_stream_call(p.stream, wait_for_byte, ends, err));
    MUST(ferry_context_enqueue(p.context, p.stream, err));
    MUST(ferry_event_record(p.event, p.stream, err));
    in_child(use_parents_objects, &p);
    in_child(use_the_engine, &p);
    in_child(build_and_load, &p);
    in_child(fork_again, &p);
    assert_int_equal(ferry_stream_query(p.stream, NULL), FERRY_ERR_NOT_READY);
    assert_int_equal(write(ends[1], "x", 1), 1);
    MUST(ferry_stream_wait(p.stream, err));
    MUST(ferry_event_wait(p.event, err));
    test_io_expect(&p.io, &b.graph, 1e-5);
    test_io_close(&p.io);
    ferry_event_release(p.event);
    ferry_stream_release(p.stream);
    ferry_context_release(p.context);
    ferry_engine_release(p.engine);
    ferry_runtime_release(p.runtime);
    close(ends[0]);
    close(ends[1]);
    build_end(&b);
}

// --- Devices that don't come along ---------------------------------------------------------------------------------

static int use_other_device(parent *p)
{
    ferry_error why = {""};
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    ferry_event *event = NULL;
    ferry_engine *engine = NULL;
    EXPECT(refused(ferry_context_create(p->engine, NULL, &context, &why), &why));
    EXPECT(refused(ferry_stream_create(p->runtime, NULL, &stream, &why), &why));
    EXPECT(refused(ferry_event_create(p->runtime, &event, &why), &why));
    EXPECT(refused(test_build(p->runtime, p->graph, NULL, &engine, &why), &why));
    EXPECT(ferry_memory_alloc(p->runtime, 64) == NULL);
    EXPECT(ferry_pinned_alloc(p->runtime, 64) == NULL);
    ferry_context_release(p->context);
    ferry_stream_release(p->stream);
    ferry_engine_release(p->engine);
    ferry_runtime_release(p->runtime);
    return 0;
}

static void other_devices__stay_with_the_parent(void **state)
{
    (void)state;
    graph_builder b;
    parent p = {0};
    build_conv_net(&b, "1");
    p.graph = &b.graph;
    p.runtime = test_runtime(mock_and_cpu, "mock:steady", true, NULL);
    p.engine = test_engine(p.runtime, &b.graph, NULL);
    MUST(ferry_context_create(p.engine, NULL, &p.context, err));
    MUST(ferry_stream_create(p.runtime, NULL, &p.stream, err));
    test_io_open(&p.io, p.context, 5);
    MUST(test_io_run(&p.io, p.stream, err));
    in_child(use_other_device, &p);
    MUST(test_io_run(&p.io, p.stream, err));
    test_io_expect(&p.io, &b.graph, 1e-5);
    test_io_close(&p.io);
    ferry_stream_release(p.stream);
    ferry_context_release(p.context);
    ferry_engine_release(p.engine);
    ferry_runtime_release(p.runtime);
    build_end(&b);
}

// Why the test can't run here, or NULL.
static const char *why_not(void)
{
#if defined(__SANITIZE_THREAD__)
    return "ThreadSanitizer ends a child that makes threads";
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return "ThreadSanitizer ends a child that makes threads";
#endif
#endif
    const char *emulator = getenv("FERRY_EMULATOR");
    return emulator && emulator[0] ? "qemu does not emulate threads that a child makes" : NULL;
}

int main(void)
{
    if (why_not()) {
        printf("skipped: %s\n", why_not());
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children__use_engines_and_are_refused_the_rest),
        cmocka_unit_test(other_devices__stay_with_the_parent),
    };
    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
