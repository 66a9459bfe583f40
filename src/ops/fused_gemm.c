// SPDX-License-Identifier: Apache-2.0
// ferry.FusedGemm: matrix product with 2-D weights, bias per column, activation and residual in one, in float.
#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/fused.h"

ferry_status ferry_fused_gemm_infer_shape(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *a = &infer->in_shapes[0], *w = &infer->in_shapes[1];
    if (a->rank == FERRY_RANK_UNKNOWN || w->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    const bool trans_a = ferry_node_int(infer->node, "transA", 0) != 0;
    const bool trans_b = ferry_node_int(infer->node, "transB", 0) != 0;
    if (w->rank != 2) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "weights have rank %d, not 2", w->rank);
    if (a->rank < 1 || (trans_a && a->rank != 2)) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "A has rank %d", a->rank);
    const int64_t k = w->dims[trans_b ? 1 : 0], columns = w->dims[trans_b ? 0 : 1];
    const int32_t k_at = trans_a ? 0 : a->rank - 1;
    if (a->dims[k_at] != FERRY_DIM_UNKNOWN && k != FERRY_DIM_UNKNOWN && a->dims[k_at] != k)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "A has %lld columns, the weights have %lld rows",
                          (long long)a->dims[k_at], (long long)k);
    ferry_shape *y = &infer->out_shapes[0];
    *y = *a;
    if (trans_a) {
        y->dims[0] = a->dims[1];
        y->symbols[0] = a->symbols[1];
    }
    y->dims[a->rank - 1] = columns;
    y->symbols[a->rank - 1] = FERRY_NO_SYMBOL;
    return FERRY_OK;
}

ferry_status ferry_fused_gemm_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *a = &eval->in[0], *w = &eval->in[1];
    const ferry_tensor *bias = ferry_eval_optional(eval, 2), *residual = ferry_eval_optional(eval, 3);
    ferry_tensor *y = &eval->out[0];
    ferry_epilogue epilogue;
    FERRY_TRY(ferry_epilogue_read(eval->node, &epilogue, err));
    const bool trans_a = ferry_node_int(eval->node, "transA", 0) != 0;
    const bool trans_b = ferry_node_int(eval->node, "transB", 0) != 0;
    const size_t k_count = (size_t)w->dims[trans_b ? 1 : 0], columns = (size_t)w->dims[trans_b ? 0 : 1];
    const size_t rows = columns ? ferry_tensor_elements(y) / columns : 0;
    const bool plain = a->dtype == FERRY_F32 && w->dtype == FERRY_F32;
    const float *af = a->data, *wf = w->data;
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            double acc = bias ? ferry_load_f64(bias, column) : 0.0;
            const size_t a0 = trans_a ? row : row * k_count, a_step = trans_a ? rows : 1;
            const size_t w0 = trans_b ? column * k_count : column, w_step = trans_b ? 1 : columns;
            if (plain)
                for (size_t k = 0; k < k_count; k++) acc += (double)af[a0 + k * a_step] * (double)wf[w0 + k * w_step];
            else
                for (size_t k = 0; k < k_count; k++)
                    acc += ferry_load_f64(a, a0 + k * a_step) * ferry_load_f64(w, w0 + k * w_step);
            const size_t at = row * columns + column;
            const float t = (float)acc;
            ferry_epilogue_store(y, at,
                                 residual
                                     ? ferry_epilogue_apply_residual(&epilogue, t, (float)ferry_load_f64(residual, at))
                                     : ferry_epilogue_apply(&epilogue, t));
        }
    }
    return FERRY_OK;
}
