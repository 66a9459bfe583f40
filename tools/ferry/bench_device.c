// SPDX-License-Identifier: Apache-2.0
// What an inference takes on a device apart, by the device's own clock: inputs there, the run, outputs back.
#include <pthread.h>
#include <stdlib.h>

#include "bench.h"

// So many inferences are queued before the first of them begins that the device never waits for the host. The first of
// them, which finds the device idle, does not count.
enum { QUEUED = 6, MARKS = 4, ROUNDS = 5 };

typedef struct pass {
    const cli_session *session;
    cli_bench_lane *lane;
    ferry_event *marks[QUEUED][MARKS];
    void **host; // [bindings]: pinned
    pthread_mutex_t gate;
} pass;

static void wait_at_gate(void *user)
{
    pass *p = user;
    pthread_mutex_lock(&p->gate);
    pthread_mutex_unlock(&p->gate);
}

static ferry_status copy_bindings(pass *p, bool inputs, ferry_error *err)
{
    const cli_bench_lane *l = p->lane;
    ferry_status s = FERRY_OK;
    for (int32_t i = inputs ? 0 : l->n_inputs; s == FERRY_OK && i < (inputs ? l->n_inputs : l->n_bindings); i++)
        s = inputs ? ferry_stream_copy(l->stream, FERRY_COPY_TO_DEVICE, l->buffers[i], p->host[i], l->bytes[i], err)
                   : ferry_stream_copy(l->stream, FERRY_COPY_FROM_DEVICE, p->host[i], l->buffers[i], l->bytes[i], err);
    return s;
}

// Where the device uses the host's memory, nothing is copied.
static bool copies(const pass *p)
{
    return !ferry_runtime_shares_memory(p->session->runtime);
}

static ferry_status queue_one(pass *p, ferry_event **marks, ferry_error *err)
{
    const cli_bench_lane *l = p->lane;
    ferry_status s = ferry_event_record(marks[0], l->stream, err);
    if (s == FERRY_OK && copies(p)) s = copy_bindings(p, true, err);
    if (s == FERRY_OK) s = ferry_event_record(marks[1], l->stream, err);
    if (s == FERRY_OK) s = ferry_context_enqueue(l->context, l->stream, err);
    if (s == FERRY_OK) s = ferry_event_record(marks[2], l->stream, err);
    if (s == FERRY_OK && copies(p)) s = copy_bindings(p, false, err);
    return s == FERRY_OK ? ferry_event_record(marks[3], l->stream, err) : s;
}

static ferry_status run_round(pass *p, cli_bench_device_times *out, ferry_error *err)
{
    pthread_mutex_lock(&p->gate);
    ferry_status s = ferry_stream_call(p->lane->stream, wait_at_gate, p, err);
    for (int i = 0; s == FERRY_OK && i < QUEUED; i++) s = queue_one(p, p->marks[i], err);
    pthread_mutex_unlock(&p->gate);
    const ferry_status waited = ferry_stream_wait(p->lane->stream, s == FERRY_OK ? err : NULL);
    if (s == FERRY_OK) s = waited;
    for (int i = 1; s == FERRY_OK && i < QUEUED; i++) {
        cli_bench_times *const times[MARKS - 1] = {&out->h2d, &out->compute, &out->d2h};
        for (int k = 0; s == FERRY_OK && k + 1 < MARKS; k++) {
            double ms = 0;
            if (times[k] != &out->compute && !copies(p)) continue;
            s = ferry_event_elapsed(p->marks[i][k], p->marks[i][k + 1], &ms, err);
            if (s == FERRY_OK && !cli_bench_add_time(times[k], ms)) s = FERRY_ERR_OUT_OF_MEMORY;
        }
    }
    return s;
}

static ferry_status open_pass(pass *p, ferry_error *err)
{
    ferry_status s = FERRY_OK;
    p->host = calloc((size_t)p->lane->n_bindings, sizeof *p->host);
    if (!p->host) return FERRY_ERR_OUT_OF_MEMORY;
    for (int32_t i = 0; s == FERRY_OK && i < p->lane->n_bindings; i++) {
        p->host[i] = ferry_pinned_alloc(p->session->runtime, p->lane->bytes[i]);
        if (!p->host[i]) return FERRY_ERR_OUT_OF_MEMORY;
        s = ferry_stream_copy(p->lane->stream, FERRY_COPY_FROM_DEVICE, p->host[i], p->lane->buffers[i],
                              p->lane->bytes[i], err);
    }
    if (s == FERRY_OK) s = ferry_stream_wait(p->lane->stream, err);
    for (int i = 0; s == FERRY_OK && i < QUEUED * MARKS; i++)
        s = ferry_event_create(p->session->runtime, &p->marks[i / MARKS][i % MARKS], err);
    for (int32_t i = 0; s == FERRY_OK && i < p->lane->n_inputs; i++)
        s = ferry_context_bind(p->lane->context, i, p->lane->buffers[i], err);
    return s;
}

static void close_pass(pass *p)
{
    for (int i = 0; i < QUEUED * MARKS; i++) ferry_event_release(p->marks[i / MARKS][i % MARKS]);
    for (int32_t i = 0; p->host && i < p->lane->n_bindings; i++)
        ferry_pinned_free(p->session->runtime, p->host[i], p->lane->bytes[i]);
    free(p->host);
}

int cli_bench_on_device(const cli_session *session, cli_bench_lane *lane, double seconds, cli_bench_device_times *out)
{
    ferry_error err = {.text = ""};
    pass p = {.session = session, .lane = lane};
    if (ferry_runtime_host_memory(session->runtime)) return CLI_OK;
    pthread_mutex_init(&p.gate, NULL);
    ferry_status s = open_pass(&p, &err);
    const double begin = cli_now_s();
    for (int i = 0; s == FERRY_OK && !cli_interrupted() && (i < ROUNDS || cli_now_s() - begin < seconds); i++)
        s = run_round(&p, out, &err);
    close_pass(&p);
    pthread_mutex_destroy(&p.gate);
    if (s != FERRY_OK) return cli_fail("%s", err.text[0] ? err.text : "out of memory");
    return cli_interrupted() ? cli_fail("interrupted") : CLI_OK;
}

void cli_bench_device_times_free(cli_bench_device_times *times)
{
    free(times->h2d.ms);
    free(times->compute.ms);
    free(times->d2h.ms);
    free(times->preprocess.ms);
}
