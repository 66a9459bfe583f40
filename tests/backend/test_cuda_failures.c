// SPDX-License-Identifier: Apache-2.0
// What goes wrong with a GPU is told in words, and the process lives: no memory, no library, an old driver, a kernel
// that fails and takes all GPU work of its process with it. And what several contexts of one engine do at a time. On
// the emulated device, whose driver is opened once a process: so each case is a process of its own.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <pthread.h>

#include "backend/cuda/driver.h"
#include "support/engine_case.h"
#include "support/temp_folder.h"

enum { NOTHING_FAILED = 99 };

static ferry_temp_folder folder;
static const char *engine_path, *shapes_path;

#define EXPECT(condition)                                                                                              \
    if (!(condition)) {                                                                                                \
        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                        \
        _exit(1);                                                                                                      \
    }
#define EXPECT_OK(call)                                                                                                \
    {                                                                                                                  \
        ferry_error expect_error_ = {.text = ""}, *const err = &expect_error_;                                         \
        if ((call) != FERRY_OK) {                                                                                      \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, expect_error_.text);                         \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    }
#define EXPECT_TEXT(error, part)                                                                                       \
    if (!strstr((error).text, (part))) {                                                                               \
        fprintf(stderr, "%s:%d: no '%s' in: %s\n", __FILE__, __LINE__, (part), (error).text);                          \
        _exit(1);                                                                                                      \
    }

static int in_child(void (*what)(void), const char *variable, const char *value)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (variable) setenv(variable, value, 1);
        signal(SIGSEGV, SIG_DFL); // not the test framework's
        what();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// --- Engines, made by a process that nothing happens to -------------------------------------------------------------

static ferry_status open_runtime(bool fallback, ferry_runtime **out, ferry_error *err)
{
    const ferry_runtime_options options = {.size = sizeof options, .device = "cuda", .fallback = fallback};
    return ferry_runtime_create(&options, out, err);
}

static void make_engines(void)
{
    ferry_runtime *runtime = NULL;
    const ferry_profile_shape shape = {
        .input = "x", .rank = 4, .min_dims = {1, 3, 12, 10}, .opt_dims = {2, 3, 12, 10}, .max_dims = {4, 3, 12, 10}};
    const char *const paths[] = {engine_path, shapes_path};
    ferry_error why;
    if (open_runtime(false, &runtime, &why) != FERRY_OK) _exit(77);
    for (int i = 0; i < 2; i++) {
        graph_builder b;
        ferry_engine *engine = NULL;
        const ferry_build_options options = {
            .size = sizeof options, .shapes = &shape, .n_shapes = (size_t)i, .no_timing = true, .threads = 1};
        build_conv_net(&b, i ? "?" : "1");
        EXPECT_OK(test_build(runtime, &b.graph, &options, &engine, err));
        EXPECT_OK(ferry_engine_save(engine, paths[i], err));
        ferry_engine_release(engine);
        build_end(&b);
    }
    ferry_runtime_release(runtime);
}

static int set_up(void **state)
{
    (void)state;
    ferry_temp_folder_create(&folder);
    engine_path = strdup(ferry_temp_path(&folder, "net.engine"));
    shapes_path = strdup(ferry_temp_path(&folder, "shapes.engine"));
    return engine_path && shapes_path ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_temp_folder_remove(&folder);
    free((void *)(uintptr_t)engine_path);
    free((void *)(uintptr_t)shapes_path);
    return 0;
}

// --- All that a run takes -------------------------------------------------------------------------------------------

typedef struct session {
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
    test_io io;
} session;

static ferry_status open_session(session *s, bool fallback, ferry_error *err)
{
    *s = (session){0};
    FERRY_TRY(open_runtime(fallback, &s->runtime, err));
    FERRY_TRY(ferry_engine_load(s->runtime, engine_path, NULL, &s->engine, err));
    FERRY_TRY(ferry_context_create(s->engine, NULL, &s->context, err));
    FERRY_TRY(ferry_stream_create(s->runtime, NULL, &s->stream, err));
    FERRY_TRY(ferry_context_prepare(s->context, err));
    test_io_open(&s->io, s->context, 3);
    return test_io_run(&s->io, s->stream, err);
}

static void close_session(session *s)
{
    if (s->io.n) test_io_close(&s->io);
    ferry_context_release(s->context);
    ferry_stream_release(s->stream);
    ferry_engine_release(s->engine);
    ferry_runtime_release(s->runtime);
}

static void run_well(bool fallback)
{
    session s;
    graph_builder b;
    build_conv_net(&b, "1");
    EXPECT_OK(open_session(&s, fallback, err));
    test_io_expect(&s.io, &b.graph, 1e-4);
    close_session(&s);
    build_end(&b);
}

// --- Memory ---------------------------------------------------------------------------------------------------------

