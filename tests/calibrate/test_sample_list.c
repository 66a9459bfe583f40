// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "calibrate/sample_list.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

static ferry_temp_folder folder;
static ferry_error err;

static int set_up(void **state)
{
    (void)state;
    memset(&err, 0, sizeof err);
    ferry_temp_folder_create(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_temp_folder_remove(&folder);
    return 0;
}

static void touch(const char *name)
{
    ferry_temp_write(&folder, name, name, strlen(name));
}

static ferry_sample_list *open_list(const char *source)
{
    ferry_sample_list *list = NULL;
    const ferry_status s = ferry_sample_list_open(source, NULL, &list, &err);
    if (s != FERRY_OK) fail_msg("%s", err.text);
    return list;
}

// The path of a sample below the test's folder.
static const char *name_of(const ferry_sample_list *list, size_t i)
{
    const char *path = ferry_sample_list_path(list, i);
    assert_non_null(path);
    assert_memory_equal(path, folder.path, strlen(folder.path));
    return path + strlen(folder.path) + 1;
}

static void folder__lists_pictures_below_it_in_byte_order(void **state)
{
    (void)state;
    touch("b.JPG");
    touch("a.png");
    touch("sub/deep/c.jpeg");
    touch("Z.Png");
    touch("sub.jpg");
    touch("notes.txt");
    touch("jpg");
    touch(".hidden.jpg");
    touch(".cache/x.jpg");
    assert_int_equal(symlink("..", ferry_temp_path(&folder, "sub/loop")), 0);
    assert_int_equal(symlink("../a.png", ferry_temp_path(&folder, "sub/link.png")), 0);
    assert_int_equal(symlink("gone", ferry_temp_path(&folder, "sub/dangling.png")), 0);
    ferry_sample_list *list = open_list(folder.path);
    const char *const expected[] = {"Z.Png",           "a.png",       "b.JPG", "sub.jpg", "sub/dangling.png",
                                    "sub/deep/c.jpeg", "sub/link.png"};
    assert_int_equal(ferry_sample_list_count(list), 7);
    assert_int_equal(ferry_sample_list_ignored(list), 2);
    for (size_t i = 0; i < 7; i++) assert_string_equal(name_of(list, i), expected[i]);
    assert_int_equal(ferry_sample_list_row(list, 0), SIZE_MAX);
    assert_null(ferry_sample_list_path(list, 7));
    assert_null(ferry_sample_list_npy(list));
    ferry_sample_list_close(list);
    ferry_sample_list_close(NULL);
}

static void list_file__names_pictures_relative_to_itself(void **state)
{
    (void)state;
    const char *text = "# calibration\r\n\n  sub/b.jpg  \r\na picture.png\nsub/b.jpg\n/elsewhere/z.jpg\n#a\nlast.jpg";
    ferry_sample_list *list = open_list(ferry_temp_write(&folder, "list.txt", text, strlen(text)));
    assert_int_equal(ferry_sample_list_count(list), 4);
    assert_string_equal(ferry_sample_list_path(list, 0), "/elsewhere/z.jpg");
    assert_string_equal(name_of(list, 1), "a picture.png");
    assert_string_equal(name_of(list, 2), "last.jpg");
    assert_string_equal(name_of(list, 3), "sub/b.jpg");
    ferry_sample_list_close(list);
}

static void npy__offers_its_rows(void **state)
{
    (void)state;
    float data[5][3];
    for (int i = 0; i < 15; i++) data[i / 3][i % 3] = (float)i;
    ferry_npy npy = {
        .dtype = FERRY_F32, .rank = 2, .shape = {5, 3}, .elem_count = 15, .data = data, .bytes = sizeof data};
    const char *path = ferry_temp_path(&folder, "x.npy");
    assert_int_equal(ferry_npy_write(ferry_heap_default(), path, &npy, &err), FERRY_OK);
    ferry_sample_list *list = open_list(path);
    assert_int_equal(ferry_sample_list_count(list), 5);
    assert_int_equal(ferry_sample_list_row(list, 4), 4);
    assert_memory_equal(ferry_sample_list_npy(list)->data, data, sizeof data);
    const ferry_hash128 all = ferry_sample_list_hash(list);
    ferry_sample_list_choose(list, 2, 1, FERRY_SAMPLES_DRAWN);
    assert_int_equal(ferry_sample_list_count(list), 2);
    assert_true(ferry_sample_list_row(list, 0) < ferry_sample_list_row(list, 1));
    const ferry_hash128 some = ferry_sample_list_hash(list);
    assert_true(all.low != some.low);
    ferry_sample_list_close(list);
    npy = (ferry_npy){.dtype = FERRY_U8, .rank = 1, .shape = {3}, .elem_count = 3, .data = data, .bytes = 3};
    assert_int_equal(ferry_npy_write(ferry_heap_default(), path, &npy, &err), FERRY_OK);
    assert_int_equal(ferry_sample_list_open(path, NULL, &list, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "astype('float32')"));
    npy = (ferry_npy){.dtype = FERRY_F32, .rank = 2, .shape = {9, 0}, .data = data};
    assert_int_equal(ferry_npy_write(ferry_heap_default(), path, &npy, &err), FERRY_OK);
    assert_int_equal(ferry_sample_list_open(path, NULL, &list, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "holds no sample"));
}

static void sources__are_refused_with_a_reason(void **state)
{
    (void)state;
    ferry_sample_list *list = NULL;
    assert_int_equal(ferry_sample_list_open(ferry_temp_path(&folder, "no"), NULL, &list, &err), FERRY_ERR_IO);
    touch("a.txt.zip");
    touch("b.doc");
    assert_int_equal(ferry_sample_list_open(folder.path, NULL, &list, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "holds no picture (.jpg, .jpeg, .png); 2 other files"));
    assert_int_equal(ferry_sample_list_open(ferry_temp_path(&folder, "b.doc"), NULL, &list, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "samples come from a folder"));
    assert_int_equal(ferry_sample_list_open(ferry_temp_write(&folder, "e.txt", "# none\n", 7), NULL, &list, &err),
                     FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "names no picture"));
    assert_int_equal(
        ferry_sample_list_open(ferry_temp_write(&folder, "z.txt", "a.jpg\nb\0c.jpg\n", 14), NULL, &list, &err),
        FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "z.txt:2: not a path"));
    assert_int_equal(ferry_sample_list_open(ferry_temp_write(&folder, "x.npy", "junk", 4), NULL, &list, &err),
                     FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "x.npy: not a .npy file"));
    assert_null(list);
}

