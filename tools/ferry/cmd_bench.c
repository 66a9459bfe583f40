// SPDX-License-Identifier: Apache-2.0
// ferry bench: inferences on random data, and trtexec's performance summary.
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum { MOST_STREAMS = 64 };

typedef struct lane {
    ferry_stream *stream;
    ferry_context *context;
    void **buffers; // [bindings], device memory
    size_t *bytes;
} lane;

typedef struct times {
    double *ms;
    size_t count, capacity;
} times;

static int add_time(times *t, double ms)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 4096;
        double *grown = realloc(t->ms, t->capacity * sizeof *t->ms);
        if (!grown) return cli_fail("out of memory");
        t->ms = grown;
    }
    t->ms[t->count++] = ms;
    return CLI_OK;
}

// Random numbers in [-1, 1) for floats and over the whole range for bytes; other integers stay 0, which is a valid
// index.
static void fill_random(void *data, size_t bytes, ferry_dtype dtype)
{
    uint64_t state = 0x853c49e6748fea9bu;
    memset(data, 0, bytes);
    for (size_t i = 0; i < bytes; i += 4) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const uint32_t r = (uint32_t)(state >> 33);
        const float x = (float)(int32_t)(r & 0xffff) / 32768.0f - 1.0f;
        if (dtype == FERRY_F32 && i + 4 <= bytes) memcpy((char *)data + i, &x, 4);
        if (dtype == FERRY_S8 || dtype == FERRY_U8) memcpy((char *)data + i, &r, bytes - i < 4 ? bytes - i : 4);
    }
}

