// SPDX-License-Identifier: Apache-2.0
// Products that cuBLASLt computes whole: what a region comes to, its packed constants, and the call.
#ifndef FERRY_SRC_BACKEND_CUDA_VENDOR_BLAS_PRODUCT_H_
#define FERRY_SRC_BACKEND_CUDA_VENDOR_BLAS_PRODUCT_H_

#include "backend/cuda/node.h"
#include "backend/cuda/vendor_blas.h"

/// y[rows][columns] = act(alpha * x[rows][channels] * w + beta * bias + r_mult * residual)
typedef struct ferry_blas_product {
    bool conv; // a convolution whose windows are single positions, channels last; else a matrix product
    ferry_dtype x_type, y_type;
    int64_t columns, channels;
    const ferry_value *w, *b;                                   // constants; b may be NULL
    int64_t w_rank, column_stride, channel_stride, bias_stride; // strides in elements; of the bias 0: one for all
    float alpha, beta, r_mult;
    ferry_value_id residual; // of the output's type; FERRY_NO_VALUE: none
    int activation;          // FERRY_CUBLASLT_PLAIN, _RELU or _GELU
} ferry_blas_product;

/// False when the region is none that the library computes in one call.
bool ferry_blas_product_read(const ferry_region *region, ferry_blas_product *out);

/// Which of the library's algorithms.
typedef struct ferry_blas_tactic {
    const char *name;
    int rank; // in the order of the library's own estimates, from 0
    bool tf32;
} ferry_blas_tactic;

/// What the packed constants begin with; weights and bias lie behind it.
typedef struct ferry_blas_packed {
    int32_t version[3], unused; // of the library that was asked; zeros: none was
    int64_t rows;               // for which it chose
    ferry_cublaslt_algorithm algorithm;
} ferry_blas_packed;
#define FERRY_BLAS_WEIGHTS_AT 256u // bytes from the beginning of the constants

/// Bytes from the beginning of the constants to the bias, and of them all; false beyond what is counted in.
bool ferry_blas_product_sizes(const ferry_blas_product *product, size_t *bias_at, size_t *bytes);
/// Packs the constants.
ferry_status ferry_blas_product_pack(const ferry_blas_product *product, const char *tactic, ferry_cuda_package *package,
                                     ferry_error *err);

/// Rows and, in elements, how far they lie apart.
typedef struct ferry_blas_place {
    int64_t rows, x_pitch, y_pitch, r_pitch;
} ferry_blas_place;

/// Asks the library for the tactic's algorithm: for `rows` that lie close together.
ferry_status ferry_blas_product_choose(ferry_cuda_device *device, const ferry_blas_product *product,
                                       const ferry_blas_tactic *tactic, int64_t rows, ferry_blas_packed *out,
                                       ferry_error *err);

/// Adds the call to the kernel, with the algorithm of its packed constants where that fits, or else one that the
/// library is asked for again. The device's context is current. Whoever read `place` has checked that tensors fit
/// together.
ferry_status ferry_blas_product_prepare(ferry_cuda_device *device, const ferry_region *region,
                                        const ferry_blas_product *product, const ferry_blas_tactic *tactic,
                                        const ferry_blas_place *place, ferry_cuda_kernel *kernel, ferry_error *err);

/// The device's handle of the library, made when it is first asked for. The device's context is current.
ferry_status ferry_cuda_blas_get(ferry_cuda_device *device, const ferry_cublaslt **out_library,
                                 ferry_cublaslt_handle *out_handle, ferry_error *err);

#endif // FERRY_SRC_BACKEND_CUDA_VENDOR_BLAS_PRODUCT_H_
