// SPDX-License-Identifier: Apache-2.0
// The mock device itself: memory, queue and events. What it computes is in mock_kernels.c.
#include "support/mock_device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "backend/cpu/cpu.h"
#include "base/log.h"
#include "support/mock_internal.h"

static atomic_size_t commands_run, blocks_in_use;

size_t mock_commands_run(void)
{
    return atomic_load(&commands_run);
}

size_t mock_blocks_in_use(void)
{
    return atomic_load(&blocks_in_use);
}

// --- The device and its memory -------------------------------------------------------------------------------------

static bool has_word(const char *selector, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = selector; (at = strstr(at, word)); at += n)
        if ((at == selector || at[-1] == '+') && (at[n] == 0 || at[n] == '+')) return true;
    return false;
}

static ferry_status map_memory(mock_device *d, ferry_error *err)
{
    const int file = memfd_create("mock device", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)d->memory_bytes) != 0) {
        if (file >= 0) close(file);
        return ferry_fail_memory(err, "mock memory");
    }
    // The addresses that the host knows fault when touched; the device reaches the same pages elsewhere.
    d->seen = mmap(NULL, d->memory_bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    d->own = mmap(NULL, d->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    close(file);
    return d->seen != MAP_FAILED && d->own != MAP_FAILED ? FERRY_OK : ferry_fail_memory(err, "mock memory");
}

static void close_device(ferry_device *device)
{
    mock_device *d = (mock_device *)device;
    if (!d) return;
    if (d->seen && d->seen != MAP_FAILED) munmap(d->seen, d->memory_bytes);
    if (d->own && d->own != MAP_FAILED) munmap(d->own, d->memory_bytes);
    if (d->n_blocks != 0) {
        fprintf(stderr, "mock device: closed with %zu blocks in use\n", d->n_blocks);
        abort();
    }
    pthread_mutex_destroy(&d->mutex);
    ferry_delete(device->heap, d);
}

static ferry_status open_as(const ferry_backend *backend, const char *selector, const ferry_heap *heap,
                            const ferry_logger *logger, ferry_device **out, ferry_error *err)
{
    *out = NULL;
    if (has_word(selector, "absent"))
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "no mock device is plugged in (libmock.so.1 was not found)");
    mock_device *d = ferry_new(heap, mock_device);
    if (!d) return ferry_fail_memory(err, "a mock device");
    d->base = (ferry_device){.backend = backend, .heap = heap, .logger = logger};
    d->memory_bytes = has_word(selector, "small") ? (size_t)64 << 10 : (size_t)512 << 20;
    d->most_delay_us = has_word(selector, "slow") ? 3000 : has_word(selector, "steady") ? 0 : 200;
    d->no_conv = has_word(selector, "noconv");
    d->broken = has_word(selector, "broken");
    d->stuck = has_word(selector, "stuck");
    d->other = has_word(selector, "other");
    d->smash = has_word(selector, "smash");
    d->graphs = has_word(selector, "graphs");
    d->no_graph = has_word(selector, "nograph");
    pthread_mutex_init(&d->mutex, NULL);
    const ferry_status s = map_memory(d, err);
    if (s != FERRY_OK) {
        close_device(&d->base);
        return s;
    }
    *out = &d->base;
    return FERRY_OK;
}

static void describe(const ferry_device *device, ferry_device_info *out)
{
    const mock_device *d = (const mock_device *)device;
    *out = (ferry_device_info){.memory_bytes = d->memory_bytes, .host_memory = false, .synchronous = false};
    snprintf(out->name, sizeof out->name, "mock device (%s)", device->backend->name);
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s/mock/%s", device->backend->name, d->other ? "2" : "1");
}

