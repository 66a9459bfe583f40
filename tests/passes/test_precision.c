// SPDX-License-Identifier: Apache-2.0
// Numeric plans: what runs in INT8 or FP16, what stays in float and why; rules; and what lowering makes of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "support/precision_case.h"

static void int8__runs_every_integer_operator_and_stays_accurate(void **state)
{
    (void)state;
    precision_case f = {0};
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.int8 = true;
    precision_lower(&f);
    static const char *const expected[] = {
        "QConv",   "QGemm",  "QMul",    "QAdd",  "QAveragePool", "QGlobalAveragePool",
        "QResize", "QTable", "MaxPool", "Concat"};
    for (size_t i = 0; i < FERRY_COUNT_OF(expected); i++)
        if (graph_count(&f.lowered, expected[i]) == 0) fail_msg("no %s", expected[i]);
    assert_int_equal(graph_count(&f.lowered, "QuantizeLinear"), 1);
    assert_int_equal(graph_count(&f.lowered, "DequantizeLinear"), 0); // the classifier writes floats itself
    assert_int_equal(graph_count(&f.lowered, "FusedConv") + graph_count(&f.lowered, "FusedGemm"), 0);
    const double db = signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 321, 4);
    if (!(db > 30.0)) fail_msg("%g dB", db);
    precision_done(&f);
}

static void int8__is_deterministic_to_the_byte(void **state)
{
    (void)state;
    precision_case f = {0}, g = {0};
    precision_case *both[2] = {&f, &g};
    for (int i = 0; i < 2; i++) {
        precision_build_everything(&both[i]->model);
        precision_prepare(both[i]);
        both[i]->options.int8 = true;
        precision_lower(both[i]);
    }
    uint64_t a = 0, b = 1;
    assert_int_equal(ferry_numeric_plan_hash(&f.plan, &f.passed, &a, &f.err), FERRY_OK);
    assert_int_equal(ferry_numeric_plan_hash(&g.plan, &g.passed, &b, &g.err), FERRY_OK);
    assert_true(a == b);
    assert_int_equal(f.lowered.n_values, g.lowered.n_values);
    for (size_t v = 0; v < f.lowered.n_values; v++) {
        const ferry_value *x = &f.lowered.values[v], *y = &g.lowered.values[v];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->data_bytes, y->data_bytes);
        if (x->data) assert_memory_equal(x->data, y->data, x->data_bytes);
    }
    precision_done(&f);
    precision_done(&g);
}

static void rules__pin_layers_and_must_match(void **state)
{
    (void)state;
    precision_case f = {0};
    const char *rules[4] = {"s_*=fp32", "c_last=fp32"};
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.int8 = true;
    f.options.rules = rules;
    f.options.n_rules = 2;
    precision_lower(&f);
    assert_int_equal(precision_of_node(&f, "s_conv"), FERRY_F32);
    assert_int_equal(precision_of_node(&f, "c_last"), FERRY_F32);
    assert_int_equal(precision_of_node(&f, "pw"), FERRY_S8);
    rules[0] = "sum=fp32";  // the name of an absorbed node
    rules[1] = "gat?=fp32"; // the name of a tensor
    precision_relower(&f);
    assert_int_equal(precision_of_node(&f, "pw"), FERRY_F32);
    assert_int_equal(precision_of_node(&f, "s_conv"), FERRY_S8);
    assert_int_equal(graph_count(&f.lowered, "Sigmoid"), 1);
    rules[0] = "*=fp32";
    rules[1] = "pw=int8"; // the last rule counts
    precision_relower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 1);
    rules[1] = "y=int8";
    precision_relower(&f);
    assert_true(precision_reported(&f, "y", "stays in floating point"));
    static const struct {
        const char *rule, *expected;
    } wrong[] = {{"nothing*=fp32", "matches no layer"}, {"pw=fp8", "fp8"}, {"pw", "NAME=PRECISION"}, {"=fp32", "NAME"}};
    for (size_t i = 0; i < FERRY_COUNT_OF(wrong); i++) {
        ferry_numeric_plan plan;
        rules[0] = wrong[i].rule;
        assert_int_equal(ferry_numeric_plan_choose(&f.passed, &f.options, &plan, NULL, &f.err),
                         FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(f.err.text, wrong[i].expected));
        ferry_numeric_plan_deinit(&plan);
    }
    precision_done(&f);
}

static void glob__matches_stars_and_question_marks(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {{"*", "", true},        {"a*c", "abbbc", true},   {"a*c", "abbbd", false}, {"?", "a", true},
                 {"?", "", false},       {"a?c", "abc", true},     {"*b*b", "abab", true},  {"*b*b", "aba", false},
                 {"abc", "abcd", false}, {"a[b]*", "a[b]c", true}, {"**", "x", true},       {"", "", true}};
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++)
        assert_int_equal(
            ferry_glob_matches(cases[i].pattern, strlen(cases[i].pattern), cases[i].text, strlen(cases[i].text)),
            cases[i].matches);
}

