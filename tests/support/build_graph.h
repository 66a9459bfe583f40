// SPDX-License-Identifier: Apache-2.0
// Building small graphs in a few lines, for tests of passes, plans and backends. Every failure fails the running test.
#ifndef FERRY_TESTS_SUPPORT_BUILD_GRAPH_H_
#define FERRY_TESTS_SUPPORT_BUILD_GRAPH_H_

#include "ops/op.h"

typedef struct graph_builder {
    ferry_graph graph;
    uint64_t seed;
} graph_builder;

void build_begin(graph_builder *b, uint64_t seed);
void build_end(graph_builder *b);

/// dims as "1x3x8x8"; "" for a scalar; '?' for an unknown dimension.
ferry_value_id build_input(graph_builder *b, const char *name, ferry_dtype dtype, const char *dims);
/// A random f32 constant, from -range to range; the second from `low` to `high`.
ferry_value_id build_constant(graph_builder *b, const char *name, const char *dims, float range);
ferry_value_id build_between(graph_builder *b, const char *name, const char *dims, float low, float high);
ferry_value_id build_floats(graph_builder *b, const char *name, const char *dims, const float *values);
ferry_value_id build_scalar(graph_builder *b, float value);
ferry_value_id build_bytes(graph_builder *b, const char *name, const char *dims, const int8_t *values);
ferry_value_id build_ints(graph_builder *b, const char *name, int32_t count, const int64_t *values);

/// A node with one output named `name`. Operators of ferry's own are written "ferry.Silu". Attributes as
/// "kernel_shape=3,3 auto_pad=SAME_UPPER epsilon=0.01"; their kinds come from the operator's schema. Up to eight
/// inputs.
ferry_value_id build_node(graph_builder *b, const char *op, const char *name, const char *attrs, int32_t n_inputs,
                          const ferry_value_id *inputs);
#define BUILD_NODE(b, op, name, attrs, ...)                                                                            \
    build_node((b), (op), (name), (attrs),                                                                             \
               (int32_t)(sizeof((ferry_value_id[]){__VA_ARGS__}) / sizeof(ferry_value_id)),                            \
               (ferry_value_id[]){__VA_ARGS__})
/// A second output for the node that made `first`.
ferry_value_id build_second_output(graph_builder *b, ferry_value_id first, const char *name);

void build_output(graph_builder *b, ferry_value_id value);
/// Sorts, infers and verifies: the graph is ready.
void build_finish(graph_builder *b);

/// Nodes of that operator in a graph.
size_t graph_count(const ferry_graph *graph, const char *op);
/// The first node of that operator; fails the test when there is none.
const ferry_node *graph_node(const ferry_graph *graph, const char *op);

/// Runs both graphs on the same random inputs of that range (same inputs in the same order) and fails the test unless
/// the outputs agree within `tolerance` * the largest output.
void expect_same_outputs(const ferry_graph *a, const ferry_graph *b, float range, uint64_t seed, double tolerance);
/// |difference|^2 over |signal|^2 of the first output, in decibels, on `runs` random inputs.
double signal_to_noise_db(const ferry_graph *reference, const ferry_graph *other, float range, uint64_t seed, int runs);

#endif // FERRY_TESTS_SUPPORT_BUILD_GRAPH_H_
