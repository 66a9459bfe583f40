// SPDX-License-Identifier: Apache-2.0
// What makes a context ready at its shapes: kernels, memory, captured graphs. After that, running allocates nothing.
#include <string.h>

#include "base/process.h"
#include "ops/infer.h"
#include "plan/slice.h"
#include "runtime/internal.h"

bool ferry_context_can_release(const ferry_context *c, int32_t device)
{
    return !ferry_process_is_foreign(c->process) || c->engine->runtime->infos[device].survives_fork;
}

void ferry_context_drop_retired(ferry_context *c)
{
    for (size_t i = 0; c->retired && i < c->engine->plan->n_steps; i++)
        if (c->retired[i] && ferry_context_can_release(c, c->engine->plan->steps[i].device))
            c->retired[i]->device->backend->release(c->retired[i]);
    if (c->retired) ferry_arena_deinit(&c->retired_arena);
    c->retired = NULL;
}

void ferry_context_unprepare(ferry_context *c)
{
    ferry_runtime *r = c->engine->runtime;
    ferry_context_drop_segments(c);
    for (int32_t d = 0; d < FERRY_PLAN_MAX_DEVICES; d++) {
        const bool shared = c->sharing >= 0 && d == c->shared;
        ferry_device *device = r->devices[shared ? c->sharing : d];
        if (c->device_memory[d] && ferry_context_can_release(c, shared ? c->sharing : d))
            (shared ? device->backend->free_pinned : device->backend->free)(device, c->device_memory[d],
                                                                            (size_t)c->memory.arena_bytes[d]);
        c->device_memory[d] = NULL;
    }
    if (c->kernels) { // with all that they may point to
        ferry_context_drop_retired(c);
        c->retired = c->kernels;
        c->retired_arena = c->arena;
        ferry_arena_init(&c->arena, c->heap);
    } else {
        ferry_arena_deinit(&c->arena);
    }
    c->kernels = NULL;
    c->memory = (ferry_memory_plan){0};
    c->observed = NULL;
    c->prepared = c->described = false;
}

static ferry_status infer_shapes(ferry_context *c, ferry_error *err)
{
    const ferry_graph *g = &c->engine->image.graph;
    c->shapes = ferry_arena_alloc_array(&c->arena, g->n_values, sizeof *c->shapes);
    c->bounded = ferry_arena_alloc_array(&c->arena, g->n_values, sizeof *c->bounded);
    c->dims = ferry_arena_alloc_array(&c->arena, g->n_values, sizeof *c->dims);
    ferry_input_shape *bound = ferry_arena_alloc_array(&c->arena, g->n_inputs, sizeof *bound);
    if (!c->shapes || !c->bounded || !c->dims || !bound) return ferry_fail_memory(err, "a context");
    for (size_t i = 0; i < g->n_inputs; i++) bound[i] = (ferry_input_shape){g->inputs[i], c->input_shapes[i]};
    ferry_report report;
    ferry_report_init(&report, c->heap);
    const ferry_status s =
        ferry_graph_infer_shapes(g, bound, g->n_inputs, c->shapes, c->bounded, c->heap, &report, err);
    ferry_report_deinit(&report);
    for (size_t i = 0; s == FERRY_OK && i < g->n_values; i++) memcpy(c->dims[i], c->shapes[i].dims, sizeof c->dims[i]);
    return s;
}

// Places a slice among the channels of what it lies in, which is described already.
static ferry_status place_slice(ferry_context *c, size_t at, ferry_error *err)
{
    const ferry_graph *g = &c->engine->image.graph;
    const ferry_plan_buffer *slice = &c->engine->plan->buffers[at];
    const ferry_tensor_desc *whole = &c->descs[slice->alias_of];
    ferry_tensor_desc *desc = &c->descs[at];
    const ferry_value_id maker = slice->view ? slice->value : c->engine->plan->buffers[slice->alias_of].value;
    const ferry_node *node = &g->nodes[g->values[maker].producer];
    bool fits = desc->rank >= 3 && whole->rank == desc->rank && whole->dtype == desc->dtype && !whole->bounded;
    for (int32_t d = 0; fits && d < desc->rank; d++) fits = d == 1 || whole->dims[d] == desc->dims[d];
    const int64_t first = !fits         ? -1
                          : slice->view ? ferry_slice_cut_at(g, c->shapes, node, slice->value)
                                        : ferry_slice_joined_at(c->shapes, node, slice->joined_at);
    if (first < 0 || desc->dims[1] > whole->dims[1] - first)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "tensor '%s' does not fit among the channels of another",
                          g->values[slice->value].name);
    memcpy(desc->strides, whole->strides, sizeof desc->strides);
    c->skipped[at] = c->skipped[slice->alias_of] + (size_t)first * ferry_dtype_bytes(desc->dtype);
    return FERRY_OK;
}

