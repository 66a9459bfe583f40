// SPDX-License-Identifier: Apache-2.0
// Two lines into one of pairs, for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define ZIP_BF16 ferry_zip_bf16__avx512
#define ZIP_F32 ferry_zip_f32__avx512
#include "backend/cpu/zip_bf16_rows.h"
