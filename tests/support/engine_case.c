// SPDX-License-Identifier: Apache-2.0
#include "support/engine_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ops/element.h"
#include "support/run_graph.h"

static void take_line(void *user, ferry_severity severity, const char *text)
{
    test_log *log = user;
    static const char *const names[] = {"error", "warning", "info", "verbose"};
    const int n = snprintf(log->text + log->used, sizeof log->text - log->used, "%s: %s\n", names[severity], text);
    if (n > 0 && (size_t)n < sizeof log->text - log->used) log->used += (size_t)n;
}

void test_log_init(test_log *log)
{
    memset(log, 0, sizeof *log);
    log->logger = (ferry_logger){take_line, log, FERRY_SEVERITY_VERBOSE};
}

ferry_runtime *test_runtime(const ferry_backend *const *backends, const char *device, bool fallback, test_log *log)
{
    ferry_runtime *runtime = NULL;
    const ferry_runtime_options options = {
        .size = sizeof options, .device = device, .fallback = fallback, .logger = log ? &log->logger : NULL};
    MUST(ferry_runtime_create_with(backends ? backends : ferry_backends(), &options, &runtime, err));
    return runtime;
}

ferry_status test_build(ferry_runtime *runtime, const ferry_graph *graph, const ferry_build_options *options,
                        ferry_engine **out, ferry_error *err)
{
    ferry_network network = {.heap = runtime->heap};
    FERRY_TRY(ferry_graph_copy(graph, &network.graph, err));
    const ferry_build_options simple = {.size = sizeof simple, .threads = 1};
    const ferry_status s = ferry_build(runtime, &network, options ? options : &simple, out, err);
    ferry_graph_deinit(&network.graph);
    return s;
}

const ferry_build_options *test_no_passes(void)
{
    static const char *disabled[64];
    static ferry_build_options options;
    options = (ferry_build_options){.size = sizeof options, .threads = 1, .disabled_passes = disabled};
    while (options.n_disabled_passes < 64 && ferry_pass_name(options.n_disabled_passes, NULL)) {
        disabled[options.n_disabled_passes] = ferry_pass_name(options.n_disabled_passes, NULL);
        options.n_disabled_passes++;
    }
    return &options;
}

ferry_engine *test_engine(ferry_runtime *runtime, const ferry_graph *graph, const ferry_build_options *options)
{
    ferry_engine *engine = NULL;
    MUST(test_build(runtime, graph, options, &engine, err));
    return engine;
}

// --- Runs ----------------------------------------------------------------------------------------------------------

static void fill(ferry_tensor *t, uint64_t *seed)
{
    const size_t n = ferry_tensor_elements(t);
    for (size_t i = 0; i < n; i++) {
        const float x = ferry_random(seed) * 2;
        if (t->dtype == FERRY_F32) ((float *)t->data)[i] = x;
        if (t->dtype == FERRY_S64) ((int64_t *)t->data)[i] = (int64_t)(x + 2) & 3;
        if (t->dtype == FERRY_U8 || t->dtype == FERRY_S8) ((uint8_t *)t->data)[i] = (uint8_t)(x * 60 + 125);
        if (t->dtype == FERRY_BOOL) ((uint8_t *)t->data)[i] = x > 0;
    }
}

void test_io_open(test_io *io, ferry_context *context, uint64_t seed)
{
    memset(io, 0, sizeof *io);
    io->context = context;
    io->n = ferry_engine_binding_count(context->engine);
    io->n_in = (int32_t)context->engine->image.graph.n_inputs;
    assert_true(io->n <= 16);
    for (int32_t i = 0; i < io->n; i++) {
        ferry_binding_info info;
        MUST(ferry_engine_binding(context->engine, i, &info, err));
        MUST(ferry_context_binding_bytes(context, i, &io->bytes[i], err));
        io->data[i] = malloc(io->bytes[i] + 1);
        assert_non_null(io->data[i]);
        memset(io->data[i], 0x77, io->bytes[i] + 1);
        io->tensors[i] = (ferry_tensor){.dtype = info.dtype, .data = io->data[i]};
        MUST(ferry_context_binding_shape(context, i, &io->tensors[i].rank, io->tensors[i].dims, err));
        if (i < io->n_in) fill(&io->tensors[i], &seed);
    }
}

void test_io_close(test_io *io)
{
    for (int32_t i = 0; i < io->n; i++) {
        assert_int_equal(((unsigned char *)io->data[i])[io->bytes[i]], 0x77);
        free(io->data[i]);
    }
}

