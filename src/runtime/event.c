// SPDX-License-Identifier: Apache-2.0
// Events: a counter of recordings asked for and reached.
#include "base/log.h"
#include "base/process.h"
#include "runtime/stream_internal.h"

struct ferry_event {
    atomic_int references;
    ferry_runtime *runtime; // retained
    pthread_mutex_t mutex;
    pthread_cond_t reached;
    unsigned process;             // generation of the process that made it
    uint64_t recorded, completed; // generations of recordings
    double time_s;                // of the last completion
    // Of the runtime's first device, where that works later: it knows better than the host when it came to a point.
    ferry_device_event *device_event; // NULL: there is none
    bool timed_by_device;             // the last recording was
};

ferry_status ferry_event_create(ferry_runtime *runtime, ferry_event **out, ferry_error *error)
{
    *out = NULL;
    FERRY_TRY(ferry_runtime_check_process(runtime, error));
    *out = ferry_new(runtime->heap, ferry_event);
    if (!*out) return ferry_fail_memory(error, "an event");
    atomic_init(&(*out)->references, 1);
    (*out)->runtime = runtime;
    (*out)->process = ferry_process_generation();
    ferry_runtime_retain(runtime);
    pthread_mutex_init(&(*out)->mutex, NULL);
    pthread_cond_init(&(*out)->reached, NULL);
    if (runtime->infos[0].synchronous) return FERRY_OK;
    const ferry_status s =
        runtime->devices[0]->backend->event_create(runtime->devices[0], &(*out)->device_event, error);
    if (s == FERRY_OK) return s;
    ferry_event_release(*out);
    *out = NULL;
    return s;
}

void ferry_event_release(ferry_event *event)
{
    if (!event || atomic_fetch_sub_explicit(&event->references, 1, memory_order_acq_rel) != 1) return;
    if (!ferry_process_is_foreign(event->process)) { // else a thread that is gone may hold them
        if (event->device_event) event->runtime->devices[0]->backend->event_destroy(event->device_event);
        pthread_cond_destroy(&event->reached);
        pthread_mutex_destroy(&event->mutex);
    }
    ferry_runtime *runtime = event->runtime;
    ferry_delete(runtime->heap, event);
    ferry_runtime_release(runtime);
}

bool ferry_event_record_on_device(ferry_event *event, ferry_device_stream *stream)
{
    const bool timed = event->device_event &&
                       event->runtime->devices[0]->backend->event_record(stream, event->device_event, NULL) == FERRY_OK;
    pthread_mutex_lock(&event->mutex);
    event->timed_by_device = timed;
    pthread_mutex_unlock(&event->mutex);
    return timed;
}

void ferry_event_complete(ferry_event *event, uint64_t generation)
{
    pthread_mutex_lock(&event->mutex);
    if (generation > event->completed) event->completed = generation;
    event->time_s = ferry_clock_s();
    pthread_cond_broadcast(&event->reached);
    pthread_mutex_unlock(&event->mutex);
    ferry_event_release(event);
}

static void await(ferry_event *event, uint64_t generation)
{
    pthread_mutex_lock(&event->mutex);
    while (event->completed < generation) pthread_cond_wait(&event->reached, &event->mutex);
    pthread_mutex_unlock(&event->mutex);
}

void ferry_event_await(ferry_event *event, uint64_t generation)
{
    await(event, generation);
    ferry_event_release(event);
}

static ferry_command make_command(ferry_command_kind kind, ferry_event *event, bool record)
{
    atomic_fetch_add_explicit(&event->references, 1, memory_order_relaxed);
    pthread_mutex_lock(&event->mutex);
    if (record) event->recorded++;
    const uint64_t generation = event->recorded;
    pthread_mutex_unlock(&event->mutex);
    return (ferry_command){.kind = kind, .u.record = {event, generation}};
}

static ferry_status check_both(const ferry_event *event, const ferry_stream *stream, ferry_error *err)
{
    FERRY_TRY(ferry_check_process(event->process, "event", err));
    return ferry_check_process(stream->process, "stream", err);
}

ferry_status ferry_event_record(ferry_event *event, ferry_stream *stream, ferry_error *error)
{
    FERRY_TRY(check_both(event, stream, error));
    const ferry_command command = make_command(FERRY_COMMAND_RECORD, event, true);
    ferry_stream_push(stream, &command);
    return FERRY_OK;
}

ferry_status ferry_stream_wait_event(ferry_stream *stream, ferry_event *event, ferry_error *error)
{
    FERRY_TRY(check_both(event, stream, error));
    const ferry_command command = make_command(FERRY_COMMAND_WAIT, event, false);
    ferry_stream_push(stream, &command);
    return FERRY_OK;
}

ferry_status ferry_event_wait(ferry_event *event, ferry_error *error)
{
    FERRY_TRY(ferry_check_process(event->process, "event", error));
    pthread_mutex_lock(&event->mutex);
    const uint64_t generation = event->recorded;
    pthread_mutex_unlock(&event->mutex);
    await(event, generation);
    return FERRY_OK;
}

ferry_status ferry_event_query(ferry_event *event, ferry_error *error)
{
    FERRY_TRY(ferry_check_process(event->process, "event", error));
    pthread_mutex_lock(&event->mutex);
    const bool complete = event->completed >= event->recorded;
    pthread_mutex_unlock(&event->mutex);
    return complete ? FERRY_OK : ferry_fail(error, FERRY_ERR_NOT_READY, "the event is not complete");
}

ferry_status ferry_event_elapsed(ferry_event *begin, ferry_event *end, double *out_ms, ferry_error *error)
{
    *out_ms = 0;
    double times[2];
    bool timed_by_device = true;
    ferry_event *const events[2] = {begin, end};
    for (int i = 0; i < 2; i++) {
        FERRY_TRY(ferry_check_process(events[i]->process, "event", error));
        pthread_mutex_lock(&events[i]->mutex);
        const bool complete = events[i]->recorded > 0 && events[i]->completed >= events[i]->recorded;
        times[i] = events[i]->time_s;
        timed_by_device &= events[i]->timed_by_device && events[i]->runtime == begin->runtime;
        pthread_mutex_unlock(&events[i]->mutex);
        if (!complete)
            return ferry_fail(error, FERRY_ERR_NOT_READY, "the %s event is not complete", i ? "end" : "begin");
    }
    if (timed_by_device)
        return begin->runtime->devices[0]->backend->event_elapsed(begin->device_event, end->device_event, out_ms,
                                                                  error);
    *out_ms = (times[1] - times[0]) * 1e3;
    return FERRY_OK;
}
