// SPDX-License-Identifier: Apache-2.0
// Which pictures calibration looks at: the same ones on every machine, whatever order a folder lists its files in.
#include "calibrate/sample_list.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/file_map.h"
#include "base/strings.h"

enum { MOST_LIST_BYTES = 256 << 20, MOST_DEPTH = 32 };

typedef struct sample {
    const char *path;     // as it is opened; in the arena
    const char *relative; // what it is sorted by: the end of path
    size_t row;           // SIZE_MAX for pictures
} sample;

struct ferry_sample_list {
    const ferry_heap *heap; // borrowed
    ferry_arena arena;
    sample *samples;
    size_t count, capacity, ignored;
    ferry_file_map map; // of a .npy
    ferry_npy npy;      // its tensor; rank 0 for pictures
};

static ferry_status add_sample(ferry_sample_list *l, const char *path, const char *relative, size_t row,
                               ferry_error *err)
{
    if (!path || !ferry_heap_reserve(l->heap, (void **)&l->samples, &l->capacity, sizeof *l->samples, l->count + 1))
        return ferry_fail_memory(err, "the list of samples");
    l->samples[l->count++] = (sample){path, relative, row};
    return FERRY_OK;
}

static bool has_suffix(const char *name, const char *suffix)
{
    const size_t length = strlen(name), n = strlen(suffix);
    return length > n && strcasecmp(name + length - n, suffix) == 0;
}

static bool is_picture_name(const char *name)
{
    return has_suffix(name, ".jpg") || has_suffix(name, ".jpeg") || has_suffix(name, ".png");
}

// --- Folders ---

// The folders on the way down, so that a link back to one of them is not followed for ever.
typedef struct ancestor {
    const struct ancestor *above;
    dev_t device;
    ino_t inode;
} ancestor;

static bool is_ancestor(const ancestor *a, const struct stat *st)
{
    for (; a; a = a->above)
        if (a->device == st->st_dev && a->inode == st->st_ino) return true;
    return false;
}

static ferry_status walk_folder(ferry_sample_list *l, const char *folder, size_t root_length, const ancestor *above,
                                int depth, ferry_error *err);

// `relative` begins root_length bytes into a path, after the slash.
static ferry_status visit(ferry_sample_list *l, const char *folder, const char *name, size_t root_length,
                          const ancestor *above, int depth, ferry_error *err)
{
    struct stat st;
    const char *slash = folder[0] && folder[strlen(folder) - 1] == '/' ? "" : "/";
    const char *path = ferry_arena_printf(&l->arena, "%s%s%s", folder, slash, name);
    if (!path) return ferry_fail_memory(err, "the list of samples");
    if (stat(path, &st) != 0) {
        // A dangling link of a picture's name is listed, so that it is reported like any unreadable picture.
        if (is_picture_name(name)) return add_sample(l, path, path + root_length, SIZE_MAX, err);
        l->ignored++;
        return FERRY_OK;
    }
    if (S_ISDIR(st.st_mode)) {
        if (is_ancestor(above, &st)) return FERRY_OK;
        const ancestor here = {above, st.st_dev, st.st_ino};
        return walk_folder(l, path, root_length, &here, depth + 1, err);
    }
    if (S_ISREG(st.st_mode) && is_picture_name(name)) return add_sample(l, path, path + root_length, SIZE_MAX, err);
    l->ignored++;
    return FERRY_OK;
}

static ferry_status walk_folder(ferry_sample_list *l, const char *folder, size_t root_length, const ancestor *above,
                                int depth, ferry_error *err)
{
    if (depth > MOST_DEPTH)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: folders are nested deeper than %d levels", folder, MOST_DEPTH);
    DIR *dir = opendir(folder);
    if (!dir) return ferry_fail(err, FERRY_ERR_IO, "%s: cannot open the folder: %s", folder, strerror(errno));
    ferry_status s = FERRY_OK;
    while (s == FERRY_OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno) s = ferry_fail(err, FERRY_ERR_IO, "%s: cannot read the folder: %s", folder, strerror(errno));
            break;
        }
        if (entry->d_name[0] != '.') s = visit(l, folder, entry->d_name, root_length, above, depth, err);
    }
    closedir(dir);
    return s;
}

