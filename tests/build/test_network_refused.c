// SPDX-License-Identifier: Apache-2.0
// What cannot be added to a network is refused with the node and the reason, and leaves the network as it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ferry/network.h"
#include "support/engine_case.h"
#include "support/failing_heap.h"

static ferry_network *network;
static int32_t x, w;

static int set_up(void **state)
{
    (void)state;
    static const float weights[4 * 3] = {0};
    const ferry_tensor_view view = {.dtype = FERRY_F32, .rank = 4, .dims = {4, 3, 1, 1}, .data = weights};
    MUST(ferry_network_create(NULL, 0, &network, err));
    MUST(ferry_network_add_input(network, "x", FERRY_F32, 4, (const int64_t[]){1, 3, 5, 5}, &x, err));
    MUST(ferry_network_add_constant(network, "w", &view, &w, err));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_network_release(network);
    return 0;
}

// Every rule of a graph holds, but that a finished one has outputs.
static void expect_sound(ferry_network *n)
{
    ferry_report report;
    ferry_report_init(&report, ferry_heap_default());
    ferry_graph_verify(&n->graph, &report, NULL);
    for (size_t i = 0; i < report.count; i++)
        if (!strstr(report.findings[i].text, "has no outputs")) fail_msg("%s", report.findings[i].text);
    ferry_report_deinit(&report);
}

static const int64_t three[] = {3, 3, 3};
static const char *const auto_pad[] = {"SAME_UPPER"}, *const no_text[] = {NULL};

// Adds the node and expects to be refused, with the texts.
static void refuse(ferry_node_description node, ferry_status status, const char *text)
{
    const int32_t tensors = ferry_network_tensor_count(network), nodes = ferry_network_node_count(network);
    int32_t out[4] = {7, 7, 7, 7};
    ferry_error why = {"(none)"};
    node.size = sizeof node;
    const ferry_status s = ferry_network_add_node(network, &node, out, &why);
    if (s != status || !strstr(why.text, text))
        fail_msg("%s: '%s' instead of %s: '...%s...'", ferry_status_name(s), why.text, ferry_status_name(status), text);
    assert_int_equal(ferry_network_tensor_count(network), tensors);
    assert_int_equal(ferry_network_node_count(network), nodes);
    assert_int_equal(ferry_network_find_tensor(network, "y"), FERRY_NO_TENSOR);
    assert_int_equal(ferry_network_add_node(network, &node, out, NULL), status);
}

static void bad_nodes__are_refused_by_name(void **state)
{
    (void)state;
    const int32_t xw[] = {x, w}, far[] = {x, 99}, below[] = {x, -7}, absent[] = {x, FERRY_NO_TENSOR};
    const char *const y[] = {"y"}, *const taken[] = {"w"}, *const none[] = {""};
    const ferry_attribute kernel = {.name = "kernel_shape", .kind = FERRY_ATTRIBUTE_INTS, .count = 3, .ints = three};
    const ferry_attribute unknown = {.name = "colour", .kind = FERRY_ATTRIBUTE_INTS, .count = 3, .ints = three};
    const ferry_attribute text = {
        .name = "kernel_shape", .kind = FERRY_ATTRIBUTE_STRING, .count = 1, .strings = auto_pad};
    const ferry_attribute twice[] = {kernel, kernel};
    const ferry_node_description conv = {
        .op_type = "Conv", .name = "c1", .inputs = xw, .n_inputs = 2, .output_names = y, .n_outputs = 1};
    ferry_node_description n = conv;
    n.attributes = &kernel;
    n.n_attributes = 1;
    refuse(n, FERRY_ERR_BAD_MODEL, "node 'c1' (Conv): ");
    n.attributes = &unknown;
    refuse(n, FERRY_ERR_UNSUPPORTED, "node 'c1' (Conv): attribute 'colour' is unknown for Conv in opset");
    n.attributes = &text;
    refuse(n, FERRY_ERR_BAD_MODEL, "node 'c1' (Conv): attribute 'kernel_shape' holds a string, Conv needs ints");
    n.attributes = twice;
    n.n_attributes = 2;
    refuse(n, FERRY_ERR_BAD_MODEL, "given twice");
    n = conv;
    n.n_inputs = 1;
    refuse(n, FERRY_ERR_BAD_MODEL, "node 'c1' (Conv): has 1 inputs, Conv takes at least 2");
    n = conv;
    n.inputs = absent;
    refuse(n, FERRY_ERR_BAD_MODEL, "node 'c1' (Conv): ");
    n.inputs = far;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "input 1 is tensor 99, the network has 2");
    n.inputs = below;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "input 1 is tensor -7");
    n = conv;
    n.output_names = taken;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "output 0 cannot be called 'w'");
    n.output_names = none;
    refuse(n, FERRY_ERR_BAD_MODEL, "all its outputs are left out");
    n = conv;
    n.n_outputs = 2;
    n.output_names = NULL;
    refuse(n, FERRY_ERR_BAD_MODEL, "has 2 outputs, Conv gives at most 1");
    n = conv;
    n.op_type = "LSTM";
    refuse(n, FERRY_ERR_UNSUPPORTED, "node 'c1' (LSTM): operator LSTM is not supported; recurrent");
    n.op_type = "FusedConv";
    n.domain = "com.microsoft";
    refuse(n, FERRY_ERR_UNSUPPORTED, "belongs to ONNX Runtime");
    // And after all this it takes what is right.
    n = conv;
    n.size = sizeof n;
    int32_t out = FERRY_NO_TENSOR;
    MUST(ferry_network_add_node(network, &n, &out, err));
    assert_int_equal(ferry_network_find_tensor(network, "y"), out);
    expect_sound(network);
}

