// SPDX-License-Identifier: Apache-2.0
// Shape arithmetic. Fully known inputs go through the reference kernel; of partly known ones, the kernel moves the
// flags "this element is known" the same way as the elements.
#include "ops/known.h"

#include <string.h>

#include "ops/element.h"

bool ferry_shape_fits(const ferry_shape *shape, ferry_dtype dtype)
{
    const size_t element = ferry_dtype_bytes(dtype);
    size_t bytes = element ? element : 1;
    for (int32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] > 0 && !ferry_mul_size(bytes, (size_t)shape->dims[i], &bytes)) return false;
    return bytes <= FERRY_TENSOR_MOST_BYTES;
}

bool ferry_shape_bytes(const ferry_shape *shape, ferry_dtype dtype, size_t *out)
{
    size_t elements = 0;
    if (!ferry_shape_fits(shape, dtype) || !ferry_shape_elements(shape, &elements)) return false;
    *out = elements * ferry_dtype_bytes(dtype);
    return true;
}

ferry_status ferry_node_run_reference(const ferry_node *node, const ferry_tensor *in, ferry_tensor *out,
                                      ferry_arena *arena, ferry_error *err)
{
    if (!node->op->eval)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "operator %s has no reference kernel", node->op->name);
    for (int32_t o = 0; o < node->n_outputs; o++) {
        if (node->outputs[o] == FERRY_NO_VALUE) continue;
        const ferry_shape shape = ferry_shape_of(out[o].rank, out[o].dims);
        size_t bytes = 0;
        if (!ferry_shape_bytes(&shape, out[o].dtype, &bytes))
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "output %d is too large", o);
        out[o].data = ferry_arena_alloc(arena, bytes);
        if (!out[o].data) return ferry_fail_memory(err, "the output of a reference kernel");
    }
    ferry_eval eval = {.node = node, .in = in, .out = out};
    const size_t scratch_bytes = node->op->scratch_bytes ? node->op->scratch_bytes(node, in, out) : 0;
    if (scratch_bytes) {
        char *room = scratch_bytes > FERRY_TENSOR_MOST_BYTES ? NULL : ferry_arena_alloc(arena, scratch_bytes + 64);
        if (!room) return ferry_fail_memory(err, "the scratch of a reference kernel");
        eval.scratch = room + ((64 - ((uintptr_t)room & 63)) & 63);
    }
    return ferry_op_eval(&eval, err);
}

static size_t elements_of(const ferry_tensor *t)
{
    return ferry_tensor_elements(t);
}

static bool is_small(const ferry_shape *shape)
{
    size_t elements = 0;
    return ferry_shape_elements(shape, &elements) && elements <= FERRY_KNOWN_MOST_ELEMENTS;
}

// Types that shapes, indices and conditions are computed in.
static bool is_index_type(ferry_dtype dtype)
{
    return dtype == FERRY_S64 || dtype == FERRY_S32 || dtype == FERRY_BOOL;
}

static ferry_tensor tensor_of(ferry_dtype dtype, const ferry_shape *shape)
{
    ferry_tensor t = {.dtype = dtype, .rank = shape->rank};
    memcpy(t.dims, shape->dims, sizeof t.dims);
    return t;
}

// Outputs as inference found them, without data; false when one is unknown or large.
static bool set_outputs(const ferry_known_node *w, ferry_tensor *out)
{
    for (int32_t o = 0; o < w->node->n_outputs; o++) {
        out[o] = (ferry_tensor){0};
        if (w->node->outputs[o] == FERRY_NO_VALUE) continue;
        if (!is_small(&w->out_shapes[o])) return false;
        out[o] = tensor_of(w->out_dtypes[o], &w->out_shapes[o]);
    }
    return true;
}

// A kernel that will not have these inputs leaves the value unknown; only missing memory is an error here.
static ferry_status run(const ferry_known_node *w, const ferry_tensor *in, ferry_tensor *out, ferry_arena *arena,
                        bool *ran, ferry_error *err)
{
    *ran = false;
    if (!set_outputs(w, out)) return FERRY_OK;
    const ferry_status s = ferry_node_run_reference(w->node, in, out, arena, err);
    *ran = s == FERRY_OK;
    return s == FERRY_ERR_OUT_OF_MEMORY ? s : FERRY_OK;
}

typedef struct work {
    ferry_tensor *in;    // [n_inputs]
    ferry_tensor *out;   // [n_outputs]
    ferry_tensor *out_b; // [n_outputs]
} work;

static bool alloc_work(const ferry_node *node, ferry_arena *arena, work *w)
{
    w->in = ferry_arena_alloc_array(arena, (size_t)node->n_inputs, sizeof *w->in);
    w->out = ferry_arena_alloc_array(arena, (size_t)node->n_outputs, sizeof *w->out);
    w->out_b = ferry_arena_alloc_array(arena, (size_t)node->n_outputs, sizeof *w->out_b);
    return w->in && w->out && w->out_b;
}

