// SPDX-License-Identifier: Apache-2.0
// docs/INT8.md by hand: numbers worked out on paper, so that the reference kernels are held to the text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "ops/epilogue.h"
#include "ops/infer.h"
#include "ops/integer.h"
#include "support/run_graph.h"

typedef struct op_case {
    ferry_arena arena;
    ferry_node node;
    ferry_tensor in[5], out[1];
    ferry_attr attrs[16];
    ferry_value_id ids[5], out_id;
} op_case;

static void begin(op_case *c, const char *op)
{
    memset(c, 0, sizeof *c);
    ferry_arena_init(&c->arena, ferry_heap_default());
    c->node.op = ferry_op_find("ferry", op);
    assert_non_null(c->node.op);
    c->node.name = op;
    c->node.inputs = c->ids;
    c->node.outputs = &c->out_id;
    c->node.n_outputs = 1;
    c->node.attrs = c->attrs;
}

static void input(op_case *c, ferry_dtype dtype, int32_t rank, const int64_t *dims, const void *data)
{
    ferry_tensor *t = &c->in[c->node.n_inputs];
    t->dtype = dtype;
    t->rank = rank;
    for (int32_t i = 0; i < rank; i++) t->dims[i] = dims[i];
    t->data = ferry_arena_copy(&c->arena, data, ferry_tensor_bytes(t));
    c->ids[c->node.n_inputs] = c->node.n_inputs;
    c->node.n_inputs++;
}
#define DIMS(...)                                                                                                      \
    (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                                         \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static void attr_float(op_case *c, const char *name, float value)
{
    c->attrs[c->node.n_attrs++] = (ferry_attr){.name = name,
                                               .kind = FERRY_ATTR_FLOAT,
                                               .count = 1,
                                               .u.floats = ferry_arena_copy(&c->arena, &value, sizeof value)};
}

static void attr_ints(op_case *c, const char *name, int32_t count, const int64_t *values)
{
    c->attrs[c->node.n_attrs++] =
        (ferry_attr){.name = name,
                     .kind = FERRY_ATTR_INTS,
                     .count = count,
                     .u.ints = ferry_arena_copy(&c->arena, values, (size_t)count * sizeof *values)};
}

static void attr_int(op_case *c, const char *name, int64_t value)
{
    attr_ints(c, name, 1, &value);
    c->attrs[c->node.n_attrs - 1].kind = FERRY_ATTR_INT;
}

static void attr_string(op_case *c, const char *name, const char *value)
{
    c->attrs[c->node.n_attrs++] = (ferry_attr){.name = name,
                                               .kind = FERRY_ATTR_STRING,
                                               .count = 1,
                                               .u.strings = ferry_arena_copy(&c->arena, &value, sizeof value)};
}

static void expect_s8(op_case *c, size_t count, const int8_t *expected)
{
    ferry_error err;
    const ferry_status s = ferry_node_eval(NULL, &c->node, c->in, c->out, &c->arena, &err);
    if (s != FERRY_OK) print_message("%s\n", err.text);
    assert_int_equal(s, FERRY_OK);
    assert_int_equal(c->out[0].dtype, FERRY_S8);
    assert_int_equal(ferry_tensor_elements(&c->out[0]), count);
    for (size_t i = 0; i < count; i++) assert_int_equal(((const int8_t *)c->out[0].data)[i], expected[i]);
    ferry_arena_deinit(&c->arena);
}

static void expect_f32(op_case *c, size_t count, const float *expected)
{
    ferry_error err;
    assert_int_equal(ferry_node_eval(NULL, &c->node, c->in, c->out, &c->arena, &err), FERRY_OK);
    assert_int_equal(c->out[0].dtype, FERRY_F32);
    assert_int_equal(ferry_tensor_elements(&c->out[0]), count);
    for (size_t i = 0; i < count; i++) assert_true(((const float *)c->out[0].data)[i] == expected[i]);
    ferry_arena_deinit(&c->arena);
}

static void sat8__rounds_half_to_even_and_clamps_in_float(void **state)
{
    (void)state;
    static const struct {
        float t;
        int8_t q;
    } cases[] = {{0.5f, 0},       {1.5f, 2},       {2.5f, 2},      {-0.5f, 0},      {-1.5f, -2},       {126.5f, 126},
                 {127.5f, 127},   {1e30f, 127},    {-1e30f, -128}, {INFINITY, 127}, {-INFINITY, -128}, {NAN, 0},
                 {-127.5f, -128}, {-128.5f, -128}, {3e9f, 127},    {0.49999997f, 0}};
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) assert_int_equal(ferry_sat8(cases[i].t), cases[i].q);
}