static void hostile_descriptions__are_refused(void **state)
{
    (void)state;
    const int32_t xw[] = {x, w};
    const ferry_node_description conv = {.op_type = "Conv", .inputs = xw, .n_inputs = 2, .n_outputs = 1};
    ferry_node_description n = conv;
    n.op_type = NULL;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "no operator");
    n = conv;
    n.inputs = NULL;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "its inputs are NULL");
    n = conv;
    n.n_inputs = -1;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "it has -1 inputs");
    n = conv;
    n.n_outputs = 0;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "it has 0 outputs, 1 to ");
    n = conv;
    n.n_attributes = 3;
    refuse(n, FERRY_ERR_INVALID_ARGUMENT, "its attributes are NULL");
    const struct {
        ferry_attribute a;
        const char *text;
    } cases[] = {
        {{.kind = FERRY_ATTRIBUTE_INT, .count = 1, .ints = three}, "attribute 0 has no name"},
        {{.name = "group", .kind = (ferry_attribute_kind)99, .count = 1}, "'group': there is no kind 99"},
        {{.name = "group", .kind = FERRY_ATTRIBUTE_INT, .count = 3, .ints = three}, "'group': it has 3 elements"},
        {{.name = "group", .kind = FERRY_ATTRIBUTE_INT, .count = 1}, "'group': its elements are NULL"},
        {{.name = "pads", .kind = FERRY_ATTRIBUTE_INTS, .count = -4, .ints = three}, "'pads': it has -4 elements"},
        {{.name = "auto_pad", .kind = FERRY_ATTRIBUTE_STRING, .count = 1, .strings = no_text}, "string 0 is NULL"},
        {{.name = "t", .kind = FERRY_ATTRIBUTE_TENSOR, .tensor = {.dtype = FERRY_F32, .rank = 99}}, "99 dimensions"},
        {{.name = "t", .kind = FERRY_ATTRIBUTE_TENSOR, .tensor = {.dtype = FERRY_F32, .rank = 1, .dims = {2}}},
         "its data is NULL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        n = conv;
        n.attributes = &cases[i].a;
        n.n_attributes = 1;
        refuse(n, FERRY_ERR_INVALID_ARGUMENT, cases[i].text);
    }
    int32_t out;
    assert_int_equal(ferry_network_add_node(network, NULL, &out, NULL), FERRY_ERR_INVALID_ARGUMENT);
    n = conv; // without a size
    assert_int_equal(ferry_network_add_node(network, &n, &out, NULL), FERRY_ERR_INVALID_ARGUMENT);
}