static void *alloc(ferry_device *device, size_t bytes)
{
    mock_device *d = (mock_device *)device;
    char *found = NULL;
    bytes = ferry_align_size(bytes ? bytes : 1, 256);
    pthread_mutex_lock(&d->mutex);
    size_t at = 0, i = 0; // blocks are sorted by offset: the first gap that is large enough
    for (; i < d->n_blocks && d->blocks[i].offset - at < bytes; i++) at = d->blocks[i].offset + d->blocks[i].bytes;
    if (d->n_blocks < MOCK_BLOCKS && d->memory_bytes - at >= bytes) {
        memmove(&d->blocks[i + 1], &d->blocks[i], (d->n_blocks - i) * sizeof *d->blocks);
        d->blocks[i] = (mock_block){at, bytes};
        d->n_blocks++;
        found = d->seen + at;
        memset(d->own + at, 0xA5, bytes);
        atomic_fetch_add(&blocks_in_use, 1);
    }
    pthread_mutex_unlock(&d->mutex);
    return found;
}

static void free_block(ferry_device *device, void *pointer, size_t bytes)
{
    mock_device *d = (mock_device *)device;
    bytes = ferry_align_size(bytes ? bytes : 1, 256);
    pthread_mutex_lock(&d->mutex);
    size_t i = 0;
    while (i < d->n_blocks && d->seen + d->blocks[i].offset != (char *)pointer) i++;
    if (i == d->n_blocks || d->blocks[i].bytes != bytes) {
        fprintf(stderr, "mock device: free of %p, %zu bytes, which is no block\n", pointer, bytes);
        abort();
    }
    memmove(&d->blocks[i], &d->blocks[i + 1], (d->n_blocks - i - 1) * sizeof *d->blocks);
    d->n_blocks--;
    atomic_fetch_sub(&blocks_in_use, 1);
    pthread_mutex_unlock(&d->mutex);
}

void *mock_own(const mock_device *d, const void *pointer, size_t bytes)
{
    const char *p = pointer;
    if (p < d->seen || p > d->seen + d->memory_bytes || bytes > (size_t)(d->seen + d->memory_bytes - p)) {
        fprintf(stderr, "mock device: %p, %zu bytes, is not in its memory\n", pointer, bytes);
        abort();
    }
    return d->own + (p - d->seen);
}

static void *alloc_pinned(ferry_device *device, size_t bytes)
{
    return ferry_heap_alloc_uninit(device->heap, bytes);
}

static void free_pinned(ferry_device *device, void *pointer, size_t bytes)
{
    ferry_heap_free(device->heap, pointer, bytes);
}

// --- Streams: a ring and a thread ----------------------------------------------------------------------------------

struct ferry_device_event {
    mock_device *device;
    pthread_mutex_t mutex;
    pthread_cond_t reached;
    bool recorded, complete;
    double time_s;
};

typedef struct command {
    enum { COMMAND_KERNEL, COMMAND_COPY, COMMAND_RECORD } kind;
    const mock_kernel *kernel;
    ferry_binding in[MOCK_BINDINGS], out[MOCK_BINDINGS];
    void *workspace;
    ferry_copy_kind copy;
    void *to;
    const void *from;
    size_t bytes;
    ferry_device_event *event;
} command;

enum { RING = 64 };

typedef struct mock_graph mock_graph;

struct ferry_device_stream {
    mock_device *device;
    mock_graph *captured; // not NULL: commands go there
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t queued, done;
    command ring[RING];
    size_t head, count;
    bool closing;
    ferry_status failure;
    ferry_error failure_text;
};

static ferry_status run_copy(const mock_device *d, const command *c)
{
    const void *from = c->copy == FERRY_COPY_HOST_TO_DEVICE ? c->from : mock_own(d, c->from, c->bytes);
    void *to = c->copy == FERRY_COPY_DEVICE_TO_HOST ? c->to : mock_own(d, c->to, c->bytes);
    if (c->bytes) memmove(to, from, c->bytes);
    return FERRY_OK;
}

static void reach(ferry_device_event *e)
{
    pthread_mutex_lock(&e->mutex);
    e->complete = true;
    e->time_s = ferry_clock_s();
    pthread_cond_broadcast(&e->reached);
    pthread_mutex_unlock(&e->mutex);
}

