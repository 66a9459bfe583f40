// SPDX-License-Identifier: Apache-2.0
// Transposed convolution: every input element adds the filter, scaled, to the output; pads cut the result.
#include <string.h>

#include "ops/conv.h"
#include "ops/element.h"
#include "ops/rows.h"
#include "ops/rules.h"
#include "ops/wide.h"
#include "ops/window.h"

#define SEGMENT 512 // output elements of a row that are summed at a time: 4 KiB of doubles on the stack

static ferry_status read_three(const ferry_node *node, const char *name, int32_t n_spatial, int64_t out[3],
                               bool *out_given, ferry_error *err)
{
    int32_t count = 0;
    const int64_t *ints = ferry_node_ints(node, name, &count);
    *out_given = ints && count > 0;
    if (!*out_given) return FERRY_OK;
    if (count != n_spatial)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s has %d values, the input has %d spatial dims", name, count,
                          n_spatial);
    for (int32_t i = 0; i < count; i++) {
        if (ints[i] < 0 || ints[i] > INT32_MAX)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s[%d] is %lld, not 0 to %d", name, i, (long long)ints[i],
                              INT32_MAX);
        out[3 - n_spatial + i] = ints[i];
    }
    return FERRY_OK;
}

// Size along one axis: from output_shape, from SAME_*, or from the pads.
static ferry_status size_axis(ferry_transpose_sizes *s, int32_t axis, int64_t in, int64_t extra, const int64_t *wanted,
                              ferry_error *err)
{
    ferry_window *w = &s->window;
    s->out[axis] = wanted ? *wanted : FERRY_DIM_UNKNOWN;
    if (in == FERRY_DIM_UNKNOWN || w->kernel[axis] == FERRY_DIM_UNKNOWN) return FERRY_OK;
    if (w->kernel[axis] < 1 || w->kernel[axis] > INT32_MAX)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the weights have a kernel of %lld, not 1 to %d",
                          (long long)w->kernel[axis], INT32_MAX);
    if (in == 0 || in > INT32_MAX)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a spatial dim of the input is %lld, not 1 to %d", (long long)in,
                          INT32_MAX);
    const int64_t full = w->stride[axis] * (in - 1) + extra + (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    const bool same = w->auto_pad == FERRY_AUTO_PAD_SAME_UPPER || w->auto_pad == FERRY_AUTO_PAD_SAME_LOWER;
    if (wanted || same) {
        s->out[axis] = wanted ? *wanted : in * w->stride[axis];
        const int64_t total = full > s->out[axis] ? full - s->out[axis] : 0;
        w->pad_begin[axis] = w->auto_pad == FERRY_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->pad_end[axis] = total - w->pad_begin[axis];
    } else {
        s->out[axis] = full - w->pad_begin[axis] - w->pad_end[axis];
    }
    if (s->out[axis] < 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "pads of %lld and %lld cut more than the %lld elements there are",
                          (long long)w->pad_begin[axis], (long long)w->pad_end[axis], (long long)full);
    return FERRY_OK;
}

ferry_status ferry_transpose_sizes_read(const ferry_node *node, int32_t n_spatial, const int64_t *kernel_dims,
                                        const int64_t in[3], ferry_transpose_sizes *out, ferry_error *err)
{
    int64_t extra[3] = {0}, wanted[3] = {1, 1, 1};
    bool has_extra = false, has_wanted = false;
    FERRY_TRY(ferry_window_read(node, n_spatial, kernel_dims, &out->window, err));
    FERRY_TRY(read_three(node, "output_padding", n_spatial, extra, &has_extra, err));
    FERRY_TRY(read_three(node, "output_shape", n_spatial, wanted, &has_wanted, err));
    for (int32_t axis = 0; axis < 3; axis++)
        FERRY_TRY(size_axis(out, axis, in[axis], extra[axis], has_wanted ? &wanted[axis] : NULL, err));
    return FERRY_OK;
}

ferry_status ferry_conv_transpose_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    FERRY_TRY(ferry_need_same_type(infer, 1, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    const ferry_shape *x = &infer->in_shapes[0], *w = &infer->in_shapes[1];
    const int32_t rank = x->rank != FERRY_RANK_UNKNOWN ? x->rank : w->rank;
    const int64_t group = ferry_node_int(infer->node, "group", 1);
    if (group < 1) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "group is %lld, not 1 or more", (long long)group);
    if (rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (rank < 3)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the input has %d dims; batch, channel and 1 to 3 spatial ones are needed", rank);
    if (w->rank != FERRY_RANK_UNKNOWN && w->rank != rank)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %d dims, the weights have %d", rank, w->rank);
    const ferry_shape unknown = ferry_shape_of_rank(rank);
    if (x->rank == FERRY_RANK_UNKNOWN) x = &unknown;
    if (w->rank == FERRY_RANK_UNKNOWN) w = &unknown;
    const int64_t channels = x->dims[1] != FERRY_DIM_UNKNOWN ? x->dims[1] : w->dims[0];
    if (w->dims[0] != FERRY_DIM_UNKNOWN && channels != w->dims[0])
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %lld channels, the weights have %lld",
                          (long long)channels, (long long)w->dims[0]);
    if (channels != FERRY_DIM_UNKNOWN && channels % group != 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%lld input channels do not divide into %lld groups",
                          (long long)channels, (long long)group);

    const int32_t n_spatial = rank - 2;
    int64_t in[3] = {1, 1, 1};
    for (int32_t i = 0; i < n_spatial && n_spatial <= 3; i++) in[3 - n_spatial + i] = x->dims[2 + i];
    ferry_transpose_sizes sizes;
    FERRY_TRY(ferry_transpose_sizes_read(infer->node, n_spatial, w->dims + 2, in, &sizes, err));
    ferry_shape *y = &infer->out_shapes[0];
    *y = ferry_shape_of_rank(rank);
    ferry_copy_dim(y, 0, x, 0);
    FERRY_TRY(ferry_dim_mul(w->dims[1], group, &y->dims[1], err));
    for (int32_t i = 0; i < n_spatial; i++) y->dims[2 + i] = sizes.out[3 - n_spatial + i];
    FERRY_TRY(ferry_conv_check_bias(infer, 2, y->dims[1], err));
    return ferry_check_size(infer, y, infer->out_dtypes[0], err);
}

