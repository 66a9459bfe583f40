// SPDX-License-Identifier: Apache-2.0
// Element access for reference kernels: any numeric type read as double or int64, written back with ONNX's conversions.
#ifndef FERRY_SRC_OPS_ELEMENT_H_
#define FERRY_SRC_OPS_ELEMENT_H_

#include "ops/op.h"

bool ferry_dtype_is_float(ferry_dtype dtype);  // f16 bf16 f32 f64
bool ferry_dtype_is_signed(ferry_dtype dtype); // floats and signed integers

/// Element `i` as double (exact for all types but 64-bit integers beyond 2^53) or int64 (floats truncate).
double ferry_load_f64(const ferry_tensor *tensor, size_t i);
int64_t ferry_load_s64(const ferry_tensor *tensor, size_t i);
/// Stores with one rounding to nearest even for floats; integers take the value truncated toward zero and wrapped, as C
/// does for values in range; bool stores value != 0.
void ferry_store_f64(ferry_tensor *tensor, size_t i, double value);
void ferry_store_s64(ferry_tensor *tensor, size_t i, int64_t value);

/// Broadcasting (numpy's rules) of up to eight shapes; unknown dims stay unknown unless decided by others.
ferry_status ferry_broadcast_shapes(const ferry_shape *shapes, size_t n, ferry_shape *out, ferry_error *err);
/// Row-major element strides of `tensor` seen as broadcast to `rank` dims: 0 along broadcast dimensions.
void ferry_broadcast_strides(const ferry_tensor *tensor, int32_t rank, const int64_t *dims, int64_t *out_strides);

/// Normalises a negative axis; an error that names both numbers when out of range.
ferry_status ferry_axis(int64_t axis, int32_t rank, int32_t *out, ferry_error *err);

#endif // FERRY_SRC_OPS_ELEMENT_H_
