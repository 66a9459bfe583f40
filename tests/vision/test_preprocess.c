// SPDX-License-Identifier: Apache-2.0
// Preprocessing settings, geometry and element types. The pixels themselves are compared with Pillow in test_pillow.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/f16.h"
#include "ferry/preprocess.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

static ferry_error err;

static ferry_preprocess preset(const char *name, uint32_t width, uint32_t height)
{
    ferry_preprocess p;
    assert_int_equal(ferry_preprocess_preset(name, &p, &err), FERRY_OK);
    p.width = width;
    p.height = height;
    return p;
}

static ferry_preprocess_geometry plan(const ferry_preprocess *p, uint32_t width, uint32_t height)
{
    ferry_preprocess_geometry g;
    if (ferry_preprocess_plan(p, width, height, &g, &err) != FERRY_OK) fail_msg("%s", err.text);
    return g;
}

static void presets__exist_are_valid_and_are_listed(void **state)
{
    (void)state;
    ferry_preprocess p;
    size_t n = 0;
    for (const char *name; (name = ferry_preprocess_preset_name(n)); n++) {
        assert_int_equal(ferry_preprocess_preset(name, &p, &err), FERRY_OK);
        assert_int_equal(ferry_preprocess_check(&p, &err), FERRY_OK);
    }
    assert_int_equal(n, 7);
    assert_int_equal(ferry_preprocess_parse("imagnet", &p, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "'imagnet': there are imagenet, unit, tf, yolo, yolox, nanodet, ssd"));
}

static void json__is_canonical_and_comes_back(void **state)
{
    (void)state;
    char text[1024], again[1024];
    ferry_preprocess p = preset("imagenet", 224, 224), back;
    assert_int_equal(ferry_preprocess_to_json(&p, text, sizeof text, &err), FERRY_OK);
    assert_string_equal(text, "{\"size\":[224,224],\"resize\":\"crop\",\"resize_shorter\":0,\"rounding\":\"down\","
                              "\"align\":\"center\",\"filter\":\"bilinear\",\"color\":\"rgb\",\"layout\":\"nchw\","
                              "\"mean\":[123.675,116.28,103.53],\"std\":[58.395,57.12,57.375],\"pad\":[114,114,114]}");
    for (size_t i = 0; ferry_preprocess_preset_name(i); i++) {
        p = preset(ferry_preprocess_preset_name(i), 640, 384);
        p.mean[1] = 1.0 / 3.0;
        p.std[2] = 1e-5;
        p.pad[0] = 0.1 + 0.2;
        assert_int_equal(ferry_preprocess_to_json(&p, text, sizeof text, &err), FERRY_OK);
        assert_int_equal(ferry_preprocess_from_json(text, strlen(text), &back, &err), FERRY_OK);
        assert_memory_equal(&p.mean, &back.mean, sizeof p.mean);
        assert_memory_equal(&p.std, &back.std, sizeof p.std);
        assert_memory_equal(&p.pad, &back.pad, sizeof p.pad);
        assert_int_equal(ferry_preprocess_to_json(&back, again, sizeof again, &err), FERRY_OK);
        assert_string_equal(text, again);
    }
    assert_int_equal(ferry_preprocess_to_json(&p, text, strlen(again), &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_preprocess_to_json(&p, text, strlen(again) + 1, &err), FERRY_OK);
}

static void hash__tells_settings_apart(void **state)
{
    (void)state;
    ferry_preprocess a = preset("unit", 224, 224), b = a;
    uint64_t ha = 0, hb = 0;
    assert_int_equal(ferry_preprocess_hash(&a, &ha, &err), FERRY_OK);
    assert_int_equal(ferry_preprocess_hash(&b, &hb, &err), FERRY_OK);
    assert_true(ha == hb);
    b.pad[2] = 113.5;
    assert_int_equal(ferry_preprocess_hash(&b, &hb, &err), FERRY_OK);
    assert_true(ha != hb);
    assert_true(ha == UINT64_C(0x529c032f316107fc)); // kept in engine files: must never change
}

static void json__errors_name_the_key(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"sized\":[1,2]}", "unknown key 'sized'"},
        {"{\"size\":[1.5,2]}", "'size' must be [width, height]"},
        {"{\"size\":224}", "'size' must be [width, height]"},
        {"{\"size\":[1,-2]}", "'size' must be [width, height]"},
        {"{\"resize\":\"squash\"}", "'resize' is 'squash', must be one of stretch, letterbox, crop, keep_ratio_height"},
        {"{\"resize\":3}", "'resize' must be"},
        {"{\"mean\":[1,2]}", "'mean' must be a number, or a list of three"},
        {"{\"mean\":\"1\"}", "'mean' must be"},
        {"{\"std\":[1,0,1]}", "std is 0"},
        {"{\"pad\":256}", "pad is 256"},
        {"{\"pad\":1e400}", "JSON"},
        {"{\"resize_shorter\":70000}", "'resize_shorter'"},
        {"{\"preset\":\"none\"}", "no preprocessing preset 'none'"},
        {"[]", "must be an object"},
        {"{\"std\":1,\"std\":2}", "JSON"},
        {"{", "not valid JSON"},
        {"", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ferry_preprocess p, untouched;
        memset(&p, 0x5a, sizeof p);
        memset(&untouched, 0x5a, sizeof untouched);
        assert_int_equal(ferry_preprocess_from_json(cases[i][0], strlen(cases[i][0]), &p, &err), FERRY_ERR_BAD_DATA);
        if (!strstr(err.text, cases[i][1])) fail_msg("%s: '%s' does not say '%s'", cases[i][0], err.text, cases[i][1]);
        assert_memory_equal(&p, &untouched, sizeof p);
    }
}

