// SPDX-License-Identifier: Apache-2.0
// Times tiles of the CUDA backend's products on layers of real networks, beside what the price model says, each as a
// graph of many launches in a row: tiles and prices are chosen by these figures.
//   bench_cuda_products [DEVICE [BATCHES [TEXT...]]]     batches: 1,64; only tactics named so
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/device.h"
#include "base/f16.h"
#include "ops/infer.h"
#include "ops/op.h"

typedef struct layer {
    int channels, size, columns, kernel, stride;
    bool residual;
} layer;

static const layer layers[] = {
    {3, 224, 64, 7, 2, false},    {64, 56, 64, 1, 1, false},    {64, 56, 64, 3, 1, false},
    {64, 56, 256, 1, 1, true},    {256, 56, 64, 1, 1, false},   {256, 56, 128, 1, 1, false},
    {128, 56, 128, 3, 2, false},  {128, 28, 512, 1, 1, true},   {256, 56, 512, 1, 2, false},
    {512, 28, 128, 1, 1, false},  {128, 28, 128, 3, 1, false},  {256, 28, 256, 3, 2, false},
    {256, 14, 1024, 1, 1, true},  {1024, 14, 256, 1, 1, false}, {256, 14, 256, 3, 1, false},
    {512, 14, 512, 3, 2, false},  {512, 7, 2048, 1, 1, true},   {2048, 7, 512, 1, 1, false},
    {512, 7, 512, 3, 1, false},   {16, 112, 96, 1, 1, false},   {96, 56, 24, 1, 1, false},
    {24, 56, 144, 1, 1, false},   {384, 14, 64, 1, 1, true},    {160, 7, 960, 1, 1, false},
    {960, 7, 160, 1, 1, true},    {320, 7, 1280, 1, 1, false},  {64, 55, 128, 3, 1, false},
    {2048, 1, 1000, 1, 1, false},
};

typedef struct tactic {
    const char *name;
    double price;
    void *packed;
    size_t bytes;
    double us;
} tactic;

typedef struct job {
    ferry_device *device;
    ferry_graph graph;
    ferry_arena arena;
    ferry_region region;
    ferry_graph_view view;
    ferry_node_id node;
    const layer *what;
    int batch;
    tactic tactics[64];
    int count, packed;
    uint16_t *expected; // what the first tactic made of it
} job;

enum { MOST_JOBS = 3 * sizeof layers / sizeof *layers, LAUNCHES = 20, ROUNDS = 7 };
static job jobs[MOST_JOBS];
static int n_jobs, next_job;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void check(ferry_status s, const ferry_error *err)
{
    if (s == FERRY_OK) return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static ferry_value_id add_value(job *j, ferry_dtype dtype, int32_t rank, const int64_t *dims, bool constant)
{
    ferry_error err = {.text = ""};
    const ferry_shape shape = ferry_shape_of(rank, dims);
    ferry_value_id id = FERRY_NO_VALUE;
    if (!constant) {
        check(ferry_graph_add_value(&j->graph, NULL, dtype, &shape, &id, &err), &err);
        check(ferry_graph_mark_input(&j->graph, id, &err), &err);
        return id;
    }
    size_t n = ferry_dtype_bytes(dtype);
    for (int32_t d = 0; d < rank; d++) n *= (size_t)dims[d];
    unsigned char *data = malloc(n);
    for (size_t i = 0; i < n; i++) data[i] = i % 2 ? 0x20 | (rand() & 0x83) : rand() & 0xff; // small numbers as f16
    if (dtype == FERRY_F32) memset(data, 0, n);
    check(ferry_graph_add_constant(&j->graph, NULL, dtype, &shape, data, n, true, &id, &err), &err);
    free(data);
    return id;
}

static char **texts; // ends in NULL

static bool is_wanted(const char *name)
{
    for (char **text = texts; *text; text++)
        if (strstr(name, *text)) return true;
    return !*texts;
}

static ferry_status take(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    job *j = user;
    if (is_wanted(offer->tactic) &&
        offer->in_layout == (j->what->channels < 4 ? FERRY_LAYOUT_PLAIN : FERRY_LAYOUT_CHANNELS_LAST) && j->count < 64)
        j->tactics[j->count++] = (tactic){.name = offer->tactic, .price = offer->cost_us};
    return FERRY_OK;
}

static void build(job *j)
{
    ferry_error err = {.text = ""};
    const layer *l = j->what;
    ferry_graph_init(&j->graph, ferry_heap_default());
    ferry_arena_init(&j->arena, ferry_heap_default());
    const int pad = l->kernel / 2, out = (l->size + 2 * pad - l->kernel) / l->stride + 1;
    ferry_value_id in[4] = {
        add_value(j, FERRY_F16, 4, (const int64_t[]){j->batch, l->channels, l->size, l->size}, false),
        add_value(j, FERRY_F16, 4, (const int64_t[]){l->columns, l->channels, l->kernel, l->kernel}, true),
        add_value(j, FERRY_F32, 1, (const int64_t[]){l->columns}, true),
        l->residual ? add_value(j, FERRY_F16, 4, (const int64_t[]){j->batch, l->columns, out, out}, false)
                    : FERRY_NO_VALUE};
    int64_t pads[] = {pad, pad, pad, pad}, strides[] = {l->stride, l->stride};
    const char *relu = "relu";
    const ferry_attr attrs[] = {{.name = "pads", .kind = FERRY_ATTR_INTS, .count = 4, .u.ints = pads},
                                {.name = "strides", .kind = FERRY_ATTR_INTS, .count = 2, .u.ints = strides},
                                {.name = "act", .kind = FERRY_ATTR_STRING, .count = 1, .u.strings = &relu}};
    const ferry_shape unknown = ferry_shape_unknown();
    ferry_value_id y;
    check(ferry_graph_add_value(&j->graph, NULL, FERRY_DTYPE_NONE, &unknown, &y, &err), &err);
    check(ferry_graph_add_node(&j->graph, ferry_op_find("ferry", "FusedConv"), NULL, in, l->residual ? 4 : 3, &y, 1,
                               attrs, 3, &j->node, &err),
          &err);
    check(ferry_graph_mark_output(&j->graph, y, &err), &err);
    ferry_report report;
    ferry_report_init(&report, ferry_heap_default());
    check(ferry_graph_infer(&j->graph, NULL, 0, true, &report, &err), &err);
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    check(ferry_graph_users(&j->graph, &j->arena, &offsets, &users, &err), &err);
    check(ferry_region_make(&j->graph, offsets, users, &j->node, 1, &j->arena, &j->region, &err), &err);
    j->view = (ferry_graph_view){.graph = &j->graph, .user_offsets = offsets, .users = users};
    const ferry_offer_sink sink = {take, j};
    check(j->device->backend->offer(j->device, &j->view, j->node, &sink, &err), &err);
}

static void *pack_all(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (next_job < n_jobs && jobs[next_job].packed == jobs[next_job].count) next_job++;
        job *j = next_job < n_jobs ? &jobs[next_job] : NULL;
        tactic *t = j ? &j->tactics[j->packed++] : NULL;
        pthread_mutex_unlock(&mutex);
        if (!t) return NULL;
        ferry_error err = {.text = ""};
        check(j->device->backend->pack(j->device, &j->region, t->name, &t->packed, &t->bytes, &err), &err);
    }
}

