// SPDX-License-Identifier: Apache-2.0
// What all detectors share: thresholds, ties, broken numbers, batches, types, and the way back to the picture.
#include "decode_support.h"

#include "base/f16.h"

// Rows of x1, y1, x2, y2 in pixels, then class scores.
#define PLAIN                                                                                                          \
    "{\"task\":\"detect\",\"box\":{\"form\":\"xyxy\"},\"heads\":[{\"outputs\":[{\"fields\":[\"boxes\",\"classes\"]}]}" \
    "]}"

static void set_row(ferry_tensor_view *v, int batch, int row, const float *values)
{
    for (int i = 0; i < v->dims[2]; i++) *at(v, batch, row, i) = values[i];
}

static void detect__finds_nothing_in_silence(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, 10, 6);
    ferry_result *r = decode_with(PLAIN, &out, 1, 64, 64, NULL);
    assert_int_equal(r->task, FERRY_TASK_DETECT);
    assert_int_equal(r->detection_count, 0);
    assert_int_equal(r->candidate_count, 0);
    char *text = NULL;
    assert_int_equal(ferry_result_to_json(r, NULL, NULL, &text, NULL), FERRY_OK);
    assert_string_equal(text, "{\"task\":\"detect\",\"detections\":[]}");
    ferry_text_free(NULL, text);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void detect__orders_ties_by_place(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, 4, 6);
    set_row(&out, 0, 0, (const float[]){40, 0, 50, 10, 0, 0.5f});
    set_row(&out, 0, 1, (const float[]){20, 0, 30, 10, 0.5f, 0.5f}); // the first of equal classes
    set_row(&out, 0, 2, (const float[]){20, 0, 30, 10, 0.5f, 0});    // the same box again: suppressed
    set_row(&out, 0, 3, (const float[]){0, 0, 10, 10, 0.5f, 0});
    ferry_result *r = decode_with(PLAIN, &out, 1, 64, 64, NULL);
    assert_int_equal(r->candidate_count, 4);
    assert_int_equal(r->detection_count, 3);
    assert_detection(&r->detections[0], 1, 0.5, 40, 0, 50, 10);
    assert_detection(&r->detections[1], 0, 0.5, 20, 0, 30, 10);
    assert_detection(&r->detections[2], 0, 0.5, 0, 0, 10, 10);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void detect__drops_and_counts_what_is_not_finite(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, 6, 6);
    set_row(&out, 0, 0, (const float[]){0, 0, 10, 10, NAN, 0.9f});      // the other class remains
    set_row(&out, 0, 1, (const float[]){NAN, 0, 10, 10, 0.9f, 0});      // no box
    set_row(&out, 0, 2, (const float[]){0, 0, INFINITY, 10, 0.9f, 0});  // no box
    set_row(&out, 0, 3, (const float[]){0, 0, 10, 10, INFINITY, 0});    // no score
    set_row(&out, 0, 4, (const float[]){NAN, NAN, NAN, NAN, 0.1f, 0});  // below the threshold: not looked at
    set_row(&out, 0, 5, (const float[]){0, 0, 10, 10, -INFINITY, NAN}); // nothing left
    ferry_result *r = decode_with(PLAIN, &out, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 1, 0.9, 0, 0, 10, 10);
    // One score in row 0, the boxes of 1 and 2, the scores of 3, and both of 5.
    assert_int_equal(r->nonfinite_count, 6);
    char *text = NULL;
    assert_int_equal(ferry_result_to_json(r, NULL, NULL, &text, NULL), FERRY_OK);
    assert_non_null(strstr(text, "\"nonfinite\":6"));
    ferry_text_free(NULL, text);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void detect__drops_empty_boxes_and_those_off_the_picture(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, 5, 5);
    set_row(&out, 0, 0, (const float[]){10, 10, 10, 20, 0.9f});
    set_row(&out, 0, 1, (const float[]){20, 10, 10, 20, 0.9f});
    set_row(&out, 0, 2, (const float[]){-20, 10, -1, 20, 0.9f});
    set_row(&out, 0, 3, (const float[]){64, 10, 80, 20, 0.9f});
    set_row(&out, 0, 4, (const float[]){-20, 50, 80, 90, 0.9f});
    ferry_result *r = decode_with(PLAIN, &out, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 0, 0.9, 0, 50, 64, 64);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void detect__obeys_its_options(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, COUNT, 6);
    for (int i = 0; i < COUNT; i++) {
        set_row(&out, 0, i, (const float[]){(float)(3 * i), 0, (float)(3 * i + 2), 10, 0.02f * (float)(i + 1), 0.3f});
    }
    ferry_decode_options o;
    ferry_decode_options_default(&o);
    ferry_result *r = decode_with(PLAIN, &out, 1, 64, 64, &o);
    assert_int_equal(r->detection_count, COUNT);
    ferry_result_destroy(r);
    o.max_det = 3;
    o.max_candidates = 5;
    r = decode_with(PLAIN, &out, 1, 64, 64, &o);
    assert_int_equal(r->detection_count, 3);
    assert_int_equal(r->candidates_lost, COUNT - 5);
    assert_near(r->detections[0].score, 0.4, 1e-6);
    ferry_result_destroy(r);
    ferry_decode_options_eval(&o);
    assert_near(o.score_threshold, 0.01, 1e-9);
    assert_near(o.nms_iou, 0.6, 1e-6);
    r = decode_with(PLAIN, &out, 1, 64, 64, &o);
    assert_int_equal(r->detection_count, 2 * COUNT); // many labels per box
    ferry_result_destroy(r);
    o = (ferry_decode_options){.size = sizeof o, .score_threshold = 0.35f, .labels_per_box = FERRY_LABELS_MANY};
    r = decode_with(PLAIN, &out, 1, 64, 64, &o);
    assert_int_equal(r->detection_count, 3); // 0.36, 0.38, 0.40
    ferry_result_destroy(r);
    o = (ferry_decode_options){.size = sizeof o, .score_threshold = -1, .max_det = 1000};
    *at(&out, 0, 0, 4) = *at(&out, 0, 0, 5) = 0;
    r = decode_with(PLAIN, &out, 1, 64, 64, &o);
    assert_int_equal(r->detection_count, COUNT);
    ferry_result_destroy(r);
    ferry_decoder *d = get_decoder(PLAIN);
    const ferry_preprocess_geometry g = identity(64, 64);
    r = get_result();
    o.score_threshold = NAN;
    assert_int_equal(ferry_decoder_run(d, &out, 1, &g, &o, r, NULL), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_decoder_run(d, &out, 1, NULL, NULL, r, NULL), FERRY_ERR_INVALID_ARGUMENT);
    out.dtype = FERRY_DTYPE_NONE;
    assert_int_equal(ferry_decoder_run(d, &out, 1, &g, NULL, r, NULL), FERRY_ERR_UNSUPPORTED);
    ferry_result_destroy(r);
    ferry_decoder_destroy(d);
    free_tensor(&out);
}