static ferry_status run_command(mock_device *d, const command *c, ferry_error *err)
{
    switch (c->kind) {
    case COMMAND_KERNEL:
        if (d->broken) return ferry_fail(err, FERRY_ERR_INTERNAL, "the mock device is broken");
        return mock_kernel_run(c->kernel, c->in, c->out, c->workspace, err);
    case COMMAND_COPY:
        return run_copy(d, c);
    case COMMAND_RECORD:
        reach(c->event);
        return FERRY_OK;
    }
    return FERRY_OK;
}

static void dawdle(const mock_device *d, uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    const struct timespec wait = {.tv_nsec =
                                      d->most_delay_us ? (long)((*state >> 8) % d->most_delay_us) * 1000 : 300000};
    nanosleep(&wait, NULL);
}

static void *work(void *argument)
{
    ferry_device_stream *s = argument;
    uint32_t state = 12345;
    pthread_mutex_lock(&s->mutex);
    for (;;) {
        while (s->count == 0 && !s->closing) pthread_cond_wait(&s->queued, &s->mutex);
        if (s->count == 0) break;
        const command *c = &s->ring[s->head];
        pthread_mutex_unlock(&s->mutex);
        dawdle(s->device, &state);
        ferry_error err = {.text = ""};
        const ferry_status status = run_command(s->device, c, &err);
        atomic_fetch_add(&commands_run, 1);
        pthread_mutex_lock(&s->mutex);
        if (status != FERRY_OK && s->failure == FERRY_OK) {
            s->failure = status;
            s->failure_text = err;
        }
        s->head = (s->head + 1) % RING;
        s->count--;
        pthread_cond_broadcast(&s->done);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static void push(ferry_device_stream *s, const command *c)
{
    pthread_mutex_lock(&s->mutex);
    while (s->count == RING) pthread_cond_wait(&s->done, &s->mutex);
    s->ring[(s->head + s->count) % RING] = *c;
    s->count++;
    pthread_cond_signal(&s->queued);
    pthread_mutex_unlock(&s->mutex);
}

// --- Graphs: commands that are kept, and pushed as often as the graph is launched -----------------------------------

enum { GRAPH_COMMANDS = 256 };

struct mock_graph {
    mock_device *device;
    size_t count;
    command commands[GRAPH_COMMANDS]; // as captured: their addresses name tensors
    size_t n_bound;
    struct {
        const void *from;
        void *to;
    } bound[MOCK_BINDINGS * 4];
};

static atomic_size_t graphs_captured, graphs_launched, graphs_alive, graphs_rebound;

mock_graph_counts mock_graphs(void)
{
    return (mock_graph_counts){atomic_load(&graphs_captured), atomic_load(&graphs_launched), atomic_load(&graphs_alive),
                               atomic_load(&graphs_rebound)};
}

static ferry_status capture_begin(ferry_device_stream *stream, ferry_error *err)
{
    if (!stream->device->graphs && !stream->device->no_graph)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "this mock device captures no graphs");
    if (stream->captured) return ferry_fail(err, FERRY_ERR_INTERNAL, "the mock stream captures already");
    stream->captured = ferry_new(stream->device->base.heap, mock_graph);
    if (!stream->captured) return ferry_fail_memory(err, "a mock graph");
    stream->captured->device = stream->device;
    return FERRY_OK;
}

static void capture_destroy(void *graph)
{
    mock_graph *g = graph;
    if (!g) return;
    atomic_fetch_sub(&graphs_alive, 1);
    ferry_delete(g->device->base.heap, g);
}

static ferry_status capture_end(ferry_device_stream *stream, void **out_graph, ferry_error *err)
{
    mock_graph *g = stream->captured;
    *out_graph = NULL;
    if (!g) return ferry_fail(err, FERRY_ERR_INTERNAL, "the mock stream does not capture");
    stream->captured = NULL;
    atomic_fetch_add(&graphs_alive, 1);
    if (stream->device->no_graph || g->count > GRAPH_COMMANDS) {
        capture_destroy(g);
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "the mock graph came to nothing");
    }
    atomic_fetch_add(&graphs_captured, 1);
    *out_graph = g;
    return FERRY_OK;
}

