// SPDX-License-Identifier: Apache-2.0
// Networks changed before they are built: outputs, names, shapes of inputs, ranges; and models that come from memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ferry/build.h"
#include "support/engine_case.h"
#include "support/onnx_bytes.h"
#include "support/temp_folder.h"

// "a" [batch, 4] and "b" [batch, 4] -> Add "sum" -> Relu "y"
static ferry_network *load_pair(void)
{
    onnx_bytes graph = {0}, part = onnx_value_info("a", ONNX_FLOAT, "batchx4");
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &part);
    part = onnx_value_info("b", ONNX_FLOAT, "batchx4");
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &part);
    part = onnx_node("Add", "add", "a b", "sum");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &part);
    part = onnx_node("Relu", "relu", "sum", "y");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &part);
    part = onnx_value_info("y", ONNX_FLOAT, NULL);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &part);
    onnx_bytes model = onnx_model(&graph, 17);
    ferry_network *network = NULL;
    MUST(ferry_network_load_memory(model.data, model.size, NULL, NULL, &network, err));
    memset(model.data, 0xEE, model.size); // it was copied from
    onnx_bytes_free(&model);
    return network;
}

static int64_t dim(const ferry_network *network, const char *name, int32_t d)
{
    ferry_tensor_info info;
    MUST(ferry_network_tensor(network, ferry_network_find_tensor(network, name), &info, err));
    assert_true(d < info.rank);
    return info.dims[d];
}

// --- Names and outputs ---------------------------------------------------------------------------------------------

