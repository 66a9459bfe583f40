// SPDX-License-Identifier: Apache-2.0
#include "support/device_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/nvrtc.h"
#include "build/internal.h"
#include "ops/element.h"

static ferry_runtime *opened;

static void let_go(void)
{
    ferry_runtime_release(opened);
}

ferry_runtime *ferry_device_runtime(const char *device, ferry_error *err)
{
    const ferry_runtime_options gpu = {.size = sizeof gpu, .device = device};
    const ferry_runtime_options both = {.size = sizeof both, .device = device, .fallback = true};
    if (opened) return opened;
    // With a fallback an absent device would be no error.
    ferry_runtime *alone = NULL;
    const ferry_nvrtc *nvrtc = NULL;
    if (strncmp(device, "cuda", 4) == 0 && ferry_nvrtc_get(0, 0, &nvrtc, err) != FERRY_OK) return NULL;
    if (ferry_runtime_create(&gpu, &alone, err) != FERRY_OK) return NULL;
    if (ferry_runtime_create(&both, &opened, err) == FERRY_OK) atexit(let_go);
    ferry_runtime_release(alone);
    return opened;
}

ferry_runtime *ferry_device_wanted(ferry_error *err)
{
    const char *device = getenv("FERRY_TEST_DEVICE");
    err->text[0] = 0;
    return device && device[0] ? ferry_device_runtime(device, err) : NULL;
}

// --- Building --------------------------------------------------------------------------------------------------------

// The data is the caller's, and only some inputs stay inputs: *out_bound [n_inputs] says which.
static ferry_status set_inputs(ferry_graph *graph, const ferry_tensor *inputs, bool weights, bool *out_bound,
                               ferry_error *err)
{
    const size_t n = graph->n_inputs;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        const ferry_value_id v = graph->inputs[i];
        const ferry_shape shape = ferry_shape_of(inputs[i].rank, inputs[i].dims);
        out_bound[i] = !weights || i == 0;
        graph->values[v].is_input = out_bound[i];
        graph->values[v].shape = shape;
        if (out_bound[i]) {
            graph->inputs[left++] = v;
            continue;
        }
        const size_t bytes = ferry_tensor_bytes(&inputs[i]);
        void *data = ferry_graph_constant_room(graph, bytes + 1);
        if (!data) return ferry_fail_memory(err, "a weight");
        memcpy(data, inputs[i].data, bytes);
        FERRY_TRY(ferry_graph_make_constant(graph, v, inputs[i].dtype, &shape, data, bytes, err));
    }
    graph->n_inputs = left;
    return ferry_graph_infer(graph, NULL, 0, false, NULL, err);
}

static ferry_status build(ferry_runtime *runtime, const ferry_graph *graph, const ferry_tensor *inputs, bool fp16,
                          bool weights, bool *out_bound, ferry_engine **out, ferry_error *err)
{
    ferry_network network = {.heap = runtime->heap};
    const ferry_build_options how = {.size = sizeof how,
                                     .precisions = fp16 ? FERRY_PRECISION_FP16 : 0,
                                     .threads = 1,
                                     .no_timing = true,
                                     .no_winograd = true};
    FERRY_TRY(ferry_graph_copy(graph, &network.graph, err));
    ferry_status s = set_inputs(&network.graph, inputs, weights, out_bound, err);
    if (s == FERRY_OK) s = ferry_build(runtime, &network, &how, out, err);
    ferry_graph_deinit(&network.graph);
    return s;
}

static void count(const ferry_engine *engine, ferry_device_count *out)
{
    const ferry_plan *plan = engine->plan;
    *out = (ferry_device_count){0};
    for (size_t i = 0; i < plan->n_steps; i++) {
        const ferry_plan_step *step = &plan->steps[i];
        if (step->kind != FERRY_STEP_REGION) continue;
        if (strcmp(plan->devices[step->device].backend, "cpu") != 0) {
            out->on_device++;
            continue;
        }
        out->on_host++;
        for (int32_t n = 0; n < step->n_nodes; n++) {
            const size_t at = strlen(out->host_ops);
            snprintf(out->host_ops + at, sizeof out->host_ops - at, "%s%s", at ? " " : "",
                     engine->image.graph.nodes[step->nodes[n]].op->name);
        }
    }
}

// --- Running ---------------------------------------------------------------------------------------------------------