static void qconv__sums_multiplies_rounds_once(void **state)
{
    (void)state;
    op_case c;
    begin(&c, "QConv"); // 1x1x3x3 with a 2x2 window: sums 1+2*2-3*4+4*5 ...
    input(&c, FERRY_S8, DIMS(1, 1, 3, 3), (int8_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9});
    input(&c, FERRY_S8, DIMS(2, 1, 2, 2), (int8_t[]){1, 2, -3, 4, -127, -127, -127, -127});
    input(&c, FERRY_F32, DIMS(2), (float[]){0.5f, 0.25f});
    input(&c, FERRY_F32, DIMS(2), (float[]){0.0f, 1000.0f});
    // channel 0: 13, 17; 25, 29 times 0.5 = 6.5, 8.5; 12.5, 14.5 -> half to even 6, 8, 12, 14
    // channel 1: -127 * 12 / 4 + 1000 = 619 -> 127; -127 * 16 / 4 + 1000 = 492; -127 * 24 / 4 + 1000 = 238; 28 -> 111
    expect_s8(&c, 8, (int8_t[]){6, 8, 12, 14, 127, 127, 127, 111});
}

static void qconv__pads_with_zero_and_strides(void **state)
{
    (void)state;
    op_case c;
    begin(&c, "QConv");
    input(&c, FERRY_S8, DIMS(1, 2, 1, 3), (int8_t[]){1, 2, 3, 10, 20, 30});
    input(&c, FERRY_S8, DIMS(2, 1, 1, 3), (int8_t[]){1, 1, 1, 1, 1, 1});
    input(&c, FERRY_F32, DIMS(2), (float[]){1.0f, 1.0f});
    input(&c, FERRY_F32, DIMS(2), (float[]){0.0f, 0.0f});
    attr_int(&c, "group", 2);
    attr_ints(&c, "pads", 4, (int64_t[]){0, 1, 0, 1});
    attr_ints(&c, "strides", 2, (int64_t[]){1, 2});
    expect_s8(&c, 4, (int8_t[]){3, 5, 30, 50});
}

static void qconv__adds_the_residual_before_or_after_the_activation(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        op_case c;
        begin(&c, "QConv");
        input(&c, FERRY_S8, DIMS(1, 1, 1, 2), (int8_t[]){-10, 10});
        input(&c, FERRY_S8, DIMS(1, 1, 1, 1), (int8_t[]){1});
        input(&c, FERRY_F32, DIMS(1), (float[]){1.0f});
        input(&c, FERRY_F32, DIMS(1), (float[]){0.0f});
        input(&c, FERRY_S8, DIMS(1, 1, 1, 2), (int8_t[]){4, -40});
        attr_float(&c, "r_mult", 0.5f);
        attr_string(&c, "act", "relu");
        attr_int(&c, "act_first", first);
        // before: relu(-10 + 2) = 0, relu(10 - 20) = 0; after: 0 + 2, 10 - 20
        expect_s8(&c, 2, first ? (int8_t[]){2, -10} : (int8_t[]){0, 0});
    }
}

