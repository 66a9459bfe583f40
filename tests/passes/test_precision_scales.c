// SPDX-License-Identifier: Apache-2.0
// Scales of numeric plans: which are used, and the zeros that come with them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "support/precision_case.h"

static void scales__missing_mean_float_and_are_listed(void **state)
{
    (void)state;
    precision_case f = {0};
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.int8 = true;
    for (size_t i = 0; i < f.n_scales; i++)
        if (strcmp(f.scales[i].name, "r") == 0) f.scales[i].scale = 0.0f;
    precision_lower(&f);
    assert_true(precision_reported(&f, "r", "no scale"));
    assert_int_equal(precision_stored_as(&f, "r"), FERRY_F32);
    assert_int_equal(precision_stored_as(&f, "d"), FERRY_S8);
    assert_int_equal(graph_count(&f.lowered, "FusedConv"), 1); // s_conv, which reads r
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 30.0);
    precision_done(&f);
}

static void scales__that_nothing_has_leave_no_integers_which_is_said(void **state)
{
    (void)state;
    precision_case f = {0};
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.int8 = true;
    precision_lower(&f);
    assert_false(precision_reported(&f, "INT8", "no layer runs in integers"));
    f.options.n_scales = 0;
    precision_relower(&f);
    assert_true(precision_reported(&f, "INT8", "no layer runs in integers"));
    precision_done(&f);
}

static void scales__of_channels_are_not_used_which_is_said(void **state)
{
    (void)state;
    static const float scales[] = {0.02f, 0.03f, 0.02f};
    static const int8_t zeros[] = {0, 0, 0};
    for (int several = 0; several < 2; several++) {
        precision_case f = {0};
        graph_builder *b = &f.model;
        build_begin(b, 3);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x8x8");
        const ferry_value_id scale = build_floats(b, "s", several ? "3" : "", scales);
        const ferry_value_id z = build_bytes(b, "z", several ? "3" : "", zeros);
        const ferry_value_id q = BUILD_NODE(b, "QuantizeLinear", "q", "axis=1", x, scale, z);
        const ferry_value_id dq = BUILD_NODE(b, "DequantizeLinear", "dq", "axis=1", q, scale, z);
        build_output(b, BUILD_NODE(b, "Conv", "c", "", dq, build_constant(b, "w", "4x3x3x3", 0.3f)));
        precision_prepare(&f);
        f.options.int8 = true;
        f.options.n_scales = 0;
        precision_lower(&f);
        assert_int_equal(graph_count(&f.lowered, "QConv"), !several);
        assert_int_equal(precision_reported(&f, "q", "1 of the model's QuantizeLinear nodes"), several);
        precision_done(&f);
    }
}

static const ferry_plan_value *planned(const precision_case *f, const char *name)
{
    return &f->plan.values[ferry_graph_find_value(&f->passed, name)];
}

static void residuals__that_floats_read_stay_floats(void **state)
{
    (void)state;
    for (int floats = 0; floats < 2; floats++) {
        precision_case f = {0};
        graph_builder *b = &f.model;
        build_begin(b, 3);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8");
        const ferry_value_id y = precision_conv(b, "stream", "kernel_shape=1,1", x, "4x4x1x1");
        const ferry_value_id in = floats ? BUILD_NODE(b, "Softmax", "norm", "axis=1", y) : x;
        const ferry_value_id sum =
            BUILD_NODE(b, "Add", "sum", "", precision_conv(b, "c2", "kernel_shape=1,1", in, "4x4x1x1"), y);
        build_output(b, precision_conv(b, "c3", "kernel_shape=1,1", sum, "4x4x1x1"));
        precision_prepare(&f);
        f.options.int8 = true;
        precision_lower(&f);
        assert_int_equal(graph_count(&f.lowered, "QConv"), 3);
        assert_int_equal(precision_stored_as(&f, "stream"), floats ? FERRY_F32 : FERRY_S8);
        precision_done(&f);
    }
}

