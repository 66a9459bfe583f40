// SPDX-License-Identifier: Apache-2.0
// Trained models as their authors published them: all import, and the small ones compute what ONNX Runtime computes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file_map.h"
#include "base/npy.h"
#include "import/import.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "support/run_graph.h"

static const char *data_folder(void)
{
    const char *data = getenv("FERRY_TEST_DATA");
    char path[600];
    snprintf(path, sizeof path, "%s/models/yolox_nano.onnx", data ? data : "");
    FILE *file = data ? fopen(path, "rb") : NULL;
    if (file) fclose(file);
    return file ? data : NULL;
}

#define NEED_DATA(data)                                                                                                \
    const char *data = data_folder();                                                                                  \
    if (!data) {                                                                                                       \
        print_message("skipped: FERRY_TEST_DATA holds no models\n");                                                   \
        skip();                                                                                                        \
    }

static void import_named(const char *data, const char *model, ferry_graph *graph)
{
    char path[600];
    ferry_error err = {{0}};
    snprintf(path, sizeof path, "%s/models/%s.onnx", data, model);
    if (ferry_import(path, NULL, graph, NULL, NULL, &err) != FERRY_OK) fail_msg("%s", err.text);
}

static void published_models__import_with_these_shapes(void **state)
{
    (void)state;
    NEED_DATA(data);
    static const struct {
        const char *model, *inputs, *outputs;
    } models[] = {
        {"squeezenet1.1_fp16", "data_0 float16 1x3x224x224", "softmaxout_1 float16 1x1000x1x1"},
        {"squeezenet1.1_fp32", "data_0 float 1x3x224x224", "softmaxout_1 float 1x1000x1x1"},
        {"mobilenet_v1_0.25_224", "input float 1x3x224x224", "output float 1x1000"},
        {"mobilenet_v1_0.75_192_fp32", "input float 1x3x192x192", "output float 1x1001"},
        {"mobilenet_v1_0.75_192_qdq_uint8", "input float 1x3x192x192", "output float 1x1001"},
        {"yolox_nano", "images float 1x3x416x416", "output float 1x3549x85"},
        {"nanodet_m_416", "input.1 float 1x3x416x416",
         "792 float 1x2704x80, 814 float 1x676x80, 836 float 1x169x80, 795 float 1x2704x32, 817 float 1x676x32, 839 "
         "float 1x169x32"},
        {"fastestdet_352", "input.1 float 1x3x352x352", "758 float 1x85x22x22"},
        {"ultraface_rfb_320", "input float 1x3x240x320", "scores float 1x4420x2, boxes float 1x4420x4"},
        {"deeplabv3_mnv2_dm05_513", "input float 1x3x513x513", "output int64 1x1x513x513"},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        ferry_graph g;
        import_named(data, models[i].model, &g);
        for (int side = 0; side < 2; side++) {
            const ferry_value_id *ids = side ? g.outputs : g.inputs;
            char text[400] = "";
            for (size_t k = 0; k < (side ? g.n_outputs : g.n_inputs); k++) {
                const ferry_value *v = &g.values[ids[k]];
                char shape[64];
                ferry_shape_text(&g, &v->shape, shape, sizeof shape);
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s %s %s", k ? ", " : "", v->name,
                         ferry_dtype_name(v->dtype), shape);
            }
            assert_string_equal(text, side ? models[i].outputs : models[i].inputs);
        }
        for (size_t v = 0; v < g.n_values; v++)
            if (!ferry_shape_is_known(&g.values[v].shape)) fail_msg("%s: %s", models[i].model, g.values[v].name);
        ferry_graph_deinit(&g);
    }
}

