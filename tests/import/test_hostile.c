// SPDX-License-Identifier: Apache-2.0
// Damaged and malicious files: an error with its place, never a crash, a leak or a flood of memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "import/import.h"
#include "support/failing_heap.h"
#include "support/onnx_bytes.h"

// Imports an exact-size copy, so that a sanitizer sees reads beyond the end. Checks that nothing leaks.
static ferry_status import_copy(const uint8_t *data, size_t bytes, size_t *peak, ferry_error *err)
{
    ferry_failing_heap heap;
    ferry_failing_heap_init(&heap);
    const ferry_import_options options = {.heap = &heap.heap};
    uint8_t *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    if (bytes) memcpy(copy, data, bytes);
    ferry_graph graph;
    err->text[0] = 0;
    const ferry_status s = ferry_import_memory(copy, bytes, &options, &graph, NULL, NULL, err);
    if (s == FERRY_OK) {
        assert_int_equal(ferry_graph_verify(&graph, NULL, err), FERRY_OK);
        ferry_graph_deinit(&graph);
    } else {
        assert_true(err->text[0]);
    }
    free(copy);
    assert_int_equal(heap.bytes_in_use, 0);
    if (peak) *peak = heap.peak_bytes;
    return s;
}

static ferry_status import_and_free(onnx_bytes *model, size_t *peak, ferry_error *err)
{
    const ferry_status s = import_copy(model->data, model->size, peak, err);
    onnx_bytes_free(model);
    return s;
}

static void truncated_models__are_refused_at_every_length(void **state)
{
    (void)state;
    onnx_bytes model = onnx_small_model();
    ferry_error err;
    assert_int_equal(import_copy(model.data, model.size, NULL, &err), FERRY_OK);
    for (size_t n = 0; n < model.size; n++) assert_int_equal(import_copy(model.data, n, NULL, &err) == FERRY_OK, 0);
    onnx_bytes_free(&model);
}

static void flipped_bits__never_crash(void **state)
{
    (void)state;
    onnx_bytes model = onnx_small_model();
    ferry_error err;
    for (size_t bit = 0; bit < 8 * model.size; bit++) {
        model.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        import_copy(model.data, model.size, NULL, &err);
        model.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    onnx_bytes_free(&model);
}

static ferry_status import_small(const ferry_heap *heap, void *context, ferry_error *err)
{
    const onnx_bytes *model = context;
    const ferry_import_options options = {.heap = heap};
    ferry_graph graph;
    const ferry_status s = ferry_import_memory(model->data, model->size, &options, &graph, NULL, NULL, err);
    if (s == FERRY_OK) ferry_graph_deinit(&graph);
    return s;
}

static void every_allocation__may_fail(void **state)
{
    (void)state;
    onnx_bytes model = onnx_small_model();
    assert_true(ferry_failing_heap_loop(import_small, &model) > 10);
    onnx_bytes_free(&model);
}

static void nothing_and_nonsense__are_refused(void **state)
{
    (void)state;
    ferry_error err;
    assert_int_equal(import_copy((const uint8_t *)"", 0, NULL, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "empty"));
    const char text[] = "This is a letter to the editor, and not a model.";
    assert_int_equal(import_copy((const uint8_t *)text, sizeof text, NULL, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "at byte 0"));
    const uint8_t zeros[100] = {0};
    assert_int_equal(import_copy(zeros, sizeof zeros, NULL, &err), FERRY_ERR_BAD_MODEL);
}

static void deep_nesting__is_refused_before_it_is_followed(void **state)
{
    (void)state;
    // Graph in attribute in node in graph ...: three messages a level.
    onnx_bytes graph = {0};
    for (int i = 0; i < 2000; i++) {
        onnx_bytes attribute = {0}, node = onnx_node("If", "deep", "", "y"), outer = {0};
        onnx_put_text(&attribute, 1, "then_branch");
        onnx_put_message(&attribute, 6, &graph);
        onnx_put_message(&node, ONNX_NODE_ATTRIBUTE, &attribute);
        onnx_put_message(&outer, ONNX_GRAPH_NODE, &node);
        graph = outer;
    }
    onnx_bytes model = onnx_model(&graph, 13);
    ferry_error err;
    assert_int_equal(import_and_free(&model, NULL, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "nested more than 200 deep"));
}

// A model with one node that adds the tensor to x.
static onnx_bytes model_with(onnx_bytes *tensor)
{
    onnx_bytes graph = {0}, node = onnx_node("Add", "sum", "x w", "y");
    onnx_bytes in = onnx_value_info("x", ONNX_FLOAT, "2x3"), out = onnx_value_info("y", ONNX_FLOAT, NULL);
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, tensor);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &in);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &out);
    return onnx_model(&graph, 13);
}

