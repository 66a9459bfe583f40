// SPDX-License-Identifier: Apache-2.0
// Streams: a ring of commands and one thread that takes them in order. Nothing is allocated when a command is queued.
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/process.h"
#include "runtime/stream_internal.h"

// Waits for all that devices still work on, and tells who waits for it.
static ferry_status settle(ferry_stream *s, ferry_error *err)
{
    ferry_status status = FERRY_OK;
    for (int32_t d = 0; d < s->runtime->n_devices; d++) {
        if (!s->outstanding[d]) continue;
        s->outstanding[d] = false;
        const ferry_status w =
            s->runtime->devices[d]->backend->stream_wait(s->device_streams[d], status == FERRY_OK ? err : NULL);
        if (status == FERRY_OK) status = w;
    }
    for (size_t i = 0; i < s->n_unfinished; i++) {
        const ferry_unfinished *u = &s->unfinished[i];
        if (u->slot)
            ferry_context_return_slot(u->slot);
        else
            ferry_event_complete(u->event, u->generation);
    }
    s->n_unfinished = 0;
    return status;
}

static bool is_outstanding(const ferry_stream *s, int32_t from)
{
    for (int32_t d = from; d < s->runtime->n_devices; d++)
        if (s->outstanding[d]) return true;
    return false;
}

static void keep(ferry_stream *s, ferry_unfinished u)
{
    s->unfinished[s->n_unfinished++] = u;
}

static ferry_status copy(ferry_stream *s, const ferry_command *c, ferry_error *err)
{
    static const ferry_copy_kind kinds[] = {FERRY_COPY_HOST_TO_DEVICE, FERRY_COPY_DEVICE_TO_HOST,
                                            FERRY_COPY_DEVICE_TO_DEVICE};
    const ferry_backend *backend = s->runtime->devices[0]->backend;
    // Streams of different devices know no order.
    if (is_outstanding(s, 1)) FERRY_TRY(settle(s, err));
    s->outstanding[0] = !s->runtime->infos[0].synchronous;
    return backend->copy(s->device_streams[0], kinds[c->u.copy.kind], c->u.copy.to, c->u.copy.from, c->u.copy.bytes,
                         err);
}

static ferry_status feed(ferry_stream *s, const ferry_command *c, ferry_error *err)
{
    const ferry_binding in[] = {{c->u.feed.picture, NULL}, {c->u.feed.tables, NULL}}, out = {c->u.feed.out, NULL};
    if (is_outstanding(s, 1)) FERRY_TRY(settle(s, err));
    s->outstanding[0] = true;
    return s->runtime->devices[0]->backend->enqueue(s->device_streams[0], c->u.feed.kernel, in, &out, NULL, err);
}

static ferry_status run_command(ferry_stream *s, const ferry_command *c, ferry_error *err)
{
    ferry_status status = FERRY_OK;
    switch (c->kind) {
    case FERRY_COMMAND_RUN:
        status = ferry_context_execute(c->u.slot->context, c->u.slot->bound, s->device_streams, s->outstanding, err);
        keep(s, (ferry_unfinished){.slot = c->u.slot});
        return status;
    case FERRY_COMMAND_COPY:
        return copy(s, c, err);
    case FERRY_COMMAND_FEED:
        return feed(s, c, err);
    case FERRY_COMMAND_CALL:
        status = settle(s, err);
        c->u.call.function(c->u.call.user);
        return status;
    case FERRY_COMMAND_RECORD:
        if (ferry_event_record_on_device(c->u.record.event, s->device_streams[0]))
            s->outstanding[0] = true;
        else
            status = settle(s, err);
        keep(s, (ferry_unfinished){.event = c->u.record.event, .generation = c->u.record.generation});
        return status;
    case FERRY_COMMAND_WAIT:
        status = settle(s, err);
        ferry_event_await(c->u.record.event, c->u.record.generation);
        return status;
    }
    return ferry_fail(err, FERRY_ERR_INTERNAL, "unknown command");
}

// After a failure, runs and copies are skipped until someone has waited and seen it; events still complete, so that
// nobody hangs.
static bool is_skipped(const ferry_stream *s, const ferry_command *c)
{
    return s->failure != FERRY_OK && c->kind != FERRY_COMMAND_CALL && c->kind != FERRY_COMMAND_RECORD &&
           c->kind != FERRY_COMMAND_WAIT;
}

