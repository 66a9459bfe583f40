// SPDX-License-Identifier: Apache-2.0
// The table of the CUDA backend's tactic families, most special first.
#include "backend/cuda/device.h"

// clang-format off
#define FAMILIES(ROW)       \
    ROW(attention)          \
    ROW(shuffle)            \
    ROW(squeeze)            \
    ROW(vector_product)     \
    ROW(depthwise)          \
    ROW(conv_picture)       \
    ROW(conv)               \
    ROW(matrix)             \
    ROW(conv_simt)          \
    ROW(vendor_blas)        \
    ROW(resize)             \
    ROW(pool)               \
    ROW(pool_global)        \
    ROW(pointwise)          \
    ROW(integer_pointwise)  \
    ROW(integer_window)     \
    ROW(integer_pool)       \
    ROW(integer_resize)     \
    ROW(rows)               \
    ROW(batched)            \
    ROW(broadcast)          \
    ROW(move)               \
    ROW(gather)             \
    ROW(index)              \
    ROW(along)              \
    ROW(local_norm)         \
    ROW(grid_sample)
// clang-format on

#define DECLARE(name) extern const ferry_cuda_family ferry_cuda_family_##name;
FAMILIES(DECLARE)

static const ferry_cuda_family *const families[] = {
#define ENTER(name) &ferry_cuda_family_##name,
    FAMILIES(ENTER)};

const ferry_cuda_family *ferry_cuda_family_at(size_t index)
{
    return index < FERRY_COUNT_OF(families) ? families[index] : NULL;
}

const ferry_cuda_family *ferry_cuda_family_of(const char *tactic)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(families); i++)
        if (families[i]->owns(tactic)) return families[i];
    return NULL;
}
