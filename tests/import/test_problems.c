// SPDX-License-Identifier: Apache-2.0
// What is wrong with a model is told by node and operator, all in one go, with the way round.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "import/import.h"
#include "support/onnx_bytes.h"

// A graph in the making: x [2, 3] f32 in, nodes by the test, one output.
static void add_node(onnx_bytes *graph, const char *op, const char *name, const char *inputs, const char *outputs)
{
    onnx_bytes node = onnx_node(op, name, inputs, outputs);
    onnx_put_message(graph, ONNX_GRAPH_NODE, &node);
}

static void add_ends(onnx_bytes *graph, const char *output)
{
    onnx_bytes in = onnx_value_info("x", ONNX_FLOAT, "2x3"), out = onnx_value_info(output, ONNX_FLOAT, NULL);
    onnx_put_message(graph, ONNX_GRAPH_INPUT, &in);
    onnx_put_message(graph, ONNX_GRAPH_OUTPUT, &out);
}

static ferry_status import_model(onnx_bytes *model, ferry_report *report, ferry_error *err)
{
    ferry_graph graph;
    ferry_report_init(report, ferry_heap_default());
    const ferry_status s = ferry_import_memory(model->data, model->size, NULL, &graph, report, NULL, err);
    onnx_bytes_free(model);
    if (s == FERRY_OK) ferry_graph_deinit(&graph);
    return s;
}

static void expect(const ferry_report *report, const char *subject, const char *text)
{
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->findings[i].subject, subject) == 0 && strstr(report->findings[i].text, text)) return;
    for (size_t i = 0; i < report->count; i++)
        print_error("%s: %s\n", report->findings[i].subject, report->findings[i].text);
    fail_msg("no finding about %s: %s", subject, text);
}

static void all_problems__are_told_in_one_go(void **state)
{
    (void)state;
    onnx_bytes graph = {0};
    add_node(&graph, "NoSuchOp", "first", "x", "a");
    add_node(&graph, "Add", "second", "a missing", "b");
    add_node(&graph, "Loop", "third", "x", "c");
    add_node(&graph, "Relu", "", "x", "d");
    add_node(&graph, "Relu", "again", "x", "d");
    add_node(&graph, "MatMul", "shapes", "x x", "e");
    onnx_bytes custom = onnx_node("Thing", "fourth", "x", "f"), ort = onnx_node("FusedConv", "", "x", "g");
    onnx_put_text(&custom, 7, "my.domain");
    onnx_put_text(&ort, 7, "com.microsoft");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &custom);
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &ort);
    add_ends(&graph, "nowhere");
    onnx_bytes model = onnx_model(&graph, 13);
    ferry_report report;
    ferry_error err;
    assert_int_equal(import_model(&model, &report, &err), FERRY_ERR_BAD_MODEL);
    expect(&report, "node 'first' (NoSuchOp)", "operator NoSuchOp is not supported");
    expect(&report, "node 'second' (Add)", "input 1 is 'missing'");
    expect(&report, "node 'third' (Loop)", "torch.jit.trace");
    expect(&report, "node 'again' (Relu)", "its output 'd' is made elsewhere");
    expect(&report, "node 'shapes' (MatMul)", "3");
    expect(&report, "node 'fourth' (Thing)", "my.domain::Thing");
    expect(&report, "node 'g' (FusedConv)", "com.microsoft::FusedConv belongs to ONNX Runtime");
    expect(&report, "output 'nowhere'", "no node makes it");
    assert_int_equal(report.error_count, 8);
    assert_non_null(strstr(err.text, "node 'first' (NoSuchOp): "));
    ferry_report_deinit(&report);
}

static void only_unsupported_things__answer_unsupported(void **state)
{
    (void)state;
    onnx_bytes graph = {0};
    add_node(&graph, "LSTM", "rnn", "x", "a");
    add_node(&graph, "Relu", "behind", "a", "y");
    add_ends(&graph, "y");
    onnx_bytes model = onnx_model(&graph, 13);
    ferry_report report;
    ferry_error err;
    assert_int_equal(import_model(&model, &report, &err), FERRY_ERR_UNSUPPORTED);
    assert_int_equal(report.error_count, 1); // what comes behind is not blamed
    expect(&report, "node 'rnn' (LSTM)", "recurrent");
    ferry_report_deinit(&report);
}