static void parse__reads_files_that_begin_from_a_preset(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    static const char text[] = "{ \"preset\": \"nanodet\", \"size\": [320, 256], \"pad\": 127.5 }";
    ferry_preprocess p;
    assert_int_equal(ferry_preprocess_parse(ferry_temp_write(&folder, "a.json", text, sizeof text - 1), &p, &err),
                     FERRY_OK);
    assert_int_equal(p.width, 320);
    assert_int_equal(p.color, FERRY_COLOR_BGR);
    assert_true(p.pad[1] == 127.5 && p.mean[0] == 123.675);
    assert_int_equal(ferry_preprocess_parse(ferry_temp_write(&folder, "b.json", "{\"x\":1}", 7), &p, &err),
                     FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "b.json: preprocessing: unknown key 'x'"));
    assert_int_equal(ferry_preprocess_parse("none/there.json", &p, &err), FERRY_ERR_IO);
    ferry_temp_folder_remove(&folder);
}

static void set__takes_the_commands_options(void **state)
{
    (void)state;
    ferry_preprocess p;
    ferry_preprocess_default(&p);
    static const char *const good[][2] = {
        {"size", "320x240"}, {"resize", "letterbox"}, {"mean", "1,2.5,-3e1"}, {"std", "255"},
        {"pad", "127.5"},    {"align", "topleft"},    {"filter", "lanczos"},  {"color", "bgr"},
        {"layout", "nhwc"},  {"resize-shorter", "9"}, {"rounding", "down"},   {"keep-ratio-height", "48"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (ferry_preprocess_set(&p, good[i][0], good[i][1], &err) != FERRY_OK) fail_msg("%s", err.text);
    }
    assert_true(p.width == 320 && p.height == 48 && p.mode == FERRY_RESIZE_KEEP_RATIO_HEIGHT && p.mean[2] == -30.0);
    assert_true(p.std[2] == 255 && p.pad[0] == 127.5 && p.align == FERRY_ALIGN_TOPLEFT &&
                p.filter == FERRY_FILTER_LANCZOS);
    assert_true(p.color == FERRY_COLOR_BGR && p.layout == FERRY_LAYOUT_NHWC && p.resize_shorter == 9 &&
                p.rounding == FERRY_ROUNDING_DOWN);
    const ferry_preprocess before = p;
    static const char *const bad[][2] = {
        {"size", "320"},     {"size", "0x3"}, {"size", "1x2x3"}, {"size", "1x-2"},  {"mean", "1,2"},
        {"mean", "1,2,3,4"}, {"mean", "a"},   {"std", "0"},      {"std", "nan"},    {"pad", "300"},
        {"align", "left"},   {"filter", ""},  {"color", "RGB "}, {"layout", "chw"}, {"resize-shorter", "0"},
        {"colour", "rgb"},   {"mean", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ferry_preprocess_set(&p, bad[i][0], bad[i][1], &err), FERRY_ERR_INVALID_ARGUMENT);
        assert_memory_equal(&p, &before, sizeof p);
    }
    assert_int_equal(ferry_preprocess_set(&p, "align", "left", &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "--align 'left': must be one of center, topleft");
}

static void set_input__takes_open_sizes_and_refuses_contradictions(void **state)
{
    (void)state;
    ferry_preprocess p = preset("unit", 0, 0);
    assert_int_equal(ferry_preprocess_set_input(&p, 0, 224, 3, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "width open: give --size WxH"));
    assert_int_equal(ferry_preprocess_set_input(&p, 192, 224, 3, &err), FERRY_OK);
    assert_true(p.width == 192 && p.height == 224);
    assert_int_equal(ferry_preprocess_set_input(&p, 193, 224, 3, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "width 192, the model's input has 193"));
    assert_int_equal(ferry_preprocess_set_input(&p, 0, 0, 1, &err), FERRY_ERR_INVALID_ARGUMENT);
    p.color = FERRY_COLOR_GRAY;
    assert_int_equal(ferry_preprocess_set_input(&p, 0, 0, 1, &err), FERRY_OK);
    ferry_preprocess line = preset("unit", 0, 0);
    line.mode = FERRY_RESIZE_KEEP_RATIO_HEIGHT;
    assert_int_equal(ferry_preprocess_set_input(&line, 0, 48, 0, &err), FERRY_OK);
    assert_true(line.width == 0 && line.height == 48);
}

static void geometry__of_known_pictures(void **state)
{
    (void)state;
    ferry_preprocess p = preset("yolo", 640, 640);
    ferry_preprocess_geometry g = plan(&p, 810, 1080);
    assert_true(g.resized_width == 480 && g.resized_height == 640 && g.offset_x == 80 && g.offset_y == 0);
    g = plan(&p, 1280, 720);
    assert_true(g.content_y == 140 && g.content_height == 360 && g.content_width == 640);
    g = plan(&p, 640, 427); // 213 rows of padding: 106 above, 107 below
    assert_true(g.offset_y == 106 && g.content_height == 427);
    p = preset("imagenet", 224, 224);
    g = plan(&p, 451, 300);
    assert_true(g.resized_width == 384 && g.resized_height == 256 && g.offset_x == -80 && g.offset_y == -16);
    assert_true(g.content_x == 0 && g.content_width == 224);
    p.rounding = FERRY_ROUNDING_NEAREST;
    g = plan(&p, 451, 300);
    assert_true(g.resized_width == 385 && g.offset_x == -80);
    p.resize_shorter = 100;
    g = plan(&p, 100, 150);
    assert_true(g.offset_x == 62 && g.content_x == 62 && g.content_width == 100 && g.content_height == 150);
    p.mode = FERRY_RESIZE_KEEP_RATIO_HEIGHT;
    p.height = 48;
    p.width = 0;
    g = plan(&p, 393, 50);
    assert_true(g.width == 377 && g.content_width == 377);
    p.width = 320;
    g = plan(&p, 393, 50);
    assert_true(g.width == 320 && g.content_width == 320);
    g = plan(&p, 100, 48);
    assert_true(g.width == 320 && g.content_width == 100 && g.content_x == 0);
    assert_int_equal(ferry_preprocess_elements(&g), 3 * 48 * 320);
}

static void geometry__extremes_are_answered(void **state)
{
    (void)state;
    ferry_preprocess_geometry g;
    ferry_preprocess p = preset("imagenet", 224, 224);
    g = plan(&p, 1, 1 << 20);
    assert_true(g.content_width == 224 && g.content_height == 224 && g.resized_height == 1 << 28);
    assert_int_equal(ferry_preprocess_plan(&p, 1, 1 << 26, &g, &err), FERRY_ERR_BAD_DATA);
    p = preset("yolo", 640, 640);
    g = plan(&p, 1, 1 << 26);
    assert_true(g.resized_width == 1 && g.resized_height == 640);
    p.mode = FERRY_RESIZE_KEEP_RATIO_HEIGHT;
    p.width = 0;
    assert_int_equal(ferry_preprocess_plan(&p, 1 << 20, 3, &g, &err), FERRY_ERR_BAD_DATA);
    assert_int_equal(ferry_preprocess_plan(&p, 0, 3, &g, &err), FERRY_ERR_INVALID_ARGUMENT);
    p = preset("yolo", 0, 0);
    assert_int_equal(ferry_preprocess_plan(&p, 5, 3, &g, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "--size WxH"));
    p.size = 8;
    assert_int_equal(ferry_preprocess_plan(&p, 5, 3, &g, &err), FERRY_ERR_INVALID_ARGUMENT);
}

static void unmap__brings_boxes_back_and_clips(void **state)
{
    (void)state;
    const ferry_preprocess p = preset("yolo", 640, 640);
    const ferry_preprocess_geometry g = plan(&p, 1280, 720);
    float rows[2][6] = {{0, 140, 640, 500, 0.5f, 3}, {-10, 150, 100, 700, 0.25f, 4}};
    ferry_preprocess_unmap_boxes(&g, rows[0], 2, sizeof rows[0]);
    const float expected[2][6] = {{0, 0, 1280, 720, 0.5f, 3}, {0, 20, 200, 720, 0.25f, 4}};
    assert_memory_equal(rows, expected, sizeof rows);
    float points[2] = {320, 320};
    ferry_preprocess_unmap_points(&g, points, 1);
    assert_true(points[0] == 640 && points[1] == 360);
}

static void unmap__cuts_the_padding_off_a_mask(void **state)
{
    (void)state;
    ferry_preprocess p = preset("yolo", 8, 8);
    p.align = FERRY_ALIGN_TOPLEFT;
    const ferry_preprocess_geometry g = plan(&p, 16, 8); // the input's upper half
    uint8_t mask[8][8];
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 8; x++) mask[y][x] = (uint8_t)(y < 4 ? 10 * y + x : 99);
    }
    ferry_picture out;
    assert_int_equal(ferry_preprocess_unmap_mask(&g, mask[0], 8, 8, 255, NULL, &out, &err), FERRY_OK);
    assert_true(out.width == 16 && out.height == 8 && out.channels == 1);
    for (uint32_t y = 0; y < 8; y++) {
        for (uint32_t x = 0; x < 16; x++) assert_int_equal(out.pixels[y * out.stride_bytes + x], mask[y / 2][x / 2]);
    }
    ferry_picture_deinit(&out);
    const uint8_t coarse[4] = {1, 2, 3, 4};
    assert_int_equal(ferry_preprocess_unmap_mask(&g, coarse, 2, 2, 255, NULL, &out, &err), FERRY_OK);
    assert_true(out.pixels[0] == 1 && out.pixels[15] == 2 && out.pixels[7 * out.stride_bytes] == 1);
    ferry_picture_deinit(&out);
    p = preset("imagenet", 4, 4);
    p.resize_shorter = 4;
    const ferry_preprocess_geometry cut = plan(&p, 8, 4);
    assert_int_equal(ferry_preprocess_unmap_mask(&cut, coarse, 2, 2, 255, NULL, &out, &err), FERRY_OK);
    assert_true(out.pixels[0] == 255 && out.pixels[1] == 255 && out.pixels[2] == 1 && out.pixels[5] == 2 &&
                out.pixels[6] == 255);
    ferry_picture_deinit(&out);
    assert_int_equal(ferry_preprocess_unmap_mask(&g, NULL, 2, 2, 255, NULL, &out, &err), FERRY_ERR_INVALID_ARGUMENT);
}

