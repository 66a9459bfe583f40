// SPDX-License-Identifier: Apache-2.0
// What this CPU can do. The one process-wide fact; tests pass a mask instead.
#ifndef FERRY_SRC_BACKEND_CPU_ISA_H_
#define FERRY_SRC_BACKEND_CPU_ISA_H_

#include <stddef.h>
#include <stdint.h>

enum {
    FERRY_ISA_NONE = 0,
    FERRY_ISA_AVX2 = 1 << 0,       ///< with FMA and F16C
    FERRY_ISA_AVX512 = 1 << 1,     ///< F, BW, DQ, VL, CD; implies AVX2
    FERRY_ISA_AVX512VNNI = 1 << 2, ///< implies AVX512
    FERRY_ISA_AVX512BF16 = 1 << 3, ///< implies AVX512
    FERRY_ISA_AVX512VBMI = 1 << 4, ///< implies AVX512
    FERRY_ISA_NEON = 1 << 8,
    FERRY_ISA_NEONFP16 = 1 << 9,
    FERRY_ISA_NEONDOT = 1 << 10,
    FERRY_ISA_NEONI8MM = 1 << 11,
};

/// The bits this CPU and operating system have and that this build has kernels for.
uint32_t ferry_isa_detect(void);

/// "avx2+avx512" or "none". Returns `out`.
char *ferry_isa_text(uint32_t isa, char *out, size_t out_bytes);
/// The mask for a text like "avx2" (that one and all it implies) or "none"; UINT32_MAX when it is not known.
uint32_t ferry_isa_parse(const char *text);

/// The CPU's name as the system tells it, or "CPU".
void ferry_cpu_name(char *out, size_t out_bytes);

#endif // FERRY_SRC_BACKEND_CPU_ISA_H_
