// SPDX-License-Identifier: Apache-2.0
// The table of depthwise line kernels, and where their lines lie.
#include "backend/cpu/depthwise_line_f32.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, suffix) void ferry_depthwise_line_f32__##suffix(const ferry_depthwise_line *);
#include "backend/cpu/basic_rows.inc"

static const struct {
    uint32_t isa;
    ferry_depthwise_line_kernel run;
} rows[] = {
#define ROW(isa, suffix) {isa, ferry_depthwise_line_f32__##suffix},
#include "backend/cpu/basic_rows.inc"
};

ferry_depthwise_line_kernel ferry_depthwise_line_pick(uint32_t isa)
{
    ferry_depthwise_line_kernel best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = rows[i].run;
    return best;
}

bool ferry_depthwise_line_takes(const ferry_conv_shape *s)
{
    return s->window.n_spatial == 2 && s->window.kernel[1] <= FERRY_DEPTHWISE_LINES && s->x_channel == 1;
}

void ferry_depthwise_line_window(ferry_depthwise_line *l, const ferry_conv_shape *s, int64_t out_line,
                                 const float *picture, int64_t ring)
{
    const ferry_window *w = &s->window;
    const int64_t first = out_line * w->stride[1] - w->pad_begin[1];
    l->lines = (size_t)w->kernel[1];
    l->taps = (size_t)w->kernel[2];
    l->left = -(ptrdiff_t)w->pad_begin[2];
    l->in_width = (size_t)s->in[2];
    l->out_width = (size_t)s->out[2];
    l->stride = (size_t)w->stride[2];
    l->dilation = (size_t)w->dilation[2];
    l->x_step = (size_t)s->x_step[2];
    l->first_line = l->end_line = 0;
    for (int64_t h = 0; h < w->kernel[1]; h++) {
        const int64_t at = first + h * w->dilation[1];
        if (at < 0) l->first_line = l->end_line = (size_t)h + 1;
        if (at < 0 || at >= s->in[1]) continue;
        l->x[h] = picture + (ring ? at % ring : at) * s->x_step[1];
        l->end_line = (size_t)h + 1;
    }
}
