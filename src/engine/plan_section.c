// SPDX-License-Identifier: Apache-2.0
// The plan section of a tuned part, written and read.
#include "engine/format.h"

// How a buffer lies in the one that it is an alias of, beyond 0 and 1, which say whether it is a view.
enum { LIES_CUT = 2, LIES_JOINED = 3 };

static void put_ids(ferry_coder *out, const int32_t *ids, int32_t n)
{
    ferry_put_u32(out, (uint32_t)n);
    ferry_put(out, ids, (size_t)n * sizeof *ids);
}

void ferry_engine_encode_plan(const ferry_plan *plan, ferry_coder *out)
{
    ferry_put_u32(out, (uint32_t)plan->n_devices);
    for (int32_t i = 0; i < plan->n_devices; i++) {
        ferry_put_text(out, plan->devices[i].backend);
        ferry_put_text(out, plan->devices[i].fingerprint);
    }
    ferry_put_s32(out, plan->threads);
    ferry_put_u32(out, (uint32_t)plan->n_buffers);
    for (size_t i = 0; i < plan->n_buffers; i++) {
        const ferry_plan_buffer *b = &plan->buffers[i];
        ferry_put_s32(out, b->value);
        ferry_put_u32(out, (uint32_t)b->layout);
        ferry_put_s32(out, b->device);
        ferry_put_s32(out, b->alias_of);
        ferry_put_u32(out, b->slice ? b->view ? LIES_CUT : LIES_JOINED + (uint32_t)b->joined_at : b->view);
        ferry_put_s32(out, b->binding);
    }
    ferry_put_u32(out, (uint32_t)plan->n_steps);
    for (size_t i = 0; i < plan->n_steps; i++) {
        const ferry_plan_step *s = &plan->steps[i];
        ferry_put_u32(out, (uint32_t)s->kind);
        ferry_put_s32(out, s->device);
        ferry_put_text(out, s->tactic);
        ferry_put_text(out, s->name);
        put_ids(out, s->nodes, s->n_nodes);
        put_ids(out, s->inputs, s->n_inputs);
        put_ids(out, s->outputs, s->n_outputs);
        ferry_put_u64(out, s->packed_offset);
        ferry_put_u64(out, s->packed_bytes);
        ferry_put_f64(out, s->measured_us);
    }
}

static const char *take_copy(ferry_decoder_bytes *in, ferry_arena *arena)
{
    return ferry_arena_strdup(arena, ferry_take_name(in));
}

static int32_t *take_ids(ferry_decoder_bytes *in, ferry_arena *arena, int32_t *out_n)
{
    const uint32_t n = ferry_take_count(in, sizeof(int32_t));
    const void *p = ferry_take(in, (size_t)n * sizeof(int32_t));
    *out_n = (int32_t)n;
    return p ? ferry_arena_copy(arena, p, (size_t)n * sizeof(int32_t)) : NULL;
}

static bool take_buffers(ferry_decoder_bytes *in, ferry_plan *plan)
{
    plan->n_buffers = ferry_take_count(in, 24);
    plan->buffers = ferry_arena_alloc_array(&plan->arena, plan->n_buffers, sizeof *plan->buffers);
    for (size_t i = 0; plan->buffers && i < plan->n_buffers; i++) {
        ferry_plan_buffer *b = &plan->buffers[i];
        b->value = ferry_take_s32(in);
        const uint32_t layout = ferry_take_u32(in);
        b->device = ferry_take_s32(in);
        b->alias_of = ferry_take_s32(in);
        const uint32_t lies = ferry_take_u32(in);
        b->binding = ferry_take_s32(in);
        if (layout >= FERRY_LAYOUT_COUNT || lies > INT32_MAX) in->bad = true;
        b->layout = in->bad ? FERRY_LAYOUT_PLAIN : (ferry_tensor_layout)layout;
        b->view = lies == 1 || lies == LIES_CUT;
        b->slice = lies >= LIES_CUT;
        if (lies >= LIES_JOINED && !in->bad) b->joined_at = (int32_t)(lies - LIES_JOINED);
    }
    return plan->buffers != NULL;
}

static bool take_steps(ferry_decoder_bytes *in, ferry_plan *plan)
{
    plan->n_steps = ferry_take_count(in, 50);
    plan->steps = ferry_arena_alloc_array(&plan->arena, plan->n_steps, sizeof *plan->steps);
    for (size_t i = 0; plan->steps && i < plan->n_steps; i++) {
        ferry_plan_step *s = &plan->steps[i];
        const uint32_t kind = ferry_take_u32(in);
        if (kind > FERRY_STEP_COPY) in->bad = true;
        s->kind = in->bad ? FERRY_STEP_REGION : (ferry_step_kind)kind;
        s->device = ferry_take_s32(in);
        s->tactic = take_copy(in, &plan->arena);
        s->name = take_copy(in, &plan->arena);
        s->nodes = take_ids(in, &plan->arena, &s->n_nodes);
        s->inputs = take_ids(in, &plan->arena, &s->n_inputs);
        s->outputs = take_ids(in, &plan->arena, &s->n_outputs);
        s->packed_offset = ferry_take_u64(in);
        s->packed_bytes = ferry_take_u64(in);
        s->measured_us = ferry_take_f64(in);
        if (in->bad) return true;
        if (!s->tactic || !s->name || !s->nodes || !s->inputs || !s->outputs) return false;
    }
    return plan->steps != NULL;
}

ferry_status ferry_engine_decode_plan(ferry_decoder_bytes *in, const uint8_t *packed, uint64_t packed_bytes,
                                      const ferry_heap *heap, ferry_plan *out, ferry_error *err)
{
    ferry_plan_init(out, heap);
    const uint32_t n_devices = ferry_take_u32(in);
    if (n_devices < 1 || n_devices > FERRY_PLAN_MAX_DEVICES) in->bad = true;
    bool memory = true;
    for (uint32_t i = 0; !in->bad && i < n_devices; i++) {
        out->devices[i].backend = take_copy(in, &out->arena);
        out->devices[i].fingerprint = take_copy(in, &out->arena);
        memory &= out->devices[i].backend && out->devices[i].fingerprint;
    }
    out->n_devices = in->bad ? 0 : (int32_t)n_devices;
    out->threads = ferry_take_s32(in);
    memory = memory && take_buffers(in, out) && take_steps(in, out);
    out->packed = packed;
    out->packed_bytes = packed_bytes;
    if (memory && in->at != in->bytes) in->bad = true;
    if (memory && !in->bad) return FERRY_OK;
    const size_t at = in->at;
    ferry_plan_deinit(out);
    return memory ? ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan section, offset %zu: damaged", at)
                  : ferry_fail_memory(err, "an engine's plan");
}
