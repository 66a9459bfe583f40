// SPDX-License-Identifier: Apache-2.0
// Reference kernels of the integer operators that docs/INT8.md defines, a file each, for the table in integer.c.
#ifndef FERRY_SRC_OPS_INTEGER_H_
#define FERRY_SRC_OPS_INTEGER_H_

#include "ops/op.h"

/// The longest sum of products: K * 128 * 128 < 2^31.
#define FERRY_INT8_MAX_SUM 131071
/// The longest sum of elements: n * 128 < 2^31.
#define FERRY_INT8_MOST_ADDENDS 16777215

/// A zero point among the attributes of an integer operator; 0 where it is absent, or no int8 (shape inference refuses
/// that one).
static inline int32_t ferry_zero_point(const ferry_node *node, const char *name)
{
    const int64_t z = ferry_node_int(node, name, 0);
    return z >= -128 && z <= 127 ? (int32_t)z : 0;
}

ferry_status ferry_qconv_eval(const ferry_eval *eval, ferry_error *err);
size_t ferry_qconv_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out);
ferry_status ferry_qgemm_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_qmatmul_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_qadd_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_qmul_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_qaverage_pool_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_qglobal_average_pool_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_qresize_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_qtable_eval(const ferry_eval *eval, ferry_error *err);

ferry_status ferry_qmatmul_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_qaverage_pool_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_qresize_infer(ferry_infer *infer, ferry_error *err);

/// One source position of linear resizing: value = p[i0] + (p[i1] - p[i0]) * w.
typedef struct ferry_resize_tap {
    int64_t i0, i1;
    float w;
} ferry_resize_tap;
typedef enum ferry_resize_mode {
    FERRY_RESIZE_HALF_PIXEL = 0,
    FERRY_RESIZE_PYTORCH_HALF_PIXEL = 1,
    FERRY_RESIZE_ALIGN_CORNERS = 2,
    FERRY_RESIZE_ASYMMETRIC = 3
} ferry_resize_mode;
/// Reads coordinate_transformation_mode; FERRY_ERR_UNSUPPORTED for others.
ferry_status ferry_resize_mode_read(const ferry_node *node, ferry_resize_mode *out, ferry_error *err);
/// Where output position `o` of `out_size` lies in an input of `in_size`; `scale` is ONNX's, out / in.
ferry_resize_tap ferry_resize_tap_at(ferry_resize_mode mode, int64_t o, int64_t in_size, int64_t out_size,
                                     double scale);

#endif // FERRY_SRC_OPS_INTEGER_H_
