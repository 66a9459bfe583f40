// SPDX-License-Identifier: Apache-2.0
// What a Winograd convolution decides before it runs: the size of its blocks and of its scratch, and the packing of its
// weights.
#include <string.h>

#include "backend/cpu/winograd_product.h"
#include "base/size.h"

// Transformed windows of a block and the products of one panel share a core's second cache (1 MiB where this was
// measured, 512 KiB elsewhere) with the weights, which are read once a block: those that do not fit anyway had better
// be read seldom.
#define CACHE_BYTES ((size_t)1 << 20)
#define BLOCK_BYTES ((size_t)320 << 10)
// Blocks at work side by side: each needs scratch of its own.
#define MOST_GROUPS 4
#define LINE_FLOATS 16

bool ferry_winograd_suits(const ferry_conv_shape *s)
{
    const ferry_window *w = &s->window;
    if (w->n_spatial != 2 || s->group != 1 || s->out[1] < 1 || s->out[2] < 1) return false;
    for (int32_t i = 1; i < 3; i++)
        if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1) return false;
    return true;
}

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

// As many tiles as fit, all blocks about alike.
static void plan_blocks(ferry_winograd_product *w, size_t points)
{
    const size_t mr = w->gemm->mr, tile_bytes = points * (w->v_row + w->p_row) * sizeof(float);
    const double weights_bytes = (double)points * (double)w->v_row * (double)w->shape.c_out * sizeof(float);
    size_t most = (weights_bytes > CACHE_BYTES ? CACHE_BYTES : BLOCK_BYTES) / tile_bytes / mr * mr;
    if (most < 2 * mr) most = 2 * mr;
    w->blocks = ceil_div(w->tiles, most);
    w->block = w->blocks ? ceil_div(ceil_div(w->tiles, w->blocks), mr) * mr : mr;
    w->blocks = ceil_div(w->tiles, w->block);
}

bool ferry_winograd_product_plan(ferry_winograd_product *w)
{
    const ferry_conv_shape *s = &w->shape;
    const size_t n = w->m + 2, points = n * n;
    if (s->batch < 0 || s->c_in > INT32_MAX || s->c_out > INT32_MAX) return false;
    w->tiles_y = ceil_div((size_t)s->out[1], w->m);
    w->tiles_x = ceil_div((size_t)s->out[2], w->m);
    if (!ferry_mul_size(w->tiles_y, w->tiles_x, &w->tiles) || !ferry_mul_size(w->tiles, (size_t)s->batch, &w->tiles))
        return false;
    w->panels = ceil_div((size_t)s->c_out, w->gemm->nr);
    w->v_row = ferry_align_size((size_t)s->c_in, w->row->vec > w->gemm->vec ? w->row->vec : w->gemm->vec);
    const size_t columns = ferry_align_size((size_t)s->c_out, w->gemm->vec);
    w->p_row = columns < w->gemm->nr ? columns : w->gemm->nr;
    plan_blocks(w, points);
    // An odd number of cache lines between points, or all points of a tile would fall into the same few sets.
    w->v_step = ferry_align_size(w->block * w->v_row, 2 * LINE_FLOATS) + LINE_FLOATS;
    w->p_step = ferry_align_size(w->block * w->p_row, 2 * LINE_FLOATS) + LINE_FLOATS;
    w->groups = w->blocks < MOST_GROUPS ? w->blocks : MOST_GROUPS;
    size_t together = 0, side_by_side = 0;
    if (!ferry_mul_size(w->panels, w->p_step, &together) || !ferry_add_size(together, w->v_step, &together) ||
        !ferry_mul_size(w->groups, w->v_step + w->p_step, &side_by_side))
        return false;
    return ferry_mul_size(together > side_by_side ? together : side_by_side, points * sizeof(float),
                          &w->workspace_bytes);
}

bool ferry_winograd_packed_floats(const ferry_gemm_f32_row *gemm, size_t m, size_t c_in, size_t c_out, size_t *out)
{
    const size_t points = (m + 2) * (m + 2);
    size_t floats = 0, bytes = 0;
    if (!ferry_gemm_f32_packed_floats(gemm, c_in, c_out, &floats) || !ferry_mul_size(floats, points, &floats) ||
        !ferry_add_size(floats, ferry_align_size(c_out, gemm->vec), &floats) ||
        !ferry_mul_size(floats, sizeof(float), &bytes))
        return false;
    *out = floats;
    return true;
}

size_t ferry_winograd_pack_scratch(const ferry_gemm_f32_row *gemm, size_t m, size_t c_in)
{
    return (m + 2) * (m + 2) * c_in * gemm->nr;
}

// out[point][channel][column]
static void transform_panel(size_t m, size_t c_in, size_t columns, const float *w, float *out)
{
    const size_t points = (m + 2) * (m + 2);
    double at_points[FERRY_WINOGRAD_POINTS];
    for (size_t column = 0; column < columns; column++)
        for (size_t c = 0; c < c_in; c++) {
            ferry_winograd_filter(m, w + (column * c_in + c) * 9, at_points);
            for (size_t p = 0; p < points; p++) out[(p * c_in + c) * columns + column] = (float)at_points[p];
        }
}

void ferry_winograd_pack(const ferry_gemm_f32_row *gemm, size_t m, size_t c_in, size_t c_out, const float *w,
                         const float *bias, float *scratch, float *out)
{
    const size_t points = (m + 2) * (m + 2), biases = ferry_align_size(c_out, gemm->vec);
    memset(out, 0, biases * sizeof *out);
    if (bias) memcpy(out, bias, c_out * sizeof *out);
    out += biases;
    for (size_t first = 0; first < c_out; first += gemm->nr) {
        const size_t columns = c_out - first < gemm->nr ? c_out - first : gemm->nr;
        const size_t width = ferry_align_size(columns, gemm->vec);
        transform_panel(m, c_in, columns, w + first * c_in * 9, scratch);
        for (size_t p = 0; p < points; p++)
            ferry_gemm_f32_pack(gemm, c_in, columns, scratch + p * c_in * columns, columns, 1, NULL,
                                out + points * ferry_gemm_f32_panel(c_in, first) +
                                    p * ferry_gemm_f32_panel(c_in, width));
    }
}
