// SPDX-License-Identifier: Apache-2.0
// ferry's fused float operators: what the passes make of ONNX's, and what numeric plans are made for.
#include "ops/fused.h"

#include <math.h>

#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/rules.h"
#include "ops/window.h"

extern const ferry_op ferry_ops_fused[];

ferry_status ferry_infer_per_channel(const ferry_infer *infer, int32_t index, const char *what, int64_t count,
                                     ferry_error *err)
{
    if (index >= infer->node->n_inputs || infer->node->inputs[index] == FERRY_NO_VALUE) return FERRY_OK;
    const ferry_shape *s = &infer->in_shapes[index];
    if (s->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    const bool known = s->rank == 1 && s->dims[0] != FERRY_DIM_UNKNOWN && count != FERRY_DIM_UNKNOWN;
    if (s->rank != 1 || (known && s->dims[0] != count))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "%s has rank %d and %lld elements, not one for each of %lld channels", what, s->rank,
                          s->rank > 0 ? (long long)s->dims[0] : 1LL, (long long)count);
    return FERRY_OK;
}

ferry_status ferry_infer_residual(const ferry_infer *infer, int32_t index, ferry_error *err)
{
    if (index >= infer->node->n_inputs || infer->node->inputs[index] == FERRY_NO_VALUE) return FERRY_OK;
    const ferry_shape *r = &infer->in_shapes[index], *y = &infer->out_shapes[0];
    if (r->rank == FERRY_RANK_UNKNOWN || y->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    bool equal = r->rank == y->rank;
    for (int32_t i = 0; equal && i < r->rank; i++)
        equal = r->dims[i] == y->dims[i] || r->dims[i] == FERRY_DIM_UNKNOWN || y->dims[i] == FERRY_DIM_UNKNOWN;
    if (!equal) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the residual's shape differs from the output's");
    return FERRY_OK;
}

// The kernels read everything as float; a sum of doubles would lose what its type promises.
#define FUSED_TYPES (1u << FERRY_F32 | 1u << FERRY_F16 | 1u << FERRY_BF16)

static ferry_status check_fused(ferry_infer *infer, ferry_error *err)
{
    ferry_epilogue epilogue;
    for (int32_t i = 0; i < infer->node->n_inputs; i++) FERRY_TRY(ferry_need_types(infer, i, FUSED_TYPES, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    return ferry_epilogue_read(infer->node, &epilogue, err);
}

static ferry_status infer_conv(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(check_fused(infer, err));
    FERRY_TRY(ferry_window_infer_conv(infer, err));
    if (infer->in_shapes[1].rank > 0)
        FERRY_TRY(ferry_infer_per_channel(infer, 2, "the bias", infer->in_shapes[1].dims[0], err));
    FERRY_TRY(ferry_check_size(infer, &infer->out_shapes[0], infer->out_dtypes[0], err));
    return ferry_infer_residual(infer, 3, err);
}

static ferry_status infer_gemm(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(check_fused(infer, err));
    FERRY_TRY(ferry_fused_gemm_infer_shape(infer, err));
    const ferry_shape *y = &infer->out_shapes[0];
    if (y->rank > 0) FERRY_TRY(ferry_infer_per_channel(infer, 2, "the bias", y->dims[y->rank - 1], err));
    FERRY_TRY(ferry_check_size(infer, y, infer->out_dtypes[0], err));
    return ferry_infer_residual(infer, 3, err);
}

static ferry_status infer_silu(ferry_infer *infer, ferry_error *err)
{
    ferry_infer_like_first(infer);
    return ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err);
}

static ferry_status eval_silu(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    const size_t n = ferry_tensor_elements(x);
    for (size_t i = 0; i < n; i++) {
        const double v = ferry_load_f64(x, i);
        ferry_store_f64(&eval->out[0], i, v / (1.0 + exp(-v)));
    }
    return FERRY_OK;
}

static const ferry_attr_schema conv_attrs[] = {
    {"kernel_shape", FERRY_ATTR_INTS, false},
    {"strides", FERRY_ATTR_INTS, false},
    {"pads", FERRY_ATTR_INTS, false},
    {"dilations", FERRY_ATTR_INTS, false},
    {"group", FERRY_ATTR_INT, false},
    FERRY_EPILOGUE_ATTRS,
    {NULL, FERRY_ATTR_INT, false},
};
static const ferry_attr_schema gemm_attrs[] = {
    {"transA", FERRY_ATTR_INT, false},
    {"transB", FERRY_ATTR_INT, false},
    FERRY_EPILOGUE_ATTRS,
    {NULL, FERRY_ATTR_INT, false},
};

const ferry_op ferry_ops_fused[] = {
    // X, W, bias per output channel, residual of the output's shape
    {.name = "FusedConv",
     .domain = "ferry",
     .min_inputs = 2,
     .max_inputs = 4,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .attrs = conv_attrs,
     .infer = infer_conv,
     .eval = ferry_fused_conv_eval,
     .scratch_bytes = ferry_fused_conv_scratch},
    // A, W [K, N] or [N, K], bias per column, residual
    {.name = "FusedGemm",
     .domain = "ferry",
     .min_inputs = 2,
     .max_inputs = 4,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .attrs = gemm_attrs,
     .infer = infer_gemm,
     .eval = ferry_fused_gemm_eval},
    // x * sigmoid(x)
    {.name = "Silu",
     .domain = "ferry",
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .flags = FERRY_OP_ELEMENTWISE,
     .infer = infer_silu,
     .eval = eval_silu},
    {.name = NULL},
};
