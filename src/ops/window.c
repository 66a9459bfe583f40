// SPDX-License-Identifier: Apache-2.0
// The geometry of sliding windows: reading it from a node, sizes of outputs, and which positions fall inside.
#include "ops/window.h"

static ferry_status read_ints(const ferry_node *node, const char *name, int32_t need, int64_t min, int64_t *out,
                              ferry_error *err)
{
    int32_t count = 0;
    const int64_t *ints = ferry_node_ints(node, name, &count);
    if (!ints) return FERRY_OK;
    if (count != need) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s has %d values, not %d", name, count, need);
    for (int32_t i = 0; i < count; i++) {
        if (ints[i] < min || ints[i] > INT32_MAX)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s[%d] is %lld", name, i, (long long)ints[i]);
        out[i] = ints[i];
    }
    return FERRY_OK;
}

ferry_status ferry_window_read(const ferry_node *node, int32_t n_spatial, const int64_t *kernel_dims, ferry_window *out,
                               ferry_error *err)
{
    if (n_spatial < 1 || n_spatial > 3)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "%d spatial dimensions; 1 to 3 are supported", n_spatial);
    const int32_t first = 3 - n_spatial;
    *out = (ferry_window){.n_spatial = n_spatial, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
    out->ceil_mode = ferry_node_int(node, "ceil_mode", 0) != 0;
    int64_t pads[6] = {0};
    if (kernel_dims)
        for (int32_t i = 0; i < n_spatial; i++) out->kernel[first + i] = kernel_dims[i];
    FERRY_TRY(read_ints(node, "kernel_shape", n_spatial, 1, out->kernel + first, err));
    FERRY_TRY(read_ints(node, "strides", n_spatial, 1, out->stride + first, err));
    FERRY_TRY(read_ints(node, "dilations", n_spatial, 1, out->dilation + first, err));
    FERRY_TRY(read_ints(node, "pads", 2 * n_spatial, 0, pads, err));
    for (int32_t i = 0; i < n_spatial; i++) {
        out->pad_begin[first + i] = pads[i];
        out->pad_end[first + i] = pads[n_spatial + i];
        if (kernel_dims && out->kernel[first + i] != kernel_dims[i])
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "kernel_shape[%d] is %lld, the weights have %lld", i,
                              (long long)out->kernel[first + i], (long long)kernel_dims[i]);
    }
    return FERRY_OK;
}

ferry_status ferry_window_out(const ferry_window *w, int32_t axis, int64_t in, int64_t *out, ferry_error *err)
{
    *out = FERRY_DIM_UNKNOWN;
    if (in == FERRY_DIM_UNKNOWN) return FERRY_OK;
    int64_t reach = 0, padded = 0;
    if (w->kernel[axis] < 1 || __builtin_mul_overflow(w->kernel[axis] - 1, w->dilation[axis], &reach) ||
        __builtin_add_overflow(in, w->pad_begin[axis] + w->pad_end[axis], &padded))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "window size overflows");
    const int64_t room = padded - (reach + 1);
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

ferry_status ferry_window_infer_conv(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *x = &infer->in_shapes[0], *w = &infer->in_shapes[1];
    if (x->rank == FERRY_RANK_UNKNOWN || w->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (x->rank < 3 || w->rank != x->rank)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input has rank %d, weights have rank %d", x->rank, w->rank);
    const int32_t n_spatial = x->rank - 2;
    for (int32_t i = 0; i < w->rank; i++)
        if (w->dims[i] == FERRY_DIM_UNKNOWN) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "weights of unknown size");
    ferry_window window;
    FERRY_TRY(ferry_window_read(infer->node, n_spatial, w->dims + 2, &window, err));
    const int64_t group = ferry_node_int(infer->node, "group", 1);
    if (group < 1 || w->dims[0] % group != 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%lld output channels in %lld groups", (long long)w->dims[0],
                          (long long)group);
    int64_t channels = 0;
    if (__builtin_mul_overflow(w->dims[1], group, &channels) ||
        (x->dims[1] != FERRY_DIM_UNKNOWN && x->dims[1] != channels))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input has %lld channels, weights have %lld in each of %lld groups",
                          (long long)x->dims[1], (long long)w->dims[1], (long long)group);
    ferry_shape *y = &infer->out_shapes[0];
    *y = *x;
    y->dims[1] = w->dims[0];
    y->symbols[1] = FERRY_NO_SYMBOL;
    for (int32_t i = 0; i < n_spatial; i++) {
        y->symbols[2 + i] = FERRY_NO_SYMBOL;
        FERRY_TRY(ferry_window_out(&window, 3 - n_spatial + i, x->dims[2 + i], &y->dims[2 + i], err));
    }
    return FERRY_OK;
}
