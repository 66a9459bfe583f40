// SPDX-License-Identifier: Apache-2.0
// Softmax of rows for NEON.
#include "backend/cpu/arm/simd_neon.h"

#define ROW ferry_softmax__neon
#define ISA "neon", FERRY_ISA_NEON
#include "backend/cpu/softmax_loop.h"