// Runs the oldest command, whose turn it is. Called with the mutex, which is released meanwhile.
static void run_head(ferry_stream *s)
{
    const ferry_command command = s->ring[s->head];
    const bool skip = is_skipped(s, &command);
    s->running = true;
    pthread_mutex_unlock(&s->mutex);
    ferry_error err = {.text = ""};
    ferry_status status = FERRY_OK;
    if (!skip) {
        status = run_command(s, &command, &err);
    } else if (command.kind == FERRY_COMMAND_RUN) {
        ferry_context_return_slot(command.u.slot);
    }
    pthread_mutex_lock(&s->mutex);
    // Whatever comes next is queued behind it on the device; only when nothing does is it waited for.
    if (s->count == 1 || s->n_unfinished == FERRY_STREAM_UNFINISHED || !is_outstanding(s, 0)) {
        pthread_mutex_unlock(&s->mutex);
        const ferry_status settled = settle(s, status == FERRY_OK ? &err : NULL);
        if (status == FERRY_OK) status = settled;
        pthread_mutex_lock(&s->mutex);
    }
    s->running = false;
    if (status != FERRY_OK && s->failure == FERRY_OK) {
        s->failure = status;
        s->failure_text = err;
    }
    s->head = (s->head + 1) % FERRY_STREAM_RING;
    s->count--;
    pthread_cond_broadcast(&s->done);
    // The stream's thread may have slept through a signal while another thread was running the command before.
    if (s->count || s->closing) pthread_cond_signal(&s->queued);
}

static void *work(void *argument)
{
    ferry_stream *s = argument;
    pthread_mutex_lock(&s->mutex);
    for (;;) {
        while (s->running || (s->count == 0 && !s->closing)) pthread_cond_wait(&s->queued, &s->mutex);
        if (s->count == 0) break;
        run_head(s);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

// Whether another thread than the stream's may run it: whatever calls a user's function belongs to the stream's own
// thread, and what only waits had better sleep there.
static bool is_free_of_callbacks(const ferry_command *c)
{
    if (c->kind == FERRY_COMMAND_RUN) return !c->u.slot->context->profiler && !c->u.slot->context->observer;
    return c->kind == FERRY_COMMAND_COPY || c->kind == FERRY_COMMAND_FEED || c->kind == FERRY_COMMAND_RECORD;
}

// Who waits works instead, where the stream's thread has not begun yet: handing a command over and back takes longer
// than a small network runs.
static void finish_all(ferry_stream *s)
{
    while (s->count > 0) {
        if (!s->running && is_free_of_callbacks(&s->ring[s->head]))
            run_head(s);
        else
            pthread_cond_wait(&s->done, &s->mutex);
    }
}

static ferry_status open_device_streams(ferry_stream *s, int32_t threads, ferry_error *err)
{
    for (int32_t d = 0; d < s->runtime->n_devices; d++) {
        ferry_device *device = s->runtime->devices[d];
        FERRY_TRY(device->backend->stream_create(device, threads, &s->device_streams[d], err));
    }
    return FERRY_OK;
}

ferry_status ferry_stream_create(ferry_runtime *runtime, const ferry_stream_options *options, ferry_stream **out,
                                 ferry_error *error)
{
    *out = NULL;
    ferry_stream_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_stream_options, &o, options, error));
    FERRY_TRY(ferry_runtime_check_process(runtime, error));
    if (o.threads < 0) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a stream with %d threads", o.threads);
    ferry_stream *s = ferry_new(runtime->heap, ferry_stream);
    if (!s) return ferry_fail_memory(error, "a stream");
    s->runtime = runtime;
    s->process = ferry_process_generation();
    ferry_runtime_retain(runtime);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->queued, NULL);
    pthread_cond_init(&s->done, NULL);
    ferry_status status = open_device_streams(s, o.threads, error);
    if (status == FERRY_OK && pthread_create(&s->thread, NULL, work, s) != 0)
        status = ferry_fail(error, FERRY_ERR_OUT_OF_MEMORY, "no thread for a stream");
    s->has_thread = status == FERRY_OK;
    if (status != FERRY_OK) {
        ferry_stream_release(s);
        return status;
    }
    *out = s;
    return FERRY_OK;
}

// In a child of its process a stream is only memory: its threads, here and inside the devices, are not there to be
// joined, and its locks may be theirs. What the devices keep of it stays where it is.
static void release_foreign(ferry_stream *stream)
{
    ferry_runtime *runtime = stream->runtime;
    ferry_delete(runtime->heap, stream);
    ferry_runtime_release(runtime);
}

void ferry_stream_release(ferry_stream *stream)
{
    if (!stream) return;
    if (ferry_process_is_foreign(stream->process)) {
        release_foreign(stream);
        return;
    }
    if (stream->has_thread) {
        pthread_mutex_lock(&stream->mutex);
        stream->closing = true;
        pthread_cond_signal(&stream->queued);
        pthread_mutex_unlock(&stream->mutex);
        pthread_join(stream->thread, NULL);
    }
    ferry_runtime *runtime = stream->runtime;
    for (int32_t d = 0; d < runtime->n_devices; d++)
        if (stream->device_streams[d]) runtime->devices[d]->backend->stream_destroy(stream->device_streams[d]);
    pthread_cond_destroy(&stream->done);
    pthread_cond_destroy(&stream->queued);
    pthread_mutex_destroy(&stream->mutex);
    ferry_delete(runtime->heap, stream);
    ferry_runtime_release(runtime);
}

