// SPDX-License-Identifier: Apache-2.0
// Drawing: where pixels change and where they must not. That it looks right was seen by eye.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ferry/draw.h"
#include "support/failing_heap.h"

static void grey_picture(ferry_picture *p, uint32_t width, uint32_t height, uint32_t channels)
{
    assert_int_equal(ferry_picture_init(p, NULL, width, height, channels, NULL), FERRY_OK);
    memset(p->pixels, 100, p->owned_bytes);
}

static const uint8_t *pixel(const ferry_picture *p, uint32_t x, uint32_t y)
{
    return p->pixels + y * p->stride_bytes + (size_t)x * p->channels;
}

// Pixels of [x1, x2) x [y1, y2) that are no longer grey.
static size_t changed(const ferry_picture *p, uint32_t x1, uint32_t y1, uint32_t x2, uint32_t y2)
{
    size_t n = 0;
    for (uint32_t y = y1; y < y2; y++) {
        for (uint32_t x = x1; x < x2; x++) n += pixel(p, x, y)[0] != 100 || pixel(p, x, y)[1] != 100;
    }
    return n;
}

static void colors__are_stable_and_differ(void **state)
{
    (void)state;
    uint8_t first[3];
    ferry_draw_color(0, first);
    const uint8_t expected[3] = {255, 78, 50};
    assert_memory_equal(first, expected, 3);
    for (uint32_t i = 0; i < 100; i++) {
        uint8_t a[3], b[3];
        ferry_draw_color(i, a);
        const int most = a[0] > a[1] ? (a[0] > a[2] ? a[0] : a[2]) : (a[1] > a[2] ? a[1] : a[2]);
        const int least = a[0] < a[1] ? (a[0] < a[2] ? a[0] : a[2]) : (a[1] < a[2] ? a[1] : a[2]);
        assert_true(most - least >= 100); // never grey
        for (uint32_t j = i + 1; j < i + 5; j++) {
            ferry_draw_color(j, b);
            assert_true(abs(a[0] - b[0]) + abs(a[1] - b[1]) + abs(a[2] - b[2]) > 60);
        }
    }
}

static void boxes__have_lines_and_a_label_above(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    grey_picture(&p, 640, 480, 3);
    const ferry_draw_box box = {200, 150, 400, 350, 0, 0.87f, "cat"};
    assert_int_equal(ferry_draw_boxes(&p, &box, 1, NULL, NULL, &err), FERRY_OK);
    uint8_t color[3];
    ferry_draw_color(0, color);
    assert_memory_equal(pixel(&p, 200, 300), color, 3); // two pixels of line at each side
    assert_memory_equal(pixel(&p, 201, 300), color, 3);
    assert_memory_equal(pixel(&p, 399, 300), color, 3);
    assert_memory_equal(pixel(&p, 300, 349), color, 3);
    assert_int_equal(changed(&p, 202, 152, 398, 348), 0); // the inside is as it was
    assert_int_equal(changed(&p, 0, 350, 640, 480), 0);
    assert_int_equal(changed(&p, 0, 0, 200, 480), 0);
    assert_true(changed(&p, 200, 125, 300, 150) > 1000); // the label
    size_t ink = 0;
    for (uint32_t y = 130; y < 150; y++) {
        for (uint32_t x = 200; x < 300; x++) ink += pixel(&p, x, y)[0] == 255 && pixel(&p, x, y)[2] > 200;
    }
    assert_true(ink > 50); // white letters
    ferry_picture_deinit(&p);
}

static void boxes__labels_do_not_cover_each_other(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    grey_picture(&p, 640, 480, 3);
    const ferry_draw_options thin = {.size = sizeof thin, .line_px = 1};
    const ferry_draw_box boxes[2] = {{200, 150, 400, 350, 3, -1, "\x20"}, {200, 150, 400, 350, 4, -1, "\x20"}};
    assert_int_equal(ferry_draw_boxes(&p, boxes, 2, &thin, NULL, &err), FERRY_OK);
    uint8_t first[3], second[3];
    ferry_draw_color(3, first);
    ferry_draw_color(4, second);
    assert_memory_equal(pixel(&p, 204, 145), first, 3);  // above
    assert_memory_equal(pixel(&p, 204, 155), second, 3); // inside
    ferry_picture_deinit(&p);
}

