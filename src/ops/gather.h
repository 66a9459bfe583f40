// SPDX-License-Identifier: Apache-2.0
// What reading and writing by index have in common: every index is checked against its dimension before it is used.
#ifndef FERRY_SRC_OPS_GATHER_H_
#define FERRY_SRC_OPS_GATHER_H_

#include "ops/op.h"

/// Element `i` of an index tensor, counting from the end when negative. FERRY_ERR_BAD_DATA names the index and the
/// bound.
ferry_status ferry_index_at(const ferry_tensor *indices, int64_t i, int64_t dim, int32_t axis, int64_t *out,
                            ferry_error *err);
/// The offset that the `depth` indices from `i` on choose: the sum of index * strides[d], checked against dims[d].
ferry_status ferry_index_offset(const ferry_tensor *indices, int64_t i, int32_t depth, const int64_t *dims,
                                const int64_t *strides, int64_t *out, ferry_error *err);
/// Dimensions of an index tensor other than the axis may not exceed the data's. Unknown ones pass.
ferry_status ferry_index_fits(int32_t rank, const int64_t *index_dims, const int64_t *data_dims, int32_t axis,
                              ferry_error *err);

// scatter.c, gather_one_hot.c
ferry_status ferry_scatter_elements_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_scatter_elements_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_scatter_nd_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_scatter_nd_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_one_hot_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_one_hot_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_GATHER_H_