static void make_pictures(int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%03d.jpg", i);
        touch(name);
    }
}

static void choose__draws_complementary_sets(void **state)
{
    (void)state;
    make_pictures(250);
    for (uint64_t seed = 0; seed < 5; seed++) {
        ferry_sample_list *drawn = open_list(folder.path), *others = open_list(folder.path);
        ferry_sample_list_choose(drawn, 64, seed, FERRY_SAMPLES_DRAWN);
        ferry_sample_list_choose(others, 64, seed, FERRY_SAMPLES_OTHERS);
        assert_int_equal(ferry_sample_list_count(drawn), 64);
        assert_int_equal(ferry_sample_list_count(others), 186);
        // Merging the two sorted lists gives every name once.
        size_t d = 0, o = 0;
        for (int i = 0; i < 250; i++) {
            char name[32];
            snprintf(name, sizeof name, "p%03d.jpg", i);
            if (d < 64 && strcmp(name_of(drawn, d), name) == 0)
                d++;
            else
                assert_string_equal(name_of(others, o++), name);
        }
        assert_true(d == 64 && o == 186);
        ferry_sample_list_close(drawn);
        ferry_sample_list_close(others);
    }
}

// The draw is part of what makes a build repeatable: it must never change.
static void choose__draws_the_same_for_ever(void **state)
{
    (void)state;
    make_pictures(20);
    ferry_sample_list *list = open_list(folder.path);
    ferry_sample_list_choose(list, 5, 1, FERRY_SAMPLES_DRAWN);
    char found[200] = "";
    for (size_t i = 0; i < 5; i++) {
        strcat(found, name_of(list, i));
        strcat(found, " ");
    }
    assert_string_equal(found, "p008.jpg p009.jpg p012.jpg p018.jpg p019.jpg ");
    ferry_sample_list_close(list);
}

