// SPDX-License-Identifier: Apache-2.0
// The geometry of sliding windows: reading it from a node, sizes of outputs, and which positions fall inside.
#include "ops/window.h"

#include <string.h>

#include "ops/rules.h"

static ferry_status read_ints(const ferry_node *node, const char *name, int32_t n_spatial, int32_t each, int64_t min,
                              int64_t *out, ferry_error *err)
{
    int32_t count = 0;
    const int64_t *ints = ferry_node_ints(node, name, &count);
    if (!ints) return FERRY_OK;
    if (count != n_spatial * each)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s has %d values%s, the input has %d spatial dims", name, count,
                          each == 2 ? " (two a dimension)" : "", n_spatial);
    for (int32_t i = 0; i < count; i++) {
        if (ints[i] < min || ints[i] > INT32_MAX)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s[%d] is %lld, not %lld to %d", name, i, (long long)ints[i],
                              (long long)min, INT32_MAX);
        out[i] = ints[i];
    }
    return FERRY_OK;
}

static ferry_status read_auto_pad(const ferry_node *node, ferry_auto_pad *out, ferry_error *err)
{
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const char *given = ferry_node_string(node, "auto_pad", names[0]);
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++)
        if (strcmp(given, names[i]) == 0) {
            *out = (ferry_auto_pad)i;
            return FERRY_OK;
        }
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "auto_pad is '%s', not NOTSET, SAME_UPPER, SAME_LOWER or VALID", given);
}

ferry_status ferry_window_read(const ferry_node *node, int32_t n_spatial, const int64_t *kernel_dims, ferry_window *out,
                               ferry_error *err)
{
    if (n_spatial < 1 || n_spatial > 3)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "the input has %d spatial dims; ferry slides windows over 1 to 3",
                          n_spatial);
    const int32_t first = 3 - n_spatial;
    *out = (ferry_window){.n_spatial = n_spatial, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
    out->ceil_mode = ferry_node_int(node, "ceil_mode", 0) != 0;
    int64_t pads[6] = {0};
    if (kernel_dims)
        for (int32_t i = 0; i < n_spatial; i++) out->kernel[first + i] = kernel_dims[i];
    FERRY_TRY(read_ints(node, "kernel_shape", n_spatial, 1, 1, out->kernel + first, err));
    FERRY_TRY(read_ints(node, "strides", n_spatial, 1, 1, out->stride + first, err));
    FERRY_TRY(read_ints(node, "dilations", n_spatial, 1, 1, out->dilation + first, err));
    FERRY_TRY(read_ints(node, "pads", n_spatial, 2, 0, pads, err));
    FERRY_TRY(read_auto_pad(node, &out->auto_pad, err));
    // ONNX forbids pads beside auto_pad; exporters write zeros there.
    if (out->auto_pad != FERRY_AUTO_PAD_NOTSET) memset(pads, 0, sizeof pads);
    for (int32_t i = 0; i < n_spatial; i++) {
        out->pad_begin[first + i] = pads[i];
        out->pad_end[first + i] = pads[n_spatial + i];
        if (kernel_dims && kernel_dims[i] != FERRY_DIM_UNKNOWN && out->kernel[first + i] != kernel_dims[i])
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "kernel_shape[%d] is %lld, the weights have %lld", i,
                              (long long)out->kernel[first + i], (long long)kernel_dims[i]);
    }
    return FERRY_OK;
}

