// SPDX-License-Identifier: Apache-2.0
// One tactic of a device, run on a case in every way that it says it can.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "support/guarded.h"
#include "support/kernel_internal.h"

// over: the input that output 0 takes the memory of; -1: none.
static void run_once(kernel_state *s, const ferry_offer *o, const ferry_kernel *kernel, ferry_device_stream *stream,
                     int32_t over, const char *how)
{
    ferry_error err = {.text = ""};
    kernel_bound b = {0};
    kernel_bind(s, o, &b);
    guarded workspace = guarded_make(kernel->workspace_bytes, 64);
    ferry_binding aliased = b.out_bindings[0];
    if (over >= 0) {
        aliased = b.in_bindings[over];
        b.out_bindings[0].data = aliased.data;
    }
    bool whole = true;
    if (kernel_enqueue(s, stream, kernel, &b, &workspace, &whole, &err) != FERRY_OK)
        fail_msg("%s '%s': tactic %s: %s", s->test->op, s->test->inputs, o->tactic, err.text);
    whole &= guarded_is_whole(&workspace);
    for (int32_t i = 0; i < s->region.n_outputs; i++) {
        whole &= guarded_is_whole(&b.out_memory[i]);
        kernel_compare(s, o, i, &b.out[i], b.out_bindings[i].data, how);
    }
    for (int32_t i = 0; i < s->region.n_inputs; i++) whole &= guarded_is_whole(&b.in_memory[i]);
    whole &= kernel_gaps_are_whole(s, o, &b);
    if (!whole)
        fail_msg("%s '%s': tactic %s, %s, %s: wrote outside of its buffers", s->test->op, s->test->inputs, o->tactic,
                 s->isa, how);
    guarded_free(&workspace);
    kernel_unbind(s, &b);
    s->ran++;
}

// A blob that is too short must be refused, not read.
static void expect_refusal(kernel_state *s, ferry_device *device, const ferry_offer *o, const kernel_bound *b,
                           const void *packed, size_t bytes)
{
    ferry_kernel *kernel = NULL;
    ferry_error err = {.text = ""};
    guarded shorter = guarded_make(bytes - 1, 64);
    memcpy(shorter.data, packed, bytes - 1);
    if (device->backend->prepare(device, &s->region, o->tactic, b->in, b->out, shorter.data, bytes - 1, &kernel,
                                 &err) == FERRY_OK)
        fail_msg("%s '%s': tactic %s took packed data that is a byte too short", s->test->op, s->test->inputs,
                 o->tactic);
    guarded_free(&shorter);
}

// A GPU makes nothing of the number of threads.
static int32_t most_threads(const ferry_device *device)
{
    ferry_device_info info;
    device->backend->describe(device, &info);
    return info.synchronous ? 3 : 1;
}

// The same with tensors that are slices of wider ones.
static void try_slices(kernel_state *s, ferry_device *device, const ferry_offer *o, const void *packed,
                       size_t packed_bytes)
{
    if (!(o->flags & (FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES))) return;
    ferry_error err = {.text = ""};
    ferry_kernel *kernel = NULL;
    kernel_bound b = {0};
    s->slices = true;
    kernel_bind(s, o, &b);
    if (device->backend->prepare(device, &s->region, o->tactic, b.in, b.out, packed, packed_bytes, &kernel, &err) !=
        FERRY_OK)
        fail_msg("%s '%s' '%s': tactic %s, %s: prepare for slices: %s", s->test->op, s->test->inputs,
                 s->test->attrs ? s->test->attrs : "", o->tactic, s->isa, err.text);
    for (int32_t threads = 1; threads <= most_threads(device); threads += 2) {
        ferry_device_stream *stream = NULL;
        assert_int_equal(device->backend->stream_create(device, threads, &stream, NULL), FERRY_OK);
        run_once(s, o, kernel, stream, -1, threads == 1 ? "slices, 1 thread" : "slices, 3 threads");
        device->backend->stream_destroy(stream);
    }
    s->slices = false;
    device->backend->release(kernel);
    kernel_unbind(s, &b);
}

// Whether the tactic says that output 0 may take the memory of that input.
static bool may_lie_over(const ferry_offer *o, int32_t input, const ferry_tensor_desc *in, const ferry_tensor_desc *out)
{
    size_t in_bytes = 0, out_bytes = 0;
    if (!(o->flags & FERRY_OFFER_IN_PLACE_ANY) && (!(o->flags & FERRY_OFFER_IN_PLACE) || input > 0)) return false;
    return ferry_tensor_desc_bytes(in, &in_bytes) && ferry_tensor_desc_bytes(out, &out_bytes) &&
           in_bytes == out_bytes && in->rank == out->rank &&
           memcmp(in->dims, out->dims, (size_t)in->rank * sizeof *in->dims) == 0;
}

void kernel_try_offer(kernel_state *s, ferry_device *device, const ferry_offer *o)
{
    ferry_error err = {.text = ""};
    const ferry_backend *backend = device->backend;
    void *packed = NULL;
    size_t packed_bytes = 0;
    ferry_kernel *kernel = NULL;
    kernel_bound b = {0};
    kernel_bind(s, o, &b);
    if (backend->pack(device, &s->region, o->tactic, &packed, &packed_bytes, &err) != FERRY_OK)
        fail_msg("%s '%s': tactic %s: pack: %s", s->test->op, s->test->inputs, o->tactic, err.text);
    if (packed_bytes && !s->bench) expect_refusal(s, device, o, &b, packed, packed_bytes);
    // The packed data ends at a forbidden page too, where it would lie in an engine file.
    guarded exact = guarded_make(packed_bytes, 64);
    if (packed_bytes) memcpy(exact.data, packed, packed_bytes);
    if (backend->prepare(device, &s->region, o->tactic, b.in, b.out, packed_bytes ? exact.data : NULL, packed_bytes,
                         &kernel, &err) != FERRY_OK)
        fail_msg("%s '%s' '%s': tactic %s, %s: prepare: %s", s->test->op, s->test->inputs,
                 s->test->attrs ? s->test->attrs : "", o->tactic, s->isa, err.text);
    if (s->fill == 0 && !s->bench) kernel_try_mutations(s, device, o, packed_bytes ? exact.data : NULL, packed_bytes);
    for (int32_t threads = 1; threads <= most_threads(device); threads += 2) {
        ferry_device_stream *stream = NULL;
        assert_int_equal(backend->stream_create(device, threads, &stream, NULL), FERRY_OK);
        if (s->bench) {
            ferry_device_info info;
            backend->describe(device, &info);
            (info.host_memory ? kernel_time_offer : kernel_time_offer_there)(s, o, kernel, stream);
            backend->stream_destroy(stream);
            break;
        }
        run_once(s, o, kernel, stream, -1, threads == 1 ? "1 thread" : "3 threads");
        for (int32_t i = 0; i < s->region.n_inputs; i++)
            if (may_lie_over(o, i, &b.in[i], &b.out[0])) run_once(s, o, kernel, stream, i, "in place");
        backend->stream_destroy(stream);
    }
    backend->release(kernel);
    if (!s->bench) try_slices(s, device, o, packed_bytes ? exact.data : NULL, packed_bytes);
    guarded_free(&exact);
    kernel_unbind(s, &b);
    ferry_heap_free(device->heap, packed, packed_bytes);
}