static void run__makes_every_element_type(void **state)
{
    (void)state;
    uint8_t pixels[2][2][4] = {{{10, 20, 30, 1}, {40, 50, 60, 2}}, {{70, 80, 90, 3}, {200, 250, 255, 4}}};
    const ferry_picture rgba = {pixels[0][0], 2, 2, 4, 8, 0, {0}};
    ferry_preprocess p;
    ferry_preprocessor *worker = NULL;
    ferry_preprocess_default(&p);
    p.width = p.height = 2;
    assert_int_equal(ferry_preprocessor_create(&p, NULL, &worker, &err), FERRY_OK);
    uint8_t bytes[12];
    assert_int_equal(ferry_preprocessor_run(worker, &rgba, FERRY_U8, bytes, sizeof bytes, NULL, &err), FERRY_OK);
    const uint8_t planes[12] = {10, 40, 70, 200, 20, 50, 80, 250, 30, 60, 90, 255};
    assert_memory_equal(bytes, planes, 12);
    assert_int_equal(ferry_preprocessor_run(worker, &rgba, FERRY_S8, bytes, sizeof bytes, NULL, &err), FERRY_OK);
    assert_true(bytes[0] == 10 && bytes[3] == 127);
    assert_int_equal(ferry_preprocessor_run(worker, &rgba, FERRY_U8, bytes, 11, NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "takes 12 bytes (3x2x2), the buffer has 11"));
    assert_int_equal(ferry_preprocessor_run(worker, &rgba, FERRY_S64, bytes, 12, NULL, &err), FERRY_ERR_UNSUPPORTED);
    ferry_preprocessor_destroy(worker);

    for (int c = 0; c < 3; c++) p.mean[c] = 127.5, p.std[c] = 127.5;
    p.mean[0] = 10;
    p.layout = FERRY_LAYOUT_NHWC;
    p.color = FERRY_COLOR_BGR;
    assert_int_equal(ferry_preprocessor_create(&p, NULL, &worker, &err), FERRY_OK);
    float values[12];
    uint16_t halves[12];
    assert_int_equal(ferry_preprocessor_run(worker, &rgba, FERRY_F32, values, sizeof values, NULL, &err), FERRY_OK);
    assert_true(values[2] == 0.0f && values[0] == (float)((30 - 127.5) / 127.5) && values[9] == 1.0f);
    assert_int_equal(ferry_preprocessor_run(worker, &rgba, FERRY_F16, halves, sizeof halves, NULL, &err), FERRY_OK);
    for (int i = 0; i < 12; i++) assert_int_equal(halves[i], ferry_f16_from_f32(values[i]));
    ferry_preprocessor_destroy(worker);
    ferry_preprocessor_destroy(NULL);
}

