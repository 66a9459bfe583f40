// SPDX-License-Identifier: Apache-2.0
// Streams: a thread each, that does later what was queued before.
#include <stdlib.h>
#include <time.h>

#include "driver/emulator.h"

#define IDLE_NS 50000 // a stream that was idle begins so much later: nobody may lean on work being done at once

struct emulated_stream {
    struct emulated_stream *next; // of all streams
    pthread_t thread;
    emulated_command *first, **last;
    uint64_t queued, done;
    CUgraph capture; // not NULL: what is queued goes there
    bool stop;
};

pthread_mutex_t emulated_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t emulated_changed = PTHREAD_COND_INITIALIZER;
static struct emulated_stream *streams, *default_stream;

/// With the lock held, which is given back while the command runs. True if it was the last: then the memory has been
/// closed before anybody hears of it.
static bool run_first(CUstream s)
{
    emulated_command *const c = s->first;
    s->first = c->next;
    if (!s->first) s->last = &s->first;
    pthread_mutex_unlock(&emulated_lock);
    c->run(c);
    pthread_mutex_lock(&emulated_lock);
    const bool was_last = !s->first;
    if (was_last) {
        pthread_mutex_unlock(&emulated_lock);
        emulated_memory_close();
        pthread_mutex_lock(&emulated_lock);
    }
    s->done++;
    pthread_cond_broadcast(&emulated_changed);
    return was_last;
}

static void *stream_main(void *argument)
{
    CUstream s = argument;
    pthread_mutex_lock(&emulated_lock);
    for (;;) {
        while (!s->first && !s->stop) pthread_cond_wait(&emulated_changed, &emulated_lock);
        if (!s->first) break;
        pthread_mutex_unlock(&emulated_lock);
        nanosleep(&(struct timespec){.tv_nsec = IDLE_NS}, NULL);
        emulated_memory_open();
        pthread_mutex_lock(&emulated_lock);
        while (!run_first(s)) {
        }
    }
    pthread_mutex_unlock(&emulated_lock);
    return NULL;
}

static CUresult create(CUstream *out)
{
    CUstream s = calloc(1, sizeof *s);
    if (!s) return CUDA_ERROR_OUT_OF_MEMORY;
    s->last = &s->first;
    if (pthread_create(&s->thread, NULL, stream_main, s) != 0) {
        free(s);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    pthread_mutex_lock(&emulated_lock);
    s->next = streams;
    streams = s;
    pthread_mutex_unlock(&emulated_lock);
    *out = s;
    return CUDA_SUCCESS;
}

/// NULL is the default stream, made when it is first used.
static CUresult resolve(CUstream *stream)
{
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    if (*stream) return CUDA_SUCCESS;
    pthread_mutex_lock(&making);
    const CUresult r = default_stream ? CUDA_SUCCESS : create(&default_stream);
    *stream = default_stream;
    pthread_mutex_unlock(&making);
    return r;
}

CUresult emulated_enqueue(CUstream stream, emulated_command *command)
{
    CUresult r = emulated_ready();
    if (!r) r = resolve(&stream);
    if (!r && stream->capture) r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (r) return r;
    pthread_mutex_lock(&emulated_lock);
    command->next = NULL;
    *stream->last = command;
    stream->last = &command->next;
    stream->queued++;
    pthread_cond_broadcast(&emulated_changed);
    pthread_mutex_unlock(&emulated_lock);
    return CUDA_SUCCESS;
}

CUgraph *emulated_capture(CUstream stream)
{
    static CUgraph none; // the default stream captures nothing
    return stream ? &stream->capture : &none;
}

static void wait_for(CUstream s)
{
    const uint64_t queued = s->queued;
    while (s->done < queued) pthread_cond_wait(&emulated_changed, &emulated_lock);
}

void emulated_wait_for_all(void)
{
    pthread_mutex_lock(&emulated_lock);
    for (CUstream s = streams; s; s = s->next) wait_for(s);
    pthread_mutex_unlock(&emulated_lock);
}

// --- Calls -----------------------------------------------------------------------------------------------------------

EXPORT(cuStreamCreate, (CUstream * out, unsigned flags))
{
    *out = NULL;
    if (flags & ~(unsigned)CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
    const CUresult r = emulated_ready();
    return r ? r : create(out);
}

EXPORT(cuStreamCreateWithPriority, (CUstream * out, unsigned flags, int priority))
{
    (void)priority;
    return cuStreamCreate(out, flags);
}

EXPORT(cuStreamDestroy_v2, (CUstream stream))
{
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    pthread_mutex_lock(&emulated_lock);
    stream->stop = true;
    pthread_cond_broadcast(&emulated_changed);
    pthread_mutex_unlock(&emulated_lock);
    pthread_join(stream->thread, NULL);
    pthread_mutex_lock(&emulated_lock);
    CUstream *at = &streams;
    while (*at != stream) at = &(*at)->next;
    *at = stream->next;
    pthread_mutex_unlock(&emulated_lock);
    free(stream);
    return CUDA_SUCCESS;
}

static size_t waits;

API size_t emulatedWaits(void);
size_t emulatedWaits(void)
{
    return __atomic_load_n(&waits, __ATOMIC_RELAXED);
}

EXPORT(cuStreamSynchronize, (CUstream stream))
{
    __atomic_add_fetch(&waits, 1, __ATOMIC_RELAXED);
    CUresult r = emulated_ready();
    if (!r) r = resolve(&stream);
    if (!r && stream->capture) r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (r) return r;
    pthread_mutex_lock(&emulated_lock);
    wait_for(stream);
    pthread_mutex_unlock(&emulated_lock);
    return emulated_ready();
}

EXPORT(cuStreamQuery, (CUstream stream))
{
    CUresult r = emulated_ready();
    if (!r) r = resolve(&stream);
    if (r) return r;
    pthread_mutex_lock(&emulated_lock);
    const bool idle = stream->done == stream->queued;
    pthread_mutex_unlock(&emulated_lock);
    return idle ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

typedef struct host_command {
    emulated_command base;
    void (*function)(void *);
    void *argument;
} host_command;

static void run_host(emulated_command *command)
{
    host_command *const c = (host_command *)command;
    c->function(c->argument);
    free(c);
}

EXPORT(cuLaunchHostFunc, (CUstream stream, void (*function)(void *), void *argument))
{
    if (!function) return CUDA_ERROR_INVALID_VALUE;
    host_command *const c = malloc(sizeof *c);
    if (!c) return CUDA_ERROR_OUT_OF_MEMORY;
    *c = (host_command){{.run = run_host}, function, argument};
    const CUresult r = emulated_enqueue(stream, &c->base);
    if (r) free(c);
    return r;
}

EXPORT(cuCtxSynchronize, (void))
{
    const CUresult r = emulated_ready();
    if (r) return r;
    emulated_wait_for_all();
    return emulated_ready();
}
