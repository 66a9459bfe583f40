// SPDX-License-Identifier: Apache-2.0
// The FP16 guard of numeric plans: what overflows there stays in a wider type.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/precision_case.h"

// x -> c1 -> t1 -> c2 -> t2 -> c3, with a sigmoid between; and a sum that lies between two layers.
static void build_chain(graph_builder *b, float weights)
{
    build_begin(b, 7);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x6x6");
    const ferry_value_id c1 = precision_conv(b, "c1", "kernel_shape=3,3", x, "8x3x3x3");
    const ferry_value_id t1 = BUILD_NODE(b, "Tanh", "t1", "", c1);
    const ferry_value_id c2 =
        BUILD_NODE(b, "Conv", "c2", "kernel_shape=1,1", t1, build_constant(b, "w_c2", "8x8x1x1", weights));
    const ferry_value_id t2 = BUILD_NODE(b, "Sigmoid", "t2", "", BUILD_NODE(b, "Exp", "e2", "", c2));
    build_output(b, precision_conv(b, "c3", "kernel_shape=1,1", t2, "4x8x1x1"));
}

static void guard(precision_case *f, ferry_dtype type, const ferry_named_scale *ranges, size_t count)
{
    f->options = (ferry_precision_options){.fp16 = true, .guard = type, .ranges = ranges, .n_ranges = count};
    if (f->plan.nodes) {
        precision_relower(f);
    } else {
        precision_lower(f);
    }
}

static void guard__keeps_makers_and_readers_of_what_overflows(void **state)
{
    precision_case f = {0};
    ferry_named_scale ranges[] = {{"c1", 40000.0f}, {"c2", 100.0f}, {"x", 3.0f}};
    (void)state;
    build_chain(&f.model, 0.4f);
    precision_prepare(&f);
    guard(&f, FERRY_BF16, ranges, 3);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_BF16);
    assert_int_equal(precision_of_node(&f, "t1"), FERRY_BF16);
    assert_int_equal(precision_of_node(&f, "c2"), FERRY_F16);
    assert_int_equal(precision_of_node(&f, "c3"), FERRY_F16);
    assert_int_equal(precision_stored_as(&f, "c1"), FERRY_BF16);
    assert_true(precision_reported(&f, "c1", "'c1', which it makes, reaches 4e+04"));
    assert_true(precision_reported(&f, "t1", "kept in bf16 instead of fp16: 'c1', which it reads"));
    guard(&f, FERRY_F32, ranges, 3);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_F32);
    ranges[0].scale = 3e38f; // BF16 has not got that either
    guard(&f, FERRY_BF16, ranges, 3);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_F32);
    ranges[0].scale = 32000.0f; // FP16 has twice that
    guard(&f, FERRY_BF16, ranges, 3);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_F16);
    ranges[0].scale = 1e6f;
    guard(&f, FERRY_DTYPE_NONE, ranges, 3);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_F16);
    ranges[0] = (ferry_named_scale){"x", 1e6f}; // an input: its readers are kept
    guard(&f, FERRY_BF16, ranges, 1);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_BF16);
    assert_int_equal(precision_of_node(&f, "t1"), FERRY_F16);
    precision_done(&f);
}

static void guard__keeps_what_lies_between_but_no_products(void **state)
{
    precision_case f = {0};
    const ferry_named_scale around[] = {{"c2", 1e5f}, {"c3", 1e5f}}, over[] = {{"c1", 1e5f}, {"e2", 1e5f}};
    (void)state;
    build_chain(&f.model, 0.4f);
    precision_prepare(&f);
    guard(&f, FERRY_BF16, around, 2); // c2 and e2, and c3; t2 is between
    assert_int_equal(precision_of_node(&f, "e2"), FERRY_BF16);
    assert_int_equal(precision_of_node(&f, "t2"), FERRY_BF16);
    assert_true(precision_reported(&f, "t2", "its neighbours are, too"));
    guard(&f, FERRY_BF16, over, 2); // c1 and t1, e2 and t2; the product c2 is between
    assert_int_equal(precision_of_node(&f, "t1"), FERRY_BF16);
    assert_int_equal(precision_of_node(&f, "c2"), FERRY_F16);
    assert_int_equal(precision_of_node(&f, "e2"), FERRY_BF16);
    precision_done(&f);
}

static void guard__looks_at_constants_without_samples(void **state)
{
    precision_case f = {0}, g = {0};
    (void)state;
    build_chain(&f.model, 200000.0f);
    precision_prepare(&f);
    guard(&f, FERRY_BF16, NULL, 0);
    assert_int_equal(precision_of_node(&f, "c2"), FERRY_BF16);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_F16);
    assert_true(precision_reported(&f, "c2", "its constant 'w_c2' reaches"));
    guard(&f, FERRY_DTYPE_NONE, NULL, 0); // an engine of infinities serves nobody
    assert_int_equal(precision_of_node(&f, "c2"), FERRY_F32);
    precision_done(&f);
    build_chain(&g.model, 1e-6f);
    precision_prepare(&g);
    guard(&g, FERRY_BF16, NULL, 0);
    assert_int_equal(precision_of_node(&g, "c2"), FERRY_BF16);
    assert_true(precision_reported(&g, "c2", "so small that FP16 changes them by"));
    precision_done(&g);
}

static void guard__yields_to_rules(void **state)
{
    precision_case f = {0};
    const char *rules[] = {"c1=fp16"};
    const ferry_named_scale ranges[] = {{"c1", 1e6f}};
    (void)state;
    build_chain(&f.model, 0.4f);
    precision_prepare(&f);
    f.options = (ferry_precision_options){
        .fp16 = true, .guard = FERRY_BF16, .ranges = ranges, .n_ranges = 1, .rules = rules, .n_rules = 1};
    precision_lower(&f);
    assert_int_equal(precision_of_node(&f, "c1"), FERRY_F16);
    assert_int_equal(precision_of_node(&f, "t1"), FERRY_BF16);
    assert_true(
        precision_reported(&f, "c1", "runs in fp16 as a rule says, though 'c1', which it makes, reaches 1e+06"));
    precision_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard__keeps_makers_and_readers_of_what_overflows),
        cmocka_unit_test(guard__keeps_what_lies_between_but_no_products),
        cmocka_unit_test(guard__looks_at_constants_without_samples),
        cmocka_unit_test(guard__yields_to_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
