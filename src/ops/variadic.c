// SPDX-License-Identifier: Apache-2.0
// Sum, Mean, Max and Min of any number of tensors. A row is accumulated over all inputs before it is stored, so that
// narrow floats are rounded once.
#include <inttypes.h>

#include "base/status.h"
#include "ops/binary.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

ferry_status ferry_variadic_float_infer(ferry_infer *infer, ferry_error *err)
{
    return ferry_binary_infer(infer, FERRY_TYPES_FLOAT, FERRY_DTYPE_NONE, err);
}

ferry_status ferry_variadic_number_infer(ferry_infer *infer, ferry_error *err)
{
    return ferry_binary_infer(infer, FERRY_TYPES_NUMBER, FERRY_DTYPE_NONE, err);
}

FERRY_BINARY_FLOATS(add, a + b)
FERRY_BINARY_FLOATS(max, FERRY_MAX_FLOAT(a, b))
FERRY_BINARY_INTEGERS(max, a > b ? a : b, a > b ? a : b)
FERRY_BINARY_FLOATS(min, FERRY_MIN_FLOAT(a, b))
FERRY_BINARY_INTEGERS(min, a < b ? a : b, a < b ? a : b)

// Combines elements [first, first + n) of one row of every input into `y`, starting at y_at. steps: 0 or 1.
static void combine(const ferry_eval *eval, const ferry_binary *binary, const int64_t *index, int64_t first, int64_t n,
                    double divisor, int64_t y_at)
{
    const ferry_tensor *y = &eval->out[0];
    const ferry_number_class number = ferry_number_class_of(y->dtype);
    union {
        double f64[FERRY_ROW];
        int64_t s64[FERRY_ROW];
        uint64_t u64[FERRY_ROW];
    } sum, row;
    for (int32_t k = 0; k < eval->node->n_inputs; k++) {
        const ferry_tensor *x = &eval->in[k];
        int64_t strides[FERRY_MAX_RANK];
        ferry_broadcast_strides(x, y->rank, y->dims, strides);
        const int64_t step = y->rank ? strides[y->rank - 1] : 0;
        int64_t at = first * step;
        for (int32_t d = 0; d + 1 < y->rank; d++) at += index[d] * strides[d];
        switch (number) {
        case FERRY_NUMBER_FLOAT:
            ferry_row_load_f64(x->dtype, x->data, at, step, n, k ? row.f64 : sum.f64);
            if (k) binary->f64(sum.f64, true, row.f64, true, sum.f64, n);
            break;
        case FERRY_NUMBER_SIGNED:
            ferry_row_load_s64(x->dtype, x->data, at, step, n, k ? row.s64 : sum.s64);
            if (k) binary->s64(sum.s64, true, row.s64, true, sum.s64, n);
            break;
        case FERRY_NUMBER_UNSIGNED:
            ferry_row_load_u64(x->dtype, x->data, at, step, n, k ? row.u64 : sum.u64);
            if (k) binary->u64(sum.u64, true, row.u64, true, sum.u64, n);
            break;
        }
    }
    switch (number) {
    case FERRY_NUMBER_FLOAT:
        if (divisor != 1)
            for (int64_t i = 0; i < n; i++) sum.f64[i] /= divisor;
        ferry_row_store_f64(y->dtype, y->data, y_at, 1, n, sum.f64);
        break;
    case FERRY_NUMBER_SIGNED:
        ferry_row_store_s64(y->dtype, y->data, y_at, 1, n, sum.s64);
        break;
    case FERRY_NUMBER_UNSIGNED:
        ferry_row_store_u64(y->dtype, y->data, y_at, 1, n, sum.u64);
        break;
    }
}

static ferry_status variadic_eval(const ferry_eval *eval, const ferry_binary *binary, double divisor, ferry_error *err)
{
    const ferry_tensor *y = &eval->out[0];
    if (eval->node->n_inputs == 2 && divisor == 1) return ferry_binary_eval(eval, binary, err);
    for (int32_t k = 0; k < eval->node->n_inputs; k++) {
        if (eval->in[k].dtype == y->dtype) continue;
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "input %" PRId32 " is of type %s, the output of type %s", k,
                          ferry_dtype_name(eval->in[k].dtype), ferry_dtype_name(y->dtype));
    }
    const int64_t row = y->rank ? y->dims[y->rank - 1] : 1, n = ferry_elements(y);
    int64_t index[FERRY_MAX_RANK] = {0};
    for (int64_t start = 0; start < n; start += row) {
        for (int64_t i = 0; i < row; i += FERRY_ROW) {
            combine(eval, binary, index, i, row - i < FERRY_ROW ? row - i : FERRY_ROW, divisor, start + i);
        }
        for (int32_t d = y->rank - 2; d >= 0 && ++index[d] == y->dims[d]; d--) index[d] = 0;
    }
    return FERRY_OK;
}

ferry_status ferry_sum_eval(const ferry_eval *eval, ferry_error *err)
{
    static const ferry_binary binary = {.f32 = add_f32, .f64 = add_f64};
    return variadic_eval(eval, &binary, 1, err);
}

ferry_status ferry_mean_eval(const ferry_eval *eval, ferry_error *err)
{
    static const ferry_binary binary = {.f32 = add_f32, .f64 = add_f64};
    return variadic_eval(eval, &binary, eval->node->n_inputs, err);
}

ferry_status ferry_max_eval(const ferry_eval *eval, ferry_error *err)
{
    static const ferry_binary binary = {max_f32, max_f64, max_s64, max_u64, false};
    return variadic_eval(eval, &binary, 1, err);
}

ferry_status ferry_min_eval(const ferry_eval *eval, ferry_error *err)
{
    static const ferry_binary binary = {min_f32, min_f64, min_s64, min_u64, false};
    return variadic_eval(eval, &binary, 1, err);
}
