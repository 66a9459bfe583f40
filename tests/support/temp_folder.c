// SPDX-License-Identifier: Apache-2.0
#include "support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

void ferry_temp_folder_create(ferry_temp_folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/ferry-test-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(folder->path));
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

void ferry_temp_folder_remove(ferry_temp_folder *folder)
{
    nftw(folder->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *ferry_temp_path(const ferry_temp_folder *folder, const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder->path, name);
    return path;
}

const char *ferry_temp_write(const ferry_temp_folder *folder, const char *name, const void *data, size_t bytes)
{
    const char *path = ferry_temp_path(folder, name);
    char parent[512];
    snprintf(parent, sizeof parent, "%s", path);
    for (char *slash = strchr(parent + strlen(folder->path) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(parent, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

size_t ferry_temp_count(const ferry_temp_folder *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder->path);
    assert_non_null(dir);
    while (readdir(dir)) count++;
    closedir(dir);
    return count - 2;
}