static int fill_binding(const cli_session *s, lane *l, int32_t i)
{
    ferry_error err = {.text = ""};
    ferry_binding_info info;
    int32_t rank = 0;
    int64_t dims[FERRY_MAX_RANK];
    if (ferry_engine_binding(s->engine, i, &info, &err) != FERRY_OK ||
        ferry_context_binding_shape(l->context, i, &rank, dims, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    size_t bytes = ferry_dtype_bytes(info.dtype);
    for (int32_t d = 0; d < rank; d++) bytes *= (size_t)dims[d];
    l->bytes[i] = bytes;
    l->buffers[i] = ferry_memory_alloc(s->runtime, bytes);
    void *host = ferry_pinned_alloc(s->runtime, bytes);
    ferry_status status = l->buffers[i] && host ? FERRY_OK : FERRY_ERR_OUT_OF_MEMORY;
    if (status == FERRY_OK) {
        fill_random(host, bytes, info.is_input ? info.dtype : FERRY_DTYPE_NONE);
        status = ferry_stream_copy(l->stream, FERRY_COPY_TO_DEVICE, l->buffers[i], host, bytes, &err);
    }
    if (status == FERRY_OK) status = ferry_stream_wait(l->stream, &err);
    if (status == FERRY_OK) status = ferry_context_bind(l->context, i, l->buffers[i], &err);
    ferry_pinned_free(s->runtime, host, bytes);
    return status == FERRY_OK
               ? CLI_OK
               : cli_fail("input or output '%s': %s", info.name, err.text[0] ? err.text : "out of memory");
}

static int open_lane(const cli_settings *settings, const cli_session *s, lane *l)
{
    ferry_error err = {.text = ""};
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = settings->threads};
    const ferry_context_options context_options = {.size = sizeof context_options, .memory_limit_bytes = settings->ram};
    const int32_t n = ferry_engine_binding_count(s->engine);
    l->buffers = calloc((size_t)n, sizeof *l->buffers);
    l->bytes = calloc((size_t)n, sizeof *l->bytes);
    if (!l->buffers || !l->bytes) return cli_fail("out of memory");
    if (ferry_stream_create(s->runtime, &stream_options, &l->stream, &err) != FERRY_OK ||
        ferry_context_create(s->engine, &context_options, &l->context, &err) != FERRY_OK ||
        ferry_context_prepare(l->context, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    int status = CLI_OK;
    for (int32_t i = 0; status == CLI_OK && i < n; i++) status = fill_binding(s, l, i);
    return status;
}

static void close_lane(const cli_session *s, lane *l)
{
    ferry_context_release(l->context);
    ferry_stream_release(l->stream);
    for (int32_t i = 0; l->buffers && l->bytes && i < ferry_engine_binding_count(s->engine); i++)
        ferry_memory_free(s->runtime, l->buffers[i], l->bytes[i]);
    free(l->buffers);
    free(l->bytes);
}

// One inference on each lane at a time; a lane's latency runs from its own enqueue to its own end.
static int measure(lane *lanes, int n, double seconds, size_t least, times *latencies, times *enqueues, double *out_s)
{
    ferry_error err = {.text = ""};
    const double begin = cli_now_s();
    size_t done = 0;
    while (done < least || cli_now_s() - begin < seconds) {
        double queued[MOST_STREAMS];
        if (cli_interrupted()) return cli_fail("interrupted");
        for (int i = 0; i < n; i++) {
            queued[i] = cli_now_s();
            if (ferry_context_enqueue(lanes[i].context, lanes[i].stream, &err) != FERRY_OK)
                return cli_fail("%s", err.text);
            if (enqueues && add_time(enqueues, (cli_now_s() - queued[i]) * 1e3) != CLI_OK) return CLI_FAILED;
        }
        for (int i = 0; i < n; i++) {
            if (ferry_stream_wait(lanes[i].stream, &err) != FERRY_OK) return cli_fail("%s", err.text);
            if (latencies && add_time(latencies, (cli_now_s() - queued[i]) * 1e3) != CLI_OK) return CLI_FAILED;
        }
        done += (size_t)n;
    }
    *out_s = cli_now_s() - begin;
    return CLI_OK;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// t is sorted. trtexec's percentile: the value that P percent of the times do not exceed.
static double percentile(const times *t, double p)
{
    const size_t at = (size_t)ceil(p / 100 * (double)t->count);
    return t->ms[at < 1 ? 0 : at > t->count ? t->count - 1 : at - 1];
}

static double mean(const times *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->count; i++) sum += t->ms[i];
    return sum / (double)t->count;
}

static void print_times(const char *what, const times *t)
{
    printf("%s: min = %g ms, max = %g ms, mean = %g ms, median = %g ms, percentile(90%%) = %g ms, percentile(95%%) = "
           "%g ms, "
           "percentile(99%%) = %g ms\n",
           what, t->ms[0], t->ms[t->count - 1], mean(t), percentile(t, 50), percentile(t, 90), percentile(t, 95),
           percentile(t, 99));
}

static void print_layer(void *user, const ferry_layer_time *layer)
{
    (void)user;
    printf("  %9.4f ms  %-34s %s\n", layer->ms, layer->tactic, layer->name);
}

static int profile(lane *l)
{
    ferry_error err = {.text = ""};
    printf("=== Profile ===\n");
    if (ferry_context_set_profiler(l->context, print_layer, NULL, &err) != FERRY_OK ||
        ferry_context_enqueue(l->context, l->stream, &err) != FERRY_OK ||
        ferry_stream_wait(l->stream, &err) != FERRY_OK ||
        ferry_context_set_profiler(l->context, NULL, NULL, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    return CLI_OK;
}

static void summarise(const cli_settings *settings, times *latencies, times *enqueues, double wall_s)
{
    qsort(latencies->ms, latencies->count, sizeof *latencies->ms, ascending);
    qsort(enqueues->ms, enqueues->count, sizeof *enqueues->ms, ascending);
    const double throughput = (double)latencies->count / wall_s;
    printf("=== Performance summary ===\n");
    printf("Throughput: %g qps\n", throughput);
    print_times("Latency", latencies);
    print_times("Enqueue Time", enqueues);
    printf("Total Host Walltime: %g s\n", wall_s);
    if (!settings->json) return;
    printf("{\"median_ms\":%.6g,\"mean_ms\":%.6g,\"min_ms\":%.6g,\"max_ms\":%.6g,\"p90_ms\":%.6g,\"p95_ms\":%.6g,"
           "\"p99_ms\":%.6g,\"throughput\":%.6g,\"enqueue_median_ms\":%.6g,\"iterations\":%zu,\"wall_s\":%.6g}\n",
           percentile(latencies, 50), mean(latencies), latencies->ms[0], latencies->ms[latencies->count - 1],
           percentile(latencies, 90), percentile(latencies, 95), percentile(latencies, 99), throughput,
           percentile(enqueues, 50), latencies->count, wall_s);
}

int cli_bench(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    cli_session session;
    lane lanes[MOST_STREAMS] = {{0}};
    const int n = settings->streams ? settings->streams : 1;
    const double warm_up_s = (settings->warm_up_ms >= 0 ? settings->warm_up_ms : 200) / 1e3;
    const double duration_s = settings->duration_s >= 0 ? settings->duration_s : 3;
    times latencies = {0}, enqueues = {0};
    double wall_s = 0;
    int status = cli_session_open(&session, settings, argv[0]);
    for (int i = 0; status == CLI_OK && i < n; i++) status = open_lane(settings, &session, &lanes[i]);
    if (status == CLI_OK) status = measure(lanes, n, warm_up_s, 1, NULL, NULL, &wall_s);
    if (status == CLI_OK)
        status = measure(lanes, n, duration_s, settings->iterations ? (size_t)settings->iterations : 10, &latencies,
                         &enqueues, &wall_s);
    if (status == CLI_OK && settings->dump_profile) status = profile(&lanes[0]);
    if (status == CLI_OK) summarise(settings, &latencies, &enqueues, wall_s);
    for (int i = 0; i < n; i++) close_lane(&session, &lanes[i]);
    cli_session_close(&session);
    free(latencies.ms);
    free(enqueues.ms);
    return status;
}
