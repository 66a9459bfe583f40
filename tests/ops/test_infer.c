// SPDX-License-Identifier: Apache-2.0
// Shape inference over whole graphs: binding, symbols, shape arithmetic with known and partly known elements, findings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ops/infer.h"
#include "support/failing_heap.h"

static ferry_value_id add_input(ferry_graph *g, const char *name, int32_t rank, const int64_t *dims,
                                const char *const *symbols)
{
    ferry_shape shape = ferry_shape_of(rank, dims);
    for (int32_t d = 0; symbols && d < rank; d++)
        if (symbols[d]) shape.symbols[d] = ferry_graph_symbol(g, symbols[d]);
    ferry_value_id id;
    assert_int_equal(ferry_graph_add_value(g, name, FERRY_F32, &shape, &id, NULL), FERRY_OK);
    assert_int_equal(ferry_graph_mark_input(g, id, NULL), FERRY_OK);
    return id;
}

static ferry_value_id ints(ferry_graph *g, const int64_t *values, int32_t count)
{
    ferry_value_id id;
    assert_int_equal(ferry_graph_add_constant_s64(g, "k", values, count, &id, NULL), FERRY_OK);
    return id;
}

static ferry_value_id apply(ferry_graph *g, const char *op, ferry_value_id a, ferry_value_id b, const ferry_attr *attr)
{
    ferry_value_id out;
    assert_int_equal(ferry_graph_add_value(g, op, FERRY_DTYPE_NONE, NULL, &out, NULL), FERRY_OK);
    const ferry_value_id in[2] = {a, b};
    if (!ferry_op_find("", op)) fail_msg("no operator %s", op);
    assert_int_equal(ferry_graph_add_node(g, ferry_op_find("", op), NULL, in, b == FERRY_NO_VALUE ? 1 : 2, &out, 1,
                                          attr, attr ? 1 : 0, NULL, NULL),
                     FERRY_OK);
    return out;
}

static void expect_shape(const ferry_graph *g, const ferry_shape *shape, const char *expected)
{
    char text[100];
    ferry_shape_text(g, shape, text, sizeof text);
    assert_string_equal(text, expected);
}

static const char *const batch_only[4] = {"N", NULL, NULL, NULL};
static const ferry_attr axis0 = {"axis", FERRY_ATTR_INT, 1, {.ints = (const int64_t[]){0}}};

