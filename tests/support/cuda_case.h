// SPDX-License-Identifier: Apache-2.0
// Kernels on the CUDA device of the test's environment, by the driver alone: a text compiled, memory, launches. Every
// failure ends the test.
#ifndef FERRY_TESTS_SUPPORT_CUDA_CASE_H_
#define FERRY_TESTS_SUPPORT_CUDA_CASE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cuda/driver.h"

typedef struct cuda_case {
    const ferry_cu_driver *driver;
    ferry_cu_context context;
    ferry_cu_module module;
    ferry_cu_stream stream;
    int chip;
} cuda_case;

/// Opens the device, and compiles and loads the text, which may include ferry's kernel texts. False, with a line in the
/// log, when this machine has no device or no NVRTC. The context is current until cuda_case_close.
bool cuda_case_open(cuda_case *c, const char *text);
void cuda_case_close(cuda_case *c);

/// The text compiled for `chip`; its size in *out_bytes. From malloc.
void *cuda_case_compile(const char *text, int chip, size_t *out_bytes);

/// Device memory, for cuda_case_free. `data` NULL: as it comes.
ferry_cu_pointer cuda_case_upload(const cuda_case *c, const void *data, size_t bytes);
void cuda_case_download(const cuda_case *c, void *to, ferry_cu_pointer from, size_t bytes);
void cuda_case_free(const cuda_case *c, ferry_cu_pointer memory);

ferry_cu_function cuda_case_function(const cuda_case *c, const char *name);
/// Queues one launch of a grid of `blocks`, each of `threads`; `arguments` are addresses of the arguments.
void cuda_case_launch(const cuda_case *c, const char *name, unsigned blocks, unsigned threads, unsigned shared_bytes,
                      void **arguments);
void cuda_case_wait(const cuda_case *c);
/// Fails the test, with the driver's words, unless the result is 0.
void cuda_case_check(const cuda_case *c, ferry_cu_result result, const char *doing);

#endif // FERRY_TESTS_SUPPORT_CUDA_CASE_H_