static ferry_status run(ferry_engine *engine, const ferry_tensor *inputs, const bool *bound, size_t n_inputs,
                        ferry_tensor *outputs, size_t n_outputs, ferry_arena *arena, ferry_error *err)
{
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    const ferry_stream_options options = {.size = sizeof options, .threads = 1};
    const void **in = ferry_arena_alloc_array(arena, n_inputs + 1, sizeof *in);
    void **out = ferry_arena_alloc_array(arena, n_outputs + 1, sizeof *out);
    size_t n_in = 0;
    if (!in || !out) return ferry_fail_memory(err, "a run");
    for (size_t i = 0; i < n_inputs; i++)
        if (bound[i]) in[n_in++] = inputs[i].data;
    ferry_status s = ferry_context_create(engine, NULL, &context, err);
    if (s == FERRY_OK) s = ferry_stream_create(engine->runtime, &options, &stream, err);
    for (size_t o = 0; s == FERRY_OK && o < n_outputs; o++) {
        ferry_binding_info info;
        size_t bytes = 0;
        s = ferry_engine_binding(engine, (int32_t)(n_in + o), &info, err);
        if (s == FERRY_OK) s = ferry_context_binding_bytes(context, (int32_t)(n_in + o), &bytes, err);
        if (s != FERRY_OK) break;
        out[o] = ferry_arena_alloc(arena, bytes + 1);
        outputs[o] = (ferry_tensor){.dtype = info.dtype, .data = out[o]};
        if (!out[o]) s = ferry_fail_memory(err, "an output");
    }
    if (s == FERRY_OK) s = ferry_context_run(context, stream, in, out, err);
    for (size_t o = 0; s == FERRY_OK && o < n_outputs; o++)
        s = ferry_context_binding_shape(context, (int32_t)(n_in + o), &outputs[o].rank, outputs[o].dims, err);
    ferry_stream_release(stream);
    ferry_context_release(context);
    return s;
}

// --- Comparing -------------------------------------------------------------------------------------------------------

static bool same_shape(const ferry_tensor *got, const ferry_tensor *want)
{
    bool same = got->rank == want->rank;
    for (int32_t d = 0; d < want->rank && same; d++) same = got->dims[d] == want->dims[d];
    return same;
}

static bool is_same(const ferry_tensor *got, const ferry_tensor *want, double relative_l2, ferry_error *why)
{
    double error = 0, norm = 0;
    if (got->dtype != want->dtype || !same_shape(got, want)) {
        ferry_fail(why, FERRY_ERR_INTERNAL, "another type or shape");
        return false;
    }
    for (size_t i = 0; i < ferry_tensor_elements(want); i++) {
        if (!ferry_dtype_is_float(want->dtype)) {
            if (ferry_load_s64(got, i) == ferry_load_s64(want, i)) continue;
            ferry_fail(why, FERRY_ERR_INTERNAL, "element %zu is %lld, expected %lld", i,
                       (long long)ferry_load_s64(got, i), (long long)ferry_load_s64(want, i));
            return false;
        }
        const double g = ferry_load_f64(got, i), w = ferry_load_f64(want, i);
        if (isfinite(w) && isfinite(g)) {
            error += (g - w) * (g - w);
            norm += w * w;
        } else if (!(g == w || (isnan(g) && isnan(w)))) {
            ferry_fail(why, FERRY_ERR_INTERNAL, "element %zu is %g, expected %g", i, g, w);
            return false;
        }
    }
    if (sqrt(error) <= relative_l2 * sqrt(norm)) return true;
    ferry_fail(why, FERRY_ERR_INTERNAL, "a relative L2 of %.3g, at most %g is right", sqrt(error / norm), relative_l2);
    return false;
}

// Floats of 16 bits carry about three digits; those of 32 are summed in another order.
static double tolerance(ferry_dtype dtype, bool fp16)
{
    return fp16 || ferry_dtype_bytes(dtype) <= 2 ? 1e-2 : 1e-4;
}

static ferry_status check(ferry_runtime *runtime, const ferry_graph *graph, const ferry_tensor *inputs,
                          const ferry_tensor *wanted, bool fp16, bool weights, ferry_device_count *out_count,
                          ferry_arena *arena, ferry_error *why)
{
    ferry_engine *engine = NULL;
    bool *bound = ferry_arena_alloc_array(arena, graph->n_inputs + 1, sizeof *bound);
    ferry_tensor *outputs = ferry_arena_alloc_array(arena, graph->n_outputs + 1, sizeof *outputs);
    if (!bound || !outputs) return ferry_fail_memory(why, "a run");
    ferry_status s = build(runtime, graph, inputs, fp16, weights, bound, &engine, why);
    if (s == FERRY_ERR_UNSUPPORTED && strstr(why->text, "cannot be told before running")) return FERRY_OK;
    if (s != FERRY_OK) return ferry_within(why, s, "building");
    count(engine, out_count);
    s = run(engine, inputs, bound, graph->n_inputs, outputs, graph->n_outputs, arena, why);
    ferry_engine_release(engine);
    if (s != FERRY_OK) return ferry_within(why, s, "running");
    for (size_t o = 0; o < graph->n_outputs; o++)
        if (!is_same(&outputs[o], &wanted[o], tolerance(wanted[o].dtype, fp16), why))
            return ferry_within(why, FERRY_ERR_INTERNAL, "output '%s'%s", graph->values[graph->outputs[o]].name,
                                weights ? ", with weights" : "");
    return FERRY_OK;
}

bool ferry_device_agrees(ferry_runtime *runtime, const ferry_graph *graph, const ferry_tensor *inputs,
                         const ferry_tensor *wanted, bool fp16, ferry_device_count *out_count, ferry_error *why)
{
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    *out_count = (ferry_device_count){0};
    ferry_status s = check(runtime, graph, inputs, wanted, fp16, false, out_count, &arena, why);
    const bool alone = out_count->on_device > 0 && out_count->on_host == 0;
    if (s == FERRY_OK && !alone && graph->n_inputs > 1)
        s = check(runtime, graph, inputs, wanted, fp16, true, out_count, &arena, why);
    ferry_arena_deinit(&arena);
    return s == FERRY_OK;
}
