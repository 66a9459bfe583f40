// SPDX-License-Identifier: Apache-2.0
// Networks built layer by layer: the same as imported ones, in every opset, and untouched by what was refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ferry/build.h"
#include "support/engine_case.h"
#include "support/failing_heap.h"
#include "support/onnx_bytes.h"

static ferry_network *empty(int64_t opset)
{
    ferry_network *network = NULL;
    MUST(ferry_network_create(NULL, opset, &network, err));
    return network;
}

static int32_t input(ferry_network *network, const char *name, int32_t rank, const int64_t *dims)
{
    int32_t id = FERRY_NO_TENSOR;
    MUST(ferry_network_add_input(network, name, FERRY_F32, rank, dims, &id, err));
    return id;
}

static int32_t floats(ferry_network *network, const char *name, int32_t rank, const int64_t *dims, const float *data)
{
    ferry_tensor_view view = {.dtype = FERRY_F32, .rank = rank, .data = data};
    for (int32_t d = 0; d < rank; d++) view.dims[d] = dims[d];
    int32_t id = FERRY_NO_TENSOR;
    MUST(ferry_network_add_constant(network, name, &view, &id, err));
    return id;
}

static ferry_node_description node(const char *op, const char *name, int32_t n_inputs, const int32_t *inputs,
                                   int32_t n_attributes, const ferry_attribute *attributes)
{
    return (ferry_node_description){.size = sizeof(ferry_node_description),
                                    .op_type = op,
                                    .name = name,
                                    .inputs = inputs,
                                    .n_inputs = n_inputs,
                                    .n_outputs = 1,
                                    .attributes = attributes,
                                    .n_attributes = n_attributes};
}

static int32_t add(ferry_network *network, const ferry_node_description *what)
{
    int32_t out = FERRY_NO_TENSOR;
    MUST(ferry_network_add_node(network, what, &out, err));
    return out;
}

static ferry_attribute ints(const char *name, int32_t count, const int64_t *values)
{
    return (ferry_attribute){.name = name, .kind = FERRY_ATTRIBUTE_INTS, .count = count, .ints = values};
}

static ferry_attribute one_int(const char *name, const int64_t *value)
{
    return (ferry_attribute){.name = name, .kind = FERRY_ATTRIBUTE_INT, .count = 1, .ints = value};
}

// --- By hand -------------------------------------------------------------------------------------------------------

static const int64_t three[2] = {3, 3}, ones[4] = {1, 1, 1, 1};

static ferry_network *small_net(void)
{
    static float weights[8 * 3 * 9];
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) weights[i] = (float)(i % 13) / 13 - 0.5f;
    ferry_network *network = empty(0);
    const int32_t x = input(network, "x", 4, (const int64_t[]){-1, 3, 10, 12});
    const int32_t w = floats(network, "w", 4, (const int64_t[]){8, 3, 3, 3}, weights);
    const ferry_attribute attrs[] = {ints("kernel_shape", 2, three), ints("pads", 4, ones)};
    const ferry_node_description conv = node("Conv", "conv1", 2, (const int32_t[]){x, w}, 2, attrs);
    const int32_t c = add(network, &conv);
    ferry_node_description relu = node("Relu", NULL, 1, &c, 0, NULL);
    relu.output_names = (const char *const[]){"y"};
    const int32_t y = add(network, &relu);
    MUST(ferry_network_mark_output(network, y, err));
    return network;
}

static void a_network_by_hand__builds_and_runs(void **state)
{
    (void)state;
    ferry_network *network = small_net();
    ferry_tensor_info info;
    MUST(ferry_network_tensor(network, ferry_network_find_tensor(network, "y"), &info, err));
    assert_int_equal(info.rank, 4);
    assert_int_equal(info.dims[0], -1);
    assert_int_equal(info.dims[1], 8);
    assert_int_equal(info.dims[3], 12);
    assert_true(info.is_output && !info.is_input && !info.is_constant);
    ferry_node_info n;
    MUST(ferry_network_node(network, info.producer, &n, err));
    assert_string_equal(n.op_type, "Relu");
    assert_string_equal(n.name, "y");
    MUST(ferry_network_tensor(network, n.inputs[0], &info, err));
    assert_string_equal(info.name, "conv1_output_0");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = NULL;
    MUST(ferry_build(runtime, network, NULL, &engine, err));
    test_expect_reference(engine, &network->graph, 5, 1e-5);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    ferry_network_release(network);
}

