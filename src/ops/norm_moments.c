// SPDX-License-Identifier: Apache-2.0
// Normalisations that measure mean and variance themselves: per plane, per group of channels, or over chosen axes.
#include <math.h>

#include "ops/element.h"
#include "ops/norm.h"
#include "ops/rules.h"

typedef struct moments {
    double mean, variance;
} moments;

// Of n elements that lie side by side. Two passes: the variance of close values survives.
static moments measure(const ferry_tensor *x, size_t first, size_t n)
{
    moments m = {0, 0};
    for (size_t i = 0; i < n; i++) m.mean += ferry_load_f64(x, first + i);
    m.mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
        const double off = ferry_load_f64(x, first + i) - m.mean;
        m.variance += off * off;
    }
    m.variance /= (double)n;
    return m;
}

static size_t plane_of(const ferry_tensor *x)
{
    size_t plane = 1;
    for (int32_t d = 2; d < x->rank; d++) plane *= (size_t)x->dims[d];
    return plane;
}

static ferry_status infer_per_channel(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    const int32_t rank = infer->in_shapes[0].rank;
    if (rank != FERRY_RANK_UNKNOWN && rank < 2)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %d dims; batch and channel are needed", rank);
    FERRY_TRY(ferry_norm_check_channels(infer, 1, "scale", err));
    FERRY_TRY(ferry_norm_check_channels(infer, 2, "bias", err));
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

// Groups of `per_group` channels share their moments; scale and bias are those of each channel.
static void normalise_groups(const ferry_eval *eval, size_t per_group)
{
    const ferry_tensor *x = &eval->in[0];
    const double epsilon = (double)ferry_node_float(eval->node, "epsilon", 1e-5f);
    const size_t channels = (size_t)x->dims[1], plane = plane_of(x), batch = (size_t)x->dims[0];
    if (plane == 0) return;
    for (size_t first = 0; first < batch * channels; first += per_group) {
        const moments m = measure(x, first * plane, per_group * plane);
        const double inverse = 1 / sqrt(m.variance + epsilon);
        for (size_t c = first; c < first + per_group; c++) {
            const double scale = ferry_load_f64(&eval->in[1], c % channels);
            const double bias = ferry_load_f64(&eval->in[2], c % channels);
            for (size_t i = c * plane; i < (c + 1) * plane; i++)
                ferry_store_f64(&eval->out[0], i, (ferry_load_f64(x, i) - m.mean) * inverse * scale + bias);
        }
    }
}

ferry_status ferry_instance_norm_infer(ferry_infer *infer, ferry_error *err)
{
    return infer_per_channel(infer, err);
}

ferry_status ferry_instance_norm_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    normalise_groups(eval, 1);
    return FERRY_OK;
}

ferry_status ferry_group_norm_infer(ferry_infer *infer, ferry_error *err)
{
    const int64_t groups = ferry_node_int(infer->node, "num_groups", 0);
    const ferry_shape *x = &infer->in_shapes[0];
    FERRY_TRY(infer_per_channel(infer, err));
    if (groups < 1) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "num_groups is %lld, not 1 or more", (long long)groups);
    if (x->rank != FERRY_RANK_UNKNOWN && x->dims[1] != FERRY_DIM_UNKNOWN && x->dims[1] % groups != 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%lld channels do not divide into %lld groups",
                          (long long)x->dims[1], (long long)groups);
    return FERRY_OK;
}

ferry_status ferry_group_norm_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const int64_t per_group = eval->in[0].dims[1] / ferry_node_int(eval->node, "num_groups", 1);
    if (per_group > 0) normalise_groups(eval, (size_t)per_group);
    return FERRY_OK;
}

static ferry_status mvn_axes(const ferry_node *node, int32_t rank, bool *out_flags, ferry_error *err)
{
    static const int64_t usual[] = {0, 2, 3};
    int32_t count = 0;
    const int64_t *axes = ferry_node_ints(node, "axes", &count);
    return axes ? ferry_axes_flags(axes, count, rank, out_flags, err)
                : ferry_axes_flags(usual, 3, rank, out_flags, err);
}

ferry_status ferry_mvn_infer(ferry_infer *infer, ferry_error *err)
{
    bool flags[FERRY_MAX_RANK];
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    ferry_infer_like_first(infer);
    if (infer->in_shapes[0].rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    return mvn_axes(infer->node, infer->in_shapes[0].rank, flags, err);
}

// Steps through the dimensions whose flag is `want`; false after the last position. *io_at is the element's index.
static bool next(const ferry_tensor *x, const bool *flags, bool want, int64_t *index, size_t *io_at)
{
    size_t stride = 1;
    for (int32_t d = x->rank - 1; d >= 0; stride *= (size_t)x->dims[d--]) {
        if (flags[d] != want) continue;
        if (++index[d] < x->dims[d]) {
            *io_at += stride;
            return true;
        }
        *io_at -= (size_t)(x->dims[d] - 1) * stride;
        index[d] = 0;
    }
    return false;
}

ferry_status ferry_mvn_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    bool flags[FERRY_MAX_RANK];
    FERRY_TRY(mvn_axes(eval->node, x->rank, flags, err));
    if (ferry_tensor_elements(x) == 0) return FERRY_OK;
    int64_t outer[FERRY_MAX_RANK] = {0}, inner[FERRY_MAX_RANK] = {0};
    size_t first = 0;
    do {
        moments m = {0, 0};
        double count = 0;
        size_t at = first;
        do {
            m.mean += ferry_load_f64(x, at);
            count++;
        } while (next(x, flags, true, inner, &at));
        m.mean /= count;
        do {
            const double off = ferry_load_f64(x, at) - m.mean;
            m.variance += off * off;
        } while (next(x, flags, true, inner, &at));
        const double deviation = sqrt(m.variance / count) + 1e-9; // ONNX's own guard against 0
        do {
            ferry_store_f64(&eval->out[0], at, (ferry_load_f64(x, at) - m.mean) / deviation);
        } while (next(x, flags, true, inner, &at));
    } while (next(x, flags, false, outer, &first));
    return FERRY_OK;
}
