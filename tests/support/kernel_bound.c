// SPDX-License-Identifier: Apache-2.0
// Tensors of a case as a kernel is given them, in guarded memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "support/device_memory.h"
#include "support/kernel_internal.h"

ferry_tensor_desc kernel_describe(const kernel_state *s, ferry_value_id value, ferry_tensor_layout layout)
{
    const ferry_value *v = &s->graph.values[value];
    ferry_tensor_desc d = {.dtype = v->dtype,
                           .layout = v->shape.rank < 3 ? FERRY_LAYOUT_PLAIN : layout,
                           .rank = v->shape.rank,
                           .quant = &v->quant};
    memcpy(d.dims, v->shape.dims, sizeof d.dims);
    ferry_tensor_desc_set_strides(&d);
    return d;
}

// Copies between a plain tensor and one as described, an element at a time.
void kernel_relayout(const ferry_tensor_desc *desc, char *there, char *plain, bool to_plain)
{
    const size_t bytes = ferry_dtype_bytes(desc->dtype);
    size_t n = 1;
    for (int32_t d = 0; d < desc->rank; d++) n *= (size_t)desc->dims[d];
    for (size_t i = 0; i < n; i++) {
        size_t rest = i;
        int64_t at = 0;
        for (int32_t d = desc->rank - 1; d >= 0; d--) {
            at += (int64_t)(rest % (size_t)desc->dims[d]) * desc->strides[d];
            rest /= (size_t)desc->dims[d];
        }
        char *a = plain + i * bytes, *b = there + (size_t)at * bytes;
        memcpy(to_plain ? a : b, to_plain ? b : a, bytes);
    }
}

void kernel_compare(const kernel_state *s, const ferry_offer *o, int32_t output, const ferry_tensor_desc *desc,
                    char *data, const char *how)
{
    const ferry_tensor *expected = kernel_tensor(s, s->region.outputs[output]);
    ferry_tensor got = *expected;
    const size_t n = ferry_tensor_elements(expected);
    got.data = malloc(ferry_tensor_bytes(expected) + 1);
    kernel_relayout(desc, data, got.data, true);
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double b = fabs(ferry_load_f64(expected, i));
        if (isfinite(b) && b > largest) largest = b;
    }
    for (size_t i = 0; i < n; i++) {
        const double a = ferry_load_f64(&got, i), b = ferry_load_f64(expected, i);
        if (a == b || (isnan(a) && isnan(b))) continue;
        const double allowed = s->test->of_largest * largest + s->test->of_each * fabs(b);
        if (fabs(a - b) <= allowed) continue;
        fail_msg("%s '%s' '%s': tactic %s, %s, layout %s to %s, %s, fill %d, seed %llu: element %zu of output %d is "
                 "%.9g, not %.9g (allowed %.3g)",
                 s->test->op, s->test->inputs, s->test->attrs ? s->test->attrs : "", o->tactic, s->isa,
                 ferry_tensor_layout_name(o->in_layout), ferry_tensor_layout_name(o->out_layout), how, s->fill,
                 (unsigned long long)s->seed, i, output, a, b, allowed);
    }
    free(got.data);
}

static bool is_slice(const kernel_state *s, const ferry_offer *o, const ferry_tensor_desc *desc, bool in)
{
    return s->slices && desc->rank >= 3 && desc->layout == FERRY_LAYOUT_CHANNELS_LAST &&
           (o->flags & (in ? FERRY_OFFER_READS_SLICES : FERRY_OFFER_WRITES_SLICES));
}

// Whether what lies between and before the positions of a slice is still what it was.
static bool gaps_are_whole(const kernel_state *s, const ferry_tensor_desc *desc, const guarded *memory,
                           unsigned char expected)
{
    const size_t elem = ferry_dtype_bytes(desc->dtype), row = (size_t)desc->strides[desc->rank - 1];
    const unsigned char *p = memory->data;
    for (size_t e = 0; e < memory->bytes / elem; e++) {
        const size_t channel = (e + row - s->gap_before) % row;
        if (e >= s->gap_before && channel < (size_t)desc->dims[1]) continue;
        for (size_t i = 0; i < elem; i++)
            if (p[e * elem + i] != expected) return false;
    }
    return true;
}

void kernel_bind(const kernel_state *s, const ferry_offer *o, kernel_bound *b)
{
    for (int32_t i = 0; i < s->region.n_inputs + s->region.n_outputs; i++) {
        const bool in = i < s->region.n_inputs;
        const int32_t k = in ? i : i - s->region.n_inputs;
        const ferry_value_id value = in ? s->region.inputs[k] : s->region.outputs[k];
        ferry_tensor_desc *desc = in ? &b->in[k] : &b->out[k];
        guarded *memory = in ? &b->in_memory[k] : &b->out_memory[k];
        *desc = kernel_describe(s, value, in ? o->in_layout : o->out_layout);
        size_t bytes = 0, skipped = 0;
        if (is_slice(s, o, desc, in)) {
            ferry_tensor_desc wide = *desc;
            wide.dims[1] += (int64_t)s->gap;
            ferry_tensor_desc_set_strides(&wide);
            memcpy(desc->strides, wide.strides, sizeof desc->strides);
            skipped = s->gap_before * ferry_dtype_bytes(desc->dtype);
        }
        assert_true(ferry_tensor_desc_bytes(desc, &bytes));
        *memory = guarded_make(skipped + bytes, ferry_dtype_bytes(desc->dtype));
        if (in && skipped) memset(memory->data, INPUT_GAP, skipped + bytes);
        char *data = (char *)memory->data + skipped;
        if (in && s->bench) // whichever element lies where
            memcpy(data, kernel_tensor(s, value)->data, bytes);
        else if (in)
            kernel_relayout(desc, data, kernel_tensor(s, value)->data, false);
        *(in ? &b->in_bindings[k] : &b->out_bindings[k]) = (ferry_binding){.data = data, .dims = desc->dims};
    }
}

bool kernel_gaps_are_whole(const kernel_state *s, const ferry_offer *o, const kernel_bound *b)
{
    bool whole = true;
    for (int32_t i = 0; i < s->region.n_inputs; i++)
        if (is_slice(s, o, &b->in[i], true)) whole &= gaps_are_whole(s, &b->in[i], &b->in_memory[i], INPUT_GAP);
    for (int32_t i = 0; i < s->region.n_outputs; i++)
        if (is_slice(s, o, &b->out[i], false)) whole &= gaps_are_whole(s, &b->out[i], &b->out_memory[i], OUTPUT_GAP);
    return whole;
}

// Runs the kernel on what is bound.
ferry_status kernel_enqueue(const kernel_state *s, ferry_device_stream *stream, const ferry_kernel *kernel,
                            kernel_bound *b, guarded *workspace, bool *whole, ferry_error *err)
{
    device_tensor in[MOST], out[MOST];
    for (int32_t i = 0; i < s->region.n_inputs; i++) in[i] = (device_tensor){&b->in_memory[i], &b->in_bindings[i]};
    for (int32_t i = 0; i < s->region.n_outputs; i++) out[i] = (device_tensor){&b->out_memory[i], &b->out_bindings[i]};
    return device_run(stream, kernel, in, s->region.n_inputs, out, s->region.n_outputs, workspace->data, whole, err);
}

void kernel_unbind(const kernel_state *s, kernel_bound *b)
{
    for (int32_t i = 0; i < s->region.n_inputs; i++) guarded_free(&b->in_memory[i]);
    for (int32_t i = 0; i < s->region.n_outputs; i++) guarded_free(&b->out_memory[i]);
}
