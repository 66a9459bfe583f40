// SPDX-License-Identifier: Apache-2.0
// The maximum over windows of bf16, channels last, where there are vectors for it. A window is that of pool_loops.h.
#ifndef FERRY_SRC_BACKEND_CPU_POOL_MAX_BF16_H_
#define FERRY_SRC_BACKEND_CPU_POOL_MAX_BF16_H_

#include "backend/cpu/pool_loops.h"

/// As ferry_gemm_bf16_pick: NULL where the loops of pool_rows.h do better.
ferry_pool_bf16 ferry_pool_max_bf16_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_POOL_MAX_BF16_H_
