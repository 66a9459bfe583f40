// SPDX-License-Identifier: Apache-2.0
// A folder for the files of one test, gone afterwards.
#ifndef FERRY_TESTS_SUPPORT_TEMP_FOLDER_H_
#define FERRY_TESTS_SUPPORT_TEMP_FOLDER_H_

#include <stddef.h>

typedef struct ferry_temp_folder {
    char path[256];
} ferry_temp_folder;

/// Fails the running cmocka test when it cannot be made.
void ferry_temp_folder_create(ferry_temp_folder *folder);
/// Removes it with all that it holds.
void ferry_temp_folder_remove(ferry_temp_folder *folder);

/// Path of `name` in the folder; one of eight static buffers in turn.
const char *ferry_temp_path(const ferry_temp_folder *folder, const char *name);
/// Writes a file there, making its sub-folders, and returns its path.
const char *ferry_temp_write(const ferry_temp_folder *folder, const char *name, const void *data, size_t bytes);
/// Entries of the folder, "." and ".." not counted.
size_t ferry_temp_count(const ferry_temp_folder *folder);

#endif // FERRY_TESTS_SUPPORT_TEMP_FOLDER_H_
