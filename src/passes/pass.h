// SPDX-License-Identifier: Apache-2.0
// What a pass is, and the one table that orders them. A pass rewrites a graph without changing what it computes, up to
// rounding; it knows no device.
#ifndef FERRY_SRC_PASSES_PASS_H_
#define FERRY_SRC_PASSES_PASS_H_

#include "graph/graph.h"

typedef struct ferry_pass_context {
    ferry_arena *scratch;       // emptied after each pass
    const ferry_logger *logger; // may be NULL
    size_t fold_limit_bytes;    // the largest constant that folding may make out of smaller ones
} ferry_pass_context;

typedef struct ferry_pass {
    const char *name; // "fold": how options name it
    const char *what; // one line for `--help` and the documentation
    /// Leaves nodes in topological order or calls ferry_graph_compact. Sets *changed to true if it did anything.
    ferry_status (*run)(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);
} ferry_pass;

/// The passes in their order: index from 0 until NULL.
const ferry_pass *ferry_pass_at(size_t index);
const ferry_pass *ferry_pass_find(const char *name);

/// Zero is the default in every field.
typedef struct ferry_passes_options {
    const char *const *disabled; // names of passes to leave out; an unknown name is an error
    size_t n_disabled;
    size_t fold_limit_bytes; // 0: 64 MiB
    bool verify;             // ferry_graph_verify after every pass that changed something (always in debug builds)
    /// Called after every pass run; NULL: not called.
    void (*after)(void *user, const char *pass, const ferry_graph *graph, bool changed);
    void *user;
} ferry_passes_options;

/// Runs the table over and over until nothing changes, then infers shapes once more. `graph` must have been inferred.
/// `options` and `logger` may be NULL. On failure the graph is valid memory but of no further use.
ferry_status ferry_passes_run(ferry_graph *graph, const ferry_passes_options *options, const ferry_logger *logger,
                              ferry_error *err);

#endif // FERRY_SRC_PASSES_PASS_H_
