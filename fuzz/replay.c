// SPDX-License-Identifier: Apache-2.0
// A plain main for a fuzz target: runs it on every file of the folders named, so that an input that once broke
// something is tried again in each ordinary test run.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Each input lies in a block of exactly its size, so that a sanitizer sees one byte read too far.
static int replay_file(const char *path, long bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    uint8_t *data = malloc(bytes > 0 ? (size_t)bytes : 1);
    const int whole = data && fread(data, 1, (size_t)bytes, file) == (size_t)bytes;
    fclose(file);
    if (whole) LLVMFuzzerTestOneInput(data, (size_t)bytes);
    free(data);
    if (whole) return 0;
    fprintf(stderr, "%s: cannot be read whole\n", path);
    return 1;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Files of a folder in a fixed order, or one file. Returns how many failed to be read, and counts the rest.
static int replay(const char *path, size_t *count)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(status.st_mode)) {
        ++*count;
        return replay_file(path, (long)status.st_size);
    }
    struct dirent **entries = NULL;
    const int n = scandir(path, &entries, NULL, NULL);
    if (n < 0) {
        perror(path);
        return 1;
    }
    char **paths = calloc((size_t)n + 1, sizeof *paths);
    size_t used = 0;
    for (int i = 0; i < n; i++) {
        const size_t bytes = strlen(path) + strlen(entries[i]->d_name) + 2;
        if (paths && entries[i]->d_name[0] != '.' && (paths[used] = malloc(bytes)))
            snprintf(paths[used++], bytes, "%s/%s", path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    int failures = paths ? 0 : 1;
    if (paths) qsort(paths, used, sizeof *paths, compare_names);
    for (size_t i = 0; i < used; i++) {
        failures += replay(paths[i], count);
        free(paths[i]);
    }
    free(paths);
    return failures;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    int failures = 0;
    for (int i = 1; i < argc; i++) failures += replay(argv[i], &count);
    printf("%zu inputs replayed\n", count);
    if (count == 0) {
        fprintf(stderr, "no input: is the corpus missing?\n");
        return 1;
    }
    return failures ? 1 : 0;
}
