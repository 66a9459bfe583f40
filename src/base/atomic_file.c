// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A signal handler can neither lock nor allocate, so the temporaries that it must remove lie in a fixed table. A slot
// that the handler has taken is never given back: its path must not change under the handler's hands, and the process
// is ending.
enum { SLOT_FREE, SLOT_FILLING, SLOT_LIVE, SLOT_TAKEN };
enum { SLOT_COUNT = 32 };
static struct {
    atomic_int state;
    char path[PATH_MAX];
} slots[SLOT_COUNT];

static int slot_claim(const char *path)
{
    if (strlen(path) >= sizeof slots[0].path) return -1;
    for (int i = 0; i < SLOT_COUNT; i++) {
        int expected = SLOT_FREE;
        if (!atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_FILLING)) continue;
        strcpy(slots[i].path, path);
        atomic_store(&slots[i].state, SLOT_LIVE);
        return i;
    }
    return -1;
}

static void slot_release(int slot)
{
    if (slot < 0) return;
    int expected = SLOT_LIVE;
    atomic_compare_exchange_strong(&slots[slot].state, &expected, SLOT_FREE);
}

void ferry_atomic_file_unlink_all(void)
{
    const int saved = errno;
    for (int i = 0; i < SLOT_COUNT; i++) {
        int expected = SLOT_LIVE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_TAKEN)) unlink(slots[i].path);
    }
    errno = saved;
}

static void free_text(const ferry_heap *heap, char *text)
{
    if (text) ferry_heap_free(heap, text, strlen(text) + 1);
}

// Decides where the file will really lie, and whether it may be put there.
static ferry_status resolve_path(ferry_atomic_file *file, const char *path, ferry_error *err)
{
    char real[PATH_MAX];
    struct stat st;
    if (path[0] == 0) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the path of the file to write is empty");
    if (lstat(path, &st) == 0) {
        // A link stays a link: what it points to is replaced.
        if (S_ISLNK(st.st_mode)) {
            if (!realpath(path, real) || stat(real, &st) != 0)
                return ferry_fail(err, FERRY_ERR_IO, "%s: cannot follow the link: %s", path, strerror(errno));
            path = real;
        }
        if (S_ISDIR(st.st_mode)) return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write: it is a folder", path);
        if (!S_ISREG(st.st_mode))
            return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write: it is not a regular file", path);
        if (access(path, W_OK) != 0)
            return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
        file->options = 1;
        file->mode = st.st_mode & 0777;
    } else if (errno != ENOENT) {
        return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    }
    file->path = ferry_heap_strdup(file->heap, path);
    return file->path ? FERRY_OK : ferry_fail_memory(err, path);
}