static void append(ferry_stream *s, const ferry_command *command)
{
    while (s->count == FERRY_STREAM_RING) pthread_cond_wait(&s->done, &s->mutex);
    s->ring[(s->head + s->count) % FERRY_STREAM_RING] = *command;
    s->count++;
}

void ferry_stream_push(ferry_stream *stream, const ferry_command *command)
{
    pthread_mutex_lock(&stream->mutex);
    append(stream, command);
    pthread_cond_signal(&stream->queued);
    pthread_mutex_unlock(&stream->mutex);
}

ferry_status ferry_stream_check_outside(const ferry_stream *stream, ferry_error *err)
{
    FERRY_TRY(ferry_check_process(stream->process, "stream", err));
    if (!pthread_equal(pthread_self(), stream->thread)) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the stream's own thread would wait for itself");
}

// The first failure since the last time; with the mutex.
static ferry_status take_failure(ferry_stream *s, ferry_error *err)
{
    const ferry_status status = s->failure;
    if (status != FERRY_OK) {
        ferry_fail(err, status, "%s", s->failure_text.text);
        s->failure = FERRY_OK;
    }
    return status;
}

ferry_status ferry_stream_wait(ferry_stream *stream, ferry_error *error)
{
    FERRY_TRY(ferry_stream_check_outside(stream, error));
    pthread_mutex_lock(&stream->mutex);
    finish_all(stream);
    const ferry_status status = take_failure(stream, error);
    pthread_mutex_unlock(&stream->mutex);
    return status;
}

ferry_status ferry_stream_query(ferry_stream *stream, ferry_error *error)
{
    FERRY_TRY(ferry_check_process(stream->process, "stream", error));
    pthread_mutex_lock(&stream->mutex);
    const size_t left = stream->count;
    pthread_mutex_unlock(&stream->mutex);
    return left ? ferry_fail(error, FERRY_ERR_NOT_READY, "%zu commands are waiting or running", left) : FERRY_OK;
}

ferry_status ferry_stream_copy(ferry_stream *stream, ferry_copy kind, void *to, const void *from, size_t bytes,
                               ferry_error *error)
{
    FERRY_TRY(ferry_check_process(stream->process, "stream", error));
    if ((unsigned)kind > FERRY_COPY_ON_DEVICE || (bytes && (!to || !from)))
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a copy of kind %d between %p and %p", (int)kind, to,
                          from);
    const ferry_command command = {.kind = FERRY_COMMAND_COPY, .u.copy = {kind, to, from, bytes}};
    ferry_stream_push(stream, &command);
    return FERRY_OK;
}

ferry_status ferry_stream_call(ferry_stream *stream, void (*function)(void *user), void *user, ferry_error *error)
{
    FERRY_TRY(ferry_check_process(stream->process, "stream", error));
    if (!function) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "no function to call");
    const ferry_command command = {.kind = FERRY_COMMAND_CALL, .u.call = {function, user}};
    ferry_stream_push(stream, &command);
    return FERRY_OK;
}

ferry_status ferry_stream_check_runtime(const ferry_stream *stream, const ferry_engine *engine, ferry_error *err)
{
    if (stream->runtime == engine->runtime) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the stream belongs to another runtime than the context");
}

static ferry_status make_run(ferry_context *context, const ferry_stream *stream, ferry_command *out, ferry_error *err)
{
    FERRY_TRY(ferry_check_process(context->process, "context", err));
    FERRY_TRY(ferry_check_process(stream->process, "stream", err));
    FERRY_TRY(ferry_stream_check_runtime(stream, context->engine, err));
    FERRY_TRY(ferry_context_prepare(context, err));
    ferry_run_slot *slot = ferry_context_take_slot(context, err);
    *out = (ferry_command){.kind = FERRY_COMMAND_RUN, .u.slot = slot};
    return slot ? FERRY_OK : FERRY_ERR_INVALID_ARGUMENT;
}

ferry_status ferry_context_enqueue(ferry_context *context, ferry_stream *stream, ferry_error *error)
{
    ferry_command command;
    FERRY_TRY(make_run(context, stream, &command, error));
    ferry_stream_push(stream, &command);
    return FERRY_OK;
}

ferry_status ferry_context_enqueue_and_wait(ferry_context *context, ferry_stream *stream, ferry_error *err)
{
    ferry_command command;
    FERRY_TRY(make_run(context, stream, &command, err));
    pthread_mutex_lock(&stream->mutex);
    append(stream, &command);
    if (!is_free_of_callbacks(&command)) pthread_cond_signal(&stream->queued); // else this thread will see to it
    finish_all(stream);
    const ferry_status status = take_failure(stream, err);
    pthread_mutex_unlock(&stream->mutex);
    return status;
}
