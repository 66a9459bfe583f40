// SPDX-License-Identifier: Apache-2.0
// Compiled kernels on the disk: found again as they were or not at all, bounded in size, and used by the compiler's
// caller in place of compiling.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/cuda/compile.h"
#include "backend/cuda/kept.h"
#include "backend/cuda/nvrtc.h"
#include "support/engine_case.h"
#include "support/temp_folder.h"

static ferry_temp_folder folder;

static int begin(void **state)
{
    (void)state;
    ferry_temp_folder_create(&folder);
    return setenv("XDG_CACHE_HOME", folder.path, 1);
}

static int end(void **state)
{
    (void)state;
    ferry_temp_folder_remove(&folder);
    return 0;
}

static ferry_hash128 key_of(int i)
{
    return (ferry_hash128){(uint64_t)i, 0x1234};
}

static const char *path_of(ferry_hash128 key)
{
    char text[33], name[80];
    snprintf(name, sizeof name, "ferry/cuda/%s.cubin", ferry_hash128_text(key, text));
    return ferry_temp_path(&folder, name);
}

static bool is_kept(int i)
{
    void *data = NULL;
    size_t bytes = 0;
    const bool found = ferry_cuda_kept_find(ferry_heap_default(), key_of(i), &data, &bytes);
    ferry_heap_free(ferry_heap_default(), data, bytes);
    return found;
}

static void code__is_found_as_it_was(void **state)
{
    (void)state;
    const char code[] = "not really a cubin";
    void *data = NULL;
    size_t bytes = 0;
    assert_false(is_kept(1));
    ferry_cuda_kept_add(ferry_heap_default(), key_of(1), code, sizeof code);
    assert_true(ferry_cuda_kept_find(ferry_heap_default(), key_of(1), &data, &bytes));
    assert_int_equal(bytes, sizeof code);
    assert_memory_equal(data, code, bytes);
    ferry_heap_free(ferry_heap_default(), data, bytes);
    assert_false(is_kept(2));
    struct stat st;
    assert_int_equal(stat(ferry_temp_path(&folder, "ferry/cuda"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void damaged_code__is_not_found(void **state)
{
    (void)state;
    ferry_cuda_kept_add(ferry_heap_default(), key_of(1), "0123456789", 10);
    FILE *f = fopen(path_of(key_of(1)), "r+b");
    assert_non_null(f);
    fputc('x', f);
    fclose(f);
    assert_false(is_kept(1));
    assert_int_equal(truncate(path_of(key_of(1)), 5), 0);
    assert_false(is_kept(1));
}

static void set_age(int i, int days)
{
    const struct timespec times[2] = {{.tv_sec = 1700000000 - 86400 * days}, {.tv_sec = 1700000000 - 86400 * days}};
    assert_int_equal(utimensat(AT_FDCWD, path_of(key_of(i)), times, 0), 0);
}

static void trim__removes_what_was_used_longest_ago(void **state)
{
    (void)state;
    static const char code[984] = {1}; // 1000 bytes with their checksum
    for (int i = 0; i < 5; i++) {
        ferry_cuda_kept_add(ferry_heap_default(), key_of(i), code, sizeof code);
        set_age(i, i);
    }
    const char *own = ferry_temp_write(&folder, "ferry/cuda/notes.txt", code, sizeof code);
    ferry_cuda_kept_state now;
    ferry_cuda_kept_look(&now);
    assert_true(now.writable);
    assert_int_equal(now.files, 5);
    assert_int_equal(now.bytes, 5000);
    assert_true(is_kept(4)); // used again: the latest now
    ferry_cuda_kept_trim(ferry_heap_default(), 5000);
    ferry_cuda_kept_look(&now);
    assert_int_equal(now.files, 5);
    ferry_cuda_kept_trim(ferry_heap_default(), 2500);
    assert_true(is_kept(4) && is_kept(0));
    assert_false(is_kept(1) || is_kept(2) || is_kept(3));
    assert_int_equal(access(own, F_OK), 0); // none of its files
}

static void no_folder__is_no_failure(void **state)
{
    (void)state;
    ferry_cuda_kept_state now;
    const char *file = ferry_temp_write(&folder, "file", "x", 1);
    setenv("XDG_CACHE_HOME", file, 1);
    ferry_cuda_kept_add(ferry_heap_default(), key_of(1), "0123456789", 10);
    assert_false(is_kept(1));
    ferry_cuda_kept_trim(ferry_heap_default(), 0);
    ferry_cuda_kept_look(&now);
    assert_false(now.writable);
    char *home = strdup(getenv("HOME") ? getenv("HOME") : "");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "", 1);
    ferry_cuda_kept_look(&now);
    assert_string_equal(now.folder, "");
    assert_false(is_kept(1));
    setenv("HOME", home, 1);
    free(home);
}

// --- In use ---------------------------------------------------------------------------------------------------------

static const char text[] = "extern \"C\" __global__ void ferry_nothing() {}\n";

// Compiles with a device that was just opened; *out_bytes is the size of what came.
static void compile(const char *chip, char *out, size_t capacity, size_t *out_bytes)
{
    ferry_device *device = NULL;
    const void *code = NULL;
    MUST(ferry_backend_cuda.open(chip, ferry_heap_default(), NULL, &device, err));
    MUST(ferry_cuda_compile((ferry_cuda_device *)device, text, &code, out_bytes, err));
    memcpy(out, code, *out_bytes < capacity ? *out_bytes : capacity);
    ferry_backend_cuda.close(device);
}

// The key of the only file that was kept.
static ferry_hash128 only_key(void)
{
    DIR *kept = opendir(ferry_temp_path(&folder, "ferry/cuda"));
    assert_non_null(kept);
    ferry_hash128 key = {0};
    int n = 0;
    for (const struct dirent *e; (e = readdir(kept));)
        n += sscanf(e->d_name, "%16lx%16lx.cubin", &key.high, &key.low) == 2;
    closedir(kept);
    assert_int_equal(n, 1);
    return key;
}

static void a_text__is_compiled_once_by_a_machine(void **state)
{
    (void)state;
    const ferry_nvrtc *nvrtc = NULL;
    if (ferry_nvrtc_get(90, 0, &nvrtc, NULL) != FERRY_OK) skip();
    char code[64], marker[] = "what was kept";
    size_t bytes = 0;
    compile("sm_90", code, sizeof code, &bytes);
    assert_true(bytes > sizeof marker);
    ferry_cuda_kept_add(ferry_heap_default(), only_key(), marker, sizeof marker);
    compile("sm_90", code, sizeof code, &bytes);
    assert_int_equal(bytes, sizeof marker);
    assert_string_equal(code, marker);
    compile("sm_80", code, sizeof code, &bytes); // is of another key
    assert_true(bytes > sizeof marker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(code__is_found_as_it_was, begin, end),
        cmocka_unit_test_setup_teardown(damaged_code__is_not_found, begin, end),
        cmocka_unit_test_setup_teardown(trim__removes_what_was_used_longest_ago, begin, end),
        cmocka_unit_test_setup_teardown(no_folder__is_no_failure, begin, end),
        cmocka_unit_test_setup_teardown(a_text__is_compiled_once_by_a_machine, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
