// SPDX-License-Identifier: Apache-2.0
// Loops over bf16 in plain C.
#define ROW c
#include "backend/cpu/loops_bf16_rows.h"