static void qconv__gives_floats_in_real_units(void **state)
{
    (void)state;
    op_case c;
    begin(&c, "QConv");
    input(&c, FERRY_S8, DIMS(1, 1, 1, 2), (int8_t[]){3, -3});
    input(&c, FERRY_S8, DIMS(1, 1, 1, 1), (int8_t[]){7});
    input(&c, FERRY_F32, DIMS(1), (float[]){0.1f});
    input(&c, FERRY_F32, DIMS(1), (float[]){0.3f});
    attr_int(&c, "to", FERRY_F32);
    expect_f32(&c, 2, (float[]){fmaf(21.0f, 0.1f, 0.3f), fmaf(-21.0f, 0.1f, 0.3f)});
}

static void activations__act_in_units_of_the_output(void **state)
{
    (void)state;
    ferry_epilogue e = {.act = FERRY_ACT_CLIP, .alpha = -3.0f, .beta = 5.0f};
    assert_true(ferry_act_apply(&e, -7.0f) == -3.0f && ferry_act_apply(&e, 9.0f) == 5.0f &&
                ferry_act_apply(&e, 1.25f) == 1.25f);
    e = (ferry_epilogue){.act = FERRY_ACT_LEAKY_RELU, .alpha = 0.1f};
    assert_true(ferry_act_apply(&e, -7.0f) == -7.0f * 0.1f && ferry_act_apply(&e, 7.0f) == 7.0f);
    e = (ferry_epilogue){.act = FERRY_ACT_HARD_SIGMOID, .alpha = 0.2f, .beta = 63.5f, .gamma = 127.0f};
    assert_true(ferry_act_apply(&e, 10.0f) == fmaf(10.0f, 0.2f, 63.5f) && ferry_act_apply(&e, 1e6f) == 127.0f &&
                ferry_act_apply(&e, -1e6f) == 0.0f);
    assert_true(isnan(ferry_act_apply(&e, NAN)));
}

static void qgemm__takes_both_orders_of_weights(void **state)
{
    (void)state;
    for (int trans = 0; trans < 2; trans++) {
        op_case c;
        begin(&c, "QGemm");
        input(&c, FERRY_S8, DIMS(2, 1, 3), (int8_t[]){1, 2, 3, -128, -128, -128});
        if (trans)
            input(&c, FERRY_S8, DIMS(2, 3), (int8_t[]){1, 0, -1, 5, 6, 7});
        else
            input(&c, FERRY_S8, DIMS(3, 2), (int8_t[]){1, 5, 0, 6, -1, 7});
        input(&c, FERRY_F32, DIMS(2), (float[]){1.0f, 0.05f});
        input(&c, FERRY_F32, DIMS(2), (float[]){0.5f, 0.0f});
        attr_int(&c, "transB", trans);
        // -2 + 0.5 = -1.5 -> -2; 38 * 0.05 = 1.9 -> 2; 0 + 0.5 -> 0; -128 * 18 * 0.05 = -115.2 -> -115
        expect_s8(&c, 4, (int8_t[]){-2, 2, 0, -115});
    }
}

static void qmatmul__broadcasts_batches(void **state)
{
    (void)state;
    op_case c;
    begin(&c, "QMatMul");
    input(&c, FERRY_S8, DIMS(2, 1, 2), (int8_t[]){1, 2, 3, 4});
    input(&c, FERRY_S8, DIMS(2, 2), (int8_t[]){10, 20, 30, 40});
    attr_float(&c, "mult", 0.25f);
    // [70, 100], [150, 220] quarters: 17.5 -> 18, 25, 37.5 -> 38, 55
    expect_s8(&c, 4, (int8_t[]){18, 25, 38, 55});
}

static void qadd_qmul__broadcast_and_round(void **state)
{
    (void)state;
    op_case c;
    begin(&c, "QAdd");
    input(&c, FERRY_S8, DIMS(2, 2), (int8_t[]){1, 2, -100, 127});
    input(&c, FERRY_S8, DIMS(2), (int8_t[]){3, 100});
    attr_float(&c, "a_mult", 1.0f);
    attr_float(&c, "b_mult", 0.5f);
    expect_s8(&c, 4, (int8_t[]){2, 52, -98, 127}); // 2.5 -> 2, 52, -98.5 -> -98, 177
    begin(&c, "QMul");
    input(&c, FERRY_S8, DIMS(1, 2, 1, 2), (int8_t[]){4, -6, 100, -128});
    input(&c, FERRY_S8, DIMS(1, 2, 1, 1), (int8_t[]){2, -128});
    attr_float(&c, "mult", 0.125f);
    expect_s8(&c, 4, (int8_t[]){1, -2, -128, 127}); // 1, -1.5, -1600, 2048
}

