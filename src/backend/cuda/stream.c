// SPDX-License-Identifier: Apache-2.0
// Streams, copies and events of the driver, as the contract of a backend has them.
#include "backend/cuda/device.h"

#include "base/heap.h"

struct ferry_device_event {
    ferry_cuda_device *device;
    ferry_cu_event event;
    bool recorded;
};

ferry_status ferry_cuda_stream_create(ferry_device *device, int32_t threads, ferry_device_stream **out,
                                      ferry_error *err)
{
    (void)threads;
    *out = NULL;
    ferry_cuda_device *d = (ferry_cuda_device *)device;
    FERRY_TRY(ferry_cuda_enter(d, err));
    ferry_device_stream *stream = ferry_new(device->heap, ferry_device_stream);
    ferry_status s = stream ? FERRY_OK : ferry_fail_memory(err, "a CUDA stream");
    if (s == FERRY_OK) {
        stream->device = d;
        s = ferry_cu_check(d->driver, d->driver->cuStreamCreate(&stream->stream, FERRY_CU_STREAM_NON_BLOCKING),
                           "making a stream", err);
        if (s != FERRY_OK) ferry_delete(device->heap, stream);
    }
    ferry_cuda_leave(d);
    if (s == FERRY_OK) *out = stream;
    return s;
}

void ferry_cuda_stream_destroy(ferry_device_stream *stream)
{
    if (!stream) return;
    ferry_cuda_device *d = stream->device;
    ferry_cuda_capture_destroy(stream->capture);
    if (ferry_cuda_enter(d, NULL) == FERRY_OK) {
        (void)d->driver->cuStreamSynchronize(stream->stream);
        (void)d->driver->cuStreamDestroy_v2(stream->stream);
        ferry_cuda_leave(d);
    }
    ferry_delete(d->base.heap, stream);
}

ferry_status ferry_cuda_stream_wait(ferry_device_stream *stream, ferry_error *err)
{
    ferry_cuda_device *d = stream->device;
    FERRY_TRY(ferry_cuda_enter(d, err));
    const ferry_status s =
        ferry_cu_check(d->driver, d->driver->cuStreamSynchronize(stream->stream), "waiting for the GPU", err);
    ferry_cuda_leave(d);
    return s;
}

ferry_status ferry_cuda_copy(ferry_device_stream *stream, ferry_copy_kind kind, void *to, const void *from,
                             size_t bytes, ferry_error *err)
{
    ferry_cuda_device *d = stream->device;
    if (bytes == 0) return FERRY_OK;
    if (stream->capture) return ferry_fail(err, FERRY_ERR_INTERNAL, "a copy while a graph is captured");
    FERRY_TRY(ferry_cuda_enter(d, err));
    const ferry_cu_pointer device_to = (ferry_cu_pointer)(uintptr_t)to, device_from = (ferry_cu_pointer)(uintptr_t)from;
    ferry_cu_result r = 0;
    switch (kind) {
    case FERRY_COPY_HOST_TO_DEVICE:
        r = d->driver->cuMemcpyHtoDAsync_v2(device_to, from, bytes, stream->stream);
        break;
    case FERRY_COPY_DEVICE_TO_HOST:
        r = d->driver->cuMemcpyDtoHAsync_v2(to, device_from, bytes, stream->stream);
        break;
    case FERRY_COPY_DEVICE_TO_DEVICE:
        r = d->driver->cuMemcpyDtoDAsync_v2(device_to, device_from, bytes, stream->stream);
        break;
    }
    const ferry_status s = ferry_cu_check(d->driver, r, "copying to or from the GPU", err);
    ferry_cuda_leave(d);
    return s;
}

ferry_status ferry_cuda_event_create(ferry_device *device, ferry_device_event **out, ferry_error *err)
{
    *out = NULL;
    ferry_cuda_device *d = (ferry_cuda_device *)device;
    FERRY_TRY(ferry_cuda_enter(d, err));
    ferry_device_event *event = ferry_new(device->heap, ferry_device_event);
    ferry_status s = event ? FERRY_OK : ferry_fail_memory(err, "an event");
    if (s == FERRY_OK) {
        event->device = d;
        s = ferry_cu_check(d->driver, d->driver->cuEventCreate(&event->event, FERRY_CU_EVENT_DEFAULT),
                           "making an event", err);
        if (s != FERRY_OK) ferry_delete(device->heap, event);
    }
    ferry_cuda_leave(d);
    if (s == FERRY_OK) *out = event;
    return s;
}

void ferry_cuda_event_destroy(ferry_device_event *event)
{
    if (!event) return;
    ferry_cuda_device *d = event->device;
    if (ferry_cuda_enter(d, NULL) == FERRY_OK) {
        (void)d->driver->cuEventDestroy_v2(event->event);
        ferry_cuda_leave(d);
    }
    ferry_delete(d->base.heap, event);
}

ferry_status ferry_cuda_event_record(ferry_device_stream *stream, ferry_device_event *event, ferry_error *err)
{
    ferry_cuda_device *d = stream->device;
    FERRY_TRY(ferry_cuda_enter(d, err));
    const ferry_status s =
        ferry_cu_check(d->driver, d->driver->cuEventRecord(event->event, stream->stream), "recording an event", err);
    event->recorded |= s == FERRY_OK;
    ferry_cuda_leave(d);
    return s;
}

ferry_status ferry_cuda_event_elapsed(ferry_device_event *begin, ferry_device_event *end, double *out_ms,
                                      ferry_error *err)
{
    ferry_cuda_device *d = begin->device;
    if (!begin->recorded || !end->recorded)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "an event was never recorded");
    FERRY_TRY(ferry_cuda_enter(d, err));
    float ms = 0;
    ferry_cu_result r = d->driver->cuEventSynchronize(begin->event);
    if (r == 0) r = d->driver->cuEventSynchronize(end->event);
    if (r == 0) r = d->driver->cuEventElapsedTime(&ms, begin->event, end->event);
    const ferry_status s = ferry_cu_check(d->driver, r, "asking for a time", err);
    ferry_cuda_leave(d);
    *out_ms = (double)ms;
    return s;
}
