// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/transpose_phases.h"

#include "ops/conv.h"

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// Output o sums w[k] * x[i] over i * stride = o + pad - k * dilation. For outputs whose o + pad leaves the remainder r,
// k runs through one class modulo stride / gcd, and i steps back by dilation / gcd from one k to the next.
static ferry_phase_taps taps_of(int64_t r, int64_t stride, int64_t dilation, int64_t kernel)
{
    const int64_t divisor = greatest_divisor(dilation, stride);
    ferry_phase_taps t = {.step = stride / divisor, .reach = dilation / divisor};
    while (t.first < t.step && (t.first * dilation - r) % stride != 0) t.first++;
    if (t.first < t.step && t.first < kernel) t.count = (kernel - t.first + t.step - 1) / t.step;
    return t;
}

// Windows along dimension i lie side by side whatever the input's size.
static bool merges(const ferry_node *node, const ferry_transpose_filter *f, const ferry_window *w, int32_t i)
{
    int32_t n = 0;
    const int64_t *extra = ferry_node_ints(node, "output_padding", &n);
    for (int32_t k = 0; extra && k < n; k++)
        if (extra[k] != 0) return false;
    if (ferry_node_ints(node, "output_shape", &n) && n > 0) return false;
    return f->group == 1 && f->kernel[i] == f->stride[i] && f->dilation[i] == 1 && w->pad_begin[i] == 0 &&
           w->pad_end[i] == 0 && w->auto_pad != FERRY_AUTO_PAD_SAME_UPPER && w->auto_pad != FERRY_AUTO_PAD_SAME_LOWER;
}

bool ferry_transpose_filter_read(const ferry_node *node, int32_t w_rank, const int64_t *w_dims,
                                 ferry_transpose_filter *out)
{
    ferry_window w;
    if (w_rank < 3 || w_rank > 5 || w_dims[0] < 1 || w_dims[1] < 1 || w_dims[1] > INT32_MAX ||
        ferry_window_read(node, w_rank - 2, w_dims + 2, &w, NULL) != FERRY_OK)
        return false;
    *out = (ferry_transpose_filter){
        .c_in = w_dims[0], .group = ferry_node_int(node, "group", 1), .merged = 1, .stacked = 1};
    if (out->group < 1 || out->c_in % out->group != 0) return false;
    out->c_each = out->c_in / out->group;
    out->m_each = w_dims[1];
    for (int32_t i = 0; i < 3; i++) {
        const int32_t d = w_rank - 3 + i;
        out->kernel[i] = d >= 2 ? w_dims[d] : 1;
        out->stride[i] = w.stride[i];
        out->dilation[i] = w.dilation[i];
        if (out->kernel[i] < 1 || out->kernel[i] > INT32_MAX || w.kernel[i] != out->kernel[i] || w.stride[i] < 1 ||
            w.stride[i] > FERRY_TRANSPOSE_MOST_STRIDE || w.dilation[i] < 1)
            return false;
    }
    if (merges(node, out, &w, 2)) {
        out->merged = out->stride[2];
        out->m_each *= out->merged;
        out->kernel[2] = out->stride[2] = 1;
        if (merges(node, out, &w, 1) && out->m_each * out->stride[1] <= FERRY_TRANSPOSE_NARROW) {
            out->stacked = out->stride[1];
            out->m_each *= out->stacked;
            out->kernel[1] = out->stride[1] = 1;
        }
    }
    for (int32_t i = 0; i < 3; i++)
        for (int64_t r = 0; r < out->stride[i]; r++)
            out->taps[i][r] = taps_of(r, out->stride[i], out->dilation[i], out->kernel[i]);
    return true;
}

static void remainders(const ferry_transpose_filter *f, size_t phase, int64_t r[3])
{
    for (int32_t i = 2; i >= 0; i--) {
        r[i] = (int64_t)phase % f->stride[i];
        phase /= (size_t)f->stride[i];
    }
}

size_t ferry_transpose_phase_depth(const ferry_transpose_filter *f, size_t phase)
{
    int64_t r[3];
    remainders(f, phase, r);
    return (size_t)(f->taps[0][r[0]].count * f->taps[1][r[1]].count * f->taps[2][r[2]].count * f->c_each);
}

