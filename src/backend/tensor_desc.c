// SPDX-License-Identifier: Apache-2.0
// Strides and sizes of tensors in the layouts that backends share.
#include "backend/backend.h"

#include <string.h>

const char *ferry_tensor_layout_name(ferry_tensor_layout layout)
{
    switch (layout) {
    case FERRY_LAYOUT_PLAIN:
        return "plain";
    case FERRY_LAYOUT_CHANNELS_LAST:
        return "channels-last";
    case FERRY_LAYOUT_COUNT:
        break;
    }
    return "unknown";
}

bool ferry_tensor_layouts_coincide(int32_t rank, const int64_t *dims)
{
    if (rank < 3 || dims[1] == 1) return true;
    for (int32_t d = 2; d < rank; d++)
        if (dims[d] != 1) return false;
    return true;
}

// Saturates: dimensions out of a damaged file give strides that ferry_tensor_desc_bytes then refuses.
static int64_t times(int64_t stride, int64_t dim)
{
    int64_t product = 0;
    return __builtin_mul_overflow(stride, dim, &product) ? INT64_MAX : product;
}

void ferry_tensor_desc_set_strides(ferry_tensor_desc *desc)
{
    int64_t stride = 1;
    if (desc->layout == FERRY_LAYOUT_CHANNELS_LAST && desc->rank >= 3) {
        desc->strides[1] = 1;
        stride = desc->dims[1];
        for (int32_t d = desc->rank - 1; d >= 2; d--) {
            desc->strides[d] = stride;
            stride = times(stride, desc->dims[d]);
        }
        desc->strides[0] = stride;
        return;
    }
    for (int32_t d = desc->rank - 1; d >= 0; d--) {
        desc->strides[d] = stride;
        stride = times(stride, desc->dims[d]);
    }
}

int64_t ferry_tensor_desc_row(const ferry_tensor_desc *desc)
{
    if (desc->rank < 3 || desc->strides[1] != 1) return 0;
    const int64_t row = desc->strides[desc->rank - 1];
    int64_t stride = row;
    for (int32_t d = desc->rank - 1; d >= 2; d--) {
        if (desc->strides[d] != stride) return 0;
        stride = times(stride, desc->dims[d]);
    }
    return desc->strides[0] == stride && desc->dims[1] >= 1 && row >= desc->dims[1] ? row : 0;
}

bool ferry_tensor_desc_bytes(const ferry_tensor_desc *desc, size_t *out)
{
    size_t last = 0;
    for (int32_t d = 0; d < desc->rank; d++) {
        if (desc->dims[d] < 0 || desc->strides[d] < 0) return false;
        if (desc->dims[d] == 0) {
            *out = 0;
            return true;
        }
        size_t reach = 0;
        if (!ferry_mul_size((size_t)(desc->dims[d] - 1), (size_t)desc->strides[d], &reach) ||
            !ferry_add_size(last, reach, &last))
            return false;
    }
    return ferry_add_size(last, 1, &last) && ferry_mul_size(last, ferry_dtype_bytes(desc->dtype), out);
}

bool ferry_tensor_desc_is_dense(const ferry_tensor_desc *desc, ferry_tensor_layout layout)
{
    ferry_tensor_desc dense = *desc;
    dense.layout = layout;
    ferry_tensor_desc_set_strides(&dense);
    return memcmp(dense.strides, desc->strides, (size_t)desc->rank * sizeof *desc->strides) == 0;
}

bool ferry_tensor_desc_same_dims(const ferry_tensor_desc *a, const ferry_tensor_desc *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}
