// SPDX-License-Identifier: Apache-2.0
// What programs may use of the way the library writes files.
#include "base/atomic_file.h"

ferry_status ferry_file_write(const char *path, const void *data, size_t bytes, ferry_error *error)
{
    return ferry_atomic_file_write(ferry_heap_default(), path, data, bytes, error);
}

void ferry_abandon_files(void)
{
    ferry_atomic_file_unlink_all();
}
