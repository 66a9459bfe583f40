// SPDX-License-Identifier: Apache-2.0
// Watches tensors go by, whoever computes them: one histogram for each tensor index.
#ifndef FERRY_SRC_CALIBRATE_OBSERVER_H_
#define FERRY_SRC_CALIBRATE_OBSERVER_H_

#include "base/heap.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "calibrate/histogram.h"

typedef struct ferry_observer ferry_observer;

/// Room for `tensor_count` tensors, some 33 KB each: nothing is allocated while observing. `pool` (borrowed, NULL
/// allowed) shares the counting of large tensors; results don't depend on it.
ferry_status ferry_observer_create(const ferry_heap *heap, size_t tensor_count, ferry_thread_pool *pool,
                                   ferry_observer **out, ferry_error *err);
void ferry_observer_destroy(ferry_observer *observer); // NULL accepted

size_t ferry_observer_tensor_count(const ferry_observer *observer);

/// Counts `count` elements of tensor `tensor`; `data` holds f32, f16, bf16 or f64 (rounded to f32), in host memory.
/// FERRY_ERR_INVALID_ARGUMENT for an unknown tensor or another type. One thread at a time, and not from a task of the
/// pool.
ferry_status ferry_observer_observe(ferry_observer *observer, size_t tensor, ferry_dtype dtype, const void *data,
                                    size_t count, ferry_error *err);

/// What was seen of a tensor; NULL past the end. Borrowed from the observer.
const ferry_histogram *ferry_observer_histogram(const ferry_observer *observer, size_t tensor);

/// Hands over the histograms [tensor_count], to be freed through the observer's heap. Only destroying is allowed then.
ferry_histogram *ferry_observer_take(ferry_observer *observer);

/// Adds all that `from` saw; both must have the same number of tensors.
ferry_status ferry_observer_merge(ferry_observer *into, const ferry_observer *from, ferry_error *err);

#endif // FERRY_SRC_CALIBRATE_OBSERVER_H_