static void choose__takes_all_where_there_are_no_more(void **state)
{
    (void)state;
    make_pictures(7);
    const size_t counts[] = {0, 7, 8, SIZE_MAX};
    for (size_t i = 0; i < 4; i++) {
        ferry_sample_list *list = open_list(folder.path);
        ferry_sample_list_choose(list, counts[i], 3, FERRY_SAMPLES_DRAWN);
        assert_int_equal(ferry_sample_list_count(list), 7);
        ferry_sample_list_choose(list, counts[i], 3, FERRY_SAMPLES_OTHERS);
        assert_int_equal(ferry_sample_list_count(list), 0);
        ferry_sample_list_close(list);
    }
}

// Each sample is drawn about as often as any other.
static void choose__is_fair(void **state)
{
    (void)state;
    int drawn[10] = {0};
    make_pictures(10);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        ferry_sample_list *list = open_list(folder.path);
        ferry_sample_list_choose(list, 3, seed, FERRY_SAMPLES_DRAWN);
        for (size_t i = 0; i < 3; i++) drawn[atoi(name_of(list, i) + 1)]++;
        ferry_sample_list_close(list);
    }
    for (int i = 0; i < 10; i++) assert_in_range(drawn[i], 500, 700); // 600 expected, deviation 20
}

static void hash__depends_on_contents_alone(void **state)
{
    (void)state;
    ferry_temp_write(&folder, "one/a.jpg", "xx", 2);
    ferry_temp_write(&folder, "one/b.jpg", "y", 1);
    ferry_temp_write(&folder, "two/c.jpg", "xx", 2);
    ferry_temp_write(&folder, "two/d.jpg", "y", 1);
    ferry_temp_write(&folder, "three/a.jpg", "x", 1);
    ferry_temp_write(&folder, "three/b.jpg", "xy", 2);
    ferry_hash128 h[3];
    const char *const folders[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        ferry_sample_list *list = open_list(ferry_temp_path(&folder, folders[i]));
        h[i] = ferry_sample_list_hash(list);
        ferry_sample_list_close(list);
    }
    assert_true(h[0].low == h[1].low && h[0].high == h[1].high);
    assert_true(h[0].low != h[2].low);
}

static ferry_status open_and_close(const ferry_heap *heap, void *context, ferry_error *error)
{
    ferry_sample_list *list = NULL;
    const ferry_status s = ferry_sample_list_open(context, heap, &list, error);
    ferry_sample_list_close(list);
    return s;
}

static void lists__survive_each_failing_allocation(void **state)
{
    (void)state;
    make_pictures(30);
    assert_true(ferry_failing_heap_loop(open_and_close, folder.path) >= 3);
    char path[300];
    snprintf(path, sizeof path, "%s", ferry_temp_write(&folder, "l.txt", "a.jpg\nb.jpg\n", 12));
    assert_true(ferry_failing_heap_loop(open_and_close, path) >= 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folder__lists_pictures_below_it_in_byte_order),
        TEST(list_file__names_pictures_relative_to_itself),
        TEST(npy__offers_its_rows),
        TEST(sources__are_refused_with_a_reason),
        TEST(choose__draws_complementary_sets),
        TEST(choose__draws_the_same_for_ever),
        TEST(choose__takes_all_where_there_are_no_more),
        TEST(choose__is_fair),
        TEST(hash__depends_on_contents_alone),
        TEST(lists__survive_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
