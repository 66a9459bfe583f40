// SPDX-License-Identifier: Apache-2.0
// What streams and events know of each other.
#ifndef FERRY_SRC_RUNTIME_STREAM_INTERNAL_H_
#define FERRY_SRC_RUNTIME_STREAM_INTERNAL_H_

#include "runtime/internal.h"

typedef enum ferry_command_kind {
    FERRY_COMMAND_RUN,
    FERRY_COMMAND_COPY,
    FERRY_COMMAND_CALL,
    FERRY_COMMAND_RECORD,
    FERRY_COMMAND_WAIT,
    FERRY_COMMAND_FEED
} ferry_command_kind;

typedef struct ferry_command {
    ferry_command_kind kind;
    union {
        ferry_run_slot *slot;
        struct {
            ferry_copy kind;
            void *to;
            const void *from;
            size_t bytes;
        } copy;
        struct {
            void (*function)(void *user);
            void *user;
        } call;
        struct {
            ferry_event *event; // a reference of its own
            uint64_t generation;
        } record; // and wait
        struct {
            const ferry_kernel *kernel; // of device 0
            void *picture, *tables, *out;
        } feed;
    } u;
} ferry_command;

enum { FERRY_STREAM_RING = 256, FERRY_STREAM_UNFINISHED = 32 };

/// A run or a recording whose command is over while a device still works on it.
typedef struct ferry_unfinished {
    ferry_run_slot *slot; // or
    ferry_event *event;   // with a reference of its own
    uint64_t generation;
} ferry_unfinished;

struct ferry_stream {
    ferry_runtime *runtime; // retained
    ferry_device_stream *device_streams[FERRY_PLAN_MAX_DEVICES];
    unsigned process; // generation of the process that has the thread
    // Of whoever runs the oldest command: what devices still work on. Commands that follow each other on a device need
    // no wait between them.
    bool outstanding[FERRY_PLAN_MAX_DEVICES];
    ferry_unfinished unfinished[FERRY_STREAM_UNFINISHED];
    size_t n_unfinished;
    pthread_t thread;
    bool has_thread, closing;
    pthread_mutex_t mutex; // of everything below
    pthread_cond_t queued, done;
    ferry_command ring[FERRY_STREAM_RING];
    size_t head, count;   // the command that runs stays in the ring until it is done
    bool running;         // the oldest command, on some thread
    ferry_status failure; // the first since the last wait
    ferry_error failure_text;
};

/// FERRY_ERR_INVALID_ARGUMENT on the stream's own thread: what waits for the stream there waits for itself.
ferry_status ferry_stream_check_outside(const ferry_stream *stream, ferry_error *err);

/// Queues a command; waits while the ring is full.
void ferry_stream_push(ferry_stream *stream, const ferry_command *command);

/// FERRY_ERR_INVALID_ARGUMENT when the stream is of another runtime than the engine.
ferry_status ferry_stream_check_runtime(const ferry_stream *stream, const ferry_engine *engine, ferry_error *err);

/// Has the device note when it comes to this point of its stream. False: it can't, since it never works later.
bool ferry_event_record_on_device(ferry_event *event, ferry_device_stream *stream);
/// The event's `generation`th recording is reached. Drops one reference.
void ferry_event_complete(ferry_event *event, uint64_t generation);
/// Waits until that recording is complete. Drops one reference.
void ferry_event_await(ferry_event *event, uint64_t generation);

#endif // FERRY_SRC_RUNTIME_STREAM_INTERNAL_H_
