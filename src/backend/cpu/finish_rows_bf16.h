// SPDX-License-Identifier: Apache-2.0
// Finishes rows of sums that lie in scratch memory and stores them as bf16; after one of the simd headers for bf16.
#define HALF_LOAD vf_load_bf16
#define HALF_LOAD_PART vf_load_bf16_part
#define HALF_STORE vf_store_bf16
#define HALF_STORE_PART vf_store_bf16_part
#include "backend/cpu/finish_rows_half.h"
