// SPDX-License-Identifier: Apache-2.0
// Gemm: alpha * A' * B' + beta * C, with A and B transposed on request and C broadcast.
#include <string.h>

#include "ops/element.h"
#include "ops/matmul.h"
#include "ops/rows.h"
#include "ops/rules.h"
#include "ops/wide.h"

#define SEGMENT 512 // output columns that are summed at a time: 4 KiB of doubles on the stack

ferry_status ferry_gemm_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *a = &infer->in_shapes[0], *b = &infer->in_shapes[1];
    const bool trans_a = ferry_node_int(infer->node, "transA", 0) != 0;
    const bool trans_b = ferry_node_int(infer->node, "transB", 0) != 0;
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_need_same_type(infer, 1, err));
    FERRY_TRY(ferry_need_same_type(infer, 2, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    FERRY_TRY(ferry_need_rank(infer, 0, 2, err));
    FERRY_TRY(ferry_need_rank(infer, 1, 2, err));
    ferry_shape y = ferry_shape_of_rank(2);
    if (a->rank == 2) ferry_copy_dim(&y, 0, a, trans_a);
    if (b->rank == 2) ferry_copy_dim(&y, 1, b, !trans_b);
    infer->out_shapes[0] = y;
    if (a->rank == 2 && b->rank == 2) {
        const int64_t ka = a->dims[!trans_a], kb = b->dims[trans_b];
        if (ka != FERRY_DIM_UNKNOWN && kb != FERRY_DIM_UNKNOWN && ka != kb)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "A has %lld columns, B has %lld rows%s", (long long)ka,
                              (long long)kb, trans_a || trans_b ? " (as transposed)" : "");
    }
    if (ferry_has_input(infer->node, 2) && infer->in_shapes[2].rank != FERRY_RANK_UNKNOWN) {
        const ferry_shape *c = &infer->in_shapes[2];
        if (c->rank > 2) return ferry_need_rank(infer, 2, 2, err);
        for (int32_t d = 0; d < c->rank; d++) {
            const int64_t of_c = c->dims[d], of_y = y.dims[d + 2 - c->rank];
            if (of_c >= 0 && of_c != 1 && of_y != FERRY_DIM_UNKNOWN && of_c != of_y)
                return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %d of C is %lld, the product has %lld", d,
                                  (long long)of_c, (long long)of_y);
        }
    }
    return ferry_check_size(infer, &y, infer->out_dtypes[0], err);
}

typedef struct gemm {
    int64_t m, n, k;
    int64_t a_row, a_step, b_row, b_step; // element steps: of A along m and k, of B along k and n
    int64_t c_strides[2];
    const ferry_tensor *c;
    double alpha, beta;
} gemm;

static gemm read(const ferry_eval *eval)
{
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    const bool trans_a = ferry_node_int(eval->node, "transA", 0) != 0;
    const bool trans_b = ferry_node_int(eval->node, "transB", 0) != 0;
    gemm g = {.m = a->dims[trans_a], .n = b->dims[!trans_b], .k = a->dims[!trans_a]};
    g.a_row = trans_a ? 1 : g.k;
    g.a_step = trans_a ? g.m : 1;
    g.b_row = trans_b ? 1 : g.n;
    g.b_step = trans_b ? g.k : 1;
    g.alpha = (double)ferry_node_float(eval->node, "alpha", 1);
    g.beta = (double)ferry_node_float(eval->node, "beta", 1);
    if (ferry_has_input(eval->node, 2)) {
        g.c = &eval->in[2];
        ferry_broadcast_strides(g.c, 2, (int64_t[]){g.m, g.n}, g.c_strides);
    }
    return g;
}

static void finish_row(const gemm *g, int64_t row, int64_t first, int64_t width, double *acc)
{
    for (int64_t i = 0; i < width; i++) {
        acc[i] *= g->alpha;
        if (g->c)
            acc[i] += g->beta * ferry_load_f64(g->c, (size_t)(row * g->c_strides[0] + (first + i) * g->c_strides[1]));
    }
}

static void gemm_floats(const ferry_eval *eval, const gemm *g)
{
    char *scratch = eval->scratch;
    const ferry_wide a = ferry_widen(&eval->in[0], &scratch), b = ferry_widen(&eval->in[1], &scratch);
    double acc[SEGMENT];
    for (int64_t row = 0; row < g->m; row++)
        for (int64_t first = 0; first < g->n; first += SEGMENT) {
            const int64_t width = g->n - first < SEGMENT ? g->n - first : SEGMENT;
            memset(acc, 0, (size_t)width * sizeof *acc);
            if (g->b_step == 1)
                ferry_wide_add_rows(acc, width, a, row * g->a_row, g->a_step, g->k, b, first, g->b_row);
            else
                for (int64_t i = 0; i < width; i++)
                    acc[i] = ferry_wide_dot(a, row * g->a_row, g->a_step, b, (first + i) * g->b_step, 1, g->k);
            finish_row(g, row, first, width, acc);
            ferry_row_store_f64(eval->out[0].dtype, eval->out[0].data, row * g->n + first, 1, width, acc);
        }
}

// alpha and beta are floats, so whole results are only certain when both are whole; others are truncated like a Cast.
static void gemm_integers(const ferry_eval *eval, const gemm *g)
{
    const ferry_tensor *a = &eval->in[0], *b = &eval->in[1];
    for (int64_t row = 0; row < g->m; row++)
        for (int64_t column = 0; column < g->n; column++) {
            uint64_t sum = 0;
            for (int64_t k = 0; k < g->k; k++)
                sum += (uint64_t)ferry_load_s64(a, (size_t)(row * g->a_row + k * g->a_step)) *
                       (uint64_t)ferry_load_s64(b, (size_t)(k * g->b_row + column * g->b_step));
            const int64_t c =
                g->c ? ferry_load_s64(g->c, (size_t)(row * g->c_strides[0] + column * g->c_strides[1])) : 0;
            const size_t to = (size_t)(row * g->n + column);
            if (g->alpha == 1 && g->beta == 1)
                ferry_store_s64(&eval->out[0], to, (int64_t)(sum + (uint64_t)c));
            else
                ferry_store_f64(&eval->out[0], to, g->alpha * (double)(int64_t)sum + g->beta * (double)c);
        }
}

ferry_status ferry_gemm_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const gemm g = read(eval);
    if (ferry_dtype_is_float(eval->in[0].dtype))
        gemm_floats(eval, &g);
    else
        gemm_integers(eval, &g);
    return FERRY_OK;
}
