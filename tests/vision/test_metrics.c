// SPDX-License-Identifier: Apache-2.0
// Accuracy figures against cases counted by hand.
#include "decode_support.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ferry/metrics.h"
#include "support/failing_heap.h"

static void topk__counts_first_and_first_five(void **state)
{
    (void)state;
    const ferry_class_score classes[6] = {{3, 0.5f}, {1, 0.2f}, {4, 0.1f}, {0, 0.1f}, {2, 0.05f}, {9, 0.05f}};
    const ferry_result r = {.task = FERRY_TASK_CLASSIFY, .classes = classes, .class_count = 6};
    ferry_topk_counts c = {0};
    ferry_topk_add(&c, &r, 3);
    ferry_topk_add(&c, &r, 2);
    ferry_topk_add(&c, &r, 9); // sixth
    ferry_topk_add(&c, &r, 77);
    assert_int_equal(c.pictures, 4);
    assert_int_equal(c.top1, 1);
    assert_int_equal(c.top5, 2);
}

static ferry_detection found(float x1, float y1, float x2, float y2, float score, int class_index)
{
    return (ferry_detection){x1, y1, x2, y2, score, class_index};
}

static ferry_true_box real(float x1, float y1, float x2, float y2, int class_index, int crowd)
{
    return (ferry_true_box){x1, y1, x2, y2, class_index, crowd};
}

static ferry_ap *get_ap(void)
{
    ferry_ap *ap = NULL;
    assert_int_equal(ferry_ap_create(NULL, &ap, NULL), FERRY_OK);
    return ap;
}

static ferry_ap_summary summary(const ferry_ap *ap)
{
    ferry_ap_summary s;
    assert_int_equal(ferry_ap_summarise(ap, &s, NULL), FERRY_OK);
    return s;
}

static void ap__is_one_when_all_is_right_and_zero_when_nothing_is(void **state)
{
    (void)state;
    ferry_ap *ap = get_ap();
    ferry_ap_summary s = summary(ap);
    assert_int_equal(s.class_count, 0);
    assert_near(s.map50, 0, 0);
    const ferry_true_box t[2] = {real(0, 0, 10, 10, 0, 0), real(20, 20, 30, 30, 5, 0)};
    const ferry_detection f[2] = {found(0, 0, 10, 10, 0.9f, 0), found(20, 20, 30, 30, 0.3f, 5)};
    assert_int_equal(ferry_ap_add(ap, f, 2, t, 2, NULL), FERRY_OK);
    s = summary(ap);
    assert_int_equal(s.class_count, 2);
    assert_int_equal(s.true_box_count, 2);
    assert_near(s.map50, 1, 1e-12);
    assert_near(s.map, 1, 1e-12);
    // A picture in which class 5 is missed halves its recall: 51 of 101 points.
    assert_int_equal(ferry_ap_add(ap, NULL, 0, t + 1, 1, NULL), FERRY_OK);
    s = summary(ap);
    assert_int_equal(s.picture_count, 2);
    assert_near(s.map50, (1 + 51.0 / 101) / 2, 1e-12);
    assert_near(ferry_ap_class(ap, 5), 51.0 / 101, 1e-12);
    assert_near(ferry_ap_class(ap, 0), 1, 1e-12);
    assert_true(ferry_ap_class(ap, 3) < 0);
    assert_true(ferry_ap_class(ap, -1) < 0);
    assert_true(ferry_ap_class(ap, 1000) < 0);
    ferry_ap_destroy(ap);
}

static void ap__interpolates_precision(void **state)
{
    (void)state;
    // Two real boxes; found: right 0.9, wrong 0.8, right 0.7, and a second match of the first one 0.6, which is wrong.
    const ferry_true_box t[2] = {real(0, 0, 10, 10, 0, 0), real(20, 20, 30, 30, 0, 0)};
    const ferry_detection f[4] = {found(0, 0, 10, 10, 0.6f, 0), found(20, 20, 30, 30, 0.7f, 0),
                                  found(50, 50, 60, 60, 0.8f, 0), found(0, 0, 10, 9, 0.9f, 0)};
    ferry_ap *ap = get_ap();
    assert_int_equal(ferry_ap_add(ap, f, 4, t, 2, NULL), FERRY_OK);
    const ferry_ap_summary s = summary(ap);
    // Recall up to 0.5 at precision 1 (51 points), up to 1 at 2/3 (50 points).
    assert_near(s.map50, (51 + 50 * 2.0 / 3) / 101, 1e-12);
    // At IoU 0.95 the box of IoU 0.9 is wrong, and the one of 0.6 right: precision 1/3 at recall 0.5, 2/4 at 1. Best
    // from the right: 0.5 all along. Below, at nine limits, as above.
    assert_near(s.map, (9 * (51 + 50 * 2.0 / 3) / 101 + 0.5) / 10, 1e-9);
    ferry_ap_destroy(ap);
}

