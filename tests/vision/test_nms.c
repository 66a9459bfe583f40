// SPDX-License-Identifier: Apache-2.0
// Suppression and the list of best boxes: order, ties, limits.
#include "decode_support.h"

#include "vision/nms.h"

static ferry_box_candidate box(float x1, float y1, float x2, float y2, float score, int class_index, uint64_t order)
{
    return (ferry_box_candidate){{x1, y1, x2, y2}, score, class_index, order};
}

static void iou__is_right_at_the_edges(void **state)
{
    (void)state;
    const float a[4] = {0, 0, 10, 10}, b[4] = {5, 0, 15, 10}, c[4] = {10, 0, 20, 10}, point[4] = {3, 3, 3, 3};
    assert_near(ferry_box_iou(a, a), 1, 0);
    assert_near(ferry_box_iou(a, b), 50.0 / 150, 1e-7);
    assert_near(ferry_box_iou(a, c), 0, 0); // they touch
    assert_near(ferry_box_iou(a, point), 0, 0);
    assert_near(ferry_box_iou(point, point), 0, 0);
}

static void nms__keeps_the_first_of_equal_boxes(void **state)
{
    (void)state;
    ferry_box_candidate b[3] = {box(0, 0, 10, 10, 0.5f, 1, 0), box(0, 0, 10, 10, 0.5f, 1, 1),
                                box(0, 0, 10, 10, 0.5f, 2, 2)};
    assert_int_equal(ferry_nms(b, 3, 0.45f, 100), 2);
    assert_int_equal(b[0].order, 0);
    assert_int_equal(b[1].order, 2); // another class is another thing
}

static void nms__suppresses_only_above_the_limit(void **state)
{
    (void)state;
    // IoU exactly 0.5: 10x10 inside 10x20.
    const ferry_box_candidate pair[2] = {box(0, 0, 10, 20, 0.9f, 0, 0), box(0, 0, 10, 10, 0.8f, 0, 1)};
    ferry_box_candidate b[2];
    memcpy(b, pair, sizeof b);
    assert_int_equal(ferry_nms(b, 2, 0.5f, 100), 2);
    memcpy(b, pair, sizeof b);
    assert_int_equal(ferry_nms(b, 2, 0.49f, 100), 1);
    memcpy(b, pair, sizeof b);
    b[1] = b[0];
    assert_int_equal(ferry_nms(b, 2, 1, 100), 2); // off: even equal boxes stay
    assert_int_equal(ferry_nms(b, 0, 0.5f, 100), 0);
    assert_int_equal(ferry_nms(b, 2, 0.5f, 0), 0);
}

static void nms__lets_live_what_a_suppressed_box_would_suppress(void **state)
{
    (void)state;
    // A suppresses B; B would suppress C, but is gone; A and C hardly overlap.
    ferry_box_candidate b[3] = {box(0, 0, 10, 10, 0.9f, 0, 0), box(4, 0, 14, 10, 0.8f, 0, 1),
                                box(8, 0, 18, 10, 0.7f, 0, 2)};
    assert_int_equal(ferry_nms(b, 3, 0.4f, 100), 2);
    assert_int_equal(b[1].order, 2);
}

// Compared with sorting everything, for random scores with many ties.
static int by_score_then_order(const void *a, const void *b)
{
    const ferry_box_candidate *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void box_list__keeps_the_best_in_order(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static ferry_box_candidate all[COUNT];
    uint32_t seed = 12345;
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        all[i] = box(0, 0, 1, 1, (float)(seed >> 24) / 256, 0, (uint64_t)i);
    }
    static const size_t limits[] = {1, 2, 7, 500, COUNT, 5000};
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        ferry_box_list list = {0};
        ferry_box_list_begin(&list, limits[l]);
        for (int i = 0; i < COUNT; i++) {
            assert_true(ferry_box_list_offer(&list, ferry_heap_default(), &all[(i * 7) % COUNT]));
        }
        ferry_box_list_sort(&list);
        assert_int_equal(list.offered, COUNT);
        assert_int_equal(list.count, limits[l] < COUNT ? limits[l] : COUNT);
        static ferry_box_candidate sorted[COUNT];
        memcpy(sorted, all, sizeof sorted);
        qsort(sorted, COUNT, sizeof *sorted, by_score_then_order);
        for (size_t i = 0; i < list.count; i++) assert_int_equal(list.items[i].order, sorted[i].order);
        ferry_box_list_deinit(&list, ferry_heap_default());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iou__is_right_at_the_edges),
        cmocka_unit_test(nms__keeps_the_first_of_equal_boxes),
        cmocka_unit_test(nms__suppresses_only_above_the_limit),
        cmocka_unit_test(nms__lets_live_what_a_suppressed_box_would_suppress),
        cmocka_unit_test(box_list__keeps_the_best_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
