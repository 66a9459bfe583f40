// SPDX-License-Identifier: Apache-2.0
#include "backend/reading/strided_copy.h"

#include <string.h>

// Moves dimension d to the place before the last.
static void bring_forward(ferry_nd *w, int32_t d)
{
    for (; d + 2 < w->rank; d++) {
        const int64_t dim = w->dims[d];
        w->dims[d] = w->dims[d + 1];
        w->dims[d + 1] = dim;
        for (int32_t k = 0; k < w->operands; k++) {
            const int64_t stride = w->strides[k][d];
            w->strides[k][d] = w->strides[k][d + 1];
            w->strides[k][d + 1] = stride;
        }
    }
}

void ferry_strided_copy_make(ferry_strided_copy *c, size_t elem_bytes, int32_t rank, const int64_t *dims,
                             const int64_t *out_strides, int64_t out_first, const int64_t *in_strides, int64_t in_first)
{
    memset(c, 0, sizeof *c);
    c->elem_bytes = elem_bytes;
    c->out_first = out_first;
    c->in_first = in_first;
    ferry_nd_make(rank, dims, 2, (const int64_t *const[]){out_strides, in_strides}, &c->walk);
    if (ferry_nd_step(&c->walk, 1) == 1) return;
    for (int32_t d = 0; d + 1 < c->walk.rank && !c->turned; d++) {
        if (c->walk.strides[1][d] != 1) continue;
        bring_forward(&c->walk, d);
        c->turned = true;
    }
}