static void ap__ignores_what_lies_in_a_crowd(void **state)
{
    (void)state;
    const ferry_true_box t[2] = {real(0, 0, 100, 100, 0, 1), real(200, 0, 210, 10, 0, 0)};
    const ferry_detection f[3] = {found(0, 0, 10, 10, 0.9f, 0), found(50, 50, 60, 60, 0.8f, 0),
                                  found(200, 0, 210, 10, 0.7f, 0)};
    ferry_ap *ap = get_ap();
    assert_int_equal(ferry_ap_add(ap, f, 3, t, 2, NULL), FERRY_OK);
    const ferry_ap_summary s = summary(ap);
    assert_int_equal(s.true_box_count, 1);
    assert_near(s.map50, 1, 1e-12);
    // A class that occurs in crowds only does not count.
    const ferry_true_box only = real(0, 0, 10, 10, 7, 1);
    assert_int_equal(ferry_ap_add(ap, NULL, 0, &only, 1, NULL), FERRY_OK);
    assert_int_equal(summary(ap).class_count, 1);
    const ferry_true_box bad = real(0, 0, 10, 10, -1, 0);
    assert_int_equal(ferry_ap_add(ap, NULL, 0, &bad, 1, NULL), FERRY_ERR_INVALID_ARGUMENT);
    ferry_ap_destroy(ap);
}

static void ap__takes_a_hundred_boxes_a_picture(void **state)
{
    (void)state;
    ferry_detection f[101];
    for (int i = 0; i < 101; i++) f[i] = found(500, 500, 510, 510, 0.5f, 0);
    f[0] = found(0, 0, 10, 10, 0.1f, 0); // the worst: beyond the hundred
    const ferry_true_box t = real(0, 0, 10, 10, 0, 0);
    ferry_ap *ap = get_ap();
    assert_int_equal(ferry_ap_add(ap, f, 101, &t, 1, NULL), FERRY_OK);
    assert_near(summary(ap).map50, 0, 0);
    assert_int_equal(ferry_ap_add(ap, f, 100, &t, 1, NULL), FERRY_OK);
    assert_true(summary(ap).map50 > 0);
    ferry_ap_destroy(ap);
}

