// SPDX-License-Identifier: Apache-2.0
// Inferences on several lanes at once: a thread a lane keeps its stream busy, as the threads of a program would.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

bool cli_bench_add_time(cli_bench_times *t, double ms)
{
    if (t->count == t->capacity) {
        const size_t capacity = t->capacity ? t->capacity * 2 : 4096;
        double *grown = realloc(t->ms, capacity * sizeof *t->ms);
        if (!grown) return false;
        t->ms = grown;
        t->capacity = capacity;
    }
    t->ms[t->count++] = ms;
    return true;
}

typedef struct driver {
    cli_bench_lane *lane;
    double seconds;
    size_t least;
    bool failed;
    ferry_error why;
    cli_bench_times latencies, enqueues;
    pthread_t thread;
    bool started;
} driver;

static bool run_once(driver *d)
{
    const double begin = cli_now_s();
    if (cli_bench_lane_enqueue(d->lane, &d->why) != FERRY_OK) return false;
    const double queued = cli_now_s();
    if (ferry_stream_wait(d->lane->stream, &d->why) != FERRY_OK) return false;
    if (cli_bench_add_time(&d->enqueues, (queued - begin) * 1e3) &&
        cli_bench_add_time(&d->latencies, (cli_now_s() - begin) * 1e3))
        return true;
    strcpy(d->why.text, "out of memory");
    return false;
}

static void *drive(void *user)
{
    driver *d = user;
    const double begin = cli_now_s();
    for (size_t done = 0; !d->failed && !cli_interrupted(); done++) {
        if (done >= d->least && cli_now_s() - begin >= d->seconds) break;
        d->failed = !run_once(d);
    }
    return NULL;
}

static void append(cli_bench_times *to, const cli_bench_times *from, bool *ok)
{
    for (size_t i = 0; to && i < from->count; i++) *ok = *ok && cli_bench_add_time(to, from->ms[i]);
}

static int collect(driver *drivers, int n, cli_bench_times *latencies, cli_bench_times *enqueues)
{
    int status = cli_interrupted() ? cli_fail("interrupted") : CLI_OK;
    bool room = true;
    for (int i = 0; i < n; i++) {
        driver *d = &drivers[i];
        if (d->failed && status == CLI_OK) status = cli_fail("%s", d->why.text);
        append(latencies, &d->latencies, &room);
        append(enqueues, &d->enqueues, &room);
        free(d->latencies.ms);
        free(d->enqueues.ms);
    }
    return status == CLI_OK && !room ? cli_fail("out of memory") : status;
}

int cli_bench_measure(cli_bench_lane *lanes, int n, double seconds, size_t least, cli_bench_times *latencies,
                      cli_bench_times *enqueues, double *out_s)
{
    driver *drivers = calloc((size_t)n, sizeof *drivers);
    if (!drivers) return cli_fail("out of memory");
    const double begin = cli_now_s();
    for (int i = 0; i < n; i++) {
        driver *d = &drivers[i];
        *d = (driver){.lane = &lanes[i], .seconds = seconds, .least = (least + (size_t)n - 1) / (size_t)n};
        // The last one is this thread's: one lane needs no other.
        if (i < n - 1) d->started = pthread_create(&d->thread, NULL, drive, d) == 0;
        if (i == n - 1 || !d->started) drive(d);
    }
    for (int i = 0; i < n; i++)
        if (drivers[i].started) pthread_join(drivers[i].thread, NULL);
    *out_s = cli_now_s() - begin;
    const int status = collect(drivers, n, latencies, enqueues);
    free(drivers);
    return status;
}
