// SPDX-License-Identifier: Apache-2.0
// MatMulInteger: 8-bit products with zero points and an int32 result.
#include "ops/element.h"
#include "ops/matmul.h"
#include "ops/rules.h"

#define TYPES_8 (1u << FERRY_S8 | 1u << FERRY_U8)

// A zero point is a number, or one for each row of A (its last dims M x 1 or M) or column of B (its last dim N).
static ferry_status check_zero_point(const ferry_infer *infer, int32_t index, ferry_error *err)
{
    if (!ferry_has_input(infer->node, index)) return FERRY_OK;
    const ferry_shape *zero = &infer->in_shapes[index], *of = &infer->in_shapes[index - 2];
    if (infer->in_dtypes[index] != infer->in_dtypes[index - 2])
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "zero point %d is of type %s, its tensor of type %s", index - 2,
                          ferry_dtype_name(infer->in_dtypes[index]), ferry_dtype_name(infer->in_dtypes[index - 2]));
    size_t count = 0;
    if (!ferry_shape_is_known(zero) || of->rank == FERRY_RANK_UNKNOWN || !ferry_shape_elements(zero, &count))
        return FERRY_OK;
    if (count == 1) return FERRY_OK;
    if (zero->rank > 1)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "zero point %d has %d dims: ferry takes one number, or one for each row or column", index - 2,
                          zero->rank);
    const int64_t need = index == 2 ? (of->rank > 1 ? of->dims[of->rank - 2] : 1) : of->dims[of->rank - 1];
    if (need != FERRY_DIM_UNKNOWN && zero->dims[0] != need)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "zero point %d has %lld values, not 1 or %lld", index - 2,
                          (long long)zero->dims[0], (long long)need);
    return FERRY_OK;
}

ferry_status ferry_matmul_integer_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, TYPES_8, err));
    FERRY_TRY(ferry_need_types(infer, 1, TYPES_8, err));
    infer->out_dtypes[0] = FERRY_S32;
    FERRY_TRY(ferry_matmul_infer_shape(infer, err)); // first: it refuses the scalars that zero points have no row of
    FERRY_TRY(check_zero_point(infer, 2, err));
    return check_zero_point(infer, 3, err);
}

static int64_t zero_point(const ferry_eval *eval, int32_t index, int64_t at)
{
    if (!ferry_has_input(eval->node, index)) return 0;
    const ferry_tensor *t = &eval->in[index];
    return ferry_load_s64(t, ferry_tensor_elements(t) == 1 ? 0 : (size_t)at);
}

ferry_status ferry_matmul_integer_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    ferry_matmul_dims dims;
    ferry_matmul_dims_of(a, b, &dims);
    const int64_t count = ferry_matmul_count(&dims), m = dims.m, n = dims.n, k = dims.k;
    for (int64_t i = 0; i < count; i++) {
        int64_t at_a = 0, at_b = 0;
        ferry_matmul_at(&dims, i, &at_a, &at_b);
        for (int64_t row = 0; row < m; row++)
            for (int64_t column = 0; column < n; column++) {
                const int64_t zero_a = zero_point(eval, 2, row), zero_b = zero_point(eval, 3, column);
                int64_t sum = 0;
                for (int64_t j = 0; j < k; j++)
                    sum += (ferry_load_s64(a, (size_t)((at_a * m + row) * k + j)) - zero_a) *
                           (ferry_load_s64(b, (size_t)((at_b * k + j) * n + column)) - zero_b);
                ferry_store_s64(&eval->out[0], (size_t)((i * m + row) * n + column), sum);
            }
    }
    return FERRY_OK;
}