static void qaverage_pool__divides_then_multiplies(void **state)
{
    (void)state;
    op_case c;
    for (int include = 0; include < 2; include++) {
        begin(&c, "QAveragePool");
        input(&c, FERRY_S8, DIMS(1, 1, 1, 3), (int8_t[]){9, 10, 12});
        attr_ints(&c, "kernel_shape", 2, (int64_t[]){1, 2});
        attr_ints(&c, "pads", 4, (int64_t[]){0, 1, 0, 0});
        attr_int(&c, "count_include_pad", include);
        attr_float(&c, "mult", 1.0f);
        // 9 alone (or 9 / 2 = 4.5 -> 4), 19 / 2 = 9.5 -> 10, 11
        expect_s8(&c, 3, include ? (int8_t[]){4, 10, 11} : (int8_t[]){9, 10, 11});
    }
    begin(&c, "QGlobalAveragePool");
    input(&c, FERRY_S8, DIMS(1, 2, 1, 3), (int8_t[]){1, 2, 4, -128, -128, -127});
    attr_float(&c, "mult", 3.0f);
    expect_s8(&c, 2, (int8_t[]){7, -128});
}

static void qresize__interpolates_columns_then_rows(void **state)
{
    (void)state;
    op_case c;
    begin(&c, "QResize");
    input(&c, FERRY_S8, DIMS(1, 1, 2, 2), (int8_t[]){0, 100, 40, -20});
    input(&c, FERRY_F32, DIMS(4), (float[]){1, 1, 2, 2});
    attr_string(&c, "coordinate_transformation_mode", "half_pixel");
    attr_float(&c, "mult", 1.0f);
    // rows at 0, 0.25, 0.75, 1 of [0 25 75 100] and [40 25 -5 -20]
    expect_s8(&c, 16, (int8_t[]){0, 25, 75, 100, 10, 25, 55, 70, 30, 25, 15, 10, 40, 25, -5, -20});
    begin(&c, "QResize");
    input(&c, FERRY_S8, DIMS(1, 1, 1, 2), (int8_t[]){0, 3});
    input(&c, FERRY_F32, DIMS(4), (float[]){1, 1, 1, 1.5f});
    attr_string(&c, "coordinate_transformation_mode", "align_corners");
    expect_s8(&c, 3, (int8_t[]){0, 2, 3}); // 1.5 -> 2
}

static void qtable__looks_up(void **state)
{
    (void)state;
    op_case c;
    int8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = (int8_t)(127 - i);
    begin(&c, "QTable");
    input(&c, FERRY_S8, DIMS(3), (int8_t[]){-128, 0, 127});
    input(&c, FERRY_S8, DIMS(256), table);
    expect_s8(&c, 3, (int8_t[]){127, -1, -128});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sat8__rounds_half_to_even_and_clamps_in_float),
        cmocka_unit_test(qconv__sums_multiplies_rounds_once),
        cmocka_unit_test(qconv__pads_with_zero_and_strides),
        cmocka_unit_test(qconv__adds_the_residual_before_or_after_the_activation),
        cmocka_unit_test(qconv__gives_floats_in_real_units),
        cmocka_unit_test(activations__act_in_units_of_the_output),
        cmocka_unit_test(qgemm__takes_both_orders_of_weights),
        cmocka_unit_test(qmatmul__broadcasts_batches),
        cmocka_unit_test(qadd_qmul__broadcast_and_round),
        cmocka_unit_test(qaverage_pool__divides_then_multiplies),
        cmocka_unit_test(qresize__interpolates_columns_then_rows),
        cmocka_unit_test(qtable__looks_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
