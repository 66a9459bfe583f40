// SPDX-License-Identifier: Apache-2.0
// One box of each preset, computed by hand from the network's published formula.
#include "decode_support.h"

static const float LN2 = 0.69314718f, LN3 = 1.09861229f;

static void yolox__adds_cell_and_multiplies_stride(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("output", 0, 3, 1, 64 + 16 + 4, 85);
    const int row = 64 + 2 * 4 + 1; // stride 16, y 2, x 1
    *at(&out, 0, row, 0) = 0.5f;
    *at(&out, 0, row, 1) = 0.25f;
    *at(&out, 0, row, 2) = LN2;
    *at(&out, 0, row, 3) = 0;
    *at(&out, 0, row, 4) = 0.8f;
    *at(&out, 0, row, 5 + 3) = 0.5f;
    ferry_result *r = decode_with("yolox", &out, 1, 64, 64, NULL);
    assert_int_equal(r->task, FERRY_TASK_DETECT);
    assert_int_equal(r->class_total, 80);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 3, 0.4, 24 - 16, 36 - 8, 24 + 16, 36 + 8);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void yolox_decoded__takes_pixels(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("output", 0, 3, 1, 84, 6);
    const float row[6] = {20, 30, 10, 8, 0.9f, 1};
    for (int i = 0; i < 6; i++) *at(&out, 0, 83, i) = row[i];
    ferry_result *r = decode_with("yolox-decoded", &out, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 0, 0.9, 15, 26, 25, 34);
    ferry_result_destroy(r);
    free_tensor(&out);
}

// Three heads with three anchors and two classes in one of the layouts; all scores off but for anchor 1 of cell y 3, x
// 2 at stride 8, whose numbers are `raw`.
static void make_heads(ferry_tensor_view heads[3], const char *layout, const float raw[7])
{
    static const int sides[3] = {8, 4, 2};
    static const char *const names[3] = {"p3", "p4", "p5"};
    for (int h = 0; h < 3; h++) {
        const int s = sides[h];
        heads[h] = strcmp(layout, "chw") == 0    ? make_tensor(names[h], -20, 4, 1, 21, s, s)
                   : strcmp(layout, "hwc") == 0  ? make_tensor(names[h], -20, 4, 1, s, s, 21)
                   : strcmp(layout, "ahwc") == 0 ? make_tensor(names[h], -20, 5, 1, 3, s, s, 7)
                                                 : make_tensor(names[h], -20, 5, 1, 3, 7, s, s);
    }
    for (int c = 0; c < 7; c++) {
        float *place = strcmp(layout, "chw") == 0    ? at(&heads[0], 0, 7 + c, 3, 2)
                       : strcmp(layout, "hwc") == 0  ? at(&heads[0], 0, 3, 2, 7 + c)
                       : strcmp(layout, "ahwc") == 0 ? at(&heads[0], 0, 1, 3, 2, c)
                                                     : at(&heads[0], 0, 1, c, 3, 2);
        *place = raw[c];
    }
}

