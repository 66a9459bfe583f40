// SPDX-License-Identifier: Apache-2.0
// Runs a whole graph with the reference kernels, node by node: what passes, plans and backends are compared against.
#ifndef FERRY_TESTS_SUPPORT_RUN_GRAPH_H_
#define FERRY_TESTS_SUPPORT_RUN_GRAPH_H_

#include "ops/op.h"

/// `inputs` [graph->n_inputs] in the graph's order, `outputs` [graph->n_outputs] are filled in; their data lies in
/// `arena`. `observe`, if not NULL, sees every value that is not constant, as it is made.
ferry_status ferry_run_graph(const ferry_graph *graph, const ferry_tensor *inputs, ferry_tensor *outputs,
                             ferry_arena *arena,
                             void (*observe)(void *user, ferry_value_id value, const ferry_tensor *tensor), void *user,
                             ferry_error *err);

/// A dense tensor in `arena` with that shape; floats get values from -range to range, s8 the whole range, from `*seed`.
ferry_tensor ferry_random_tensor(ferry_arena *arena, ferry_dtype dtype, int32_t rank, const int64_t *dims, float range,
                                 uint64_t *seed);
/// One number from -1 to 1.
float ferry_random(uint64_t *seed);

#endif // FERRY_TESTS_SUPPORT_RUN_GRAPH_H_