static void boxes__anywhere_are_clipped(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    const float nan = 0.0f / 0.0f, inf = 1.0f / 0.0f;
    const ferry_draw_box boxes[] = {{-50, -50, 20, 20, 1, 0.5f, "half outside"},
                                    {60, 50, 900, 900, 2, 0.5f, "other half"},
                                    {-1e30f, -inf, inf, 1e30f, 3, 1e30f, NULL},
                                    {nan, nan, nan, nan, 4, nan, "\xff\xc3 \xe4\xb8\xad \xf0\x9f"},
                                    {10, 10, 10, 10, 5, 0, ""},
                                    {30, 30, 20, 20, 4000000000u, 0.1f, NULL},
                                    {3, 3, 5, 5, 0, 0.5f, "a name that is much longer than the picture is wide"}};
    for (uint32_t side = 1; side < 70; side += 17) {
        for (uint32_t channels = 3; channels <= 4; channels++) {
            grey_picture(&p, side, 70 - side, channels);
            assert_int_equal(ferry_draw_boxes(&p, boxes, 7, NULL, NULL, &err), FERRY_OK);
            ferry_picture_deinit(&p);
        }
    }
}

static void classes__and_legend_stay_in_their_corner(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    const ferry_draw_entry entries[] = {
        {7, 0.9f, "tabby"}, {8, 0.05f, "a very very long name of a class that never ends"}, {9, -1, NULL}};
    for (uint32_t width = 20; width < 2000; width *= 3) {
        grey_picture(&p, width, 300, 3);
        assert_int_equal(ferry_draw_classes(&p, entries, 3, NULL, NULL, &err), FERRY_OK);
        assert_true(changed(&p, 0, 0, width, 150) > 100);
        assert_int_equal(changed(&p, 0, 200, width, 300), 0);
        assert_int_equal(ferry_draw_legend(&p, entries, 3, NULL, NULL, &err), FERRY_OK);
        assert_true(changed(&p, 0, 150, width, 300) > 100);
        ferry_picture_deinit(&p);
    }
    ferry_draw_entry many[200];
    for (uint32_t i = 0; i < 200; i++) many[i] = (ferry_draw_entry){i, 0.5f, NULL};
    grey_picture(&p, 320, 200, 3);
    assert_int_equal(ferry_draw_legend(&p, many, 200, NULL, NULL, &err), FERRY_OK); // as many as fit
    ferry_picture_deinit(&p);
}

static void mask__colours_classes_and_leaves_the_background(void **state)
{
    (void)state;
    ferry_picture p, mask;
    ferry_error err;
    grey_picture(&p, 40, 30, 3);
    assert_int_equal(ferry_picture_init(&mask, NULL, 40, 30, 1, &err), FERRY_OK);
    for (uint32_t y = 10; y < 20; y++) memset(mask.pixels + y * mask.stride_bytes + 10, 6, 20);
    memset(mask.pixels, 255, 40);
    assert_int_equal(ferry_draw_mask(&p, &mask, 0, NULL, &err), FERRY_OK);
    uint8_t color[3];
    ferry_draw_color(6, color);
    assert_int_equal(pixel(&p, 20, 15)[0], (100 * 128 + color[0] * 128 + 128) >> 8);
    assert_int_equal(changed(&p, 0, 0, 40, 10), 0);
    assert_int_equal(changed(&p, 30, 0, 40, 30), 0);
    assert_true(abs(pixel(&p, 10, 15)[1] - color[1]) < abs(pixel(&p, 20, 15)[1] - color[1])); // the outline is stronger
    mask.width = 39;
    assert_int_equal(ferry_draw_mask(&p, &mask, 0, NULL, &err), FERRY_ERR_INVALID_ARGUMENT);
    ferry_picture_deinit(&mask);
    ferry_picture_deinit(&p);
}

static void text__shows_latin_1_and_question_marks(void **state)
{
    (void)state;
    const uint8_t white[3] = {255, 255, 255};
    ferry_picture a, b;
    ferry_error err;
    static const char *const pairs[][2] = {{"\xe4\xb8\xad", "?"}, {"\xff", "?"}, {"\xe2\x82", "??"}, {"\t", " "}};
    for (size_t i = 0; i < 4; i++) {
        grey_picture(&a, 60, 40, 3);
        grey_picture(&b, 60, 40, 3);
        assert_int_equal(ferry_draw_text(&a, pairs[i][0], 3, 3, 24, white, NULL, &err), FERRY_OK);
        assert_int_equal(ferry_draw_text(&b, pairs[i][1], 3, 3, 24, white, NULL, &err), FERRY_OK);
        assert_memory_equal(a.pixels, b.pixels, a.owned_bytes);
        memset(b.pixels, 100, b.owned_bytes);
        assert_int_equal(ferry_draw_text(&b, "\xc3\xa9", 3, 3, 24, white, NULL, &err), FERRY_OK);
        assert_true(changed(&b, 0, 0, 60, 40) > 30);
        assert_memory_not_equal(a.pixels, b.pixels, a.owned_bytes);
        ferry_picture_deinit(&a);
        ferry_picture_deinit(&b);
    }
}