static void run__allocates_nothing_for_the_next_picture_of_that_size(void **state)
{
    (void)state;
    ferry_failing_heap heap;
    ferry_failing_heap_init(&heap);
    ferry_picture a;
    assert_int_equal(ferry_picture_init(&a, NULL, 61, 47, 3, &err), FERRY_OK);
    for (int mode = 0; mode < 4; mode++) {
        ferry_preprocess p = preset("tf", 32, 24);
        p.mode = (ferry_resize_mode)mode;
        p.color = mode % 2 ? FERRY_COLOR_GRAY : FERRY_COLOR_RGB;
        ferry_preprocessor *worker = NULL;
        float out[3 * 32 * 24];
        assert_int_equal(ferry_preprocessor_create(&p, &heap.heap, &worker, &err), FERRY_OK);
        assert_int_equal(ferry_preprocessor_run(worker, &a, FERRY_F32, out, sizeof out, NULL, &err), FERRY_OK);
        ferry_failing_heap_arm(&heap, 1, true);
        assert_int_equal(ferry_preprocessor_run(worker, &a, FERRY_F32, out, sizeof out, NULL, &err), FERRY_OK);
        ferry_failing_heap_arm(&heap, 0, false);
        ferry_preprocessor_destroy(worker);
        assert_int_equal(heap.bytes_in_use, 0);
        assert_int_equal(heap.wrong_sizes, 0);
    }
    ferry_picture_deinit(&a);
}

