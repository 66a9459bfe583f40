// SPDX-License-Identifier: Apache-2.0
// Calibration's run: the network exactly as it was imported, in FP32, sample by sample, every float tensor watched.
#include <string.h>

#include "base/thread_pool.h"
#include "build/auto_scale.h"
#include "build/internal.h"
#include "build/samples.h"
#include "calibrate/observer.h"
#include "calibrate/scale_source.h"

typedef struct watching {
    ferry_observer *observer;
    const ferry_graph *graph; // of the engine that runs
    int32_t *index;           // [graph->n_values]: tensor of the observer, -1: not watched
    ferry_status status;
    ferry_error error;
} watching;

static int watch(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero)
{
    (void)scale;
    (void)zero;
    watching *w = user;
    const ferry_value_id v = ferry_graph_find_value(w->graph, tensor->name);
    if (v == FERRY_NO_VALUE || w->index[v] < 0) return 0;
    size_t count = 1;
    for (int32_t d = 0; d < tensor->rank; d++) count *= (size_t)tensor->dims[d];
    w->status = ferry_observer_observe(w->observer, (size_t)w->index[v], tensor->dtype, tensor->data, count, &w->error);
    return w->status != FERRY_OK;
}

static bool is_float(ferry_dtype dtype)
{
    return dtype == FERRY_F32 || dtype == FERRY_F16 || dtype == FERRY_BF16 || dtype == FERRY_F64;
}

ferry_status ferry_building_float_tensors(ferry_building *b, const char *const **out_names, size_t *out_count,
                                          ferry_error *err)
{
    const ferry_graph *g = &b->network->graph;
    const char **names = ferry_arena_alloc_array(&b->arena, g->n_values, sizeof *names);
    if (!names) return ferry_fail_memory(err, "calibration");
    size_t n = 0;
    for (size_t i = 0; i < g->n_inputs; i++)
        if (is_float(g->values[g->inputs[i]].dtype)) names[n++] = g->values[g->inputs[i]].name;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int32_t k = 0; k < g->nodes[i].n_outputs; k++) {
            const ferry_value_id v = g->nodes[i].outputs[k];
            if (v != FERRY_NO_VALUE && is_float(g->values[v].dtype)) names[n++] = g->values[v].name;
        }
    *out_names = names;
    *out_count = n;
    return FERRY_OK;
}

// One sample at a time wherever the model leaves the batch open, so that scales don't depend on how samples are
// batched. Up to `most` of them share a run where that can't be told from running each alone.
static void single_samples(ferry_building *b, int64_t most)
{
    const ferry_graph *g = &b->network->graph;
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ferry_shape *own = &g->values[g->inputs[i]].shape;
        ferry_engine_profile *p = &b->profiles[i];
        const bool open = p->opt.rank > 0 && (own->rank < 1 || own->dims[0] < 0);
        if (open) p->opt.dims[0] = 1;
        p->min = p->max = p->opt;
        if (open) p->max.dims[0] = most;
        b->opt[i].shape = p->opt;
    }
}

// How many samples may share a run: `wanted` when every input leaves its batch open and every tensor that is watched
// has the batch as its first dimension; else 1.
static ferry_status find_batch(ferry_building *b, const char *const *names, size_t count, int64_t wanted,
                               int64_t *out_batch, ferry_error *err)
{
    const ferry_graph *g = &b->network->graph;
    *out_batch = 1;
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ferry_shape *own = &g->values[g->inputs[i]].shape;
        if (b->profiles[i].opt.rank < 1 || (own->rank >= 1 && own->dims[0] >= 0)) return FERRY_OK;
    }
    ferry_shape *shapes = ferry_arena_alloc_array(&b->arena, g->n_values, sizeof *shapes);
    ferry_input_shape *bound = ferry_arena_alloc_array(&b->arena, g->n_inputs, sizeof *bound);
    if (!shapes || !bound) return ferry_fail_memory(err, "calibration");
    for (size_t i = 0; i < g->n_inputs; i++) {
        bound[i] = b->opt[i];
        bound[i].shape.dims[0] = wanted;
    }
    ferry_report report;
    ferry_report_init(&report, b->heap);
    const ferry_status s = ferry_graph_infer_shapes(g, bound, g->n_inputs, shapes, NULL, b->heap, &report, NULL);
    ferry_report_deinit(&report);
    if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail_memory(err, "calibration");
    bool fits = s == FERRY_OK;
    for (size_t i = 0; fits && i < count; i++) {
        const ferry_value_id v = ferry_graph_find_value(g, names[i]);
        fits = v != FERRY_NO_VALUE && shapes[v].rank > 0 && shapes[v].dims[0] == wanted;
    }
    if (fits) *out_batch = wanted;
    return FERRY_OK;
}

