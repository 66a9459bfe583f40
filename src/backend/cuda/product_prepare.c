// SPDX-License-Identifier: Apache-2.0
// A product's launches.
#include <string.h>

#include "backend/cuda/product_size.h"
#include "base/size.h"

static void pass_ints(ferry_cuda_launch *launch, const int64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++) ferry_cuda_pass_int(launch, values[i]);
}

// What the chain reads, and how far apart its rows lie.
static void pass_chain(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel, const ferry_region *region,
                       const ferry_cuda_product *p, const ferry_cuda_product_size *size,
                       const ferry_cuda_product_place *place)
{
    ferry_cuda_pass_operands(launch, kernel, region, &p->chain, p->columns, size->chain_at);
    pass_ints(launch, place->operand_pitch, (size_t)p->chain.n_operands);
}

// The input as the product reads it, at the beginning of scratch; *place becomes where it lies.
static ferry_status launch_form(const ferry_region *region, const ferry_cuda_product *p,
                                ferry_cuda_product_place *place, ferry_cuda_kernel *kernel, size_t *bytes,
                                ferry_error *err)
{
    const int64_t pixels = place->pictures * place->form_h * place->form_w;
    if (pixels > INT32_MAX / 8) return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "an input too large to be formed");
    ferry_cuda_launch *launch = NULL;
    const uint64_t grid[3] = {(uint64_t)(pixels + 255) / 256, 1, 1};
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_product_form", grid, (const unsigned[3]){256, 1, 1}, 0,
                                       &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, ferry_region_input(region, region->graph->nodes[region->nodes[0]].inputs[0]));
    ferry_cuda_pass_workspace(launch, 0);
    pass_ints(launch,
              (const int64_t[]){pixels, place->form_h, place->form_w, place->in_h, place->in_w, place->pad_h,
                                place->pad_w, place->x_picture, place->x_line, place->x_pitch, place->x_channel_step},
              11);
    place->x_channel_step = 1;
    place->x_pitch = 4 * p->form_stride;
    place->x_line = 4 * place->form_w;
    place->x_picture = place->x_line * place->form_h;
    place->in_h = place->form_h;
    place->in_w = place->out_w;
    place->pad_h = place->pad_w = 0;
    *bytes = (size_t)(pixels * 4) * ferry_dtype_bytes(p->x_type);
    return FERRY_OK;
}

static ferry_status launch_finish(const ferry_region *region, const ferry_cuda_product *p,
                                  const ferry_cuda_product_size *size, const ferry_cuda_product_place *place,
                                  size_t partial_at, ferry_cuda_kernel *kernel, ferry_error *err)
{
    ferry_cuda_launch *launch = NULL;
    const uint64_t threads = (uint64_t)place->rows * (uint64_t)((p->columns + 7) / 8);
    const uint64_t grid[3] = {(threads + 127) / 128, 1, 1};
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_product_finish", grid, (const unsigned[3]){128, 1, 1}, 0,
                                       &launch, err));
    launch->waits = true;
    ferry_cuda_pass_workspace(launch, partial_at);
    ferry_cuda_pass_constants(launch, kernel, size->bias_at);
    ferry_cuda_pass_out(launch, 0);
    pass_ints(launch, (const int64_t[]){place->rows, p->columns, place->plane, place->y_pitch}, 4);
    pass_chain(launch, kernel, region, p, size, place);
    return FERRY_OK;
}

// Rows lie as the kernel's copies want them. That tensors begin so is the plan's and the caller's.
static bool is_aligned(const ferry_cuda_product *p, const ferry_cuda_product_place *place)
{
    const int64_t vector = ferry_cuda_product_vector(p), element = (int64_t)ferry_dtype_bytes(p->x_type);
    if (vector == 0) return true;
    return place->x_channel_step == 1 && place->x_pitch * element % vector == 0 &&
           place->x_line * element % vector == 0 && place->x_picture * element % vector == 0;
}

// Places in tensors are ints, and so is the number of threads that finish a split product.
static bool is_counted(const ferry_cuda_product *p, const ferry_cuda_product_place *place)
{
    const int64_t pitches[] = {place->x_pitch, place->y_pitch, place->x_picture, place->x_line, place->x_channel_step};
    for (size_t i = 0; i < sizeof pitches / sizeof *pitches; i++)
        if (pitches[i] < 0 || pitches[i] > INT32_MAX / 2) return false;
    const int64_t pictures = place->rows / (place->plane > 0 ? place->plane : 1) + 1;
    return place->rows <= INT32_MAX / 2 && (p->columns + 7) / 8 * place->rows <= INT32_MAX / 2 &&
           place->rows * place->x_pitch * (p->windowed ? 0 : 1) <= INT32_MAX / 2 &&
           pictures * place->x_picture <= INT32_MAX;
}

ferry_status ferry_cuda_product_prepare(ferry_cuda_device *device, const ferry_region *region,
                                        const ferry_cuda_product *p, const ferry_cuda_tile *tile, const char *tactic,
                                        const ferry_cuda_product_place *given, ferry_cuda_kernel *kernel,
                                        ferry_error *err)
{
    ferry_cuda_product_size size;
    ferry_cuda_product_place own = *given, *place = &own;
    size_t formed = 0;
    if (!ferry_cuda_product_sizes(&device->target, p, tile, &size) || !is_counted(p, place))
        return ferry_misfit(tactic, "tensors beyond what kernels count in", err);
    if (ferry_cuda_kernel_constant_bytes(kernel) != size.constant_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    if (place->rows == 0) return FERRY_OK;
    if (p->form_channels > 0) FERRY_TRY(launch_form(region, p, place, kernel, &formed, err));
    if (!is_counted(p, place)) return ferry_misfit(tactic, "tensors beyond what kernels count in", err);
    if (!is_aligned(p, place)) return ferry_misfit(tactic, "rows that lie unaligned", err);
    const size_t partial_at = ferry_align_size(formed, 256);
    kernel->base.workspace_bytes = partial_at;
    const int64_t tiles_m = (place->rows + tile->m - 1) / tile->m, tiles_n = size.width / tile->n;
    int64_t blocks = tiles_m * tiles_n;
    const int64_t at_a_time = (int64_t)size.resident * device->target.processors;
    if (tile->kind == FERRY_CUDA_TILE_stream && blocks > at_a_time) blocks = at_a_time;
    const uint64_t grid[3] = {(uint64_t)blocks, 1, (uint64_t)tile->split};
    const unsigned block[3] = {(unsigned)size.threads, 1, 1};
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_product", grid, block, size.shared_bytes, &launch, err));
    launch->waits = true;
    if (formed > 0)
        ferry_cuda_pass_workspace(launch, 0);
    else
        ferry_cuda_pass_in(launch, ferry_region_input(region, region->graph->nodes[region->nodes[0]].inputs[0]));
    ferry_cuda_pass_constants(launch, kernel, 0);
    ferry_cuda_pass_constants(launch, kernel, size.bias_at);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_workspace(launch, partial_at);
    pass_ints(launch,
              (const int64_t[]){place->rows, p->columns, size.steps, p->channels, size.depth, place->x_pitch,
                                place->x_channel_step, place->x_picture, place->x_line, place->in_h, place->in_w,
                                place->out_w, place->plane, place->pad_h, place->pad_w, place->y_pitch},
              16);
    pass_chain(launch, kernel, region, p, &size, place);
    if (tile->split == 1 || size.cluster) return FERRY_OK;
    kernel->base.workspace_bytes += (size_t)(tile->split * place->rows * size.width) * sizeof(float);
    return launch_finish(region, p, &size, place, partial_at, kernel, err);
}