static void a_dynamic_model__takes_shapes_later(void **state)
{
    (void)state;
    NEED_DATA(data);
    ferry_graph g;
    ferry_error err = {{0}};
    import_named(data, "ppocrv4_rec", &g);
    assert_false(ferry_shape_is_known(&g.values[g.outputs[0]].shape));
    const char *characters = NULL;
    for (size_t i = 0; i < g.n_metadata; i++)
        if (strcmp(g.metadata[i].key, "character") == 0) characters = g.metadata[i].value;
    assert_non_null(characters);
    ferry_shape *shapes = calloc(g.n_values, sizeof *shapes);
    for (int64_t width = 160; width <= 320; width += 160) {
        const ferry_input_shape bound = {g.inputs[0], ferry_shape_of(4, (const int64_t[]){2, 3, 48, width})};
        if (ferry_graph_infer_shapes(&g, &bound, 1, shapes, NULL, NULL, NULL, &err) != FERRY_OK)
            fail_msg("%s", err.text);
        for (size_t v = 0; v < g.n_values; v++)
            if (!ferry_shape_is_known(&shapes[v])) fail_msg("%s stays unknown", g.values[v].name);
        const ferry_shape expected = ferry_shape_of(3, (const int64_t[]){2, width / 8, 6625});
        assert_true(ferry_shape_equal(&shapes[g.outputs[0]], &expected));
    }
    const ferry_input_shape wrong = {g.inputs[0], ferry_shape_of(4, (const int64_t[]){2, 4, 48, 320})};
    assert_int_equal(ferry_graph_infer_shapes(&g, &wrong, 1, shapes, NULL, NULL, NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "input 'x': dimension 1 is 3 in the model, 4 was given");
    free(shapes);
    ferry_graph_deinit(&g);
}

// Runs the model with the reference kernels on the recorded input; the largest relative L2 distance of its outputs.
static double distance_to_reference(const char *data, const char *model)
{
    ferry_graph g;
    ferry_error err = {{0}};
    ferry_arena arena;
    ferry_file_map file;
    ferry_npy npy;
    char path[600];
    import_named(data, model, &g);
    ferry_arena_init(&arena, ferry_heap_default());
    snprintf(path, sizeof path, "%s/reference/%s/input.npy", data, model);
    assert_int_equal(ferry_file_map_open(&file, path, &err), FERRY_OK);
    assert_int_equal(ferry_npy_parse(file.data, file.bytes, &npy, &err), FERRY_OK);
    assert_int_equal(npy.dtype, FERRY_F32);
    const ferry_value *x = &g.values[g.inputs[0]];
    ferry_tensor in = {.dtype = x->dtype, .rank = (int32_t)npy.rank}, outputs[8];
    for (uint32_t d = 0; d < npy.rank; d++) in.dims[d] = (int64_t)npy.shape[d];
    in.data = ferry_arena_copy(&arena, npy.data, npy.bytes);
    ferry_file_map_close(&file);
    if (ferry_run_graph(&g, &in, outputs, &arena, NULL, NULL, &err) != FERRY_OK) fail_msg("%s", err.text);
    double worst = 0;
    for (size_t o = 0; o < g.n_outputs; o++) {
        snprintf(path, sizeof path, "%s/reference/%s/output%zu.npy", data, model, o);
        assert_int_equal(ferry_file_map_open(&file, path, &err), FERRY_OK);
        assert_int_equal(ferry_npy_parse(file.data, file.bytes, &npy, &err), FERRY_OK);
        assert_int_equal(npy.elem_count, ferry_tensor_elements(&outputs[o]));
        double error = 0, norm = 0;
        for (size_t i = 0; i < npy.elem_count; i++) {
            float expected;
            memcpy(&expected, (const char *)npy.data + i * sizeof expected, sizeof expected);
            const double d = ferry_load_f64(&outputs[o], i) - (double)expected;
            error += d * d;
            norm += (double)expected * (double)expected;
        }
        if (norm > 0 && sqrt(error / norm) > worst) worst = sqrt(error / norm);
        ferry_file_map_close(&file);
    }
    ferry_arena_deinit(&arena);
    ferry_graph_deinit(&g);
    return worst;
}

static void small_models__compute_what_onnxruntime_does(void **state)
{
    (void)state;
    NEED_DATA(data);
    static const char *const models[] = {"mobilenet_v1_0.25_224", "ultraface_rfb_320"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const double distance = distance_to_reference(data, models[i]);
        print_message("%s: relative L2 %.2g\n", models[i], distance);
        assert_true(distance <= 1e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_models__import_with_these_shapes),
        cmocka_unit_test(a_dynamic_model__takes_shapes_later),
        cmocka_unit_test(small_models__compute_what_onnxruntime_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
