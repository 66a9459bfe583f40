// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/depthwise_shape.h"

bool ferry_conv_is_depthwise(const ferry_conv_shape *shape)
{
    return shape->c_each == 1 && shape->m_each == 1 && shape->taps <= FERRY_DEPTHWISE_TAPS;
}

// Taps of the window at output column `column` that lie inside; all columns when `whole`.
static size_t collect(const ferry_conv_shape *s, const int64_t first[2], int64_t column, bool whole, size_t w_step,
                      ferry_depthwise_tap *taps)
{
    const int64_t *kernel = s->window.kernel, *dilation = s->window.dilation;
    const int64_t left = column * s->window.stride[2] - s->window.pad_begin[2];
    size_t n = 0;
    for (int64_t d = 0; d < kernel[0]; d++) {
        const int64_t in_d = first[0] + d * dilation[0];
        if (in_d < 0 || in_d >= s->in[0]) continue;
        for (int64_t h = 0; h < kernel[1]; h++) {
            const int64_t in_h = first[1] + h * dilation[1];
            if (in_h < 0 || in_h >= s->in[1]) continue;
            for (int64_t w = 0; w < kernel[2]; w++) {
                const int64_t in_w = left + w * dilation[2];
                if (!whole && (in_w < 0 || in_w >= s->in[2])) continue;
                const int64_t tap = (d * kernel[1] + h) * kernel[2] + w;
                taps[n++] = (ferry_depthwise_tap){
                    .x = (ptrdiff_t)(d * dilation[0] * s->x_step[0] + h * dilation[1] * s->x_step[1] +
                                     w * dilation[2] * s->x_step[2]),
                    .w = (ptrdiff_t)tap * (ptrdiff_t)w_step,
                };
            }
        }
    }
    return n;
}

// Output columns [*begin, *end) whose windows lie inside from left to right.
static void whole_columns(const ferry_conv_shape *s, int64_t *begin, int64_t *end)
{
    int64_t none = 0, first_begin = 0, last_end = 0;
    ferry_window_valid(&s->window, 2, 0, s->in[2], s->out[2], &first_begin, &none);
    ferry_window_valid(&s->window, 2, s->window.kernel[2] - 1, s->in[2], s->out[2], &none, &last_end);
    *begin = first_begin < s->out[2] ? first_begin : s->out[2];
    *end = last_end > *begin ? last_end : *begin;
}

void ferry_depthwise_row(const ferry_conv_shape *s, size_t row, size_t w_step,
                         void (*span)(void *user, const ferry_depthwise_span *span, const ferry_depthwise_tap *taps),
                         void *user)
{
    ferry_depthwise_tap taps[FERRY_DEPTHWISE_TAPS];
    const int64_t out_h = (int64_t)row % s->out[1], rest = (int64_t)row / s->out[1];
    const int64_t out_d = rest % s->out[0], picture = rest / s->out[0];
    const int64_t first[2] = {out_d * s->window.stride[0] - s->window.pad_begin[0],
                              out_h * s->window.stride[1] - s->window.pad_begin[1]};
    const int64_t line = picture * s->x_batch + first[0] * s->x_step[0] + first[1] * s->x_step[1];
    int64_t begin = 0, end = 0;
    whole_columns(s, &begin, &end);
    for (int64_t column = 0; column < s->out[2];) {
        const bool whole = column >= begin && column < end;
        const int64_t left = column * s->window.stride[2] - s->window.pad_begin[2];
        const ferry_depthwise_span part = {
            .x_at = line + left * s->x_step[2],
            .first = column,
            .count = whole ? end - column : 1,
            .n_taps = collect(s, first, column, whole, w_step, taps),
        };
        span(user, &part, taps);
        column += part.count;
    }
}