typedef struct running {
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
    void **buffers;       // [bindings]
    size_t *bytes;        // [bindings]
    size_t *sample_bytes; // [inputs]
    void **at;            // [inputs]: where the next sample goes
    ferry_kept_runs kept; // for FERRY_CALIBRATION_AUTO
    size_t batch;         // samples that one run takes
    bool flexible;        // fewer will do for the last run
} running;

// Sets the context to runs of that many samples where the batch is open.
static ferry_status set_batch(ferry_building *b, running *r, size_t batch, ferry_error *err)
{
    const ferry_graph *g = &b->network->graph;
    for (size_t i = 0; i < g->n_inputs; i++) {
        ferry_shape shape = b->profiles[i].opt;
        if (b->profiles[i].max.rank > 0 && b->profiles[i].max.dims[0] > shape.dims[0]) shape.dims[0] = (int64_t)batch;
        FERRY_TRY(ferry_context_set_input_shape(r->context, g->values[g->inputs[i]].name, shape.rank, shape.dims, err));
    }
    return ferry_context_prepare(r->context, err);
}

static ferry_status open_running(ferry_building *b, running *r, watching *w, ferry_error *err)
{
    ferry_graph graph = {0};
    const char *plan_text = NULL;
    FERRY_TRY(ferry_building_portable(b, NULL, &graph, &plan_text, err));
    FERRY_TRY(ferry_building_engine(b, &graph, NULL, false, &r->engine, err));
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = b->options.threads};
    FERRY_TRY(ferry_stream_create(b->runtime, &stream_options, &r->stream, err));
    FERRY_TRY(ferry_context_create(r->engine, NULL, &r->context, err));
    FERRY_TRY(ferry_context_set_observer(r->context, watch, w, err));
    const ferry_shape *first = &b->profiles[0].max;
    FERRY_TRY(set_batch(b, r, first->rank > 0 ? (size_t)first->dims[0] : 1, err));
    const size_t n = (size_t)ferry_engine_binding_count(r->engine), n_in = b->network->graph.n_inputs;
    r->buffers = ferry_arena_alloc_array(&b->arena, n, sizeof *r->buffers);
    r->bytes = ferry_arena_alloc_array(&b->arena, n, sizeof *r->bytes);
    r->sample_bytes = ferry_arena_alloc_array(&b->arena, n, sizeof *r->sample_bytes);
    r->at = ferry_arena_alloc_array(&b->arena, n, sizeof *r->at);
    if (!r->buffers || !r->bytes || !r->sample_bytes || !r->at) return ferry_fail_memory(err, "calibration");
    r->batch = 1;
    for (size_t i = 0; i < n; i++) {
        FERRY_TRY(ferry_context_binding_bytes(r->context, (int32_t)i, &r->bytes[i], err));
        r->buffers[i] = ferry_heap_alloc(b->heap, r->bytes[i]);
        if (!r->buffers[i]) return ferry_fail_memory(err, "calibration");
        if (i >= n_in) continue;
        const ferry_shape *shape = &b->profiles[i].max;
        const size_t batch = shape->rank > 0 && shape->dims[0] > 0 ? (size_t)shape->dims[0] : 1;
        r->sample_bytes[i] = r->bytes[i] / batch;
        if (i == 0) r->batch = batch;
        if (i == 0) r->flexible = shape->rank > 0 && shape->dims[0] > b->profiles[i].opt.dims[0];
    }
    w->graph = &r->engine->image.graph;
    return FERRY_OK;
}

static void close_running(ferry_building *b, running *r)
{
    ferry_context_release(r->context);
    ferry_stream_release(r->stream);
    const int32_t n = r->engine ? ferry_engine_binding_count(r->engine) : 0;
    for (int32_t i = 0; r->buffers && r->bytes && i < n; i++) ferry_heap_free(b->heap, r->buffers[i], r->bytes[i]);
    ferry_engine_release(r->engine);
}

static ferry_status index_tensors(ferry_building *b, watching *w, const char *const *names, size_t count,
                                  ferry_error *err)
{
    w->index = ferry_arena_alloc_array(&b->arena, w->graph->n_values, sizeof *w->index);
    if (!w->index) return ferry_fail_memory(err, "calibration");
    for (size_t i = 0; i < w->graph->n_values; i++) w->index[i] = -1;
    for (size_t i = 0; i < count; i++) {
        const ferry_value_id v = ferry_graph_find_value(w->graph, names[i]);
        if (v != FERRY_NO_VALUE) w->index[v] = (int32_t)i;
    }
    return FERRY_OK;
}