static void zeros__of_the_model_are_kept(void **state)
{
    (void)state;
    precision_case f = {0};
    graph_builder *b = &f.model;
    const int8_t zero = -101;
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x8x8"), scale = build_scalar(b, 0.02f);
    const ferry_value_id z = build_bytes(b, "z", "", &zero);
    const ferry_value_id dq =
        BUILD_NODE(b, "DequantizeLinear", "dq", "", BUILD_NODE(b, "QuantizeLinear", "q", "", x, scale, z), scale, z);
    build_output(b, precision_conv(b, "c", "kernel_shape=3,3 pads=1,1,1,1", dq, "4x3x3x3"));
    precision_prepare(&f);
    f.options.int8 = true;
    f.options.n_scales = 0;
    precision_lower(&f);
    const ferry_node *q = graph_node(&f.lowered, "QuantizeLinear"), *c = graph_node(&f.lowered, "QConv");
    assert_int_equal(*(const int8_t *)f.lowered.values[q->inputs[2]].data, zero);
    assert_int_equal(ferry_node_int(c, "x_zero", 0), zero);
    // Inputs stay inside the grid, so that INT8 differs from the pair by rounding weights alone.
    const double db = signal_to_noise_db(&f.model.graph, &f.lowered, 0.5f, 321, 4);
    if (!(db > 35.0)) fail_msg("%g dB", db);
    precision_done(&f);
}

static void zeros__of_the_model_that_do_not_fit_leave_floats(void **state)
{
    (void)state;
    precision_case f = {0};
    graph_builder *b = &f.model;
    const int8_t zero = -101;
    const char *rules[] = {"mm=int8"};
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8"), scale = build_scalar(b, 0.02f);
    const ferry_value_id z = build_bytes(b, "z", "", &zero);
    const ferry_value_id c = precision_conv(b, "c", "kernel_shape=1,1", x, "4x4x1x1");
    const ferry_value_id dq =
        BUILD_NODE(b, "DequantizeLinear", "dq", "", BUILD_NODE(b, "QuantizeLinear", "q", "", c, scale, z), scale, z);
    const ferry_value_id t = BUILD_NODE(b, "Transpose", "t", "perm=0,1,3,2", dq);
    build_output(b, BUILD_NODE(b, "MatMul", "mm", "", t, precision_conv(b, "c2", "kernel_shape=1,1", x, "4x4x1x1")));
    precision_prepare(&f);
    f.options.int8 = true;
    f.options.rules = rules;
    f.options.n_rules = 1;
    precision_lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 2);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 0);
    assert_true(precision_reported(&f, "t", "has a zero point"));
    precision_done(&f);
}

static void zeros__use_the_codes_that_an_activation_leaves(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        precision_case f = {0};
        precision_build_everything(&f.model);
        precision_prepare(&f);
        f.options.int8 = true;
        f.options.zero_points = with;
        precision_lower(&f);
        assert_int_equal(planned(&f, "x")->zero, 0);
        assert_int_equal(planned(&f, "a")->zero, with ? -128 : 0);    // Relu
        assert_int_equal(planned(&f, "gate")->zero, with ? -128 : 0); // Sigmoid
        assert_true(!with || (planned(&f, "silu")->zero > -128 && planned(&f, "silu")->zero < -60));
        for (size_t k = 0; with && k < f.n_scales; k++)
            if (strcmp(f.scales[k].name, "a") == 0)
                assert_true(planned(&f, "a")->scale == (float)(127.0 * (double)f.scales[k].scale / 255.0));
        const double db = signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 321, 8);
        if (!(db > 30.0)) fail_msg("%g dB", db);
        precision_done(&f);
    }
}

