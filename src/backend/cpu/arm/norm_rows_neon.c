// SPDX-License-Identifier: Apache-2.0
// Layer normalisation for NEON.
#include "backend/cpu/arm/simd_neon.h"

#define ROW ferry_norm__neon
#define ISA "neon", FERRY_ISA_NEON
#include "backend/cpu/norm_loop.h"