static void fail_an_allocation(void)
{
    session s;
    ferry_error why = {.text = ""};
    const ferry_status status = open_session(&s, false, &why);
    if (status == FERRY_OK) _exit(NOTHING_FAILED);
    EXPECT(status == FERRY_ERR_OUT_OF_MEMORY);
    if (!strstr(why.text, "bytes")) EXPECT_TEXT(why, "out of memory");
    close_session(&s);
    run_well(false);
}

static void have_little_memory(void)
{
    session s;
    ferry_error why = {.text = ""};
    EXPECT(open_session(&s, false, &why) == FERRY_ERR_OUT_OF_MEMORY);
    EXPECT_TEXT(why, "the GPU has no");
    close_session(&s);
}

static void memory__that_is_not_there_is_an_error_and_no_end(void **state)
{
    (void)state;
    int n = 1, code = 0;
    for (; n < 100; n++) {
        char what[16];
        snprintf(what, sizeof what, "alloc:%d", n);
        code = in_child(fail_an_allocation, "FERRY_EMULATED_FAIL", what);
        if (code) break;
    }
    assert_int_equal(code, NOTHING_FAILED);
    assert_true(n > 4); // weights of several layers, and activations
    assert_int_equal(in_child(have_little_memory, "FERRY_EMULATED_MEMORY", "4"), 0);
}

// --- Libraries ------------------------------------------------------------------------------------------------------

static void find_no_driver(void)
{
    ferry_runtime *runtime = NULL;
    ferry_error why = {.text = ""};
    EXPECT(open_runtime(false, &runtime, &why) == FERRY_ERR_UNAVAILABLE);
    EXPECT_TEXT(why, "/nowhere/libcuda.so.1");
    EXPECT_TEXT(why, "--gpu-fallback");
    run_well(true);
}

static void find_an_old_driver(void)
{
    ferry_runtime *runtime = NULL;
    ferry_error why = {.text = ""};
    EXPECT(open_runtime(false, &runtime, &why) == FERRY_ERR_UNAVAILABLE);
    EXPECT_TEXT(why, "serves CUDA 9.2; 10.2 or newer is needed");
}

static void find_no_compiler(void)
{
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    graph_builder b;
    ferry_error why = {.text = ""};
    build_conv_net(&b, "1");
    EXPECT_OK(open_runtime(false, &runtime, err));
    EXPECT(test_build(runtime, &b.graph, NULL, &engine, &why) == FERRY_ERR_UNAVAILABLE);
    EXPECT_TEXT(why, "NVRTC");
    build_end(&b);
    ferry_runtime_release(runtime);
    run_well(false); // what was built before needs no compiler
}

static void libraries__that_are_missing_or_old_are_named(void **state)
{
    (void)state;
    assert_int_equal(in_child(find_no_driver, "FERRY_LIBCUDA", "/nowhere/libcuda.so.1"), 0);
    assert_int_equal(in_child(find_an_old_driver, "FERRY_EMULATED_FAIL", "olddriver"), 0);
    assert_int_equal(in_child(find_no_compiler, "FERRY_LIBNVRTC", "/nowhere"), 0);
}

// --- A kernel that fails --------------------------------------------------------------------------------------------

static const char broken[] = "the GPU serves this process no more since";

static void lose_the_gpu(void)
{
    session s, again;
    ferry_error why = {.text = ""};
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    ferry_runtime *runtime = NULL;
    EXPECT(open_session(&s, false, &why) == FERRY_ERR_DEVICE);
    EXPECT_TEXT(why, broken);
    EXPECT_TEXT(why, "CUDA_ERROR_LAUNCH_FAILED");
    // Whatever comes later says what happened, not what it led to.
    for (int i = 0; i < 3; i++) {
        EXPECT(test_io_run(&s.io, s.stream, &why) == FERRY_ERR_DEVICE);
        EXPECT_TEXT(why, broken);
    }
    EXPECT(ferry_stream_create(s.runtime, NULL, &stream, &why) == FERRY_ERR_DEVICE);
    EXPECT_TEXT(why, broken);
    EXPECT_OK(ferry_context_create(s.engine, NULL, &context, err));
    EXPECT(ferry_context_prepare(context, &why) == FERRY_ERR_DEVICE);
    EXPECT_TEXT(why, broken);
    ferry_context_release(context);
    EXPECT(ferry_memory_alloc(s.runtime, 64) == NULL);
    EXPECT(open_runtime(false, &runtime, &why) == FERRY_ERR_UNAVAILABLE);
    EXPECT_TEXT(why, broken);
    close_session(&s);
    EXPECT(open_session(&again, false, &why) == FERRY_ERR_UNAVAILABLE);
    EXPECT_TEXT(why, "start the process anew");
    close_session(&again);
    run_well(true); // on the CPU
}

static void kernel__that_fails_ends_gpu_work_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(in_child(lose_the_gpu, "FERRY_EMULATED_FAIL", "launch:1"), 0);
    assert_int_equal(in_child(lose_the_gpu, "FERRY_EMULATED_FAIL", "launch:3"), 0);
}

