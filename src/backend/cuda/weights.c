// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/weights.h"

#include <string.h>

#include "ops/element.h"

void ferry_cuda_weights_permute(const void *from, size_t bytes, const int64_t dims[4], const int order[4], void *to)
{
    int64_t strides[4] = {0, 0, 0, 1}, at[4];
    for (int d = 3; d > 0; d--) strides[d - 1] = strides[d] * dims[d];
    char *next = to;
    for (at[0] = 0; at[0] < dims[order[0]]; at[0]++)
        for (at[1] = 0; at[1] < dims[order[1]]; at[1]++)
            for (at[2] = 0; at[2] < dims[order[2]]; at[2]++)
                for (at[3] = 0; at[3] < dims[order[3]]; at[3]++, next += bytes) {
                    int64_t element = 0;
                    for (int d = 0; d < 4; d++) element += at[d] * strides[order[d]];
                    memcpy(next, (const char *)from + (size_t)element * bytes, bytes);
                }
}

bool ferry_cuda_weights_floats(const ferry_value *value, int64_t n, float *to)
{
    if (!value) {
        memset(to, 0, (size_t)n * sizeof *to);
        return true;
    }
    size_t elements = 0;
    if (!ferry_value_is_constant(value) || !ferry_dtype_is_float(value->dtype) ||
        !ferry_shape_elements(&value->shape, &elements) || (int64_t)elements != n)
        return false;
    const ferry_tensor t = ferry_value_tensor(value);
    for (size_t i = 0; i < elements; i++) to[i] = (float)ferry_load_f64(&t, i);
    return true;
}
