// SPDX-License-Identifier: Apache-2.0
#include "plan/timing_cache.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/file_map.h"
#include "base/hash.h"
#include "base/strings.h"

#define FIRST_LINE "ferry timing cache 1"
#define MOST_FILE_BYTES ((size_t)256 << 20)

typedef struct entry {
    const char *key; // in the arena
    double us;
} entry;

struct ferry_timing_cache {
    const ferry_heap *heap;
    ferry_arena arena;
    entry *entries;
    size_t count, capacity;
    uint32_t *slots; // open addressing over entries, index + 1; a power of two
    size_t n_slots;
};

ferry_status ferry_timing_cache_create(const ferry_heap *heap, ferry_timing_cache **out, ferry_error *err)
{
    *out = ferry_new(heap, ferry_timing_cache);
    if (!*out) return ferry_fail_memory(err, "a timing cache");
    (*out)->heap = heap;
    ferry_arena_init(&(*out)->arena, heap);
    return FERRY_OK;
}

void ferry_timing_cache_destroy(ferry_timing_cache *cache)
{
    if (!cache) return;
    ferry_heap_free(cache->heap, cache->entries, cache->capacity * sizeof *cache->entries);
    ferry_heap_free(cache->heap, cache->slots, cache->n_slots * sizeof *cache->slots);
    ferry_arena_deinit(&cache->arena);
    ferry_delete(cache->heap, cache);
}

// The slot that holds the key, or the free one where it belongs.
static size_t find_slot(const ferry_timing_cache *cache, const char *key)
{
    size_t at = (size_t)ferry_hash64_of(key, strlen(key)) & (cache->n_slots - 1);
    while (cache->slots[at] && strcmp(cache->entries[cache->slots[at] - 1].key, key) != 0)
        at = (at + 1) & (cache->n_slots - 1);
    return at;
}

static bool grow_slots(ferry_timing_cache *cache)
{
    if ((cache->count + 1) * 2 <= cache->n_slots) return true;
    const size_t n = cache->n_slots ? cache->n_slots * 2 : 64;
    uint32_t *slots = ferry_heap_alloc_array(cache->heap, n, sizeof *slots);
    if (!slots) return false;
    ferry_heap_free(cache->heap, cache->slots, cache->n_slots * sizeof *cache->slots);
    cache->slots = slots;
    cache->n_slots = n;
    for (size_t i = 0; i < cache->count; i++) slots[find_slot(cache, cache->entries[i].key)] = (uint32_t)(i + 1);
    return true;
}

double ferry_timing_cache_find(const ferry_timing_cache *cache, const char *key)
{
    if (cache->count == 0) return -1;
    const uint32_t i = cache->slots[find_slot(cache, key)];
    return i ? cache->entries[i - 1].us : -1;
}

ferry_status ferry_timing_cache_add(ferry_timing_cache *cache, const char *key, double microseconds, ferry_error *err)
{
    void *entries = cache->entries;
    if (!grow_slots(cache) ||
        !ferry_heap_reserve(cache->heap, &entries, &cache->capacity, sizeof(entry), cache->count + 1))
        return ferry_fail_memory(err, "a timing cache");
    cache->entries = entries;
    const size_t slot = find_slot(cache, key);
    if (cache->slots[slot]) {
        cache->entries[cache->slots[slot] - 1].us = microseconds;
        return FERRY_OK;
    }
    const char *copy = ferry_arena_strdup(&cache->arena, key);
    if (!copy) return ferry_fail_memory(err, "a timing cache");
    cache->entries[cache->count++] = (entry){copy, microseconds};
    cache->slots[slot] = (uint32_t)cache->count;
    return FERRY_OK;
}

size_t ferry_timing_cache_count(const ferry_timing_cache *cache)
{
    return cache->count;
}

// A line is the time in microseconds, a tab, the key.
static ferry_status read_line(ferry_timing_cache *cache, char *line, ferry_error *err)
{
    const char *end = strchr(line, '\t');
    double us = 0;
    if (!end || !end[1] || !ferry_parse_double((ferry_text){line, (size_t)(end - line)}, &us) || us < 0)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "expected microseconds, a tab and a key");
    return ferry_timing_cache_add(cache, end + 1, us, err);
}

static ferry_status read_text(ferry_timing_cache *cache, char *text, size_t bytes, ferry_error *err)
{
    size_t number = 0;
    if (bytes == 0) return ferry_fail(err, FERRY_ERR_BAD_DATA, "line 1: a timing cache begins with '%s'", FIRST_LINE);
    for (char *line = text; line < text + bytes;) {
        char *end = memchr(line, '\n', (size_t)(text + bytes - line));
        if (!end) end = text + bytes;
        *end = 0;
        number++;
        if (number == 1 && strcmp(line, FIRST_LINE) != 0)
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "line 1: a timing cache begins with '%s'", FIRST_LINE);
        if (number > 1 && *line) {
            const ferry_status s = read_line(cache, line, err);
            if (s != FERRY_OK) return ferry_within(err, s, "line %zu", number);
        }
        line = end + 1;
    }
    return FERRY_OK;
}

ferry_status ferry_timing_cache_read(ferry_timing_cache *cache, const char *path, ferry_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOENT) return FERRY_OK;
    char *text = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_file_read(cache->heap, path, MOST_FILE_BYTES, &text, &bytes, err));
    ferry_status s = read_text(cache, text, bytes, err);
    if (s != FERRY_OK) s = ferry_within(err, s, "%s", path);
    ferry_heap_free(cache->heap, text, bytes + 1);
    return s;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->key, ((const entry *)b)->key);
}

ferry_status ferry_timing_cache_write(const ferry_timing_cache *cache, const char *path, ferry_error *err)
{
    entry *sorted = ferry_heap_alloc_array(cache->heap, cache->count, sizeof *sorted);
    if (!sorted) return ferry_fail_memory(err, "a timing cache");
    if (cache->count) memcpy(sorted, cache->entries, cache->count * sizeof *sorted);
    qsort(sorted, cache->count, sizeof *sorted, by_key);
    ferry_atomic_file file;
    ferry_status s = ferry_atomic_file_open(&file, cache->heap, path, err);
    if (s == FERRY_OK) s = ferry_atomic_file_append(&file, FIRST_LINE "\n", strlen(FIRST_LINE "\n"), err);
    for (size_t i = 0; s == FERRY_OK && i < cache->count; i++) {
        char time[400];
        snprintf(time, sizeof time, "%.3f", sorted[i].us);
        ferry_point_decimal(time);
        s = ferry_atomic_file_append(&file, time, strlen(time), err);
        if (s == FERRY_OK) s = ferry_atomic_file_append(&file, "\t", 1, err);
        if (s == FERRY_OK) s = ferry_atomic_file_append(&file, sorted[i].key, strlen(sorted[i].key), err);
        if (s == FERRY_OK) s = ferry_atomic_file_append(&file, "\n", 1, err);
    }
    if (s == FERRY_OK) {
        s = ferry_atomic_file_commit(&file, false, err);
    } else {
        ferry_atomic_file_abandon(&file);
    }
    ferry_heap_free(cache->heap, sorted, cache->count * sizeof *sorted);
    return s;
}
