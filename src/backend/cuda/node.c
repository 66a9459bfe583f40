// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/node.h"

// A launch in a chain of launches, roughly: estimates, which matter where nothing is timed.
#define LAUNCH_US 1.5
#define LAUNCH_INTEGRATED_US 4.0

double ferry_cuda_cost_us(const ferry_cuda_device *device, ferry_dtype dtype, double macs, double bytes)
{
    const ferry_cuda_target *t = &device->target;
    // What kernels reach of either peak, about.
    const double work = macs / (0.5 * ferry_cuda_peak_macs(t, (int)dtype)) * 1e6;
    const double moved = bytes / (0.75 * t->bandwidth_gbs * 1e9) * 1e6;
    return (work > moved ? work : moved) + (t->integrated ? LAUNCH_INTEGRATED_US : LAUNCH_US);
}

// Blocks of 128 threads, of which at most 64 lie side by side along the channels.
ferry_status ferry_cuda_launch_positions(ferry_cuda_kernel *kernel, const char *function, int64_t positions,
                                         int64_t runs, ferry_cuda_launch **out, ferry_error *err)
{
    const unsigned n = (unsigned)runs, parts = (n + 63) / 64, tx = (n + parts - 1) / parts, ty = 128 / tx;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, function,
                                       (const uint64_t[3]){((uint64_t)positions + ty - 1) / ty, (n + tx - 1) / tx, 1},
                                       (const unsigned[3]){tx, ty, 1}, 0, out, err));
    (*out)->waits = true;
    return FERRY_OK;
}

void ferry_cuda_pass_operands(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel, const ferry_region *region,
                              const ferry_cuda_chain *chain, int64_t channels, size_t constants_at)
{
    for (int32_t i = 0; i < chain->n_operands; i++) {
        const ferry_cuda_operand *o = &chain->operands[i];
        if (o->kind == FERRY_CUDA_CHANNEL) {
            ferry_cuda_pass_constants(launch, kernel, constants_at);
            constants_at += (size_t)channels * sizeof(float);
        } else {
            ferry_cuda_pass_in(launch, ferry_region_input(region, o->value));
        }
    }
}

bool ferry_cuda_elements(const ferry_tensor_desc *desc, int64_t *out)
{
    int64_t n = 1;
    for (int32_t d = 0; d < desc->rank; d++)
        if (desc->dims[d] < 0 || __builtin_mul_overflow(n, desc->dims[d], &n)) return false;
    *out = n;
    return n <= INT32_MAX;
}

int64_t ferry_cuda_plane(const ferry_tensor_desc *desc)
{
    int64_t n = 1;
    for (int32_t d = 2; d < desc->rank; d++) n *= desc->dims[d];
    return n;
}
