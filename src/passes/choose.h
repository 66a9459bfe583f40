// SPDX-License-Identifier: Apache-2.0
// What the steps of choosing a numeric plan share.
#ifndef FERRY_SRC_PASSES_CHOOSE_H_
#define FERRY_SRC_PASSES_CHOOSE_H_

#include "passes/kinds.h"
#include "passes/precision.h"

/// Nodes with more inputs stay in float.
#define FERRY_INT8_MOST_INPUTS 256

typedef struct ferry_chooser {
    const ferry_graph *graph;
    const ferry_precision_options *options;
    ferry_report *report;
    ferry_arena scratch;
    int32_t *offsets; // see ferry_graph_users
    ferry_node_id *users;
    ferry_int8_kind *kinds; // [n_nodes]
    const char **why;       // [n_nodes]: why a node has no INT8 kind
    ferry_dtype *rules;     // [n_nodes]: what the options ask for; FERRY_DTYPE_NONE: nothing
    bool *int8;             // [n_nodes]: runs in INT8
    float *scales;          // [n_values]: 0 where there is none
    int32_t *zeros;         // [n_values]: zero points that go with them
    float *seen;            // [n_values]: the largest |x| that the guard knows of, 0 where it knows nothing
    ferry_dtype *wide;      // [n_nodes]: what the guard keeps a node in; FERRY_DTYPE_NONE: nothing
    const char **kept;      // [n_nodes]: why, NULL where it does not
} ferry_chooser;

/// Matches the options' rules against the nodes.
ferry_status ferry_choose_rules(ferry_chooser *chooser, ferry_error *err);
/// Gives values their scales: recorded ones, then the table's, then those that data movers hand on.
ferry_status ferry_choose_scales(ferry_chooser *chooser, ferry_error *err);
/// Decides which nodes run in INT8.
void ferry_choose_int8(ferry_chooser *chooser);
/// Unifies the scales of what data movers join, and chooses zero points. Takes back INT8 from movers whose outputs
/// cannot have one scale, and from what cannot have the zero point that comes to it.
ferry_status ferry_choose_groups(ferry_chooser *chooser, ferry_error *err);
/// Finds what would overflow in FP16 and chooses the types that it is kept in. INT8 has been chosen.
ferry_status ferry_choose_guard(ferry_chooser *chooser, ferry_error *err);
/// Reports what the guard keeps, now that `plan` has the types; forgets what it keeps to no end.
void ferry_choose_tell_guard(ferry_chooser *chooser, const ferry_numeric_plan *plan);
/// Beyond what the guard lets FP16 have: half of what it holds, since other pictures may reach further.
#define FERRY_FP16_SAFE 32752.0f

/// The type of the node's float inputs in the model; FERRY_DTYPE_NONE without any.
ferry_dtype ferry_chooser_model_type(const ferry_chooser *chooser, size_t node);
/// Entries by name, for ferry_find_scale. NULL without memory.
const ferry_named_scale **ferry_sort_scales(const ferry_named_scale *entries, size_t count, ferry_arena *arena);
const ferry_named_scale *ferry_find_scale(const ferry_named_scale *const *sorted, size_t count, const char *name);

/// Node `node`, running in INT8, takes this value as int8 or can (a residual).
bool ferry_chooser_takes_int8(const ferry_chooser *chooser, ferry_node_id node, ferry_value_id value);

/// NULL, or a static text: a zero point that the model's own quantisation gives, and that the node's arithmetic, in
/// INT8, has no place for. *out_name becomes the tensor's name.
const char *ferry_chooser_unfit_zero(const ferry_chooser *chooser, size_t node, const char **out_name);

/// * matches any run of characters, ? any one.
bool ferry_glob_matches(const char *pattern, size_t pattern_length, const char *text, size_t text_length);

#endif // FERRY_SRC_PASSES_CHOOSE_H_
