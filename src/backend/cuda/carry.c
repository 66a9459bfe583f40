// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/carry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/cuda/compile.h"
#include "backend/cuda/source.h"
#include "base/atomic_file.h"
#include "base/file_map.h"

#define MOST_TEXTS 64
#define MOST_CODE ((size_t)64 << 20)

static const char include[] = "#include \"";

typedef struct expansion {
    ferry_cuda_source out;
    bool taken[MOST_TEXTS]; // headers that are in already
} expansion;

static int find_text(const char *name, size_t length)
{
    for (int i = 0; i < MOST_TEXTS && ferry_cuda_texts[i].name; i++)
        if (strlen(ferry_cuda_texts[i].name) == length && strncmp(ferry_cuda_texts[i].name, name, length) == 0)
            return i;
    return -1;
}

// Line by line; headers include headers, each once, so that the depth is bounded by their number.
static void expand(expansion *e, const char *text)
{
    while (*text) {
        const size_t line = strcspn(text, "\n");
        const size_t name =
            strncmp(text, include, sizeof include - 1) == 0 ? strcspn(text + sizeof include - 1, "\"") : 0;
        const int at = name ? find_text(text + sizeof include - 1, name) : -1;
        if (at >= 0 && !e->taken[at]) {
            e->taken[at] = true;
            expand(e, ferry_cuda_texts[at].text);
            ferry_cuda_source_add(&e->out, "\n");
        } else if (at < 0 && strncmp(text, "#pragma once", 12) != 0) {
            ferry_cuda_source_add(&e->out, "%.*s\n", (int)line, text);
        }
        text += line + (text[line] != 0);
    }
}

ferry_status ferry_cuda_carry_text(const ferry_heap *heap, const char *text, void **out, size_t *out_bytes,
                                   ferry_error *err)
{
    expansion e = {.out = {.heap = heap}};
    expand(&e, text);
    void *copy = e.out.failed || !e.out.text ? NULL : ferry_heap_alloc_uninit(heap, e.out.length + 1);
    if (copy) memcpy(copy, e.out.text, e.out.length + 1);
    *out = copy;
    *out_bytes = e.out.length + 1;
    ferry_heap_free(heap, e.out.text, e.out.capacity);
    return copy ? FERRY_OK : ferry_fail_memory(err, "a kernel's text");
}

// --- On the disk ----------------------------------------------------------------------------------------------------

// Folders are made on the way; false where there is no place for them.
static bool make_path(ferry_hash128 key, bool make, char *out, size_t bytes)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char name[33];
    int n = cache && cache[0] == '/' ? snprintf(out, bytes, "%s", cache)
            : home && home[0] == '/' ? snprintf(out, bytes, "%s/.cache", home)
                                     : -1;
    if (n < 0) return false;
    static const char *const folders[] = {"", "/ferry", "/ferry/cuda"};
    const size_t base = (size_t)n;
    for (size_t i = 0; i < FERRY_COUNT_OF(folders); i++) {
        if (base >= bytes) return false;
        snprintf(out + base, bytes - base, "%s", folders[i]);
        if (make) (void)mkdir(out, 0700); // one that is there already is as good
    }
    n = snprintf(out + base, bytes - base, "/ferry/cuda/%s.cubin", ferry_hash128_text(key, name));
    return n > 0 && (size_t)n < bytes - base;
}

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
    ferry_heap_free(heap, data, bytes + 1);
    return *out != NULL;
}

void ferry_cuda_kept_add(const ferry_heap *heap, ferry_hash128 key, const void *code, size_t bytes)
{
    char path[1024];
    const ferry_hash128 sum = ferry_hash128_of(code, bytes);
    ferry_atomic_file file;
    if (!make_path(key, true, path, sizeof path) || ferry_atomic_file_open(&file, heap, path, NULL) != FERRY_OK) return;
    if (ferry_atomic_file_append(&file, code, bytes, NULL) == FERRY_OK &&
        ferry_atomic_file_append(&file, &sum, sizeof sum, NULL) == FERRY_OK)
        (void)ferry_atomic_file_commit(&file, false, NULL);
    else
        ferry_atomic_file_abandon(&file);
}
