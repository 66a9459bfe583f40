// SPDX-License-Identifier: Apache-2.0
// The measurement itself. A device that is done when enqueue returns is timed with the host's clock. Any other is timed
// with its own events around many runs in one captured graph: its kernels may be shorter than a launch takes the host.
#include <stdlib.h>

#include "base/log.h"
#include "plan/bench.h"

// A short kernel is repeated until a round lasts about this long. Events are finer than the host's clock.
#define HOST_ROUND_US 1000.0
#define DEVICE_ROUND_US 400.0
#define MOST_REPEATS 200
#define LEAST_ROUNDS 3 // where time is out
#define FIRST_REPEATS 8
#define WARM_UP_S 0.15 // of work, until a device that idled has its clocks up

static ferry_status enqueue(const ferry_bench *b, ferry_error *err)
{
    return b->device->backend->enqueue(b->stream, b->kernel, b->in, b->out, b->workspace, err);
}

// --- By the host's clock --------------------------------------------------------------------------------------------

// As they run in a network: one after another, with the threads awake.
static ferry_status time_on_host(ferry_bench *b, double *out_us, ferry_error *err)
{
    const ferry_backend *backend = b->device->backend;
    if (backend->burst_begin) backend->burst_begin(b->stream);
    const double begin = ferry_clock_s();
    ferry_status s = FERRY_OK;
    for (int i = 0; s == FERRY_OK && i < b->repeat; i++) s = enqueue(b, err);
    if (s == FERRY_OK) s = backend->stream_wait(b->stream, err);
    *out_us = (ferry_clock_s() - begin) * 1e6 / b->repeat;
    if (backend->burst_end) backend->burst_end(b->stream);
    return s;
}

// --- By the device's events -----------------------------------------------------------------------------------------

// Captures the runs of a round; without a graph, where that can't be, they are launched one by one.
static void capture(ferry_bench *b)
{
    const ferry_backend *backend = b->device->backend;
    if (b->graph) backend->capture_destroy(b->graph);
    b->graph = NULL;
    if (!backend->capture_begin || backend->capture_begin(b->stream, NULL) != FERRY_OK) return;
    ferry_status s = FERRY_OK;
    for (int i = 0; s == FERRY_OK && i < b->repeat; i++) s = enqueue(b, NULL);
    void *graph = NULL;
    const ferry_status ended = backend->capture_end(b->stream, &graph, NULL);
    if (s == FERRY_OK && ended == FERRY_OK)
        b->graph = graph;
    else if (graph)
        backend->capture_destroy(graph);
}

static ferry_status run_round(const ferry_bench *b, ferry_error *err)
{
    if (b->graph) return b->device->backend->capture_launch(b->graph, b->stream, err);
    for (int i = 0; i < b->repeat; i++) FERRY_TRY(enqueue(b, err));
    return FERRY_OK;
}

static ferry_status time_on_device(ferry_bench *b, double *out_us, ferry_error *err)
{
    const ferry_backend *backend = b->device->backend;
    double ms = 0;
    FERRY_TRY(backend->event_record(b->stream, b->begin, err));
    FERRY_TRY(run_round(b, err));
    FERRY_TRY(backend->event_record(b->stream, b->end, err));
    FERRY_TRY(backend->stream_wait(b->stream, err));
    FERRY_TRY(backend->event_elapsed(b->begin, b->end, &ms, err));
    *out_us = ms * 1e3 / b->repeat;
    return FERRY_OK;
}

static ferry_status warm_up(ferry_bench_set *set, ferry_bench *b, ferry_error *err)
{
    bool *warm = &set->planner->warm[b->candidate->device];
    double us = 0;
    const double begin = ferry_clock_s();
    while (!*warm && ferry_clock_s() - begin < WARM_UP_S) FERRY_TRY(time_on_device(b, &us, err));
    *warm = true;
    return FERRY_OK;
}

// --- Rounds ---------------------------------------------------------------------------------------------------------

static ferry_status time_once(ferry_bench *b, double *out_us, ferry_error *err)
{
    return b->begin ? time_on_device(b, out_us, err) : time_on_host(b, out_us, err);
}

static int repeats(double us, double round_us)
{
    const double n = round_us / (us > 1 ? us : 1);
    return n < 1 ? 1 : n > MOST_REPEATS ? MOST_REPEATS : (int)n;
}

// How often a round is to run it.
static ferry_status settle(ferry_bench_set *set, ferry_bench *b, ferry_error *err)
{
    double us = 0;
    b->repeat = 1;
    FERRY_TRY(time_once(b, &us, err));
    if (!b->begin) {
        FERRY_TRY(time_once(b, &us, err));
        b->repeat = repeats(us, HOST_ROUND_US);
        return FERRY_OK;
    }
    b->repeat = repeats(us, DEVICE_ROUND_US) < FIRST_REPEATS ? repeats(us, DEVICE_ROUND_US) : FIRST_REPEATS;
    capture(b);
    FERRY_TRY(warm_up(set, b, err));
    FERRY_TRY(time_once(b, &us, err));
    b->repeat = repeats(us, DEVICE_ROUND_US);
    capture(b);
    return time_once(b, &us, err);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

ferry_status ferry_bench_set_measure(ferry_bench_set *set, ferry_error *err)
{
    for (size_t i = 0; i < set->count; i++) FERRY_TRY(settle(set, &set->benches[i], err));
    int rounds = 0;
    for (; rounds < FERRY_BENCH_ROUNDS; rounds++) {
        if (rounds >= LEAST_ROUNDS && ferry_planner_out_of_time(set->planner)) break;
        for (size_t i = 0; i < set->count; i++)
            FERRY_TRY(time_once(&set->benches[i], &set->benches[i].us[rounds], err));
    }
    for (size_t i = 0; i < set->count; i++) {
        ferry_bench *b = &set->benches[i];
        qsort(b->us, (size_t)rounds, sizeof *b->us, ascending);
        b->candidate->cost_us = b->us[rounds / 4];
        b->candidate->measured = true;
    }
    return FERRY_OK;
}
