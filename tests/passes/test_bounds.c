// SPDX-License-Identifier: Apache-2.0
// Bounds of tensors: what interval arithmetic finds, and that nothing steps over them.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "passes/bounds.h"
#include "passes/pass.h"
#include "support/build_graph.h"

typedef struct bounded {
    graph_builder b;
    ferry_arena arena;
    const ferry_bounds *bounds;
} bounded;

static void find(bounded *t, bool after_passes)
{
    ferry_error err;
    build_finish(&t->b);
    if (after_passes) assert_int_equal(ferry_passes_run(&t->b.graph, NULL, NULL, &err), FERRY_OK);
    ferry_arena_init(&t->arena, ferry_heap_default());
    assert_int_equal(ferry_bounds_find(&t->b.graph, &t->arena, &t->bounds, &err), FERRY_OK);
}

static void end(bounded *t)
{
    ferry_arena_deinit(&t->arena);
    build_end(&t->b);
}

static void expect(const bounded *t, const char *name, double low, double high)
{
    const ferry_value_id v = ferry_graph_find_value(&t->b.graph, name);
    assert_true(v != FERRY_NO_VALUE);
    if (t->bounds[v].low != low || t->bounds[v].high != high)
        fail_msg("%s: [%g, %g], not [%g, %g]", name, t->bounds[v].low, t->bounds[v].high, low, high);
}

static void arithmetic__is_that_of_intervals(void **state)
{
    (void)state;
    bounded t;
    graph_builder *b = &t.b;
    build_begin(b, 1);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x2x2"), s = BUILD_NODE(b, "Sigmoid", "s", "", x);
    const ferry_value_id h = BUILD_NODE(b, "HardSwish", "h", "", x), r = BUILD_NODE(b, "Relu", "r", "", x);
    const ferry_value_id c = BUILD_NODE(b, "Clip", "clipped", "", x, build_scalar(b, -2.0f), build_scalar(b, 6.0f));
    const ferry_value_id gated = BUILD_NODE(b, "Mul", "gated", "", h, s), sum = BUILD_NODE(b, "Add", "sum", "", r, c);
    const ferry_value_id diff = BUILD_NODE(b, "Sub", "diff", "", s, c);
    const ferry_value_id by = BUILD_NODE(b, "Mul", "by", "", c, build_floats(b, "k", "4x1x1", (float[]){-1, 0, 2, 3}));
    const ferry_value_id padded =
        BUILD_NODE(b, "Pad", "padded", "", s, build_ints(b, "p", 8, (int64_t[8]){[3] = 1}), build_scalar(b, -7.0f));
    const ferry_value_id cat = BUILD_NODE(b, "Concat", "cat", "axis=1", gated, sum);
    const ferry_value_id free_sum = BUILD_NODE(b, "Add", "free", "", x, s),
                         free_by = BUILD_NODE(b, "Mul", "fm", "", x, r);
    const ferry_value_id outputs[] = {
        diff, by, padded, BUILD_NODE(b, "MaxPool", "pooled", "kernel_shape=2,2", cat), free_sum, free_by};
    for (size_t i = 0; i < FERRY_COUNT_OF(outputs); i++) build_output(b, outputs[i]);
    find(&t, false);
    expect(&t, "x", -INFINITY, INFINITY);
    expect(&t, "s", 0, 1);
    expect(&t, "h", -0.375, INFINITY);
    expect(&t, "clipped", -2, 6);
    expect(&t, "gated", -0.375, INFINITY);
    expect(&t, "sum", -2, INFINITY);
    expect(&t, "diff", -6, 3);
    expect(&t, "by", -6, 18);
    expect(&t, "padded", -7, 1);
    expect(&t, "cat", -2, INFINITY);
    expect(&t, "pooled", -2, INFINITY);
    expect(&t, "free", -INFINITY, INFINITY);
    expect(&t, "fm", -INFINITY, INFINITY);
    end(&t);
}

static void products__have_the_bounds_of_what_they_took_in(void **state)
{
    (void)state;
    bounded t;
    graph_builder *b = &t.b;
    build_begin(b, 2);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x2x2");
    ferry_value_id y[4];
    static const char *const names[] = {"c0", "c1", "c2", "c3"};
    for (int i = 0; i < 4; i++)
        y[i] =
            BUILD_NODE(b, "Conv", names[i], "kernel_shape=1,1", i ? y[0] : x, build_constant(b, "w", "4x4x1x1", 1.0f));
    build_output(b, BUILD_NODE(b, "Relu", "relu", "", y[1]));
    build_output(b, BUILD_NODE(b, "Clip", "clip", "", y[2], build_scalar(b, 1.0f), build_scalar(b, 6.0f)));
    build_output(b, BUILD_NODE(b, "Add", "after", "", BUILD_NODE(b, "Relu", "inner", "", y[3]), y[0]));
    find(&t, true);
    expect(&t, "relu", 0, INFINITY);
    expect(&t, "clip", 1, 6);
    expect(&t, "after", -INFINITY, INFINITY);
    end(&t);
}

// The least values of functions that have them within, against the tables above.
static void functions__stay_within(void **state)
{
    (void)state;
    bounded t;
    graph_builder *b = &t.b;
    enum { STEPS = 4001 };
    static const char *const names[] = {"HardSwish", "Gelu", "Mish", "Tanh", "Softplus", "Erf"};
    static float data[STEPS];
    for (int i = 0; i < STEPS; i++) data[i] = (float)(i - STEPS / 2) * 0.004f;
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "4001");
    ferry_value_id y[FERRY_COUNT_OF(names)];
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        y[i] = build_node(b, names[i], names[i], "", 1, &x);
        build_output(b, y[i]);
    }
    find(&t, false);
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        static float out[STEPS];
        const ferry_node *node = &b->graph.nodes[b->graph.values[y[i]].producer];
        const ferry_tensor in = {.dtype = FERRY_F32, .rank = 1, .dims = {STEPS}, .data = data};
        ferry_tensor made = {.dtype = FERRY_F32, .rank = 1, .dims = {STEPS}, .data = out};
        const ferry_eval eval = {.node = node, .in = &in, .out = &made};
        ferry_error err;
        assert_int_equal(node->op->eval(&eval, &err), FERRY_OK);
        double least = INFINITY;
        for (int k = 0; k < STEPS; k++) {
            assert_true((double)out[k] >= t.bounds[y[i]].low && (double)out[k] <= t.bounds[y[i]].high);
            least = fmin(least, (double)out[k]);
        }
        assert_true(least < t.bounds[y[i]].low + 0.06 + 0.001 * fabs(least)); // and are near
    }
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic__is_that_of_intervals),
        cmocka_unit_test(products__have_the_bounds_of_what_they_took_in),
        cmocka_unit_test(functions__stay_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