typedef struct transpose_plane {
    const ferry_transpose_sizes *sizes;
    ferry_wide x, w;
    int64_t in[3], channels, x_at;
    int64_t w_at, w_step; // the filter of the group's first input channel, and from one input channel to the next
} transpose_plane;

// The input position that the tap reaches output `o` from; negative when there is none.
static int64_t source_of(const ferry_window *w, int32_t axis, int64_t o, int64_t k, int64_t in)
{
    const int64_t at = o + w->pad_begin[axis] - k * w->dilation[axis];
    return at >= 0 && at % w->stride[axis] == 0 && at / w->stride[axis] < in ? at / w->stride[axis] : -1;
}

// Adds what one filter row gives to outputs [first, first + n) of an output row.
static void add_filter_row(const transpose_plane *p, int64_t row, int64_t filter, int64_t first, int64_t n, double *acc)
{
    const ferry_window *w = &p->sizes->window;
    const int64_t stride = w->stride[2];
    for (int64_t kw = 0; kw < w->kernel[2]; kw++) {
        const int64_t shift = kw * w->dilation[2] - w->pad_begin[2]; // output of input 0
        const int64_t begin = first > shift ? (first - shift + stride - 1) / stride : 0;
        const double weight = ferry_wide_at(p->w, filter + kw);
        for (int64_t i = begin; i < p->in[2] && i * stride + shift < first + n; i++)
            acc[i * stride + shift - first] += weight * ferry_wide_at(p->x, row + i);
    }
}

static void sum_row(const transpose_plane *p, int64_t od, int64_t oh, int64_t first, int64_t n, double *acc)
{
    const ferry_window *w = &p->sizes->window;
    const int64_t plane = p->in[0] * p->in[1] * p->in[2];
    for (int64_t c = 0; c < p->channels; c++)
        for (int64_t kd = 0; kd < w->kernel[0]; kd++) {
            const int64_t id = source_of(w, 0, od, kd, p->in[0]);
            if (id < 0) continue;
            for (int64_t kh = 0; kh < w->kernel[1]; kh++) {
                const int64_t ih = source_of(w, 1, oh, kh, p->in[1]);
                if (ih < 0) continue;
                add_filter_row(p, p->x_at + c * plane + (id * p->in[1] + ih) * p->in[2],
                               p->w_at + c * p->w_step + (kd * w->kernel[1] + kh) * w->kernel[2], first, n, acc);
            }
        }
}

ferry_status ferry_conv_transpose_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *w = &eval->in[1];
    const ferry_tensor *bias = ferry_has_input(eval->node, 2) ? &eval->in[2] : NULL;
    ferry_tensor *y = &eval->out[0];
    if (!ferry_dtype_is_float(x->dtype))
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "ConvTranspose of %s", ferry_dtype_name(x->dtype));
    ferry_transpose_sizes sizes;
    transpose_plane p = {.sizes = &sizes};
    ferry_window_dims(x, p.in);
    FERRY_TRY(ferry_transpose_sizes_read(eval->node, x->rank - 2, w->dims + 2, p.in, &sizes, err));
    char *scratch = eval->scratch;
    p.x = ferry_widen(x, &scratch);
    p.w = ferry_widen(w, &scratch);

    const int64_t *out = sizes.out, *kernel = sizes.window.kernel;
    const int64_t group = ferry_node_int(eval->node, "group", 1);
    const int64_t m_per_group = w->dims[1], taps = kernel[0] * kernel[1] * kernel[2];
    p.channels = x->dims[1] / group;
    p.w_step = m_per_group * taps;
    double acc[SEGMENT];
    int64_t to = 0;
    for (int64_t n = 0; n < x->dims[0]; n++)
        for (int64_t m = 0; m < m_per_group * group; m++) {
            const int64_t g = m / m_per_group;
            p.x_at = (n * x->dims[1] + g * p.channels) * p.in[0] * p.in[1] * p.in[2];
            p.w_at = g * p.channels * p.w_step + m % m_per_group * taps;
            const double b = bias ? ferry_load_f64(bias, (size_t)m) : 0;
            for (int64_t row = 0; row < out[0] * out[1]; row++)
                for (int64_t first = 0; first < out[2]; first += SEGMENT) {
                    const int64_t count = out[2] - first < SEGMENT ? out[2] - first : SEGMENT;
                    memset(acc, 0, (size_t)count * sizeof *acc);
                    sum_row(&p, row / out[1], row % out[1], first, count, acc);
                    for (int64_t i = 0; i < count; i++) acc[i] += b;
                    ferry_row_store_f64(y->dtype, y->data, to, 1, count, acc);
                    to += count;
                }
        }
    return FERRY_OK;
}
