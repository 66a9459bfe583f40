// SPDX-License-Identifier: Apache-2.0
// The table of the CPU's tactic families, most special first.
#include "backend/cpu/cpu.h"

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_f32, ferry_cpu_family_conv_f32,
    ferry_cpu_family_reference;

static const ferry_cpu_family *const families[] = {
    &ferry_cpu_family_conv_depthwise_f32,
    &ferry_cpu_family_conv_f32,
    &ferry_cpu_family_reference,
};

const ferry_cpu_family *ferry_cpu_family_at(size_t index)
{
    return index < FERRY_COUNT_OF(families) ? families[index] : NULL;
}
