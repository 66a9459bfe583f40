// SPDX-License-Identifier: Apache-2.0
// What a product costs with some tile, about: a block's steps at the rate of what limits them (multiply-adds, shared
// memory, loads from the second-level cache, or the time that a load takes), in as many rounds as the chip's
// multiprocessors need for all blocks.
#include "backend/cuda/product_size.h"

// Clocks, as measured on data-centre cards.
#define LOAD_LATENCY 700.0
#define BEGIN_CLOCKS 1300.0
#define END_CLOCKS 500.0
// Bytes a clock that a multiprocessor gets from the second-level cache, and from its shared memory.
#define L2_BYTES 32.0
#define SHARED_BYTES 128.0
#define FINISH_US 2.0 // a second launch

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

// Blocks that a multiprocessor holds at a time, by threads, registers and shared memory.
static double resident_blocks(const ferry_cuda_target *t, const ferry_cuda_tile *tile,
                              const ferry_cuda_product_size *size)
{
    const double sums = (double)tile->m * tile->n * tile->slices / size->threads;
    const double registers = smaller(255, sums * 1.25 + 56);
    const double by_shared = (double)t->shared_bytes / ((double)size->shared_bytes + 1024);
    const double by_registers = 65536 / (registers * size->threads);
    const double n = (double)(int)smaller(smaller(by_shared, by_registers), 1536.0 / size->threads);
    return larger(n, 1);
}

// Clocks of a step of one block, if it had a multiprocessor for itself and never waited for a load.
static double step_clocks(const ferry_cuda_target *t, const ferry_cuda_product *p, const ferry_cuda_tile *tile)
{
    const double peak = ferry_cuda_peak_macs(t, tile->mma ? (int)p->x_type : FERRY_F32);
    const double macs_a_clock = peak / (t->processors * t->clock_ghz * 1e9);
    // mma.sync reaches about 6 of 10 of the rate of instructions that only the newest chips have.
    const double reached = tile->mma ? (t->chip >= 90 ? 0.55 : 0.8) : 0.6;
    const double element = (double)ferry_dtype_bytes(p->x_type);
    const double macs = (double)tile->m * tile->n * 128.0 / element;
    const double warp_bytes = ((double)tile->m / tile->warps_m + (double)tile->n / tile->warps_n) * 128.0;
    const double copied = (double)(tile->m + tile->n) * 128.0;
    const double shared = (tile->warps_m * tile->warps_n * warp_bytes + copied) / SHARED_BYTES;
    return larger(macs / (macs_a_clock * reached), larger(shared, copied / L2_BYTES));
}

double ferry_cuda_product_cost_us(const ferry_cuda_device *device, const ferry_cuda_product *p,
                                  const ferry_cuda_tile *tile, double rows, double bytes)
{
    const ferry_cuda_target *t = &device->target;
    ferry_cuda_product_size size;
    if (!ferry_cuda_product_sizes(t, p, tile, &size)) return 1e30;
    const double tiles_m = (double)(int64_t)((rows + tile->m - 1) / tile->m);
    const double blocks = tiles_m * (double)(size.width / tile->n) * tile->split;
    const double steps = (double)((size.steps + tile->split - 1) / tile->split);
    const double a_processor = (double)(int64_t)((blocks + t->processors - 1) / t->processors);
    const double resident = smaller(resident_blocks(t, tile, &size), a_processor);
    const double rounds = (double)(int64_t)((a_processor + resident - 1) / resident);
    const double step = larger(resident * step_clocks(t, p, tile), LOAD_LATENCY / (size.stages - 1));
    const double stored = (double)tile->m * tile->n * (8.0 * tile->slices / SHARED_BYTES + 4.0 / L2_BYTES);
    const double clocks = rounds * (BEGIN_CLOCKS + steps * step + resident * stored + END_CLOCKS);
    const double weights = (double)(size.width * size.length) * (double)ferry_dtype_bytes(p->x_type);
    const double launch = ferry_cuda_cost_us(device, p->x_type, 0, 0);
    double us = launch + clocks / (t->clock_ghz * 1e3);
    if (tile->split > 1) {
        us += launch + FINISH_US;
        bytes += 2.0 * tile->split * rows * (double)size.width * sizeof(float);
    }
    return larger(us, ferry_cuda_cost_us(device, p->x_type, 0, bytes + weights));
}
