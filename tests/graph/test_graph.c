// SPDX-License-Identifier: Apache-2.0
// Building, changing, copying and checking graphs. The operators are the tests' own rows, so that no family is needed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "graph/graph.h"
#include "ops/op.h"

static const ferry_attr_schema add_attrs[] = {
    {"axis", FERRY_ATTR_INT, false},     {"pads", FERRY_ATTR_INTS, false}, {"mode", FERRY_ATTR_STRING, false},
    {"value", FERRY_ATTR_TENSOR, false}, {NULL, FERRY_ATTR_INT, false},
};
static const ferry_op add_op = {.name = "Add",
                                .domain = "",
                                .min_inputs = 1,
                                .max_inputs = 2,
                                .min_outputs = 1,
                                .max_outputs = 1,
                                .attrs = add_attrs};

// A heap that counts what is out, and refuses after a number of allocations when asked to.
typedef struct counting {
    size_t out_bytes, calls, refuse_after;
} counting;

static void *counting_alloc(void *user, size_t bytes)
{
    counting *c = user;
    if (++c->calls > c->refuse_after) return NULL;
    void *p = ferry_heap_default()->alloc(NULL, bytes);
    if (p) c->out_bytes += bytes;
    return p;
}

static void counting_free(void *user, void *pointer, size_t bytes)
{
    ((counting *)user)->out_bytes -= bytes;
    ferry_heap_default()->free(NULL, pointer, bytes);
}

static ferry_value_id value(ferry_graph *g, const char *name)
{
    ferry_value_id id;
    const ferry_shape s = ferry_shape_of(1, (const int64_t[]){4});
    assert_int_equal(ferry_graph_add_value(g, name, FERRY_F32, &s, &id, NULL), FERRY_OK);
    return id;
}

static ferry_node_id node(ferry_graph *g, ferry_value_id a, ferry_value_id b, ferry_value_id out)
{
    ferry_node_id id;
    assert_int_equal(
        ferry_graph_add_node(g, &add_op, NULL, (const ferry_value_id[]){a, b}, 2, &out, 1, NULL, 0, &id, NULL),
        FERRY_OK);
    return id;
}

static void names__stay_unique_and_are_found(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id a = value(&g, "x"), b = value(&g, "x"), c = value(&g, NULL), d = value(&g, "x");
    assert_string_equal(g.values[a].name, "x");
    assert_string_equal(g.values[b].name, "x_1");
    assert_string_equal(g.values[d].name, "x_2");
    assert_true(g.values[c].name[0]);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%d", i);
        assert_int_equal(ferry_graph_find_value(&g, name), FERRY_NO_VALUE);
        const ferry_value_id id = value(&g, name);
        assert_int_equal(ferry_graph_find_value(&g, name), id);
    }
    assert_int_equal(ferry_graph_find_value(&g, "x_1"), b);
    assert_int_equal(ferry_graph_find_value(&g, "v0"), 4);
    ferry_graph_deinit(&g);
}

static void replace_uses__exchanges_names_of_outputs(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = value(&g, "x"), y = value(&g, "y"), z = value(&g, "out");
    ferry_graph_mark_input(&g, x, NULL);
    node(&g, x, x, y);
    const ferry_node_id last = node(&g, y, FERRY_NO_VALUE, z);
    ferry_graph_mark_output(&g, z, NULL);
    assert_true(ferry_graph_can_replace(&g, z, y));
    ferry_graph_replace_uses(&g, z, y);
    ferry_graph_remove_node(&g, last);
    assert_int_equal(ferry_graph_compact(&g, NULL), FERRY_OK);
    assert_int_equal(g.n_nodes, 1);
    assert_int_equal(g.n_values, 2);
    const ferry_value_id out = ferry_graph_find_value(&g, "out");
    assert_int_equal(g.outputs[0], out);
    assert_true(g.values[out].is_output);
    assert_int_equal(g.values[out].producer, 0);
    assert_int_equal(ferry_graph_find_value(&g, "y"), FERRY_NO_VALUE);
    assert_int_equal(ferry_graph_verify(&g, NULL, NULL), FERRY_OK);
    ferry_graph_deinit(&g);
}