static ferry_status capture_rebind(void *graph, const void *from, void *to, ferry_error *err)
{
    mock_graph *g = graph;
    size_t i = 0;
    while (i < g->n_bound && g->bound[i].from != from) i++;
    if (i == sizeof g->bound / sizeof *g->bound) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "too many tensors");
    g->bound[i].from = from;
    g->bound[i].to = to;
    if (i == g->n_bound) g->n_bound++;
    atomic_fetch_add(&graphs_rebound, 1);
    return FERRY_OK;
}

static void rebind(const mock_graph *g, ferry_binding *bindings, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        for (size_t b = 0; b < g->n_bound; b++)
            if (bindings[i].data == g->bound[b].from) {
                bindings[i].data = g->bound[b].to;
                break;
            }
}

static ferry_status capture_launch(void *graph, ferry_device_stream *stream, ferry_error *err)
{
    const mock_graph *g = graph;
    (void)err;
    for (size_t i = 0; i < g->count; i++) {
        command c = g->commands[i];
        rebind(g, c.in, c.kernel->n_in);
        rebind(g, c.out, c.kernel->n_out);
        push(stream, &c);
    }
    atomic_fetch_add(&graphs_launched, 1);
    return FERRY_OK;
}

static ferry_status enqueue(ferry_device_stream *stream, const ferry_kernel *kernel, const ferry_binding *in,
                            const ferry_binding *out, void *workspace, ferry_error *err)
{
    const mock_kernel *k = (const mock_kernel *)kernel;
    (void)err;
    command c = {.kind = COMMAND_KERNEL, .kernel = k, .workspace = workspace};
    memcpy(c.in, in, (size_t)k->n_in * sizeof *in);
    memcpy(c.out, out, (size_t)k->n_out * sizeof *out);
    if (stream->captured) {
        if (stream->captured->count < GRAPH_COMMANDS) stream->captured->commands[stream->captured->count] = c;
        stream->captured->count++;
        return FERRY_OK;
    }
    push(stream, &c);
    return FERRY_OK;
}

static ferry_status copy(ferry_device_stream *stream, ferry_copy_kind kind, void *to, const void *from, size_t bytes,
                         ferry_error *err)
{
    (void)err;
    const command c = {.kind = COMMAND_COPY, .copy = kind, .to = to, .from = from, .bytes = bytes};
    push(stream, &c);
    return FERRY_OK;
}

static ferry_status stream_create(ferry_device *device, int32_t threads, ferry_device_stream **out, ferry_error *err)
{
    (void)threads;
    *out = NULL;
    ferry_device_stream *s = ferry_new(device->heap, ferry_device_stream);
    if (!s) return ferry_fail_memory(err, "a mock stream");
    s->device = (mock_device *)device;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->queued, NULL);
    pthread_cond_init(&s->done, NULL);
    if (pthread_create(&s->thread, NULL, work, s) != 0) abort();
    *out = s;
    return FERRY_OK;
}

static void stream_destroy(ferry_device_stream *stream)
{
    if (!stream) return;
    pthread_mutex_lock(&stream->mutex);
    stream->closing = true;
    pthread_cond_signal(&stream->queued);
    pthread_mutex_unlock(&stream->mutex);
    pthread_join(stream->thread, NULL);
    pthread_cond_destroy(&stream->done);
    pthread_cond_destroy(&stream->queued);
    pthread_mutex_destroy(&stream->mutex);
    ferry_delete(stream->device->base.heap, stream);
}

static ferry_status stream_wait(ferry_device_stream *stream, ferry_error *err)
{
    pthread_mutex_lock(&stream->mutex);
    while (stream->count > 0) pthread_cond_wait(&stream->done, &stream->mutex);
    const ferry_status s = stream->failure;
    if (s != FERRY_OK) ferry_fail(err, s, "%s", stream->failure_text.text);
    stream->failure = FERRY_OK;
    pthread_mutex_unlock(&stream->mutex);
    return s;
}

// --- Events --------------------------------------------------------------------------------------------------------

