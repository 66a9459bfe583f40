// SPDX-License-Identifier: Apache-2.0
// Loops of linear interpolation for NEON.
#define ROW ferry_resize__neon
#define ISA "neon", FERRY_ISA_NEON
#include "backend/cpu/resize_rows.h"