static void names__can_be_changed_and_found(void **state)
{
    (void)state;
    ferry_network *network = load_pair();
    ferry_error why = {""};
    const int32_t sum = ferry_network_find_tensor(network, "sum");
    assert_int_equal(ferry_network_set_tensor_name(network, sum, "a", &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "tensor 'sum' cannot be called 'a'"));
    assert_int_equal(ferry_network_set_tensor_name(network, sum, "", &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_set_tensor_name(network, sum, NULL, &why), FERRY_ERR_INVALID_ARGUMENT);
    MUST(ferry_network_set_tensor_name(network, sum, "sum", err)); // its own
    for (int i = 0; i < 1000; i++) {
        char name[32], old[32];
        snprintf(name, sizeof name, "name %d", i);
        snprintf(old, sizeof old, "name %d", i - 1);
        MUST(ferry_network_set_tensor_name(network, sum, name, err));
        assert_int_equal(ferry_network_find_tensor(network, name), sum);
        assert_int_equal(ferry_network_find_tensor(network, i ? old : "sum"), FERRY_NO_TENSOR);
    }
    assert_true(ferry_network_find_tensor(network, "y") >= 0);
    ferry_node_info node;
    MUST(ferry_network_set_node_name(network, 0, "other", err));
    MUST(ferry_network_node(network, 0, &node, err));
    assert_string_equal(node.name, "other");
    assert_int_equal(ferry_network_set_node_name(network, 0, "", &why), FERRY_ERR_INVALID_ARGUMENT);
    MUST(ferry_network_set_name(network, "pair", err));
    assert_string_equal(ferry_network_name(network), "pair");
    MUST(ferry_network_set_name(network, NULL, err));
    assert_string_equal(ferry_network_name(network), "");
    ferry_network_release(network);
}

static void outputs__come_and_go(void **state)
{
    (void)state;
    ferry_network *network = load_pair();
    ferry_error why = {""};
    const int32_t a = ferry_network_find_tensor(network, "a"), sum = ferry_network_find_tensor(network, "sum");
    const int32_t y = ferry_network_find_tensor(network, "y");
    assert_int_equal(ferry_network_mark_output(network, a, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "tensor 'a' is an input"));
    MUST(ferry_network_mark_output(network, sum, err));
    MUST(ferry_network_mark_output(network, sum, err));
    assert_int_equal(ferry_network_binding_count(network), 4);
    MUST(ferry_network_unmark_output(network, y, err));
    assert_int_equal(ferry_network_unmark_output(network, y, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_binding_count(network), 3);
    assert_int_equal(ferry_network_binding_tensor(network, 2), sum);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = NULL;
    MUST(ferry_build(runtime, network, NULL, &engine, err));
    assert_int_equal(ferry_engine_find_binding(engine, "sum"), 2);
    assert_int_equal(ferry_engine_find_binding(engine, "y"), -1);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    ferry_network_release(network);
}

// --- Shapes --------------------------------------------------------------------------------------------------------

static void input_dims__reach_every_tensor_and_share_names(void **state)
{
    (void)state;
    ferry_network *network = load_pair();
    ferry_error why = {""};
    ferry_tensor_info info;
    const int32_t a = ferry_network_find_tensor(network, "a"), b = ferry_network_find_tensor(network, "b");
    MUST(ferry_network_tensor(network, a, &info, err));
    assert_string_equal(info.dim_names[0], "batch");
    assert_null(info.dim_names[1]);
    assert_int_equal(dim(network, "y", 0), -1);
    MUST(ferry_network_set_input_dims(network, a, 2, (const int64_t[]){5, 4}, err));
    assert_int_equal(dim(network, "b", 0), 5);
    assert_int_equal(dim(network, "y", 0), 5);
    // What doesn't fit is refused, and nothing has changed.
    assert_int_equal(ferry_network_set_input_dims(network, b, 2, (const int64_t[]){5, 3}, &why), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(why.text, "node 'add' (Add)"));
    assert_int_equal(dim(network, "b", 1), 4);
    assert_int_equal(dim(network, "y", 1), 4);
    assert_int_equal(ferry_network_set_input_dims(network, a, 3, (const int64_t[]){1, 5, 4}, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_set_input_dims(network, a, 2, (const int64_t[]){-2, 4}, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_set_input_dims(network, a, 2, NULL, &why), FERRY_ERR_INVALID_ARGUMENT);
    const int32_t sum = ferry_network_find_tensor(network, "sum");
    assert_int_equal(ferry_network_set_input_dims(network, sum, 2, (const int64_t[]){5, 4}, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    // A fixed dimension opens again, and nodes that are added see the shapes as they are now.
    MUST(ferry_network_set_input_dims(network, a, 2, (const int64_t[]){1, 4}, err));
    MUST(ferry_network_set_input_dims(network, b, 2, (const int64_t[]){-1, 4}, err));
    assert_int_equal(dim(network, "y", 0), -1);
    MUST(ferry_network_set_input_dims(network, b, 2, (const int64_t[]){7, 4}, err));
    const int32_t y = ferry_network_find_tensor(network, "y");
    const ferry_node_description flat = {.size = sizeof flat,
                                         .op_type = "Transpose",
                                         .inputs = &y,
                                         .n_inputs = 1,
                                         .output_names = (const char *const[]){"t"},
                                         .n_outputs = 1};
    int32_t t;
    MUST(ferry_network_add_node(network, &flat, &t, err));
    assert_int_equal(dim(network, "t", 1), 7);
    MUST(ferry_network_set_input_dims(network, b, 2, (const int64_t[]){8, 4}, err));
    assert_int_equal(dim(network, "t", 1), 8);
    ferry_network_release(network);
}

// --- Ranges --------------------------------------------------------------------------------------------------------

static ferry_network *conv_network(graph_builder *b)
{
    build_conv_net(b, "1");
    ferry_network *network = NULL;
    MUST(ferry_network_create(NULL, 0, &network, err));
    ferry_graph_deinit(&network->graph);
    MUST(ferry_graph_copy(&b->graph, &network->graph, err));
    return network;
}

static void ranges__make_int8_possible_without_calibration(void **state)
{
    (void)state;
    graph_builder b;
    ferry_network *network = conv_network(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    const ferry_build_options options = {.size = sizeof options, .precisions = FERRY_PRECISION_INT8, .threads = 1};
    ferry_engine *engine = NULL;
    ferry_error why = {""};
    assert_int_equal(ferry_build(runtime, network, &options, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "INT8 needs scales"));
    static const char *const names[] = {"x", "conv1", "relu1", "pool1", "conv2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const int32_t t = ferry_network_find_tensor(network, names[i]);
        ferry_tensor_info info;
        MUST(ferry_network_set_dynamic_range(network, t, 127.0f / 16, err));
        MUST(ferry_network_tensor(network, t, &info, err));
        assert_true(info.dynamic_range == 127.0f / 16);
    }
    MUST(ferry_build(runtime, network, &options, &engine, err));
    const char *plan = ferry_engine_text(engine, "numeric_plan");
    assert_non_null(strstr(plan, "\"int8\""));
    assert_non_null(strstr(plan, "\"scale\": \"3d800000\"")); // 2^-4, in the plan's hex digits
    ferry_engine_release(engine);
    for (int32_t t = 0; t < ferry_network_tensor_count(network); t++)
        MUST(ferry_network_reset_dynamic_range(network, t, err));
    assert_int_equal(ferry_build(runtime, network, &options, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    ferry_runtime_release(runtime);
    ferry_network_release(network);
    build_end(&b);
}

static void a_range__wins_over_a_cache(void **state)
{
    (void)state;
    graph_builder b;
    ferry_network *network = conv_network(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    // 2^-5, as caches and plans write it; 3e000000 is 2^-3.
    static const char cache[] = "TRT-8600-EntropyCalibration2\nx: 3d000000\nconv1: 3d000000\nrelu1: 3d000000\n";
    const ferry_calibration_options c = {.size = sizeof c,
                                         .cache_path = ferry_temp_write(&folder, "cache", cache, sizeof cache - 1)};
    const ferry_build_options options = {.size = sizeof options,
                                         .precisions = FERRY_PRECISION_INT8,
                                         .threads = 1,
                                         .calibration = &c,
                                         .int8_symmetric = true};
    ferry_engine *plain = NULL, *told = NULL;
    MUST(ferry_build(runtime, network, &options, &plain, err));
    MUST(ferry_network_set_dynamic_range(network, ferry_network_find_tensor(network, "x"), 127.0f / 8, err));
    MUST(ferry_build(runtime, network, &options, &told, err));
    assert_null(strstr(ferry_engine_text(plain, "numeric_plan"), "3e000000"));
    assert_non_null(strstr(ferry_engine_text(told, "numeric_plan"), "3e000000"));
    assert_non_null(strstr(ferry_engine_text(told, "numeric_plan"), "3d000000"));
    ferry_engine_release(plain);
    ferry_engine_release(told);
    ferry_temp_folder_remove(&folder);
    ferry_runtime_release(runtime);
    ferry_network_release(network);
    build_end(&b);
}

static void bad_ranges__are_refused(void **state)
{
    (void)state;
    graph_builder b;
    ferry_network *network = conv_network(&b);
    const float bad[] = {0, -1, INFINITY, -INFINITY, NAN, 1e-40f};
    ferry_error why = {""};
    const int32_t x = ferry_network_find_tensor(network, "x");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ferry_network_set_dynamic_range(network, x, bad[i], &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, "tensor 'x': "));
    }
    size_t constants = 0;
    for (int32_t t = 0; t < ferry_network_tensor_count(network); t++) {
        ferry_tensor_info info;
        MUST(ferry_network_tensor(network, t, &info, err));
        if (!info.is_constant) continue;
        assert_int_equal(ferry_network_set_dynamic_range(network, t, 1, &why), FERRY_ERR_INVALID_ARGUMENT);
        constants++;
    }
    assert_true(constants > 0);
    ferry_network_release(network);
    build_end(&b);
}

// --- Models in memory ----------------------------------------------------------------------------------------------

static void memory__is_refused_as_files_are(void **state)
{
    (void)state;
    ferry_network *network = NULL;
    ferry_error why = {""};
    assert_int_equal(ferry_network_load_memory("GGUF....", 8, NULL, NULL, &network, &why), FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.text, "is a GGUF file"));
    assert_int_equal(ferry_network_load_memory("xxxx", 4, "/models/net.pth", NULL, &network, &why),
                     FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.text, "/models/net.pth: is a PyTorch file"));
    assert_int_equal(ferry_network_load_memory("", 0, NULL, NULL, &network, &why), FERRY_ERR_BAD_MODEL);
    assert_int_equal(ferry_network_load_memory(NULL, 0, NULL, NULL, &network, &why), FERRY_ERR_BAD_MODEL);
    assert_int_equal(ferry_network_load_memory(NULL, 9, NULL, NULL, &network, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_network_load(NULL, NULL, &network, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_null(network);
}

static void memory__finds_weights_beside_its_path(void **state)
{
    (void)state;
    static const float weights[3] = {1, 2, 3};
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    ferry_temp_write(&folder, "net.data", weights, sizeof weights);
    onnx_bytes graph = {0}, part = onnx_value_info("x", ONNX_FLOAT, "3"), entry = {0};
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &part);
    onnx_put_int(&part, 1, 3); // dims
    onnx_put_int(&part, 2, ONNX_FLOAT);
    onnx_put_text(&part, 8, "w");
    onnx_put_text(&entry, 1, "location");
    onnx_put_text(&entry, 2, "net.data");
    onnx_put_message(&part, 13, &entry);
    onnx_put_int(&part, 14, 1);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &part);
    part = onnx_node("Add", "add", "x w", "y");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &part);
    part = onnx_value_info("y", ONNX_FLOAT, NULL);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &part);
    onnx_bytes model = onnx_model(&graph, 17);
    ferry_network *network = NULL;
    ferry_error why = {""};
    assert_int_not_equal(ferry_network_load_memory(model.data, model.size, NULL, NULL, &network, &why), FERRY_OK);
    MUST(ferry_network_load_memory(model.data, model.size, ferry_temp_path(&folder, "not_there.onnx"), NULL, &network,
                                   err));
    ferry_tensor_view view;
    MUST(ferry_network_constant(network, ferry_network_find_tensor(network, "w"), &view, err));
    assert_memory_equal(view.data, weights, sizeof weights);
    ferry_network_release(network);
    onnx_bytes_free(&model);
    ferry_temp_folder_remove(&folder);
}

static void operators__are_told_by_opset_and_domain(void **state)
{
    (void)state;
    assert_true(ferry_operator_supported("Conv", NULL, 0));
    assert_true(ferry_operator_supported("Conv", "ai.onnx", 13));
    assert_true(ferry_operator_supported("Upsample", "", 9)); // has an upgrade, no row
    assert_true(ferry_operator_supported("Constant", "", 23));
    assert_false(ferry_operator_supported("Conv", "", 6));
    assert_false(ferry_operator_supported("Conv", "", -1));
    assert_false(ferry_operator_supported("LSTM", "", 17));
    assert_false(ferry_operator_supported("Conv", "com.microsoft", 17));
    assert_false(ferry_operator_supported("Silu", "ferry", 17));
    assert_false(ferry_operator_supported(NULL, "", 17));
    assert_false(ferry_operator_supported("", "", 17));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names__can_be_changed_and_found),
        cmocka_unit_test(outputs__come_and_go),
        cmocka_unit_test(input_dims__reach_every_tensor_and_share_names),
        cmocka_unit_test(ranges__make_int8_possible_without_calibration),
        cmocka_unit_test(a_range__wins_over_a_cache),
        cmocka_unit_test(bad_ranges__are_refused),
        cmocka_unit_test(memory__is_refused_as_files_are),
        cmocka_unit_test(memory__finds_weights_beside_its_path),
        cmocka_unit_test(operators__are_told_by_opset_and_domain),
    };
    return cmocka_run_group_tests_name("network_change", tests, NULL, NULL);
}
