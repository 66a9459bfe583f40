// SPDX-License-Identifier: Apache-2.0
// Quantised weights: scales, balanced rounding, and the grid of Q/DQ models.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "passes/pass.h"
#include "passes/weights.h"
#include "support/build_graph.h"

static ferry_value_id quantise(ferry_graph *graph, const char *op, const float **scales, int64_t *count)
{
    ferry_error err;
    ferry_value_id q = FERRY_NO_VALUE;
    const ferry_node_id id = (ferry_node_id)(graph_node(graph, op) - graph->nodes);
    const ferry_status s = ferry_weights_quantise(graph, id, graph, &q, scales, count, &err);
    if (s != FERRY_OK) fail_msg("%s", err.text);
    return q;
}

static void convolution(graph_builder *b, ferry_value_id w, const char *x)
{
    ferry_error err;
    build_output(b, BUILD_NODE(b, "Conv", "y", "", build_input(b, "x", FERRY_F32, x), w));
    build_finish(b);
    assert_int_equal(ferry_passes_run(&b->graph, NULL, NULL, &err), FERRY_OK);
}

static void quantise__by_hand(void **state)
{
    (void)state;
    graph_builder b;
    const float *scales = NULL;
    int64_t count = 0;
    build_begin(&b, 1);
    // Channel 0: steps of 1, errors -0.4 -0.4 -0.4 0 sum to -1.2: one weight, the first, goes up by one.
    // Channel 1: the scale is a half; 2.5 steps round half to even. Channel 2: zeros. Channel 3: errors that cancel.
    convolution(&b,
                build_floats(&b, "w", "4x4x1x1",
                             (float[]){10.4f, 20.4f, 30.4f, -127.0f, 63.5f, 1.25f, 1.0f, -1.0f, 0, 0, 0, 0, 127, 5.25f,
                                       -5.25f, 0}),
                "1x4x2x2");
    const ferry_value_id q = quantise(&b.graph, "FusedConv", &scales, &count);
    static const int8_t expected[] = {11, 20, 30, -127, 127, 2, 2, -2, 0, 0, 0, 0, 127, 5, -5, 0};
    assert_int_equal(count, 4);
    assert_true(scales[0] == 1.0f && scales[1] == 0.5f && scales[2] == 1.0f && scales[3] == 1.0f);
    assert_memory_equal(b.graph.values[q].data, expected, sizeof expected);
    build_end(&b);
}

static void quantise__leaves_half_a_step_of_bias_at_most(void **state)
{
    (void)state;
    static const struct {
        const char *weights, *x;
    } cases[] = {{"16x1x3x3", "1x1x5x5"}, {"8x64x1x1", "1x64x2x2"}, {"4x7x3x3", "1x7x4x4"}};
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        graph_builder b;
        const float *scales = NULL;
        int64_t count = 0;
        build_begin(&b, 10 + i);
        convolution(&b, build_constant(&b, "w", cases[i].weights, 0.7f), cases[i].x);
        const ferry_value_id q = quantise(&b.graph, "FusedConv", &scales, &count);
        const float *w = b.graph.values[graph_node(&b.graph, "FusedConv")->inputs[1]].data;
        const int8_t *integers = b.graph.values[q].data;
        const size_t n = b.graph.values[q].data_bytes / (size_t)count;
        for (size_t c = 0; c < (size_t)count; c++) {
            double sum = 0;
            for (size_t k = 0; k < n; k++) {
                const double e = integers[c * n + k] - (double)w[c * n + k] / (double)scales[c];
                assert_true(fabs(e) < 1.0 && integers[c * n + k] >= -127);
                sum += e;
            }
            assert_true(fabs(sum) <= 0.5 + 1e-9);
        }
        build_end(&b);
    }
}

static void quantise__gives_back_the_integers_of_a_qdq_model(void **state)
{
    (void)state;
    graph_builder b;
    const float *scales = NULL;
    int64_t count = 0;
    static const int8_t integers[] = {-128, 127, 3, 5, 7, 9};
    build_begin(&b, 2);
    const ferry_value_id w =
        BUILD_NODE(&b, "DequantizeLinear", "wd", "axis=0", build_bytes(&b, "w", "2x3x1x1", integers),
                   build_floats(&b, "s", "2", (float[]){0.0123f, 0.77f}));
    convolution(&b, w, "1x3x2x2");
    const ferry_value_id q = quantise(&b.graph, "FusedConv", &scales, &count);
    assert_true(scales[0] == 0.0123f && scales[1] == 0.77f);
    assert_memory_equal(b.graph.values[q].data, integers, sizeof integers);
    build_end(&b);
}

static void quantise__follows_the_columns_of_matrix_products(void **state)
{
    (void)state;
    for (int transposed = 0; transposed < 2; transposed++) {
        graph_builder b;
        ferry_error err;
        const float *scales = NULL;
        int64_t count = 0;
        build_begin(&b, 3);
        const float columns[] = {127, 2, 0, 254, -64, -254}, rows[] = {127, 0, -64, 2, 254, -254};
        build_output(&b,
                     BUILD_NODE(&b, "Gemm", "y", transposed ? "transB=1" : "", build_input(&b, "x", FERRY_F32, "1x3"),
                                build_floats(&b, "w", transposed ? "2x3" : "3x2", transposed ? rows : columns)));
        build_finish(&b);
        assert_int_equal(ferry_passes_run(&b.graph, NULL, NULL, &err), FERRY_OK);
        const ferry_value_id q = quantise(&b.graph, "FusedGemm", &scales, &count);
        assert_int_equal(count, 2);
        assert_true(scales[0] == 1.0f && scales[1] == 2.0f);
        assert_memory_equal(b.graph.values[q].data,
                            transposed ? ((const int8_t[]){127, 0, -64, 1, 127, -127})
                                       : ((const int8_t[]){127, 1, 0, 127, -64, -127}),
                            6);
        build_end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantise__by_hand),
        cmocka_unit_test(quantise__leaves_half_a_step_of_bias_at_most),
        cmocka_unit_test(quantise__gives_back_the_integers_of_a_qdq_model),
        cmocka_unit_test(quantise__follows_the_columns_of_matrix_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