// The name is short and does not contain the file's own, so that it fits wherever the file's own name fits.
static ferry_status create_temporary(ferry_atomic_file *file, ferry_error *err)
{
    static atomic_uint counter;
    char name[PATH_MAX];
    const char *slash = strrchr(file->path, '/');
    const size_t folder = slash ? (size_t)(slash - file->path) + 1 : 0;
    if (folder + 64 > sizeof name)
        return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write: %s", file->path, strerror(ENAMETOOLONG));
    memcpy(name, file->path, folder);
    int reason = EEXIST;
    for (int tries = 0; tries < 100 && file->fd < 0 && (reason == EEXIST || reason == EINTR); tries++) {
        snprintf(name + folder, sizeof name - folder, ".ferry-%ld-%u.tmp", (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        // Registered before it exists, so that no signal finds it existing and unknown.
        file->slot = slot_claim(name);
        file->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        reason = errno;
        if (file->fd >= 0) break;
        slot_release(file->slot);
        file->slot = -1;
    }
    if (file->fd < 0) {
        struct stat st;
        name[folder] = 0;
        if (reason == ENOENT && folder && stat(name, &st) != 0)
            return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write: its folder does not exist", file->path);
        return ferry_fail(err, FERRY_ERR_IO, "%s: cannot create a file in its folder: %s", file->path,
                          strerror(reason));
    }
    file->temporary = ferry_heap_strdup(file->heap, name);
    if (!file->temporary) {
        unlink(name);
        return ferry_fail_memory(err, file->path);
    }
    return FERRY_OK;
}

ferry_status ferry_atomic_file_open(ferry_atomic_file *file, const ferry_heap *heap, const char *path, ferry_error *err)
{
    memset(file, 0, sizeof *file);
    file->heap = heap;
    file->fd = -1;
    file->slot = -1;
    ferry_status s = resolve_path(file, path, err);
    if (s == FERRY_OK) s = create_temporary(file, err);
    if (s != FERRY_OK) ferry_atomic_file_abandon(file);
    return s;
}

ferry_status ferry_atomic_file_write_at(ferry_atomic_file *file, uint64_t offset, const void *data, size_t bytes,
                                        ferry_error *err)
{
    if (file->fd < 0) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the file to write is not open");
    if (bytes > INT64_MAX || offset > INT64_MAX - (uint64_t)bytes)
        return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write %zu bytes at byte %" PRIu64 ": file too large",
                          file->path, bytes, offset);
    size_t done = 0;
    while (done < bytes) {
        const ssize_t n = pwrite(file->fd, (const char *)data + done, bytes - done, (off_t)(offset + done));
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            return ferry_fail(err, FERRY_ERR_IO, "%s: cannot write %zu bytes at byte %" PRIu64 ": %s", file->path,
                              bytes - done, offset + done, strerror(n == 0 ? ENOSPC : errno));
        }
    }
    if (offset + bytes > file->bytes) file->bytes = offset + bytes;
    return FERRY_OK;
}

ferry_status ferry_atomic_file_append(ferry_atomic_file *file, const void *data, size_t bytes, ferry_error *err)
{
    return ferry_atomic_file_write_at(file, file->bytes, data, bytes, err);
}

// The rename itself lies in the folder: without this it may be lost in a power cut although the content was kept.
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    if (length >= sizeof folder) return 0;
    memcpy(folder, path, length);
    strcpy(folder + length, ".");
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return 0; // the folder may be writable but not readable
    const int result = fsync(fd);
    const int reason = errno;
    close(fd);
    errno = reason;
    return result;
}

ferry_status ferry_atomic_file_commit(ferry_atomic_file *file, bool sync, ferry_error *err)
{
    if (file->fd < 0) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the file to write is not open");
    int failed = file->options ? fchmod(file->fd, file->mode) : 0;
    if (failed == 0 && sync) failed = fsync(file->fd);
    // Network file systems report a full disk only here.
    const int closed = close(file->fd);
    file->fd = -1;
    if (failed == 0) failed = closed;
    if (failed == 0) failed = rename(file->temporary, file->path);
    ferry_status s = FERRY_OK;
    if (failed != 0) {
        s = ferry_fail(err, FERRY_ERR_IO, "%s: cannot finish writing %" PRIu64 " bytes: %s", file->path, file->bytes,
                       strerror(errno));
    } else {
        free_text(file->heap, file->temporary);
        file->temporary = NULL;
        if (sync && sync_folder(file->path) != 0)
            s = ferry_fail(err, FERRY_ERR_IO, "%s: cannot sync its folder: %s", file->path, strerror(errno));
    }
    ferry_atomic_file_abandon(file);
    return s;
}

void ferry_atomic_file_abandon(ferry_atomic_file *file)
{
    if (!file->heap) return;
    if (file->fd >= 0) close(file->fd);
    if (file->temporary) unlink(file->temporary);
    slot_release(file->slot);
    free_text(file->heap, file->temporary);
    free_text(file->heap, file->path);
    memset(file, 0, sizeof *file);
    file->fd = -1;
    file->slot = -1;
}

ferry_status ferry_atomic_file_write(const ferry_heap *heap, const char *path, const void *data, size_t bytes,
                                     ferry_error *err)
{
    ferry_atomic_file file;
    FERRY_TRY(ferry_atomic_file_open(&file, heap, path, err));
    const ferry_status s = ferry_atomic_file_append(&file, data, bytes, err);
    if (s != FERRY_OK) {
        ferry_atomic_file_abandon(&file);
        return s;
    }
    return ferry_atomic_file_commit(&file, false, err);
}