static void bad_inputs_and_constants__are_refused(void **state)
{
    (void)state;
    const int64_t dims[] = {1, 3}, negative[] = {1, -2}, huge[] = {INT64_MAX, INT64_MAX};
    const struct {
        const char *name;
        ferry_dtype dtype;
        int32_t rank;
        const int64_t *dims;
        const char *text;
    } cases[] = {
        {"x", FERRY_F32, 2, dims, "input 'x': the network has a tensor of that name"},
        {"", FERRY_F32, 2, dims, "its name is empty"},
        {NULL, FERRY_F32, 2, dims, "name is NULL"},
        {"a", FERRY_DTYPE_NONE, 2, dims, "there is no element type 0"},
        {"a", (ferry_dtype)77, 2, dims, "there is no element type 77"},
        {"a", FERRY_F32, 9, dims, "it has 9 dimensions, 0 to 8"},
        {"a", FERRY_F32, -1, dims, "it has -1 dimensions"},
        {"a", FERRY_F32, 2, NULL, "its dimensions are NULL"},
        {"a", FERRY_F32, 2, negative, "dimension 1 is -2"},
        {"a", FERRY_F32, 2, huge, "larger than 2^47 bytes"},
    };
    ferry_error why;
    int32_t id = 5;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        why.text[0] = 0;
        assert_int_equal(
            ferry_network_add_input(network, cases[i].name, cases[i].dtype, cases[i].rank, cases[i].dims, &id, &why),
            FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(id, FERRY_NO_TENSOR);
        if (!strstr(why.text, cases[i].text)) fail_msg("%s", why.text);
    }
    const float bad[] = {0, NAN};
    ferry_tensor_view view = {.dtype = FERRY_F32, .rank = 1, .dims = {2}, .data = bad};
    assert_int_equal(ferry_network_add_constant(network, "a", &view, &id, &why), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(why.text, "constant 'a': element 1 of 2 is NaN"));
    view.dims[0] = -1;
    assert_int_equal(ferry_network_add_constant(network, "a", &view, &id, &why), FERRY_ERR_INVALID_ARGUMENT);
    view = (ferry_tensor_view){.dtype = FERRY_F32, .rank = 1, .dims = {2}};
    assert_int_equal(ferry_network_add_constant(network, "a", &view, &id, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_add_constant(network, "a", NULL, &id, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_tensor_count(network), 2);
    view.dims[0] = 0; // an empty one needs no data
    MUST(ferry_network_add_constant(network, "a", &view, &id, err));
    for (int64_t opset = -1; opset < 30; opset++) {
        ferry_network *other = NULL;
        const ferry_status s = ferry_network_create(NULL, opset, &other, &why);
        const bool known = opset == 0 || (opset >= 7 && opset <= 23);
        assert_int_equal(s, known ? FERRY_OK : FERRY_ERR_UNSUPPORTED);
        ferry_network_release(other);
    }
}

static void questions_out_of_range__are_refused(void **state)
{
    (void)state;
    ferry_tensor_info t;
    ferry_node_info n;
    ferry_attribute a;
    ferry_tensor_view view;
    ferry_error why;
    for (int32_t i = -2; i < 5; i++) {
        if (i >= 0 && i < 2) continue;
        assert_int_equal(ferry_network_tensor(network, i, &t, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, "the network has 2"));
        assert_int_equal(ferry_network_constant(network, i, &view, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_node(network, i, &n, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_attribute(network, i, 0, &a, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_mark_output(network, i, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_unmark_output(network, i, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_set_tensor_name(network, i, "q", &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_set_node_name(network, i, "q", &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_set_dynamic_range(network, i, 1, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_reset_dynamic_range(network, i, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_set_input_dims(network, i, 0, NULL, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_network_binding_tensor(network, i), FERRY_NO_TENSOR);
    }
    assert_int_equal(ferry_network_constant(network, x, &view, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_find_tensor(network, NULL), FERRY_NO_TENSOR);
    assert_null(ferry_network_metadata(network, NULL));
}

static ferry_status grow(const ferry_heap *heap, void *context, ferry_error *err)
{
    (void)context;
    const ferry_network_options options = {.size = sizeof options, .heap = heap};
    static const int64_t axes[] = {1};
    static const float weights[12] = {0};
    const ferry_tensor_view view = {.dtype = FERRY_F32, .rank = 2, .dims = {4, 3}, .data = weights};
    ferry_network *n = NULL;
    int32_t a = 0, b = 0, c = 0;
    ferry_status s = ferry_network_create(&options, 11, &n, err);
    if (s == FERRY_OK) s = ferry_network_add_input(n, "a", FERRY_F32, 2, (const int64_t[]){-1, 4}, &a, err);
    if (s == FERRY_OK) s = ferry_network_add_constant(n, NULL, &view, &b, err);
    const int32_t ab[] = {a, b};
    const ferry_attribute axis = {.name = "axis", .kind = FERRY_ATTRIBUTE_INT, .count = 1, .ints = axes};
    const ferry_attribute list = {.name = "axes", .kind = FERRY_ATTRIBUTE_INTS, .count = 1, .ints = axes};
    ferry_node_description node = {
        .size = sizeof node, .op_type = "MatMul", .inputs = ab, .n_inputs = 2, .n_outputs = 1};
    if (s == FERRY_OK) s = ferry_network_add_node(n, &node, &c, err);
    node = (ferry_node_description){.size = sizeof node,
                                    .op_type = "Softmax",
                                    .inputs = &c,
                                    .n_inputs = 1,
                                    .n_outputs = 1,
                                    .attributes = &axis,
                                    .n_attributes = 1};
    if (s == FERRY_OK) s = ferry_network_add_node(n, &node, &c, err);
    node.op_type = "Unsqueeze";
    node.attributes = &list;
    if (s == FERRY_OK) s = ferry_network_add_node(n, &node, &c, err);
    if (s == FERRY_OK) s = ferry_network_set_tensor_name(n, c, "named", err);
    if (s == FERRY_OK) s = ferry_network_mark_output(n, c, err);
    if (s == FERRY_OK) s = ferry_network_set_dynamic_range(n, c, 2, err);
    if (s == FERRY_OK) s = ferry_network_set_input_dims(n, a, 2, (const int64_t[]){6, 4}, err);
    if (n) expect_sound(n);
    ferry_network_release(n);
    return s;
}

static void every_failed_allocation__leaves_a_sound_network(void **state)
{
    (void)state;
    assert_true(ferry_failing_heap_loop(grow, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_nodes__are_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_descriptions__are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_inputs_and_constants__are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(questions_out_of_range__are_refused, set_up, tear_down),
        cmocka_unit_test(every_failed_allocation__leaves_a_sound_network),
    };
    return cmocka_run_group_tests_name("network_refused", tests, NULL, NULL);
}
