// SPDX-License-Identifier: Apache-2.0
// The reference kernel of ferry.QConv: exact int32 sums, then the epilogue of docs/INT8.md.
#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/integer.h"
#include "ops/window.h"

static size_t plane_elements(const ferry_tensor *y)
{
    int64_t out[3];
    ferry_window_dims(y, out);
    return (size_t)(out[0] * out[1] * out[2]);
}

size_t ferry_qconv_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out)
{
    (void)node;
    (void)in;
    return plane_elements(&out[0]) * sizeof(int32_t);
}

// Adds one filter tap to every output position that it reaches: padding, which holds `zero`, is in the sums already.
static void add_tap(const ferry_window *w, const int8_t *x, int32_t zero, const int64_t in[3], const int64_t out[3],
                    const int64_t k[3], int32_t weight, int32_t *acc)
{
    int64_t begin[3], end[3], shift[3];
    for (int i = 0; i < 3; i++) {
        ferry_window_valid(w, i, k[i], in[i], out[i], &begin[i], &end[i]);
        shift[i] = k[i] * w->dilation[i] - w->pad_begin[i];
    }
    const int64_t stride = w->stride[2];
    for (int64_t d = begin[0]; d < end[0]; d++) {
        for (int64_t h = begin[1]; h < end[1]; h++) {
            const int64_t row = (d * w->stride[0] + shift[0]) * in[1] + h * w->stride[1] + shift[1];
            const int8_t *from = x + row * in[2] + shift[2];
            int32_t *to = acc + (d * out[1] + h) * out[2];
            if (stride == 1)
                for (int64_t i = begin[2]; i < end[2]; i++) to[i] += weight * (from[i] - zero);
            else
                for (int64_t i = begin[2]; i < end[2]; i++) to[i] += weight * (from[i * stride] - zero);
        }
    }
}

ferry_status ferry_qconv_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *w = &eval->in[1];
    const float *mult = eval->in[2].data, *bias = eval->in[3].data;
    const ferry_tensor *residual = ferry_eval_optional(eval, 4);
    ferry_tensor *y = &eval->out[0];
    ferry_window window;
    ferry_epilogue epilogue;
    FERRY_TRY(ferry_window_read(eval->node, x->rank - 2, w->dims + 2, &window, err));
    FERRY_TRY(ferry_epilogue_read(eval->node, &epilogue, err));

    int64_t in[3], out[3];
    ferry_window_dims(x, in);
    ferry_window_dims(y, out);
    const int64_t group = ferry_node_int(eval->node, "group", 1);
    const int64_t c_per_group = w->dims[1], m_per_group = w->dims[0] / group;
    const int64_t *kernel = window.kernel;
    const size_t taps = (size_t)(kernel[0] * kernel[1] * kernel[2]);
    const size_t in_plane = (size_t)(in[0] * in[1] * in[2]), plane = plane_elements(y);
    const int32_t zero = ferry_zero_point(eval->node, "x_zero");
    const int8_t *xs = x->data, *ws = w->data;
    int32_t *acc = eval->scratch;

    for (int64_t n = 0; n < x->dims[0]; n++) {
        for (int64_t m = 0; m < w->dims[0]; m++) {
            const size_t filter_size = (size_t)c_per_group * taps;
            int32_t padded = 0;
            for (size_t i = 0; i < filter_size; i++) padded += zero * ws[(size_t)m * filter_size + i];
            for (size_t i = 0; i < plane; i++) acc[i] = padded;
            for (int64_t c = 0; c < c_per_group; c++) {
                const int64_t channel = n * x->dims[1] + m / m_per_group * c_per_group + c;
                const int8_t *filter = ws + (size_t)(m * c_per_group + c) * taps;
                int64_t k[3];
                for (k[0] = 0; k[0] < kernel[0]; k[0]++)
                    for (k[1] = 0; k[1] < kernel[1]; k[1]++)
                        for (k[2] = 0; k[2] < kernel[2]; k[2]++)
                            add_tap(&window, xs + (size_t)channel * in_plane, zero, in, out, k, *filter++, acc);
            }
            const size_t at = (size_t)(n * w->dims[0] + m) * plane;
            for (size_t i = 0; i < plane; i++) {
                const float t = fmaf((float)acc[i], mult[m], bias[m]);
                ferry_epilogue_store(
                    y, at + i,
                    residual ? ferry_epilogue_apply_residual(&epilogue, t, (float)ferry_load_f64(residual, at + i))
                             : ferry_epilogue_apply(&epilogue, t));
            }
        }
    }
    return FERRY_OK;
}
