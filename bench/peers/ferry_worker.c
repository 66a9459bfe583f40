// SPDX-License-Identifier: Apache-2.0
// ferry's process in bench/cpu.py: holds one engine and runs slices when told to, so that ferry is measured as bare as
// a program that uses it.
//
//     ferry_worker ENGINE INPUTS.npy OUTPUTS.npy THREADS
//
// INPUTS are float32, samples one after the other along the first dimension; each has a buffer of its own, and the runs
// rotate through them. After the first run, for every line "MS" on the standard input, inferences are run for MS
// milliseconds after a third of that to warm up, and one line of JSON is printed. At the end of the input OUTPUTS gets
// the first output for each sample: last, so that the memory for it counts nowhere.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ferry/ferry.h"

enum { MOST_TIMES = 1 << 20, LEAST_TIMES = 3 };

typedef struct worker {
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
    char *inputs;
    void **outputs; // [outputs of the engine]
    size_t samples, sample_bytes, runs;
    int64_t sample_dims[FERRY_MAX_RANK];
    int32_t rank;
} worker;

static _Noreturn void fail(const char *what, const char *why)
{
    printf("{\"skip\":\"%s: %s\"}\n", what, why);
    exit(1);
}

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((call) != FERRY_OK) fail(#call, err.text);                                                                 \
    } while (0)

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double now_ms(void)
{
    return seconds(CLOCK_MONOTONIC) * 1e3;
}

// A line of /proc/self/status in MB: VmHWM is the most that was ever resident.
static double memory_mb(const char *key)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) kb = atof(line + strlen(key) + 1);
    if (f) fclose(f);
    return kb / 1024;
}

// What was resident only for a while before the engine is there shall not hide what the engine takes.
static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    fputs("5", f);
    fclose(f);
}

static void read_inputs(worker *w, const char *path)
{
    ferry_error err = {.text = ""};
    ferry_tensor_file *file = NULL;
    ferry_tensor_view view;
    TRY(ferry_tensor_file_open(path, &file, &view, &err));
    if (view.dtype != FERRY_F32 || view.rank < 1 || view.dims[0] < 1) fail(path, "not samples of float32");
    w->samples = (size_t)view.dims[0];
    w->rank = view.rank;
    memcpy(w->sample_dims, view.dims, sizeof view.dims);
    w->sample_dims[0] = 1;
    w->sample_bytes = (size_t)ferry_tensor_view_elements(&view) / w->samples * sizeof(float);
    w->inputs = aligned_alloc(64, (w->samples * w->sample_bytes + 63) / 64 * 64);
    if (!w->inputs) fail(path, "out of memory");
    memcpy(w->inputs, view.data, w->samples * w->sample_bytes);
    ferry_tensor_file_close(file);
}

// File to ready: what a user waits for before the first inference can be started.
static void load(worker *w, const char *path, int threads)
{
    ferry_error err = {.text = ""};
    const ferry_stream_options options = {.size = sizeof options, .threads = threads};
    TRY(ferry_engine_load(w->runtime, path, NULL, &w->engine, &err));
    TRY(ferry_context_create(w->engine, NULL, &w->context, &err));
    TRY(ferry_context_prepare(w->context, &err));
    TRY(ferry_stream_create(w->runtime, &options, &w->stream, &err));
}

static ferry_tensor_view output_view(const worker *w, int32_t binding)
{
    ferry_error err = {.text = ""};
    ferry_binding_info info;
    ferry_tensor_view view = {0};
    TRY(ferry_engine_binding(w->engine, binding, &info, &err));
    TRY(ferry_context_binding_shape(w->context, binding, &view.rank, view.dims, &err));
    view.dtype = info.dtype;
    return view;
}

static size_t view_bytes(const ferry_tensor_view *view)
{
    return (size_t)ferry_tensor_view_elements(view) * ferry_dtype_bytes(view->dtype);
}

static void make_outputs(worker *w)
{
    const int32_t n = ferry_engine_binding_count(w->engine);
    const ferry_tensor_view input = output_view(w, 0);
    if (n < 2 || view_bytes(&input) != w->sample_bytes || input.dtype != FERRY_F32)
        fail("inputs", "not of the engine's size, or the engine has another number of them");
    w->outputs = calloc((size_t)n, sizeof *w->outputs);
    for (int32_t i = 1; w->outputs && i < n; i++) {
        const ferry_tensor_view view = output_view(w, i);
        w->outputs[i - 1] = aligned_alloc(64, (view_bytes(&view) + 127) / 64 * 64);
        if (!w->outputs[i - 1]) fail("outputs", "out of memory");
    }
}

static void run(worker *w)
{
    ferry_error err = {.text = ""};
    const void *input = w->inputs + w->runs++ % w->samples * w->sample_bytes;
    TRY(ferry_context_run(w->context, w->stream, &input, w->outputs, &err));
}

static void write_outputs(worker *w, const char *path)
{
    ferry_error err = {.text = ""};
    ferry_tensor_view view = output_view(w, 1);
    const size_t bytes = view_bytes(&view);
    char *all = malloc(bytes * w->samples);
    if (!all || view.rank < 1) fail(path, "out of memory, or a scalar");
    w->runs = 0;
    for (size_t i = 0; i < w->samples; i++) {
        run(w);
        memcpy(all + i * bytes, w->outputs[0], bytes);
    }
    view.dims[0] *= (int64_t)w->samples;
    view.data = all;
    TRY(ferry_tensor_file_write(path, &view, &err));
    free(all);
}

static void slice(worker *w, double ms, double *times)
{
    const double cpu_before = seconds(CLOCK_PROCESS_CPUTIME_ID), warm_until = now_ms() + ms * 0.3;
    size_t n = 0;
    do run(w);
    while (now_ms() < warm_until);
    const double cpu_begin = seconds(CLOCK_PROCESS_CPUTIME_ID), begin = now_ms();
    for (double t = begin; n < LEAST_TIMES || (t < begin + ms && n < MOST_TIMES); n++) {
        const double started = now_ms();
        run(w);
        t = now_ms();
        times[n] = t - started;
    }
    const double wall = now_ms() - begin, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    printf("{\"cpu_s\":%.6f,\"wall_s\":%.6f,\"cpu_all_s\":%.6f,\"rss_peak_mb\":%.3f,\"times_ms\":[", cpu - cpu_begin,
           wall * 1e-3, cpu - cpu_before, memory_mb("VmHWM"));
    for (size_t i = 0; i < n; i++) printf("%s%.5f", i ? "," : "", times[i]);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static double times[MOST_TIMES];
    char line[64];
    worker w = {0};
    ferry_error err = {.text = ""};
    if (argc != 5) fail("usage", "ferry_worker ENGINE INPUTS.npy OUTPUTS.npy THREADS");
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    const ferry_runtime_options cpu = {.size = sizeof cpu, .device = "cpu"};
    const double begun = now_ms();
    TRY(ferry_runtime_create(&cpu, &w.runtime, &err));
    read_inputs(&w, argv[2]);
    reset_peak();
    const double base_mb = memory_mb("VmHWM"), before = now_ms();
    load(&w, argv[1], atoi(argv[4]));
    const double ready = now_ms();
    make_outputs(&w);
    const double bound = now_ms();
    run(&w);
    printf("{\"import_ms\":%.3f,\"load_ms\":%.3f,\"first_ms\":%.3f,\"rss_base_mb\":%.3f}\n", before - begun,
           ready - before, now_ms() - bound, base_mb);
    while (fgets(line, sizeof line, stdin)) slice(&w, atof(line), times);
    write_outputs(&w, argv[3]);
    return 0;
}