// Sets out[o] with those elements known whose flag is set; with all or none, the short forms.
static ferry_status set_known(ferry_known *known, const ferry_tensor *data, bool *flags)
{
    const size_t n = elements_of(data);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += flags[i];
    if (count == 0 && n > 0) return FERRY_OK;
    known->tensor = *data;
    known->mask = count == n ? NULL : flags;
    for (size_t i = 0; i < n; i++)
        if (!flags[i]) ferry_store_s64(&known->tensor, i, 1);
    return FERRY_OK;
}

// Shape and Size: run for two sizes of the unknown dimensions; elements that stay the same don't depend on them.
static ferry_status from_shape(const ferry_known_node *w, ferry_known *out, ferry_arena *arena, ferry_error *err)
{
    const ferry_shape *shape = &w->in_shapes[0];
    static const int64_t no_data[1] = {0};
    if (w->node->n_inputs != 1 || w->node->n_outputs != 1 || shape->rank < 0 || w->in_bounded[0]) return FERRY_OK;
    work a;
    if (!alloc_work(w->node, arena, &a)) return ferry_fail_memory(err, "shape arithmetic");
    a.in[0] = tensor_of(w->in_dtypes[0], shape);
    a.in[0].data = (void *)(uintptr_t)no_data; // an address, so that the input is not taken for absent; never read
    for (int64_t guess = 1; guess <= 2; guess++) {
        for (int32_t i = 0; i < shape->rank; i++)
            if (shape->dims[i] < 0) a.in[0].dims[i] = guess;
        bool ran = false;
        FERRY_TRY(run(w, a.in, guess == 1 ? a.out : a.out_b, arena, &ran, err));
        if (!ran) return FERRY_OK;
    }
    if (a.out->dtype != FERRY_S64) return FERRY_OK;
    const size_t n = elements_of(a.out);
    bool *flags = ferry_arena_alloc(arena, n);
    if (!flags) return ferry_fail_memory(err, "shape arithmetic");
    for (size_t i = 0; i < n; i++) flags[i] = ferry_load_s64(a.out, i) == ferry_load_s64(a.out_b, i);
    return set_known(&out[0], a.out, flags);
}

// Operators whose output elements are elements of input 0 (of every input: Concat), placed by the other inputs.
static bool moves_first_input(const ferry_node *node)
{
    static const char *const names[] = {"Identity",  "Reshape",  "Squeeze",       "Unsqueeze", "Flatten",
                                        "Transpose", "Slice",    "Gather",        "Expand",    "Tile",
                                        "Split",     "GatherND", "GatherElements"};
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++)
        if (ferry_node_is(node, names[i])) return true;
    return false;
}

// The input with placeholders where it isn't known; false when it cannot take part.
static bool partial_input(const ferry_known_node *w, int32_t i, ferry_arena *arena, ferry_known *out)
{
    *out = w->in[i];
    if (out->tensor.data || w->node->inputs[i] == FERRY_NO_VALUE) return true;
    if (!is_index_type(w->in_dtypes[i]) || w->in_bounded[i] || !is_small(&w->in_shapes[i])) return false;
    out->tensor = tensor_of(w->in_dtypes[i], &w->in_shapes[i]);
    const size_t n = elements_of(&out->tensor);
    out->tensor.data = ferry_arena_alloc(arena, n * ferry_dtype_bytes(out->tensor.dtype));
    out->mask = ferry_arena_alloc(arena, n);
    if (!out->tensor.data || !out->mask) return false;
    for (size_t e = 0; e < n; e++) ferry_store_s64(&out->tensor, e, 1);
    return true;
}

// The flags of an input as a tensor of the input's own type, for a kernel to move.
static bool flag_tensor(const ferry_known *known, ferry_arena *arena, ferry_tensor *out)
{
    *out = known->tensor;
    const size_t n = elements_of(out);
    out->data = ferry_arena_alloc(arena, n * ferry_dtype_bytes(out->dtype));
    if (!out->data) return false;
    for (size_t e = 0; e < n; e++) ferry_store_s64(out, e, !known->mask || known->mask[e]);
    return true;
}

static ferry_status moved(const ferry_known_node *w, const ferry_known *in, work *a, bool all_inputs, ferry_known *out,
                          ferry_arena *arena, ferry_error *err)
{
    bool ran = false;
    FERRY_TRY(run(w, a->in, a->out, arena, &ran, err));
    if (!ran) return FERRY_OK;
    for (int32_t i = 0; i < (all_inputs ? w->node->n_inputs : 1); i++)
        if (!flag_tensor(&in[i], arena, &a->in[i])) return ferry_fail_memory(err, "shape arithmetic");
    FERRY_TRY(run(w, a->in, a->out_b, arena, &ran, err));
    for (int32_t o = 0; ran && o < w->node->n_outputs; o++) {
        if (!a->out[o].data || !is_index_type(a->out[o].dtype)) continue;
        const size_t n = elements_of(&a->out[o]);
        bool *flags = ferry_arena_alloc(arena, n);
        if (!flags) return ferry_fail_memory(err, "shape arithmetic");
        for (size_t e = 0; e < n; e++) flags[e] = ferry_load_s64(&a->out_b[o], e) != 0;
        FERRY_TRY(set_known(&out[o], &a->out[o], flags));
    }
    return FERRY_OK;
}

