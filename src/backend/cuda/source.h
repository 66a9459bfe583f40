// SPDX-License-Identifier: Apache-2.0
// A kernel's text being written.
#ifndef FERRY_SRC_BACKEND_CUDA_SOURCE_H_
#define FERRY_SRC_BACKEND_CUDA_SOURCE_H_

#include "backend/cuda/package.h"

typedef struct ferry_cuda_source {
    const ferry_heap *heap;
    char *text; // zero-terminated once something was added
    size_t length, capacity;
    bool failed; // memory was gone
} ferry_cuda_source;

void ferry_cuda_source_add(ferry_cuda_source *source, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// "#define NAME value"
void ferry_cuda_source_define(ferry_cuda_source *source, const char *name, long long value);
/// The float as an expression that is exactly it, infinities and NaN too.
void ferry_cuda_source_float(ferry_cuda_source *source, float value);
/// The name that kernels have for the element type: "f16", "float", "s8" ...; NULL for types they don't know.
const char *ferry_cuda_type_name(ferry_dtype dtype);

/// Frees a text that is not compiled.
void ferry_cuda_source_free(ferry_cuda_source *source);
/// Compiles the text into the package and frees it.
ferry_status ferry_cuda_source_compile(ferry_cuda_source *source, ferry_cuda_package *package, ferry_error *err);

#endif // FERRY_SRC_BACKEND_CUDA_SOURCE_H_
