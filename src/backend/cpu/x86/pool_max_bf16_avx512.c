// SPDX-License-Identifier: Apache-2.0
// The maximum over windows of bf16 for AVX-512.
#include <math.h>

#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define KERNEL ferry_pool_max_bf16__avx512
#include "backend/cpu/pool_max_bf16_strip.h"