void ferry_transpose_phase_weights(const ferry_transpose_filter *f, size_t phase, int64_t group, const float *w,
                                   float *out)
{
    int64_t r[3];
    remainders(f, phase, r);
    const ferry_phase_taps d = f->taps[0][r[0]], h = f->taps[1][r[1]], t = f->taps[2][r[2]];
    const int64_t m_each = f->m_each / (f->merged * f->stacked), width = f->kernel[2] * f->merged;
    const int64_t height = f->kernel[1] * f->stacked, filter = f->kernel[0] * height * width;
    for (int64_t column = 0; column < f->m_each; column++) {
        // A merged column is a position of the last dimensions and a channel.
        const float *of_column = w + (group * f->c_each * m_each + column % m_each) * filter + column / m_each;
        for (int64_t i = d.count - 1; i >= 0; i--)
            for (int64_t j = h.count - 1; j >= 0; j--)
                for (int64_t k = t.count - 1; k >= 0; k--) {
                    const int64_t row = (d.first + i * d.step) * height + h.first + j * h.step;
                    const float *from = of_column + row * width + t.first + k * t.step;
                    for (int64_t c = 0; c < f->c_each; c++) *out++ = from[c * m_each * filter];
                }
    }
}

bool ferry_transpose_shape_read(const ferry_node *node, const ferry_transpose_filter *f, const ferry_tensor_desc *x,
                                const ferry_tensor_desc *y, ferry_transpose_shape *out)
{
    const int64_t kernel[3] = {f->kernel[0], f->kernel[1] * f->stacked, f->kernel[2] * f->merged};
    if (x->rank < 3 || x->rank > 5 || y->rank != x->rank || x->dims[0] < 0 || x->dims[0] != y->dims[0] ||
        x->dims[1] != f->c_in || y->dims[1] != f->m_each / (f->merged * f->stacked) * f->group)
        return false;
    const int32_t n_spatial = x->rank - 2;
    *out = (ferry_transpose_shape){.batch = x->dims[0], .in = {1, 1, 1}, .out = {1, 1, 1}};
    for (int32_t i = 3 - n_spatial; i < 3; i++) {
        out->in[i] = x->dims[i + n_spatial - 1];
        out->out[i] = y->dims[i + n_spatial - 1];
    }
    ferry_transpose_sizes sizes;
    if (ferry_transpose_sizes_read(node, n_spatial, kernel + 3 - n_spatial, out->in, &sizes, NULL) != FERRY_OK)
        return false;
    for (int32_t i = 0; i < 3; i++) {
        if (sizes.out[i] != out->out[i]) return false;
        out->pad[i] = sizes.window.pad_begin[i];
    }
    if (f->merged > 1) out->out[2] = out->in[2];
    if (f->stacked > 1) out->out[1] = out->in[1];
    return true;
}

void ferry_transpose_phase_conv(const ferry_transpose_filter *f, const ferry_transpose_shape *shape, size_t phase,
                                ferry_conv_shape *out, ferry_phase_places places[3])
{
    int64_t r[3], step = f->c_in;
    remainders(f, phase, r);
    *out = (ferry_conv_shape){.batch = shape->batch,
                              .c_in = f->c_in,
                              .c_out = f->m_each * f->group,
                              .group = f->group,
                              .c_each = f->c_each,
                              .m_each = f->m_each,
                              .window = {.n_spatial = 3},
                              .taps = 1,
                              .out_plane = 1,
                              .x_channel = 1};
    for (int32_t i = 2; i >= 0; i--) {
        const ferry_phase_taps *t = &f->taps[i][r[i]];
        const int64_t stride = f->stride[i], first = ((r[i] - shape->pad[i]) % stride + stride) % stride;
        const int64_t count = first < shape->out[i] ? (shape->out[i] - first + stride - 1) / stride : 0;
        places[i] = (ferry_phase_places){first, count};
        out->in[i] = shape->in[i];
        out->out[i] = count;
        out->window.kernel[i] = t->count;
        out->window.stride[i] = 1;
        out->window.dilation[i] = t->reach;
        // The last tap is the first of the ordinary convolution.
        const int64_t at = (first + shape->pad[i] - t->first * f->dilation[i]) / stride - (t->count - 1) * t->reach;
        out->window.pad_begin[i] = -at;
        out->taps *= t->count;
        out->out_plane *= count;
        out->x_step[i] = step;
        step *= shape->in[i];
    }
    out->x_batch = step;
}
