// SPDX-License-Identifier: Apache-2.0
// One inference: the plan's steps, in order, on the devices' streams.
#include <string.h>

#include "base/log.h"
#include "runtime/internal.h"

typedef struct execution {
    ferry_context *c;
    ferry_device_stream *const *streams;
    bool *outstanding; // [devices]: work queued on an asynchronous device that nobody waited for yet
    int32_t burst;     // the device whose threads are kept awake; -1: none
} execution;

// Consecutive steps of one device are a burst. While another device works, or a callback, nobody spins.
static void burst_on(execution *x, int32_t device)
{
    const ferry_runtime *r = x->c->engine->runtime;
    if (device == x->burst) return;
    if (x->burst >= 0 && r->devices[x->burst]->backend->burst_end)
        r->devices[x->burst]->backend->burst_end(x->streams[x->burst]);
    if (device >= 0 && r->devices[device]->backend->burst_begin)
        r->devices[device]->backend->burst_begin(x->streams[device]);
    x->burst = device;
}

// Waits for all devices but `spared` (-1: none is).
static ferry_status wait_devices_but(execution *x, int32_t spared, ferry_error *err)
{
    const ferry_runtime *r = x->c->engine->runtime;
    for (int32_t d = 0; d < r->n_devices; d++) {
        if (!x->outstanding[d] || d == spared) continue;
        FERRY_TRY(r->devices[d]->backend->stream_wait(x->streams[d], err));
        x->outstanding[d] = false;
    }
    return FERRY_OK;
}

static ferry_status wait_devices(execution *x, ferry_error *err)
{
    return wait_devices_but(x, -1, err);
}

static ferry_status copy_between(execution *x, const ferry_plan_step *step, ferry_error *err)
{
    ferry_context *c = x->c;
    const ferry_plan *plan = c->engine->plan;
    const ferry_buffer_id from = step->inputs[0], to = step->outputs[0];
    const ferry_backend *backend = c->engine->runtime->devices[step->device]->backend;
    size_t bytes = 0;
    ferry_tensor_desc_bytes(&c->descs[to], &bytes);
    const ferry_copy_kind kind =
        plan->buffers[to].device == step->device ? FERRY_COPY_HOST_TO_DEVICE : FERRY_COPY_DEVICE_TO_HOST;
    x->outstanding[step->device] = true;
    return backend->copy(x->streams[step->device], kind, c->data[to], c->data[from], bytes, err);
}

ferry_status ferry_context_enqueue_step(ferry_context *c, size_t at, ferry_device_stream *stream, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    const ferry_plan_step *step = &plan->steps[at];
    if (!c->kernels[at]) return FERRY_OK; // a change of layout that changes nothing
    for (int32_t i = 0; i < step->n_inputs; i++)
        c->step_in[i] = (ferry_binding){c->data[step->inputs[i]], c->dims[plan->buffers[step->inputs[i]].value]};
    for (int32_t i = 0; i < step->n_outputs; i++)
        c->step_out[i] = (ferry_binding){c->data[step->outputs[i]], c->dims[plan->buffers[step->outputs[i]].value]};
    void *workspace = (char *)c->device_memory[step->device] + c->memory.workspaces[at].offset;
    return c->kernels[at]->device->backend->enqueue(stream, c->kernels[at], c->step_in, c->step_out, workspace, err);
}

static ferry_status run_step(execution *x, size_t at, ferry_error *err)
{
    ferry_context *c = x->c;
    const ferry_plan *plan = c->engine->plan;
    const ferry_plan_step *step = &plan->steps[at];
    const ferry_device_info *info = &c->engine->runtime->infos[step->device];
    if (c->shares_step[at]) return FERRY_OK;
    if (step->device != x->burst) burst_on(x, -1);
    // The host touches memory at once: everything queued that may read or write it has to be over.
    if (info->synchronous) FERRY_TRY(wait_devices(x, err));
    if (step->kind == FERRY_STEP_COPY) {
        // Its host side is memory that another device's copies may still write or read: streams of different devices
        // know no order.
        FERRY_TRY(wait_devices_but(x, step->device, err));
        return copy_between(x, step, err);
    }
    burst_on(x, step->device);
    if (!info->synchronous) x->outstanding[step->device] = true;
    return ferry_context_enqueue_step(c, at, x->streams[step->device], err);
}

