// SPDX-License-Identifier: Apache-2.0
#include "build/auto_scale.h"

#include <math.h>
#include <string.h>

#include "calibrate/scale_table.h"
#include "ops/element.h"

static const ferry_calibration_algorithm tried[] = {FERRY_CALIBRATION_ENTROPY2, FERRY_CALIBRATION_ENTROPY,
                                                    FERRY_CALIBRATION_MINMAX, FERRY_CALIBRATION_PERCENTILE,
                                                    FERRY_CALIBRATION_MSE};

// An output that comes out exactly right counts as this much, so that one such output doesn't hide the others.
#define MOST_DB 150.0

// --- Kept runs -----------------------------------------------------------------------------------------------------

ferry_status ferry_kept_runs_add(ferry_kept_runs *kept, void *const *buffers, const size_t *bytes, size_t n_bindings,
                                 ferry_error *err)
{
    if (kept->count == kept->most) return FERRY_OK;
    size_t total = 0;
    for (size_t i = 0; i < n_bindings; i++)
        if (!ferry_add_size(total, ferry_align_size(bytes[i], 64), &total))
            return ferry_fail_memory(err, "samples to try algorithms on");
    char *data = ferry_heap_alloc_uninit(kept->heap, total);
    if (!data) return ferry_fail_memory(err, "samples to try algorithms on");
    kept->run_bytes = total;
    kept->data[kept->count++] = data;
    for (size_t i = 0; i < n_bindings; i++) {
        if (bytes[i]) memcpy(data, buffers[i], bytes[i]);
        data += ferry_align_size(bytes[i], 64);
    }
    return FERRY_OK;
}

void ferry_kept_runs_deinit(ferry_kept_runs *kept)
{
    for (size_t i = 0; i < kept->count; i++) ferry_heap_free(kept->heap, kept->data[i], kept->run_bytes);
    *kept = (ferry_kept_runs){0};
}

// --- One algorithm -------------------------------------------------------------------------------------------------

typedef struct trial {
    ferry_building building;
    const ferry_kept_runs *kept;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
    size_t n, n_in;
    size_t *bytes;          // [n]
    void **data;            // [n]: inputs in the kept run, outputs of its own
    double *signal, *noise; // [n]: of outputs
} trial;

static ferry_status open_trial(trial *t, const ferry_scale_table *table, ferry_error *err)
{
    ferry_building *b = &t->building;
    ferry_graph graph = {0};
    const char *plan_text = NULL;
    FERRY_TRY(ferry_building_portable(b, table, &graph, &plan_text, err));
    FERRY_TRY(ferry_building_engine(b, &graph, NULL, false, &t->engine, err));
    const ferry_stream_options options = {.size = sizeof options, .threads = b->options.threads};
    FERRY_TRY(ferry_stream_create(b->runtime, &options, &t->stream, err));
    FERRY_TRY(ferry_context_create(t->engine, NULL, &t->context, err));
    t->n = (size_t)ferry_engine_binding_count(t->engine);
    t->n_in = t->engine->image.graph.n_inputs;
    t->bytes = ferry_arena_alloc_array(&b->arena, t->n, sizeof *t->bytes);
    t->data = ferry_arena_alloc_array(&b->arena, t->n, sizeof *t->data);
    t->signal = ferry_arena_alloc_array(&b->arena, t->n, sizeof *t->signal);
    t->noise = ferry_arena_alloc_array(&b->arena, t->n, sizeof *t->noise);
    if (!t->bytes || !t->data || !t->signal || !t->noise) return ferry_fail_memory(err, "trying algorithms");
    for (size_t i = 0; i < t->n; i++) {
        FERRY_TRY(ferry_context_binding_bytes(t->context, (int32_t)i, &t->bytes[i], err));
        if (i >= t->n_in && !(t->data[i] = ferry_arena_alloc(&b->arena, t->bytes[i])))
            return ferry_fail_memory(err, "trying algorithms");
    }
    return FERRY_OK;
}

static void close_trial(trial *t)
{
    ferry_context_release(t->context);
    ferry_stream_release(t->stream);
    ferry_engine_release(t->engine);
    t->context = NULL;
    t->stream = NULL;
    t->engine = NULL;
}

