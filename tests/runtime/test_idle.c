// SPDX-License-Identifier: Apache-2.0
// What costs threads: contexts none, streams the ones they were asked for, and all of those asleep between runs.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/engine_case.h"

// Threads of this process; *out_awake counts those that run or want to, but for this one. -1 without /proc.
static int count_threads(int *out_awake)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;
    *out_awake = 0;
    if (!tasks) return -1;
    for (const struct dirent *d; (d = readdir(tasks)) != NULL;) {
        char path[320], line[512] = "";
        if (d->d_name[0] == '.') continue;
        n++;
        if (atoi(d->d_name) == (int)getpid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", d->d_name);
        FILE *f = fopen(path, "r");
        if (f && fgets(line, sizeof line, f)) {
            const char *name_end = strrchr(line, ')');
            *out_awake += name_end && name_end[2] == 'R';
        }
        if (f) fclose(f);
    }
    closedir(tasks);
    return n;
}

static const struct timespec a_while = {.tv_nsec = 10000000};

// A thread that was joined may still be listed for a moment, under emulation above all.
static int settled_threads(void)
{
    int awake = 0, n = count_threads(&awake), unchanged = 0;
    for (int i = 0; i < 500 && unchanged < 20; i++) {
        nanosleep(&a_while, NULL);
        const int now = count_threads(&awake);
        unchanged = now == n ? unchanged + 1 : 0;
        n = now;
    }
    return n;
}

static void expect_threads(int expected)
{
    int awake = 0;
    for (int i = 0; i < 500 && count_threads(&awake) != expected; i++) nanosleep(&a_while, NULL);
    assert_int_equal(count_threads(&awake), expected);
}

// A thread that spins is never seen asleep; one that is about to sleep soon is.
static void expect_all_asleep(void)
{
    int awake = 1, in_a_row = 0;
    for (int i = 0; i < 500 && in_a_row < 5; i++) {
        nanosleep(&a_while, NULL);
        count_threads(&awake);
        in_a_row = awake ? 0 : in_a_row + 1;
    }
    assert_int_equal(in_a_row, 5);
}

static void contexts__have_no_threads_and_streams_rest_between_runs(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    const ferry_build_options options = {.size = sizeof options, .threads = 1, .no_timing = true};
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    ferry_context *contexts[4];
    int awake = 0;
    // Sanitizers start a thread of their own with the first one.
    ferry_stream *first = NULL;
    MUST(ferry_stream_create(runtime, NULL, &first, err));
    ferry_stream_release(first);
    const int before = settled_threads();
    if (before < 0) skip();
    for (int i = 0; i < 4; i++) {
        MUST(ferry_context_create(engine, NULL, &contexts[i], err));
        MUST(ferry_context_prepare(contexts[i], err));
    }
    expect_threads(before);

    const ferry_stream_options three = {.size = sizeof three, .threads = 3};
    ferry_stream *stream = NULL;
    MUST(ferry_stream_create(runtime, &three, &stream, err));
    test_io io;
    test_io_open(&io, contexts[0], 1);
    for (int i = 0; i < 3; i++) {
        MUST(test_io_run(&io, stream, err));
        assert_true(count_threads(&awake) <= before + 3);
        expect_all_asleep();
    }
    test_io_close(&io);
    ferry_stream_release(stream);
    expect_threads(before);
    for (int i = 0; i < 4; i++) ferry_context_release(contexts[i]);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts__have_no_threads_and_streams_rest_between_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