// Copies a channels-last tensor, lying densely in `from`, to plain order.
static void to_plain(const ferry_tensor_desc *desc, const char *from, char *to)
{
    const size_t elem = ferry_dtype_bytes(desc->dtype);
    int64_t at[FERRY_MAX_RANK] = {0};
    size_t n = 1;
    for (int32_t d = 0; d < desc->rank; d++) n *= (size_t)desc->dims[d];
    for (size_t i = 0; i < n; i++) {
        int64_t offset = 0;
        for (int32_t d = 0; d < desc->rank; d++) offset += at[d] * desc->strides[d];
        memcpy(to + i * elem, from + (size_t)offset * elem, elem);
        for (int32_t d = desc->rank - 1; d >= 0 && ++at[d] == desc->dims[d]; d--) at[d] = 0;
    }
}

static ferry_status show(execution *x, ferry_buffer_id buffer, ferry_error *err)
{
    ferry_context *c = x->c;
    const ferry_plan_buffer *b = &c->engine->plan->buffers[buffer];
    const ferry_value *v = &c->engine->image.graph.values[b->value];
    const ferry_tensor_desc *desc = &c->descs[buffer];
    ferry_device *device = c->engine->runtime->devices[b->device];
    size_t bytes = 0;
    ferry_tensor_desc_bytes(desc, &bytes);
    const void *data = c->data[buffer];
    if (!c->engine->runtime->infos[b->device].host_memory) {
        FERRY_TRY(
            device->backend->copy(x->streams[b->device], FERRY_COPY_DEVICE_TO_HOST, c->observed, data, bytes, err));
        FERRY_TRY(device->backend->stream_wait(x->streams[b->device], err));
        data = c->observed;
    }
    if (b->layout != FERRY_LAYOUT_PLAIN) {
        char *plain = (char *)c->observed + c->observed_bytes;
        to_plain(desc, data, plain);
        data = plain;
    }
    ferry_tensor_view view = {.name = v->name, .dtype = v->dtype, .rank = desc->rank, .data = data};
    memcpy(view.dims, c->dims[b->value], sizeof view.dims);
    const bool quantised = v->quant.dtype != FERRY_DTYPE_NONE && v->quant.count == 1;
    const float scale = quantised ? v->quant.scales[0] : 0;
    const int32_t zero = quantised && v->quant.zero_points ? v->quant.zero_points[0] : 0;
    if (c->observer(c->observer_user, &view, scale, zero) == 0) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_CANCELLED, "the observer stopped the run at tensor '%s'", v->name);
}

static bool is_view_of(const ferry_plan *plan, ferry_buffer_id buffer, ferry_buffer_id source)
{
    while (plan->buffers[buffer].view) {
        buffer = plan->buffers[buffer].alias_of;
        if (buffer == source) return true;
    }
    return false;
}

// Shows a buffer that was just made, and its views; a value is shown once, when its first buffer is made.
static ferry_status show_made(execution *x, ferry_buffer_id made, ferry_error *err)
{
    const ferry_plan *plan = x->c->engine->plan;
    FERRY_TRY(show(x, made, err));
    for (ferry_buffer_id b = made + 1; (size_t)b < plan->n_buffers; b++)
        if (is_view_of(plan, b, made)) FERRY_TRY(show(x, b, err));
    return FERRY_OK;
}

// Whether all slices that `whole` consists of are there after the step: whether it was the last to make one of them.
static bool is_joined(const ferry_plan *plan, ferry_buffer_id whole, size_t at)
{
    for (size_t s = at + 1; s < plan->n_steps; s++)
        for (int32_t i = 0; i < plan->steps[s].n_outputs; i++) {
            ferry_buffer_id b = plan->steps[s].outputs[i];
            for (; plan->buffers[b].slice && !plan->buffers[b].view; b = plan->buffers[b].alias_of)
                if (plan->buffers[b].alias_of == whole) return false;
        }
    return true;
}

// What consists of slices is shown when the step made the last of them.
static ferry_status show_joined(execution *x, size_t at, ferry_buffer_id made, ferry_error *err)
{
    const ferry_plan *plan = x->c->engine->plan;
    for (ferry_buffer_id b = made; plan->buffers[b].slice && !plan->buffers[b].view;) {
        b = plan->buffers[b].alias_of;
        if (!is_joined(plan, b, at)) break;
        FERRY_TRY(show_made(x, b, err));
    }
    return FERRY_OK;
}