// Adds an output's signal and noise. Where the data decides the size and the two disagree, all of it is noise.
static void compare(trial *t, size_t output, const void *reference)
{
    const ferry_value_id v = ferry_engine_binding_value(t->engine, (int32_t)output);
    ferry_tensor got = {.dtype = t->engine->image.graph.values[v].dtype, .data = t->data[output]};
    ferry_tensor want = got;
    want.data = (void *)(uintptr_t)reference;
    size_t n = ferry_dtype_bytes(got.dtype) ? t->bytes[output] / ferry_dtype_bytes(got.dtype) : 0;
    if (t->context->bounded[v]) {
        size_t true_n = 1;
        for (int32_t d = 0; d < t->context->shapes[v].rank; d++) true_n *= (size_t)t->context->dims[v][d];
        if (true_n < n) n = true_n;
    }
    for (size_t i = 0; i < n; i++) {
        const double w = ferry_load_f64(&want, i), g = ferry_load_f64(&got, i);
        if (!isfinite(w)) continue;
        t->signal[output] += w * w;
        t->noise[output] += isfinite(g) ? (w - g) * (w - g) : w * w + 1;
    }
}

static ferry_status run_trial(trial *t, double *out_db, ferry_error *err)
{
    for (size_t r = 0; r < t->kept->count; r++) {
        char *at = t->kept->data[r];
        for (size_t i = 0; i < t->n_in; i++) {
            t->data[i] = at;
            at += ferry_align_size(t->bytes[i], 64);
        }
        const char *reference = at;
        FERRY_TRY(ferry_context_run(t->context, t->stream, (const void *const *)t->data, t->data + t->n_in, err));
        for (size_t i = t->n_in; i < t->n; i++) {
            compare(t, i, reference);
            reference += ferry_align_size(t->bytes[i], 64);
        }
    }
    double sum = 0;
    for (size_t i = t->n_in; i < t->n; i++) {
        const double db = t->noise[i] > 0 ? 10 * log10(t->signal[i] / t->noise[i]) : MOST_DB;
        sum += db > MOST_DB ? MOST_DB : db < -MOST_DB ? -MOST_DB : db;
    }
    *out_db = t->n > t->n_in ? sum / (double)(t->n - t->n_in) : 0;
    return FERRY_OK;
}

static ferry_status try_algorithm(ferry_building *b, const ferry_building *shapes, const ferry_scale_table *table,
                                  const ferry_kept_runs *kept, double *out_db, ferry_error *err)
{
    ferry_build_options options = b->options;
    options.precisions |= FERRY_PRECISION_INT8;
    options.no_fusion = false;
    options.strip_portable = false;
    options.memory_bytes = 0;
    options.timing_cache = NULL;
    trial t = {.kept = kept};
    ferry_status s = ferry_building_init(&t.building, shapes->runtime, b->network, &options, err);
    t.building.ranges = b->ranges;
    if (s == FERRY_OK) {
        const size_t n = b->network->graph.n_inputs;
        for (size_t i = 0; i < n; i++) {
            t.building.profiles[i].min = t.building.profiles[i].opt = t.building.profiles[i].max =
                shapes->profiles[i].opt;
            t.building.opt[i].shape = shapes->profiles[i].opt;
        }
        s = open_trial(&t, table, err);
    }
    if (s == FERRY_OK) s = run_trial(&t, out_db, err);
    close_trial(&t);
    ferry_building_deinit(&t.building);
    return s;
}

ferry_status ferry_building_choose_algorithm(ferry_building *b, const ferry_building *shapes,
                                             const ferry_observer *observer, const char *const *names,
                                             const ferry_kept_runs *kept, ferry_error *err)
{
    double most = -INFINITY;
    ferry_calibration_algorithm best = tried[0];
    ferry_phase phase;
    FERRY_TRY(ferry_phase_begin(&phase, b->options.progress, "try algorithms", FERRY_COUNT_OF(tried), err));
    for (size_t i = 0; i < FERRY_COUNT_OF(tried); i++) {
        double db = 0;
        ferry_scale_table table;
        ferry_scale_table_init(&table, b->heap);
        ferry_status s =
            ferry_scale_table_from_observer(&table, observer, names, tried[i], b->calibration.percentile, NULL, err);
        if (s == FERRY_OK) s = try_algorithm(b, shapes, &table, kept, &db, err);
        ferry_scale_table_deinit(&table);
        if (s != FERRY_OK)
            return ferry_within(err, s, "trying algorithm %s", ferry_calibration_algorithm_name(tried[i]));
        ferry_log(b->options.logger, FERRY_SEVERITY_INFO, "calibration auto: %s: outputs at %.2f dB against FP32",
                  ferry_calibration_algorithm_name(tried[i]), db);
        if (db > most) {
            most = db;
            best = tried[i];
        }
        FERRY_TRY(ferry_phase_step(&phase, i + 1, err));
    }
    ferry_log(b->options.logger, FERRY_SEVERITY_INFO, "calibration auto: takes %s (%.2f dB on %zu samples)",
              ferry_calibration_algorithm_name(best), most, kept->count);
    b->calibration.algorithm = best;
    b->calibrator.get_algorithm = NULL; // it said auto; the choice is made now
    return ferry_phase_end(&phase, err);
}