static void cycles__are_named(void **state)
{
    (void)state;
    onnx_bytes graph = {0};
    add_node(&graph, "Add", "one", "x b", "a");
    add_node(&graph, "Relu", "two", "a", "b");
    add_node(&graph, "Relu", "end", "b", "y");
    add_ends(&graph, "y");
    onnx_bytes model = onnx_model(&graph, 13);
    ferry_report report;
    ferry_error err;
    assert_int_equal(import_model(&model, &report, &err), FERRY_ERR_BAD_MODEL);
    expect(&report, "model", "cycle: ");
    assert_non_null(strstr(err.text, "'one' (Add)"));
    assert_non_null(strstr(err.text, "'two' (Relu)"));
    ferry_report_deinit(&report);
}

static void nodes_in_any_order__are_sorted(void **state)
{
    (void)state;
    onnx_bytes graph = {0};
    add_node(&graph, "Relu", "second", "a", "y");
    add_node(&graph, "Add", "first", "x x", "a");
    add_ends(&graph, "y");
    onnx_bytes model = onnx_model(&graph, 13);
    ferry_graph g;
    ferry_error err;
    assert_int_equal(ferry_import_memory(model.data, model.size, NULL, &g, NULL, NULL, &err), FERRY_OK);
    assert_string_equal(g.nodes[0].name, "first");
    assert_int_equal(g.values[g.outputs[0]].shape.dims[1], 3);
    ferry_graph_deinit(&g);
    onnx_bytes_free(&model);
}

// One node "it" with one attribute; the whole text of the failure.
static void expect_attr_error(const char *op, onnx_bytes *attribute, const char *text)
{
    onnx_bytes graph = {0}, node = onnx_node(op, "it", "x", "y"), model;
    onnx_put_message(&node, ONNX_NODE_ATTRIBUTE, attribute);
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
    add_ends(&graph, "y");
    model = onnx_model(&graph, 13);
    ferry_report report;
    ferry_error err = {{0}};
    assert_int_not_equal(import_model(&model, &report, &err), FERRY_OK);
    if (!strstr(err.text, "node 'it' (") || !strstr(err.text, text)) fail_msg("%s", err.text);
    ferry_report_deinit(&report);
}

static void attributes__are_checked_against_the_operator(void **state)
{
    (void)state;
    onnx_bytes a = onnx_attr_int("nonsense", 1);
    expect_attr_error("Relu", &a, "attribute 'nonsense' is unknown for Relu in opset 13");
    a = onnx_attr_ints("axis", (const int64_t[]){1, 2}, 2);
    expect_attr_error("Flatten", &a, "attribute 'axis' holds ints, Flatten needs an int");
    a = onnx_attr_int("", 1);
    expect_attr_error("Relu", &a, "no name");
    a = onnx_attr_int("axis", 1);
    onnx_put_text(&a, 21, "outer");
    expect_attr_error("Flatten", &a, "refers to 'outer'");
    a = (onnx_bytes){0};
    onnx_put_text(&a, 1, "axis");
    onnx_put_int(&a, 20, 4);
    expect_attr_error("Flatten", &a, "holds no tensor");
    onnx_bytes body = {0};
    a = (onnx_bytes){0};
    onnx_put_text(&a, 1, "body");
    onnx_put_message(&a, 6, &body);
    onnx_put_int(&a, 20, 5);
    expect_attr_error("Relu", &a, "holds a graph");
}

static void arity__is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *op, *inputs, *outputs, *text;
    } cases[] = {
        {"Relu", "x x", "y", "has 2 inputs, Relu takes at most 1"},
        {"MatMul", "x", "y", "has 1 inputs, MatMul takes at least 2"},
        {"MatMul", "- x", "y", "input 0 of MatMul is required"},
        {"Relu", "x", "y z", "has 2 outputs, Relu gives at most 1"},
        {"Relu", "x", "-", "left out"},
        {"", "x", "y", "has no operator"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        onnx_bytes graph = {0};
        add_node(&graph, cases[i].op, "it", cases[i].inputs, cases[i].outputs);
        add_ends(&graph, "x");
        onnx_bytes model = onnx_model(&graph, 13);
        ferry_report report;
        ferry_error err = {{0}};
        assert_int_equal(import_model(&model, &report, &err), FERRY_ERR_BAD_MODEL);
        if (!strstr(err.text, cases[i].text)) fail_msg("%s", err.text);
        ferry_report_deinit(&report);
    }
}

