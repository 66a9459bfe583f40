// SPDX-License-Identifier: Apache-2.0
// Events: the last record counts; what waits holds on to the event, so that it may be destroyed meanwhile.
#include <stdlib.h>
#include <time.h>

#include "driver/emulator.h"

struct emulated_event {
    int references;
    bool timed;
    uint64_t recorded, done; // numbers of records
    double time_ms;
};

typedef struct event_command {
    emulated_command base;
    CUevent event;
    uint64_t record;
} event_command;

/// With the lock held.
static void release(CUevent event)
{
    if (--event->references == 0) free(event);
}

static void run_record(emulated_command *command)
{
    event_command *const c = (event_command *)command;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&emulated_lock);
    if (c->event->done < c->record) {
        c->event->done = c->record;
        c->event->time_ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
    }
    pthread_cond_broadcast(&emulated_changed);
    release(c->event);
    pthread_mutex_unlock(&emulated_lock);
    free(c);
}

static void run_wait(emulated_command *command)
{
    event_command *const c = (event_command *)command;
    pthread_mutex_lock(&emulated_lock);
    while (c->event->done < c->record) pthread_cond_wait(&emulated_changed, &emulated_lock);
    release(c->event);
    pthread_mutex_unlock(&emulated_lock);
    free(c);
}

static CUresult enqueue(CUstream stream, CUevent event, void (*run)(emulated_command *), bool record)
{
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    event_command *const c = calloc(1, sizeof *c);
    if (!c) return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&emulated_lock);
    event->references++;
    *c = (event_command){{.run = run}, event, record ? ++event->recorded : event->recorded};
    pthread_mutex_unlock(&emulated_lock);
    const CUresult r = emulated_enqueue(stream, &c->base);
    if (r) {
        pthread_mutex_lock(&emulated_lock);
        if (record) event->recorded--;
        release(event);
        pthread_mutex_unlock(&emulated_lock);
        free(c);
    }
    return r;
}

EXPORT(cuEventCreate, (CUevent * out, unsigned flags))
{
    *out = NULL;
    const CUresult r = emulated_ready();
    if (r) return r;
    CUevent event = calloc(1, sizeof *event);
    if (!event) return CUDA_ERROR_OUT_OF_MEMORY;
    event->references = 1;
    event->timed = !(flags & CU_EVENT_DISABLE_TIMING);
    *out = event;
    return CUDA_SUCCESS;
}

EXPORT(cuEventDestroy_v2, (CUevent event))
{
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    pthread_mutex_lock(&emulated_lock);
    release(event);
    pthread_mutex_unlock(&emulated_lock);
    return CUDA_SUCCESS;
}

EXPORT(cuEventRecord, (CUevent event, CUstream stream))
{
    return enqueue(stream, event, run_record, true);
}

EXPORT(cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags))
{
    return flags > 1 ? CUDA_ERROR_INVALID_VALUE : enqueue(stream, event, run_wait, false);
}

EXPORT(cuEventQuery, (CUevent event))
{
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    const CUresult r = emulated_ready();
    if (r) return r;
    pthread_mutex_lock(&emulated_lock);
    const bool done = event->done == event->recorded;
    pthread_mutex_unlock(&emulated_lock);
    return done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

EXPORT(cuEventSynchronize, (CUevent event))
{
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    const CUresult r = emulated_ready();
    if (r) return r;
    pthread_mutex_lock(&emulated_lock);
    const uint64_t recorded = event->recorded;
    while (event->done < recorded) pthread_cond_wait(&emulated_changed, &emulated_lock);
    pthread_mutex_unlock(&emulated_lock);
    return emulated_ready();
}

EXPORT(cuEventElapsedTime, (float *out_ms, CUevent begin, CUevent end))
{
    if (!begin || !end) return CUDA_ERROR_INVALID_HANDLE;
    CUresult r = emulated_ready();
    if (r) return r;
    pthread_mutex_lock(&emulated_lock);
    *out_ms = (float)(end->time_ms - begin->time_ms);
    if (begin->done < begin->recorded || end->done < end->recorded) r = CUDA_ERROR_NOT_READY;
    if (!begin->recorded || !end->recorded || !begin->timed || !end->timed) r = CUDA_ERROR_INVALID_HANDLE;
    pthread_mutex_unlock(&emulated_lock);
    return r;
}

EXPORT(cuEventElapsedTime_v2, (float *out_ms, CUevent begin, CUevent end))
{
    return cuEventElapsedTime(out_ms, begin, end);
}
