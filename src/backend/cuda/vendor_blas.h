// SPDX-License-Identifier: Apache-2.0
// NVIDIA's library of matrix products (cuBLASLt) as far as ferry uses it, opened at run time: nothing needs it that did
// not choose it.
//
// Types and values are declared here, so that no CUDA header is needed to build. They are the library's ABI from
// CUDA 11 on; names and functions are those of NVIDIA's "cuBLASLt API" reference. CUDA 10's library is left aside: the
// drivers of its time can't give a captured call another address.
#ifndef FERRY_SRC_BACKEND_CUDA_VENDOR_BLAS_H_
#define FERRY_SRC_BACKEND_CUDA_VENDOR_BLAS_H_

#include "backend/cuda/driver.h"

typedef int ferry_cublas_result; // 0: done
typedef struct ferry_cublaslt_handle_ *ferry_cublaslt_handle;
typedef struct ferry_cublaslt_operation_ *ferry_cublaslt_operation;   // cublasLtMatmulDesc_t
typedef struct ferry_cublaslt_layout_ *ferry_cublaslt_layout;         // cublasLtMatrixLayout_t
typedef struct ferry_cublaslt_preference_ *ferry_cublaslt_preference; // cublasLtMatmulPreference_t

/// cublasLtMatmulAlgo_t: may be kept in a file, and is good for the same version of the library.
typedef struct ferry_cublaslt_algorithm {
    uint64_t data[8];
} ferry_cublaslt_algorithm;

/// cublasLtMatmulHeuristicResult_t
typedef struct ferry_cublaslt_found {
    ferry_cublaslt_algorithm algorithm;
    size_t workspace_bytes;
    ferry_cublas_result state;
    float waves;
    int reserved[4];
} ferry_cublaslt_found;

enum {
    // cudaDataType_t
    FERRY_CUBLAS_F32 = 0,
    FERRY_CUBLAS_F16 = 2,
    FERRY_CUBLAS_BF16 = 14,
    // cublasComputeType_t
    FERRY_CUBLAS_COMPUTE_F32 = 68,
    FERRY_CUBLAS_COMPUTE_TF32 = 77,
    // cublasLtMatmulDescAttributes_t
    FERRY_CUBLASLT_TRANSPOSE_A = 3, // int32_t: 1 is yes
    FERRY_CUBLASLT_EPILOGUE = 7,    // uint32_t
    FERRY_CUBLASLT_BIAS = 8,        // an address; of D's element type
    // cublasLtEpilogue_t: one of the first three, or with a bias (added before the other)
    FERRY_CUBLASLT_PLAIN = 1,
    FERRY_CUBLASLT_RELU = 2,
    FERRY_CUBLASLT_GELU = 32, // as tanh approximates it
    FERRY_CUBLASLT_WITH_BIAS = 4,
    // cublasLtMatmulPreferenceAttributes_t
    FERRY_CUBLASLT_MOST_WORKSPACE = 1, // uint64_t
    FERRY_CUBLASLT_ALIGNMENT_A = 5,    // uint32_t, bytes; B, C and D follow
};

// clang-format off
/// Name, whether it may be missing, result, arguments.
#define FERRY_CUBLASLT_FUNCTIONS(F)                                                                                    \
    F(cublasLtCreate, 1, ferry_cublas_result, (ferry_cublaslt_handle *))                                               \
    F(cublasLtDestroy, 1, ferry_cublas_result, (ferry_cublaslt_handle))                                                \
    F(cublasLtGetProperty, 1, ferry_cublas_result, (int, int *))                                                       \
    F(cublasLtGetStatusString, 0, const char *, (ferry_cublas_result))                                                 \
    F(cublasLtMatmulDescCreate, 1, ferry_cublas_result, (ferry_cublaslt_operation *, int, int))                        \
    F(cublasLtMatmulDescDestroy, 1, ferry_cublas_result, (ferry_cublaslt_operation))                                   \
    F(cublasLtMatmulDescSetAttribute, 1, ferry_cublas_result, (ferry_cublaslt_operation, int, const void *, size_t))   \
    F(cublasLtMatrixLayoutCreate, 1, ferry_cublas_result,                                                              \
      (ferry_cublaslt_layout *, int, uint64_t, uint64_t, int64_t))                                                     \
    F(cublasLtMatrixLayoutDestroy, 1, ferry_cublas_result, (ferry_cublaslt_layout))                                    \
    F(cublasLtMatmulPreferenceCreate, 1, ferry_cublas_result, (ferry_cublaslt_preference *))                           \
    F(cublasLtMatmulPreferenceDestroy, 1, ferry_cublas_result, (ferry_cublaslt_preference))                            \
    F(cublasLtMatmulPreferenceSetAttribute, 1, ferry_cublas_result,                                                    \
      (ferry_cublaslt_preference, int, const void *, size_t))                                                          \
    F(cublasLtMatmulAlgoGetHeuristic, 1, ferry_cublas_result,                                                          \
      (ferry_cublaslt_handle, ferry_cublaslt_operation, ferry_cublaslt_layout, ferry_cublaslt_layout,                  \
       ferry_cublaslt_layout, ferry_cublaslt_layout, ferry_cublaslt_preference, int, ferry_cublaslt_found *, int *))   \
    F(cublasLtMatmulAlgoCheck, 1, ferry_cublas_result,                                                                 \
      (ferry_cublaslt_handle, ferry_cublaslt_operation, ferry_cublaslt_layout, ferry_cublaslt_layout,                  \
       ferry_cublaslt_layout, ferry_cublaslt_layout, const ferry_cublaslt_algorithm *, ferry_cublaslt_found *))        \
    F(cublasLtMatmul, 1, ferry_cublas_result,                                                                          \
      (ferry_cublaslt_handle, ferry_cublaslt_operation, const void *, const void *, ferry_cublaslt_layout,             \
       const void *, ferry_cublaslt_layout, const void *, const void *, ferry_cublaslt_layout, void *,                 \
       ferry_cublaslt_layout, const ferry_cublaslt_algorithm *, void *, size_t, ferry_cu_stream))
// clang-format on

typedef struct ferry_cublaslt {
#define FERRY_CUBLASLT_MEMBER(name, required, result, arguments) result(*name) arguments;
    FERRY_CUBLASLT_FUNCTIONS(FERRY_CUBLASLT_MEMBER)
#undef FERRY_CUBLASLT_MEMBER
    int version[3]; // major, minor, patch
    char path[256]; // or name that it was opened by
} ferry_cublaslt;

/// The newest cuBLASLt of this machine that a driver of that version serves (0: any), opened once for the process, and
/// kept. FERRY_ERR_UNAVAILABLE says which libraries were looked for, in the folders that FERRY_LIBCUBLASLT names, or
/// else where the linker looks and where CUDA's installers put them, and how to do without. Thread-safe.
ferry_status ferry_cublaslt_get(int driver_version, const ferry_cublaslt **out, ferry_error *err);

/// The version that ferry_cublaslt_get gives, in words.
void ferry_cublaslt_describe(int driver_version, char *out, size_t out_bytes);

/// FERRY_OK, or a failure that names what was done and what the library says of it.
ferry_status ferry_cublaslt_check(const ferry_cublaslt *library, ferry_cublas_result result, const char *doing,
                                  ferry_error *err);

#endif // FERRY_SRC_BACKEND_CUDA_VENDOR_BLAS_H_
