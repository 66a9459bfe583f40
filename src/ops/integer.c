// SPDX-License-Identifier: Apache-2.0
// ferry's integer operators: their schemas and shape inference. docs/INT8.md says what they compute.
#include "ops/integer.h"

#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/fused.h"
#include "ops/rules.h"
#include "ops/window.h"

extern const ferry_op ferry_ops_integer[];

// What an epilogue may store, and so what may come as a residual or stand in a table.
#define STORED_TYPES (1u << FERRY_S8 | 1u << FERRY_F32 | 1u << FERRY_F16 | 1u << FERRY_BF16)

static ferry_status expect_s8(const ferry_infer *infer, int32_t index, ferry_error *err)
{
    return ferry_need_types(infer, index, 1u << FERRY_S8, err);
}

// What QConv and QGemm have in common: int8 factors, multiplier and bias in float, a residual, an epilogue.
static ferry_status check_product(ferry_infer *infer, ferry_error *err)
{
    ferry_epilogue epilogue;
    FERRY_TRY(expect_s8(infer, 0, err));
    FERRY_TRY(expect_s8(infer, 1, err));
    FERRY_TRY(ferry_need_types(infer, 2, 1u << FERRY_F32, err));
    FERRY_TRY(ferry_need_types(infer, 3, 1u << FERRY_F32, err));
    FERRY_TRY(ferry_need_types(infer, 4, STORED_TYPES, err));
    FERRY_TRY(ferry_epilogue_read(infer->node, &epilogue, err));
    return ferry_epilogue_dtype(infer->node, &infer->out_dtypes[0], err);
}

static ferry_status check_output(const ferry_infer *infer, ferry_error *err)
{
    return ferry_check_size(infer, &infer->out_shapes[0], infer->out_dtypes[0], err);
}

static ferry_status check_zero(const ferry_infer *infer, const char *name, ferry_error *err)
{
    const int64_t z = ferry_node_int(infer->node, name, 0);
    if (z >= -128 && z <= 127) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s is %lld, not a zero point of int8", name, (long long)z);
}

static ferry_status infer_qconv(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(check_zero(infer, "x_zero", err));
    FERRY_TRY(check_product(infer, err));
    FERRY_TRY(ferry_window_infer_conv(infer, err));
    FERRY_TRY(check_output(infer, err));
    const ferry_shape *w = &infer->in_shapes[1];
    if (w->rank > 0) {
        size_t taps = 0, elements = 0;
        FERRY_TRY(ferry_infer_per_channel(infer, 2, "the multiplier", w->dims[0], err));
        FERRY_TRY(ferry_infer_per_channel(infer, 3, "the bias", w->dims[0], err));
        if (ferry_shape_elements(w, &elements) && w->dims[0] > 0) taps = elements / (size_t)w->dims[0];
        if (taps > FERRY_INT8_MAX_SUM)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a sum of %zu products does not fit int32", taps);
    }
    return ferry_infer_residual(infer, 4, err);
}

static ferry_status infer_qgemm(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(check_product(infer, err));
    FERRY_TRY(ferry_fused_gemm_infer_shape(infer, err));
    FERRY_TRY(check_output(infer, err));
    const ferry_shape *y = &infer->out_shapes[0], *w = &infer->in_shapes[1];
    if (y->rank > 0) {
        FERRY_TRY(ferry_infer_per_channel(infer, 2, "the multiplier", y->dims[y->rank - 1], err));
        FERRY_TRY(ferry_infer_per_channel(infer, 3, "the bias", y->dims[y->rank - 1], err));
    }
    if (w->rank == 2 && w->dims[ferry_node_int(infer->node, "transB", 0) ? 1 : 0] > FERRY_INT8_MAX_SUM)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a sum of so many products does not fit int32");
    return ferry_infer_residual(infer, 4, err);
}

static ferry_status infer_qmatmul(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(expect_s8(infer, 0, err));
    FERRY_TRY(expect_s8(infer, 1, err));
    const ferry_shape *a = &infer->in_shapes[0];
    if (a->rank > 0 && a->dims[a->rank - 1] > FERRY_INT8_MAX_SUM)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a sum of so many products does not fit int32");
    FERRY_TRY(ferry_qmatmul_infer(infer, err));
    return check_output(infer, err);
}

static ferry_status infer_binary(ferry_infer *infer, ferry_error *err)
{
    ferry_epilogue epilogue;
    FERRY_TRY(check_zero(infer, "a_zero", err));
    FERRY_TRY(check_zero(infer, "b_zero", err));
    FERRY_TRY(ferry_epilogue_read(infer->node, &epilogue, err));
    FERRY_TRY(expect_s8(infer, 0, err));
    FERRY_TRY(expect_s8(infer, 1, err));
    FERRY_TRY(ferry_epilogue_dtype(infer->node, &infer->out_dtypes[0], err));
    FERRY_TRY(ferry_broadcast_shapes(infer->in_shapes, 2, &infer->out_shapes[0], err));
    return check_output(infer, err);
}

static ferry_status infer_pool(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(expect_s8(infer, 0, err));
    FERRY_TRY(ferry_qaverage_pool_infer(infer, err));
    return check_output(infer, err);
}