static void check_heads(const char *preset, const char *layout, bool reversed, const float raw[7], double score,
                        const double box[4])
{
    ferry_tensor_view heads[3];
    make_heads(heads, layout, raw);
    if (reversed) {
        const ferry_tensor_view first = heads[0];
        heads[0] = heads[2];
        heads[2] = first;
    }
    ferry_result *r = decode_with(preset, heads, 3, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_int_equal(r->class_total, 2);
    assert_detection(&r->detections[0], 1, score, box[0], box[1], box[2], box[3]);
    ferry_result_destroy(r);
    for (int h = 0; h < 3; h++) free_tensor(&heads[h]);
}

static void yolov3__decodes_heads_in_any_order(void **state)
{
    (void)state;
    // cx = (sigmoid(0) + 2) * 8, cy = (0.75 + 3) * 8, w = 16 * 2, h = 30; score sigmoid(ln 3) * sigmoid(0)
    const float raw[7] = {0, LN3, LN2, 0, LN3, -20, 0};
    const double box[4] = {20 - 16, 30 - 15, 20 + 16, 30 + 15};
    check_heads("yolov3", "chw", false, raw, 0.375, box);
    check_heads("yolov3", "chw", true, raw, 0.375, box);
    check_heads("yolov3", "hwc", false, raw, 0.375, box);
    check_heads("yolov3", "achw", false, raw, 0.375, box);
}

static void yolov5__decodes_raw_heads(void **state)
{
    (void)state;
    // cx = (2 * 0.5 - 0.5 + 2) * 8, cy = (2 * 0.75 - 0.5 + 3) * 8, w = (2 * 0.75)^2 * 16, h = 1 * 30
    const float raw[7] = {0, LN3, LN3, 0, LN3, -20, 0};
    const double box[4] = {20 - 18, 32 - 15, 20 + 18, 32 + 15};
    check_heads("yolov5", "chw", false, raw, 0.375, box);
    check_heads("yolov5", "ahwc", true, raw, 0.375, box);
}

static void yolov5__decodes_concatenated_rows(void **state)
{
    (void)state;
    // The export's raw heads lie beside the decoded rows and are not read.
    ferry_tensor_view outputs[2] = {make_tensor("output", 0, 3, 1, 3 * 84, 7), make_tensor("x", 9, 5, 1, 3, 8, 8, 7)};
    const float row[7] = {20, 30, 10, 8, 0.5f, 0, 0.5f};
    for (int i = 0; i < 7; i++) *at(&outputs[0], 0, 3 * 84 - 1, i) = row[i];
    ferry_result *r = decode_with("yolov5", outputs, 2, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 1, 0.25, 15, 26, 25, 34);
    ferry_result_destroy(r);
    for (int i = 0; i < 2; i++) free_tensor(&outputs[i]);
}

static void yolov3__takes_own_anchors_and_scale_by_head(void **state)
{
    (void)state;
    static const char json[] =
        "{\"task\":\"detect\",\"box\":{\"form\":\"cxcywh\",\"origin\":\"cell\",\"center\":\"sigmoid\","
        "\"center_unit\":\"stride\",\"size\":\"exp\",\"size_unit\":\"anchor\"},"
        "\"score\":{\"objectness\":\"sigmoid\",\"classes\":\"sigmoid\"},\"heads\":["
        "{\"levels\":[{\"stride\":32,\"anchors\":[[189,126],[137,236],[265,259]],\"center_scale\":1.1}],"
        "\"outputs\":[{\"output\":\"layer69-conv\",\"layout\":\"chw\",\"fields\":[\"boxes\",\"objectness\",\"classes\"]"
        "}]},"
        "{\"levels\":[{\"stride\":16,\"anchors\":[[26,48],[67,84],[72,175]],\"center_scale\":1.05}],"
        "\"outputs\":[{\"output\":\"layer79-conv\",\"layout\":\"chw\",\"fields\":[\"boxes\",\"objectness\",\"classes\"]"
        "}]}]}";
    ferry_tensor_view heads[2] = {make_tensor("layer69-conv", -20, 4, 1, 75, 10, 10),
                                  make_tensor("layer79-conv", -20, 4, 1, 75, 20, 20)};
    // Stride 32, anchor 0, y 4, x 6: cx = ((0.75 - 0.5) * 1.1 + 0.5 + 6) * 32 = 216.8, cy = (0.5 + 4) * 32
    const float a[5] = {LN3, 0, 0, 0, LN3};
    for (int c = 0; c < 5; c++) *at(&heads[0], 0, c, 4, 6) = a[c];
    *at(&heads[0], 0, 5 + 19, 4, 6) = LN3;
    // Stride 16, anchor 2, y 1, x 10: cx = ((0.75 - 0.5) * 1.05 + 0.5 + 10) * 16 = 172.2, cy = 24
    const float b[5] = {LN3, 0, -LN2, -LN2, LN3};
    for (int c = 0; c < 5; c++) *at(&heads[1], 0, 50 + c, 1, 10) = b[c];
    *at(&heads[1], 0, 50 + 5, 1, 10) = 0;
    ferry_result *r = decode_with(json, heads, 2, 320, 320, NULL);
    assert_int_equal(r->detection_count, 2);
    assert_int_equal(r->class_total, 20);
    assert_detection(&r->detections[0], 19, 0.5625, 216.8 - 94.5, 144 - 63, 216.8 + 94.5, 144 + 63);
    assert_detection(&r->detections[1], 0, 0.375, 172.2 - 18, 0, 172.2 + 18, 24 + 43.75);
    ferry_result_destroy(r);
    for (int i = 0; i < 2; i++) free_tensor(&heads[i]);
}

static void yolov8__decodes_columns_and_rows(void **state)
{
    (void)state;
    const float values[7] = {20, 30, 10, 8, 0.1f, 0.7f, 0.2f};
    ferry_tensor_view columns = make_tensor("output0", 0, 3, 1, 7, 84), rows = make_tensor("output0", 0, 3, 1, 84, 7);
    for (int i = 0; i < 7; i++) *at(&columns, 0, i, 50) = *at(&rows, 0, 50, i) = values[i];
    ferry_result *r = decode_with("yolov8", &columns, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_int_equal(r->class_total, 3);
    assert_detection(&r->detections[0], 1, 0.7, 15, 26, 25, 34);
    ferry_result_destroy(r);
    r = decode_with("yolov8", &rows, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 1, 0.7, 15, 26, 25, 34);
    ferry_result_destroy(r);
    free_tensor(&columns);
    free_tensor(&rows);
}

static void yolov8__decodes_raw_distributions(void **state)
{
    (void)state;
    ferry_tensor_view heads[3] = {make_tensor("a", 0, 4, 1, 66, 8, 8), make_tensor("b", 0, 4, 1, 66, 4, 4),
                                  make_tensor("c", 0, 4, 1, 66, 2, 2)};
    static const int sides[3] = {8, 4, 2};
    for (int h = 0; h < 3; h++) {
        for (int i = 0; i < sides[h] * sides[h] * 2; i++) {
            *at(&heads[h], 0, 64 + i / (sides[h] * sides[h]), i / sides[h] % sides[h], i % sides[h]) = -20;
        }
    }
    // Stride 16, y 1, x 2: centre (40, 24). Left: bins 0 and 2 alike, so 1 stride; top: bin 1; right: 0.5; bottom: 0.
    const int peaks[4][2] = {{0, 2}, {1, 1}, {0, 1}, {0, 0}};
    for (int side = 0; side < 4; side++) {
        for (int k = 0; k < 2; k++) *at(&heads[1], 0, side * 16 + peaks[side][k], 1, 2) = 200;
    }
    *at(&heads[1], 0, 64 + 1, 1, 2) = LN3;
    ferry_result *r = decode_with("yolov8", heads, 3, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_int_equal(r->class_total, 2);
    assert_detection(&r->detections[0], 1, 0.75, 40 - 16, 24 - 16, 40 + 8, 24);
    ferry_result_destroy(r);
    for (int h = 0; h < 3; h++) free_tensor(&heads[h]);
}

static void ssd__drops_background_and_reports_every_class(void **state)
{
    (void)state;
    ferry_tensor_view outputs[2] = {make_tensor("scores", 0, 3, 1, 5, 21), make_tensor("boxes", 0, 3, 1, 5, 4)};
    const float box[4] = {0.1f, 0.2f, 0.5f, 0.6f};
    for (int i = 0; i < 4; i++) *at(&outputs[1], 0, 2, i) = box[i];
    *at(&outputs[0], 0, 2, 0) = 0.9f; // background: best, and never reported
    *at(&outputs[0], 0, 2, 1) = 0.3f;
    *at(&outputs[0], 0, 2, 20) = 0.6f;
    ferry_result *r = decode_with("ssd", outputs, 2, 300, 200, NULL);
    assert_int_equal(r->detection_count, 2);
    assert_int_equal(r->class_total, 20);
    assert_detection(&r->detections[0], 19, 0.6, 30, 40, 150, 120);
    assert_detection(&r->detections[1], 0, 0.3, 30, 40, 150, 120);
    ferry_result_destroy(r);
    for (int i = 0; i < 2; i++) free_tensor(&outputs[i]);
}

static void ssd__applies_offsets_to_priors(void **state)
{
    (void)state;
    // As a Caffe model without its DetectionOutput: flat offsets, flat scores, priors with variances.
    ferry_tensor_view outputs[3] = {make_tensor("mbox_loc", 0, 2, 1, 2 * 4), make_tensor("mbox_conf", 0, 2, 1, 2 * 3),
                                    make_tensor("mbox_priorbox", 0.5f, 3, 1, 2, 2 * 4)};
    const float prior[4] = {0.2f, 0.2f, 0.6f, 0.4f}; // of 300x300: centre (120, 90), 120 x 60
    for (int i = 0; i < 4; i++) *at(&outputs[2], 0, 0, 4 + i) = prior[i];
    const float offsets[4] = {0.5f, -1, 5 * LN2, 0}; // cx 120 + 0.1 * 0.5 * 120, cy 90 - 0.1 * 60, w 240, h 60
    for (int i = 0; i < 4; i++) *at(&outputs[0], 0, 4 + i) = offsets[i];
    *at(&outputs[1], 0, 3 + 2) = 0.8f;
    ferry_result *r = decode_with("ssd", outputs, 3, 300, 300, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 1, 0.8, 126 - 120, 84 - 30, 126 + 120, 84 + 30);
    ferry_result_destroy(r);
    for (int i = 0; i < 3; i++) free_tensor(&outputs[i]);
}

static void nanodet__takes_expected_distances(void **state)
{
    (void)state;
    ferry_tensor_view outputs[6] = {make_tensor("c8", 0, 3, 1, 64, 80),  make_tensor("c16", 0, 3, 1, 16, 80),
                                    make_tensor("c32", 0, 3, 1, 4, 80),  make_tensor("d8", 0, 3, 1, 64, 32),
                                    make_tensor("d16", 0, 3, 1, 16, 32), make_tensor("d32", 0, 3, 1, 4, 32)};
    // Stride 16, y 1, x 2: centre (39.5, 23.5). Left: flat, so 3.5 bins would be 56; it is cut off at the picture.
    *at(&outputs[1], 0, 6, 7) = 0.5f;
    *at(&outputs[4], 0, 6, 8 + 1) = 300;  // top: bin 1
    *at(&outputs[4], 0, 6, 16 + 0) = 300; // right: bins 0 and 1
    *at(&outputs[4], 0, 6, 16 + 1) = 300;
    *at(&outputs[4], 0, 6, 24 + 2) = 300; // bottom: bin 2
    ferry_result *r = decode_with("nanodet", outputs, 6, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 7, 0.5, 0, 23.5 - 16, 39.5 + 8, 23.5 + 32);
    ferry_result_destroy(r);
    for (int i = 0; i < 6; i++) free_tensor(&outputs[i]);
}

static void nanodet_plus__has_classes_first_and_no_half_cell(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("output", 0, 3, 1, 64 + 16 + 4 + 1, 2 + 32);
    *at(&out, 0, 64 + 6, 1) = 0.5f; // stride 16, y 1, x 2: origin (32, 16)
    for (int side = 0; side < 4; side++) *at(&out, 0, 64 + 6, 2 + side * 8 + 1) = 300;
    ferry_result *r = decode_with("nanodet", &out, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 1, 0.5, 16, 0, 48, 32);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void fastestdet__weighs_scores_and_scales_to_the_input(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("758", 0, 4, 1, 85, 22, 22);
    *at(&out, 0, 0, 10, 5) = 0.5f;              // objectness
    *at(&out, 0, 1, 10, 5) = atanhf(0.5f);      // cx = (5 + 0.5) / 22
    *at(&out, 0, 2, 10, 5) = 0;                 // cy = 10 / 22
    *at(&out, 0, 3, 10, 5) = -LN3;              // w = 0.25
    *at(&out, 0, 4, 10, 5) = logf(0.1f / 0.9f); // h = 0.1
    *at(&out, 0, 5 + 40, 10, 5) = 0.8f;
    ferry_result *r = decode_with("fastestdet", &out, 1, 352, 352, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 40, pow(0.5, 0.6) * pow(0.8, 0.4), 88 - 44, 160 - 17.6, 88 + 44, 160 + 17.6);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void ultraface__reads_faces_from_both_kinds_of_model(void **state)
{
    (void)state;
    ferry_tensor_view outputs[2] = {make_tensor("scores", 0, 3, 1, 4420, 2), make_tensor("boxes", 0, 3, 1, 4420, 4)};
    const int row = 3600 + (3 * 20 + 7) * 2 + 1; // stride 16, y 3, x 7, second size (48): centre (120, 56)
    *at(&outputs[0], 0, row, 0) = 0.1f;
    *at(&outputs[0], 0, row, 1) = 0.9f;
    const float decoded[4] = {0.25f, 0.1f, 0.5f, 0.4f};
    for (int i = 0; i < 4; i++) *at(&outputs[1], 0, row, i) = decoded[i];
    ferry_result *r = decode_with("ultraface", outputs, 2, 320, 240, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_int_equal(r->class_total, 1);
    assert_detection(&r->detections[0], 0, 0.9, 80, 24, 160, 96);
    ferry_result_destroy(r);
    const float offsets[4] = {1, -2, 5 * LN2, 0}; // cx 120 + 4.8, cy 56 - 9.6, w 96, h 48
    for (int i = 0; i < 4; i++) *at(&outputs[1], 0, row, i) = offsets[i];
    r = decode_with("ultraface-raw", outputs, 2, 320, 240, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 0, 0.9, 124.8 - 48, 46.4 - 24, 124.8 + 48, 46.4 + 24);
    ferry_result_destroy(r);
    // The largest prior is 256 high, and cut to the input's 240.
    *at(&outputs[0], 0, row, 1) = 0;
    *at(&outputs[0], 0, 4419, 1) = 0.9f; // stride 64, y 3, x 4: centre (288, 224)
    r = decode_with("ultraface-raw", outputs, 2, 320, 240, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 0, 0.9, 160, 104, 320, 240);
    ferry_result_destroy(r);
    for (int i = 0; i < 2; i++) free_tensor(&outputs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolox__adds_cell_and_multiplies_stride),
        cmocka_unit_test(yolox_decoded__takes_pixels),
        cmocka_unit_test(yolov3__decodes_heads_in_any_order),
        cmocka_unit_test(yolov3__takes_own_anchors_and_scale_by_head),
        cmocka_unit_test(yolov5__decodes_raw_heads),
        cmocka_unit_test(yolov5__decodes_concatenated_rows),
        cmocka_unit_test(yolov8__decodes_columns_and_rows),
        cmocka_unit_test(yolov8__decodes_raw_distributions),
        cmocka_unit_test(ssd__drops_background_and_reports_every_class),
        cmocka_unit_test(ssd__applies_offsets_to_priors),
        cmocka_unit_test(nanodet__takes_expected_distances),
        cmocka_unit_test(nanodet_plus__has_classes_first_and_no_half_cell),
        cmocka_unit_test(fastestdet__weighs_scores_and_scales_to_the_input),
        cmocka_unit_test(ultraface__reads_faces_from_both_kinds_of_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
