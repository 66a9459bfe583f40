// SPDX-License-Identifier: Apache-2.0
// Loops over lines for NEON.
#define MADD(a, b, c) fmaf((a), (b), (c))
#define ROW ferry_lines__neon
#define ISA "neon", FERRY_ISA_NEON
#include "backend/cpu/lines_rows.h"