// Clears the flags of those output elements that an unknown element of the input reaches through broadcasting.
static void clear_reached(const ferry_known *in, const ferry_tensor *out, bool *flags)
{
    int64_t strides[FERRY_MAX_RANK] = {0}, index[FERRY_MAX_RANK] = {0};
    ferry_broadcast_strides(&in->tensor, out->rank, out->dims, strides);
    const size_t n = elements_of(out);
    for (size_t e = 0; e < n; e++) {
        int64_t at = 0;
        for (int32_t d = 0; d < out->rank; d++) at += index[d] * strides[d];
        if (!in->mask[at]) flags[e] = false;
        for (int32_t d = out->rank - 1; d >= 0 && ++index[d] == out->dims[d]; d--) index[d] = 0;
    }
}

static ferry_status elementwise(const ferry_known_node *w, const ferry_known *in, work *a, ferry_known *out,
                                ferry_arena *arena, ferry_error *err)
{
    bool ran = false;
    FERRY_TRY(run(w, a->in, a->out, arena, &ran, err));
    if (!ran || !is_index_type(a->out[0].dtype)) return FERRY_OK;
    const size_t n = elements_of(&a->out[0]);
    bool *flags = ferry_arena_alloc(arena, n);
    if (!flags) return ferry_fail_memory(err, "shape arithmetic");
    memset(flags, 1, n);
    for (int32_t i = 0; i < w->node->n_inputs; i++)
        if (in[i].mask) clear_reached(&in[i], &a->out[0], flags);
    return set_known(&out[0], &a->out[0], flags);
}

static ferry_status from_partial(const ferry_known_node *w, ferry_known *out, ferry_arena *arena, ferry_error *err)
{
    const ferry_node *node = w->node;
    const bool concat = ferry_node_is(node, "Concat"), first = moves_first_input(node);
    const bool element = (node->op->flags & FERRY_OP_ELEMENTWISE) || ferry_node_is(node, "Cast");
    if (!concat && !first && !(element && node->n_outputs == 1 && node->outputs[0] != FERRY_NO_VALUE)) return FERRY_OK;
    work a;
    ferry_known *in = ferry_arena_alloc_array(arena, (size_t)node->n_inputs, sizeof *in);
    if (!in || !alloc_work(node, arena, &a)) return ferry_fail_memory(err, "shape arithmetic");
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (!partial_input(w, i, arena, &in[i])) return FERRY_OK;
        if (in[i].mask && i > 0 && first) return FERRY_OK; // where the elements go is not known
        a.in[i] = in[i].tensor;
    }
    return element ? elementwise(w, in, &a, out, arena, err) : moved(w, in, &a, concat, out, arena, err);
}

static ferry_status from_complete(const ferry_known_node *w, ferry_known *out, ferry_arena *arena, ferry_error *err)
{
    work a;
    if (!alloc_work(w->node, arena, &a)) return ferry_fail_memory(err, "shape arithmetic");
    for (int32_t i = 0; i < w->node->n_inputs; i++) a.in[i] = w->in[i].tensor;
    bool ran = false;
    FERRY_TRY(run(w, a.in, a.out, arena, &ran, err));
    for (int32_t o = 0; ran && o < w->node->n_outputs; o++) out[o].tensor = a.out[o];
    return FERRY_OK;
}

ferry_status ferry_known_propagate(const ferry_known_node *w, ferry_known *out, ferry_arena *arena, ferry_error *err)
{
    const ferry_node *node = w->node;
    memset(out, 0, (size_t)node->n_outputs * sizeof *out);
    int32_t used = 0;
    for (int32_t o = 0; o < node->n_outputs; o++) used += node->outputs[o] != FERRY_NO_VALUE;
    if (used == 0 || !node->op->eval || (node->op->flags & FERRY_OP_IMPURE)) return FERRY_OK;
    if (node->op->flags & FERRY_OP_SHAPE_ONLY) return from_shape(w, out, arena, err);
    bool complete = true, any = false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == FERRY_NO_VALUE) continue;
        const ferry_known *k = &w->in[i];
        if (k->tensor.data && elements_of(&k->tensor) > FERRY_KNOWN_MOST_ELEMENTS) return FERRY_OK;
        complete = complete && k->tensor.data && !k->mask;
        any = any || k->tensor.data;
    }
    if (complete) return from_complete(w, out, arena, err);
    return any ? from_partial(w, out, arena, err) : FERRY_OK;
}
