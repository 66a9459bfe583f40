// SPDX-License-Identifier: Apache-2.0
// The main job in small, on one device: a network of two layers is built, run, and its numbers are looked at.
#include <stdio.h>
#include <string.h>

#include "doctor.h"

enum { SIDE = 8, CHANNELS = 4 };

// Conv of constant weights on an input of ones, then Relu: every element is the number of products times 1/8.
static const float expected = 3 * 3 * 3 / 8.0f;

static ferry_status make_network(ferry_network **out, ferry_error *err)
{
    float weights[CHANNELS * 3 * 3 * 3];
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) weights[i] = 1.0f / 8;
    const int64_t input_dims[] = {1, 3, SIDE, SIDE};
    const ferry_tensor_view constant = {.dtype = FERRY_F32, .rank = 4, .dims = {CHANNELS, 3, 3, 3}, .data = weights};
    int32_t tensors[2], made = FERRY_NO_TENSOR;
    ferry_status s = ferry_network_create(NULL, 17, out, err);
    if (s == FERRY_OK) s = ferry_network_add_input(*out, "x", FERRY_F32, 4, input_dims, &tensors[0], err);
    if (s == FERRY_OK) s = ferry_network_add_constant(*out, "w", &constant, &tensors[1], err);
    const ferry_node_description conv = {
        .size = sizeof conv, .op_type = "Conv", .inputs = tensors, .n_inputs = 2, .n_outputs = 1};
    if (s == FERRY_OK) s = ferry_network_add_node(*out, &conv, &made, err);
    const ferry_node_description relu = {
        .size = sizeof relu, .op_type = "Relu", .inputs = &made, .n_inputs = 1, .n_outputs = 1};
    if (s == FERRY_OK) s = ferry_network_add_node(*out, &relu, &tensors[0], err);
    return s == FERRY_OK ? ferry_network_mark_output(*out, tensors[0], err) : s;
}

static ferry_status run(ferry_runtime *runtime, ferry_engine *engine, ferry_error *err)
{
    float x[3 * SIDE * SIDE], y[CHANNELS * (SIDE - 2) * (SIDE - 2)] = {0};
    const size_t n = sizeof y / sizeof *y;
    const void *const inputs[] = {x};
    void *const outputs[] = {y};
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = 1;
    ferry_status s = ferry_stream_create(runtime, NULL, &stream, err);
    if (s == FERRY_OK) s = ferry_context_create(engine, NULL, &context, err);
    if (s == FERRY_OK) s = ferry_context_run(context, stream, inputs, outputs, err);
    for (size_t i = 0; s == FERRY_OK && i < n; i++)
        if (y[i] < expected - 1e-3f || y[i] > expected + 1e-3f) {
            snprintf(err->text, sizeof err->text, "element %zu is %g, not %g", i, (double)y[i], (double)expected);
            s = FERRY_ERR_DEVICE;
        }
    ferry_context_release(context);
    ferry_stream_release(stream);
    return s;
}

ferry_status cli_doctor_trial(const char *device, double *out_s, ferry_error *err)
{
    const ferry_runtime_options runtime_options = {.size = sizeof runtime_options, .device = device};
    const ferry_build_options options = {.size = sizeof options, .no_timing = true};
    ferry_runtime *runtime = NULL;
    ferry_network *network = NULL;
    ferry_engine *engine = NULL;
    const double begin = cli_now_s();
    ferry_status s = ferry_runtime_create(&runtime_options, &runtime, err);
    if (s == FERRY_OK) s = make_network(&network, err);
    if (s == FERRY_OK) s = ferry_build(runtime, network, &options, &engine, err);
    if (s == FERRY_OK) s = run(runtime, engine, err);
    ferry_engine_release(engine);
    ferry_network_release(network);
    ferry_runtime_release(runtime);
    *out_s = cli_now_s() - begin;
    return s;
}
