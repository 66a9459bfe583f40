// SPDX-License-Identifier: Apache-2.0
// The walk behind broadcasting and data movement.
#include "ops/loops.h"

#include <string.h>

bool ferry_loops_begin(ferry_loops *loops, int32_t rank, const int64_t *dims, int32_t n, const int64_t *const *strides)
{
    memset(loops, 0, sizeof *loops);
    loops->n = n;
    // First of all, since the other dims of an empty tensor may be too large to multiply.
    for (int32_t d = 0; d < rank; d++)
        if (dims[d] == 0) return false;
    int32_t out = 0;
    for (int32_t d = 0; d < rank; d++) {
        if (dims[d] == 1) continue;
        bool mergeable = out > 0;
        for (int32_t k = 0; k < n && mergeable; k++) {
            mergeable = loops->strides[k][out - 1] == strides[k][d] * dims[d];
        }
        if (mergeable) {
            loops->dims[out - 1] *= dims[d];
        } else {
            loops->dims[out++] = dims[d];
        }
        for (int32_t k = 0; k < n; k++) loops->strides[k][out - 1] = strides[k][d];
    }
    loops->row = 1;
    if (out > 0) {
        loops->row = loops->dims[--out];
        for (int32_t k = 0; k < n; k++) loops->row_strides[k] = loops->strides[k][out];
    }
    loops->rank = out;
    return true;
}

bool ferry_loops_next(ferry_loops *loops)
{
    for (int32_t d = loops->rank - 1; d >= 0; d--) {
        loops->index[d]++;
        for (int32_t k = 0; k < loops->n; k++) loops->offsets[k] += loops->strides[k][d];
        if (loops->index[d] < loops->dims[d]) return true;
        for (int32_t k = 0; k < loops->n; k++) loops->offsets[k] -= loops->strides[k][d] * loops->dims[d];
        loops->index[d] = 0;
    }
    return false;
}

void ferry_dense_strides(int32_t rank, const int64_t *dims, int64_t *out_strides)
{
    uint64_t stride = 1; // wraps in an empty tensor, where no stride is used
    for (int32_t d = rank - 1; d >= 0; d--) {
        out_strides[d] = (int64_t)stride;
        stride *= dims[d] > 0 ? (uint64_t)dims[d] : 1;
    }
}

int64_t ferry_dims_elements(int32_t rank, const int64_t *dims)
{
    for (int32_t d = 0; d < rank; d++)
        if (dims[d] == 0) return 0;
    uint64_t elements = 1; // wraps only for some dims of an empty tensor
    for (int32_t d = 0; d < rank; d++) elements *= (uint64_t)dims[d];
    return (int64_t)elements;
}

#define COPY_RUN(type)                                                                                                 \
    do {                                                                                                               \
        type *t = (type *)to + to_at;                                                                                  \
        const type *f = (const type *)from + from_at;                                                                  \
        for (int64_t i = 0; i < n; i++) t[i * to_step] = f[i * from_step];                                             \
    } while (0)

static void copy_run(size_t bytes, int64_t n, void *to, int64_t to_at, int64_t to_step, const void *from,
                     int64_t from_at, int64_t from_step)
{
    if (to_step == 1 && from_step == 1) {
        memcpy((char *)to + (size_t)to_at * bytes, (const char *)from + (size_t)from_at * bytes, (size_t)n * bytes);
        return;
    }
    switch (bytes) {
    case 1:
        COPY_RUN(uint8_t);
        break;
    case 2:
        COPY_RUN(uint16_t);
        break;
    case 4:
        COPY_RUN(uint32_t);
        break;
    default:
        COPY_RUN(uint64_t);
        break;
    }
}

void ferry_copy_strided(size_t bytes, int32_t rank, const int64_t *dims, void *to, const int64_t *to_strides,
                        const void *from, const int64_t *from_strides)
{
    const int64_t *const strides[] = {to_strides, from_strides};
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, rank, dims, 2, strides); more; more = ferry_loops_next(&loops)) {
        // A single element has no step; 1 keeps it on memcpy's way.
        const bool single = loops.row == 1;
        copy_run(bytes, loops.row, to, loops.offsets[0], single ? 1 : loops.row_strides[0], from, loops.offsets[1],
                 single ? 1 : loops.row_strides[1]);
    }
}