static void replace_uses__keeps_an_output_that_would_rename_an_input(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = value(&g, "x"), y = value(&g, "y");
    ferry_graph_mark_input(&g, x, NULL);
    node(&g, x, x, y);
    ferry_graph_mark_output(&g, y, NULL);
    assert_false(ferry_graph_can_replace(&g, y, x));
    ferry_graph_replace_uses(&g, y, x);
    assert_int_equal(g.outputs[0], y);
    assert_string_equal(g.values[x].name, "x");
    ferry_graph_deinit(&g);
}

static void compact__sorts_stably_and_drops_what_is_unused(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = value(&g, "x"), unused = value(&g, "unused"), a = value(&g, "a"), b = value(&g, "b"),
                         c = value(&g, "c");
    (void)unused;
    ferry_graph_mark_input(&g, x, NULL);
    node(&g, a, b, c); // before what makes a and b
    node(&g, x, x, a);
    node(&g, a, x, b);
    ferry_graph_mark_output(&g, c, NULL);
    assert_int_not_equal(ferry_graph_verify(&g, NULL, NULL), FERRY_OK);
    assert_int_equal(ferry_graph_compact(&g, NULL), FERRY_OK);
    assert_string_equal(g.nodes[0].name, "a");
    assert_string_equal(g.nodes[1].name, "b");
    assert_string_equal(g.nodes[2].name, "c");
    assert_int_equal(g.n_values, 4);
    assert_int_equal(ferry_graph_verify(&g, NULL, NULL), FERRY_OK);
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    int32_t *offsets;
    ferry_node_id *users;
    assert_int_equal(ferry_graph_users(&g, &arena, &offsets, &users, NULL), FERRY_OK);
    const ferry_value_id xx = ferry_graph_find_value(&g, "x");
    assert_int_equal(offsets[xx + 1] - offsets[xx], 3);
    assert_int_equal(users[offsets[xx]], 0);
    assert_int_equal(users[offsets[xx] + 2], 1);
    assert_int_equal(ferry_graph_use_count(&g, xx), 3);
    assert_int_equal(ferry_graph_only_user(&g, xx), FERRY_NO_NODE);
    assert_int_equal(ferry_graph_only_user(&g, ferry_graph_find_value(&g, "b")), 2);
    ferry_arena_deinit(&arena);
    ferry_graph_deinit(&g);
}

static void compact__names_the_nodes_of_a_cycle(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = value(&g, "x"), a = value(&g, "a"), b = value(&g, "b"), c = value(&g, "c");
    ferry_graph_mark_input(&g, x, NULL);
    node(&g, x, b, a);
    node(&g, a, x, b);
    node(&g, b, x, c); // behind the cycle, not in it
    ferry_graph_mark_output(&g, c, NULL);
    ferry_error err;
    assert_int_equal(ferry_graph_compact(&g, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "'a' (Add)"));
    assert_non_null(strstr(err.text, "'b' (Add)"));
    assert_null(strstr(err.text, "'c'"));
    assert_int_equal(g.n_nodes, 3);
    ferry_graph_deinit(&g);
}

static void verify__finds_each_broken_rule(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = value(&g, "x"), y = value(&g, "y");
    ferry_graph_mark_input(&g, x, NULL);
    const ferry_attr bad[] = {{"axis", FERRY_ATTR_FLOAT, 1, {.floats = (const float[]){1}}},
                              {"nonsense", FERRY_ATTR_INT, 1, {.ints = (const int64_t[]){1}}}};
    ferry_graph_add_node(&g, &add_op, "n", (const ferry_value_id[]){FERRY_NO_VALUE, x, x}, 3, &y, 1, bad, 2, NULL,
                         NULL);
    ferry_report report;
    ferry_error err;
    ferry_report_init(&report, ferry_heap_default());
    assert_int_equal(ferry_graph_verify(&g, &report, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "has 3 inputs"));
    assert_non_null(strstr(err.text, "'axis' is of the wrong kind"));
    assert_non_null(strstr(err.text, "'nonsense'"));
    assert_non_null(strstr(err.text, "input 0 is required"));
    assert_non_null(strstr(err.text, "no outputs"));
    ferry_report_deinit(&report);
    ferry_graph_deinit(&g);
}

static void add_node__refuses_a_second_producer(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    const ferry_value_id x = value(&g, "x"), y = value(&g, "y");
    node(&g, x, x, y);
    ferry_error err;
    assert_int_equal(ferry_graph_add_node(&g, &add_op, NULL, &x, 1, &y, 1, NULL, 0, NULL, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "'y'"));
    ferry_graph_deinit(&g);
}