// Fills one run's inputs with samples; *out_count of them, less than a batch when they end.
static ferry_status fill_inputs(ferry_building *b, running *r, ferry_samples *samples, size_t *out_count,
                                ferry_error *err)
{
    *out_count = 0;
    while (*out_count < r->batch) {
        bool more = false;
        for (size_t i = 0; i < b->network->graph.n_inputs; i++)
            r->at[i] = (char *)r->buffers[i] + *out_count * r->sample_bytes[i];
        FERRY_TRY(ferry_samples_next(samples, r->at, &more, err));
        if (!more) return FERRY_OK;
        ++*out_count;
    }
    return FERRY_OK;
}

static ferry_status run_samples(ferry_building *b, running *r, watching *w, ferry_samples *samples,
                                ferry_observation *out, ferry_error *err)
{
    ferry_phase phase;
    const uint64_t total = ferry_samples_total(samples);
    uint64_t done = 0;
    const size_t n_in = b->network->graph.n_inputs;
    const bool guards = out->ranges && !out->table;
    FERRY_TRY(ferry_phase_begin(&phase, b->options.progress, guards ? "FP16 guard" : "calibrate", total, err));
    for (size_t count = r->batch; count == r->batch && (!out->most || done < out->most);) {
        FERRY_TRY(fill_inputs(b, r, samples, &count, err));
        if (count == 0) break;
        if (count < r->batch && !r->flexible) {
            ferry_log(b->options.logger, FERRY_SEVERITY_WARNING,
                      "the model's batch is fixed at %zu: the last %zu samples, too few for it, were left out",
                      r->batch, count);
            break;
        }
        if (r->flexible) FERRY_TRY(set_batch(b, r, count, err));
        const ferry_status s =
            ferry_context_run(r->context, r->stream, (const void *const *)r->buffers, r->buffers + n_in, err);
        if (w->status != FERRY_OK) return ferry_fail(err, w->status, "%s", w->error.text);
        FERRY_TRY(s);
        FERRY_TRY(
            ferry_kept_runs_add(&r->kept, r->buffers, r->bytes, (size_t)ferry_engine_binding_count(r->engine), err));
        done += count;
        FERRY_TRY(ferry_phase_step(&phase, done, err));
    }
    out->samples = phase.total = done;
    return ferry_phase_end(&phase, err);
}

// Scales out of what was seen, or the histograms themselves.
static ferry_status conclude(ferry_building *b, ferry_building *outer, const watching *w, const running *r,
                             ferry_observation *out, ferry_error *err)
{
    const ferry_calibration_options *c = &outer->calibration;
    if (!out->table && !out->ranges) {
        out->histograms = ferry_observer_take(w->observer);
        return FERRY_OK;
    }
    for (size_t i = 0; out->ranges && i < out->count; i++) {
        const float amax = ferry_histogram_amax(ferry_observer_histogram(w->observer, i));
        FERRY_TRY(ferry_scale_table_set(out->ranges, out->names[i], strlen(out->names[i]), amax, NULL, err));
    }
    if (!out->table) return FERRY_OK;
    outer->ranges = out->ranges;
    if (ferry_scale_source_algorithm(c) == FERRY_CALIBRATION_AUTO)
        FERRY_TRY(ferry_building_choose_algorithm(outer, b, w->observer, out->names, &r->kept, err));
    return ferry_scale_table_from_observer(out->table, w->observer, out->names, ferry_scale_source_algorithm(c),
                                           c->percentile, &b->report, err);
}

// `outer` is the building whose scales these are: its calibration tells the algorithm, or gets the one that was chosen.
static ferry_status observe(ferry_building *b, ferry_building *outer, ferry_thread_pool *pool, ferry_observation *out,
                            ferry_error *err)
{
    const bool choose = out->table && ferry_scale_source_algorithm(&outer->calibration) == FERRY_CALIBRATION_AUTO;
    watching w = {0};
    running r = {.kept = {.heap = b->heap}};
    ferry_samples *samples = NULL;
    ferry_status s = ferry_samples_open(b, &samples, err);
    if (s == FERRY_OK) s = ferry_observer_create(b->heap, out->count, pool, &w.observer, err);
    if (s == FERRY_OK) s = open_running(b, &r, &w, err);
    if (s == FERRY_OK) s = index_tensors(b, &w, out->names, out->count, err);
    if (choose) r.kept.most = r.batch < FERRY_AUTO_MOST_SAMPLES ? FERRY_AUTO_MOST_SAMPLES / (r.batch ? r.batch : 1) : 1;
    if (s == FERRY_OK) s = run_samples(b, &r, &w, samples, out, err);
    if (s == FERRY_OK && (out->table || out->ranges)) s = ferry_samples_finish(samples, err);
    if (s == FERRY_OK) s = conclude(b, outer, &w, &r, out, err);
    ferry_kept_runs_deinit(&r.kept);
    close_running(b, &r);
    ferry_observer_destroy(w.observer);
    ferry_samples_close(samples);
    return s;
}

