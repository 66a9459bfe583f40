// SPDX-License-Identifier: Apache-2.0
// Put before every kernel's text: CUDA C++ as ferry's kernels use it, for the host's C++ compiler. What isn't here is
// an error, as it is where there are no CUDA headers.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_EMULATED_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_EMULATED_H_

#include "device/language.h"
#include "device/bits.h"
#include "device/math.h"
#include "device/memory.h"
#include "device/warp.h"
#include "device/half.h"
#include "device/tensor_core.h"
#include "device/warpgroup.h"
#include "device/image.h"

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_EMULATED_H_
