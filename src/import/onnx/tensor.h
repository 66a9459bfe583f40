// SPDX-License-Identifier: Apache-2.0
// Tensors of an ONNX file: their type and shape, and their elements in any of the forms in which ONNX stores them.
#ifndef FERRY_SRC_IMPORT_ONNX_TENSOR_H_
#define FERRY_SRC_IMPORT_ONNX_TENSOR_H_

#include "graph/graph.h"
#include "onnx.pb-c.h"

/// The bytes that the tensors' references point into.
typedef struct ferry_onnx_file {
    const uint8_t *data;
    size_t bytes;
} ferry_onnx_file;

/// Where a tensor says that its data lie.
enum { FERRY_ONNX_LOCATION_DEFAULT = 0, FERRY_ONNX_LOCATION_EXTERNAL = 1 };

/// ONNX's TensorProto.DataType to ferry's; FERRY_ERR_UNSUPPORTED with words for strings, complex numbers, 4- and 8-bit
/// floats and 2- and 4-bit integers.
ferry_status ferry_onnx_dtype(int32_t data_type, ferry_dtype *out, ferry_error *err);

/// Type, shape, and the bytes of data that these need.
ferry_status ferry_onnx_tensor_header(const Ferry__Onnx__Tensor *tensor, ferry_dtype *dtype, ferry_shape *shape,
                                      size_t *data_bytes, ferry_error *err);

/// Looks where the tensor's own data (not external ones) are, and checks that there are as many as the shape says.
/// *out_place is set when they lie in the file as they are needed (perhaps unaligned), else NULL: then decode them.
ferry_status ferry_onnx_tensor_locate(ferry_onnx_file file, const Ferry__Onnx__Tensor *tensor, ferry_dtype dtype,
                                      size_t data_bytes, const void **out_place, ferry_error *err);

/// Writes the elements into `out`, aligned for the type and as large as the header said. Only after locate succeeded.
ferry_status ferry_onnx_tensor_decode(ferry_onnx_file file, const Ferry__Onnx__Tensor *tensor, ferry_dtype dtype,
                                      void *out, ferry_error *err);

/// Any byte that is not zero means true: makes such bytes 1.
void ferry_onnx_normalise_bool(uint8_t *data, size_t count);

/// Refuses floats that hold NaN, unless these are allowed. `data` is aligned for the type.
ferry_status ferry_onnx_check_nan(bool allow, ferry_dtype dtype, const void *data, size_t bytes, ferry_error *err);

#endif // FERRY_SRC_IMPORT_ONNX_TENSOR_H_
