// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/element.h"
#include "support/device_run.h"

void op_test_begin(op_test *test, const char *op, int32_t n_outputs)
{
    *test = (op_test){.n_outputs = n_outputs};
    ferry_graph_init(&test->graph, ferry_heap_default());
    ferry_arena_init(&test->arena, ferry_heap_default());
    test->op = ferry_op_find("", op);
    if (!test->op) fail_msg("no operator %s", op);
}

void op_test_end(op_test *test)
{
    ferry_graph_deinit(&test->graph);
    ferry_arena_deinit(&test->arena);
}

static ferry_shape parse_dims(const char *dims)
{
    if (strcmp(dims, "unknown") == 0) return ferry_shape_unknown();
    int64_t d[FERRY_MAX_RANK];
    int32_t rank = 0;
    while (*dims) {
        char *end = NULL;
        d[rank] = *dims == '?' ? FERRY_DIM_UNKNOWN : strtoll(dims, &end, 10);
        dims = *dims == '?' ? dims + 1 : end;
        if (*dims == 'x') dims++;
        rank++;
    }
    return ferry_shape_of(rank, d);
}

void op_test_input(op_test *test, ferry_dtype dtype, const char *dims, const double *elements)
{
    const ferry_shape shape = parse_dims(dims);
    const int32_t i = test->n_inputs++;
    assert_true(i < OP_TEST_MOST);
    assert_int_equal(ferry_graph_add_value(&test->graph, NULL, dtype, &shape, &test->inputs[i], NULL), FERRY_OK);
    test->in[i] = (ferry_tensor){.dtype = dtype, .rank = shape.rank};
    memcpy(test->in[i].dims, shape.dims, sizeof shape.dims);
    if (!elements) return;
    const size_t n = ferry_tensor_elements(&test->in[i]);
    test->in[i].data = ferry_arena_alloc_array(&test->arena, n, ferry_dtype_bytes(dtype));
    assert_non_null(test->in[i].data);
    for (size_t e = 0; e < n; e++) ferry_store_f64(&test->in[i], e, elements[e]);
}

void op_test_absent(op_test *test)
{
    test->inputs[test->n_inputs] = FERRY_NO_VALUE;
    test->in[test->n_inputs++] = (ferry_tensor){0};
}

static ferry_attr *add_attr(op_test *test, const char *name, ferry_attr_kind kind, int32_t count)
{
    assert_true(test->n_attrs < OP_TEST_MOST);
    ferry_attr *attr = &test->attrs[test->n_attrs++];
    *attr = (ferry_attr){.name = name, .kind = kind, .count = count};
    return attr;
}

void op_test_ints(op_test *test, const char *name, int32_t count, const int64_t *values)
{
    add_attr(test, name, FERRY_ATTR_INTS, count)->u.ints =
        ferry_arena_copy(&test->arena, values, (size_t)count * sizeof *values);
}

void op_test_int(op_test *test, const char *name, int64_t value)
{
    add_attr(test, name, FERRY_ATTR_INT, 1)->u.ints = ferry_arena_copy(&test->arena, &value, sizeof value);
}

void op_test_float(op_test *test, const char *name, float value)
{
    add_attr(test, name, FERRY_ATTR_FLOAT, 1)->u.floats = ferry_arena_copy(&test->arena, &value, sizeof value);
}

void op_test_string(op_test *test, const char *name, const char *value)
{
    add_attr(test, name, FERRY_ATTR_STRING, 1)->u.strings = ferry_arena_copy(&test->arena, &value, sizeof value);
}

static const ferry_node *make_node(op_test *test)
{
    ferry_value_id outputs[OP_TEST_MOST];
    ferry_node_id node = FERRY_NO_NODE;
    const ferry_shape unknown = ferry_shape_unknown();
    for (int32_t o = 0; o < test->n_outputs; o++)
        assert_int_equal(ferry_graph_add_value(&test->graph, NULL, FERRY_DTYPE_NONE, &unknown, &outputs[o], NULL),
                         FERRY_OK);
    assert_int_equal(ferry_graph_add_node(&test->graph, test->op, NULL, test->inputs, test->n_inputs, outputs,
                                          test->n_outputs, test->attrs, test->n_attrs, &node, NULL),
                     FERRY_OK);
    return &test->graph.nodes[node];
}

ferry_status op_test_infer(op_test *test)
{
    ferry_shape shapes[OP_TEST_MOST];
    ferry_dtype dtypes[OP_TEST_MOST];
    const bool *known[OP_TEST_MOST] = {0};
    const ferry_tensor partial[OP_TEST_MOST] = {{0}};
    const ferry_node *node = make_node(test);
    for (int32_t i = 0; i < test->n_inputs; i++) {
        shapes[i] = test->in[i].rank < 0 ? ferry_shape_unknown() : ferry_shape_of(test->in[i].rank, test->in[i].dims);
        dtypes[i] = test->in[i].dtype;
    }
    for (int32_t o = 0; o < test->n_outputs; o++) {
        test->out_shapes[o] = ferry_shape_unknown();
        test->out_dtypes[o] = FERRY_DTYPE_NONE;
    }
    ferry_infer infer = {.graph = &test->graph,
                         .node = node,
                         .in_shapes = shapes,
                         .in_dtypes = dtypes,
                         .in_data = test->in,
                         .in_partial = partial,
                         .in_known = known,
                         .out_shapes = test->out_shapes,
                         .out_dtypes = test->out_dtypes};
    return test->op->infer(&infer, &test->err);
}