static ferry_status describe_buffers(ferry_context *c, uint64_t *bytes, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    const ferry_graph *g = &c->engine->image.graph;
    for (size_t b = 0; b < plan->n_buffers; b++) {
        const ferry_plan_buffer *buffer = &plan->buffers[b];
        const ferry_value *v = &g->values[buffer->value];
        const ferry_shape *shape = &c->shapes[buffer->value];
        ferry_tensor_desc *desc = &c->descs[b];
        *desc = (ferry_tensor_desc){.dtype = v->dtype,
                                    .layout = buffer->layout,
                                    .rank = shape->rank,
                                    .quant = &v->quant,
                                    .bounded = c->bounded[buffer->value]};
        size_t n = 0;
        if (!ferry_shape_is_known(shape))
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "the shape of tensor '%s' is not known", v->name);
        memcpy(desc->dims, shape->dims, sizeof desc->dims);
        ferry_tensor_desc_set_strides(desc);
        if (buffer->slice) FERRY_TRY(place_slice(c, b, err));
        if (!ferry_tensor_desc_bytes(desc, &n) || n > ((size_t)1 << 47))
            return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "tensor '%s' is larger than any memory", v->name);
        bytes[b] = ferry_align_size(n, 64);
    }
    return FERRY_OK;
}

// Whether to compute in place was decided at the shapes that the plan was made for. Where broadcasting makes an output
// larger than its input now, or layouts differ that were the same, it gets memory of its own. A view has its source's
// bytes whatever the shapes are.
static ferry_status settle_aliases(ferry_context *c, const uint64_t *bytes, ferry_error *err)
{
    c->plan = *c->engine->plan;
    c->plan.buffers = ferry_arena_copy(&c->arena, c->plan.buffers, c->plan.n_buffers * sizeof *c->plan.buffers);
    if (!c->plan.buffers) return ferry_fail_memory(err, "a context");
    for (size_t b = 0; b < c->plan.n_buffers; b++) {
        ferry_plan_buffer *buffer = &c->plan.buffers[b];
        if (buffer->alias_of == FERRY_NO_BUFFER || buffer->slice) continue;
        const ferry_tensor_desc *own = &c->descs[b], *source = &c->descs[buffer->alias_of];
        const ferry_shape shape = ferry_shape_of(own->rank, own->dims);
        const ferry_shape source_shape = ferry_shape_of(source->rank, source->dims);
        if (buffer->view && bytes[b] > bytes[buffer->alias_of])
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "tensor '%s' is larger than the memory it is to lie in",
                              c->engine->image.graph.values[buffer->value].name);
        if (buffer->view) continue;
        if (bytes[b] != bytes[buffer->alias_of] || !ferry_shape_equal(&shape, &source_shape) ||
            (own->layout != source->layout && !ferry_tensor_layouts_coincide(own->rank, own->dims)))
            buffer->alias_of = FERRY_NO_BUFFER;
    }
    return FERRY_OK;
}

static ferry_status prepare_region(ferry_context *c, size_t at, ferry_error *err)
{
    const ferry_engine *e = c->engine;
    const ferry_plan_step *step = &e->plan->steps[at];
    ferry_device *device = e->runtime->devices[step->device];
    ferry_region *region = ferry_arena_alloc(&c->arena, sizeof *region);
    ferry_tensor_desc *in = ferry_arena_alloc_array(&c->arena, (size_t)step->n_inputs, sizeof *in);
    ferry_tensor_desc *out = ferry_arena_alloc_array(&c->arena, (size_t)step->n_outputs, sizeof *out);
    if (!region || !in || !out) return ferry_fail_memory(err, "a context");
    FERRY_TRY(ferry_region_make(ferry_engine_plan_graph(e), e->user_offsets, e->users, step->nodes, step->n_nodes,
                                &c->arena, region, err));
    for (int32_t i = 0; i < step->n_inputs; i++) in[i] = c->descs[step->inputs[i]];
    for (int32_t i = 0; i < step->n_outputs; i++) out[i] = c->descs[step->outputs[i]];
    const ferry_status s =
        device->backend->prepare(device, region, step->tactic, in, out, ferry_plan_packed(e->plan, step),
                                 (size_t)step->packed_bytes, &c->kernels[at], err);
    return s == FERRY_OK ? s : ferry_within(err, s, "layer '%s', tactic %s", step->name, step->tactic);
}

