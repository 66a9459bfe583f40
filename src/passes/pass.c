// SPDX-License-Identifier: Apache-2.0
// The table of passes, and running it until nothing changes.
#include "passes/pass.h"

#include <string.h>

#include "base/log.h"
#include "ops/infer.h"

#define FERRY_PASS(name, what)                                                                                         \
    ferry_status ferry_pass_##name(ferry_graph *graph, const ferry_pass_context *context, bool *changed,               \
                                   ferry_error *err);
#include "passes/passes.inc"
#undef FERRY_PASS

static const ferry_pass passes[] = {
#define FERRY_PASS(pass_name, text) {.name = #pass_name, .what = text, .run = ferry_pass_##pass_name},
#include "passes/passes.inc"
#undef FERRY_PASS
};

// A pass that undoes another's work would run for ever; no real model needs as many rounds.
enum { MOST_RUNS = 10000 };

const ferry_pass *ferry_pass_at(size_t index)
{
    return index < FERRY_COUNT_OF(passes) ? &passes[index] : NULL;
}

const ferry_pass *ferry_pass_find(const char *name)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(passes); i++)
        if (strcmp(passes[i].name, name) == 0) return &passes[i];
    return NULL;
}

static bool is_disabled(const ferry_passes_options *options, const char *name)
{
    for (size_t i = 0; i < options->n_disabled; i++)
        if (strcmp(options->disabled[i], name) == 0) return true;
    return false;
}

static ferry_status settle(ferry_graph *graph, bool verify, ferry_error *err)
{
    FERRY_TRY(ferry_graph_compact(graph, err));
    ferry_report report;
    ferry_report_init(&report, graph->heap);
    ferry_status s = ferry_graph_infer(graph, NULL, 0, false, &report, err);
    if (s == FERRY_OK && verify) s = ferry_graph_verify(graph, &report, err);
    ferry_report_deinit(&report);
    return s;
}

static ferry_status run_one(ferry_graph *graph, const ferry_pass *pass, const ferry_passes_options *options,
                            ferry_pass_context *context, bool *changed, ferry_error *err)
{
#ifdef NDEBUG
    const bool verify = options->verify;
#else
    const bool verify = true;
#endif
    ferry_arena scratch;
    ferry_arena_init(&scratch, graph->heap);
    context->scratch = &scratch;
    *changed = false;
    ferry_status s = pass->run(graph, context, changed, err);
    ferry_arena_deinit(&scratch);
    if (s == FERRY_OK && *changed) s = settle(graph, verify, err);
    if (s != FERRY_OK) return ferry_within(err, s, "pass '%s'", pass->name);
    if (options->after) options->after(options->user, pass->name, graph, *changed);
    return FERRY_OK;
}

ferry_status ferry_passes_run(ferry_graph *graph, const ferry_passes_options *options, const ferry_logger *logger,
                              ferry_error *err)
{
    static const ferry_passes_options defaults;
    if (!options) options = &defaults;
    for (size_t i = 0; i < options->n_disabled; i++)
        if (!ferry_pass_find(options->disabled[i]))
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "there is no pass '%s'", options->disabled[i]);
    ferry_pass_context context = {
        .logger = logger,
        .fold_limit_bytes = options->fold_limit_bytes ? options->fold_limit_bytes : (size_t)64 << 20,
    };
    const size_t nodes_before = graph->n_nodes;
    int runs = 0;
    for (size_t i = 0; i < FERRY_COUNT_OF(passes);) {
        bool changed = false;
        if (!is_disabled(options, passes[i].name)) {
            if (runs++ == MOST_RUNS) return ferry_fail(err, FERRY_ERR_INTERNAL, "the passes never come to rest");
            FERRY_TRY(run_one(graph, &passes[i], options, &context, &changed, err));
        }
        i = changed ? 0 : i + 1; // what changed may give work to the passes before
    }
    ferry_log(logger, FERRY_SEVERITY_VERBOSE, "passes: %zu nodes became %zu, in %d runs", nodes_before, graph->n_nodes,
              runs);
    return FERRY_OK;
}
