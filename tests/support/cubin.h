// SPDX-License-Identifier: Apache-2.0
// What a compiled kernel needs of a GPU, read out of the cubin, which is an ELF file.
#ifndef FERRY_TESTS_SUPPORT_CUBIN_H_
#define FERRY_TESTS_SUPPORT_CUBIN_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cubin_needs {
    uint32_t kernels;      // functions that have an entry
    uint32_t frame_bytes;  // local memory of a thread, the most of any function: spilled registers and indexed arrays
    uint32_t shared_bytes; // static shared memory, the most of any kernel
} cubin_needs;

/// False when the bytes are no 64-bit ELF file with kernels.
bool cubin_read(const void *data, size_t bytes, cubin_needs *out);

#endif // FERRY_TESTS_SUPPORT_CUBIN_H_
