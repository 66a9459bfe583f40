// SPDX-License-Identifier: Apache-2.0
// ConvInteger: 8-bit convolution with zero points and an int32 result, as ONNX writes it (ferry's own integer operators
// are in integer.c).
#include "ops/conv.h"
#include "ops/element.h"
#include "ops/rules.h"
#include "ops/window.h"

#define TYPES_8 (1u << FERRY_S8 | 1u << FERRY_U8)

// A zero point is one number, or for the weights one an output channel.
static ferry_status check_zero_point(const ferry_infer *infer, int32_t index, int64_t channels, ferry_error *err)
{
    if (!ferry_has_input(infer->node, index)) return FERRY_OK;
    const ferry_shape *shape = &infer->in_shapes[index];
    if (infer->in_dtypes[index] != infer->in_dtypes[index - 2])
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "zero point %d is of type %s, its tensor of type %s", index - 2,
                          ferry_dtype_name(infer->in_dtypes[index]), ferry_dtype_name(infer->in_dtypes[index - 2]));
    size_t count = 0;
    if (!ferry_shape_is_known(shape)) return FERRY_OK;
    if (!ferry_shape_elements(shape, &count) || (count != 1 && (channels < 0 || count != (size_t)channels)))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "zero point %d has %zu values, not 1%s", index - 2, count,
                          channels < 0 ? "" : " or one an output channel");
    return FERRY_OK;
}

ferry_status ferry_conv_integer_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, TYPES_8, err));
    FERRY_TRY(ferry_need_types(infer, 1, TYPES_8, err));
    infer->out_dtypes[0] = FERRY_S32;
    FERRY_TRY(ferry_window_infer_conv(infer, err));
    const ferry_shape *y = &infer->out_shapes[0];
    FERRY_TRY(check_zero_point(infer, 2, FERRY_DIM_UNKNOWN, err));
    FERRY_TRY(check_zero_point(infer, 3, y->rank == FERRY_RANK_UNKNOWN ? FERRY_DIM_UNKNOWN : y->dims[1], err));
    return y->rank == FERRY_RANK_UNKNOWN ? FERRY_OK : ferry_check_size(infer, y, FERRY_S32, err);
}

static int64_t zero_point(const ferry_eval *eval, int32_t index, int64_t channel)
{
    if (!ferry_has_input(eval->node, index)) return 0;
    const ferry_tensor *t = &eval->in[index];
    return ferry_load_s64(t, ferry_tensor_elements(t) == 1 ? 0 : (size_t)channel);
}

// One output element; padding holds the zero point, so it adds nothing.
static int64_t sum_window(const ferry_tensor *x, const ferry_tensor *w, const ferry_window *window, const int64_t in[3],
                          const int64_t o[3], int64_t x_at, int64_t w_at, int64_t x_zero, int64_t w_zero)
{
    int64_t sum = 0;
    for (int64_t c = 0; c < w->dims[1]; c++)
        for (int64_t kd = 0; kd < window->kernel[0]; kd++)
            for (int64_t kh = 0; kh < window->kernel[1]; kh++)
                for (int64_t kw = 0; kw < window->kernel[2]; kw++, w_at++) {
                    const int64_t k[3] = {kd, kh, kw};
                    int64_t at = 0;
                    bool inside = true;
                    for (int i = 0; i < 3; i++) {
                        const int64_t p = o[i] * window->stride[i] + k[i] * window->dilation[i] - window->pad_begin[i];
                        inside = inside && p >= 0 && p < in[i];
                        at = at * in[i] + p;
                    }
                    if (!inside) continue;
                    at += x_at + c * in[0] * in[1] * in[2];
                    sum += (ferry_load_s64(x, (size_t)at) - x_zero) * (ferry_load_s64(w, (size_t)w_at) - w_zero);
                }
    return sum;
}

ferry_status ferry_conv_integer_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *w = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    ferry_window window;
    FERRY_TRY(ferry_window_read(eval->node, x->rank - 2, w->dims + 2, &window, err));
    int64_t in[3], out[3], o[3];
    ferry_window_dims(x, in);
    ferry_window_dims(y, out);
    ferry_window_resolve(&window, in);
    const int64_t m_per_group = w->dims[0] / ferry_node_int(eval->node, "group", 1);
    const int64_t filter = w->dims[1] * window.kernel[0] * window.kernel[1] * window.kernel[2];
    const int64_t x_zero = zero_point(eval, 2, 0);
    size_t to = 0;
    for (int64_t n = 0; n < x->dims[0]; n++)
        for (int64_t m = 0; m < w->dims[0]; m++) {
            const int64_t x_at = (n * x->dims[1] + m / m_per_group * w->dims[1]) * in[0] * in[1] * in[2];
            const int64_t w_zero = zero_point(eval, 3, m);
            for (o[0] = 0; o[0] < out[0]; o[0]++)
                for (o[1] = 0; o[1] < out[1]; o[1]++)
                    for (o[2] = 0; o[2] < out[2]; o[2]++)
                        ferry_store_s64(y, to++, sum_window(x, w, &window, in, o, x_at, m * filter, x_zero, w_zero));
        }
    return FERRY_OK;
}
