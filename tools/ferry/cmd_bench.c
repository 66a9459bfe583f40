// SPDX-License-Identifier: Apache-2.0
// ferry bench: inferences on random data, and trtexec's performance summary.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

enum { MOST_STREAMS = 64 };

// What one notices before the first result: milliseconds and megabytes.
typedef struct start_costs {
    double load_ms, first_ms, base_mb, peak_mb;
    bool loaded; // from an engine file: building is no loading
    cli_bench_device_memory device;
    cli_bench_sensors sensors; // right after the run on the device; zeros where they can't be read
} start_costs;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// t is sorted. trtexec's percentile: the value that P percent of the times do not exceed.
static double percentile(const cli_bench_times *t, double p)
{
    const size_t at = (size_t)ceil(p / 100 * (double)t->count);
    return t->ms[at < 1 ? 0 : at > t->count ? t->count - 1 : at - 1];
}

static double mean(const cli_bench_times *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->count; i++) sum += t->ms[i];
    return sum / (double)t->count;
}

static void print_times(const char *what, const cli_bench_times *t)
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

static int profile(cli_bench_lane *l)
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

static void sort(cli_bench_times *t)
{
    if (t->count) qsort(t->ms, t->count, sizeof *t->ms, ascending);
}

// "cuda:1" is the second GPU.
static unsigned gpu_number(const cli_settings *settings)
{
    const char *colon = settings->device ? strchr(settings->device, ':') : NULL;
    return colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

static void sort_device(cli_bench_device_times *t)
{
    sort(&t->h2d);
    sort(&t->compute);
    sort(&t->d2h);
    sort(&t->preprocess);
}

static void print_device(const start_costs *costs, const cli_bench_device_times *t)
{
    const cli_bench_sensors *s = &costs->sensors;
    if (!t->compute.count) return;
    if (t->h2d.count) print_times("H2D Latency", &t->h2d);
    print_times("GPU Compute Time", &t->compute);
    if (t->d2h.count) print_times("D2H Latency", &t->d2h);
    if (!t->h2d.count) printf("H2D and D2H: none, the GPU uses pinned memory of the host where it lies\n");
    if (t->preprocess.count) {
        char what[64];
        snprintf(what, sizeof what, "GPU Preprocess Time (%dx%d)", CLI_BENCH_PICTURE_WIDTH, CLI_BENCH_PICTURE_HEIGHT);
        print_times(what, &t->preprocess);
    }
    printf("Total GPU Compute Time: %g s\n", mean(&t->compute) * (double)t->compute.count / 1e3);
    const char *between = "GPU right after: ";
    const struct {
        const char *format;
        double value;
    } rows[] = {{"%.0f MHz", s->sm_mhz},
                {"memory %.0f MHz", s->memory_mhz},
                {"%.1f W", s->milliwatts / 1e3},
                {"%.0f degrees Celsius", s->celsius}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].value <= 0) continue;
        printf("%s", between);
        printf(rows[i].format, rows[i].value);
        between = ", ";
    }
    if (between[0] == ',') printf("\n");
}

static double mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

static void print_device_memory(const cli_bench_device_memory *m)
{
    const uint64_t counted = m->weights + m->kernels + m->activations + m->bindings;
    if (!m->known) return;
    printf("GPU Memory: %.1f MB beyond the device's context: weights %.1f MB, activations and scratch %.1f MB, kernels "
           "%.1f MB, inputs and outputs %.1f MB, other %.1f MB\n",
           mb(m->taken), mb(m->weights), mb(m->activations), mb(m->kernels), mb(m->bindings),
           mb(m->taken > counted ? m->taken - counted : 0));
}

static void print_json_device(const start_costs *costs, const cli_bench_device_times *t)
{
    const cli_bench_device_memory *m = &costs->device;
    const cli_bench_sensors *s = &costs->sensors;
    if (t->compute.count)
        printf(",\"gpu_compute_median_ms\":%.6g,\"gpu_compute_min_ms\":%.6g,\"h2d_median_ms\":%.6g,"
               "\"d2h_median_ms\":%.6g,\"shares_memory\":%s",
               percentile(&t->compute, 50), t->compute.ms[0], t->h2d.count ? percentile(&t->h2d, 50) : 0,
               t->d2h.count ? percentile(&t->d2h, 50) : 0, t->h2d.count ? "false" : "true");
    if (t->preprocess.count) printf(",\"gpu_preprocess_median_ms\":%.6g", percentile(&t->preprocess, 50));
    if (m->known)
        printf(",\"gpu_memory\":{\"taken\":%llu,\"weights\":%llu,\"activations\":%llu,\"kernels\":%llu,"
               "\"bindings\":%llu}",
               (unsigned long long)m->taken, (unsigned long long)m->weights, (unsigned long long)m->activations,
               (unsigned long long)m->kernels, (unsigned long long)m->bindings);
    if (s->sm_mhz || s->milliwatts || s->celsius)
        printf(",\"gpu_mhz\":%u,\"gpu_memory_mhz\":%u,\"gpu_w\":%.6g,\"gpu_celsius\":%u", s->sm_mhz, s->memory_mhz,
               s->milliwatts / 1e3, s->celsius);
}