static ferry_status infer_global_pool(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(expect_s8(infer, 0, err));
    FERRY_TRY(ferry_epilogue_dtype(infer->node, &infer->out_dtypes[0], err));
    const ferry_shape *x = &infer->in_shapes[0];
    if (x->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (x->rank < 3 || x->rank > 5)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the input has %d dims; batch, channel and 1 to 3 spatial ones are needed", x->rank);
    ferry_shape *y = &infer->out_shapes[0];
    *y = *x;
    int64_t plane = 1;
    for (int32_t d = 2; d < y->rank; d++) {
        FERRY_TRY(ferry_dim_mul(plane, x->dims[d], &plane, err));
        ferry_set_dim(y, d, 1);
    }
    if (plane > FERRY_INT8_MOST_ADDENDS)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a sum of %lld elements does not fit int32", (long long)plane);
    return FERRY_OK;
}

static ferry_status infer_resize(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(expect_s8(infer, 0, err));
    FERRY_TRY(ferry_qresize_infer(infer, err));
    return check_output(infer, err);
}

static ferry_status infer_table(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(expect_s8(infer, 0, err));
    FERRY_TRY(ferry_need_types(infer, 1, STORED_TYPES, err));
    const ferry_shape *table = &infer->in_shapes[1];
    if (table->rank != 1 || table->dims[0] != 256)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the table does not have 256 entries");
    infer->out_shapes[0] = infer->in_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[1];
    return FERRY_OK;
}

#define TO                                                                                                             \
    {                                                                                                                  \
        "to", FERRY_ATTR_INT, false                                                                                    \
    }
#define MULT                                                                                                           \
    {                                                                                                                  \
        "mult", FERRY_ATTR_FLOAT, false                                                                                \
    }
#define SHIFT                                                                                                          \
    {                                                                                                                  \
        "shift", FERRY_ATTR_FLOAT, false                                                                               \
    }
#define ZERO(input)                                                                                                    \
    {                                                                                                                  \
        input "_zero", FERRY_ATTR_INT, false                                                                           \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, FERRY_ATTR_INT, false                                                                                    \
    }
#define WINDOW                                                                                                         \
    {"kernel_shape", FERRY_ATTR_INTS, false}, {"strides", FERRY_ATTR_INTS, false}, {"pads", FERRY_ATTR_INTS, false},   \
    {                                                                                                                  \
        "dilations", FERRY_ATTR_INTS, false                                                                            \
    }

static const ferry_attr_schema conv_attrs[] = {
    WINDOW, {"group", FERRY_ATTR_INT, false}, ZERO("x"), FERRY_EPILOGUE_ATTRS, TO, END};
static const ferry_attr_schema gemm_attrs[] = {{"transB", FERRY_ATTR_INT, false}, FERRY_EPILOGUE_ATTRS, TO, END};
static const ferry_attr_schema mult_attrs[] = {MULT, SHIFT, TO, END};
static const ferry_attr_schema mul_attrs[] = {MULT, SHIFT, ZERO("a"), ZERO("b"), FERRY_EPILOGUE_ATTRS, TO, END};
static const ferry_attr_schema add_attrs[] = {
    {"a_mult", FERRY_ATTR_FLOAT, false}, {"b_mult", FERRY_ATTR_FLOAT, false}, SHIFT, FERRY_EPILOGUE_ATTRS, TO, END};
static const ferry_attr_schema pool_attrs[] = {
    WINDOW, {"ceil_mode", FERRY_ATTR_INT, false}, {"count_include_pad", FERRY_ATTR_INT, false}, MULT, SHIFT, TO, END};
static const ferry_attr_schema resize_attrs[] = {
    {"coordinate_transformation_mode", FERRY_ATTR_STRING, false}, MULT, SHIFT, TO, END};

#define ROW(op_name, min_in, max_in, op_attrs, op_infer, op_eval)                                                      \
    .name = op_name, .domain = "ferry", .min_inputs = (min_in), .max_inputs = (max_in), .min_outputs = 1,              \
    .max_outputs = 1, .since = 1, .attrs = (op_attrs), .infer = (op_infer), .eval = (op_eval)

const ferry_op ferry_ops_integer[] = {
    // X, W, multiplier and bias per output channel, residual
    {ROW("QConv", 4, 5, conv_attrs, infer_qconv, ferry_qconv_eval), .scratch_bytes = ferry_qconv_scratch},
    {ROW("QGemm", 4, 5, gemm_attrs, infer_qgemm, ferry_qgemm_eval)},
    {ROW("QMatMul", 2, 2, mult_attrs, infer_qmatmul, ferry_qmatmul_eval)},
    {ROW("QAdd", 2, 2, add_attrs, infer_binary, ferry_qadd_eval), .flags = FERRY_OP_ELEMENTWISE},
    {ROW("QMul", 2, 2, mul_attrs, infer_binary, ferry_qmul_eval), .flags = FERRY_OP_ELEMENTWISE},
    {ROW("QAveragePool", 1, 1, pool_attrs, infer_pool, ferry_qaverage_pool_eval)},
    {ROW("QGlobalAveragePool", 1, 1, mult_attrs, infer_global_pool, ferry_qglobal_average_pool_eval)},
    // X, scales, sizes
    {ROW("QResize", 1, 3, resize_attrs, infer_resize, ferry_qresize_eval)},
    // X, table of 256 entries
    {ROW("QTable", 2, 2, NULL, infer_table, ferry_qtable_eval), .flags = FERRY_OP_ELEMENTWISE},
    {.name = NULL},
};
