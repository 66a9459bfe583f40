// SPDX-License-Identifier: Apache-2.0
#include "backend/reading/matmul_shape.h"

static bool batch_steps(const ferry_tensor_desc *operand, const ferry_matmul_shape *s, int64_t *steps)
{
    for (int32_t d = 0; d < s->rank; d++) {
        const int32_t own = d - (s->rank - (operand->rank - 2));
        steps[d] = own >= 0 && operand->dims[own] != 1 ? operand->strides[own] : 0;
        if (own >= 0 && operand->dims[own] != 1 && operand->dims[own] != s->dims[d]) return false;
    }
    return true;
}

bool ferry_matmul_shape_read(const ferry_tensor_desc *a, const ferry_tensor_desc *b, const ferry_tensor_desc *y,
                             ferry_matmul_shape *out)
{
    if (a->rank < 2 || b->rank < 2 || y->rank < a->rank || y->rank < b->rank) return false;
    if (!ferry_tensor_desc_is_dense(a, FERRY_LAYOUT_PLAIN) || !ferry_tensor_desc_is_dense(b, FERRY_LAYOUT_PLAIN) ||
        !ferry_tensor_desc_is_dense(y, FERRY_LAYOUT_PLAIN))
        return false;
    *out = (ferry_matmul_shape){.m = (size_t)a->dims[a->rank - 2],
                                .k = (size_t)a->dims[a->rank - 1],
                                .n = (size_t)b->dims[b->rank - 1],
                                .batches = 1,
                                .rank = y->rank - 2};
    if (b->dims[b->rank - 2] != (int64_t)out->k || y->dims[y->rank - 2] != (int64_t)out->m ||
        y->dims[y->rank - 1] != (int64_t)out->n)
        return false;
    for (int32_t d = 0; d < out->rank; d++) {
        out->dims[d] = y->dims[d];
        out->batches *= (size_t)y->dims[d];
    }
    return batch_steps(a, out, out->a_steps) && batch_steps(b, out, out->b_steps);
}

static int64_t offset(const ferry_matmul_shape *s, const int64_t *steps, size_t batch)
{
    int64_t at = 0;
    for (int32_t d = s->rank - 1; d >= 0; d--) {
        at += (int64_t)(batch % (size_t)s->dims[d]) * steps[d];
        batch /= (size_t)s->dims[d];
    }
    return at;
}

int64_t ferry_matmul_offset_a(const ferry_matmul_shape *shape, size_t batch)
{
    return offset(shape, shape->a_steps, batch);
}

int64_t ferry_matmul_offset_b(const ferry_matmul_shape *shape, size_t batch)
{
    return offset(shape, shape->b_steps, batch);
}