static ferry_status prepare_reformat(ferry_context *c, size_t at, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    const ferry_plan_step *step = &plan->steps[at];
    ferry_device *device = c->engine->runtime->devices[step->device];
    const ferry_tensor_desc in = c->descs[step->inputs[0]], out = c->descs[step->outputs[0]];
    const ferry_plan_buffer *made = &c->plan.buffers[step->outputs[0]];
    if (made->alias_of == step->inputs[0] && !made->slice) return FERRY_OK; // it is there already
    const ferry_status s = device->backend->prepare_reformat(device, &in, &out, ferry_plan_packed(plan, step),
                                                             (size_t)step->packed_bytes, &c->kernels[at], err);
    return s == FERRY_OK ? s : ferry_within(err, s, "changing the layout of '%s'", step->name);
}

static ferry_status prepare_kernels(ferry_context *c, uint64_t *workspace, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const ferry_plan_step *step = &plan->steps[i];
        if (step->kind == FERRY_STEP_REGION) FERRY_TRY(prepare_region(c, i, err));
        if (step->kind == FERRY_STEP_REFORMAT) FERRY_TRY(prepare_reformat(c, i, err));
        workspace[i] = c->kernels[i] ? ferry_align_size(c->kernels[i]->workspace_bytes, 64) : 0;
    }
    return FERRY_OK;
}

static ferry_status check_limit(const ferry_context *c, ferry_error *err)
{
    uint64_t total = 0;
    for (int32_t d = 0; d < c->plan.n_devices; d++) total += c->memory.arena_bytes[d];
    if (!c->memory_limit_bytes || total <= c->memory_limit_bytes) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY,
                      "a context needs %llu bytes for activations and scratch, the cap is %llu; raise it, or use a "
                      "smaller batch or picture",
                      (unsigned long long)total, (unsigned long long)c->memory_limit_bytes);
}

static ferry_status alloc_memory(ferry_context *c, ferry_error *err)
{
    for (int32_t d = 0; d < c->plan.n_devices; d++) {
        if (c->memory.arena_bytes[d] == 0) c->memory.arena_bytes[d] = 64;
        if (c->sharing >= 0 && d == c->shared) return ferry_context_alloc_shared(c, err);
        ferry_device *device = c->engine->runtime->devices[d];
        c->device_memory[d] = device->backend->alloc(device, (size_t)c->memory.arena_bytes[d]);
        if (!c->device_memory[d])
            return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "device %s: no %llu bytes for activations and scratch",
                              device->backend->name, (unsigned long long)c->memory.arena_bytes[d]);
    }
    return FERRY_OK;
}

void *ferry_context_placed(const ferry_context *c, ferry_buffer_id buffer)
{
    const int32_t memory = c->plan.buffers[ferry_plan_root(&c->plan, buffer)].device;
    const bool mapped = c->sharing >= 0 && memory == c->shared && c->engine->plan->buffers[buffer].device == c->sharing;
    char *base = mapped ? c->shared_on_device : c->device_memory[memory];
    return base + c->memory.places[buffer].offset + c->skipped[buffer];
}

static ferry_status place_buffers(ferry_context *c, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    FERRY_TRY(alloc_memory(c, err));
    int32_t widest = 1;
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (plan->steps[i].n_inputs > widest) widest = plan->steps[i].n_inputs;
        if (plan->steps[i].n_outputs > widest) widest = plan->steps[i].n_outputs;
    }
    c->data = ferry_arena_alloc_array(&c->arena, plan->n_buffers, sizeof *c->data);
    c->step_in = ferry_arena_alloc_array(&c->arena, (size_t)widest, sizeof *c->step_in);
    c->step_out = ferry_arena_alloc_array(&c->arena, (size_t)widest, sizeof *c->step_out);
    if (!c->data || !c->step_in || !c->step_out) return ferry_fail_memory(err, "a context");
    for (size_t b = 0; b < plan->n_buffers; b++) c->data[b] = ferry_context_placed(c, (ferry_buffer_id)b);
    return FERRY_OK;
}