ferry_status op_test_eval(op_test *test)
{
    const ferry_status status =
        ferry_node_eval(&test->graph, make_node(test), test->in, test->out, &test->arena, &test->err);
    for (int32_t o = 0; o < test->n_outputs && status == FERRY_OK; o++) {
        test->out_shapes[o] = ferry_shape_of(test->out[o].rank, test->out[o].dims);
        test->out_dtypes[o] = test->out[o].dtype;
    }
    return status;
}

const char *op_test_dims(op_test *test, int32_t output)
{
    char text[256];
    ferry_shape_text(&test->graph, &test->out_shapes[output], text, sizeof text);
    return ferry_arena_strdup(&test->arena, text);
}

// The node alone as a graph.
static void make_graph(const op_test *test, ferry_graph *out)
{
    ferry_value_id inputs[OP_TEST_MOST], outputs[OP_TEST_MOST];
    ferry_node_id node = FERRY_NO_NODE;
    const ferry_shape unknown = ferry_shape_unknown();
    ferry_graph_init(out, ferry_heap_default());
    for (int32_t i = 0; i < test->n_inputs; i++) {
        inputs[i] = FERRY_NO_VALUE;
        if (test->inputs[i] == FERRY_NO_VALUE) continue;
        const ferry_shape shape = ferry_shape_of(test->in[i].rank, test->in[i].dims);
        assert_int_equal(ferry_graph_add_value(out, NULL, test->in[i].dtype, &shape, &inputs[i], NULL), FERRY_OK);
        assert_int_equal(ferry_graph_mark_input(out, inputs[i], NULL), FERRY_OK);
    }
    for (int32_t o = 0; o < test->n_outputs; o++)
        assert_int_equal(ferry_graph_add_value(out, NULL, FERRY_DTYPE_NONE, &unknown, &outputs[o], NULL), FERRY_OK);
    assert_int_equal(ferry_graph_add_node(out, test->op, NULL, inputs, test->n_inputs, outputs, test->n_outputs,
                                          test->attrs, test->n_attrs, &node, NULL),
                     FERRY_OK);
    for (int32_t o = 0; o < test->n_outputs; o++)
        assert_int_equal(ferry_graph_mark_output(out, outputs[o], NULL), FERRY_OK);
}

// What the reference kernel made is what engines make on the device that FERRY_TEST_DEVICE names.
static void expect_on_device(op_test *test)
{
    ferry_runtime *runtime = ferry_device_wanted(&test->err);
    if (!runtime && test->err.text[0]) {
        print_message("[  SKIPPED ] %s\n", test->err.text);
        skip();
    }
    if (!runtime) return;
    ferry_tensor bound[OP_TEST_MOST];
    ferry_device_count count;
    ferry_graph graph;
    size_t n = 0;
    for (int32_t i = 0; i < test->n_inputs; i++)
        if (test->inputs[i] != FERRY_NO_VALUE) bound[n++] = test->in[i];
    make_graph(test, &graph);
    for (int fp16 = 0; fp16 < 2; fp16++)
        if (!ferry_device_agrees(runtime, &graph, bound, test->out, fp16, &count, &test->err))
            fail_msg("%s, %s: %s", test->op->name, fp16 ? "FP16" : "FP32", test->err.text);
    ferry_graph_deinit(&graph);
}

void op_test_expect(op_test *test, int32_t output, const char *dims, const double *elements, double tolerance)
{
    const ferry_status status = op_test_eval(test);
    if (status != FERRY_OK) fail_msg("%s: %s", test->op->name, test->err.text);
    assert_string_equal(op_test_dims(test, output), dims);
    const size_t n = ferry_tensor_elements(&test->out[output]);
    for (size_t i = 0; i < n; i++) {
        const double got = ferry_load_f64(&test->out[output], i);
        if (!(fabs(got - elements[i]) <= tolerance || got == elements[i] || (isnan(got) && isnan(elements[i]))))
            fail_msg("%s: output %d, element %zu is %.17g, expected %.17g", test->op->name, output, i, got,
                     elements[i]);
    }
    if (output == 0) expect_on_device(test);
}

void op_test_expect_error(op_test *test, ferry_status status, const char *text)
{
    test->err.text[0] = 0;
    const ferry_status got = op_test_infer(test);
    if (got != status || !strstr(test->err.text, text))
        fail_msg("%s: %s: '%s', expected %s with '%s'", test->op->name, ferry_status_name(got), test->err.text,
                 ferry_status_name(status), text);
}