static void float16__is_stored_narrow_and_guards_against_overflow(void **state)
{
    (void)state;
    for (int brain = 0; brain < 2; brain++) {
        precision_case f = {0};
        precision_build_everything(&f.model);
        precision_prepare(&f);
        f.options.fp16 = !brain;
        f.options.bf16 = brain;
        precision_lower(&f);
        assert_int_equal(precision_stored_as(&f, "a"), brain ? FERRY_BF16 : FERRY_F16);
        assert_int_equal(graph_count(&f.lowered, "Cast"), 2);
        assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > (brain ? 35.0 : 55.0));
        precision_done(&f);
    }
    precision_case f = {0};
    build_begin(&f.model, 1);
    const ferry_value_id x = build_input(&f.model, "x", FERRY_F32, "1x2x3x3");
    const ferry_value_id c = BUILD_NODE(&f.model, "Conv", "c", "kernel_shape=1,1", x,
                                        build_floats(&f.model, "w", "2x2x1x1", (float[]){1e5f, 1, 1, 1}));
    build_output(&f.model, BUILD_NODE(&f.model, "Sigmoid", "y", "", c));
    precision_prepare(&f);
    f.options.fp16 = true;
    precision_lower(&f);
    assert_int_equal(precision_stored_as(&f, "c"), FERRY_F32);
    assert_true(precision_reported(&f, "c", "beyond the range"));
    precision_done(&f);
}

static void float16_and_int8__mix(void **state)
{
    (void)state;
    precision_case f = {0};
    const char *rule = "s_conv=fp16";
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.fp16 = f.options.int8 = true;
    f.options.rules = &rule;
    f.options.n_rules = 1;
    precision_lower(&f);
    assert_int_equal(precision_stored_as(&f, "s_conv"), FERRY_F16);
    assert_int_equal(graph_count(&f.lowered, "FusedConv"), 1);
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 30.0);
    precision_done(&f);
}

static void islands__are_not_converted_for(void **state)
{
    (void)state;
    precision_case f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 7);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x8x6x6");
    // A depthwise convolution between float operators: nine products an element don't pay for two conversions.
    const ferry_value_id s = BUILD_NODE(b, "Softmax", "s", "axis=1", x);
    const ferry_value_id d = precision_conv(b, "dw", "kernel_shape=3,3 pads=1,1,1,1 group=8", s, "8x1x3x3");
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=1", d));
    precision_prepare(&f);
    f.options.int8 = true;
    precision_lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 0);
    const char *rule = "dw=int8";
    f.options.rules = &rule;
    f.options.n_rules = 1;
    precision_relower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 1);
    precision_done(&f);
}

static void matmul__of_two_activations_is_int8_when_asked_for(void **state)
{
    (void)state;
    precision_case f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 8);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x5x16");
    const ferry_value_id q = BUILD_NODE(b, "MatMul", "q", "", x, build_constant(b, "wq", "16x16", 0.5f));
    const ferry_value_id k = BUILD_NODE(b, "MatMul", "k", "", x, build_constant(b, "wk", "16x16", 0.5f));
    const ferry_value_id kt = BUILD_NODE(b, "Transpose", "kt", "perm=0,2,1", k);
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=-1", BUILD_NODE(b, "MatMul", "scores", "", q, kt)));
    precision_prepare(&f);
    f.options.int8 = true;
    precision_lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 0);
    const char *rule = "scores=int8";
    f.options.rules = &rule;
    f.options.n_rules = 1;
    precision_relower(&f);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 1);
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 20.0);
    precision_done(&f);
}

static void outputs__that_others_read_in_int8_are_given_in_float_too(void **state)
{
    (void)state;
    precision_case f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 9);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x8x6x6");
    const ferry_value_id a = precision_conv(b, "a", "kernel_shape=3,3 pads=1,1,1,1", x, "8x8x3x3");
    const ferry_value_id c = precision_conv(b, "c", "kernel_shape=3,3 pads=1,1,1,1", a, "8x8x3x3");
    build_output(b, c);
    build_output(b, a);
    precision_prepare(&f);
    f.options.int8 = true;
    precision_lower(&f);
    assert_int_equal(precision_stored_as(&f, "a"), FERRY_S8);
    assert_int_equal(graph_count(&f.lowered, "DequantizeLinear"), 1);
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 30.0);
    precision_done(&f);
}

static void refused__scales_and_weights_that_would_overflow(void **state)
{
    (void)state;
    precision_case f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 10);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x2x6x6");
    const ferry_value_id a =
        BUILD_NODE(b, "Conv", "a", "kernel_shape=1,1", x, build_floats(b, "w", "2x2x1x1", (float[]){1, 2, 3e30f, 4}));
    const ferry_value_id c = BUILD_NODE(b, "Conv", "c", "kernel_shape=1,1", BUILD_NODE(b, "Tanh", "t", "", a),
                                        build_constant(b, "w2", "64x2x1x1", 1.0f));
    build_output(b, c);
    precision_prepare(&f);
    f.options.int8 = true;
    for (size_t i = 0; i < f.n_scales; i++)
        if (strcmp(f.scales[i].name, "t") == 0) f.scales[i].scale = 1e-30f;
    precision_lower(&f);
    assert_true(precision_reported(&f, "a", "not finite, or huge"));
    assert_true(precision_reported(&f, "t", "not usable"));
    assert_int_equal(graph_count(&f.lowered, "QConv"), 0);
    precision_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8__runs_every_integer_operator_and_stays_accurate),
        cmocka_unit_test(int8__is_deterministic_to_the_byte),
        cmocka_unit_test(rules__pin_layers_and_must_match),
        cmocka_unit_test(glob__matches_stars_and_question_marks),
        cmocka_unit_test(float16__is_stored_narrow_and_guards_against_overflow),
        cmocka_unit_test(float16_and_int8__mix),
        cmocka_unit_test(islands__are_not_converted_for),
        cmocka_unit_test(matmul__of_two_activations_is_int8_when_asked_for),
        cmocka_unit_test(outputs__that_others_read_in_int8_are_given_in_float_too),
        cmocka_unit_test(refused__scales_and_weights_that_would_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