static ferry_status prepare_observer(ferry_context *c, const uint64_t *bytes, ferry_error *err)
{
    if (!c->observer) return FERRY_OK;
    c->observed_bytes = 64;
    for (size_t b = 0; b < c->engine->plan->n_buffers; b++)
        if (bytes[b] > c->observed_bytes) c->observed_bytes = (size_t)bytes[b];
    // Twice: as it comes from the device, and in plain layout.
    c->observed = ferry_arena_alloc_array(&c->arena, 2, c->observed_bytes);
    return c->observed ? FERRY_OK : ferry_fail_memory(err, "showing tensors");
}

// What is known without a device: shapes, and where tensors lie in each other.
static ferry_status describe(ferry_context *c, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    if (c->described) return FERRY_OK;
    c->descs = ferry_arena_alloc_array(&c->arena, plan->n_buffers, sizeof *c->descs);
    c->skipped = ferry_arena_alloc_array(&c->arena, plan->n_buffers, sizeof *c->skipped);
    c->buffer_bytes = ferry_arena_alloc_array(&c->arena, plan->n_buffers, sizeof *c->buffer_bytes);
    if (!c->descs || !c->skipped || !c->buffer_bytes) return ferry_fail_memory(err, "a context");
    FERRY_TRY(infer_shapes(c, err));
    FERRY_TRY(describe_buffers(c, c->buffer_bytes, err));
    FERRY_TRY(settle_aliases(c, c->buffer_bytes, err));
    FERRY_TRY(ferry_context_share_memory(c, err));
    c->described = true;
    return FERRY_OK;
}

static ferry_status place(ferry_context *c, const uint64_t *workspace, ferry_error *err)
{
    FERRY_TRY(ferry_memory_plan_make(&c->plan, c->buffer_bytes, workspace, false, &c->arena, &c->memory, err));
    return check_limit(c, err);
}

static ferry_status prepare(ferry_context *c, ferry_error *err)
{
    const ferry_plan *plan = c->engine->plan;
    FERRY_TRY(describe(c, err));
    c->kernels = ferry_arena_alloc_array(&c->arena, plan->n_steps, sizeof *c->kernels);
    uint64_t *workspace = ferry_arena_alloc_array(&c->arena, plan->n_steps, sizeof *workspace);
    if (!c->kernels || !workspace) return ferry_fail_memory(err, "a context");
    FERRY_TRY(prepare_kernels(c, workspace, err));
    FERRY_TRY(place(c, workspace, err));
    FERRY_TRY(place_buffers(c, err));
    FERRY_TRY(ferry_context_make_segments(c, err));
    return prepare_observer(c, c->buffer_bytes, err);
}

ferry_status ferry_context_prepare(ferry_context *context, ferry_error *error)
{
    if (context->prepared) return FERRY_OK;
    FERRY_TRY(ferry_check_process(context->process, "context", error));
    ferry_context_wait_idle(context);
    const ferry_status s = prepare(context, error);
    if (s != FERRY_OK) ferry_context_unprepare(context);
    ferry_context_drop_retired(context);
    if (s != FERRY_OK) return s;
    context->prepared = true;
    context->lets_go = ferry_engine_image_text(&context->engine->image, FERRY_ENGINE_TEXT_LOW_MEMORY) != NULL;
    ferry_context_let_go(context, context->engine->plan->n_steps);
    return FERRY_OK;
}

// --- Engines for devices that are not here --------------------------------------------------------------------------

bool ferry_engine_is_for_elsewhere(const ferry_engine *engine)
{
    for (int32_t d = 0; d < engine->plan->n_devices; d++)
        if (engine->runtime->infos[d].build_only) return true;
    return false;
}

ferry_status ferry_context_know_shapes(ferry_context *c, ferry_error *err)
{
    return ferry_engine_is_for_elsewhere(c->engine) ? describe(c, err) : ferry_context_prepare(c, err);
}

ferry_status ferry_context_measure(ferry_context *context, uint64_t *out_bytes, uint64_t *out_unshared_bytes,
                                   ferry_error *err)
{
    ferry_context *c = context;
    *out_bytes = *out_unshared_bytes = 0;
    FERRY_TRY(ferry_context_know_shapes(c, err));
    if (!c->prepared) {
        const uint64_t *workspace = ferry_arena_alloc_array(&c->arena, c->engine->plan->n_steps, sizeof *workspace);
        if (!workspace) return ferry_fail_memory(err, "a context");
        FERRY_TRY(place(c, workspace, err));
    }
    for (int32_t d = 0; d < c->plan.n_devices; d++) *out_bytes += c->memory.arena_bytes[d];
    *out_unshared_bytes = c->memory.sum_bytes;
    return FERRY_OK;
}