static ferry_status read_folder(ferry_sample_list *l, const char *folder, const struct stat *st, ferry_error *err)
{
    const size_t length = strlen(folder);
    const ancestor root = {NULL, st->st_dev, st->st_ino};
    return walk_folder(l, folder, length + (length && folder[length - 1] != '/'), &root, 0, err);
}

// --- List files and samples ---

static ferry_status read_list_lines(ferry_sample_list *l, const char *list, ferry_text text, ferry_error *err)
{
    const char *slash = strrchr(list, '/');
    const int folder_length = slash ? (int)(slash - list) + 1 : 0;
    ferry_text line;
    for (size_t number = 1; ferry_text_next_line(&text, &line); number++) {
        line = ferry_text_trim(line);
        if (line.length == 0 || line.data[0] == '#') continue;
        if (memchr(line.data, 0, line.length) || line.length >= PATH_MAX)
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s:%zu: not a path", list, number);
        const int kept = line.data[0] == '/' ? 0 : folder_length;
        const char *path = ferry_arena_printf(&l->arena, "%.*s%.*s", kept, list, (int)line.length, line.data);
        FERRY_TRY(add_sample(l, path, path ? path + kept : NULL, SIZE_MAX, err));
    }
    return FERRY_OK;
}

static ferry_status read_list_file(ferry_sample_list *l, const char *list, ferry_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_file_read(l->heap, list, MOST_LIST_BYTES, &text, &bytes, err));
    const ferry_status s = read_list_lines(l, list, (ferry_text){text, bytes}, err);
    ferry_heap_free(l->heap, text, bytes + 1);
    return s;
}

static ferry_status read_npy(ferry_sample_list *l, const char *path, ferry_error *err)
{
    FERRY_TRY(ferry_file_map_open(&l->map, path, err));
    const ferry_status s = ferry_npy_parse(l->map.data, l->map.bytes, &l->npy, err);
    if (s != FERRY_OK) return ferry_within(err, s, "%s", path);
    if (l->npy.dtype != FERRY_F32 || l->npy.rank < 1)
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "%s: holds %s with %u dimensions; samples are float32 [N, ...]: save array.astype('float32')",
                          path, ferry_dtype_name(l->npy.dtype), l->npy.rank);
    if (l->npy.elem_count == 0)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: holds no sample (a dimension is 0)", path);
    const char *copy = ferry_arena_strdup(&l->arena, path);
    for (size_t row = 0; row < l->npy.shape[0]; row++) FERRY_TRY(add_sample(l, copy, copy, row, err));
    return FERRY_OK;
}

// --- The list ---

static int compare_samples(const void *a, const void *b)
{
    return strcmp(((const sample *)a)->relative, ((const sample *)b)->relative);
}

static void sort_and_drop_duplicates(ferry_sample_list *l)
{
    if (l->npy.rank > 0 || l->count == 0) return;
    qsort(l->samples, l->count, sizeof *l->samples, compare_samples);
    size_t kept = 1;
    for (size_t i = 1; i < l->count; i++)
        if (compare_samples(&l->samples[i], &l->samples[kept - 1]) != 0) l->samples[kept++] = l->samples[i];
    l->count = kept;
}

static ferry_status fill(ferry_sample_list *l, const char *source, ferry_error *err)
{
    struct stat st;
    if (stat(source, &st) != 0)
        return ferry_fail(err, FERRY_ERR_IO, "%s: cannot be opened: %s", source, strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        FERRY_TRY(read_folder(l, source, &st, err));
    } else if (has_suffix(source, ".txt")) {
        FERRY_TRY(read_list_file(l, source, err));
    } else if (has_suffix(source, ".npy")) {
        FERRY_TRY(read_npy(l, source, err));
    } else {
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "%s: samples come from a folder of pictures, a .txt with a path a line, or a .npy", source);
    }
    sort_and_drop_duplicates(l);
    if (l->count > 0) return FERRY_OK;
    if (S_ISDIR(st.st_mode))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: holds no picture (.jpg, .jpeg, .png); %zu other files", source,
                          l->ignored);
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: names no picture", source);
}