static void a_network_without_outputs__is_refused_by_the_builder(void **state)
{
    (void)state;
    ferry_network *network = empty(0);
    ferry_engine *engine = NULL;
    ferry_error why = {""};
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    input(network, "x", 1, (const int64_t[]){4});
    assert_int_equal(ferry_build(runtime, network, NULL, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "no outputs"));
    ferry_runtime_release(runtime);
    ferry_network_release(network);
}

// --- Imported models, taken apart and put together again -----------------------------------------------------------

static int32_t copy_tensor(const ferry_network *from, int32_t id, ferry_network *to)
{
    ferry_tensor_info info;
    int32_t out = FERRY_NO_TENSOR;
    MUST(ferry_network_tensor(from, id, &info, err));
    if (info.is_input) {
        MUST(ferry_network_add_input(to, info.name, info.dtype, info.rank, info.dims, &out, err));
    } else if (info.is_constant) {
        ferry_tensor_view view;
        MUST(ferry_network_constant(from, id, &view, err));
        MUST(ferry_network_add_constant(to, info.name, &view, &out, err));
    }
    return out;
}

static void copy_node(const ferry_network *from, int32_t index, ferry_network *to, int32_t *map)
{
    ferry_node_info info;
    ferry_attribute attrs[32];
    int32_t inputs[64], outputs[64];
    const char *names[64];
    MUST(ferry_network_node(from, index, &info, err));
    assert_true(info.n_inputs <= 64 && info.n_outputs <= 64 && info.n_attributes <= 32);
    for (int32_t i = 0; i < info.n_inputs; i++)
        inputs[i] = info.inputs[i] == FERRY_NO_TENSOR ? FERRY_NO_TENSOR : map[info.inputs[i]];
    for (int32_t i = 0; i < info.n_outputs; i++) {
        ferry_tensor_info t = {.name = ""};
        if (info.outputs[i] != FERRY_NO_TENSOR) MUST(ferry_network_tensor(from, info.outputs[i], &t, err));
        names[i] = t.name;
    }
    for (int32_t i = 0; i < info.n_attributes; i++) MUST(ferry_network_attribute(from, index, i, &attrs[i], err));
    ferry_node_description what = node(info.op_type, info.name, info.n_inputs, inputs, info.n_attributes, attrs);
    what.output_names = names;
    what.n_outputs = info.n_outputs;
    MUST(ferry_network_add_node(to, &what, outputs, err));
    for (int32_t i = 0; i < info.n_outputs; i++)
        if (info.outputs[i] != FERRY_NO_TENSOR) map[info.outputs[i]] = outputs[i];
}

static ferry_network *copy_network(const ferry_network *from)
{
    ferry_network *to = empty(0);
    const int32_t n = ferry_network_tensor_count(from), n_bindings = ferry_network_binding_count(from);
    int32_t *map = calloc((size_t)n + 1, sizeof *map);
    assert_non_null(map);
    for (int32_t i = 0; i < n; i++) map[i] = FERRY_NO_TENSOR;
    for (int32_t i = 0; i < n_bindings; i++) {
        const int32_t id = ferry_network_binding_tensor(from, i);
        if (map[id] == FERRY_NO_TENSOR) map[id] = copy_tensor(from, id, to);
    }
    for (int32_t i = 0; i < n; i++)
        if (map[i] == FERRY_NO_TENSOR) map[i] = copy_tensor(from, i, to);
    for (int32_t i = 0; i < ferry_network_node_count(from); i++) copy_node(from, i, to, map);
    for (int32_t i = 0; i < n_bindings; i++) {
        ferry_binding_info info;
        MUST(ferry_network_binding(from, i, &info, err));
        if (!info.is_input) MUST(ferry_network_mark_output(to, map[ferry_network_binding_tensor(from, i)], err));
    }
    free(map);
    return to;
}

