// SPDX-License-Identifier: Apache-2.0
// What the CPU's families ask beside what every device's do (reading/node.h): data while a kernel runs, and prices.
#ifndef FERRY_SRC_BACKEND_CPU_NODE_H_
#define FERRY_SRC_BACKEND_CPU_NODE_H_

#include "backend/cpu/cpu.h"
#include "backend/reading/node.h"

static inline const void *ferry_cpu_operand_data(const ferry_operand *operand, const ferry_cpu_run *run)
{
    return operand->at >= 0 ? run->in[operand->at].data : operand->data;
}

/// Microseconds of one thread for so many multiply-adds of the type and so many bytes moved.
double ferry_cpu_cost_us(const ferry_cpu_device *device, ferry_dtype dtype, double macs, double bytes);

#endif // FERRY_SRC_BACKEND_CPU_NODE_H_