ferry_status ferry_sample_list_open(const char *source, const ferry_heap *heap, ferry_sample_list **out,
                                    ferry_error *error)
{
    *out = NULL;
    heap = ferry_heap_or_default(heap);
    ferry_sample_list *l = ferry_new(heap, ferry_sample_list);
    if (!l) return ferry_fail_memory(error, "the list of samples");
    l->heap = heap;
    ferry_arena_init(&l->arena, heap);
    const ferry_status s = fill(l, source, error);
    if (s != FERRY_OK) {
        ferry_sample_list_close(l);
        return s;
    }
    *out = l;
    return FERRY_OK;
}

void ferry_sample_list_close(ferry_sample_list *list)
{
    if (!list) return;
    ferry_heap_free(list->heap, list->samples, list->capacity * sizeof *list->samples);
    ferry_file_map_close(&list->map);
    ferry_arena_deinit(&list->arena);
    ferry_delete(list->heap, list);
}

size_t ferry_sample_list_count(const ferry_sample_list *list)
{
    return list->count;
}

size_t ferry_sample_list_ignored(const ferry_sample_list *list)
{
    return list->ignored;
}

const char *ferry_sample_list_path(const ferry_sample_list *list, size_t index)
{
    return index < list->count ? list->samples[index].path : NULL;
}

size_t ferry_sample_list_row(const ferry_sample_list *list, size_t index)
{
    return index < list->count ? list->samples[index].row : SIZE_MAX;
}

const ferry_npy *ferry_sample_list_npy(const ferry_sample_list *list)
{
    return list->npy.rank > 0 ? &list->npy : NULL;
}

// --- Drawing ---

// SplitMix64 (Steele, Lea, Flood 2014): whole numbers only, so every machine draws the same.
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// Uniform in [0, n): numbers of the last, incomplete run of n are drawn again.
static uint64_t random_below(uint64_t *state, uint64_t n)
{
    const uint64_t whole = UINT64_MAX - UINT64_MAX % n;
    uint64_t r = next_random(state);
    while (r >= whole) r = next_random(state);
    return r % n;
}

void ferry_sample_list_choose(ferry_sample_list *list, size_t count, uint64_t seed, ferry_sample_choice choice)
{
    uint64_t state = seed;
    size_t kept = 0;
    if (count == 0) count = FERRY_CALIBRATION_DEFAULT_COUNT;
    if (count > list->count) count = list->count;
    // Selection sampling (Knuth 3.4.2, algorithm S): each subset is equally likely, and the order stays.
    for (size_t i = 0, wanted = count; i < list->count; i++) {
        const bool drawn = random_below(&state, list->count - i) < wanted;
        wanted -= drawn;
        if (drawn == (choice == FERRY_SAMPLES_DRAWN)) list->samples[kept++] = list->samples[i];
    }
    list->count = kept;
}

ferry_hash128 ferry_sample_list_hash(const ferry_sample_list *list)
{
    ferry_hasher hasher;
    ferry_hasher_init128(&hasher);
    const size_t row_bytes = list->npy.rank ? list->npy.bytes / (size_t)list->npy.shape[0] : 0;
    for (size_t i = 0; i < list->count; i++) {
        const sample *s = &list->samples[i];
        ferry_file_map map = {0};
        if (s->row != SIZE_MAX) {
            ferry_hasher_update(&hasher, (const char *)list->npy.data + s->row * row_bytes, row_bytes);
        } else if (ferry_file_map_open(&map, s->path, NULL) == FERRY_OK) {
            ferry_hasher_update(&hasher, map.data, map.bytes);
        }
        ferry_hasher_update_u64(&hasher, row_bytes ? row_bytes : map.bytes); // where one sample ends
        ferry_file_map_close(&map);
    }
    return ferry_hasher_digest128(&hasher);
}