static void resolve_axis(ferry_window *w, int32_t axis, int64_t in)
{
    if (w->auto_pad != FERRY_AUTO_PAD_SAME_UPPER && w->auto_pad != FERRY_AUTO_PAD_SAME_LOWER) return;
    const int64_t stride = w->stride[axis];
    const int64_t left_over = in % stride == 0 ? stride : in % stride; // what the last window's stride covers
    const int64_t reach = (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    const int64_t total = in > 0 && reach > left_over ? reach - left_over : 0;
    w->pad_begin[axis] = w->auto_pad == FERRY_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
    w->pad_end[axis] = total - w->pad_begin[axis];
}

void ferry_window_resolve(ferry_window *w, const int64_t in[3])
{
    for (int32_t axis = 0; axis < 3; axis++)
        if (in[axis] != FERRY_DIM_UNKNOWN && w->kernel[axis] > 0) resolve_axis(w, axis, in[axis]);
}

ferry_status ferry_window_out(const ferry_window *window, int32_t axis, int64_t in, int64_t *out, ferry_error *err)
{
    *out = FERRY_DIM_UNKNOWN;
    if (in == FERRY_DIM_UNKNOWN || window->kernel[axis] == FERRY_DIM_UNKNOWN) return FERRY_OK;
    if (window->kernel[axis] < 1 || window->kernel[axis] > INT32_MAX)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the weights have a kernel of %lld, not 1 to %d",
                          (long long)window->kernel[axis], INT32_MAX);
    ferry_window resolved = *window;
    const ferry_window *w = &resolved;
    resolve_axis(&resolved, axis, in);
    int64_t reach = 0, padded = 0;
    if (__builtin_mul_overflow(w->kernel[axis] - 1, w->dilation[axis], &reach) ||
        __builtin_add_overflow(in, w->pad_begin[axis] + w->pad_end[axis], &padded))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "an input of %lld is too large for a window", (long long)in);
    const int64_t room = padded - (reach + 1);
    // ONNX's formula: rounded up, one window that reaches beyond the end remains.
    if (room < 0 && w->ceil_mode && -room < w->stride[axis] && in + w->pad_begin[axis] > 0) {
        *out = 1;
        return FERRY_OK;
    }
    if (room < 0)
        return ferry_fail(
            err, FERRY_ERR_BAD_MODEL, "a window of %lld does not fit an input of %lld with pads %lld and %lld",
            (long long)(reach + 1), (long long)in, (long long)w->pad_begin[axis], (long long)w->pad_end[axis]);
    int64_t n = room / w->stride[axis] + 1;
    if (w->ceil_mode && room % w->stride[axis] != 0) {
        // ONNX: a window that would begin in the end padding is left out.
        if (n * w->stride[axis] < in + w->pad_begin[axis]) n++;
    }
    *out = n;
    return FERRY_OK;
}

void ferry_window_dims(const ferry_tensor *tensor, int64_t out[3])
{
    for (int32_t i = 0; i < 3; i++) {
        const int32_t d = tensor->rank - 3 + i;
        out[i] = d >= 2 ? tensor->dims[d] : 1;
    }
}

void ferry_window_valid(const ferry_window *w, int32_t axis, int64_t k, int64_t in, int64_t out_size, int64_t *begin,
                        int64_t *end)
{
    const int64_t shift = k * w->dilation[axis] - w->pad_begin[axis]; // input position of output 0
    const int64_t stride = w->stride[axis];
    *begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    *end = in > shift ? (in - shift + stride - 1) / stride : 0;
    if (*end > out_size) *end = out_size;
    if (*begin > *end) *begin = *end;
}

static ferry_status check_channels(const ferry_shape *x, const ferry_shape *w, int64_t group, ferry_error *err)
{
    if (group < 1) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "group is %lld, not 1 or more", (long long)group);
    if (w->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (w->dims[0] != FERRY_DIM_UNKNOWN && w->dims[0] % group != 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%lld output channels do not divide into %lld groups",
                          (long long)w->dims[0], (long long)group);
    int64_t channels = 0;
    FERRY_TRY(ferry_dim_mul(w->dims[1], group, &channels, err));
    if (x->rank == FERRY_RANK_UNKNOWN || x->dims[1] == FERRY_DIM_UNKNOWN || channels == FERRY_DIM_UNKNOWN ||
        x->dims[1] == channels)
        return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                      "the input has %lld channels, the weights have %lld in each of %lld groups",
                      (long long)x->dims[1], (long long)w->dims[1], (long long)group);
}

ferry_status ferry_window_infer_conv(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *x = &infer->in_shapes[0], *w = &infer->in_shapes[1];
    const int32_t rank = x->rank != FERRY_RANK_UNKNOWN ? x->rank : w->rank;
    if (rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (rank < 3)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the input has %d dims; batch, channel and 1 to 3 spatial ones are needed", rank);
    if (w->rank != FERRY_RANK_UNKNOWN && w->rank != rank)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %d dims, the weights have %d", rank, w->rank);
    FERRY_TRY(check_channels(x, w, ferry_node_int(infer->node, "group", 1), err));

    const int32_t n_spatial = rank - 2;
    const ferry_shape unknown = ferry_shape_of_rank(rank);
    if (x->rank == FERRY_RANK_UNKNOWN) x = &unknown;
    if (w->rank == FERRY_RANK_UNKNOWN) w = &unknown;
    ferry_window window;
    FERRY_TRY(ferry_window_read(infer->node, n_spatial, w->dims + 2, &window, err));
    ferry_shape *y = &infer->out_shapes[0];
    *y = ferry_shape_of_rank(rank);
    ferry_copy_dim(y, 0, x, 0);
    ferry_copy_dim(y, 1, w, 0);
    for (int32_t i = 0; i < n_spatial; i++)
        FERRY_TRY(ferry_window_out(&window, 3 - n_spatial + i, x->dims[2 + i], &y->dims[2 + i], err));
    return FERRY_OK;
}
