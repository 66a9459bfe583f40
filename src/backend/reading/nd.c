// SPDX-License-Identifier: Apache-2.0
#include "backend/reading/nd.h"

static bool behind(const ferry_nd *nd, int32_t d)
{
    for (int32_t k = 0; k < nd->operands; k++)
        if (nd->strides[k][d] != nd->strides[k][d + 1] * nd->dims[d + 1]) return false;
    return true;
}

static void insert(ferry_nd *nd, int64_t dim, int32_t d, const int64_t *const *strides)
{
    int32_t at = nd->rank++;
    for (; at > 0 && nd->strides[0][at - 1] < strides[0][d]; at--) {
        nd->dims[at] = nd->dims[at - 1];
        for (int32_t k = 0; k < nd->operands; k++) nd->strides[k][at] = nd->strides[k][at - 1];
    }
    nd->dims[at] = dim;
    for (int32_t k = 0; k < nd->operands; k++) nd->strides[k][at] = strides[k][d];
}

static void merge(ferry_nd *nd, int32_t d)
{
    nd->dims[d] *= nd->dims[d + 1];
    for (int32_t k = 0; k < nd->operands; k++) nd->strides[k][d] = nd->strides[k][d + 1];
    for (int32_t e = d + 1; e + 1 < nd->rank; e++) {
        nd->dims[e] = nd->dims[e + 1];
        for (int32_t k = 0; k < nd->operands; k++) nd->strides[k][e] = nd->strides[k][e + 1];
    }
    nd->rank--;
}

void ferry_nd_make(int32_t rank, const int64_t *dims, int32_t operands, const int64_t *const *strides, ferry_nd *out)
{
    *out = (ferry_nd){.operands = operands, .runs = 1};
    bool empty = false;
    for (int32_t d = 0; d < rank; d++) {
        empty |= dims[d] == 0;
        if (dims[d] != 1) insert(out, dims[d], d, strides);
    }
    if (out->rank == 0) {
        out->rank = 1;
        out->dims[0] = 1;
        for (int32_t k = 0; k < operands; k++) out->strides[k][0] = 1;
    }
    for (int32_t d = out->rank - 2; d >= 0; d--)
        if (behind(out, d)) merge(out, d);
    for (int32_t d = 0; d + 1 < out->rank; d++) out->runs *= (size_t)out->dims[d];
    if (empty) out->runs = 0;
}

bool ferry_nd_broadcast(const ferry_tensor_desc *desc, int32_t rank, const int64_t *dims, int64_t *out_strides)
{
    if (desc->rank > rank) return false;
    for (int32_t d = 0; d < rank; d++) {
        const int32_t own = d - (rank - desc->rank);
        const int64_t size = own >= 0 ? desc->dims[own] : 1;
        if (size != 1 && size != dims[d]) return false;
        out_strides[d] = size == 1 ? 0 : desc->strides[own];
    }
    return true;
}

void ferry_nd_seek(const ferry_nd *nd, size_t run, ferry_nd_cursor *out)
{
    *out = (ferry_nd_cursor){{0}, {0}};
    for (int32_t d = nd->rank - 2; d >= 0; d--) {
        out->index[d] = (int64_t)(run % (size_t)nd->dims[d]);
        run /= (size_t)nd->dims[d];
        for (int32_t k = 0; k < nd->operands; k++) out->at[k] += out->index[d] * nd->strides[k][d];
    }
}

void ferry_nd_next(const ferry_nd *nd, ferry_nd_cursor *c)
{
    for (int32_t d = nd->rank - 2; d >= 0; d--) {
        for (int32_t k = 0; k < nd->operands; k++) c->at[k] += nd->strides[k][d];
        if (++c->index[d] < nd->dims[d]) return;
        for (int32_t k = 0; k < nd->operands; k++) c->at[k] -= nd->dims[d] * nd->strides[k][d];
        c->index[d] = 0;
    }
}