static ferry_status observe_step(execution *x, size_t at, ferry_error *err)
{
    const ferry_plan_step *step = &x->c->engine->plan->steps[at];
    if (!x->c->observer) return FERRY_OK;
    burst_on(x, -1);
    FERRY_TRY(wait_devices(x, err));
    const ferry_plan *plan = x->c->engine->plan;
    for (int32_t i = 0; i < step->n_outputs; i++) {
        const ferry_buffer_id made = step->outputs[i];
        if (step->kind == FERRY_STEP_REGION) FERRY_TRY(show_made(x, made, err));
        // A conversion makes nothing new, but views may lie in what it made.
        for (ferry_buffer_id b = made + 1; step->kind != FERRY_STEP_REGION && (size_t)b < plan->n_buffers; b++)
            if (is_view_of(plan, b, made)) FERRY_TRY(show(x, b, err));
        FERRY_TRY(show_joined(x, at, made, err));
    }
    return FERRY_OK;
}

static ferry_status profile_step(execution *x, size_t at, ferry_error *err)
{
    ferry_context *c = x->c;
    if (!c->profiler) return run_step(x, at, err);
    const ferry_plan_step *step = &c->engine->plan->steps[at];
    FERRY_TRY(wait_devices(x, err));
    const double begin = ferry_clock_s();
    FERRY_TRY(run_step(x, at, err));
    FERRY_TRY(wait_devices(x, err));
    const ferry_layer_time layer = {
        .name = step->name,
        .tactic = step->kind == FERRY_STEP_REGION ? step->tactic
                  : c->shares_step[at]            ? "shared"
                  : step->kind == FERRY_STEP_COPY ? "copy"
                                                  : "reformat",
        .device = c->engine->plan->devices[step->device].backend,
        .ms = (ferry_clock_s() - begin) * 1e3,
    };
    c->profiler(c->profiler_user, &layer);
    return FERRY_OK;
}

void ferry_context_set_addresses(ferry_context *c, const ferry_bound *bound)
{
    const ferry_plan *plan = &c->plan;
    for (size_t b = 0; b < plan->n_buffers; b++) {
        const ferry_buffer_id root = ferry_plan_root(plan, (ferry_buffer_id)b);
        if (plan->buffers[root].binding >= 0) c->data[b] = bound[plan->buffers[root].binding].on_device;
    }
    ferry_context_cross(c, bound);
    const ferry_graph *g = &c->engine->image.graph;
    for (size_t v = 0; v < g->n_values; v++)
        if (c->bounded[v]) memcpy(c->dims[v], c->shapes[v].dims, sizeof c->dims[v]);
}

// Runs the step, or the captured ones that begin with it; *at becomes the last of them.
static ferry_status run_at(execution *x, size_t *at, ferry_error *err)
{
    ferry_context *c = x->c;
    const ferry_segment *segment = ferry_context_segment_at(c, *at);
    if (!segment) {
        FERRY_TRY(profile_step(x, *at, err));
        FERRY_TRY(observe_step(x, *at, err));
        ferry_context_let_go(c, *at);
        return FERRY_OK;
    }
    *at = segment->end - 1;
    burst_on(x, -1);
    x->outstanding[segment->device] = true;
    const ferry_backend *backend = c->engine->runtime->devices[segment->device]->backend;
    return backend->capture_launch(segment->graph, x->streams[segment->device], err);
}

static ferry_status observe_inputs(execution *x, ferry_error *err)
{
    const ferry_plan *plan = x->c->engine->plan;
    if (!x->c->observer) return FERRY_OK;
    for (size_t b = 0; b < plan->n_buffers; b++)
        if (plan->buffers[b].binding >= 0 && (size_t)plan->buffers[b].binding < x->c->engine->image.graph.n_inputs)
            FERRY_TRY(show_made(x, (ferry_buffer_id)b, err));
    return FERRY_OK;
}

ferry_status ferry_context_execute(ferry_context *context, const ferry_bound *bound,
                                   ferry_device_stream *const *streams, bool *outstanding, ferry_error *err)
{
    execution x = {.c = context, .streams = streams, .outstanding = outstanding, .burst = -1};
    ferry_context_set_addresses(context, bound);
    ferry_status s = ferry_context_rebind_segments(context, bound, err);
    if (s == FERRY_OK) s = observe_inputs(&x, err);
    for (size_t i = 0; s == FERRY_OK && i < context->engine->plan->n_steps; i++) s = run_at(&x, &i, err);
    burst_on(&x, -1);
    ferry_context_let_go(context, context->engine->plan->n_steps);
    if (s == FERRY_OK) return FERRY_OK;
    // What was queued before the failure still uses the context's memory, and a device's own failure must not come up
    // in the next run.
    for (int32_t d = 0; d < context->engine->runtime->n_devices; d++) {
        if (outstanding[d]) (void)context->engine->runtime->devices[d]->backend->stream_wait(streams[d], NULL);
        outstanding[d] = false;
    }
    return s;
}