static void bound_symbols__bind_everywhere(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_graph_init(&g, NULL);
    const ferry_value_id a = add_input(&g, "a", 2, (const int64_t[]){-1, 3}, batch_only);
    const ferry_value_id b = add_input(&g, "b", 2, (const int64_t[]){-1, 3}, batch_only);
    const ferry_value_id sum = apply(&g, "Add", a, b, NULL);
    ferry_graph_mark_output(&g, sum, NULL);
    assert_int_equal(ferry_graph_infer(&g, NULL, 0, false, NULL, &err), FERRY_OK);
    expect_shape(&g, &g.values[sum].shape, "Nx3");
    ferry_shape shapes[3];
    bool bounded[3];
    const ferry_input_shape five = {a, ferry_shape_of(2, (const int64_t[]){5, -1})};
    assert_int_equal(ferry_graph_infer_shapes(&g, &five, 1, shapes, bounded, NULL, NULL, &err), FERRY_OK);
    expect_shape(&g, &shapes[b], "5x3");
    expect_shape(&g, &shapes[sum], "5x3");
    assert_false(bounded[sum]);
    expect_shape(&g, &g.values[sum].shape, "Nx3"); // the graph itself is as it was
    static const struct {
        int64_t a[2], b[2];
        const char *text;
    } wrong[] = {
        {{5, 3}, {6, 3}, "input 'b': dimension 0 ('N') is given as 6, but 'N' is 5 elsewhere in the inputs"},
        {{5, 4}, {5, 3}, "input 'a': dimension 1 is 3 in the model, 4 was given"},
        {{-7, 3}, {5, 3}, "input 'a': dimension 0 cannot be -7"},
        {{INT64_MAX, 3}, {-1, 3}, "larger than 2^47 bytes"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const ferry_input_shape both[2] = {{a, ferry_shape_of(2, wrong[i].a)}, {b, ferry_shape_of(2, wrong[i].b)}};
        assert_int_equal(ferry_graph_infer_shapes(&g, both, 2, shapes, NULL, NULL, NULL, &err),
                         FERRY_ERR_INVALID_ARGUMENT);
        if (!strstr(err.text, wrong[i].text)) fail_msg("%s", err.text);
    }
    const ferry_input_shape rank = {a, ferry_shape_of(3, (const int64_t[]){5, 3, 1})};
    assert_int_equal(ferry_graph_infer_shapes(&g, &rank, 1, shapes, NULL, NULL, NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "input 'a' has 2 dimensions in the model, 3 were given");
    const ferry_input_shape other = {sum, ferry_shape_of(2, (const int64_t[]){5, 3})};
    assert_int_equal(ferry_graph_infer_shapes(&g, &other, 1, shapes, NULL, NULL, NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    const ferry_input_shape zero = {a, ferry_shape_of(2, (const int64_t[]){0, 3})};
    assert_int_equal(ferry_graph_infer_shapes(&g, &zero, 1, shapes, NULL, NULL, NULL, &err), FERRY_OK);
    expect_shape(&g, &shapes[sum], "0x3");
    ferry_graph_deinit(&g);
}

// Reshape(x, Concat(Gather(Shape(x), 0), [-1])): what PyTorch's x.view(x.size(0), -1) becomes.
static ferry_value_id build_view(ferry_graph *g, ferry_value_id x)
{
    const ferry_value_id shape = apply(g, "Shape", x, FERRY_NO_VALUE, NULL);
    const ferry_value_id n = apply(g, "Gather", shape, ints(g, (const int64_t[]){0}, -1), &axis0);
    const ferry_value_id n1 = apply(g, "Unsqueeze", n, ints(g, (const int64_t[]){0}, 1), NULL);
    const ferry_value_id target = apply(g, "Concat", n1, ints(g, (const int64_t[]){-1}, 1), &axis0);
    return apply(g, "Reshape", x, target, NULL);
}

static void shape_arithmetic__is_followed(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = add_input(&g, "x", 4, (const int64_t[]){-1, 3, 4, 5}, batch_only);
    const ferry_value_id y = build_view(&g, x);
    ferry_graph_mark_output(&g, y, NULL);
    assert_int_equal(ferry_graph_infer(&g, NULL, 0, false, NULL, &err), FERRY_OK);
    assert_int_equal(g.values[y].shape.rank, 2); // the target is partly known: its rank is sure
    assert_int_equal(g.values[y].shape.dims[0], FERRY_DIM_UNKNOWN);
    ferry_shape shapes[32];
    const ferry_input_shape bound = {x, ferry_shape_of(4, (const int64_t[]){7, 3, 4, 5})};
    assert_int_equal(ferry_graph_infer_shapes(&g, &bound, 1, shapes, NULL, NULL, NULL, &err), FERRY_OK);
    expect_shape(&g, &shapes[y], "7x60");
    ferry_graph_deinit(&g);
}

static void partly_known_elements__reach_the_target(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = add_input(&g, "x", 4, (const int64_t[]){-1, 6, -1, 5}, NULL);
    const ferry_value_id shape = apply(&g, "Shape", x, FERRY_NO_VALUE, NULL);
    // Channels are known although batch and height are not; they go through arithmetic and a cast.
    const ferry_value_id two = apply(&g, "Gather", shape, ints(&g, (const int64_t[]){0, 1}, 2), &axis0);
    const ferry_value_id half = apply(&g, "Div", two, ints(&g, (const int64_t[]){1, 2}, 2), NULL);
    const ferry_attr to32 = {"to", FERRY_ATTR_INT, 1, {.ints = (const int64_t[]){6}}};
    const ferry_attr to64 = {"to", FERRY_ATTR_INT, 1, {.ints = (const int64_t[]){7}}};
    const ferry_value_id cast = apply(&g, "Cast", half, FERRY_NO_VALUE, &to32);
    const ferry_value_id back = apply(&g, "Cast", cast, FERRY_NO_VALUE, &to64);
    const ferry_value_id target = apply(&g, "Concat", back, ints(&g, (const int64_t[]){-1, 10}, 2), &axis0);
    const ferry_value_id y = apply(&g, "Reshape", x, target, NULL);
    ferry_graph_mark_output(&g, y, NULL);
    assert_int_equal(ferry_graph_infer(&g, NULL, 0, false, NULL, &err), FERRY_OK);
    expect_shape(&g, &g.values[y].shape, "?x3x?x10");
    ferry_graph_deinit(&g);
}

static void findings__are_told_once_and_do_not_spread(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_graph_init(&g, NULL);
    const ferry_value_id a = add_input(&g, "a", 2, (const int64_t[]){2, 3}, NULL);
    const ferry_value_id b = add_input(&g, "b", 2, (const int64_t[]){4, 5}, NULL);
    const ferry_value_id bad = apply(&g, "MatMul", a, b, NULL), behind = apply(&g, "Relu", bad, FERRY_NO_VALUE, NULL);
    const ferry_value_id bad2 = apply(&g, "Add", a, b, NULL), good = apply(&g, "Relu", a, FERRY_NO_VALUE, NULL);
    ferry_graph_mark_output(&g, behind, NULL);
    ferry_graph_mark_output(&g, bad2, NULL);
    ferry_graph_mark_output(&g, good, NULL);
    ferry_report report;
    ferry_report_init(&report, ferry_heap_default());
    assert_int_equal(ferry_graph_infer(&g, NULL, 0, false, &report, &err), FERRY_ERR_BAD_MODEL);
    assert_int_equal(report.error_count, 2);
    assert_string_equal(report.findings[0].subject, "node 'MatMul' (MatMul)");
    assert_string_equal(report.findings[1].subject, "node 'Add' (Add)");
    expect_shape(&g, &g.values[good].shape, "2x3"); // the rest is told all the same
    ferry_report_deinit(&report);
    ferry_graph_deinit(&g);
}

static void required_shapes__name_what_is_missing(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = add_input(&g, "x", 2, (const int64_t[]){-1, 3}, batch_only);
    ferry_graph_mark_output(&g, apply(&g, "Relu", x, FERRY_NO_VALUE, NULL), NULL);
    assert_int_equal(ferry_graph_infer(&g, NULL, 0, true, NULL, &err), FERRY_ERR_BAD_MODEL);
    assert_string_equal(err.text, "input 'x': its shape is Nx3: give a size for every dimension");
    const ferry_input_shape bound = {x, ferry_shape_of(2, (const int64_t[]){2, 3})};
    assert_int_equal(ferry_graph_infer(&g, &bound, 1, true, NULL, &err), FERRY_OK);
    ferry_graph_deinit(&g);
}

static void shapes_too_large__are_refused(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_graph_init(&g, NULL);
    const int64_t huge = INT64_C(1) << 30;
    const ferry_value_id a = add_input(&g, "a", 2, (const int64_t[]){huge, 1}, NULL);
    const ferry_value_id b = add_input(&g, "b", 2, (const int64_t[]){1, huge}, NULL);
    ferry_graph_mark_output(&g, apply(&g, "MatMul", a, b, NULL), NULL);
    assert_int_equal(ferry_graph_infer(&g, NULL, 0, false, NULL, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "1073741824x1073741824 would be larger than 2^47 bytes"));
    ferry_graph_deinit(&g);
}

static ferry_status infer_on(const ferry_heap *heap, void *context, ferry_error *err)
{
    ferry_shape shapes[32];
    return ferry_graph_infer_shapes(context, NULL, 0, shapes, NULL, heap, NULL, err);
}

static void every_allocation__may_fail(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = add_input(&g, "x", 4, (const int64_t[]){-1, 3, 4, 5}, batch_only);
    ferry_graph_mark_output(&g, build_view(&g, x), NULL);
    assert_true(ferry_failing_heap_loop(infer_on, &g) > 1);
    ferry_graph_deinit(&g);
}

static void node_eval__computes_one_node(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_graph_init(&g, NULL);
    const ferry_value_id a = add_input(&g, "a", 1, (const int64_t[]){3}, NULL);
    const ferry_value_id y = apply(&g, "Add", a, a, NULL);
    (void)y;
    float data[3] = {1, 2, 3};
    const ferry_tensor t = {.dtype = FERRY_F32, .rank = 1, .dims = {3}, .data = data}, in[2] = {t, t};
    ferry_tensor out;
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    assert_int_equal(ferry_node_eval(&g, &g.nodes[0], in, &out, &arena, &err), FERRY_OK);
    assert_int_equal(out.dims[0], 3);
    assert_true(((const float *)out.data)[2] == 6);
    ferry_arena_deinit(&arena);
    ferry_graph_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_symbols__bind_everywhere),
        cmocka_unit_test(shape_arithmetic__is_followed),
        cmocka_unit_test(partly_known_elements__reach_the_target),
        cmocka_unit_test(findings__are_told_once_and_do_not_spread),
        cmocka_unit_test(required_shapes__name_what_is_missing),
        cmocka_unit_test(shapes_too_large__are_refused),
        cmocka_unit_test(every_allocation__may_fail),
        cmocka_unit_test(node_eval__computes_one_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