// Weights that INT8 holds exactly, so that what is lost is lost at the Sigmoid: half its step there is 6 dB.
static void zeros__halve_the_step_behind_a_sigmoid(void **state)
{
    (void)state;
    static const float one[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    double db[2];
    for (int with = 0; with < 2; with++) {
        precision_case f = {0};
        graph_builder *b = &f.model;
        build_begin(b, 3);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8");
        const ferry_value_id w = build_floats(b, "w", "4x4x1x1", one);
        const ferry_value_id s =
            BUILD_NODE(b, "Sigmoid", "s", "", BUILD_NODE(b, "Conv", "c", "kernel_shape=1,1", x, w));
        build_output(b, BUILD_NODE(b, "Conv", "y", "kernel_shape=1,1", s, w));
        precision_prepare(&f);
        f.options.int8 = true;
        f.options.zero_points = with;
        precision_lower(&f);
        db[with] = signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 321, 16);
        precision_done(&f);
    }
    if (!(db[1] > db[0] + 3.0)) fail_msg("%g dB with zero points, %g without", db[1], db[0]);
}

static void zeros__that_arithmetic_has_no_place_for_are_not_made(void **state)
{
    (void)state;
    precision_case f = {0};
    graph_builder *b = &f.model;
    const char *rules[] = {"mm=int8"};
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8");
    const ferry_value_id r = BUILD_NODE(b, "Relu", "r", "", precision_conv(b, "c", "kernel_shape=1,1", x, "4x4x1x1"));
    const ferry_value_id s = BUILD_NODE(b, "Relu", "s", "", precision_conv(b, "c2", "kernel_shape=1,1", r, "4x4x1x1"));
    const ferry_value_id t = BUILD_NODE(b, "Relu", "t", "", precision_conv(b, "c3", "kernel_shape=1,1", s, "4x4x1x1"));
    const ferry_value_id padded =
        BUILD_NODE(b, "AveragePool", "padded", "kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1", t);
    build_output(b, BUILD_NODE(b, "MatMul", "mm", "", padded, r));
    precision_prepare(&f);
    f.options.int8 = f.options.zero_points = true;
    f.options.rules = rules;
    f.options.n_rules = 1;
    precision_lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 1);
    assert_int_equal(graph_count(&f.lowered, "QAveragePool"), 1);
    assert_int_equal(planned(&f, "s")->zero, -128);
    static const char *const symmetric[] = {"r", "t", "padded"};
    for (size_t i = 0; i < FERRY_COUNT_OF(symmetric); i++) assert_int_equal(planned(&f, symmetric[i])->zero, 0);
    // A plan that says otherwise is refused, not misread.
    f.plan.values[ferry_graph_find_value(&f.passed, "t")].zero = 3;
    ferry_graph out;
    assert_int_equal(ferry_lower(&f.passed, &f.plan, &out, &f.report, &f.err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(f.err.text, "no form for the zero point of 't'"));
    precision_done(&f);
}

static void scales__of_a_concat_group_become_one(void **state)
{
    (void)state;
    precision_case f = {0};
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.int8 = true;
    precision_lower(&f);
    const float s = f.plan.values[ferry_graph_find_value(&f.passed, "cat")].scale;
    float most = 0;
    static const char *const names[] = {"up", "diff", "cat", "max"};
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        assert_true(f.plan.values[ferry_graph_find_value(&f.passed, names[i])].scale == s);
        for (size_t k = 0; k < f.n_scales; k++)
            if (strcmp(f.scales[k].name, names[i]) == 0) most = fmaxf(most, f.scales[k].scale);
    }
    assert_true(s == most);
    precision_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales__missing_mean_float_and_are_listed),
        cmocka_unit_test(scales__that_nothing_has_leave_no_integers_which_is_said),
        cmocka_unit_test(scales__of_channels_are_not_used_which_is_said),
        cmocka_unit_test(residuals__that_floats_read_stay_floats),
        cmocka_unit_test(zeros__of_the_model_are_kept),
        cmocka_unit_test(zeros__of_the_model_that_do_not_fit_leave_floats),
        cmocka_unit_test(zeros__use_the_codes_that_an_activation_leaves),
        cmocka_unit_test(zeros__halve_the_step_behind_a_sigmoid),
        cmocka_unit_test(zeros__that_arithmetic_has_no_place_for_are_not_made),
        cmocka_unit_test(scales__of_a_concat_group_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
