// SPDX-License-Identifier: Apache-2.0
#include "calibrate/observer.h"

#include <string.h>

#include "base/f16.h"

// A slice below this many elements is counted faster than another thread is woken.
enum { LEAST_SLICE = 32768, WIDEN_CHUNK = 2048 };

struct ferry_observer {
    const ferry_heap *heap;   // borrowed
    ferry_thread_pool *pool;  // borrowed, may be NULL
    ferry_histogram *tensors; // owned, [tensor_count]
    ferry_histogram *slices;  // owned, [slice_count]: what each thread counts of one tensor; NULL with one thread
    size_t tensor_count, slice_count;
};

ferry_status ferry_observer_create(const ferry_heap *heap, size_t tensor_count, ferry_thread_pool *pool,
                                   ferry_observer **out, ferry_error *err)
{
    *out = NULL;
    ferry_observer *o = ferry_new(heap, ferry_observer);
    if (!o) return ferry_fail_memory(err, "the calibration observer");
    o->heap = heap;
    o->pool = pool;
    o->tensor_count = tensor_count;
    o->slice_count = ferry_thread_pool_threads(pool);
    o->tensors = ferry_heap_alloc_array(heap, tensor_count, sizeof *o->tensors);
    if (o->tensors && o->slice_count > 1) o->slices = ferry_heap_alloc_array(heap, o->slice_count, sizeof *o->slices);
    if (!o->tensors || (o->slice_count > 1 && !o->slices)) {
        ferry_observer_destroy(o);
        return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "out of memory for the histograms of %zu tensors",
                          tensor_count);
    }
    for (size_t i = 0; i < tensor_count; i++) ferry_histogram_init(&o->tensors[i]);
    *out = o;
    return FERRY_OK;
}

void ferry_observer_destroy(ferry_observer *observer)
{
    if (!observer) return;
    ferry_heap_free(observer->heap, observer->tensors, observer->tensor_count * sizeof *observer->tensors);
    ferry_heap_free(observer->heap, observer->slices, observer->slice_count * sizeof *observer->slices);
    ferry_delete(observer->heap, observer);
}

size_t ferry_observer_tensor_count(const ferry_observer *observer)
{
    return observer->tensor_count;
}

static float widen(ferry_dtype dtype, const void *data, size_t i)
{
    uint16_t half;
    double wide;
    switch (dtype) {
    case FERRY_F16:
        memcpy(&half, (const char *)data + i * sizeof half, sizeof half);
        return ferry_f32_from_f16(half);
    case FERRY_BF16:
        memcpy(&half, (const char *)data + i * sizeof half, sizeof half);
        return ferry_f32_from_bf16(half);
    default:
        memcpy(&wide, (const char *)data + i * sizeof wide, sizeof wide);
        return (float)wide;
    }
}

static void add_values(ferry_histogram *h, ferry_dtype dtype, const void *data, size_t begin, size_t count)
{
    if (dtype == FERRY_F32) {
        ferry_histogram_add(h, (const float *)data + begin, count);
        return;
    }
    float values[WIDEN_CHUNK];
    for (size_t done = 0; done < count; done += WIDEN_CHUNK) {
        const size_t n = count - done < WIDEN_CHUNK ? count - done : WIDEN_CHUNK;
        for (size_t i = 0; i < n; i++) values[i] = widen(dtype, data, begin + done + i);
        ferry_histogram_add(h, values, n);
    }
}

typedef struct slice_job {
    ferry_observer *observer;
    const void *data;
    size_t count, slice;
    ferry_dtype dtype;
} slice_job;

static void add_slice(void *context, size_t index, size_t n)
{
    const slice_job *job = context;
    (void)n;
    ferry_histogram *h = &job->observer->slices[index];
    const size_t begin = index * job->slice;
    const size_t left = job->count - begin;
    ferry_histogram_init(h);
    add_values(h, job->dtype, job->data, begin, left < job->slice ? left : job->slice);
}

ferry_status ferry_observer_observe(ferry_observer *observer, size_t tensor, ferry_dtype dtype, const void *data,
                                    size_t count, ferry_error *err)
{
    if (tensor >= observer->tensor_count)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "tensor %zu of %zu is observed", tensor,
                          observer->tensor_count);
    if (dtype != FERRY_F32 && dtype != FERRY_F16 && dtype != FERRY_BF16 && dtype != FERRY_F64)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "tensor %zu has type %s; calibration observes floats",
                          tensor, ferry_dtype_name(dtype));
    ferry_histogram *h = &observer->tensors[tensor];
    size_t slices = count / LEAST_SLICE;
    if (slices > observer->slice_count) slices = observer->slice_count;
    if (slices <= 1) {
        add_values(h, dtype, data, 0, count);
        return FERRY_OK;
    }
    slice_job job = {observer, data, count, count / slices + (count % slices != 0), dtype};
    slices = count / job.slice + (count % job.slice != 0);
    ferry_parallel_1d(observer->pool, add_slice, &job, slices, 1);
    for (size_t i = 0; i < slices; i++) ferry_histogram_merge(h, &observer->slices[i]);
    return FERRY_OK;
}

const ferry_histogram *ferry_observer_histogram(const ferry_observer *observer, size_t tensor)
{
    return tensor < observer->tensor_count ? &observer->tensors[tensor] : NULL;
}

ferry_histogram *ferry_observer_take(ferry_observer *observer)
{
    ferry_histogram *taken = observer->tensors;
    observer->tensors = NULL;
    return taken;
}

ferry_status ferry_observer_merge(ferry_observer *into, const ferry_observer *from, ferry_error *err)
{
    if (into->tensor_count != from->tensor_count)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "observers of %zu and of %zu tensors cannot be merged",
                          into->tensor_count, from->tensor_count);
    for (size_t i = 0; i < into->tensor_count; i++) ferry_histogram_merge(&into->tensors[i], &from->tensors[i]);
    return FERRY_OK;
}
