// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/atomic_file.h"
#include "base/file_map.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

static ferry_temp_folder folder;

static int make_folder(void **state)
{
    (void)state;
    ferry_temp_folder_create(&folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    ferry_temp_folder_remove(&folder);
    return 0;
}

static void expect_content(const char *path, const char *text)
{
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(ferry_file_read(ferry_heap_default(), path, 1000, &data, &bytes, NULL), FERRY_OK);
    assert_string_equal(data, text);
    ferry_heap_free(ferry_heap_default(), data, bytes + 1);
}

static void file_map__maps_files_and_empty_ones(void **state)
{
    (void)state;
    ferry_file_map map;
    ferry_error err;
    assert_int_equal(ferry_file_map_open(&map, ferry_temp_write(&folder, "a", "hello", 5), &err), FERRY_OK);
    assert_int_equal(map.bytes, 5);
    assert_memory_equal(map.data, "hello", 5);
    ferry_file_map_close(&map);
    assert_null(map.data);
    ferry_file_map_close(&map);
    assert_int_equal(ferry_file_map_open(&map, ferry_temp_write(&folder, "b", "", 0), &err), FERRY_OK);
    assert_int_equal(map.bytes, 0);
    assert_non_null(map.data);
    ferry_file_map_close(&map);
}

static void file_map__refuses_what_is_no_file(void **state)
{
    (void)state;
    ferry_file_map map;
    ferry_error err;
    assert_int_equal(ferry_file_map_open(&map, ferry_temp_path(&folder, "absent"), &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "absent: cannot open: No such file"));
    assert_null(map.data);
    assert_int_equal(ferry_file_map_open(&map, folder.path, &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "is a folder"));
    const char *fifo = ferry_temp_path(&folder, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(ferry_file_map_open(&map, fifo, &err), FERRY_ERR_IO); // and does not wait for a writer
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(ferry_file_map_open(&map, "/dev/zero", &err), FERRY_ERR_IO);
}

static void file_read__holds_to_its_cap(void **state)
{
    (void)state;
    char *data = NULL;
    size_t bytes = 0;
    ferry_error err;
    const char *path = ferry_temp_write(&folder, "ten", "0123456789", 10);
    assert_int_equal(ferry_file_read(ferry_heap_default(), path, 9, &data, &bytes, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "has 10 bytes, at most 9"));
    assert_null(data);
    assert_int_equal(ferry_file_read(ferry_heap_default(), path, 10, &data, &bytes, &err), FERRY_OK);
    assert_int_equal(bytes, 10);
    assert_int_equal(data[10], 0);
    ferry_heap_free(ferry_heap_default(), data, bytes + 1);
}

static void atomic_file__keeps_the_old_content_until_commit(void **state)
{
    (void)state;
    ferry_atomic_file file;
    ferry_error err;
    const char *path = ferry_temp_write(&folder, "out", "old", 3);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(ferry_atomic_file_open(&file, ferry_heap_default(), path, &err), FERRY_OK);
    assert_int_equal(ferry_atomic_file_append(&file, "....", 4, &err), FERRY_OK);
    assert_int_equal(ferry_atomic_file_append(&file, "new", 3, &err), FERRY_OK);
    assert_int_equal(ferry_atomic_file_write_at(&file, 0, "very", 4, &err), FERRY_OK);
    assert_int_equal(file.bytes, 7);
    expect_content(path, "old");
    assert_int_equal(ferry_temp_count(&folder), 2);
    assert_int_equal(ferry_atomic_file_commit(&file, true, &err), FERRY_OK);
    expect_content(path, "verynew");
    assert_int_equal(ferry_temp_count(&folder), 1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    ferry_atomic_file_abandon(&file);
    assert_int_equal(ferry_atomic_file_append(&file, "x", 1, &err), FERRY_ERR_INVALID_ARGUMENT);
}

static void atomic_file__leaves_nothing_when_abandoned(void **state)
{
    (void)state;
    ferry_atomic_file file = {0};
    ferry_atomic_file_abandon(&file);
    assert_int_equal(ferry_atomic_file_open(&file, ferry_heap_default(), ferry_temp_path(&folder, "x"), NULL),
                     FERRY_OK);
    assert_int_equal(ferry_atomic_file_append(&file, "abc", 3, NULL), FERRY_OK);
    ferry_atomic_file_abandon(&file);
    assert_int_equal(ferry_temp_count(&folder), 0);
}

static void atomic_file__says_why_it_cannot_write(void **state)
{
    (void)state;
    ferry_atomic_file file;
    ferry_error err;
    const ferry_heap *heap = ferry_heap_default();
    assert_int_equal(ferry_atomic_file_open(&file, heap, ferry_temp_path(&folder, "no/where"), &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "no/where: cannot write: its folder does not exist"));
    assert_int_equal(ferry_atomic_file_open(&file, heap, folder.path, &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "it is a folder"));
    assert_int_equal(ferry_atomic_file_open(&file, heap, "/dev/null", &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(ferry_atomic_file_open(&file, heap, "", &err), FERRY_ERR_INVALID_ARGUMENT);
    const char *plain = ferry_temp_write(&folder, "plain", "", 0);
    char below[600];
    snprintf(below, sizeof below, "%s/x", plain);
    assert_int_equal(ferry_atomic_file_open(&file, heap, below, &err), FERRY_ERR_IO);
    const char *dangling = ferry_temp_path(&folder, "dangling");
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_int_equal(ferry_atomic_file_open(&file, heap, dangling, &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "cannot follow the link"));
    char longest[300];
    memset(longest, 'n', sizeof longest);
    longest[299] = 0;
    assert_int_equal(ferry_atomic_file_open(&file, heap, ferry_temp_path(&folder, longest), &err), FERRY_ERR_IO);
    assert_int_equal(ferry_temp_count(&folder), 2);
    if (geteuid() != 0) {
        assert_int_equal(chmod(plain, 0400), 0);
        assert_int_equal(ferry_atomic_file_open(&file, heap, plain, &err), FERRY_ERR_IO);
        assert_non_null(strstr(err.text, "Permission denied"));
    }
}

static void atomic_file__replaces_what_a_link_points_to(void **state)
{
    (void)state;
    const char *real = ferry_temp_write(&folder, "real", "old", 3), *link = ferry_temp_path(&folder, "link");
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(ferry_atomic_file_write(ferry_heap_default(), link, "new", 3, NULL), FERRY_OK);
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    expect_content(real, "new");
}

// A limit on the size of files stands in for a full disk.
static void atomic_file__reports_a_full_disk_and_leaves_nothing(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {10000, 10000};
        static char block[20000];
        ferry_error err = {{0}};
        ferry_atomic_file file;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        int bad = ferry_atomic_file_open(&file, ferry_heap_default(), ferry_temp_path(&folder, "big"), &err);
        bad |= ferry_atomic_file_append(&file, block, 6000, &err);
        bad |= ferry_atomic_file_append(&file, block, 6000, &err) != FERRY_ERR_IO;
        bad |= !strstr(err.text, "big: cannot write 2000 bytes at byte 10000: File too large");
        ferry_atomic_file_abandon(&file);
        bad |= ferry_atomic_file_write(ferry_heap_default(), ferry_temp_path(&folder, "big"), block, sizeof block,
                                       &err) == 0;
        _exit(bad ? 1 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(ferry_temp_count(&folder), 0);
}

static void end_process(int number)
{
    ferry_atomic_file_unlink_all();
    _exit(number == SIGTERM ? 0 : 1);
}

static void atomic_file__temporaries_are_removed_by_a_signal_handler(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        static ferry_atomic_file files[5];
        signal(SIGTERM, end_process);
        for (int i = 0; i < 5; i++) {
            char name[16];
            snprintf(name, sizeof name, "out%d", i);
            if (ferry_atomic_file_open(&files[i], ferry_heap_default(), ferry_temp_path(&folder, name), NULL)) _exit(2);
            if (ferry_atomic_file_append(&files[i], "part", 4, NULL)) _exit(3);
        }
        if (ferry_atomic_file_commit(&files[3], false, NULL)) _exit(4);
        if (ferry_temp_count(&folder) != 5 || write(ready[1], "r", 1) != 1) _exit(5);
        for (;;) pause();
    }
    char byte = 0;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_int_equal(kill(child, SIGTERM), 0);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(ferry_temp_count(&folder), 1);
    expect_content(ferry_temp_path(&folder, "out3"), "part");
}

static void atomic_file__serves_more_files_than_the_table_holds(void **state)
{
    (void)state;
    static ferry_atomic_file files[40];
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "many%d", i);
        assert_int_equal(ferry_atomic_file_open(&files[i], ferry_heap_default(), ferry_temp_path(&folder, name), NULL),
                         FERRY_OK);
    }
    for (int i = 0; i < 40; i++) assert_int_equal(ferry_atomic_file_commit(&files[i], false, NULL), FERRY_OK);
    assert_int_equal(ferry_temp_count(&folder), 40);
}

static ferry_status write_and_read(const ferry_heap *heap, void *context, ferry_error *err)
{
    const char *path = ferry_temp_path(&folder, "heap");
    char *data = NULL;
    size_t bytes = 0;
    (void)context;
    ferry_status s = ferry_atomic_file_write(heap, path, "text", 4, err);
    if (s == FERRY_OK) s = ferry_file_read(heap, path, 100, &data, &bytes, err);
    ferry_heap_free(heap, data, bytes + 1);
    return s;
}

static void files__survive_each_failing_allocation(void **state)
{
    (void)state;
    assert_int_equal(ferry_failing_heap_loop(write_and_read, NULL), 3);
    assert_int_equal(ferry_temp_count(&folder), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_map__maps_files_and_empty_ones),
        TEST(file_map__refuses_what_is_no_file),
        TEST(file_read__holds_to_its_cap),
        TEST(atomic_file__keeps_the_old_content_until_commit),
        TEST(atomic_file__leaves_nothing_when_abandoned),
        TEST(atomic_file__says_why_it_cannot_write),
        TEST(atomic_file__replaces_what_a_link_points_to),
        TEST(atomic_file__reports_a_full_disk_and_leaves_nothing),
        TEST(atomic_file__temporaries_are_removed_by_a_signal_handler),
        TEST(atomic_file__serves_more_files_than_the_table_holds),
        TEST(files__survive_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
