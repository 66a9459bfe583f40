// SPDX-License-Identifier: Apache-2.0
// Correctly rounded division of many floats by one, without dividing: a vector division takes about as long as twenty
// multiplications.
#ifndef FERRY_SRC_BACKEND_CPU_QUOTIENT_H_
#define FERRY_SRC_BACKEND_CPU_QUOTIENT_H_

#include <math.h>
#include <stdbool.h>

/// Whether quotients by `s` can be had so. Without an instruction for fmaf that would be slower.
static inline bool quotient_multiplies(float s)
{
#ifdef __FP_FAST_FMAF
    return s >= 0x1p-60f && s <= 0x1p60f;
#else
    (void)s;
    return false;
#endif
}

/// x / s, rounded once, with inverse = 1 / s; |x| <= 1024 * s. A quotient below 2^-20 may be off by as little as its
/// remainder underflows.
///
/// The first product is within 1.5 steps of the quotient, and a correction by its remainder within one. The remainder
/// of that is exact, and a correction by it gives the rounded quotient, since the inverse is rounded once: a theorem of
/// Peter Markstein's ("Computation of elementary functions on the IBM RISC System/6000 processor", 1990).
static inline __attribute__((always_inline)) float quotient(float x, float s, float inverse)
{
    const float near = x * inverse, next = fmaf(fmaf(-near, s, x), inverse, near);
    return fmaf(fmaf(-next, s, x), inverse, next);
}

#endif // FERRY_SRC_BACKEND_CPU_QUOTIENT_H_
