// SPDX-License-Identifier: Apache-2.0
// What preprocessing takes on a device, by its own clock: a picture in the device's memory, the engine's own settings.
#include "bench.h"

enum { QUEUED = 16, ROUNDS = 4 };

typedef struct pass {
    cli_bench_lane *lane;
    ferry_feeder *feeder;
    ferry_picture picture;
    ferry_event *marks[QUEUED + 1];
} pass;

static ferry_status open_pass(pass *p, const cli_session *session, ferry_error *err)
{
    p->picture = (ferry_picture){.width = CLI_BENCH_PICTURE_WIDTH,
                                 .height = CLI_BENCH_PICTURE_HEIGHT,
                                 .channels = 3,
                                 .stride_bytes = (size_t)CLI_BENCH_PICTURE_WIDTH * 3};
    p->picture.pixels = ferry_memory_alloc(session->runtime, p->picture.stride_bytes * p->picture.height);
    ferry_status s = p->picture.pixels ? FERRY_OK : FERRY_ERR_OUT_OF_MEMORY;
    for (int i = 0; s == FERRY_OK && i <= QUEUED; i++) s = ferry_event_create(session->runtime, &p->marks[i], err);
    return s;
}

static ferry_status queue(pass *p, ferry_error *err)
{
    const cli_bench_lane *l = p->lane;
    ferry_status s = ferry_event_record(p->marks[0], l->stream, err);
    for (int i = 0; s == FERRY_OK && i < QUEUED; i++) {
        s = ferry_feeder_enqueue(p->feeder, &p->picture, FERRY_PICTURE_ON_DEVICE, l->buffers[0], l->bytes[0], l->stream,
                                 NULL, err);
        if (s == FERRY_OK) s = ferry_event_record(p->marks[i + 1], l->stream, err);
    }
    return s == FERRY_OK ? ferry_stream_wait(l->stream, err) : s;
}

// The first of a round, which finds the device idle, does not count.
static ferry_status run_round(pass *p, cli_bench_times *out, ferry_error *err)
{
    ferry_status s = queue(p, err);
    for (int i = 1; s == FERRY_OK && i < QUEUED; i++) {
        double ms = 0;
        s = ferry_event_elapsed(p->marks[i], p->marks[i + 1], &ms, err);
        if (s == FERRY_OK && !cli_bench_add_time(out, ms)) s = FERRY_ERR_OUT_OF_MEMORY;
    }
    return s;
}

static void close_pass(pass *p, const cli_session *session)
{
    for (int i = 0; i <= QUEUED; i++) ferry_event_release(p->marks[i]);
    ferry_feeder_release(p->feeder);
    ferry_memory_free(session->runtime, p->picture.pixels, p->picture.stride_bytes * p->picture.height);
}

int cli_bench_preprocess(const cli_session *session, cli_bench_lane *lane, cli_bench_device_times *out)
{
    ferry_error err = {.text = ""};
    pass p = {.lane = lane};
    if (ferry_runtime_host_memory(session->runtime) || !ferry_engine_text(session->engine, "preprocess")) return CLI_OK;
    // An engine whose preprocessing leaves its device, or its input, out runs all the same.
    if (ferry_feeder_create(session->engine, 0, NULL, &p.feeder, &err) != FERRY_OK) return CLI_OK;
    ferry_status s = open_pass(&p, session, &err);
    for (int i = 0; s == FERRY_OK && i < ROUNDS && !cli_interrupted(); i++) s = run_round(&p, &out->preprocess, &err);
    close_pass(&p, session);
    return s == FERRY_OK ? CLI_OK : cli_fail("%s", err.text[0] ? err.text : "out of memory");
}