static void detect__takes_its_sample_of_a_batch(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 3, 2, 3, 5);
    set_row(&out, 0, 1, (const float[]){0, 0, 10, 10, 0.5f});
    set_row(&out, 1, 2, (const float[]){20, 20, 30, 30, 0.6f});
    ferry_decode_options o = {.size = sizeof o, .batch_index = 1};
    ferry_result *r = decode_with(PLAIN, &out, 1, 64, 64, &o);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 0, 0.6, 20, 20, 30, 30);
    ferry_decoder *d = get_decoder(PLAIN);
    const ferry_preprocess_geometry g = identity(64, 64);
    ferry_error error;
    o.batch_index = 2;
    assert_int_equal(ferry_decoder_run(d, &out, 1, &g, &o, r, &error), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "sample 2 of output 'o', which holds 2"));
    assert_int_equal(r->task, FERRY_TASK_RAW); // emptied
    assert_int_equal(r->detection_count, 0);
    ferry_decoder_destroy(d);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void detect__reads_other_types(void **state)
{
    (void)state;
    const float row[5] = {2, 4, 10, 12, 0.5f};
    uint16_t half[5], brain[5];
    double wide[5];
    for (int i = 0; i < 5; i++) {
        half[i] = ferry_f16_from_f32(row[i]);
        brain[i] = (uint16_t)(ferry_f32_bits(row[i]) >> 16);
        wide[i] = row[i];
    }
    const int8_t s8[5] = {2, 4, 10, 12, 1};
    const uint16_t u16[5] = {2, 4, 10, 12, 1};
    const int32_t s32[5] = {2, 4, 10, 12, 1};
    const uint64_t u64[5] = {2, 4, 10, 12, 1};
    const struct {
        ferry_dtype dtype;
        const void *data;
        double score;
    } cases[] = {{FERRY_F16, half, 0.5}, {FERRY_BF16, brain, 0.5}, {FERRY_F64, wide, 0.5}, {FERRY_S8, s8, 1},
                 {FERRY_U8, s8, 1},      {FERRY_U16, u16, 1},      {FERRY_S16, u16, 1},    {FERRY_S32, s32, 1},
                 {FERRY_U32, s32, 1},    {FERRY_U64, u64, 1},      {FERRY_S64, u64, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ferry_tensor_view v = {
            .name = "o", .dtype = cases[i].dtype, .rank = 3, .dims = {1, 1, 5}, .data = cases[i].data};
        ferry_result *r = decode_with(PLAIN, &v, 1, 64, 64, NULL);
        assert_int_equal(r->detection_count, 1);
        assert_detection(&r->detections[0], 0, cases[i].score, 2, 4, 10, 12);
        ferry_result_destroy(r);
    }
}

static void detect__maps_boxes_back_to_the_picture(void **state)
{
    (void)state;
    // A picture of 128 x 64, halved and put into the middle of an input of 64 x 64.
    ferry_preprocess_geometry g = identity(64, 64);
    g.source_width = 128;
    g.resized_height = 32;
    g.offset_y = 16;
    g.content_y = 16;
    g.content_height = 32;
    g.scale_x = g.scale_y = 0.5;
    g.source_height = 64;
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, 3, 5);
    set_row(&out, 0, 0, (const float[]){10, 20, 30, 40, 0.9f});
    set_row(&out, 0, 1, (const float[]){40, 4, 70, 26, 0.8f}); // over the upper and the right edge
    set_row(&out, 0, 2, (const float[]){0, 0, 60, 16, 0.7f});  // in the padding
    ferry_decoder *d = get_decoder(PLAIN);
    ferry_result *r = get_result();
    ferry_error error;
    assert_ok(ferry_decoder_run(d, &out, 1, &g, NULL, r, &error), &error);
    assert_int_equal(r->detection_count, 2);
    assert_detection(&r->detections[0], 0, 0.9, 20, 8, 60, 48);
    assert_detection(&r->detections[1], 0, 0.8, 80, 0, 128, 20);
    ferry_result_destroy(r);
    ferry_decoder_destroy(d);
    free_tensor(&out);
}

