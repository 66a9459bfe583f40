// SPDX-License-Identifier: Apache-2.0
// Functions of floats that are rounded to bf16 next: they need a few bits more than that has, no more.
#ifndef FERRY_SRC_BACKEND_CPU_ROUGH_F32_H_
#define FERRY_SRC_BACKEND_CPU_ROUGH_F32_H_

#include "backend/cpu/elementwise_f32.h"
#include "ferry/base.h"

// clang-format off
/// FUNCTION(name of FERRY_UNARY_F32, formula of `vf x` and the parameter p0)
#define FERRY_ROUGH_F32(FUNCTION)                              \
    FUNCTION(sigmoid, vf_rough_sigmoid(x))                     \
    FUNCTION(silu, vf_mul(x, vf_rough_sigmoid(x)))             \
    FUNCTION(swish, vf_mul(x, vf_rough_sigmoid(vf_mul(x, p0))))
// clang-format on

/// The loop of elementwise_f32.h for results of that type. For bf16 it may be one whose results, before scale and
/// shift, are wrong by up to 2^-12 of themselves, and 0 where they are below 2^-119.
ferry_unary_f32_loop ferry_unary_loop_for(uint32_t isa, ferry_unary_f32 function, ferry_dtype to);

#endif // FERRY_SRC_BACKEND_CPU_ROUGH_F32_H_