static void count_release(void *object)
{
    (*(int *)object)++;
}

// A graph with everything that a copy has to carry.
static ferry_status build_rich(ferry_graph *g, const ferry_heap *heap, int *released, ferry_error *err)
{
    ferry_graph_init(g, heap);
    FERRY_TRY(ferry_graph_keep(g, released, count_release, err));
    const int32_t symbol = ferry_graph_symbol(g, "batch");
    if (symbol == FERRY_NO_SYMBOL) return FERRY_ERR_OUT_OF_MEMORY;
    ferry_shape shape = ferry_shape_of(2, (const int64_t[]){-1, 3});
    shape.symbols[0] = symbol;
    ferry_value_id x, k, y;
    FERRY_TRY(ferry_graph_add_value(g, "x", FERRY_F32, &shape, &x, err));
    FERRY_TRY(ferry_graph_mark_input(g, x, err));
    FERRY_TRY(ferry_graph_add_constant_s64(g, "k", (const int64_t[]){1, 2, 3}, 3, &k, err));
    FERRY_TRY(ferry_graph_add_value(g, "y", FERRY_F32, &shape, &y, err));
    float three[3] = {1, 2, 3};
    const ferry_tensor t = {.dtype = FERRY_F32, .rank = 1, .dims = {3}, .data = three};
    const char *mode = "linear";
    const ferry_attr attrs[] = {{"pads", FERRY_ATTR_INTS, 2, {.ints = (const int64_t[]){5, 6}}},
                                {"mode", FERRY_ATTR_STRING, 1, {.strings = &mode}},
                                {"value", FERRY_ATTR_TENSOR, 1, {.tensor = &t}}};
    ferry_node_id n;
    FERRY_TRY(ferry_graph_add_node(g, &add_op, "sum", (const ferry_value_id[]){x, k}, 2, &y, 1, attrs, 3, &n, err));
    const ferry_attr axis = {"axis", FERRY_ATTR_INT, 1, {.ints = (const int64_t[]){-2}}};
    FERRY_TRY(ferry_node_set_attr(g, n, &axis, err));
    FERRY_TRY(ferry_graph_mark_output(g, y, err));
    return ferry_graph_add_metadata(g, "stride", "32", err);
}

static void append(void *user, const char *text)
{
    strncat(user, text, 4000 - strlen(user));
}

static void copy__outlives_the_original(void **state)
{
    (void)state;
    int released = 0;
    counting c = {.refuse_after = SIZE_MAX};
    const ferry_heap heap = {counting_alloc, counting_free, &c};
    ferry_graph g, h;
    assert_int_equal(build_rich(&g, &heap, &released, NULL), FERRY_OK);
    char before[4096] = "", after[4096] = "";
    ferry_graph_print(&g, append, before);
    assert_int_equal(ferry_graph_copy(&g, &h, NULL), FERRY_OK);
    ferry_graph_deinit(&g);
    assert_int_equal(released, 0);
    ferry_graph_print(&h, append, after);
    assert_string_equal(before, after);
    assert_string_equal(after,
                        "input  x float[batchx3]\n"
                        "sum = Add(x, k) {pads=[5,6], mode=\"linear\", value=<tensor>, axis=-2} -> y float[batchx3]\n"
                        "output y float[batchx3]\n");
    const ferry_value *k = &h.values[ferry_graph_find_value(&h, "k")];
    const ferry_tensor t = ferry_value_tensor(k);
    assert_int_equal(((const int64_t *)t.data)[2], 3);
    assert_int_equal(ferry_node_int(&h.nodes[0], "axis", 0), -2);
    assert_int_equal(ferry_node_int(&h.nodes[0], "pads", 9), 9); // INTS is not INT
    assert_string_equal(ferry_node_string(&h.nodes[0], "mode", ""), "linear");
    assert_true(ferry_node_float(&h.nodes[0], "alpha", 0.5f) == 0.5f);
    int32_t count;
    assert_int_equal(ferry_node_ints(&h.nodes[0], "pads", &count)[1], 6);
    assert_int_equal(count, 2);
    assert_int_equal(((const float *)ferry_node_attr(&h.nodes[0], "value")->u.tensor->data)[1], 2);
    assert_int_equal(ferry_graph_verify(&h, NULL, NULL), FERRY_OK);
    ferry_graph_deinit(&h);
    assert_int_equal(released, 1);
    assert_int_equal(c.out_bytes, 0);
}

