// SPDX-License-Identifier: Apache-2.0
// Descriptions that do not fit, as a damaged file may have them: a kernel refuses them, or stays inside.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "support/kernel_internal.h"

// What a file may say of a tensor; 0 <= way < MUTATIONS. False when this way changes nothing here.
enum { MUTATIONS = 9 + 3 * FERRY_MAX_RANK };

static bool mutate(ferry_tensor_desc *desc, int way)
{
    const ferry_tensor_desc before = *desc;
    const int32_t d = way < 9 ? 0 : (way - 9) / 3;
    switch (way) {
    case 0:
        desc->layout = desc->layout == FERRY_LAYOUT_PLAIN ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        break;
    case 1:
        desc->dtype = FERRY_F32;
        break;
    case 2:
        desc->dtype = FERRY_F16;
        break;
    case 3:
        desc->dtype = FERRY_S8;
        break;
    case 4:
        desc->dtype = FERRY_S64;
        break;
    case 5:
        desc->rank--;
        break;
    case 6:
        if (desc->rank < FERRY_MAX_RANK) desc->dims[desc->rank++] = 2;
        break;
    case 7:
        desc->bounded = true;
        return true;
    case 8:
        if (desc->rank >= 2) desc->dims[0] = desc->dims[1] = (int64_t)1 << 40;
        break;
    default:
        if (d >= desc->rank) return false;
        desc->dims[d] = (way - 9) % 3 == 0 ? 0 : (way - 9) % 3 == 1 ? desc->dims[d] + 1 : desc->dims[d] / 2;
        break;
    }
    if (desc->rank < 0) return false;
    ferry_tensor_desc_set_strides(desc);
    return memcmp(&before, desc, sizeof before) != 0;
}

// A kernel that took it must stay inside tensors of that description.
static void run_mutated(kernel_state *s, const ferry_offer *o, ferry_device_stream *stream, const ferry_kernel *kernel,
                        kernel_bound *b, int way)
{
    const int32_t n_in = s->region.n_inputs, n = n_in + s->region.n_outputs;
    ferry_error err = {.text = ""};
    bool whole = true, fits = kernel->workspace_bytes < (1 << 24);
    size_t bytes[2 * MOST] = {0};
    for (int32_t i = 0; i < n; i++)
        fits = fits && ferry_tensor_desc_bytes(i < n_in ? &b->in[i] : &b->out[i - n_in], &bytes[i]) &&
               bytes[i] < (1 << 24);
    if (!fits) return;
    for (int32_t i = 0; i < n; i++) {
        ferry_tensor_desc *desc = i < n_in ? &b->in[i] : &b->out[i - n_in];
        guarded *memory = i < n_in ? &b->in_memory[i] : &b->out_memory[i - n_in];
        *memory = guarded_make(bytes[i], ferry_dtype_bytes(desc->dtype));
        memset(memory->data, 0, bytes[i]);
        if (way == 0 && i < n_in)
            kernel_relayout(desc, memory->data, kernel_tensor(s, s->region.inputs[i])->data, false);
        *(i < n_in ? &b->in_bindings[i] : &b->out_bindings[i - n_in]) = (ferry_binding){memory->data, desc->dims};
    }
    guarded workspace = guarded_make(kernel->workspace_bytes, 64);
    const ferry_status status = kernel_enqueue(s, stream, kernel, b, &workspace, &whole, &err);
    whole &= guarded_is_whole(&workspace);
    for (int32_t i = 0; i < n; i++) whole &= guarded_is_whole(i < n_in ? &b->in_memory[i] : &b->out_memory[i - n_in]);
    if (!whole)
        fail_msg("%s '%s': tactic %s, mutation %d: wrote outside of its buffers", s->test->op, s->test->inputs,
                 o->tactic, way);
    // Only the layout changed: whoever takes it must compute with it.
    for (int32_t i = 0; way == 0 && status == FERRY_OK && i < s->region.n_outputs; i++)
        kernel_compare(s, o, i, &b->out[i], b->out_bindings[i].data, "another layout");
    guarded_free(&workspace);
    kernel_unbind(s, b);
}

void kernel_try_mutations(kernel_state *s, ferry_device *device, const ferry_offer *o, const void *packed,
                          size_t packed_bytes)
{
    ferry_device_stream *stream = NULL;
    assert_int_equal(device->backend->stream_create(device, 1, &stream, NULL), FERRY_OK);
    for (int32_t i = 0; i < s->region.n_inputs + s->region.n_outputs; i++)
        for (int way = 0; way < MUTATIONS; way++) {
            kernel_bound b = {0};
            for (int32_t k = 0; k < s->region.n_inputs; k++)
                b.in[k] = kernel_describe(s, s->region.inputs[k], o->in_layout);
            for (int32_t k = 0; k < s->region.n_outputs; k++)
                b.out[k] = kernel_describe(s, s->region.outputs[k], o->out_layout);
            if (!mutate(i < s->region.n_inputs ? &b.in[i] : &b.out[i - s->region.n_inputs], way)) continue;
            ferry_kernel *kernel = NULL;
            ferry_error err = {.text = ""};
            if (device->backend->prepare(device, &s->region, o->tactic, b.in, b.out, packed, packed_bytes, &kernel,
                                         &err) != FERRY_OK) {
                assert_true(err.text[0] != 0);
                assert_null(kernel);
                continue;
            }
            run_mutated(s, o, stream, kernel, &b, way);
            device->backend->release(kernel);
        }
    device->backend->stream_destroy(stream);
}