// As many samples in a run as were asked for, where that can't be told from running each alone.
static ferry_status choose_batch(ferry_building *inner, const ferry_building *b, const ferry_observation *out,
                                 ferry_error *err)
{
    int64_t batch = 1;
    single_samples(inner, 1);
    // Algorithms are tried on runs as they were kept: all of one size.
    const bool choose = out->table && ferry_scale_source_algorithm(&b->calibration) == FERRY_CALIBRATION_AUTO;
    if (b->calibration.batch > 1 && !choose) {
        FERRY_TRY(find_batch(inner, out->names, out->count, b->calibration.batch, &batch, err));
        if (batch == 1)
            ferry_log(b->options.logger, FERRY_SEVERITY_INFO,
                      "calibration takes one sample at a time: the model's tensors don't all have a batch in front");
    }
    single_samples(inner, batch);
    return FERRY_OK;
}

// "x=1x3x224x224 y=1x10": what one sample is.
static ferry_status describe_inputs(const ferry_building *inner, ferry_building *b, ferry_observation *out,
                                    ferry_error *err)
{
    const ferry_graph *g = &b->network->graph;
    char *text = ferry_arena_strdup(&b->arena, "");
    for (size_t i = 0; text && i < g->n_inputs; i++) {
        char shape[160];
        ferry_shape_text(g, &inner->opt[i].shape, shape, sizeof shape);
        text = ferry_arena_printf(&b->arena, "%s%s%s=%s", text, i ? " " : "", g->values[g->inputs[i]].name, shape);
    }
    out->inputs = text;
    return text ? FERRY_OK : ferry_fail_memory(err, "calibration");
}

// A device that can only be built for runs no samples: the CPU does. Nor is it worth compiling kernels in FP32 for the
// few that ranges take.
static ferry_status open_runtime(const ferry_building *b, const ferry_observation *seen, ferry_runtime **out,
                                 ferry_error *err)
{
    bool elsewhere = !seen->table && seen->ranges && !b->runtime->infos[0].host_memory;
    for (int32_t d = 0; d < b->runtime->n_devices; d++) elsewhere |= b->runtime->infos[d].build_only;
    *out = b->runtime;
    ferry_runtime_retain(b->runtime);
    if (!elsewhere) return FERRY_OK;
    const ferry_runtime_options options = {
        .size = sizeof options, .device = "cpu", .heap = b->heap, .logger = &b->runtime->logger};
    ferry_runtime_release(*out);
    return ferry_runtime_create(&options, out, err);
}

ferry_status ferry_building_observe(ferry_building *b, ferry_observation *out, ferry_error *err)
{
    ferry_build_options options = b->options;
    options.no_fusion = true;
    options.precisions = 0;
    options.memory_bytes = 0;
    options.timing_cache = NULL;
    ferry_building inner;
    ferry_runtime *runtime = NULL;
    FERRY_TRY(open_runtime(b, out, &runtime, err));
    ferry_status s = ferry_building_init(&inner, runtime, b->network, &options, err);
    if (out->most && (inner.calibration.count == 0 || inner.calibration.count > out->most))
        inner.calibration.count = out->most;
    ferry_thread_pool *pool = NULL;
    if (s == FERRY_OK && b->network->graph.n_inputs == 0)
        s = ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                       "the network has no inputs: there is nothing to calibrate with");
    if (s == FERRY_OK && b->options.threads != 1)
        s = ferry_thread_pool_create(b->heap, b->options.threads > 0 ? (size_t)b->options.threads : 0, &pool, err);
    if (s == FERRY_OK) s = choose_batch(&inner, b, out, err);
    if (s == FERRY_OK) s = describe_inputs(&inner, b, out, err);
    if (s == FERRY_OK) s = observe(&inner, b, pool, out, err);
    s = ferry_building_tell(&inner, s, err);
    ferry_thread_pool_destroy(pool);
    ferry_building_deinit(&inner);
    ferry_runtime_release(runtime);
    return s;
}