static void declared_sizes__are_believed_only_with_data(void **state)
{
    (void)state;
    static const struct {
        const char *dims, *text;
    } cases[] = {
        {"1000000x1000000", "holds 12 bytes"},
        {"9223372036854775807x4", "larger than 2^47"},
        {"4294967296x4294967296x4294967296", "larger than 2^47"},
        {"0x9223372036854775807x9223372036854775807", "larger than 2^47"},
        {"-3", "dimension 0 is -3"},
        {"1x1x1x1x1x1x1x1x3", "9 dimensions"},
        {"2", "holds 12 bytes, its shape and type need 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float w[3] = {1, 2, 3};
        onnx_bytes tensor = onnx_tensor("w", ONNX_FLOAT, cases[i].dims, w, sizeof w);
        onnx_bytes model = model_with(&tensor);
        ferry_error err;
        size_t peak = 0;
        assert_int_not_equal(import_and_free(&model, &peak, &err), FERRY_OK);
        assert_non_null(strstr(err.text, "initializer 'w'"));
        if (!strstr(err.text, cases[i].text)) fail_msg("%s: %s", cases[i].dims, err.text);
        assert_true(peak < 4 << 20);
    }
}

static void many_tiny_messages__do_not_flood_memory(void **state)
{
    (void)state;
    // Two bytes each in the file, some two hundred unpacked.
    onnx_bytes graph = {0};
    for (int i = 0; i < 2000000; i++) {
        onnx_bytes empty = {0};
        onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &empty);
    }
    onnx_bytes model = onnx_model(&graph, 13);
    const size_t bytes = model.size;
    ferry_error err;
    size_t peak = 0;
    assert_int_not_equal(import_and_free(&model, &peak, &err), FERRY_OK);
    assert_true(peak < ((size_t)1 << 30) && peak < 400 * bytes);
}

static void weights_with_nan__are_refused_unless_wanted(void **state)
{
    (void)state;
    const uint32_t w[3] = {0x3f800000, 0x7fc00000, 0};
    onnx_bytes tensor = onnx_tensor("w", ONNX_FLOAT, "3", w, sizeof w), model = model_with(&tensor);
    ferry_error err;
    assert_int_equal(import_copy(model.data, model.size, NULL, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "initializer 'w': element 1 of 3 is NaN"));
    ferry_graph graph;
    const ferry_import_options options = {.allow_nan = true};
    assert_int_equal(ferry_import_memory(model.data, model.size, &options, &graph, NULL, NULL, &err), FERRY_OK);
    ferry_graph_deinit(&graph);
    onnx_bytes_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_models__are_refused_at_every_length),
        cmocka_unit_test(flipped_bits__never_crash),
        cmocka_unit_test(every_allocation__may_fail),
        cmocka_unit_test(nothing_and_nonsense__are_refused),
        cmocka_unit_test(deep_nesting__is_refused_before_it_is_followed),
        cmocka_unit_test(declared_sizes__are_believed_only_with_data),
        cmocka_unit_test(many_tiny_messages__do_not_flood_memory),
        cmocka_unit_test(weights_with_nan__are_refused_unless_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
