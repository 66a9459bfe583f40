// SPDX-License-Identifier: Apache-2.0
// Files that are not ONNX: recognised by content or name, and refused with the way round.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "import/import.h"
#include "support/onnx_bytes.h"
#include "support/temp_folder.h"

static void other_formats__are_refused_with_the_way_round(void **state)
{
    (void)state;
    static const struct {
        const char *name, *content, *text;
    } cases[] = {
        {"net.prototxt", "name: \"net\"", "Caffe"},
        {"net.caffemodel", "\x0a\x03net", "caffe2onnx"},
        {"net.uff", "\x08\x01", "UFF"},
        {"net.pt", "\x80\x02", "torch.onnx.export"},
        {"net.pt2", "PK\003\004", "torch.onnx.export"},
        {"net.bin", "PK\003\004", "torch.onnx.export"},
        {"net.pth", "", "torch.onnx.export"},
        {"net.tflite", "\x1c____TFL3", "at byte 0"},
        {"net.tflite", "\x1c___TFL3", "TensorFlow Lite"},
        {"net.engine", "ptrt", "TensorRT"},
        {"net.PLAN", "xxxx", "TensorRT"},
        {"net.h5", "\211HDF\r\n\032\n", "Keras"},
        {"net.ort", "\x1c___ORTM", "ONNX Runtime's own format"},
        {"net.onnx", "version https://git-lfs.github.com/spec/v1", "git lfs pull"},
        {"net.onnx", "<!DOCTYPE html>", "web page"},
        {"net.onnx", "", "is empty"},
        {"saved_model.pb", "\x08\x01", "SavedModel"},
        {"net.safetensors", "{}", "without a network"},
    };
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = ferry_temp_write(&folder, cases[i].name, cases[i].content, strlen(cases[i].content));
        ferry_graph graph;
        ferry_error err = {{0}};
        assert_int_not_equal(ferry_import(path, NULL, &graph, NULL, NULL, &err), FERRY_OK);
        if (!strstr(err.text, cases[i].text) || strncmp(err.text, path, strlen(path)) != 0)
            fail_msg("%s: %s", cases[i].name, err.text);
    }
    ferry_temp_write(&folder, "dir/saved_model.pb", "x", 1);
    ferry_temp_write(&folder, "plain/file", "x", 1);
    ferry_graph graph;
    ferry_error err = {{0}};
    assert_int_equal(ferry_import(ferry_temp_path(&folder, "dir"), NULL, &graph, NULL, NULL, &err),
                     FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "SavedModel"));
    assert_int_equal(ferry_import(ferry_temp_path(&folder, "none.onnx"), NULL, &graph, NULL, NULL, &err), FERRY_ERR_IO);
    assert_int_equal(ferry_import(ferry_temp_path(&folder, "plain"), NULL, &graph, NULL, NULL, &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "is a folder"));
    ferry_temp_folder_remove(&folder);
}

static void a_name__does_not_decide_what_the_content_is(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    onnx_bytes model = onnx_small_model();
    const char *path = ferry_temp_write(&folder, "no_extension", model.data, model.size);
    ferry_graph graph;
    ferry_error err = {{0}};
    assert_int_equal(ferry_import(path, NULL, &graph, NULL, NULL, &err), FERRY_OK);
    assert_string_equal(graph.name, "small");
    ferry_graph_deinit(&graph);
    onnx_bytes_free(&model);
    ferry_temp_folder_remove(&folder);
}

static void files_beyond_two_gigabytes__need_external_data(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    const char *path = ferry_temp_write(&folder, "big.onnx", "\x08\x08", 2);
    ferry_graph graph;
    ferry_error err = {{0}};
    if (truncate(path, (off_t)1 << 31) != 0) { // sparse: takes no room
        ferry_temp_folder_remove(&folder);
        print_message("skipped: this file system takes no sparse files of 2 GB\n");
        skip();
    }
    assert_int_equal(ferry_import(path, NULL, &graph, NULL, NULL, &err), FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "save_as_external_data"));
    ferry_temp_folder_remove(&folder);
}

static void remember(void *user, ferry_severity severity, const char *text)
{
    if (severity == FERRY_SEVERITY_WARNING) snprintf(user, 300, "%s", text);
}

static void warnings__reach_the_logger(void **state)
{
    (void)state;
    onnx_bytes graph = {0}, node = onnx_node("Relu", "", "x", "y"), in = onnx_value_info("x", ONNX_FLOAT, "1");
    onnx_bytes out = onnx_value_info("y", ONNX_FLOAT, "1");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &in);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &out);
    onnx_bytes model = onnx_model(&graph, 77);
    char text[300] = "";
    const ferry_logger logger = {remember, text, FERRY_SEVERITY_WARNING};
    ferry_graph g;
    assert_int_equal(ferry_import_memory(model.data, model.size, NULL, &g, NULL, &logger, NULL), FERRY_OK);
    assert_non_null(strstr(text, "model: is of opset 77"));
    ferry_graph_deinit(&g);
    onnx_bytes_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_formats__are_refused_with_the_way_round),
        cmocka_unit_test(a_name__does_not_decide_what_the_content_is),
        cmocka_unit_test(files_beyond_two_gigabytes__need_external_data),
        cmocka_unit_test(warnings__reach_the_logger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
