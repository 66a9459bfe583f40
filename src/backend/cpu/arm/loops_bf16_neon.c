// SPDX-License-Identifier: Apache-2.0
// Loops over bf16 for NEON.
#define ROW neon
#include "backend/cpu/loops_bf16_rows.h"