static void iou__counts_over_true_classes(void **state)
{
    (void)state;
    static const uint8_t truth[8] = {0, 0, 1, 1, 255, 2, 2, 0}, guess[8] = {0, 1, 1, 1, 1, 255, 9, 0};
    ferry_iou_counts c = {0};
    ferry_iou_add(&c, truth, 4, guess, 4, 4, 2);
    size_t classes = 0;
    // Class 0: 2 of 3; 1: 2 of 3; 2: 0 of 2; 9 does not occur.
    assert_near(ferry_iou_mean(&c, &classes), (2.0 / 3 + 2.0 / 3 + 0) / 3, 1e-12);
    assert_int_equal(classes, 3);
    assert_near(ferry_iou_pixel_accuracy(&c), 4.0 / 7, 1e-12);
    const ferry_iou_counts none = {0};
    assert_near(ferry_iou_mean(&none, NULL), 0, 0);
    assert_near(ferry_iou_pixel_accuracy(&none), 0, 0);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void remove_file(const char *folder, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    remove(path);
}

static void truth__reads_a_folder_of_yolo_labels(void **state)
{
    (void)state;
    char folder[] = "/tmp/ferry-truth-XXXXXX";
    assert_non_null(mkdtemp(folder));
    ferry_coco_truth *t = NULL;
    ferry_error error;
    assert_int_equal(ferry_coco_truth_read(folder, NULL, &t, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, "no label files"));
    write_file(folder, "0001.txt", "5 0.5 0.5 0.5 0.25\r\n\n 79 0.1 0.1 0.2 0.2");
    write_file(folder, "empty.txt", "");
    write_file(folder, "classes.txt", "cat\n");
    assert_ok(ferry_coco_truth_read(folder, NULL, &t, &error), &error);
    assert_int_equal(ferry_coco_truth_picture_count(t), 2);
    const int64_t p = ferry_coco_truth_find(t, "some/where/0001.jpg");
    assert_true(p >= 0);
    assert_string_equal(ferry_coco_truth_picture_name(t, (size_t)p), "0001");
    assert_null(ferry_coco_truth_picture_name(t, 9));
    ferry_true_box b[2];
    assert_int_equal(ferry_coco_truth_boxes(t, (size_t)p, 100, 200, NULL, 0), 2);
    assert_int_equal(ferry_coco_truth_boxes(t, (size_t)p, 100, 200, b, 2), 2);
    assert_int_equal(b[0].class_index, 5);
    assert_near(b[0].x1, 25, 1e-4);
    assert_near(b[0].y1, 75, 1e-4);
    assert_near(b[0].x2, 75, 1e-4);
    assert_near(b[0].y2, 125, 1e-4);
    assert_int_equal(b[1].class_index, 79);
    assert_int_equal(ferry_coco_truth_boxes(t, (size_t)ferry_coco_truth_find(t, "empty"), 10, 10, b, 2), 0);
    assert_int_equal(ferry_coco_truth_boxes(t, 99, 10, 10, b, 2), 0);
    assert_int_equal(ferry_coco_truth_find(t, "000"), -1);
    assert_int_equal(ferry_coco_truth_find(t, "00011.png"), -1);
    ferry_coco_truth_destroy(t);
    static const struct {
        const char *text, *expected;
    } bad[] = {{"cat 0.5 0.5 0.5 0.5", "does not begin with a class"},
               {"0 0.5 0.5 0.5", "is not 'class x y w h'"},
               {"0 0.5 nan 0.5 0.5", "is not 'class x y w h'"},
               {"0 320 240 100 100", "relative to the picture"},
               {"0 0.1 0.1 0.2 0.2 0.3 0.3", "more than five numbers"},
               {"99999999999 0.1 0.1 0.2 0.2", "does not begin with a class"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(folder, "bad.txt", bad[i].text);
        assert_int_equal(ferry_coco_truth_read(folder, NULL, &t, &error), FERRY_ERR_BAD_DATA);
        assert_non_null(strstr(error.text, "bad.txt: line 1"));
        assert_non_null(strstr(error.text, bad[i].expected));
    }
    remove_file(folder, "0001.txt");
    remove_file(folder, "empty.txt");
    remove_file(folder, "classes.txt");
    remove_file(folder, "bad.txt");
    rmdir(folder);
}

#define IMAGES "\"images\":[{\"id\":7,\"file_name\":\"b/two.jpg\",\"width\":9},{\"id\":3,\"file_name\":\"one.jpg\"}]"
#define CATEGORIES "\"categories\":[{\"id\":90,\"name\":\"z\"},{\"id\":1},{\"id\":44}]"

static void truth__reads_coco_json(void **state)
{
    (void)state;
    char folder[] = "/tmp/ferry-truth-XXXXXX", path[300];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/instances.json", folder);
    write_file(folder, "instances.json",
               "{\"info\":{}," IMAGES "," CATEGORIES ",\"annotations\":["
               "{\"image_id\":7,\"category_id\":90,\"bbox\":[1,2,3,4],\"iscrowd\":0,\"segmentation\":[[1,2,3]]},"
               "{\"image_id\":3,\"category_id\":1,\"bbox\":[0.5,0,10,10]},"
               "{\"image_id\":7,\"category_id\":44,\"bbox\":[5,5,5,5],\"iscrowd\":1}]}");
    ferry_coco_truth *t = NULL;
    ferry_error error;
    assert_ok(ferry_coco_truth_read(path, NULL, &t, &error), &error);
    assert_int_equal(ferry_coco_truth_picture_count(t), 2);
    ferry_true_box b[3];
    const int64_t two = ferry_coco_truth_find(t, "/elsewhere/two.png"), one = ferry_coco_truth_find(t, "one.jpg");
    assert_true(two >= 0 && one >= 0);
    assert_int_equal(ferry_coco_truth_boxes(t, (size_t)two, 0, 0, b, 3), 2);
    assert_int_equal(b[0].class_index, 2); // positions of the ids 1, 44, 90
    assert_near(b[0].x2, 4, 0);
    assert_near(b[0].y2, 6, 0);
    assert_int_equal(b[0].is_crowd, 0);
    assert_int_equal(b[1].class_index, 1);
    assert_int_equal(b[1].is_crowd, 1);
    assert_int_equal(ferry_coco_truth_boxes(t, (size_t)one, 0, 0, b, 3), 1);
    assert_int_equal(b[0].class_index, 0);
    ferry_coco_truth_destroy(t);
    static const struct {
        const char *text, *expected;
    } bad[] = {
        {"{", "not valid JSON"},
        {"[]", "no list 'images'"},
        {"{" IMAGES ",\"annotations\":[]}", "no list 'categories'"},
        {"{" CATEGORIES ",\"annotations\":[],\"images\":[{\"id\":\"x\"}]}", "images[0] has no whole number 'id'"},
        {"{" CATEGORIES ",\"annotations\":[],\"images\":[{\"id\":1}]}", "images[0] has no 'file_name'"},
        {"{\"categories\":[{\"id\":1},{\"id\":1}],\"annotations\":[]," IMAGES "}", "the id 1 occurs twice"},
        {"{" CATEGORIES "," IMAGES ",\"annotations\":[{\"image_id\":8,\"category_id\":1}]}",
         "annotations[0]: 'image_id'"},
        {"{" CATEGORIES "," IMAGES ",\"annotations\":[{\"image_id\":7,\"category_id\":1,\"bbox\":[1,2,3]}]}",
         "'bbox' is not"},
        {"{" CATEGORIES ",\"annotations\":[],\"images\":[{\"id\":1,\"file_name\":\"a/x.jpg\"},"
         "{\"id\":2,\"file_name\":\"b/x.png\"}]}",
         "have one name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(folder, "instances.json", bad[i].text);
        assert_int_equal(ferry_coco_truth_read(path, NULL, &t, &error), FERRY_ERR_BAD_DATA);
        if (!strstr(error.text, bad[i].expected) || !strstr(error.text, path)) {
            fail_msg("'%s' lacks '%s'", error.text, bad[i].expected);
        }
    }
    remove_file(folder, "instances.json");
    rmdir(folder);
    assert_int_equal(ferry_coco_truth_read(path, NULL, &t, &error), FERRY_ERR_IO);
}

static ferry_status attempt(const ferry_heap *heap, void *context, ferry_error *err)
{
    const ferry_detection f[2] = {found(0, 0, 10, 10, 0.6f, 0), found(20, 20, 30, 30, 0.7f, 3)};
    const ferry_true_box t[2] = {real(0, 0, 10, 10, 0, 0), real(20, 20, 30, 30, 3, 0)};
    ferry_ap *ap = NULL;
    ferry_coco_truth *truth = NULL;
    ferry_ap_summary s;
    ferry_status status = ferry_ap_create(heap, &ap, err);
    for (int i = 0; i < 20 && status == FERRY_OK; i++) status = ferry_ap_add(ap, f, 2, t, 2, err);
    if (status == FERRY_OK) status = ferry_ap_summarise(ap, &s, err);
    if (status == FERRY_OK) status = ferry_coco_truth_read(context, heap, &truth, err);
    ferry_coco_truth_destroy(truth);
    ferry_ap_destroy(ap);
    return status;
}

static void metrics__survive_every_failed_allocation(void **state)
{
    (void)state;
    char folder[] = "/tmp/ferry-truth-XXXXXX";
    assert_non_null(mkdtemp(folder));
    write_file(folder, "a.txt", "0 0.5 0.5 0.1 0.1\n");
    assert_true(ferry_failing_heap_loop(attempt, folder) > 5);
    remove_file(folder, "a.txt");
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topk__counts_first_and_first_five),
        cmocka_unit_test(ap__is_one_when_all_is_right_and_zero_when_nothing_is),
        cmocka_unit_test(ap__interpolates_precision),
        cmocka_unit_test(ap__ignores_what_lies_in_a_crowd),
        cmocka_unit_test(ap__takes_a_hundred_boxes_a_picture),
        cmocka_unit_test(iou__counts_over_true_classes),
        cmocka_unit_test(truth__reads_a_folder_of_yolo_labels),
        cmocka_unit_test(truth__reads_coco_json),
        cmocka_unit_test(metrics__survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
