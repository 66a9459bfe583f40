// SPDX-License-Identifier: Apache-2.0
// What a product costs with some tile, about: a block's steps at the rate of what limits them (multiply-adds, shared
// memory, loads from the second-level cache, or the time that a load takes), in as many rounds as the chip's
// multiprocessors need for all blocks.
#include "backend/cuda/product_size.h"

// Fitted to the times of every tile on the layers of ResNet-50, MobileNetV2 and SqueezeNet on an H200 (bench/
// cuda_products.c): the tile that is cheapest so takes 1.11 times as long as the best one at batch 1, in the geometric
// mean, and 1.04 at batch 64.
#define LOAD_LATENCY 700.0 // clocks
#define BEGIN_CLOCKS 1700.0
#define END_CLOCKS 400.0
#define STEP_CLOCKS 150.0 // of a block that is alone: what does not overlap, and the copies of each row
#define LEFT_CLOCKS 2.5
#define RIGHT_CLOCKS 0.8
// Bytes a clock that a multiprocessor gets from the second-level cache, and from its shared memory.
#define L2_BYTES 36.0
#define SHARED_BYTES 86.0
#define WGMMA_SHARED_BYTES 110.0
#define OVERLAP_US 0.5 // of a launch, where it begins before the one ahead has ended
#define FORM_US 0.5    // of a launch that forms the input
#define FINISH_US 2.0  // of one that adds up what was split; or of blocks that add up each other's
#define CLUSTER_US 0.8
#define CLUSTER_BLOCK_US 0.4

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
    if (size->resident > 0) return size->resident;
    const double sums = (double)tile->m * tile->n * tile->slices / size->threads;
    const double registers = smaller(255, sums * 1.25 + 56);
    const double by_shared = (double)t->shared_bytes / ((double)size->shared_bytes + 1024);
    const double by_registers = 65536 / (registers * size->threads);
    const double n = (double)(int)smaller(smaller(by_shared, by_registers), 1536.0 / size->threads);
    return larger(n, 1);
}

typedef struct step {
    double alone, full; // clocks of a step: of a block that is alone, and of each of many that hide each other's waits
} step;

static step step_clocks(const ferry_cuda_target *t, const ferry_cuda_product *p, const ferry_cuda_tile *tile)
{
    const bool tf32 = ferry_cuda_tile_is_tf32(tile, p); // half the rate of f16, wherever it is
    const double peak =
        tf32 ? ferry_cuda_peak_macs(t, FERRY_F16) / 2
             : ferry_cuda_peak_macs(t, tile->kind != FERRY_CUDA_TILE_simt || p->mult ? (int)p->x_type : FERRY_F32);
    // On sm_90 and newer mma.sync does not reach the rate of those chips' own instructions, which the peak is of.
    const bool wgmma = ferry_cuda_tile_is_wgmma(tile);
    const double reached = wgmma ? 0.8 : tile->kind == FERRY_CUDA_TILE_mma && t->chip >= 90 ? 0.29 : 0.6;
    const double macs_a_clock = reached * peak / (t->processors * t->clock_ghz * 1e9);
    const double clocks = (double)tile->m * tile->n * 128.0 / (double)ferry_dtype_bytes(p->x_type) / macs_a_clock;
    const double copied = (double)(tile->m + tile->n) * 128.0;
    // A warp reads its rows and columns; a warpgroup its columns for every 64 rows.
    const double read = wgmma ? (double)tile->m / 64 * (64.0 + (double)tile->n / tile->warps_n) * tile->warps_n
                              : (double)tile->m * tile->warps_n + (double)tile->n * tile->warps_m;
    const double shared = (read * 128.0 + copied) / (wgmma ? WGMMA_SHARED_BYTES : SHARED_BYTES);
    return (step){.alone = STEP_CLOCKS + 0.8 * clocks + LEFT_CLOCKS * tile->m + RIGHT_CLOCKS * tile->n,
                  .full = larger(clocks, larger(shared, copied / L2_BYTES))};
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
    const step each = step_clocks(t, p, tile);
    const double clocks_a_step = larger(larger(resident * each.full, each.alone), LOAD_LATENCY / (size.stages - 1));
    const double stored = (double)tile->m * tile->n * (8.0 * tile->slices / 128 + 4.0 / 32);
    const double clocks = rounds * (BEGIN_CLOCKS + steps * clocks_a_step + resident * stored + END_CLOCKS);
    const double weights = (double)(size.width * size.length) * (double)ferry_dtype_bytes(p->x_type);
    const double launch = ferry_cuda_cost_us(device, p->x_type, 0, 0);
    double us = launch - (t->chip >= 90 ? OVERLAP_US : 0) + clocks / (t->clock_ghz * 1e3);
    if (size.cluster) {
        us += CLUSTER_US + CLUSTER_BLOCK_US * tile->split;
    } else if (tile->split > 1) {
        us += launch + FINISH_US;
        bytes += 2.0 * tile->split * rows * (double)size.width * sizeof(float);
    }
    if (p->form_channels > 0) us += launch + FORM_US;
    return larger(us, ferry_cuda_cost_us(device, p->x_type, 0, bytes + weights));
}
