// SPDX-License-Identifier: Apache-2.0
// A product of matrices as it is queued: D = act(alpha * transposed(A) * B + beta * C + bias), all of them
// column-major.
#ifndef FERRY_TESTS_CUDA_EMULATOR_CUBLASLT_PRODUCT_H_
#define FERRY_TESTS_CUDA_EMULATOR_CUBLASLT_PRODUCT_H_

#include "driver/emulator.h"

enum { PRODUCT_F32 = 0, PRODUCT_F16 = 2, PRODUCT_BF16 = 14 }; // cudaDataType_t

typedef struct product {
    const void *a, *b, *c, *bias; // bias: one element a row of D; or NULL
    void *d;
    float *sums; // [columns][rows], between the two halves of a product in two kernels
    int in_type, out_type;
    bool tf32, relu, gelu;
    uint64_t rows, columns, depth;
    int64_t a_pitch, b_pitch, c_pitch, d_pitch; // elements from column to column
    float alpha, beta;
} product;

/// The whole, and its halves: what emulated_call_enqueue is given, with a product.
void product_run(const void *product);
void product_run_sums(const void *product);
void product_run_end(const void *product);

#endif // FERRY_TESTS_CUDA_EMULATOR_CUBLASLT_PRODUCT_H_
