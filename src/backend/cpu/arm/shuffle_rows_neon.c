// SPDX-License-Identifier: Apache-2.0
// Interleaved rows for NEON.
#define ROW ferry_shuffle__neon
#define ISA "neon", FERRY_ISA_NEON
#include "backend/cpu/shuffle_rows.h"