// So that both can be run: every open dimension of an input becomes 3.
static void close_dims(ferry_network *network)
{
    for (int32_t i = 0; i < ferry_network_binding_count(network); i++) {
        ferry_binding_info info;
        MUST(ferry_network_binding(network, i, &info, err));
        if (!info.is_input) continue;
        for (int32_t d = 0; d < info.rank; d++)
            if (info.dims[d] < 0) info.dims[d] = 3;
        const int32_t tensor = ferry_network_binding_tensor(network, i);
        MUST(ferry_network_set_input_dims(network, tensor, info.rank, info.dims, err));
    }
}

static void imported_models__can_be_put_together_again(void **state)
{
    (void)state;
    char root[600], path[900];
    const char *source = getenv("FERRY_SOURCE_DIR");
    snprintf(root, sizeof root, "%s/tests/import/models", source ? source : ".");
    DIR *dir = opendir(root);
    assert_non_null(dir);
    size_t count = 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s/model.onnx", root, e->d_name);
        ferry_network *network = NULL;
        MUST(ferry_network_load(path, NULL, &network, err));
        ferry_network *copy = copy_network(network);
        assert_int_equal(ferry_network_node_count(network), ferry_network_node_count(copy));
        close_dims(network);
        close_dims(copy);
        MUST(ferry_graph_verify(&copy->graph, NULL, err));
        expect_same_outputs(&network->graph, &copy->graph, 1, 3, 0);
        ferry_network_release(copy);
        ferry_network_release(network);
        count++;
    }
    closedir(dir);
    assert_true(count >= 6);
}

// --- Older opsets --------------------------------------------------------------------------------------------------

static void older_opsets__are_upgraded_as_on_import(void **state)
{
    (void)state;
    // Opset 9: axes and limits are attributes, Softmax flattens, Upsample exists.
    static const int64_t first[] = {0}, one[] = {1};
    static const float low[] = {-0.5f}, high[] = {0.25f}, twice[] = {1, 1, 2, 2};
    ferry_network *network = empty(9);
    assert_int_equal(ferry_network_opset(network), 9);
    const int32_t x = input(network, "x", 3, (const int64_t[]){2, 3, 4});
    const ferry_attribute axes = ints("axes", 1, first), axis = one_int("axis", one);
    const ferry_attribute limits[] = {
        {.name = "min", .kind = FERRY_ATTRIBUTE_FLOAT, .count = 1, .floats = low},
        {.name = "max", .kind = FERRY_ATTRIBUTE_FLOAT, .count = 1, .floats = high},
    };
    const ferry_node_description clip = node("Clip", "clip", 1, &x, 2, limits);
    const int32_t clipped = add(network, &clip);
    const ferry_node_description soft = node("Softmax", "soft", 1, &clipped, 1, &axis);
    const int32_t softened = add(network, &soft);
    const ferry_node_description unsqueeze = node("Unsqueeze", "four", 1, &softened, 1, &axes);
    const int32_t four[2] = {add(network, &unsqueeze), floats(network, "scales", 1, (const int64_t[]){4}, twice)};
    const ferry_node_description up = node("Upsample", "up", 2, four, 0, NULL);
    const int32_t y = add(network, &up);
    MUST(ferry_network_mark_output(network, y, err));

    onnx_bytes graph = {0}, part = onnx_value_info("x", ONNX_FLOAT, "2x3x4"), inner;
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &part);
    part = onnx_tensor("scales", ONNX_FLOAT, "4", twice, sizeof twice);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &part);
    part = onnx_node("Clip", "clip", "x", "c");
    inner = (onnx_bytes){0};
    onnx_put_text(&inner, 1, "min");
    onnx_put_float(&inner, 2, low[0]);
    onnx_put_message(&part, ONNX_NODE_ATTRIBUTE, &inner);
    onnx_put_text(&inner, 1, "max");
    onnx_put_float(&inner, 2, high[0]);
    onnx_put_message(&part, ONNX_NODE_ATTRIBUTE, &inner);
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &part);
    part = onnx_node("Softmax", "soft", "c", "s");
    inner = onnx_attr_int("axis", 1);
    onnx_put_message(&part, ONNX_NODE_ATTRIBUTE, &inner);
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &part);
    part = onnx_node("Unsqueeze", "four", "s", "u");
    inner = onnx_attr_ints("axes", first, 1);
    onnx_put_message(&part, ONNX_NODE_ATTRIBUTE, &inner);
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &part);
    part = onnx_node("Upsample", "up", "u scales", "up_output_0");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &part);
    part = onnx_value_info("up_output_0", ONNX_FLOAT, NULL);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &part);
    onnx_bytes model = onnx_model(&graph, 9);
    ferry_network *imported = NULL;
    MUST(ferry_network_load_memory(model.data, model.size, NULL, NULL, &imported, err));
    onnx_bytes_free(&model);
    assert_int_equal(ferry_network_node_count(network), ferry_network_node_count(imported));
    expect_same_outputs(&imported->graph, &network->graph, 1, 8, 0);
    ferry_network_release(imported);
    ferry_network_release(network);
}