static ferry_status event_create(ferry_device *device, ferry_device_event **out, ferry_error *err)
{
    *out = ferry_new(device->heap, ferry_device_event);
    if (!*out) return ferry_fail_memory(err, "a mock event");
    (*out)->device = (mock_device *)device;
    pthread_mutex_init(&(*out)->mutex, NULL);
    pthread_cond_init(&(*out)->reached, NULL);
    return FERRY_OK;
}

static void event_destroy(ferry_device_event *event)
{
    if (!event) return;
    pthread_cond_destroy(&event->reached);
    pthread_mutex_destroy(&event->mutex);
    ferry_delete(event->device->base.heap, event);
}

static ferry_status event_record(ferry_device_stream *stream, ferry_device_event *event, ferry_error *err)
{
    (void)err;
    pthread_mutex_lock(&event->mutex);
    event->recorded = true;
    event->complete = false;
    pthread_mutex_unlock(&event->mutex);
    const command c = {.kind = COMMAND_RECORD, .event = event};
    push(stream, &c);
    return FERRY_OK;
}

static ferry_status event_elapsed(ferry_device_event *begin, ferry_device_event *end, double *out_ms, ferry_error *err)
{
    ferry_device_event *const both[2] = {begin, end};
    double times[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&both[i]->mutex);
        const bool recorded = both[i]->recorded;
        while (recorded && !both[i]->complete) pthread_cond_wait(&both[i]->reached, &both[i]->mutex);
        times[i] = both[i]->time_s;
        pthread_mutex_unlock(&both[i]->mutex);
        if (!recorded) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "an event was never recorded");
    }
    *out_ms = (times[1] - times[0]) * 1e3;
    return FERRY_OK;
}

// --- The tables ----------------------------------------------------------------------------------------------------

#define MOCK_BACKEND(symbol, text)                                                                                     \
    static ferry_status symbol##_open(const char *selector, const ferry_heap *heap, const ferry_logger *logger,        \
                                      ferry_device **out, ferry_error *err)                                            \
    {                                                                                                                  \
        return open_as(&symbol, selector, heap, logger, out, err);                                                     \
    }                                                                                                                  \
    const ferry_backend symbol = {                                                                                     \
        .abi = FERRY_BACKEND_ABI,                                                                                      \
        .name = text,                                                                                                  \
        .open = symbol##_open,                                                                                         \
        .close = close_device,                                                                                         \
        .describe = describe,                                                                                          \
        .offer = mock_offer,                                                                                           \
        .why_not = mock_why_not,                                                                                       \
        .pack = mock_pack,                                                                                             \
        .prepare = mock_prepare,                                                                                       \
        .prepare_reformat = mock_prepare_reformat,                                                                     \
        .release = mock_release,                                                                                       \
        .enqueue = enqueue,                                                                                            \
        .copy = copy,                                                                                                  \
        .alloc = alloc,                                                                                                \
        .free = free_block,                                                                                            \
        .alloc_pinned = alloc_pinned,                                                                                  \
        .free_pinned = free_pinned,                                                                                    \
        .stream_create = stream_create,                                                                                \
        .stream_destroy = stream_destroy,                                                                              \
        .stream_wait = stream_wait,                                                                                    \
        .event_create = event_create,                                                                                  \
        .event_destroy = event_destroy,                                                                                \
        .event_record = event_record,                                                                                  \
        .event_elapsed = event_elapsed,                                                                                \
        .capture_begin = capture_begin,                                                                                \
        .capture_end = capture_end,                                                                                    \
        .capture_rebind = capture_rebind,                                                                              \
        .capture_launch = capture_launch,                                                                              \
        .capture_destroy = capture_destroy,                                                                            \
    };

MOCK_BACKEND(mock_backend, "mock")
MOCK_BACKEND(mock_backend_cuda, "cuda")
MOCK_BACKEND(mock_backend_dla, "dla")

const ferry_backend *const mock_and_cpu[] = {&mock_backend, &ferry_backend_cpu, NULL};
const ferry_backend *const mock_gpu_dla_cpu[] = {&mock_backend_cuda, &mock_backend_dla, &ferry_backend_cpu, NULL};