static ferry_tensor_desc describe(const job *j, ferry_value_id id, ferry_tensor_layout layout, ferry_binding *binding)
{
    const ferry_value *v = &j->graph.values[id];
    ferry_tensor_desc d = {.dtype = v->dtype, .layout = layout, .rank = v->shape.rank};
    memcpy(d.dims, v->shape.dims, sizeof d.dims);
    ferry_tensor_desc_set_strides(&d);
    size_t bytes = 0;
    ferry_tensor_desc_bytes(&d, &bytes);
    if (!binding->data) {
        ferry_error err = {.text = ""};
        ferry_device_stream *stream = NULL;
        uint16_t *host = malloc(bytes);
        for (size_t i = 0; i < bytes / 2; i++) host[i] = (uint16_t)(0x2c00 | (rand() & 0x83ff));
        binding->data = j->device->backend->alloc(j->device, bytes);
        check(j->device->backend->stream_create(j->device, 1, &stream, &err), &err);
        check(j->device->backend->copy(stream, FERRY_COPY_HOST_TO_DEVICE, binding->data, host, bytes, &err), &err);
        check(j->device->backend->stream_wait(stream, &err), &err);
        j->device->backend->stream_destroy(stream);
        free(host);
    }
    return d;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// How far the output is from that of the first tactic that ran, relative to it; kept for small outputs only.
static double difference(job *j, ferry_device_stream *stream, const ferry_binding *out, size_t bytes)
{
    if (bytes > (size_t)4 << 20) return 0;
    ferry_error err = {.text = ""};
    uint16_t *host = malloc(bytes);
    check(j->device->backend->copy(stream, FERRY_COPY_DEVICE_TO_HOST, host, out->data, bytes, &err), &err);
    check(j->device->backend->stream_wait(stream, &err), &err);
    if (!j->expected) {
        j->expected = host;
        return 0;
    }
    double sum = 0, all = 0;
    for (size_t i = 0; i < bytes / 2; i++) {
        const double a = ferry_f32_from_f16(host[i]), b = ferry_f32_from_f16(j->expected[i]);
        sum += (a - b) * (a - b), all += b * b;
    }
    free(host);
    return all > 0 ? sqrt(sum / all) : 1;
}

// Microseconds of a launch in the middle of others.
static double measure(job *j, const tactic *t, ferry_device_stream *stream, ferry_device_event *events[2],
                      ferry_binding *in, ferry_binding *out)
{
    const ferry_backend *b = j->device->backend;
    ferry_error err = {.text = ""};
    ferry_tensor_desc in_desc[2], out_desc;
    for (int32_t i = 0; i < j->region.n_inputs; i++)
        in_desc[i] = describe(j, j->region.inputs[i],
                              j->what->channels < 4 ? FERRY_LAYOUT_PLAIN : FERRY_LAYOUT_CHANNELS_LAST, &in[i]);
    out_desc = describe(j, j->region.outputs[0], FERRY_LAYOUT_CHANNELS_LAST, out);
    ferry_kernel *kernel = NULL;
    check(b->prepare(j->device, &j->region, t->name, in_desc, &out_desc, t->packed, t->bytes, &kernel, &err), &err);
    void *workspace = kernel->workspace_bytes ? b->alloc(j->device, kernel->workspace_bytes) : NULL, *graph = NULL;
    check(b->capture_begin(stream, &err), &err);
    for (int i = 0; i < LAUNCHES; i++) check(b->enqueue(stream, kernel, in, out, workspace, &err), &err);
    check(b->capture_end(stream, &graph, &err), &err);
    double ms[ROUNDS];
    for (int i = -2; i < ROUNDS; i++) {
        check(b->event_record(stream, events[0], &err), &err);
        check(b->capture_launch(graph, stream, &err), &err);
        check(b->event_record(stream, events[1], &err), &err);
        double one = 0;
        check(b->event_elapsed(events[0], events[1], &one, &err), &err);
        if (i >= 0) ms[i] = one;
    }
    qsort(ms, ROUNDS, sizeof *ms, compare);
    b->capture_destroy(graph);
    size_t bytes = 0;
    ferry_tensor_desc_bytes(&out_desc, &bytes);
    const double wrong = difference(j, stream, out, bytes);
    if (!(wrong < 2e-3)) printf("%s: relative L2 %g from %s\n", t->name, wrong, j->tactics[0].name);
    if (workspace) b->free(j->device, workspace, kernel->workspace_bytes);
    b->release(kernel);
    return ms[ROUNDS / 2] * 1e3 / LAUNCHES;
}

static void report(job *j)
{
    const layer *l = j->what;
    int best = 0, cheapest = 0;
    for (int i = 1; i < j->count; i++) {
        if (j->tactics[i].us < j->tactics[best].us) best = i;
        if (j->tactics[i].price < j->tactics[cheapest].price) cheapest = i;
    }
    const int out = (l->size + l->stride - 1) / l->stride;
    const double gmacs = 1e-9 * j->batch * out * out * l->columns * l->channels * l->kernel * l->kernel;
    printf("\n%4d x %4d x %3d, %4d of %d/%d%s: best %s %.2f us (%.0f TFLOP/s), cheapest %s %.2f us\n", j->batch,
           l->channels, l->size, l->columns, l->kernel, l->stride, l->residual ? " + residual" : "",
           j->tactics[best].name, j->tactics[best].us, 2e-3 * gmacs / (j->tactics[best].us * 1e-6),
           j->tactics[cheapest].name, j->tactics[cheapest].us);
    for (int i = 0; i < j->count; i++)
        printf("  %s %.2f (%.2f)%s", j->tactics[i].name + 5, j->tactics[i].us, j->tactics[i].price,
               i % 5 == 4 || i + 1 == j->count ? "\n" : "");
}

int main(int argc, char **argv)
{
    ferry_error err = {.text = ""};
    ferry_device *device = NULL;
    const ferry_backend *b = &ferry_backend_cuda;
    check(b->open(argc > 1 ? argv[1] : "", ferry_heap_default(), NULL, &device, &err), &err);
    texts = argv + (argc < 3 ? argc : 3);
    for (const char *batch = argc > 2 ? argv[2] : "1,64"; batch;
         batch = strchr(batch, ',') ? strchr(batch, ',') + 1 : NULL)
        for (size_t i = 0; i < sizeof layers / sizeof *layers && n_jobs < MOST_JOBS; i++) {
            job *j = &jobs[n_jobs++];
            *j = (job){.device = device, .what = &layers[i], .batch = atoi(batch)};
            build(j);
        }
    pthread_t threads[16];
    for (int i = 0; i < 16; i++) pthread_create(&threads[i], NULL, pack_all, NULL);
    for (int i = 0; i < 16; i++) pthread_join(threads[i], NULL);
    ferry_device_stream *stream = NULL;
    ferry_device_event *events[2];
    check(b->stream_create(device, 1, &stream, &err), &err);
    for (int i = 0; i < 2; i++) check(b->event_create(device, &events[i], &err), &err);
    for (int n = 0; n < n_jobs; n++) {
        ferry_binding in[2] = {{0}}, out = {0};
        for (int i = 0; i < jobs[n].count; i++)
            jobs[n].tactics[i].us = measure(&jobs[n], &jobs[n].tactics[i], stream, events, in, &out);
        report(&jobs[n]);
        fflush(stdout);
        for (int i = 0; i < 2; i++)
            if (in[i].data) b->free(device, in[i].data, 0);
        b->free(device, out.data, 0);
        free(jobs[n].expected);
    }
    return 0;
}
