// SPDX-License-Identifier: Apache-2.0
// Files as memory: big ones mapped and used in place, small ones read whole.
#ifndef FERRY_SRC_BASE_FILE_MAP_H_
#define FERRY_SRC_BASE_FILE_MAP_H_

#include "base/heap.h"
#include "base/status.h"

/// A file's bytes, read-only. Another process that truncates the file while it is mapped makes reading it raise SIGBUS:
/// map what is meant to stay (models, engines) and read the rest with ferry_file_read().
typedef struct ferry_file_map {
    const uint8_t *data; ///< page-aligned; never NULL after a successful open, not even for an empty file
    size_t bytes;
    void *mapping; // NULL for an empty file
} ferry_file_map;

/// Maps a regular file; anything else (folder, FIFO, device) is refused without waiting for it.
/// FERRY_ERR_IO with path and reason. On failure `map` is zeroed.
ferry_status ferry_file_map_open(ferry_file_map *map, const char *path, ferry_error *err);

/// Makes what was read of the map leave this process's memory until it is read again, from the system's cache or the
/// file. May be called while others read. Thread-safe.
void ferry_file_map_let_go(const ferry_file_map *map);

/// A zeroed map is accepted; the map is zeroed.
void ferry_file_map_close(ferry_file_map *map);

/// Reads a whole regular file of at most `most_bytes`. `*out` is followed by a zero byte that `*out_bytes` does not
/// count and is freed with ferry_heap_free(heap, *out, *out_bytes + 1). FERRY_ERR_IO with path and reason;
/// FERRY_ERR_BAD_DATA with both sizes when the file is larger.
ferry_status ferry_file_read(const ferry_heap *heap, const char *path, size_t most_bytes, char **out, size_t *out_bytes,
                             ferry_error *err);

#endif // FERRY_SRC_BASE_FILE_MAP_H_
