// SPDX-License-Identifier: Apache-2.0
// Geometry of convolutions: shapes that may come from a file are checked here, once, so that kernels can trust them.
#include "backend/cpu/conv_shape.h"

#include <string.h>

static void spatial(const ferry_tensor_desc *desc, int64_t dims[3], int64_t steps[3])
{
    for (int32_t i = 0; i < 3; i++) {
        const int32_t d = desc->rank - 3 + i;
        dims[i] = d >= 2 ? desc->dims[d] : 1;
        steps[i] = d >= 2 ? desc->strides[d] : 0;
    }
}

static bool fits(const ferry_conv_shape *s, const ferry_tensor_desc *x, const int64_t *w_dims,
                 const ferry_tensor_desc *y)
{
    int64_t c_in = 0;
    if (s->group < 1 || w_dims[0] < 1 || w_dims[1] < 1 || w_dims[0] % s->group != 0) return false;
    if (__builtin_mul_overflow(w_dims[1], s->group, &c_in)) return false;
    return x->dims[1] == c_in && y->dims[1] == w_dims[0] && x->dims[0] == y->dims[0] && x->dims[0] >= 0;
}

ferry_status ferry_conv_shape_read(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank,
                                   const int64_t *w_dims, const ferry_tensor_desc *y, ferry_conv_shape *out,
                                   ferry_error *err)
{
    return ferry_conv_shape_read_grouped(node, x, w_rank, w_dims, ferry_node_int(node, "group", 1), y, out, err);
}

ferry_status ferry_conv_shape_read_grouped(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank,
                                           const int64_t *w_dims, int64_t group, const ferry_tensor_desc *y,
                                           ferry_conv_shape *out, ferry_error *err)
{
    *out = (ferry_conv_shape){.group = group};
    if (x->rank < 3 || x->rank > 5 || w_rank != x->rank || y->rank != x->rank || !fits(out, x, w_dims, y))
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a convolution's input, weights and output do not fit together");
    FERRY_TRY(ferry_window_read(node, x->rank - 2, w_dims + 2, &out->window, err));
    int64_t y_steps[3];
    spatial(x, out->in, out->x_step);
    spatial(y, out->out, y_steps);
    out->taps = out->out_plane = 1;
    for (int32_t i = 0; i < 3; i++) {
        int64_t expected = 0;
        FERRY_TRY(ferry_window_out(&out->window, i, out->in[i], &expected, err));
        if (expected != out->out[i])
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a convolution's output is %lld, not %lld",
                              (long long)out->out[i], (long long)expected);
        if (__builtin_mul_overflow(out->taps, out->window.kernel[i], &out->taps) ||
            __builtin_mul_overflow(out->out_plane, out->out[i], &out->out_plane))
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a convolution beyond all memory");
    }
    ferry_window_resolve(&out->window, out->in);
    out->batch = x->dims[0];
    out->c_in = x->dims[1];
    out->c_out = y->dims[1];
    out->c_each = w_dims[1];
    out->m_each = out->c_out / out->group;
    out->x_batch = x->strides[0];
    out->x_channel = x->strides[1];
    return FERRY_OK;
}

bool ferry_conv_shape_is_pointwise(const ferry_conv_shape *s)
{
    if (s->taps != 1) return false;
    for (int32_t i = 0; i < 3; i++)
        if (s->window.stride[i] != 1 || s->window.pad_begin[i] != 0 || s->window.pad_end[i] != 0) return false;
    return true;
}

// Pointers for n neighbouring positions of one output line, for one tap. `line` is where the tap's input line begins;
// the first position's element is number `at` on it.
static void line_pointers(const ferry_conv_shape *s, const char *line, int64_t at, int64_t n, int64_t step_bytes,
                          const void *zeros, const void **out)
{
    const int64_t stride = s->window.stride[2], last = at + (n - 1) * stride;
    if (at >= 0 && last < s->in[2]) {
        const char *p = line + at * step_bytes;
        for (int64_t i = 0; i < n; i++) out[i] = p + i * stride * step_bytes;
        return;
    }
    for (int64_t i = 0; i < n; i++, at += stride) out[i] = at >= 0 && at < s->in[2] ? line + at * step_bytes : zeros;
}

// All taps of n positions of one output line. first: input position of the first tap at the line's first position here.
static void run_pointers(const ferry_conv_shape *s, const char *picture, const int64_t first[3], int64_t n,
                         size_t elem_bytes, const void *zeros, size_t stride, const void **out)
{
    const int64_t *kernel = s->window.kernel, *dilation = s->window.dilation, bytes = (int64_t)elem_bytes;
    for (int64_t d = 0; d < kernel[0]; d++) {
        const int64_t in_d = first[0] + d * dilation[0];
        for (int64_t h = 0; h < kernel[1]; h++) {
            const int64_t in_h = first[1] + h * dilation[1];
            const bool inside = in_d >= 0 && in_d < s->in[0] && in_h >= 0 && in_h < s->in[1];
            const char *line = inside ? picture + (in_d * s->x_step[0] + in_h * s->x_step[1]) * bytes : NULL;
            for (int64_t w = 0; w < kernel[2]; w++, out += stride) {
                if (inside)
                    line_pointers(s, line, first[2] + w * dilation[2], n, s->x_step[2] * bytes, zeros, out);
                else
                    for (int64_t i = 0; i < n; i++) out[i] = zeros;
            }
        }
    }
}

void ferry_conv_pointers(const ferry_conv_shape *s, const void *x, size_t elem_bytes, const void *zeros, size_t group,
                         size_t row, size_t rows, size_t stride, const void **out)
{
    const char *base = (const char *)x + (int64_t)group * s->c_each * (int64_t)elem_bytes;
    int64_t at[3], rest = (int64_t)row % s->out_plane, picture = (int64_t)row / s->out_plane;
    for (int32_t i = 2; i >= 0; i--) {
        at[i] = rest % s->out[i];
        rest /= s->out[i];
    }
    for (int64_t left = (int64_t)rows; left > 0;) {
        const int64_t n = s->out[2] - at[2] < left ? s->out[2] - at[2] : left; // to the end of the output line
        int64_t first[3];
        for (int32_t i = 0; i < 3; i++) first[i] = at[i] * s->window.stride[i] - s->window.pad_begin[i];
        run_pointers(s, base + picture * s->x_batch * (int64_t)elem_bytes, first, n, elem_bytes, zeros, stride, out);
        out += n;
        left -= n;
        at[2] = 0;
        if (++at[1] == s->out[1]) {
            at[1] = 0;
            if (++at[0] == s->out[0]) {
                at[0] = 0;
                picture++;
            }
        }
    }
}