void test_io_dims(test_io *io)
{
    for (int32_t i = io->n_in; i < io->n; i++)
        MUST(ferry_context_binding_shape(io->context, i, &io->tensors[i].rank, io->tensors[i].dims, err));
}

ferry_status test_io_run(test_io *io, ferry_stream *stream, ferry_error *err)
{
    return ferry_context_run(io->context, stream, (const void *const *)io->data, io->data + io->n_in, err);
}

static void expect_tensor(const char *name, const ferry_tensor *got, const ferry_tensor *want, double tolerance)
{
    double most = 0, worst = 0;
    assert_int_equal(got->dtype, want->dtype);
    assert_int_equal(got->rank, want->rank);
    for (int32_t d = 0; d < got->rank; d++) assert_int_equal(got->dims[d], want->dims[d]);
    for (size_t i = 0; i < ferry_tensor_elements(want); i++) {
        const double p = ferry_load_f64(want, i), q = ferry_load_f64(got, i);
        most = fmax(most, fabs(p));
        if (!(fabs(p - q) <= worst)) worst = fabs(p - q); // NaN counts as a difference
    }
    if (!(worst <= tolerance * most)) fail_msg("output '%s' differs by %g, its largest is %g", name, worst, most);
}

void test_io_expect(test_io *io, const ferry_graph *graph, double tolerance)
{
    ferry_arena arena;
    ferry_tensor wanted[16];
    ferry_arena_init(&arena, ferry_heap_default());
    test_io_dims(io);
    MUST(ferry_run_graph(graph, io->tensors, wanted, &arena, NULL, NULL, err));
    for (size_t o = 0; o < graph->n_outputs; o++)
        expect_tensor(graph->values[graph->outputs[o]].name, &io->tensors[(size_t)io->n_in + o], &wanted[o], tolerance);
    ferry_arena_deinit(&arena);
}

void test_expect_reference(ferry_engine *engine, const ferry_graph *graph, uint64_t seed, double tolerance)
{
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    test_io io;
    const ferry_stream_options options = {.size = sizeof options, .threads = 1};
    MUST(ferry_context_create(engine, NULL, &context, err));
    MUST(ferry_stream_create(engine->runtime, &options, &stream, err));
    test_io_open(&io, context, seed);
    MUST(test_io_run(&io, stream, err));
    test_io_expect(&io, graph, tolerance);
    test_io_close(&io);
    ferry_stream_release(stream);
    ferry_context_release(context);
}

size_t test_count_steps(const ferry_engine *engine, const char *backend, int kind)
{
    size_t n = 0;
    for (size_t i = 0; i < engine->plan->n_steps; i++) {
        const ferry_plan_step *s = &engine->plan->steps[i];
        n += strcmp(engine->plan->devices[s->device].backend, backend) == 0 && (kind < 0 || (int)s->kind == kind);
    }
    return n;
}

// --- Graphs --------------------------------------------------------------------------------------------------------

void build_conv_net(graph_builder *b, const char *batch)
{
    char dims[64];
    const int64_t flat[2] = {0, -1};
    snprintf(dims, sizeof dims, "%sx3x12x10", batch);
    build_begin(b, 42);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, dims);
    const ferry_value_id w1 = build_constant(b, "w1", "8x3x3x3", 0.5f), b1 = build_constant(b, "b1", "8", 0.5f);
    const ferry_value_id w2 = build_constant(b, "w2", "8x8x3x3", 0.3f);
    const ferry_value_id c1 = BUILD_NODE(b, "Conv", "conv1", "kernel_shape=3,3 pads=1,1,1,1", x, w1, b1);
    const ferry_value_id r1 = BUILD_NODE(b, "Relu", "relu1", "", c1);
    const ferry_value_id p1 = BUILD_NODE(b, "MaxPool", "pool1", "kernel_shape=2,2 strides=2,2", r1);
    const ferry_value_id c2 = BUILD_NODE(b, "Conv", "conv2", "kernel_shape=3,3 pads=1,1,1,1", p1, w2);
    const ferry_value_id a2 = BUILD_NODE(b, "Add", "add2", "", c2, p1);
    const ferry_value_id s2 = BUILD_NODE(b, "Sigmoid", "sigmoid2", "", a2);
    const ferry_value_id m2 = BUILD_NODE(b, "Mul", "mul2", "", a2, s2);
    const ferry_value_id f = BUILD_NODE(b, "Reshape", "flat", "", m2, build_ints(b, "to", 2, flat));
    const ferry_value_id g = BUILD_NODE(b, "MatMul", "fc", "", f, build_constant(b, "w3", "240x5", 0.2f));
    const ferry_value_id y = BUILD_NODE(b, "Softmax", "y", "axis=1", g);
    build_output(b, y);
    build_output(b, p1);
    build_finish(b);
}

