// SPDX-License-Identifier: Apache-2.0
// Times of a kernel: in the processor's own time, or on a device in a graph of many runs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "support/kernel_internal.h"

static double processor_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void *on_device(ferry_device *device, ferry_device_stream *stream, const guarded *memory, ferry_binding *binding)
{
    binding->data = device->backend->alloc(device, memory->bytes);
    assert_non_null(binding->data);
    assert_int_equal(
        device->backend->copy(stream, FERRY_COPY_HOST_TO_DEVICE, binding->data, memory->data, memory->bytes, NULL),
        FERRY_OK);
    return binding->data;
}

// Microseconds of a run in the middle of others, as a graph of many.
static double time_graph(const ferry_kernel *kernel, ferry_device_stream *stream, const kernel_bound *b,
                         void *workspace)
{
    enum { RUNS = 20, ROUNDS = 9 };
    const ferry_backend *backend = kernel->device->backend;
    ferry_device_event *events[2];
    void *graph = NULL;
    double least = INFINITY;
    for (int i = 0; i < 2; i++) assert_int_equal(backend->event_create(kernel->device, &events[i], NULL), FERRY_OK);
    assert_int_equal(backend->capture_begin(stream, NULL), FERRY_OK);
    for (int i = 0; i < RUNS; i++) backend->enqueue(stream, kernel, b->in_bindings, b->out_bindings, workspace, NULL);
    assert_int_equal(backend->capture_end(stream, &graph, NULL), FERRY_OK);
    for (int i = 0; i < ROUNDS; i++) {
        double ms = 0;
        assert_int_equal(backend->event_record(stream, events[0], NULL), FERRY_OK);
        assert_int_equal(backend->capture_launch(graph, stream, NULL), FERRY_OK);
        assert_int_equal(backend->event_record(stream, events[1], NULL), FERRY_OK);
        assert_int_equal(backend->event_elapsed(events[0], events[1], &ms, NULL), FERRY_OK);
        if (i > 1 && ms * 1e3 / RUNS < least) least = ms * 1e3 / RUNS;
    }
    backend->capture_destroy(graph);
    for (int i = 0; i < 2; i++) backend->event_destroy(events[i]);
    return least;
}

// The same for a device with a memory of its own.
void kernel_time_offer_there(kernel_state *s, const ferry_offer *o, const ferry_kernel *kernel,
                             ferry_device_stream *stream)
{
    kernel_bound b = {0};
    kernel_bind(s, o, &b);
    ferry_device *device = kernel->device;
    size_t bytes = kernel->workspace_bytes;
    void *workspace = bytes ? device->backend->alloc(device, bytes) : NULL;
    for (int32_t i = 0; i < s->region.n_inputs; i++)
        bytes += b.in_memory[i].bytes, on_device(device, stream, &b.in_memory[i], &b.in_bindings[i]);
    for (int32_t i = 0; i < s->region.n_outputs; i++)
        bytes += b.out_memory[i].bytes, on_device(device, stream, &b.out_memory[i], &b.out_bindings[i]);
    const double us = time_graph(kernel, stream, &b, workspace);
    printf("  %-26s %s to %s: %8.2f us (price %8.2f), %6.0f GB/s\n", o->tactic, o->in_layout ? "last " : "plain",
           o->out_layout ? "last " : "plain", us, o->cost_us, (double)bytes / us * 1e-3);
    for (int32_t i = 0; i < s->region.n_inputs; i++)
        device->backend->free(device, b.in_bindings[i].data, b.in_memory[i].bytes);
    for (int32_t i = 0; i < s->region.n_outputs; i++)
        device->backend->free(device, b.out_bindings[i].data, b.out_memory[i].bytes);
    if (workspace) device->backend->free(device, workspace, kernel->workspace_bytes);
    kernel_unbind(s, &b);
    s->ran++;
}

void kernel_time_offer(kernel_state *s, const ferry_offer *o, const ferry_kernel *kernel, ferry_device_stream *stream)
{
    kernel_bound b = {0};
    kernel_bind(s, o, &b);
    guarded workspace = guarded_make(kernel->workspace_bytes, 64);
    double least = INFINITY, total = 0;
    for (int i = 0; i < 1000 && (i < 5 || total < 3e5); i++) {
        const double begin = processor_us();
        kernel->device->backend->enqueue(stream, kernel, b.in_bindings, b.out_bindings, workspace.data, NULL);
        const double us = processor_us() - begin;
        if (us < least) least = us;
        total += us;
    }
    if (s->plain_us == 0) s->plain_us = least;
    printf("%-14s %-22s %-11s %s to %s: %10.1f us, %5.1f x", s->test->op, o->tactic, s->isa,
           o->in_layout ? "last " : "plain", o->out_layout ? "last " : "plain", least, s->plain_us / least);
    if (s->work > 0) printf(", %7.1f G/s", s->work / least / 1e3);
    printf("\n");
    guarded_free(&workspace);
    kernel_unbind(s, &b);
    s->ran++;
}
