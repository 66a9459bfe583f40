// SPDX-License-Identifier: Apache-2.0
// Pooling loops for NEON.
#define ROW neon
#include "backend/cpu/pool_rows.h"