// The small model with another opset and IR version.
static ferry_status import_versions(int64_t ir, int64_t opset, const char *domain, ferry_report *report,
                                    ferry_error *err)
{
    onnx_bytes graph = {0}, model = {0}, import = {0};
    add_node(&graph, "Add", "sum", "x x", "y");
    add_ends(&graph, "y");
    onnx_put_int(&model, 1, ir);
    onnx_put_message(&model, 7, &graph);
    onnx_put_text(&import, 1, domain);
    onnx_put_int(&import, 2, opset);
    if (opset) onnx_put_message(&model, 8, &import);
    onnx_bytes_free(&import);
    return import_model(&model, report, err);
}

static void versions__old_and_new(void **state)
{
    (void)state;
    ferry_report report;
    ferry_error err;
    assert_int_equal(import_versions(8, 6, "", &report, &err), FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "export with opset 13"));
    ferry_report_deinit(&report);
    assert_int_equal(import_versions(2, 0, "", &report, &err), FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "opset 1,"));
    ferry_report_deinit(&report);
    assert_int_equal(import_versions(8, 13, "ai.onnx.ml", &report, &err), FERRY_ERR_BAD_MODEL);
    expect(&report, "model", "does not say which opset");
    ferry_report_deinit(&report);
    assert_int_equal(import_versions(8, 13, "ai.onnx", &report, &err), FERRY_OK);
    assert_int_equal(report.count, 0);
    ferry_report_deinit(&report);
    assert_int_equal(import_versions(3, 7, "", &report, &err), FERRY_OK);
    ferry_report_deinit(&report);
    assert_int_equal(import_versions(99, 40, "", &report, &err), FERRY_OK);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.error_count, 0);
    expect(&report, "model", "opset 40");
    expect(&report, "model", "IR version 99");
    ferry_report_deinit(&report);
}

static void functions__are_refused_by_name(void **state)
{
    (void)state;
    onnx_bytes graph = {0}, node = onnx_node("Twice", "call", "x", "y"), function = {0};
    onnx_put_text(&node, 7, "mine");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
    add_ends(&graph, "y");
    onnx_bytes model = onnx_model(&graph, 13);
    onnx_put_text(&function, 1, "Twice");
    onnx_put_text(&function, 10, "mine");
    onnx_put_message(&model, 25, &function);
    ferry_report report;
    ferry_error err;
    assert_int_equal(import_model(&model, &report, &err), FERRY_ERR_UNSUPPORTED);
    expect(&report, "node 'call' (Twice)", "function mine::Twice: inline it");
    ferry_report_deinit(&report);
}

