// SPDX-License-Identifier: Apache-2.0
// Pooling loops in plain C.
#define ROW c
#include "backend/cpu/pool_rows.h"
