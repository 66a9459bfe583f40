// SPDX-License-Identifier: Apache-2.0
// Strided copies as the CPU runs them.
#ifndef FERRY_SRC_BACKEND_CPU_STRIDED_COPY_H_
#define FERRY_SRC_BACKEND_CPU_STRIDED_COPY_H_

#include "backend/cpu/cpu.h"
#include "backend/reading/strided_copy.h"

void ferry_strided_copy_run(const ferry_strided_copy *copy, ferry_thread_pool *pool, void *out, const void *in);

/// One row: n elements with a step each, in elements.
void ferry_copy_row(size_t elem_bytes, int64_t n, void *out, int64_t out_step, const void *in, int64_t in_step);

#endif // FERRY_SRC_BACKEND_CPU_STRIDED_COPY_H_