static void inputs_and_initializers__are_checked(void **state)
{
    (void)state;
    const float w[1] = {1};
    onnx_bytes graph = {0}, untyped = {0}, sequence = {0}, type = {0}, empty = {0}, sparse = {0};
    add_node(&graph, "Add", "sum", "x w", "y");
    add_ends(&graph, "y");
    onnx_bytes again = onnx_value_info("x", ONNX_FLOAT, "2x3"), strings = onnx_value_info("s", ONNX_STRING, "2");
    onnx_bytes negative = onnx_value_info("n", ONNX_FLOAT, "-5"),
               huge = onnx_value_info("h", ONNX_FLOAT, "4000000000x4000000000");
    onnx_bytes unknown = onnx_value_info("u", ONNX_FLOAT, "-1x3");
    onnx_put_text(&untyped, 1, "untyped");
    onnx_put_message(&type, 4, &empty);
    onnx_put_text(&sequence, 1, "sequence");
    onnx_put_message(&sequence, 2, &type);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &again);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &strings);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &negative);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &huge);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &unknown);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &untyped);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &sequence);
    onnx_bytes one = onnx_tensor("w", ONNX_FLOAT, "1", w, sizeof w),
               two = onnx_tensor("w", ONNX_FLOAT, "1", w, sizeof w);
    onnx_bytes text = onnx_tensor("words", ONNX_STRING, "1", NULL, 0), int4 = onnx_tensor("four", 22, "2", w, 1);
    onnx_bytes f8 = onnx_tensor("eight", 17, "1", w, 1), values = onnx_tensor("few", ONNX_FLOAT, "1", w, sizeof w);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &one);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &two);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &text);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &int4);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &f8);
    onnx_put_message(&sparse, 1, &values);
    onnx_put_message(&graph, 15, &sparse);
    onnx_bytes model = onnx_model(&graph, 13);
    ferry_report report;
    ferry_error err;
    assert_int_equal(import_model(&model, &report, &err), FERRY_ERR_BAD_MODEL);
    expect(&report, "input 'x'", "two of that name");
    expect(&report, "input 's'", "strings");
    expect(&report, "input 'n'", "dimension 0 is -5");
    expect(&report, "input 'h'", "2^47");
    expect(&report, "input 'untyped'", "no type");
    expect(&report, "input 'sequence'", "only dense tensors");
    expect(&report, "initializer 'w'", "two of that name");
    expect(&report, "initializer 'words'", "strings");
    expect(&report, "initializer 'four'", "int4");
    expect(&report, "initializer 'eight'", "float8e4m3fn");
    expect(&report, "initializer 'few'", "sparse");
    assert_int_equal(report.error_count, 11);
    ferry_report_deinit(&report);
}

static void a_wrong_output_declaration__is_warned_about(void **state)
{
    (void)state;
    onnx_bytes graph = {0}, in = onnx_value_info("x", ONNX_FLOAT, "2x3"), out = onnx_value_info("y", ONNX_INT64, "3x2");
    add_node(&graph, "Relu", "it", "x", "y");
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &in);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &out);
    onnx_bytes model = onnx_model(&graph, 14);
    ferry_report report;
    ferry_error err;
    assert_int_equal(import_model(&model, &report, &err), FERRY_OK);
    expect(&report, "output 'y'", "declared as int64, but its node gives float");
    expect(&report, "output 'y'", "declared as 3x2, but its node gives 2x3");
    ferry_report_deinit(&report);
}

static void the_real_unsupported_model__names_its_operators(void **state)
{
    (void)state;
    const char *data = getenv("FERRY_TEST_DATA");
    char path[700];
    snprintf(path, sizeof path, "%s/models/unsupported/style_mosaic_opset7.onnx", data ? data : "");
    FILE *file = data ? fopen(path, "rb") : NULL;
    if (!file) {
        print_message("skipped: FERRY_TEST_DATA has no models/unsupported\n");
        skip();
    }
    fclose(file);
    ferry_graph graph;
    ferry_report report;
    ferry_error err;
    ferry_report_init(&report, ferry_heap_default());
    assert_int_equal(ferry_import(path, NULL, &graph, &report, NULL, &err), FERRY_ERR_UNSUPPORTED);
    expect(&report, "node 'scalerPreprocessor' (ImageScaler)", "ImageScaler");
    expect(&report, "node 'activation11' (Affine)", "Affine");
    expect(&report, "node 'crop' (Crop)", "Crop");
    expect(&report, "node 'crop6' (Crop)", "Crop");
    assert_non_null(strstr(err.text, "'scalerPreprocessor' (ImageScaler)"));
    assert_non_null(strstr(err.text, "'activation11' (Affine)"));
    assert_non_null(strstr(err.text, "'crop' (Crop)"));
    ferry_report_deinit(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_problems__are_told_in_one_go),
        cmocka_unit_test(only_unsupported_things__answer_unsupported),
        cmocka_unit_test(cycles__are_named),
        cmocka_unit_test(nodes_in_any_order__are_sorted),
        cmocka_unit_test(attributes__are_checked_against_the_operator),
        cmocka_unit_test(arity__is_checked),
        cmocka_unit_test(versions__old_and_new),
        cmocka_unit_test(functions__are_refused_by_name),
        cmocka_unit_test(inputs_and_initializers__are_checked),
        cmocka_unit_test(a_wrong_output_declaration__is_warned_about),
        cmocka_unit_test(the_real_unsupported_model__names_its_operators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
