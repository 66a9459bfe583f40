// SPDX-License-Identifier: Apache-2.0
// MatMul with numpy's rules for batches and vectors, and the family's table.
#include "ops/matmul.h"

#include <string.h>

#include "ops/element.h"
#include "ops/rows.h"
#include "ops/rules.h"
#include "ops/wide.h"

#define SEGMENT 512 // output columns that are summed at a time: 4 KiB of doubles on the stack

extern const ferry_op ferry_ops_matmul[];

// The batch dims of a matmul operand; none for a vector or a matrix.
static ferry_shape batch_of(const ferry_shape *s)
{
    ferry_shape batch = *s;
    batch.rank = s->rank > 2 ? s->rank - 2 : 0;
    return batch;
}

ferry_status ferry_matmul_infer_shape(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *a = &infer->in_shapes[0], *b = &infer->in_shapes[1];
    if (a->rank == FERRY_RANK_UNKNOWN || b->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (a->rank == 0 || b->rank == 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the inputs have %d and %d dims: a scalar has no rows", a->rank,
                          b->rank);
    const int64_t ka = a->dims[a->rank - 1], kb = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (ka != FERRY_DIM_UNKNOWN && kb != FERRY_DIM_UNKNOWN && ka != kb)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the first input has %lld columns, the second %lld rows",
                          (long long)ka, (long long)kb);
    const ferry_shape batches[2] = {batch_of(a), batch_of(b)};
    ferry_shape y;
    const ferry_status status = ferry_broadcast_shapes(batches, 2, &y, err);
    if (status != FERRY_OK) return ferry_within(err, status, "batch");
    if (y.rank + (a->rank > 1) + (b->rank > 1) > FERRY_MAX_RANK)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "the product has more than %d dims", FERRY_MAX_RANK);
    if (a->rank > 1) ferry_copy_dim(&y, y.rank++, a, a->rank - 2);
    if (b->rank > 1) ferry_copy_dim(&y, y.rank++, b, b->rank - 1);
    infer->out_shapes[0] = y;
    return ferry_check_size(infer, &y, infer->out_dtypes[0], err);
}

static ferry_status infer_matmul(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_need_same_type(infer, 1, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    return ferry_matmul_infer_shape(infer, err);
}

static ferry_tensor batch_tensor(const ferry_tensor *t)
{
    ferry_tensor batch = *t;
    batch.rank = t->rank > 2 ? t->rank - 2 : 0;
    return batch;
}

void ferry_matmul_dims_of(const ferry_tensor *a, const ferry_tensor *b, ferry_matmul_dims *out)
{
    *out = (ferry_matmul_dims){.m = a->rank > 1 ? a->dims[a->rank - 2] : 1,
                               .n = b->rank > 1 ? b->dims[b->rank - 1] : 1,
                               .k = a->dims[a->rank - 1]};
    const ferry_tensor batch_a = batch_tensor(a), batch_b = batch_tensor(b);
    const int32_t rank = batch_a.rank > batch_b.rank ? batch_a.rank : batch_b.rank;
    out->batch_rank = rank;
    for (int32_t d = 0; d < rank; d++) {
        const int64_t da = d >= rank - batch_a.rank ? batch_a.dims[d - (rank - batch_a.rank)] : 1;
        const int64_t db = d >= rank - batch_b.rank ? batch_b.dims[d - (rank - batch_b.rank)] : 1;
        out->batch[d] = da != 1 ? da : db;
    }
    ferry_broadcast_strides(&batch_a, rank, out->batch, out->a_strides);
    ferry_broadcast_strides(&batch_b, rank, out->batch, out->b_strides);
}

int64_t ferry_matmul_count(const ferry_matmul_dims *dims)
{
    int64_t count = 1;
    for (int32_t d = 0; d < dims->batch_rank; d++) count *= dims->batch[d];
    return count;
}

void ferry_matmul_at(const ferry_matmul_dims *dims, int64_t i, int64_t *out_a, int64_t *out_b)
{
    *out_a = *out_b = 0;
    for (int32_t d = dims->batch_rank - 1; d >= 0; d--) {
        const int64_t at = i % dims->batch[d];
        i /= dims->batch[d];
        *out_a += at * dims->a_strides[d];
        *out_b += at * dims->b_strides[d];
    }
}

size_t ferry_matmul_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out)
{
    (void)node;
    (void)out;
    return ferry_wide_bytes(&in[0]) + ferry_wide_bytes(&in[1]);
}

