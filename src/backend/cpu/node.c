// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/node.h"

// Multiply-adds a nanosecond that one core reaches in practice, and bytes a nanosecond from its caches.
double ferry_cpu_cost_us(const ferry_cpu_device *device, ferry_dtype dtype, double macs, double bytes)
{
    const bool integers = dtype == FERRY_S8 || dtype == FERRY_U8;
    if (dtype == FERRY_BF16 && (device->isa & FERRY_ISA_AVX512BF16)) return 1.0 + macs / 90 / 1e3 + bytes / 8 / 1e3;
    if (dtype == FERRY_F16 && (device->isa & FERRY_ISA_NEONFP16)) return 1.0 + macs / 24 / 1e3 + bytes / 8 / 1e3;
    double rate = integers ? 1.0 : 1.5;
    if (device->isa & FERRY_ISA_AVX512VNNI)
        rate = integers ? 120 : 45;
    else if (device->isa & FERRY_ISA_AVX512)
        rate = integers ? 35 : 45;
    else if (device->isa & FERRY_ISA_AVX2)
        rate = integers ? 32 : 24;
    else if (device->isa & FERRY_ISA_NEONI8MM)
        rate = integers ? 80 : 14;
    else if (device->isa & FERRY_ISA_NEONDOT)
        rate = integers ? 50 : 14;
    else if (device->isa & FERRY_ISA_NEON)
        rate = integers ? 13 : 7;
    return 1.0 + macs / rate / 1e3 + bytes / 8 / 1e3;
}
