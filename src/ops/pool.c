// SPDX-License-Identifier: Apache-2.0
// Pooling over whole planes, and the family's table.
#include "ops/pool.h"

#include <math.h>

#include "ops/element.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_pool[];

static ferry_status infer_lp(ferry_infer *infer, ferry_error *err)
{
    const int64_t p = ferry_node_int(infer->node, "p", 2);
    if (p < 1) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "p is %lld, not 1 or more", (long long)p);
    return ferry_pool_infer(infer, err);
}

static ferry_status infer_global(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *x = &infer->in_shapes[0];
    const int64_t p = ferry_node_int(infer->node, "p", 2);
    // The largest of bytes is one of them: models in INT8 pool what they have, as with MaxPool.
    const uint32_t bytes = ferry_node_is(infer->node, "GlobalMaxPool") ? 1u << FERRY_S8 | 1u << FERRY_U8 : 0;
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT | bytes, err));
    if (p < 1) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "p is %lld, not 1 or more", (long long)p);
    infer->out_dtypes[0] = infer->in_dtypes[0];
    if (x->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (x->rank < 2)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %d dims; batch and channel are needed", x->rank);
    infer->out_shapes[0] = *x;
    for (int32_t d = 2; d < x->rank; d++) ferry_set_dim(&infer->out_shapes[0], d, 1);
    return FERRY_OK;
}

static int64_t plane_of(const ferry_tensor *x)
{
    int64_t plane = 1;
    for (int32_t d = 2; d < x->rank; d++) plane *= x->dims[d];
    return plane;
}

static ferry_status eval_global_average(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    const int64_t planes = x->dims[0] * x->dims[1], plane = plane_of(x);
    for (int64_t p = 0; p < planes; p++) {
        double sum = 0;
        for (int64_t i = 0; i < plane; i++) sum += ferry_load_f64(x, (size_t)(p * plane + i));
        ferry_store_f64(&eval->out[0], (size_t)p, sum / (double)plane);
    }
    return FERRY_OK;
}

static ferry_status eval_global_max(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    const int64_t planes = x->dims[0] * x->dims[1], plane = plane_of(x);
    for (int64_t p = 0; p < planes; p++) {
        double most = -INFINITY;
        for (int64_t i = 0; i < plane; i++) {
            const double v = ferry_load_f64(x, (size_t)(p * plane + i));
            if (v > most || isnan(v)) most = v;
            if (isnan(v)) break;
        }
        ferry_store_f64(&eval->out[0], (size_t)p, most);
    }
    return FERRY_OK;
}

static ferry_status eval_global_lp(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    const double order = (double)ferry_node_int(eval->node, "p", 2);
    const int64_t planes = x->dims[0] * x->dims[1], plane = plane_of(x);
    for (int64_t p = 0; p < planes; p++) {
        double sum = 0;
        for (int64_t i = 0; i < plane; i++) sum += pow(fabs(ferry_load_f64(x, (size_t)(p * plane + i))), order);
        ferry_store_f64(&eval->out[0], (size_t)p, pow(sum, 1 / order));
    }
    return FERRY_OK;
}

#define WINDOW_ATTRS                                                                                                   \
    {"auto_pad", FERRY_ATTR_STRING, false}, {"ceil_mode", FERRY_ATTR_INT, false},                                      \
        {"dilations", FERRY_ATTR_INTS, false}, {"kernel_shape", FERRY_ATTR_INTS, true},                                \
        {"pads", FERRY_ATTR_INTS, false},                                                                              \
    {                                                                                                                  \
        "strides", FERRY_ATTR_INTS, false                                                                              \
    }

static const ferry_attr_schema max_attrs[] = {WINDOW_ATTRS, {"storage_order", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema average_attrs[] = {WINDOW_ATTRS, {"count_include_pad", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema lp_attrs[] = {WINDOW_ATTRS, {"p", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema global_lp_attrs[] = {{"p", FERRY_ATTR_INT, false}, {0}};

#define ROW(op_name, most_outputs, schema, infer_function, eval_function)                                              \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,                             \
        .max_outputs = most_outputs, .since = 1, .attrs = schema, .infer = infer_function, .eval = eval_function       \
    }

const ferry_op ferry_ops_pool[] = {
    ROW("MaxPool", 2, max_attrs, ferry_pool_infer, ferry_max_pool_eval),
    ROW("AveragePool", 1, average_attrs, ferry_pool_infer, ferry_average_pool_eval),
    ROW("LpPool", 1, lp_attrs, infer_lp, ferry_lp_pool_eval),
    ROW("GlobalAveragePool", 1, NULL, infer_global, eval_global_average),
    ROW("GlobalMaxPool", 1, NULL, infer_global, eval_global_max),
    ROW("GlobalLpPool", 1, global_lp_attrs, infer_global, eval_global_lp),
    {.name = NULL},
};