// --- Several contexts, several shapes -------------------------------------------------------------------------------

typedef struct lane {
    ferry_engine *engine;
    pthread_t thread;
    uint64_t seed;
} lane;

static void *run_lane(void *user)
{
    const lane *l = user;
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    graph_builder b;
    build_conv_net(&b, "1");
    EXPECT_OK(ferry_context_create(l->engine, NULL, &context, err));
    EXPECT_OK(ferry_stream_create(l->engine->runtime, NULL, &stream, err));
    for (uint64_t i = 0; i < 4; i++) {
        test_io io; // new addresses each time
        test_io_open(&io, context, l->seed + i);
        EXPECT_OK(test_io_run(&io, stream, err));
        test_io_expect(&io, &b.graph, 1e-4);
        test_io_close(&io);
    }
    ferry_context_release(context);
    ferry_stream_release(stream);
    build_end(&b);
    return NULL;
}

static void run_lanes(void)
{
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    lane lanes[4];
    EXPECT_OK(open_runtime(false, &runtime, err));
    EXPECT_OK(ferry_engine_load(runtime, engine_path, NULL, &engine, err));
    for (int i = 0; i < 4; i++) {
        lanes[i] = (lane){.engine = engine, .seed = 10 * (uint64_t)i};
        EXPECT(pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]) == 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(lanes[i].thread, NULL);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
}

static size_t free_bytes(void)
{
    const ferry_cu_driver *driver = NULL;
    ferry_cu_context context = NULL;
    size_t left = 0, total = 0;
    EXPECT_OK(ferry_cu_driver_get(&driver, err));
    EXPECT(driver->cuDevicePrimaryCtxRetain(&context, 0) == 0 && driver->cuCtxPushCurrent_v2(context) == 0);
    EXPECT(driver->cuMemGetInfo_v2(&left, &total) == 0);
    EXPECT(driver->cuCtxPopCurrent_v2(&context) == 0);
    (void)driver->cuDevicePrimaryCtxRelease(0);
    return left;
}

static int modules_loaded;
static ferry_cu_result (*load_module)(ferry_cu_module *, const void *);

static ferry_cu_result count_module(ferry_cu_module *out, const void *image)
{
    modules_loaded++;
    return load_module(out, image);
}

static void count_modules(void)
{
    const ferry_cu_driver *driver = NULL;
    EXPECT_OK(ferry_cu_driver_get(&driver, err));
    load_module = driver->cuModuleLoadData;
    ((ferry_cu_driver *)(uintptr_t)driver)->cuModuleLoadData = count_module;
}

static void change_shapes(void)
{
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    graph_builder b;
    size_t least = SIZE_MAX;
    build_conv_net(&b, "?");
    EXPECT_OK(open_runtime(false, &runtime, err));
    EXPECT_OK(ferry_engine_load(runtime, shapes_path, NULL, &engine, err));
    EXPECT_OK(ferry_context_create(engine, NULL, &context, err));
    EXPECT_OK(ferry_stream_create(runtime, NULL, &stream, err));
    for (int i = 0; i < 24; i++) {
        const int64_t dims[] = {1 + i % 4, 3, 12, 10};
        test_io io;
        EXPECT_OK(ferry_context_set_input_shape(context, "x", 4, dims, err));
        test_io_open(&io, context, (uint64_t)i);
        EXPECT_OK(test_io_run(&io, stream, err));
        test_io_expect(&io, &b.graph, 1e-4);
        test_io_close(&io);
        const size_t now = free_bytes();
        if (i < 8) least = now < least ? now : least;
        EXPECT(now >= least); // what a shape needs is not kept for ever
        if (i == 0) count_modules();
        EXPECT(modules_loaded == 0); // kernels and weights stay on the device
    }
    ferry_context_release(context);
    ferry_stream_release(stream);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void contexts__run_in_several_threads_at_once(void **state)
{
    (void)state;
    assert_int_equal(in_child(run_lanes, NULL, NULL), 0);
}

static void contexts__change_shapes_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(in_child(change_shapes, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory__that_is_not_there_is_an_error_and_no_end),
        cmocka_unit_test(libraries__that_are_missing_or_old_are_named),
        cmocka_unit_test(kernel__that_fails_ends_gpu_work_and_no_more),
        cmocka_unit_test(contexts__run_in_several_threads_at_once),
        cmocka_unit_test(contexts__change_shapes_within_bounds),
    };
    if (set_up(NULL) != 0) return 1;
    const char *library = getenv("FERRY_LIBCUDA");
    const int made = library && strstr(library, "cuda_emulator") ? in_child(make_engines, NULL, NULL) : 77;
    if (made == 77) printf("skipped: no emulated CUDA device (FERRY_LIBCUDA, FERRY_LIBNVRTC)\n");
    const int failed = made ? made : cmocka_run_group_tests(tests, NULL, NULL);
    tear_down(NULL);
    return failed;
}
