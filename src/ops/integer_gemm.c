// SPDX-License-Identifier: Apache-2.0
// The reference kernels of ferry.QGemm (constant weights) and ferry.QMatMul (two activations).
#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/integer.h"

ferry_status ferry_qgemm_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *a = &eval->in[0], *w = &eval->in[1];
    const float *mult = eval->in[2].data, *bias = eval->in[3].data;
    const ferry_tensor *residual = ferry_eval_optional(eval, 4);
    ferry_tensor *y = &eval->out[0];
    ferry_epilogue epilogue;
    FERRY_TRY(ferry_epilogue_read(eval->node, &epilogue, err));
    const bool trans_b = ferry_node_int(eval->node, "transB", 0) != 0;
    const size_t k_count = (size_t)w->dims[trans_b ? 1 : 0], columns = (size_t)w->dims[trans_b ? 0 : 1];
    const size_t rows = columns ? ferry_tensor_elements(y) / columns : 0;
    const int8_t *as = a->data, *ws = w->data;
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            const int8_t *from = ws + (trans_b ? column * k_count : column);
            const size_t step = trans_b ? 1 : columns;
            int32_t acc = 0;
            for (size_t k = 0; k < k_count; k++) acc += as[row * k_count + k] * from[k * step];
            const size_t at = row * columns + column;
            const float t = fmaf((float)acc, mult[column], bias[column]);
            ferry_epilogue_store(y, at,
                                 residual
                                     ? ferry_epilogue_apply_residual(&epilogue, t, (float)ferry_load_f64(residual, at))
                                     : ferry_epilogue_apply(&epilogue, t));
        }
    }
    return FERRY_OK;
}

ferry_status ferry_qmatmul_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_epilogue_dtype(infer->node, &infer->out_dtypes[0], err));
    const ferry_shape *a = &infer->in_shapes[0], *b = &infer->in_shapes[1];
    if (a->rank == FERRY_RANK_UNKNOWN || b->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (a->rank < 2 || b->rank < 2)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "QMatMul of ranks %d and %d", a->rank, b->rank);
    const int64_t ka = a->dims[a->rank - 1], kb = b->dims[b->rank - 2];
    if (ka != kb && ka != FERRY_DIM_UNKNOWN && kb != FERRY_DIM_UNKNOWN)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "A has %lld columns, B has %lld rows", (long long)ka,
                          (long long)kb);
    // The two last dimensions are set to 1 while the others broadcast.
    ferry_shape batch[2] = {*a, *b};
    for (int i = 0; i < 2; i++)
        for (int32_t d = 1; d <= 2; d++) {
            batch[i].dims[batch[i].rank - d] = 1;
            batch[i].symbols[batch[i].rank - d] = FERRY_NO_SYMBOL;
        }
    ferry_shape *y = &infer->out_shapes[0];
    FERRY_TRY(ferry_broadcast_shapes(batch, 2, y, err));
    y->dims[y->rank - 2] = a->dims[a->rank - 2];
    y->symbols[y->rank - 2] = a->symbols[a->rank - 2];
    y->dims[y->rank - 1] = b->dims[b->rank - 1];
    y->symbols[y->rank - 1] = b->symbols[b->rank - 1];
    return FERRY_OK;
}

ferry_status ferry_qmatmul_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    const float mult = ferry_node_float(eval->node, "mult", 1.0f);
    const int64_t rows = a->dims[a->rank - 2], k_count = a->dims[a->rank - 1], columns = b->dims[b->rank - 1];
    if (rows == 0 || columns == 0) return FERRY_OK;
    const int32_t batch_rank = y->rank - 2;
    ferry_tensor a_batch = *a, b_batch = *b; // without their matrices, for the strides
    a_batch.rank -= 2;
    b_batch.rank -= 2;
    int64_t a_strides[FERRY_MAX_RANK] = {0}, b_strides[FERRY_MAX_RANK] = {0}, at[FERRY_MAX_RANK] = {0};
    ferry_broadcast_strides(&a_batch, batch_rank, y->dims, a_strides);
    ferry_broadcast_strides(&b_batch, batch_rank, y->dims, b_strides);
    const size_t matrices = ferry_tensor_elements(y) / (size_t)(rows * columns);
    size_t out = 0;
    for (size_t m = 0; m < matrices; m++) {
        int64_t a_at = 0, b_at = 0;
        for (int32_t d = 0; d < batch_rank; d++) {
            a_at += at[d] * a_strides[d];
            b_at += at[d] * b_strides[d];
        }
        const int8_t *as = (const int8_t *)a->data + a_at * rows * k_count;
        const int8_t *bs = (const int8_t *)b->data + b_at * k_count * columns;
        for (int64_t row = 0; row < rows; row++) {
            for (int64_t column = 0; column < columns; column++) {
                int32_t acc = 0;
                for (int64_t k = 0; k < k_count; k++) acc += as[row * k_count + k] * bs[k * columns + column];
                ferry_epilogue_store(y, out++, (float)acc * mult);
            }
        }
        for (int32_t d = batch_rank; d-- > 0;) {
            if (++at[d] < y->dims[d]) break;
            at[d] = 0;
        }
    }
    return FERRY_OK;
}
