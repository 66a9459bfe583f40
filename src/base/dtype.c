// SPDX-License-Identifier: Apache-2.0
// Sizes and names of element types.
#include "ferry/base.h"

static const struct {
    uint8_t bytes;
    const char *name;
} dtypes[] = {
    [FERRY_DTYPE_NONE] = {0, "none"}, [FERRY_F32] = {4, "float"},  [FERRY_F16] = {2, "float16"},
    [FERRY_BF16] = {2, "bfloat16"},   [FERRY_F64] = {8, "double"}, [FERRY_S8] = {1, "int8"},
    [FERRY_U8] = {1, "uint8"},        [FERRY_S16] = {2, "int16"},  [FERRY_U16] = {2, "uint16"},
    [FERRY_S32] = {4, "int32"},       [FERRY_U32] = {4, "uint32"}, [FERRY_S64] = {8, "int64"},
    [FERRY_U64] = {8, "uint64"},      [FERRY_BOOL] = {1, "bool"},
};

size_t ferry_dtype_bytes(ferry_dtype dtype)
{
    return (unsigned)dtype < sizeof dtypes / sizeof *dtypes ? dtypes[dtype].bytes : 0;
}

const char *ferry_dtype_name(ferry_dtype dtype)
{
    return (unsigned)dtype < sizeof dtypes / sizeof *dtypes ? dtypes[dtype].name : "none";
}