static void imported_networks__grow(void **state)
{
    (void)state;
    onnx_bytes model = onnx_small_model();
    ferry_network *network = NULL;
    MUST(ferry_network_load_memory(model.data, model.size, NULL, NULL, &network, err));
    onnx_bytes_free(&model);
    const int32_t y = ferry_network_find_tensor(network, "y");
    const ferry_node_description relu = node("Relu", "more", 1, &y, 0, NULL);
    const int32_t z = add(network, &relu);
    MUST(ferry_network_unmark_output(network, y, err));
    MUST(ferry_network_mark_output(network, z, err));
    assert_int_equal(ferry_network_binding_count(network), 2);
    assert_int_equal(ferry_network_binding_tensor(network, 1), z);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = NULL;
    MUST(ferry_build(runtime, network, NULL, &engine, err));
    test_expect_reference(engine, &network->graph, 5, 1e-6);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    ferry_network_release(network);
}

static void constants__come_from_nodes_too(void **state)
{
    (void)state;
    static const int64_t numbers[] = {4, 5, 6};
    static const uint8_t flags[] = {0, 7, 1};
    ferry_network *network = empty(0);
    ferry_attribute a = ints("value_ints", 3, numbers);
    const ferry_node_description list = node("Constant", "list", 0, NULL, 1, &a);
    ferry_tensor_view view;
    MUST(ferry_network_constant(network, add(network, &list), &view, err));
    assert_int_equal(view.dtype, FERRY_S64);
    assert_memory_equal(view.data, numbers, sizeof numbers);
    a = (ferry_attribute){.name = "value",
                          .kind = FERRY_ATTRIBUTE_TENSOR,
                          .tensor = {.dtype = FERRY_BOOL, .rank = 1, .dims = {3}, .data = flags}};
    const ferry_node_description tensor = node("Constant", "tensor", 0, NULL, 1, &a);
    MUST(ferry_network_constant(network, add(network, &tensor), &view, err));
    assert_memory_equal(view.data, ((const uint8_t[]){0, 1, 1}), 3);
    assert_int_equal(ferry_network_node_count(network), 0);
    ferry_network_release(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_by_hand__builds_and_runs),
        cmocka_unit_test(a_network_without_outputs__is_refused_by_the_builder),
        cmocka_unit_test(imported_models__can_be_put_together_again),
        cmocka_unit_test(older_opsets__are_upgraded_as_on_import),
        cmocka_unit_test(imported_networks__grow),
        cmocka_unit_test(constants__come_from_nodes_too),
    };
    return cmocka_run_group_tests_name("network_add", tests, NULL, NULL);
}