static void matmul_floats(const ferry_eval *eval, const ferry_matmul_dims *dims)
{
    char *scratch = eval->scratch;
    const ferry_wide a = ferry_widen(&eval->in[0], &scratch), b = ferry_widen(&eval->in[1], &scratch);
    const int64_t count = ferry_matmul_count(dims), m = dims->m, n = dims->n, k = dims->k;
    double acc[SEGMENT];
    for (int64_t i = 0; i < count; i++) {
        int64_t at_a = 0, at_b = 0;
        ferry_matmul_at(dims, i, &at_a, &at_b);
        for (int64_t row = 0; row < m; row++)
            for (int64_t first = 0; first < n; first += SEGMENT) {
                const int64_t width = n - first < SEGMENT ? n - first : SEGMENT;
                memset(acc, 0, (size_t)width * sizeof *acc);
                ferry_wide_add_rows(acc, width, a, (at_a * m + row) * k, 1, k, b, at_b * k * n + first, n);
                ferry_row_store_f64(eval->out[0].dtype, eval->out[0].data, (i * m + row) * n + first, 1, width, acc);
            }
    }
}

// Integers wrap, as numpy's do: the low bits of a product are the same signed and unsigned.
static void matmul_integers(const ferry_eval *eval, const ferry_matmul_dims *dims)
{
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    const int64_t count = ferry_matmul_count(dims), m = dims->m, n = dims->n, k = dims->k;
    for (int64_t i = 0; i < count; i++) {
        int64_t at_a = 0, at_b = 0;
        ferry_matmul_at(dims, i, &at_a, &at_b);
        for (int64_t row = 0; row < m; row++)
            for (int64_t column = 0; column < n; column++) {
                uint64_t sum = 0;
                for (int64_t j = 0; j < k; j++)
                    sum += (uint64_t)ferry_load_s64(a, (size_t)((at_a * m + row) * k + j)) *
                           (uint64_t)ferry_load_s64(b, (size_t)((at_b * k + j) * n + column));
                ferry_store_s64(&eval->out[0], (size_t)((i * m + row) * n + column), (int64_t)sum);
            }
    }
}

static ferry_status eval_matmul(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    ferry_matmul_dims dims;
    ferry_matmul_dims_of(&eval->in[0], &eval->in[1], &dims);
    if (ferry_dtype_is_float(eval->in[0].dtype))
        matmul_floats(eval, &dims);
    else
        matmul_integers(eval, &dims);
    return FERRY_OK;
}

static const ferry_attr_schema gemm_attrs[] = {{"alpha", FERRY_ATTR_FLOAT, false},
                                               {"beta", FERRY_ATTR_FLOAT, false},
                                               {"transA", FERRY_ATTR_INT, false},
                                               {"transB", FERRY_ATTR_INT, false},
                                               {0}};

const ferry_op ferry_ops_matmul[] = {
    {.name = "MatMul",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .infer = infer_matmul,
     .eval = eval_matmul,
     .scratch_bytes = ferry_matmul_scratch},
    {.name = "Gemm",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 7,
     .attrs = gemm_attrs,
     .infer = ferry_gemm_infer,
     .eval = ferry_gemm_eval,
     .scratch_bytes = ferry_matmul_scratch},
    {.name = "MatMulInteger",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 4,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 10,
     .infer = ferry_matmul_integer_infer,
     .eval = ferry_matmul_integer_eval},
    {.name = NULL},
};
