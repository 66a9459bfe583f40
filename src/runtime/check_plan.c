// SPDX-License-Identifier: Apache-2.0
// Plans out of files, checked against the backends: a kernel is only ever prepared for a region that its own matcher
// has accepted, whatever a file says.
#include <string.h>

#include "ops/infer.h"
#include "runtime/internal.h"

// Kernels trust the types of their tensors: those that a file says must be those that its operators make.
static ferry_status check_types(const ferry_graph *said, const ferry_graph *inferred, ferry_error *err)
{
    for (size_t v = 0; v < said->n_values; v++)
        if (said->values[v].dtype != inferred->values[v].dtype)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "tensor '%s' is said to be %s, its layer makes %s",
                              said->values[v].name, ferry_dtype_name(said->values[v].dtype),
                              ferry_dtype_name(inferred->values[v].dtype));
    return FERRY_OK;
}

static ferry_status infer_at_opt(const ferry_engine_image *image, ferry_graph *graph, ferry_error *err)
{
    ferry_input_shape *bound = ferry_heap_alloc_array(image->heap, image->n_profiles, sizeof *bound);
    if (!bound) return ferry_fail_memory(err, "shapes");
    for (size_t i = 0; i < image->n_profiles; i++)
        bound[i] = (ferry_input_shape){image->profiles[i].input, image->profiles[i].opt};
    ferry_report report;
    ferry_error why = {.text = ""};
    ferry_report_init(&report, image->heap);
    const ferry_status s = ferry_graph_infer(graph, bound, image->n_profiles, true, &report, &why);
    ferry_report_deinit(&report);
    ferry_heap_free(image->heap, bound, image->n_profiles * sizeof *bound);
    if (s == FERRY_OK) return s;
    return ferry_fail(err, s == FERRY_ERR_OUT_OF_MEMORY ? s : FERRY_ERR_BAD_ENGINE, "%s", why.text);
}

ferry_status ferry_engine_shaped_graph(const ferry_engine *engine, ferry_graph *out, ferry_error *err)
{
    FERRY_TRY(ferry_graph_copy(&engine->image.graph, out, err));
    FERRY_TRY(infer_at_opt(&engine->image, out, err));
    return check_types(&engine->image.graph, out, err);
}

typedef struct search {
    const ferry_plan_step *step;
    uint32_t flags; // that the offer must have: FERRY_OFFER_*
    bool found;
} search;

static ferry_status compare(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    search *s = user;
    s->found |= offer->n_nodes == s->step->n_nodes && (offer->flags & s->flags) == s->flags &&
                strcmp(offer->tactic, s->step->tactic) == 0 &&
                memcmp(offer->nodes, s->step->nodes, (size_t)offer->n_nodes * sizeof *offer->nodes) == 0;
    return FERRY_OK;
}

// A kernel meets slices only where its offer says that it can.
static uint32_t flags_needed(const ferry_plan *plan, const ferry_plan_step *step)
{
    uint32_t flags = 0;
    for (int32_t i = 0; i < step->n_inputs; i++)
        if (plan->buffers[step->inputs[i]].slice) flags |= FERRY_OFFER_READS_SLICES;
    for (int32_t i = 0; i < step->n_outputs; i++)
        if (plan->buffers[step->outputs[i]].slice) flags |= FERRY_OFFER_WRITES_SLICES;
    return flags;
}

ferry_status ferry_engine_check_plan(const ferry_engine *engine, const ferry_plan *plan, const ferry_graph_view *view,
                                     bool *out_fits, ferry_error *why, ferry_error *err)
{
    *out_fits = false;
    for (size_t i = 0; i < plan->n_steps; i++) {
        search s = {.step = &plan->steps[i], .flags = flags_needed(plan, &plan->steps[i])};
        if (s.step->kind != FERRY_STEP_REGION) continue;
        ferry_device *device = engine->runtime->devices[s.step->device];
        const ferry_offer_sink sink = {compare, &s};
        FERRY_TRY(device->backend->offer(device, view, s.step->nodes[s.step->n_nodes - 1], &sink, err));
        if (s.found) continue;
        ferry_fail(why, FERRY_ERR_BAD_ENGINE, "layer '%s': device %s has no tactic '%s' for it", s.step->name,
                   device->backend->name, s.step->tactic);
        return FERRY_OK;
    }
    *out_fits = true;
    return FERRY_OK;
}

ferry_status ferry_shaped_graph_make(const ferry_engine *engine, ferry_shaped_graph *out, ferry_error *err)
{
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    ferry_arena_init(&out->arena, engine->image.heap);
    FERRY_TRY(ferry_engine_shaped_graph(engine, &out->graph, err));
    FERRY_TRY(ferry_graph_users(&out->graph, &out->arena, &offsets, &users, err));
    bool *bounded = ferry_arena_alloc_array(&out->arena, out->graph.n_values, sizeof *bounded);
    if (!bounded) return ferry_fail_memory(err, "checking a plan");
    ferry_plan_find_bounded(&out->graph, bounded);
    out->view = (ferry_graph_view){.graph = &out->graph,
                                   .user_offsets = offsets,
                                   .users = users,
                                   .bounded = bounded,
                                   .permitted = FERRY_OFFER_PERMITTED_ONLY};
    return FERRY_OK;
}

void ferry_shaped_graph_deinit(ferry_shaped_graph *shaped)
{
    ferry_arena_deinit(&shaped->arena);
    ferry_graph_deinit(&shaped->graph);
}
