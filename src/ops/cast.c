// SPDX-License-Identifier: Apache-2.0
// Cast and CastLike.
//
// Floats are rounded once, to nearest even. A float becomes an integer by truncation toward zero; where ONNX leaves the
// result open, it is defined here: beyond the type's range its nearest bound, and 0 for NaN. Integers wrap. Bool is
// value != 0 (NaN is true). `saturate` and `round_mode` of ONNX concern 8-bit floats only, which ferry lacks.
#include <inttypes.h>
#include <string.h>

#include "base/status.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_cast[];

static ferry_status infer_cast(ferry_infer *infer, ferry_error *err)
{
    const int64_t to = ferry_node_int(infer->node, "to", 0);
    const ferry_dtype dtype = ferry_dtype_from_onnx(to);
    if (dtype == FERRY_DTYPE_NONE) {
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "to is the element type %" PRId64
            " (TensorProto.DataType), which ferry lacks: export with float, half, bfloat16, double, integer or "
            "bool types",
            to);
    }
    ferry_infer_like_first(infer);
    infer->out_dtypes[0] = dtype;
    return FERRY_OK;
}

static ferry_status infer_cast_like(ferry_infer *infer, ferry_error *err)
{
    (void)err;
    ferry_infer_like_first(infer);
    infer->out_dtypes[0] = infer->in_dtypes[1];
    return FERRY_OK;
}

static ferry_status eval_cast(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0];
    const int64_t n = ferry_elements(x);
    if (x->dtype == y->dtype) {
        if (n > 0) memcpy(y->data, x->data, (size_t)n * ferry_dtype_bytes(x->dtype));
        return FERRY_OK;
    }
    for (int64_t i = 0; i < n; i += FERRY_ROW) {
        const int64_t run = n - i < FERRY_ROW ? n - i : FERRY_ROW;
        double f[FERRY_ROW];
        int64_t s[FERRY_ROW];
        uint64_t u[FERRY_ROW];
        switch (ferry_number_class_of(x->dtype)) {
        case FERRY_NUMBER_FLOAT:
            ferry_row_load_f64(x->dtype, x->data, i, 1, run, f);
            ferry_row_store_f64(y->dtype, y->data, i, 1, run, f);
            break;
        case FERRY_NUMBER_SIGNED:
            ferry_row_load_s64(x->dtype, x->data, i, 1, run, s);
            ferry_row_store_s64(y->dtype, y->data, i, 1, run, s);
            break;
        case FERRY_NUMBER_UNSIGNED:
            ferry_row_load_u64(x->dtype, x->data, i, 1, run, u);
            ferry_row_store_u64(y->dtype, y->data, i, 1, run, u);
            break;
        }
    }
    return FERRY_OK;
}

static const ferry_attr_schema cast_attrs[] = {
    {"to", FERRY_ATTR_INT, true}, {"saturate", FERRY_ATTR_INT, false}, {"round_mode", FERRY_ATTR_STRING, false}, {0}};
static const ferry_attr_schema cast_like_attrs[] = {
    {"saturate", FERRY_ATTR_INT, false}, {"round_mode", FERRY_ATTR_STRING, false}, {0}};

const ferry_op ferry_ops_cast[] = {
    {.name = "Cast",
     .domain = "",
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 6,
     .attrs = cast_attrs,
     .infer = infer_cast,
     .eval = eval_cast},
    {.name = "CastLike",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 15,
     .attrs = cast_like_attrs,
     .infer = infer_cast_like,
     .eval = eval_cast},
    {.name = NULL},
};
