// SPDX-License-Identifier: Apache-2.0
// Tensors in .npy files, for programs that use the public API.
#include <string.h>

#include "base/file_map.h"
#include "base/heap.h"
#include "base/npy.h"
#include "base/status.h"
#include "ferry/tensor.h"

struct ferry_tensor_file {
    ferry_file_map map;
};

ferry_status ferry_tensor_file_open(const char *path, ferry_tensor_file **out, ferry_tensor_view *out_view,
                                    ferry_error *error)
{
    *out = NULL;
    ferry_tensor_file *file = ferry_new(ferry_heap_default(), ferry_tensor_file);
    if (!file) return ferry_fail_memory(error, "a .npy file");
    ferry_npy npy;
    ferry_status s = ferry_file_map_open(&file->map, path, error);
    if (s == FERRY_OK) {
        s = ferry_npy_parse(file->map.data, file->map.bytes, &npy, error);
        if (s != FERRY_OK) s = ferry_within(error, s, "%s", path);
    }
    if (s != FERRY_OK) {
        ferry_tensor_file_close(file);
        return s;
    }
    *out_view = (ferry_tensor_view){.dtype = npy.dtype, .rank = (int32_t)npy.rank, .data = npy.data};
    for (uint32_t d = 0; d < npy.rank; d++) out_view->dims[d] = (int64_t)npy.shape[d];
    *out = file;
    return FERRY_OK;
}

void ferry_tensor_file_close(ferry_tensor_file *file)
{
    if (!file) return;
    ferry_file_map_close(&file->map);
    ferry_delete(ferry_heap_default(), file);
}

ferry_status ferry_tensor_file_write(const char *path, const ferry_tensor_view *view, ferry_error *error)
{
    const int64_t elements = ferry_tensor_view_elements(view);
    if (elements < 0) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "%s: not a valid tensor", path);
    ferry_npy npy = {.dtype = view->dtype,
                     .rank = (uint32_t)view->rank,
                     .elem_count = (uint64_t)elements,
                     .data = view->data,
                     .bytes = (size_t)elements * ferry_dtype_bytes(view->dtype)};
    for (int32_t d = 0; d < view->rank; d++) npy.shape[d] = (uint64_t)view->dims[d];
    return ferry_npy_write(ferry_heap_default(), path, &npy, error);
}
