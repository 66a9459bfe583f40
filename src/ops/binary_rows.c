// SPDX-License-Identifier: Apache-2.0
// Applies an operator of two inputs to broadcast tensors of any type, run by run.
#include <inttypes.h>

#include "base/status.h"
#include "ops/binary.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

ferry_status ferry_binary_infer(ferry_infer *infer, uint32_t types, ferry_dtype out_dtype, ferry_error *err)
{
    // Pair by pair, since an operator like Sum may have any number of inputs.
    ferry_shape shape = infer->in_shapes[0];
    for (int32_t i = 0; i < infer->node->n_inputs; i++) {
        if (!ferry_has_input(infer->node, i)) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %" PRId32 " is missing", i);
        }
        FERRY_TRY(ferry_need_types(infer, i, types, err));
        FERRY_TRY(ferry_need_same_type(infer, i, err));
        const ferry_shape pair[] = {shape, infer->in_shapes[i]};
        if (i > 0) FERRY_TRY(ferry_broadcast_shapes(pair, 2, &shape, err));
    }
    infer->out_shapes[0] = shape;
    infer->out_dtypes[0] = out_dtype;
    for (int32_t i = 0; i < infer->node->n_inputs && infer->out_dtypes[0] == FERRY_DTYPE_NONE; i++) {
        infer->out_dtypes[0] = infer->in_dtypes[i];
    }
    return ferry_check_size(infer, &shape, infer->out_dtypes[0], err);
}

typedef union row_buffer {
    double f64[FERRY_ROW];
    int64_t s64[FERRY_ROW];
    uint64_t u64[FERRY_ROW];
} row_buffer;

// One run of at most FERRY_ROW elements of a type without a loop of its own.
static void converted_run(const ferry_binary *binary, const ferry_tensor *a, int64_t a_at, bool a_many,
                          const ferry_tensor *b, int64_t b_at, bool b_many, ferry_tensor *y, int64_t y_at, int64_t n)
{
    row_buffer ra, rb, ry;
    const int64_t a_n = a_many ? n : 1, b_n = b_many ? n : 1;
    void *const to = binary->answers ? (void *)((uint8_t *)y->data + y_at) : (void *)&ry;
    switch (ferry_number_class_of(a->dtype)) {
    case FERRY_NUMBER_FLOAT:
        ferry_row_load_f64(a->dtype, a->data, a_at, 1, a_n, ra.f64);
        ferry_row_load_f64(b->dtype, b->data, b_at, 1, b_n, rb.f64);
        binary->f64(ra.f64, a_many, rb.f64, b_many, to, n);
        if (!binary->answers) ferry_row_store_f64(y->dtype, y->data, y_at, 1, n, ry.f64);
        break;
    case FERRY_NUMBER_SIGNED:
        ferry_row_load_s64(a->dtype, a->data, a_at, 1, a_n, ra.s64);
        ferry_row_load_s64(b->dtype, b->data, b_at, 1, b_n, rb.s64);
        binary->s64(ra.s64, a_many, rb.s64, b_many, to, n);
        if (!binary->answers) ferry_row_store_s64(y->dtype, y->data, y_at, 1, n, ry.s64);
        break;
    case FERRY_NUMBER_UNSIGNED:
        ferry_row_load_u64(a->dtype, a->data, a_at, 1, a_n, ra.u64);
        ferry_row_load_u64(b->dtype, b->data, b_at, 1, b_n, rb.u64);
        binary->u64(ra.u64, a_many, rb.u64, b_many, to, n);
        if (!binary->answers) ferry_row_store_u64(y->dtype, y->data, y_at, 1, n, ry.u64);
        break;
    }
}

static bool has_run(const ferry_binary *binary, ferry_dtype dtype)
{
    switch (ferry_number_class_of(dtype)) {
    case FERRY_NUMBER_FLOAT:
        return binary->f64 != NULL;
    case FERRY_NUMBER_SIGNED:
        return binary->s64 != NULL;
    default:
        return binary->u64 != NULL;
    }
}

ferry_status ferry_binary_eval(const ferry_eval *eval, const ferry_binary *binary, ferry_error *err)
{
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    if (a->dtype != b->dtype || !has_run(binary, a->dtype)) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "%s of %s and %s: put a Cast before it", eval->node->op->name,
                          ferry_dtype_name(a->dtype), ferry_dtype_name(b->dtype));
    }
    int64_t y_strides[FERRY_MAX_RANK], a_strides[FERRY_MAX_RANK], b_strides[FERRY_MAX_RANK];
    ferry_dense_strides(y->rank, y->dims, y_strides);
    ferry_broadcast_strides(a, y->rank, y->dims, a_strides);
    ferry_broadcast_strides(b, y->rank, y->dims, b_strides);
    const int64_t *const strides[] = {y_strides, a_strides, b_strides};
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, y->rank, y->dims, 3, strides); more; more = ferry_loops_next(&loops)) {
        // Inputs are dense, so inside a run they either go on element by element or stand still.
        const bool a_many = loops.row_strides[1] != 0, b_many = loops.row_strides[2] != 0;
        if (a->dtype == FERRY_F32) {
            binary->f32((const float *)a->data + loops.offsets[1], a_many, (const float *)b->data + loops.offsets[2],
                        b_many, (char *)y->data + (size_t)loops.offsets[0] * (binary->answers ? 1 : sizeof(float)),
                        loops.row);
            continue;
        }
        for (int64_t i = 0; i < loops.row; i += FERRY_ROW) {
            const int64_t run = loops.row - i < FERRY_ROW ? loops.row - i : FERRY_ROW;
            converted_run(binary, a, loops.offsets[1] + (a_many ? i : 0), a_many, b,
                          loops.offsets[2] + (b_many ? i : 0), b_many, y, loops.offsets[0] + i, run);
        }
    }
    return FERRY_OK;
}
