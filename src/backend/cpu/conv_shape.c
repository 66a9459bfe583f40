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

/// An output position, and the input position of its window's first tap.
typedef struct position {
    int64_t picture, at[3], first[3];
    bool inside; // no tap lies in the padding
} position;

static void locate(const ferry_conv_shape *s, position *p)
{
    p->inside = true;
    for (int32_t i = 0; i < 3; i++) {
        p->first[i] = p->at[i] * s->window.stride[i] - s->window.pad_begin[i];
        p->inside &= p->first[i] >= 0 && p->first[i] + (s->window.kernel[i] - 1) * s->window.dilation[i] < s->in[i];
    }
}

static position position_at(const ferry_conv_shape *s, size_t row)
{
    position p;
    int64_t rest = (int64_t)row % s->out_plane;
    p.picture = (int64_t)row / s->out_plane;
    for (int32_t i = 2; i >= 0; i--) {
        p.at[i] = rest % s->out[i];
        rest /= s->out[i];
    }
    locate(s, &p);
    return p;
}

static void next(const ferry_conv_shape *s, position *p)
{
    for (int32_t i = 2; i >= 0; i--) {
        if (++p->at[i] < s->out[i]) break;
        p->at[i] = 0;
        if (i == 0) p->picture++;
    }
    locate(s, p);
}

void ferry_conv_pointers(const ferry_conv_shape *s, const void *x, size_t elem_bytes, const void *zeros, size_t group,
                         size_t row, size_t rows, size_t stride, const void **out)
{
    const char *base = (const char *)x + (int64_t)group * s->c_each * (int64_t)elem_bytes;
    const int64_t *kernel = s->window.kernel, *dilation = s->window.dilation;
    int64_t step[3];
    for (int32_t i = 0; i < 3; i++) step[i] = s->x_step[i] * (int64_t)elem_bytes;
    position p = position_at(s, row);
    for (size_t i = 0; i < rows; i++, next(s, &p)) {
        const char *picture = base + p.picture * s->x_batch * (int64_t)elem_bytes;
        const void **to = out + i;
        for (int64_t d = 0; d < kernel[0]; d++) {
            const int64_t in_d = p.first[0] + d * dilation[0];
            for (int64_t h = 0; h < kernel[1]; h++) {
                const int64_t in_h = p.first[1] + h * dilation[1];
                const char *line = picture + in_d * step[0] + in_h * step[1] + p.first[2] * step[2];
                const bool line_inside = in_d >= 0 && in_d < s->in[0] && in_h >= 0 && in_h < s->in[1];
                for (int64_t w = 0; w < kernel[2]; w++, to += stride) {
                    const int64_t in_w = p.first[2] + w * dilation[2];
                    const bool inside = p.inside || (line_inside && in_w >= 0 && in_w < s->in[2]);
                    *to = inside ? line + w * dilation[2] * step[2] : zeros;
                }
            }
        }
    }
}

static inline char *copy_tap(const ferry_conv_shape *s, const char *from, size_t elem_bytes, char *to)
{
    const int64_t step = s->x_channel;
    switch (elem_bytes) {
    case 4:
        for (int64_t c = 0; c < s->c_each; c++) memcpy(to + c * 4, from + c * step * 4, 4);
        break;
    case 1:
        for (int64_t c = 0; c < s->c_each; c++) to[c] = from[c * step];
        break;
    default:
        for (int64_t c = 0; c < s->c_each; c++)
            memcpy(to + c * (int64_t)elem_bytes, from + c * step * (int64_t)elem_bytes, elem_bytes);
    }
    return to + s->c_each * (int64_t)elem_bytes;
}

void ferry_conv_patches(const ferry_conv_shape *s, const void *x, size_t elem_bytes, size_t group, size_t row,
                        size_t rows, void *to, size_t row_bytes)
{
    const int64_t bytes = (int64_t)elem_bytes, *kernel = s->window.kernel, *dilation = s->window.dilation;
    const char *base = (const char *)x + (int64_t)group * s->c_each * s->x_channel * bytes;
    position p = position_at(s, row);
    for (size_t i = 0; i < rows; i++, next(s, &p)) {
        const char *picture = base + p.picture * s->x_batch * bytes;
        char *begin = (char *)to + i * row_bytes, *at = begin;
        for (int64_t d = 0; d < kernel[0]; d++) {
            const int64_t in_d = p.first[0] + d * dilation[0];
            for (int64_t h = 0; h < kernel[1]; h++) {
                const int64_t in_h = p.first[1] + h * dilation[1];
                const bool line_inside = in_d >= 0 && in_d < s->in[0] && in_h >= 0 && in_h < s->in[1];
                for (int64_t w = 0; w < kernel[2]; w++) {
                    const int64_t in_w = p.first[2] + w * dilation[2];
                    if (p.inside || (line_inside && in_w >= 0 && in_w < s->in[2])) {
                        at = copy_tap(
                            s, picture + (in_d * s->x_step[0] + in_h * s->x_step[1] + in_w * s->x_step[2]) * bytes,
                            elem_bytes, at);
                    } else {
                        memset(at, 0, (size_t)(s->c_each * bytes));
                        at += s->c_each * bytes;
                    }
                }
            }
        }
        memset(at, 0, row_bytes - (size_t)(at - begin));
    }
}
