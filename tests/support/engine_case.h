// SPDX-License-Identifier: Apache-2.0
// Engines out of graphs that a test builds in memory, and runs of them held against the reference kernels.
#ifndef FERRY_TESTS_SUPPORT_ENGINE_CASE_H_
#define FERRY_TESTS_SUPPORT_ENGINE_CASE_H_

#include "build/internal.h"
#include "support/build_graph.h"

/// What was logged, for tests that look for a text in it.
typedef struct test_log {
    ferry_logger logger; ///< give its address away; takes everything
    char text[16384];
    size_t used;
} test_log;
void test_log_init(test_log *log);

/// Fails the running test unless the call answers FERRY_OK.
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        ferry_error must_error_ = {.text = ""};                                                                        \
        ferry_error *const err = &must_error_;                                                                         \
        const ferry_status must_status_ = (call);                                                                      \
        if (must_status_ != FERRY_OK) fail_msg("%s: %s", ferry_status_name(must_status_), err->text);                  \
    } while (0)

/// backends NULL: the build's own. log may be NULL.
ferry_runtime *test_runtime(const ferry_backend *const *backends, const char *device, bool fallback, test_log *log);

/// Options that leave the graph as it is, but let devices take regions of several nodes. Static storage.
const ferry_build_options *test_no_passes(void);

/// Builds an engine of the graph as ferry_build does of a model (options NULL: FP32).
ferry_engine *test_engine(ferry_runtime *runtime, const ferry_graph *graph, const ferry_build_options *options);
/// The same, with the answer for the test to look at.
ferry_status test_build(ferry_runtime *runtime, const ferry_graph *graph, const ferry_build_options *options,
                        ferry_engine **out, ferry_error *err);

/// Host memory for one run at the context's shapes.
typedef struct test_io {
    ferry_context *context; // borrowed
    int32_t n, n_in;
    void *data[16];
    size_t bytes[16];
    ferry_tensor tensors[16]; // over data; outputs get their true dims from test_io_dims
} test_io;
/// Inputs are filled from the seed: floats in [-2, 2], s64 in [0, 3].
void test_io_open(test_io *io, ferry_context *context, uint64_t seed);
void test_io_close(test_io *io);
void test_io_dims(test_io *io);
ferry_status test_io_run(test_io *io, ferry_stream *stream, ferry_error *err);
/// Runs the graph with the reference kernels on the same inputs and fails the test unless the outputs agree within
/// tolerance * the largest element.
void test_io_expect(test_io *io, const ferry_graph *graph, double tolerance);

/// Context, stream, one run, comparison.
void test_expect_reference(ferry_engine *engine, const ferry_graph *graph, uint64_t seed, double tolerance);

/// Steps of the engine's plan that run on devices of that backend; kind -1: of any kind.
size_t test_count_steps(const ferry_engine *engine, const char *backend, int kind);

/// Some graphs. conv_net: Conv, Relu, MaxPool, Conv, Add (residual), Sigmoid, Reshape, MatMul, Softmax.
void build_conv_net(graph_builder *b, const char *batch);
/// Some twenty operators on tensors of a few elements, two inputs, two outputs: small enough to be altered byte by
/// byte.
void build_tiny_net(graph_builder *b);
/// NonZero -> Transpose -> Gather -> Reshape, and NonMaxSuppression -> Squeeze: sizes that the data decides.
void build_data_shapes(graph_builder *b);

#endif // FERRY_TESTS_SUPPORT_ENGINE_CASE_H_
