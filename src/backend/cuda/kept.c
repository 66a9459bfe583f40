// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/file_map.h"

#define MOST_CODE ((size_t)64 << 20)
#define TRIM_EVERY 128 // files that a process has added

static const char ending[] = ".cubin";
enum { NAME = 32 + sizeof ending - 1 };

// --- Places ---------------------------------------------------------------------------------------------------------

// Folders are made on the way; false where there is no place for them.
static bool find_folder(bool make, char *out, size_t bytes)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const int n = cache && cache[0] == '/' ? snprintf(out, bytes, "%s", cache)
                  : home && home[0] == '/' ? snprintf(out, bytes, "%s/.cache", home)
                                           : -1;
    static const char *const folders[] = {"", "/ferry", "/ferry/cuda"};
    for (size_t i = 0; i < FERRY_COUNT_OF(folders); i++) {
        if (n < 0 || (size_t)n + sizeof "/ferry/cuda" > bytes) return false;
        snprintf(out + n, bytes - (size_t)n, "%s", folders[i]);
        if (make) (void)mkdir(out, 0700); // one that is there already is as good
    }
    return true;
}

static bool make_path(ferry_hash128 key, bool make, char *out, size_t bytes)
{
    char name[33];
    if (!find_folder(make, out, bytes)) return false;
    const size_t used = strlen(out);
    const int n = snprintf(out + used, bytes - used, "/%s%s", ferry_hash128_text(key, name), ending);
    return n > 0 && (size_t)n < bytes - used;
}

// --- Reading and writing --------------------------------------------------------------------------------------------

bool ferry_cuda_kept_find(const ferry_heap *heap, ferry_hash128 key, void **out, size_t *out_bytes)
{
    char path[1024], *data = NULL;
    size_t bytes = 0;
    ferry_hash128 sum;
    if (!make_path(key, false, path, sizeof path) ||
        ferry_file_read(heap, path, MOST_CODE, &data, &bytes, NULL) != FERRY_OK)
        return false;
    // Its own checksum lies behind the code: a driver is not to be given a damaged file.
    bool whole = bytes > sizeof sum;
    if (whole) {
        const ferry_hash128 own = ferry_hash128_of(data, bytes - sizeof sum);
        memcpy(&sum, data + bytes - sizeof sum, sizeof sum);
        whole = own.low == sum.low && own.high == sum.high;
    }
    *out = whole ? ferry_heap_alloc_uninit(heap, bytes - sizeof sum) : NULL;
    *out_bytes = whole ? bytes - sizeof sum : 0;
    if (*out) memcpy(*out, data, *out_bytes);
    if (*out) (void)utimensat(AT_FDCWD, path, NULL, 0); // used last now
    ferry_heap_free(heap, data, bytes + 1);
    return *out != NULL;
}

void ferry_cuda_kept_add(const ferry_heap *heap, ferry_hash128 key, const void *code, size_t bytes)
{
    static atomic_uint added;
    char path[1024];
    const ferry_hash128 sum = ferry_hash128_of(code, bytes);
    ferry_atomic_file file;
    if (!make_path(key, true, path, sizeof path) || ferry_atomic_file_open(&file, heap, path, NULL) != FERRY_OK) return;
    if (ferry_atomic_file_append(&file, code, bytes, NULL) == FERRY_OK &&
        ferry_atomic_file_append(&file, &sum, sizeof sum, NULL) == FERRY_OK)
        (void)ferry_atomic_file_commit(&file, false, NULL);
    else
        ferry_atomic_file_abandon(&file);
    if (atomic_fetch_add(&added, 1) % TRIM_EVERY == 0) ferry_cuda_kept_trim(heap, FERRY_CUDA_KEPT_MOST);
}

// --- The folder as a whole ------------------------------------------------------------------------------------------

typedef struct kept_file {
    struct timespec used;
    uint64_t bytes;
    char name[NAME + 1];
} kept_file;

// The next of the folder's files that is a compiled kernel; false at the end.
static bool next_file(DIR *folder, kept_file *out)
{
    struct stat st;
    for (const struct dirent *e; (e = readdir(folder));) {
        if (strlen(e->d_name) != NAME || strspn(e->d_name, "0123456789abcdef") != 32 ||
            strcmp(e->d_name + 32, ending) != 0 || fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        *out = (kept_file){.used = st.st_mtim, .bytes = (uint64_t)st.st_size};
        memcpy(out->name, e->d_name, sizeof out->name);
        return true;
    }
    return false;
}

static int latest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const kept_file *)a)->used, *y = &((const kept_file *)b)->used;
    if (x->tv_sec != y->tv_sec) return x->tv_sec < y->tv_sec ? 1 : -1;
    return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

void ferry_cuda_kept_trim(const ferry_heap *heap, uint64_t most_bytes)
{
    char path[1024];
    DIR *folder = find_folder(false, path, sizeof path) ? opendir(path) : NULL;
    void *items = NULL;
    size_t capacity = 0, count = 0;
    kept_file file;
    uint64_t bytes = 0;
    while (folder && next_file(folder, &file) && ferry_heap_reserve(heap, &items, &capacity, sizeof file, count + 1)) {
        ((kept_file *)items)[count++] = file;
        bytes += file.bytes;
    }
    kept_file *files = items;
    if (bytes > most_bytes) qsort(files, count, sizeof *files, latest_first);
    while (bytes > most_bytes && count > 0) {
        bytes -= files[--count].bytes;
        (void)unlinkat(dirfd(folder), files[count].name, 0);
    }
    ferry_heap_free(heap, items, capacity * sizeof file);
    if (folder) closedir(folder);
}

void ferry_cuda_kept_look(ferry_cuda_kept_state *out)
{
    *out = (ferry_cuda_kept_state){.bytes = 0};
    if (!find_folder(true, out->folder, sizeof out->folder)) {
        out->folder[0] = 0;
        return;
    }
    out->writable = access(out->folder, W_OK | X_OK) == 0;
    DIR *folder = opendir(out->folder);
    for (kept_file file; folder && next_file(folder, &file); out->files++) out->bytes += file.bytes;
    if (folder) closedir(folder);
}
