// SPDX-License-Identifier: Apache-2.0
// Pow: the one arithmetic operator whose inputs may have different types.
#include <math.h>

#include "base/status.h"
#include "ops/binary.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

ferry_status ferry_pow_infer(ferry_infer *infer, ferry_error *err)
{
    for (int32_t i = 0; i < 2; i++) FERRY_TRY(ferry_need_types(infer, i, FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_broadcast_shapes(infer->in_shapes, 2, &infer->out_shapes[0], err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    return ferry_check_size(infer, &infer->out_shapes[0], infer->out_dtypes[0], err);
}

// Wraps. A negative exponent gives the truncated reciprocal: 1 for base 1, 1 or -1 for base -1, else 0.
static int64_t pow_s64(int64_t base, int64_t exponent)
{
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
    uint64_t result = 1, square = (uint64_t)base;
    for (uint64_t left = (uint64_t)exponent; left; left >>= 1) {
        if (left & 1) result *= square;
        square *= square;
    }
    return (int64_t)result;
}

static inline double pow_f64(double base, double exponent)
{
    return exponent == 2 ? base * base : pow(base, exponent); // the squares of hand-written normalisations
}

static void pow_run(const ferry_tensor *a, int64_t a_at, int64_t a_step, const ferry_tensor *b, int64_t b_at,
                    int64_t b_step, ferry_tensor *y, int64_t y_at, int64_t n)
{
    const bool a_float = ferry_dtype_is_float(a->dtype), b_float = ferry_dtype_is_float(b->dtype);
    if (a_float || b_float) {
        double base[FERRY_ROW], exponent[FERRY_ROW];
        ferry_row_load_f64(a->dtype, a->data, a_at, a_step, n, base);
        ferry_row_load_f64(b->dtype, b->data, b_at, b_step, n, exponent);
        for (int64_t i = 0; i < n; i++) base[i] = pow_f64(base[i], exponent[i]);
        ferry_row_store_f64(y->dtype, y->data, y_at, 1, n, base);
    } else {
        int64_t base[FERRY_ROW], exponent[FERRY_ROW];
        ferry_row_load_s64(a->dtype, a->data, a_at, a_step, n, base);
        ferry_row_load_s64(b->dtype, b->data, b_at, b_step, n, exponent);
        for (int64_t i = 0; i < n; i++) {
            // An exponent of uint64 beyond int64 is even or odd as its bits say; only that matters once everything
            // wraps.
            base[i] =
                pow_s64(base[i], b->dtype == FERRY_U64 && exponent[i] < 0 ? exponent[i] & INT64_MAX : exponent[i]);
        }
        ferry_row_store_s64(y->dtype, y->data, y_at, 1, n, base);
    }
}

ferry_status ferry_pow_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    int64_t y_strides[FERRY_MAX_RANK], a_strides[FERRY_MAX_RANK], b_strides[FERRY_MAX_RANK];
    ferry_dense_strides(y->rank, y->dims, y_strides);
    ferry_broadcast_strides(a, y->rank, y->dims, a_strides);
    ferry_broadcast_strides(b, y->rank, y->dims, b_strides);
    const int64_t *const strides[] = {y_strides, a_strides, b_strides};
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, y->rank, y->dims, 3, strides); more; more = ferry_loops_next(&loops)) {
        const int64_t a_step = loops.row_strides[1], b_step = loops.row_strides[2];
        for (int64_t i = 0; i < loops.row; i += FERRY_ROW) {
            const int64_t run = loops.row - i < FERRY_ROW ? loops.row - i : FERRY_ROW;
            pow_run(a, loops.offsets[1] + i * a_step, a_step, b, loops.offsets[2] + i * b_step, b_step, y,
                    loops.offsets[0] + i, run);
        }
    }
    return FERRY_OK;
}
