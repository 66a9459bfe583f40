// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv_pointers.h"

#include <assert.h>

// Where the window of an output position begins, which may be outside.
typedef struct position {
    int64_t first[3], offset; // offset: in elements, from the first picture
} position;

static position position_at(const ferry_conv_shape *s, int64_t picture, const int64_t at[3])
{
    position p = {.offset = picture * s->x_batch};
    for (int32_t i = 0; i < 3; i++) {
        p.first[i] = at[i] * s->window.stride[i] - s->window.pad_begin[i];
        p.offset += p.first[i] * s->x_step[i];
    }
    return p;
}

// Whether all taps of the window lie inside along that axis.
static bool reaches_inside(const ferry_conv_shape *s, int64_t first, int32_t axis)
{
    return first >= 0 && first + (s->window.kernel[axis] - 1) * s->window.dilation[axis] < s->in[axis];
}

static bool is_inside(const ferry_conv_shape *s, const position *p, const int64_t tap[3])
{
    for (int32_t i = 0; i < 3; i++) {
        const int64_t at = p->first[i] + tap[i] * s->window.dilation[i];
        if (at < 0 || at >= s->in[i]) return false;
    }
    return true;
}

// All taps of a position at the border.
static void border_pointers(const ferry_conv_shape *s, const position *p, const char *base, int64_t elem_bytes,
                            const void *zeros, size_t stride, const void **out)
{
    const int64_t *kernel = s->window.kernel, *dilation = s->window.dilation;
    int64_t tap[3];
    for (tap[0] = 0; tap[0] < kernel[0]; tap[0]++)
        for (tap[1] = 0; tap[1] < kernel[1]; tap[1]++)
            for (tap[2] = 0; tap[2] < kernel[2]; tap[2]++, out += stride) {
                int64_t offset = p->offset;
                for (int32_t i = 0; i < 3; i++) offset += tap[i] * dilation[i] * s->x_step[i];
                *out = is_inside(s, p, tap) ? base + offset * elem_bytes : zeros;
            }
}

// Taps lie equally far from the first one of each position: right for windows that are inside, replaced for others. As
// numbers, since those may lie outside of the input.
static void inside_pointers(const ferry_conv_shape *s, const uintptr_t *firsts, size_t rows, int64_t elem_bytes,
                            size_t stride, const void **out)
{
    const int64_t *kernel = s->window.kernel, *dilation = s->window.dilation;
    for (int64_t d = 0; d < kernel[0]; d++)
        for (int64_t h = 0; h < kernel[1]; h++) {
            int64_t step = (d * dilation[0] * s->x_step[0] + h * dilation[1] * s->x_step[1]) * elem_bytes;
            for (int64_t w = 0; w < kernel[2]; w++, out += stride, step += dilation[2] * s->x_step[2] * elem_bytes)
                for (size_t i = 0; i < rows; i++) out[i] = (const void *)(firsts[i] + (uintptr_t)step);
        }
}

static void next_line(const ferry_conv_shape *s, int64_t at[3], int64_t *picture)
{
    at[2] = 0;
    if (++at[1] < s->out[1]) return;
    at[1] = 0;
    if (++at[0] < s->out[0]) return;
    at[0] = 0;
    ++*picture;
}

void ferry_conv_pointers(const ferry_conv_shape *s, const void *x, size_t elem_bytes, const void *zeros, size_t group,
                         size_t row, size_t rows, size_t stride, const void **out)
{
    const int64_t bytes = (int64_t)elem_bytes;
    assert(rows <= FERRY_CONV_POINTERS_ROWS);
    const char *base = (const char *)x + (int64_t)group * s->c_each * bytes;
    int64_t at[3], rest = (int64_t)row % s->out_plane, picture = (int64_t)row / s->out_plane;
    for (int32_t i = 2; i >= 0; i--) {
        at[i] = rest % s->out[i];
        rest /= s->out[i];
    }
    uintptr_t firsts[FERRY_CONV_POINTERS_ROWS];
    position border[FERRY_CONV_POINTERS_ROWS];
    size_t border_rows[FERRY_CONV_POINTERS_ROWS], borders = 0;
    const int64_t stride_x = s->window.stride[2], step = stride_x * s->x_step[2];
    for (size_t i = 0; i < rows;) {
        const size_t left = (size_t)(s->out[2] - at[2]), end = rows - i < left ? rows : i + left; // of the output line
        position p = position_at(s, picture, at);
        const bool inside = reaches_inside(s, p.first[0], 0) && reaches_inside(s, p.first[1], 1);
        for (; i < end; i++, p.first[2] += stride_x, p.offset += step) {
            firsts[i] = (uintptr_t)base + (uintptr_t)(p.offset * bytes);
            if (!inside || !reaches_inside(s, p.first[2], 2)) border[borders] = p, border_rows[borders++] = i;
        }
        next_line(s, at, &picture);
    }
    if (borders < rows) inside_pointers(s, firsts, rows, bytes, stride, out);
    for (size_t i = 0; i < borders; i++)
        border_pointers(s, &border[i], base, bytes, zeros, stride, out + border_rows[i]);
}