static ferry_status run_two_sizes(const ferry_heap *heap, void *context, ferry_error *error)
{
    (void)context;
    ferry_preprocess p = preset("yolo", 32, 24);
    p.color = FERRY_COLOR_GRAY;
    ferry_preprocessor *worker = NULL;
    ferry_picture a = {0}, b = {0};
    float out[32 * 24];
    ferry_status s = ferry_preprocessor_create(&p, heap, &worker, error);
    if (s == FERRY_OK) s = ferry_picture_init(&a, heap, 20, 30, 3, error);
    if (s == FERRY_OK) s = ferry_picture_init(&b, heap, 90, 70, 4, error);
    if (s == FERRY_OK) s = ferry_preprocessor_run(worker, &a, FERRY_F32, out, sizeof out, NULL, error);
    if (s == FERRY_OK) s = ferry_preprocessor_run(worker, &b, FERRY_F32, out, sizeof out, NULL, error);
    ferry_picture_deinit(&a);
    ferry_picture_deinit(&b);
    ferry_preprocessor_destroy(worker);
    return s;
}

static void memory__failing_anywhere_leaves_nothing(void **state)
{
    (void)state;
    assert_true(ferry_failing_heap_loop(run_two_sizes, NULL) > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets__exist_are_valid_and_are_listed),
        cmocka_unit_test(json__is_canonical_and_comes_back),
        cmocka_unit_test(hash__tells_settings_apart),
        cmocka_unit_test(json__errors_name_the_key),
        cmocka_unit_test(parse__reads_files_that_begin_from_a_preset),
        cmocka_unit_test(set__takes_the_commands_options),
        cmocka_unit_test(set_input__takes_open_sizes_and_refuses_contradictions),
        cmocka_unit_test(geometry__of_known_pictures),
        cmocka_unit_test(geometry__extremes_are_answered),
        cmocka_unit_test(unmap__brings_boxes_back_and_clips),
        cmocka_unit_test(unmap__cuts_the_padding_off_a_mask),
        cmocka_unit_test(run__makes_every_element_type),
        cmocka_unit_test(run__allocates_nothing_for_the_next_picture_of_that_size),
        cmocka_unit_test(memory__failing_anywhere_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
