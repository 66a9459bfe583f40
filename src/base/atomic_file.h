// SPDX-License-Identifier: Apache-2.0
// Writing a file so that its path holds either the old content or all of the new: a temporary file beside it, then
// rename.
#ifndef FERRY_SRC_BASE_ATOMIC_FILE_H_
#define FERRY_SRC_BASE_ATOMIC_FILE_H_

#include "base/heap.h"
#include "base/status.h"

/// A file being written. Filled by ferry_atomic_file_open(); closed by commit or abandon. One thread at a time.
typedef struct ferry_atomic_file {
    const ferry_heap *heap; // borrowed
    char *path;             // owned: where the file will be (links followed)
    char *temporary;        // owned: where it is meanwhile, in the same folder
    int fd;
    int slot;         // in the table for ferry_atomic_file_unlink_all(); -1: none was free
    uint64_t bytes;   ///< where the next append goes: the end of what was written so far
    unsigned options; // whether `mode` is to be set
    unsigned mode;    // of the file that will be replaced
} ferry_atomic_file;

/// Creates the temporary file. Refused, with path and reason: a folder that is missing or not writable, an existing
/// file that is not writable, and anything at `path` that is not a regular file (renaming over /dev/null would destroy
/// it). On failure nothing is open and ferry_atomic_file_abandon() is a no-op.
ferry_status ferry_atomic_file_open(ferry_atomic_file *file, const ferry_heap *heap, const char *path,
                                    ferry_error *err);

/// Writes after everything written so far. A failure (a full disk) says path, byte count and reason; the caller then
/// abandons.
ferry_status ferry_atomic_file_append(ferry_atomic_file *file, const void *data, size_t bytes, ferry_error *err);

/// Writes at `offset`, which may lie behind the end (the hole reads as zeroes) or before it.
ferry_status ferry_atomic_file_write_at(ferry_atomic_file *file, uint64_t offset, const void *data, size_t bytes,
                                        ferry_error *err);

/// Puts the file in its place; `sync` also waits until it is on the disk. On failure the temporary file is gone and
/// the old content stays. Either way the file is closed.
ferry_status ferry_atomic_file_commit(ferry_atomic_file *file, bool sync, ferry_error *err);

/// Removes the temporary file and closes. Accepts a zeroed file, one that failed to open, and one already closed.
void ferry_atomic_file_abandon(ferry_atomic_file *file);

/// Open, append, commit (without sync).
ferry_status ferry_atomic_file_write(const ferry_heap *heap, const char *path, const void *data, size_t bytes,
                                     ferry_error *err);

/// Removes every temporary file of this process. Async-signal-safe, meant for a handler that then ends the process:
/// files still open cannot be committed afterwards. Knows the first 32 files open at a time.
void ferry_atomic_file_unlink_all(void);

#endif // FERRY_SRC_BASE_ATOMIC_FILE_H_
