// SPDX-License-Identifier: Apache-2.0
// The power of two that weights are divided by before they become f16, for kernels that sum products in f16 and
// multiply by it when they widen the sums.
#ifndef FERRY_SRC_BACKEND_CPU_SCALE_F16_H_
#define FERRY_SRC_BACKEND_CPU_SCALE_F16_H_

#include <math.h>

/// Its exponent, for weights whose largest magnitude this is: brings that to [1/4, 1/2), where products are neither too
/// small for f16 nor, with anything but the largest of inputs, are sums of them too large.
static inline int ferry_scale_f16_exponent(float largest)
{
    int exponent = -1;
    if (largest > 0 && isfinite(largest)) frexpf(largest, &exponent);
    return exponent + 1;
}

#endif // FERRY_SRC_BACKEND_CPU_SCALE_F16_H_