static void summarise(const cli_settings *settings, const start_costs *costs, cli_bench_times *latencies,
                      cli_bench_times *enqueues, cli_bench_device_times *device, double wall_s)
{
    sort(latencies);
    sort(enqueues);
    const double throughput = (double)latencies->count / wall_s;
    printf("=== Performance summary ===\n");
    printf("Throughput: %g qps\n", throughput);
    print_times("Latency", latencies);
    print_times("Enqueue Time", enqueues);
    sort_device(device);
    print_device(costs, device);
    printf("Total Host Walltime: %g s\n", wall_s);
    if (costs->loaded) printf("Load: %g ms, first inference: %g ms\n", costs->load_ms, costs->first_ms);
    printf("Memory: %.1f MB at most, %.1f MB before loading\n", costs->peak_mb, costs->base_mb);
    print_device_memory(&costs->device);
    if (!settings->json) return;
    printf("{\"median_ms\":%.6g,\"mean_ms\":%.6g,\"min_ms\":%.6g,\"max_ms\":%.6g,\"p90_ms\":%.6g,\"p95_ms\":%.6g,"
           "\"p99_ms\":%.6g,\"throughput\":%.6g,\"enqueue_median_ms\":%.6g,\"iterations\":%zu,\"wall_s\":%.6g,"
           "\"first_ms\":%.6g,\"rss_base_mb\":%.6g,\"rss_peak_mb\":%.6g",
           percentile(latencies, 50), mean(latencies), latencies->ms[0], latencies->ms[latencies->count - 1],
           percentile(latencies, 90), percentile(latencies, 95), percentile(latencies, 99), throughput,
           percentile(enqueues, 50), latencies->count, wall_s, costs->first_ms, costs->base_mb, costs->peak_mb);
    print_json_device(costs, device);
    if (costs->loaded) printf(",\"load_ms\":%.6g", costs->load_ms);
    printf("}\n");
}

// Session and lanes, up to the end of their first inferences.
static int open_all(const cli_settings *settings, const char *path, cli_session *session, cli_bench_lane *lanes, int n,
                    start_costs *out)
{
    double first_s = 0;
    out->base_mb = cli_bench_memory_mb();
    const double begin = cli_now_s();
    int status = cli_session_begin(session, settings, path);
    const uint64_t free_before = status == CLI_OK ? cli_bench_free_memory(session) : 0;
    if (status == CLI_OK) status = cli_session_load(session, settings, path);
    if (status == CLI_OK) status = cli_bench_lane_open(settings, session, &lanes[0]);
    out->load_ms = (cli_now_s() - begin) * 1e3;
    out->loaded = !session->built;
    for (int i = 1; status == CLI_OK && i < n; i++) status = cli_bench_lane_open(settings, session, &lanes[i]);
    for (int i = 0; status == CLI_OK && i < n; i++) status = cli_bench_lane_fill(session, &lanes[i]);
    if (status == CLI_OK) status = cli_bench_measure(lanes, n, 0, 1, NULL, NULL, &first_s);
    out->first_ms = first_s * 1e3;
    if (status == CLI_OK) cli_bench_count_memory(session, lanes, n, free_before, &out->device);
    return status;
}

int cli_bench(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    cli_session session = {0};
    cli_bench_lane lanes[MOST_STREAMS] = {{0}};
    start_costs costs = {0};
    const int n = settings->streams ? settings->streams : 1;
    const double warm_up_s = (settings->warm_up_ms >= 0 ? settings->warm_up_ms : 200) / 1e3;
    const double duration_s = settings->duration_s >= 0 ? settings->duration_s : 3;
    cli_bench_times latencies = {0}, enqueues = {0};
    cli_bench_device_times device = {0};
    double wall_s = 0;
    int status = open_all(settings, argv[0], &session, lanes, n, &costs);
    if (status == CLI_OK) status = cli_bench_measure(lanes, n, warm_up_s, 1, NULL, NULL, &wall_s);
    if (status == CLI_OK)
        status = cli_bench_measure(lanes, n, duration_s, settings->iterations ? (size_t)settings->iterations : 10,
                                   &latencies, &enqueues, &wall_s);
    if (status == CLI_OK) status = cli_bench_on_device(&session, &lanes[0], duration_s / 3, &device);
    if (device.compute.count) (void)cli_bench_read_sensors(gpu_number(settings), &costs.sensors);
    if (status == CLI_OK) status = cli_bench_preprocess(&session, &lanes[0], &device);
    costs.peak_mb = cli_bench_peak_memory_mb();
    if (status == CLI_OK && settings->dump_profile) status = profile(&lanes[0]);
    if (status == CLI_OK) summarise(settings, &costs, &latencies, &enqueues, &device, wall_s);
    for (int i = 0; i < n; i++) cli_bench_lane_close(&session, &lanes[i]);
    cli_session_close(&session);
    cli_bench_device_times_free(&device);
    free(latencies.ms);
    free(enqueues.ms);
    return status;
}