static void drawing__refuses_grey_pictures_and_odd_options(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    grey_picture(&p, 10, 10, 1);
    assert_int_equal(ferry_draw_boxes(&p, NULL, 0, NULL, NULL, &err), FERRY_ERR_INVALID_ARGUMENT);
    ferry_picture_deinit(&p);
    grey_picture(&p, 10, 10, 3);
    const ferry_draw_options odd[] = {
        {0, 0, 0, 0}, {sizeof *odd, 2000, 0, 0}, {sizeof *odd, 0, 3, 0}, {sizeof *odd, 0, 0, 2}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ferry_draw_boxes(&p, NULL, 0, &odd[i], NULL, &err), FERRY_ERR_INVALID_ARGUMENT);
    }
    ferry_picture_deinit(&p);
}

static void result__is_drawn_by_its_kind(void **state)
{
    (void)state;
    ferry_picture p, map;
    ferry_error err;
    ferry_labels *labels = NULL;
    assert_int_equal(ferry_labels_parse("background\ncat\n", 15, NULL, &labels, &err), FERRY_OK);
    assert_int_equal(ferry_picture_init(&map, NULL, 320, 240, 1, &err), FERRY_OK);
    memset(map.pixels, 1, 320 * 40);
    const ferry_class_score best = {1, 0.9f};
    const ferry_detection found = {100, 100, 200, 200, 0.5f, 1};
    ferry_result results[4];
    memset(results, 0, sizeof results);
    results[1].task = FERRY_TASK_CLASSIFY;
    results[1].classes = &best;
    results[1].class_count = 1;
    results[2].task = FERRY_TASK_DETECT;
    results[2].detections = &found;
    results[2].detection_count = 1;
    results[3].task = FERRY_TASK_SEGMENT;
    results[3].class_map = &map;
    const uint32_t areas[4][4] = {{0, 0, 320, 240}, {2, 2, 60, 20}, {100, 84, 200, 200}, {0, 0, 320, 40}};
    for (int i = 0; i < 4; i++) {
        grey_picture(&p, 320, 240, 3);
        assert_int_equal(ferry_draw_result(&p, &results[i], i % 2 ? labels : NULL, NULL, NULL, &err), FERRY_OK);
        const size_t there = changed(&p, areas[i][0], areas[i][1], areas[i][2], areas[i][3]);
        if (i == 0) assert_int_equal(there, 0);
        if (i > 0) assert_true(there > 300);
        if (i == 3) assert_int_equal(changed(&p, 0, 40, 320, 180), 0); // the background
        ferry_picture_deinit(&p);
    }
    ferry_picture_deinit(&map);
    ferry_labels_destroy(labels);
}

static ferry_status draw_all(const ferry_heap *heap, void *context, ferry_error *err)
{
    (void)context;
    ferry_picture p;
    const ferry_draw_box boxes[] = {{2, 2, 30, 30, 1, 0.5f, "a"}, {20, 20, 60, 60, 2, 0.5f, "b"}};
    const ferry_draw_entry entries[] = {{7, 0.9f, "tabby"}, {8, 0.05f, "cat"}};
    ferry_status s = ferry_picture_init(&p, heap, 80, 60, 3, err);
    if (s == FERRY_OK) s = ferry_draw_boxes(&p, boxes, 2, NULL, heap, err);
    if (s == FERRY_OK) s = ferry_draw_classes(&p, entries, 2, NULL, heap, err);
    if (s == FERRY_OK) s = ferry_draw_legend(&p, entries, 2, NULL, heap, err);
    ferry_picture_deinit(&p);
    return s;
}

static void memory__failing_anywhere_leaves_nothing(void **state)
{
    (void)state;
    assert_true(ferry_failing_heap_loop(draw_all, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colors__are_stable_and_differ),
        cmocka_unit_test(boxes__have_lines_and_a_label_above),
        cmocka_unit_test(boxes__labels_do_not_cover_each_other),
        cmocka_unit_test(boxes__anywhere_are_clipped),
        cmocka_unit_test(classes__and_legend_stay_in_their_corner),
        cmocka_unit_test(mask__colours_classes_and_leaves_the_background),
        cmocka_unit_test(text__shows_latin_1_and_question_marks),
        cmocka_unit_test(result__is_drawn_by_its_kind),
        cmocka_unit_test(drawing__refuses_grey_pictures_and_odd_options),
        cmocka_unit_test(memory__failing_anywhere_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