void build_tiny_net(graph_builder *b)
{
    const int64_t to[2] = {1, -1}, order[3] = {2, 0, 1}, pads[8] = {0, 0, 1, 0, 0, 0, 0, 1};
    const float scales[4] = {1, 1, 2, 2};
    build_begin(b, 11);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x2x4x4"), k = build_input(b, "k", FERRY_S64, "2");
    const ferry_value_id w = build_constant(b, "w", "3x2x3x3", 0.5f), bias = build_constant(b, "b", "3", 0.5f);
    const ferry_value_id c = BUILD_NODE(b, "Conv", "conv", "kernel_shape=3,3 pads=1,1,1,1", x, w, bias);
    const ferry_value_id r = BUILD_NODE(b, "Relu", "relu", "", c);
    const ferry_value_id p = BUILD_NODE(b, "MaxPool", "pool", "kernel_shape=2,2 strides=2,2", r);
    const ferry_value_id g = BUILD_NODE(b, "Gather", "pick", "axis=1", p, build_ints(b, "order", 3, order));
    const ferry_value_id a = BUILD_NODE(b, "Add", "sum", "", g, p);
    const ferry_value_id pad = BUILD_NODE(b, "Pad", "pad", "mode=reflect", a, build_ints(b, "pads", 8, pads));
    const ferry_value_id up = BUILD_NODE(b, "Resize", "up", "mode=nearest", pad, build_floats(b, "roi", "0", scales),
                                         build_floats(b, "scales", "4", scales));
    const ferry_value_id t = BUILD_NODE(b, "Transpose", "turn", "perm=0,2,3,1", up);
    const ferry_value_id m = BUILD_NODE(b, "ReduceMean", "mean", "keepdims=1", t, build_ints(b, "axes", 1, to));
    const ferry_value_id f = BUILD_NODE(b, "Reshape", "flat", "", m, build_ints(b, "to", 2, to));
    const ferry_value_id e = BUILD_NODE(b, "Exp", "exp", "", f);
    const ferry_value_id n = BUILD_NODE(b, "Neg", "neg", "", e);
    const ferry_value_id cat = BUILD_NODE(b, "Concat", "both", "axis=1", n, f);
    const ferry_value_id mm = BUILD_NODE(b, "MatMul", "fc", "", cat, build_constant(b, "v", "36x4", 0.3f));
    const ferry_value_id chosen = BUILD_NODE(b, "Gather", "chosen", "axis=1", mm, k);
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=1", chosen));
    build_output(b, r);
    build_finish(b);
}

void build_data_shapes(graph_builder *b)
{
    build_begin(b, 7);
    const int64_t column[1] = {1}, flat[1] = {-1}, most[1] = {3};
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "6x4");
    const ferry_value_id mask = build_input(b, "mask", FERRY_S64, "6");
    const ferry_value_id nonzero = BUILD_NODE(b, "NonZero", "nonzero", "", mask);
    const ferry_value_id axes = build_ints(b, "axes0", 1, (const int64_t[]){0});
    const ferry_value_id index = BUILD_NODE(b, "Squeeze", "index", "", nonzero, axes);
    const ferry_value_id rows = BUILD_NODE(b, "Gather", "rows", "axis=0", x, index);
    build_output(b, BUILD_NODE(b, "Relu", "kept", "", rows));
    build_output(b, BUILD_NODE(b, "Reshape", "line", "", rows, build_ints(b, "to", 1, flat)));
    const ferry_value_id boxes = build_input(b, "boxes", FERRY_F32, "1x6x4");
    const ferry_value_id scores = build_input(b, "scores", FERRY_F32, "1x2x6");
    const ferry_value_id none = build_scalar(b, 0.5f);
    const ferry_value_id nms = BUILD_NODE(b, "NonMaxSuppression", "nms", "", boxes, scores,
                                          build_ints(b, "most", 1, most), none, build_scalar(b, 0.1f));
    build_output(b, BUILD_NODE(b, "Gather", "which", "axis=1", nms, build_ints(b, "column", 1, column)));
    build_output(b, nms);
    build_finish(b);
}
