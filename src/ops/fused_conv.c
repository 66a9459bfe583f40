// SPDX-License-Identifier: Apache-2.0
// The reference kernel of ferry.FusedConv: convolution, bias, activation and residual in one, in float.
#include <string.h>

#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/fused.h"
#include "ops/window.h"

static bool as_f32(const ferry_tensor *tensor)
{
    return tensor->dtype == FERRY_F32;
}

static size_t plane_elements(const ferry_tensor *y)
{
    int64_t out[3];
    ferry_window_dims(y, out);
    return (size_t)(out[0] * out[1] * out[2]);
}

size_t ferry_fused_conv_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out)
{
    (void)node;
    size_t bytes = ferry_align_size(plane_elements(&out[0]) * sizeof(double), 64);
    for (int i = 0; i < 2; i++)
        if (!as_f32(&in[i])) bytes += ferry_align_size(ferry_tensor_elements(&in[i]) * sizeof(float), 64);
    return bytes;
}

static const float *widen(const ferry_tensor *tensor, char **scratch)
{
    if (as_f32(tensor)) return tensor->data;
    const size_t n = ferry_tensor_elements(tensor);
    float *to = (float *)*scratch;
    *scratch += ferry_align_size(n * sizeof(float), 64);
    for (size_t i = 0; i < n; i++) to[i] = (float)ferry_load_f64(tensor, i);
    return to;
}

// Adds one filter tap to every output position that it reaches.
static void add_tap(const ferry_window *w, const float *x, const int64_t in[3], const int64_t out[3],
                    const int64_t k[3], double weight, double *acc)
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
            const float *from = x + row * in[2] + shift[2];
            double *to = acc + (d * out[1] + h) * out[2];
            for (int64_t i = begin[2]; i < end[2]; i++) to[i] += weight * (double)from[i * stride];
        }
    }
}

ferry_status ferry_fused_conv_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *w = &eval->in[1];
    const ferry_tensor *bias = ferry_eval_optional(eval, 2), *residual = ferry_eval_optional(eval, 3);
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

    double *acc = eval->scratch;
    char *scratch = (char *)eval->scratch + ferry_align_size(plane * sizeof(double), 64);
    const float *xs = widen(x, &scratch), *ws = widen(w, &scratch);
    for (int64_t n = 0; n < x->dims[0]; n++) {
        for (int64_t m = 0; m < w->dims[0]; m++) {
            const double b = bias ? ferry_load_f64(bias, (size_t)m) : 0.0;
            for (size_t i = 0; i < plane; i++) acc[i] = b;
            for (int64_t c = 0; c < c_per_group; c++) {
                const int64_t channel = n * x->dims[1] + m / m_per_group * c_per_group + c;
                const float *filter = ws + (size_t)(m * c_per_group + c) * taps;
                int64_t k[3];
                for (k[0] = 0; k[0] < kernel[0]; k[0]++)
                    for (k[1] = 0; k[1] < kernel[1]; k[1]++)
                        for (k[2] = 0; k[2] < kernel[2]; k[2]++)
                            add_tap(&window, xs + (size_t)channel * in_plane, in, out, k, (double)*filter++, acc);
            }
            const size_t at = (size_t)(n * w->dims[0] + m) * plane;
            for (size_t i = 0; i < plane; i++) {
                const float t = (float)acc[i];
                ferry_epilogue_store(
                    y, at + i,
                    residual ? ferry_epilogue_apply_residual(&epilogue, t, (float)ferry_load_f64(residual, at + i))
                             : ferry_epilogue_apply(&epilogue, t));
            }
        }
    }
    return FERRY_OK;
}
