// SPDX-License-Identifier: Apache-2.0
// The reference kernels of ferry.QAdd, ferry.QMul (both broadcast) and ferry.QTable.
#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/integer.h"

typedef struct terms {
    float mults[2], shift;
    int32_t zeros[2];
} terms;
typedef float (*combine)(const terms *of, int8_t a, int8_t b);

static float combine_add(const terms *of, int8_t a, int8_t b)
{
    return fmaf((float)b, of->mults[1], fmaf((float)a, of->mults[0], of->shift));
}

static float combine_mul(const terms *of, int8_t a, int8_t b)
{
    return fmaf((float)((a - of->zeros[0]) * (b - of->zeros[1])), of->mults[0], of->shift);
}

static ferry_status broadcast(const ferry_eval *eval, const terms *of, combine f, ferry_error *err)
{
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    ferry_epilogue epilogue;
    FERRY_TRY(ferry_epilogue_read(eval->node, &epilogue, err));
    int64_t a_strides[FERRY_MAX_RANK] = {0}, b_strides[FERRY_MAX_RANK] = {0}, at[FERRY_MAX_RANK] = {0};
    ferry_broadcast_strides(a, y->rank, y->dims, a_strides);
    ferry_broadcast_strides(b, y->rank, y->dims, b_strides);
    const size_t n = ferry_tensor_elements(y);
    int64_t a_at = 0, b_at = 0;
    for (size_t i = 0; i < n; i++) {
        const float t = f(of, ((const int8_t *)a->data)[a_at], ((const int8_t *)b->data)[b_at]);
        ferry_epilogue_store(y, i, ferry_epilogue_apply(&epilogue, t));
        for (int32_t d = y->rank; d-- > 0;) {
            a_at += a_strides[d];
            b_at += b_strides[d];
            if (++at[d] < y->dims[d]) break;
            a_at -= at[d] * a_strides[d];
            b_at -= at[d] * b_strides[d];
            at[d] = 0;
        }
    }
    return FERRY_OK;
}

ferry_status ferry_qadd_eval(const ferry_eval *eval, ferry_error *err)
{
    const terms of = {
        .mults = {ferry_node_float(eval->node, "a_mult", 1.0f), ferry_node_float(eval->node, "b_mult", 1.0f)},
        .shift = ferry_node_float(eval->node, "shift", 0.0f)};
    return broadcast(eval, &of, combine_add, err);
}

ferry_status ferry_qmul_eval(const ferry_eval *eval, ferry_error *err)
{
    const terms of = {.mults = {ferry_node_float(eval->node, "mult", 1.0f)},
                      .shift = ferry_node_float(eval->node, "shift", 0.0f),
                      .zeros = {ferry_zero_point(eval->node, "a_zero"), ferry_zero_point(eval->node, "b_zero")}};
    return broadcast(eval, &of, combine_mul, err);
}

ferry_status ferry_qtable_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const int8_t *x = eval->in[0].data;
    const ferry_tensor *table = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    const size_t n = ferry_tensor_elements(&eval->in[0]);
    if (y->dtype == FERRY_S8)
        for (size_t i = 0; i < n; i++) ((int8_t *)y->data)[i] = ((const int8_t *)table->data)[x[i] + 128];
    else
        for (size_t i = 0; i < n; i++) ferry_store_f64(y, i, ferry_load_f64(table, (size_t)(x[i] + 128)));
    return FERRY_OK;
}