static void detect__understands_less_common_rules(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, 2, 6);
    set_row(&out, 0, 1, (const float[]){0.25f, 0.5f, 0.5f, 1, 0.8f, 17});
    // End-to-end networks give the class as a number; TensorFlow gives y before x.
    ferry_result *r = decode_with("{\"task\":\"detect\",\"class_offset\":1,\"box\":{\"form\":\"xyxy\",\"swap_xy\":true,"
                                  "\"unit\":\"input\"},\"heads\":[{\"outputs\":[{\"fields\":[\"boxes\",\"objectness\","
                                  "\"class_index\"]}]}]}",
                                  &out, 1, 100, 40, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_int_equal(r->class_total, 0);
    assert_detection(&r->detections[0], 16, 0.8, 50, 10, 100, 20);
    ferry_result_destroy(r);
    // Softmax over all classes with the background; channels in between are skipped.
    set_row(&out, 0, 0, (const float[]){0, 0, 10, 10, 99, 0});
    const float raw[6] = {0, 0, 10, 10, 0.6931472f, 0};
    for (int i = 0; i < 6; i++) *at(&out, 0, 1, i) = raw[i];
    *at(&out, 0, 0, 4) = -90;
    r = decode_with(
        "{\"task\":\"detect\",\"class_offset\":1,\"box\":{\"form\":\"xyxy\"},\"score\":{\"classes\":\"softmax\"},"
        "\"heads\":[{\"outputs\":[{\"fields\":[\"boxes\",\"classes\"]}]}]}",
        &out, 1, 64, 64, &(ferry_decode_options){.size = sizeof(ferry_decode_options), .nms_iou = 1});
    assert_int_equal(r->detection_count, 2);
    assert_near(r->detections[0].score, 1, 1e-6);
    assert_near(r->detections[1].score, 1.0 / 3, 1e-6);
    ferry_result_destroy(r);
    r = decode_with("{\"task\":\"detect\",\"box\":{\"form\":\"xyxy\"},\"score\":{\"objectness\":\"sigmoid\"},"
                    "\"heads\":[{\"outputs\":[{\"fields\":[\"boxes\",{\"skip\":1},\"objectness\"]}]}]}",
                    &out, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1); // the same box twice
    assert_int_equal(r->class_total, 1);
    assert_detection(&r->detections[0], 0, 0.5, 0, 0, 10, 10);
    ferry_result_destroy(r);
    free_tensor(&out);
}

static void detect__takes_the_stride_from_the_grid(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 4, 1, 5, 4, 8); // of 64 x 64: strides 8 and 16
    *at(&out, 0, 4, 1, 2) = 0.9f;
    *at(&out, 0, 2, 1, 2) = *at(&out, 0, 3, 1, 2) = 1;
    ferry_result *r =
        decode_with("{\"task\":\"detect\",\"box\":{\"form\":\"cxcywh\",\"origin\":\"cell_center\","
                    "\"size_unit\":\"stride\"},\"heads\":[{\"levels\":[{}],\"outputs\":[{\"layout\":\"chw\","
                    "\"fields\":[\"boxes\",\"classes\"]}]}]}",
                    &out, 1, 64, 64, NULL);
    assert_int_equal(r->detection_count, 1);
    assert_detection(&r->detections[0], 0, 0.9, 16, 16, 24, 32);
    ferry_result_destroy(r);
    free_tensor(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detect__finds_nothing_in_silence),
        cmocka_unit_test(detect__orders_ties_by_place),
        cmocka_unit_test(detect__drops_and_counts_what_is_not_finite),
        cmocka_unit_test(detect__drops_empty_boxes_and_those_off_the_picture),
        cmocka_unit_test(detect__obeys_its_options),
        cmocka_unit_test(detect__takes_its_sample_of_a_batch),
        cmocka_unit_test(detect__reads_other_types),
        cmocka_unit_test(detect__maps_boxes_back_to_the_picture),
        cmocka_unit_test(detect__understands_less_common_rules),
        cmocka_unit_test(detect__takes_the_stride_from_the_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