static void every_allocation__may_fail_without_a_leak(void **state)
{
    (void)state;
    bool done = false;
    for (size_t n = 0; !done && n < 1000; n++) {
        int released = 0;
        counting c = {.refuse_after = n};
        const ferry_heap heap = {counting_alloc, counting_free, &c};
        ferry_graph g, h = {0};
        ferry_status s = build_rich(&g, &heap, &released, NULL);
        if (s == FERRY_OK) s = ferry_graph_copy(&g, &h, NULL);
        if (s == FERRY_OK) s = ferry_graph_compact(&h, NULL);
        if (s == FERRY_OK) s = ferry_graph_verify(&h, NULL, NULL);
        assert_true(s == FERRY_OK || s == FERRY_ERR_OUT_OF_MEMORY);
        done = s == FERRY_OK;
        ferry_graph_deinit(&g);
        ferry_graph_deinit(&h);
        assert_int_equal(released, 1);
        assert_int_equal(c.out_bytes, 0);
    }
    assert_true(done);
}

static void constants__are_refused_when_data_and_shape_disagree(void **state)
{
    (void)state;
    ferry_graph g;
    ferry_graph_init(&g, NULL);
    ferry_value_id id;
    const ferry_shape s = ferry_shape_of(2, (const int64_t[]){2, 2}), none = ferry_shape_of(2, (const int64_t[]){0, 2});
    const float f[4] = {0};
    assert_int_equal(ferry_graph_add_constant(&g, "c", FERRY_F32, &s, f, 12, true, &id, NULL), FERRY_ERR_BAD_MODEL);
    assert_int_equal(ferry_graph_add_constant(&g, "c", FERRY_F32, &s, f, 16, false, &id, NULL), FERRY_OK);
    assert_ptr_equal(g.values[id].data, f);
    assert_int_equal(ferry_graph_add_constant(&g, "e", FERRY_F32, &none, NULL, 0, false, &id, NULL), FERRY_OK);
    assert_true(ferry_value_is_constant(&g.values[id]));
    ferry_graph_deinit(&g);
}

static void shape__elements_report_overflow(void **state)
{
    (void)state;
    size_t n = 7;
    const ferry_shape huge = ferry_shape_of(3, (const int64_t[]){INT64_MAX, INT64_MAX, 4});
    const ferry_shape empty = ferry_shape_of(3, (const int64_t[]){INT64_MAX, INT64_MAX, 0});
    const ferry_shape open = ferry_shape_of(2, (const int64_t[]){3, -1});
    const ferry_shape scalar = ferry_shape_of(0, NULL), unknown = ferry_shape_unknown();
    assert_false(ferry_shape_elements(&huge, &n));
    assert_false(ferry_shape_elements(&open, &n));
    assert_false(ferry_shape_elements(&unknown, &n));
    assert_int_equal(n, 7);
    assert_true(ferry_shape_elements(&empty, &n));
    assert_int_equal(n, 0);
    assert_true(ferry_shape_elements(&scalar, &n));
    assert_int_equal(n, 1);
    char text[64];
    ferry_shape_text(NULL, &open, text, sizeof text);
    assert_string_equal(text, "3x?");
    ferry_shape_text(NULL, &open, text, 3);
    assert_string_equal(text, "3x");
    ferry_shape_text(NULL, &scalar, text, sizeof text);
    assert_string_equal(text, "scalar");
    ferry_shape_text(NULL, &unknown, text, sizeof text);
    assert_string_equal(text, "unknown rank");
    assert_false(ferry_shape_equal(&open, &scalar));
    assert_true(ferry_shape_equal(&open, &open));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names__stay_unique_and_are_found),
        cmocka_unit_test(replace_uses__exchanges_names_of_outputs),
        cmocka_unit_test(replace_uses__keeps_an_output_that_would_rename_an_input),
        cmocka_unit_test(compact__sorts_stably_and_drops_what_is_unused),
        cmocka_unit_test(compact__names_the_nodes_of_a_cycle),
        cmocka_unit_test(verify__finds_each_broken_rule),
        cmocka_unit_test(add_node__refuses_a_second_producer),
        cmocka_unit_test(copy__outlives_the_original),
        cmocka_unit_test(every_allocation__may_fail_without_a_leak),
        cmocka_unit_test(constants__are_refused_when_data_and_shape_disagree),
        cmocka_unit_test(shape__elements_report_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
