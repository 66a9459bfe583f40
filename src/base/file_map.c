// SPDX-License-Identifier: Apache-2.0
#include "base/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t nothing[1];

// Opens without waiting: a FIFO without a writer would block an ordinary open() for ever.
static ferry_status open_regular(const char *path, int *out_fd, size_t *out_bytes, ferry_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return ferry_fail(err, FERRY_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    struct stat st;
    ferry_status s = FERRY_OK;
    if (fstat(fd, &st) != 0) {
        s = ferry_fail(err, FERRY_ERR_IO, "%s: cannot read its size: %s", path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        s = ferry_fail(err, FERRY_ERR_IO, "%s: is a folder, a file is needed", path);
    } else if (!S_ISREG(st.st_mode)) {
        s = ferry_fail(err, FERRY_ERR_IO, "%s: is not a regular file (a pipe or device cannot be used here)", path);
    } else if (st.st_size < 0 || (uint64_t)st.st_size > SIZE_MAX / 2) {
        s = ferry_fail(err, FERRY_ERR_IO, "%s: has a size that cannot be addressed on this machine", path);
    }
    if (s != FERRY_OK) {
        close(fd);
        return s;
    }
    *out_fd = fd;
    *out_bytes = (size_t)st.st_size;
    return FERRY_OK;
}

ferry_status ferry_file_map_open(ferry_file_map *map, const char *path, ferry_error *err)
{
    memset(map, 0, sizeof *map);
    int fd = -1;
    size_t bytes = 0;
    FERRY_TRY(open_regular(path, &fd, &bytes, err));
    ferry_status s = FERRY_OK;
    if (bytes == 0) {
        map->data = nothing;
    } else {
        void *mapping = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (mapping == MAP_FAILED) {
            s = ferry_fail(err, errno == ENOMEM ? FERRY_ERR_OUT_OF_MEMORY : FERRY_ERR_IO,
                           "%s: cannot map %zu bytes: %s", path, bytes, strerror(errno));
        } else {
            map->mapping = mapping;
            map->data = mapping;
            map->bytes = bytes;
        }
    }
    close(fd); // the mapping holds the file
    return s;
}

void ferry_file_map_let_go(const ferry_file_map *map)
{
    if (map->mapping) (void)madvise(map->mapping, map->bytes, MADV_DONTNEED);
}

void ferry_file_map_close(ferry_file_map *map)
{
    if (map->mapping) munmap(map->mapping, map->bytes);
    memset(map, 0, sizeof *map);
}

static ferry_status read_all(int fd, const char *path, char *data, size_t bytes, ferry_error *err)
{
    size_t done = 0;
    while (done < bytes) {
        const ssize_t n = read(fd, data + done, bytes - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            return ferry_fail(err, FERRY_ERR_IO, "%s: ended after %zu of %zu bytes: was it written to meanwhile?", path,
                              done, bytes);
        } else if (errno != EINTR) {
            return ferry_fail(err, FERRY_ERR_IO, "%s: cannot read at byte %zu: %s", path, done, strerror(errno));
        }
    }
    data[bytes] = 0;
    return FERRY_OK;
}

ferry_status ferry_file_read(const ferry_heap *heap, const char *path, size_t most_bytes, char **out, size_t *out_bytes,
                             ferry_error *err)
{
    *out = NULL;
    *out_bytes = 0;
    int fd = -1;
    size_t bytes = 0;
    FERRY_TRY(open_regular(path, &fd, &bytes, err));
    ferry_status s = FERRY_OK;
    char *data = NULL;
    if (bytes > most_bytes) {
        s = ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: has %zu bytes, at most %zu are expected of such a file", path,
                       bytes, most_bytes);
    }
    if (s == FERRY_OK) {
        data = ferry_heap_alloc_uninit(heap, bytes + 1);
        if (!data) s = ferry_fail_memory(err, path);
    }
    if (s == FERRY_OK) s = read_all(fd, path, data, bytes, err);
    close(fd);
    if (s != FERRY_OK) {
        ferry_heap_free(heap, data, bytes + 1);
        return s;
    }
    *out = data;
    *out_bytes = bytes;
    return FERRY_OK;
}
