// SPDX-License-Identifier: Apache-2.0
// Convolution in float, and the family's table.
#include "ops/conv.h"

#include <string.h>

#include "ops/element.h"
#include "ops/rows.h"
#include "ops/rules.h"
#include "ops/wide.h"
#include "ops/window.h"

#define SEGMENT 512 // output elements of a row that are summed at a time: 4 KiB of doubles on the stack

extern const ferry_op ferry_ops_conv[];

ferry_status ferry_conv_check_bias(const ferry_infer *infer, int32_t index, int64_t channels, ferry_error *err)
{
    if (!ferry_has_input(infer->node, index)) return FERRY_OK;
    FERRY_TRY(ferry_need_same_type(infer, index, err));
    const ferry_shape *bias = &infer->in_shapes[index];
    if (bias->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    FERRY_TRY(ferry_need_rank(infer, index, 1, err));
    if (bias->dims[0] != FERRY_DIM_UNKNOWN && channels != FERRY_DIM_UNKNOWN && bias->dims[0] != channels)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the bias has %lld values, the output has %lld channels",
                          (long long)bias->dims[0], (long long)channels);
    return FERRY_OK;
}

static ferry_status infer_conv(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    FERRY_TRY(ferry_need_same_type(infer, 1, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    FERRY_TRY(ferry_window_infer_conv(infer, err));
    const ferry_shape *y = &infer->out_shapes[0];
    if (y->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    FERRY_TRY(ferry_conv_check_bias(infer, 2, y->dims[1], err));
    return ferry_check_size(infer, y, infer->out_dtypes[0], err);
}

size_t ferry_conv_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out)
{
    (void)node;
    (void)out;
    return ferry_wide_bytes(&in[0]) + ferry_wide_bytes(&in[1]);
}

// One (batch, output channel) pair.
typedef struct conv_plane {
    const ferry_window *window;
    ferry_wide x, w;
    int64_t x_at, w_at; // first elements of the group's input channels and of this channel's filter
    int64_t in[3], out[3], channels;
    ferry_tensor *y;
    int64_t y_at;
    double bias;
} conv_plane;

// A 1x1 convolution without stride is a product of channels; its plane is one long row.
static bool is_pointwise(const ferry_window *w)
{
    for (int i = 0; i < 3; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->pad_begin[i] != 0 || w->pad_end[i] != 0) return false;
    return true;
}

static void store_row(const conv_plane *p, double *acc, int64_t at, int64_t n)
{
    for (int64_t i = 0; i < n; i++) acc[i] += p->bias;
    ferry_row_store_f64(p->y->dtype, p->y->data, p->y_at + at, 1, n, acc);
}

static void pointwise_plane(const conv_plane *p)
{
    double acc[SEGMENT];
    const int64_t plane = p->in[0] * p->in[1] * p->in[2];
    for (int64_t at = 0; at < plane; at += SEGMENT) {
        const int64_t n = plane - at < SEGMENT ? plane - at : SEGMENT;
        memset(acc, 0, sizeof acc);
        ferry_wide_add_rows(acc, n, p->w, p->w_at, 1, p->channels, p->x, p->x_at + at, plane);
        store_row(p, acc, at, n);
    }
}

static inline void add_tap(double *acc, int64_t n, double weight, ferry_wide x, int64_t from, int64_t stride)
{
    if (x.is_f64) {
        const double *row = (const double *)x.data + from;
        for (int64_t i = 0; i < n; i++) acc[i] += weight * row[i * stride];
    } else if (stride == 1) {
        const float *row = (const float *)x.data + from;
        for (int64_t i = 0; i < n; i++) acc[i] += weight * (double)row[i];
    } else {
        const float *row = (const float *)x.data + from;
        for (int64_t i = 0; i < n; i++) acc[i] += weight * (double)row[i * stride];
    }
}

// Outputs [first, first + n) of the row (od, oh).
static void sum_row(const conv_plane *p, int64_t od, int64_t oh, int64_t first, int64_t n, double *acc)
{
    const ferry_window *w = p->window;
    const int64_t plane = p->in[0] * p->in[1] * p->in[2];
    const int64_t taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    for (int64_t c = 0; c < p->channels; c++) {
        const int64_t channel = p->x_at + c * plane;
        for (int64_t kd = 0; kd < w->kernel[0]; kd++) {
            const int64_t id = od * w->stride[0] + kd * w->dilation[0] - w->pad_begin[0];
            if (id < 0 || id >= p->in[0]) continue;
            for (int64_t kh = 0; kh < w->kernel[1]; kh++) {
                const int64_t ih = oh * w->stride[1] + kh * w->dilation[1] - w->pad_begin[1];
                if (ih < 0 || ih >= p->in[1]) continue;
                const int64_t row = channel + (id * p->in[1] + ih) * p->in[2];
                const int64_t filter = p->w_at + c * taps + (kd * w->kernel[1] + kh) * w->kernel[2];
                for (int64_t kw = 0; kw < w->kernel[2]; kw++) {
                    int64_t begin = 0, end = 0;
                    ferry_window_valid(w, 2, kw, p->in[2], p->out[2], &begin, &end);
                    if (begin < first) begin = first;
                    if (end > first + n) end = first + n;
                    const int64_t from = row + begin * w->stride[2] + kw * w->dilation[2] - w->pad_begin[2];
                    if (begin < end)
                        add_tap(acc + (begin - first), end - begin, ferry_wide_at(p->w, filter + kw), p->x, from,
                                w->stride[2]);
                }
            }
        }
    }
}

static void windowed_plane(const conv_plane *p)
{
    double acc[SEGMENT];
    for (int64_t od = 0; od < p->out[0]; od++)
        for (int64_t oh = 0; oh < p->out[1]; oh++)
            for (int64_t first = 0; first < p->out[2]; first += SEGMENT) {
                const int64_t n = p->out[2] - first < SEGMENT ? p->out[2] - first : SEGMENT;
                memset(acc, 0, (size_t)n * sizeof *acc);
                sum_row(p, od, oh, first, n, acc);
                store_row(p, acc, (od * p->out[1] + oh) * p->out[2] + first, n);
            }
}

static ferry_status eval_conv(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *w = &eval->in[1];
    const ferry_tensor *bias = ferry_has_input(eval->node, 2) ? &eval->in[2] : NULL;
    ferry_tensor *y = &eval->out[0];
    if (!ferry_dtype_is_float(x->dtype))
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "Conv of %s", ferry_dtype_name(x->dtype));
    ferry_window window;
    FERRY_TRY(ferry_window_read(eval->node, x->rank - 2, w->dims + 2, &window, err));
    conv_plane p = {.window = &window, .channels = w->dims[1], .y = y};
    ferry_window_dims(x, p.in);
    ferry_window_dims(y, p.out);
    ferry_window_resolve(&window, p.in);
    char *scratch = eval->scratch;
    p.x = ferry_widen(x, &scratch);
    p.w = ferry_widen(w, &scratch);

    const int64_t m_per_group = w->dims[0] / ferry_node_int(eval->node, "group", 1);
    const int64_t in_plane = p.in[0] * p.in[1] * p.in[2], out_plane = p.out[0] * p.out[1] * p.out[2];
    const int64_t filter = p.channels * window.kernel[0] * window.kernel[1] * window.kernel[2];
    const bool pointwise = is_pointwise(&window);
    for (int64_t n = 0; n < x->dims[0]; n++)
        for (int64_t m = 0; m < w->dims[0]; m++) {
            p.x_at = (n * x->dims[1] + m / m_per_group * p.channels) * in_plane;
            p.w_at = m * filter;
            p.y_at = (n * w->dims[0] + m) * out_plane;
            p.bias = bias ? ferry_load_f64(bias, (size_t)m) : 0;
            if (pointwise)
                pointwise_plane(&p);
            else
                windowed_plane(&p);
        }
    return FERRY_OK;
}

static const ferry_attr_schema conv_attrs[] = {{"auto_pad", FERRY_ATTR_STRING, false},
                                               {"dilations", FERRY_ATTR_INTS, false},
                                               {"group", FERRY_ATTR_INT, false},
                                               {"kernel_shape", FERRY_ATTR_INTS, false},
                                               {"pads", FERRY_ATTR_INTS, false},
                                               {"strides", FERRY_ATTR_INTS, false},
                                               {0}};
static const ferry_attr_schema transpose_attrs[] = {{"auto_pad", FERRY_ATTR_STRING, false},
                                                    {"dilations", FERRY_ATTR_INTS, false},
                                                    {"group", FERRY_ATTR_INT, false},
                                                    {"kernel_shape", FERRY_ATTR_INTS, false},
                                                    {"output_padding", FERRY_ATTR_INTS, false},
                                                    {"output_shape", FERRY_ATTR_INTS, false},
                                                    {"pads", FERRY_ATTR_INTS, false},
                                                    {"strides", FERRY_ATTR_INTS, false},
                                                    {0}};

const ferry_op ferry_ops_conv[] = {
    {.name = "Conv",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .attrs = conv_attrs,
     .infer = infer_conv,
     .eval = eval_conv,
     .scratch_bytes = ferry_conv_scratch},
    {.name = "ConvTranspose",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 1,
     .attrs = transpose_attrs,
     .infer = ferry_conv_transpose_infer,
     .eval = ferry_conv_transpose_eval,
     .scratch_bytes = ferry_conv_scratch},
    {.name = "ConvInteger",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 4,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 10,
     .attrs = conv_attrs,
     .infer = ferry_conv_integer_infer,
     .eval = ferry_conv_integer_eval},
    {.name = NULL},
};
