// SPDX-License-Identifier: Apache-2.0
// Counting and spelling out the shape of a borrowed tensor.
#include "ferry/tensor.h"

#include <inttypes.h>
#include <stdio.h>

int64_t ferry_tensor_view_elements(const ferry_tensor_view *view)
{
    if (view->rank < 0 || view->rank > FERRY_MAX_RANK) return -1;
    int64_t count = 1;
    for (int32_t i = 0; i < view->rank; i++) {
        if (view->dims[i] < 0) return -1;
        if (view->dims[i] == 0) count = 0; // an overflow of the other dimensions is harmless then, and not an error
    }
    for (int32_t i = 0; i < view->rank && count != 0; i++) {
        if (__builtin_mul_overflow(count, view->dims[i], &count)) return -1;
    }
    return count;
}

char *ferry_tensor_view_describe(const ferry_tensor_view *view, char *text, size_t text_bytes)
{
    if (text_bytes == 0) return text;
    int n = snprintf(text, text_bytes, "%s [", ferry_dtype_name(view->dtype));
    size_t used = n < 0 ? 0 : (size_t)n;
    for (int32_t i = 0; i < view->rank && i < FERRY_MAX_RANK && used < text_bytes; i++) {
        n = snprintf(text + used, text_bytes - used, "%s%" PRId64, i ? ", " : "", view->dims[i]);
        used += n < 0 ? 0 : (size_t)n;
    }
    if (used < text_bytes) snprintf(text + used, text_bytes - used, "]");
    return text;
}
