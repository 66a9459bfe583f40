// SPDX-License-Identifier: Apache-2.0
// In double: only boxes above the threshold come here, and exp() of a float overflows early.
#include "vision/decode_box.h"

#include <math.h>

double ferry_decode_apply(ferry_decode_fn fn, double value)
{
    switch (fn) {
    case FERRY_FN_SIGMOID:
        return 1 / (1 + exp(-value));
    case FERRY_FN_TANH:
        return tanh(value);
    case FERRY_FN_EXP:
        return exp(value);
    case FERRY_FN_DOUBLE_SIGMOID_SQUARED: {
        const double s = 2 / (1 + exp(-value));
        return s * s;
    }
    case FERRY_FN_NONE:
    case FERRY_FN_SOFTMAX:
        break;
    }
    return value;
}

// The expected value of a distribution over 0..bins-1 that is given by logits.
static double expected(const float *logits, int64_t step, uint32_t bins)
{
    double top = logits[0], sum = 0, weighted = 0;
    for (uint32_t i = 1; i < bins; i++) {
        if (logits[i * step] > top) top = logits[i * step];
    }
    for (uint32_t i = 0; i < bins; i++) {
        const double e = exp(logits[i * step] - top);
        sum += e;
        weighted += e * i;
    }
    return weighted / sum;
}

static double clip(double value, double most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

typedef struct frame {
    double origin[2], anchor[2]; // of this position, in pixels
} frame;

static void frame_from_prior(const ferry_binding *b, const float *p, int64_t step, frame *out)
{
    const ferry_box_rule *box = &b->form->box;
    const double input[2] = {b->input_width, b->input_height};
    for (int k = 0; k < 2; k++) {
        const double unit = box->prior_unit == FERRY_UNIT_INPUT ? input[k] : 1;
        const double low = p[k * step] * unit, high = p[(k + 2) * step] * unit;
        const bool corners = box->prior_form == FERRY_BOX_XYXY;
        out->origin[k] = corners ? (low + high) / 2 : low;
        out->anchor[k] = corners ? high - low : high;
    }
}

static frame frame_at(const ferry_binding *b, const ferry_bound_level *level, const float *prior, int64_t prior_step,
                      int64_t anchor, int64_t y, int64_t x)
{
    const ferry_box_rule *box = &b->form->box;
    const double cell[2] = {(double)x, (double)y}, stride[2] = {level->stride_x, level->stride_y};
    const double input[2] = {b->input_width, b->input_height};
    frame f = {{0, 0}, {0, 0}};
    if (level->rule && level->rule->anchors) {
        for (int k = 0; k < 2; k++) {
            const double unit = box->anchor_unit == FERRY_UNIT_STRIDE  ? stride[k]
                                : box->anchor_unit == FERRY_UNIT_INPUT ? input[k]
                                                                       : 1;
            f.anchor[k] = level->rule->anchors[anchor][k] * unit;
        }
    }
    if (box->origin == FERRY_ORIGIN_CELL || box->origin == FERRY_ORIGIN_CELL_CENTER) {
        const double half = box->origin == FERRY_ORIGIN_CELL_CENTER ? 0.5 : 0;
        for (int k = 0; k < 2; k++) f.origin[k] = (cell[k] + half) * stride[k];
    } else if (box->origin == FERRY_ORIGIN_PRIOR) {
        frame_from_prior(b, prior, prior_step, &f);
    }
    for (int k = 0; k < 2; k++) {
        if (box->clip_anchors) {
            f.origin[k] = clip(f.origin[k], input[k]);
            f.anchor[k] = clip(f.anchor[k], input[k]);
        }
        f.origin[k] += box->origin_shift;
    }
    return f;
}

static double unit_length(const ferry_binding *b, const ferry_bound_level *level, const frame *f, ferry_box_unit unit,
                          int k)
{
    switch (unit) {
    case FERRY_UNIT_STRIDE:
        return k == 0 ? level->stride_x : level->stride_y;
    case FERRY_UNIT_ANCHOR:
        return f->anchor[k];
    case FERRY_UNIT_INPUT:
        return k == 0 ? b->input_width : b->input_height;
    case FERRY_UNIT_PIXEL:
        break;
    }
    return 1;
}

static void place(const ferry_binding *b, const ferry_bound_level *level, const frame *f, const double v[4],
                  double out[4])
{
    const ferry_box_rule *box = &b->form->box;
    for (int k = 0; k < 2; k++) {
        const double unit = unit_length(b, level, f, box->size_unit, k);
        if (box->form == FERRY_BOX_XYXY) {
            out[k] = f->origin[k] + v[k] * unit;
            out[k + 2] = f->origin[k] + v[k + 2] * unit;
        } else if (box->form == FERRY_BOX_LTRB) {
            out[k] = f->origin[k] - v[k] * unit;
            out[k + 2] = f->origin[k] + v[k + 2] * unit;
        } else {
            double c = ferry_decode_apply(box->center, v[k]);
            if (box->center == FERRY_FN_SIGMOID) {
                const double own = level->rule ? level->rule->center_scale : 0;
                c = (c - 0.5) * (own != 0 ? own : box->center_scale) + 0.5;
            }
            const double center = f->origin[k] + c * unit_length(b, level, f, box->center_unit, k);
            const double size = ferry_decode_apply(box->size, v[k + 2]) * unit;
            out[k] = center - size / 2;
            out[k + 2] = center + size / 2;
        }
    }
}

bool ferry_decode_box(const ferry_binding *binding, const ferry_bound_level *level, const float *const *samples,
                      int64_t anchor, int64_t y, int64_t x, float out_box[4])
{
    const ferry_box_rule *box = &binding->form->box;
    const ferry_bound_field *at = &level->fields[FERRY_FIELD_BOXES], *prior = &level->fields[FERRY_FIELD_PRIORS];
    const float *raw = samples[at->output] + at->base + anchor * at->per_anchor + y * at->per_y + x * at->per_x;
    const float *prior_at = NULL;
    if (prior->output >= 0) {
        prior_at =
            samples[prior->output] + prior->base + anchor * prior->per_anchor + y * prior->per_y + x * prior->per_x;
    }
    double v[4], out[4];
    for (int i = 0; i < 4; i++) {
        const int from = box->swap_xy ? i ^ 1 : i;
        v[i] = box->bins ? expected(raw + (int64_t)from * box->bins * at->per_channel, at->per_channel, box->bins)
                         : raw[from * at->per_channel];
        v[i] *= box->variances[i / 2];
    }
    const frame f = frame_at(binding, level, prior_at, prior->per_channel, anchor, y, x);
    place(binding, level, &f, v, out);
    bool finite = true;
    for (int i = 0; i < 4; i++) {
        out_box[i] = (float)out[i];
        if (!isfinite(out_box[i])) finite = false;
    }
    return finite;
}
