// SPDX-License-Identifier: Apache-2.0
// Geometry of convolutions: shapes that may come from a file are checked here, once, so that kernels can trust them.
#include "backend/reading/conv_shape.h"

#include <string.h>

static void spatial(const ferry_tensor_desc *desc, int64_t dims[3], int64_t steps[3])
{
    for (int32_t i = 0; i < 3; i++) {
        const int32_t d = desc->rank - 3 + i;
        dims[i] = d >= 2 ? desc->dims[d] : 1;
        steps[i] = d >= 2 ? desc->strides[d] : 0;
    }
}

static bool fits(const ferry_conv_shape *s, const ferry_tensor_desc *x, const int64_t *w_dims,
                 const ferry_tensor_desc *y)
{
    int64_t c_in = 0;
    if (s->group < 1 || w_dims[0] < 1 || w_dims[1] < 1 || w_dims[0] % s->group != 0) return false;
    if (__builtin_mul_overflow(w_dims[1], s->group, &c_in)) return false;
    return x->dims[1] == c_in && y->dims[1] == w_dims[0] && x->dims[0] == y->dims[0] && x->dims[0] >= 0;
}

ferry_status ferry_conv_shape_read(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank,
                                   const int64_t *w_dims, const ferry_tensor_desc *y, ferry_conv_shape *out,
                                   ferry_error *err)
{
    return ferry_conv_shape_read_grouped(node, x, w_rank, w_dims, ferry_node_int(node, "group", 1), y, out, err);
}

ferry_status ferry_conv_shape_read_grouped(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank,
                                           const int64_t *w_dims, int64_t group, const ferry_tensor_desc *y,
                                           ferry_conv_shape *out, ferry_error *err)
{
    *out = (ferry_conv_shape){.group = group};
    if (x->rank < 3 || x->rank > 5 || w_rank != x->rank || y->rank != x->rank || !fits(out, x, w_dims, y))
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a convolution's input, weights and output do not fit together");
    FERRY_TRY(ferry_window_read(node, x->rank - 2, w_dims + 2, &out->window, err));
    int64_t y_steps[3];
    spatial(x, out->in, out->x_step);
    spatial(y, out->out, y_steps);
    out->taps = out->out_plane = 1;
    for (int32_t i = 0; i < 3; i++) {
        int64_t expected = 0;
        FERRY_TRY(ferry_window_out(&out->window, i, out->in[i], &expected, err));
        if (expected != out->out[i])
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a convolution's output is %lld, not %lld",
                              (long long)out->out[i], (long long)expected);
        if (__builtin_mul_overflow(out->taps, out->window.kernel[i], &out->taps) ||
            __builtin_mul_overflow(out->out_plane, out->out[i], &out->out_plane))
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a convolution beyond all memory");
    }
    ferry_window_resolve(&out->window, out->in);
    out->batch = x->dims[0];
    out->c_in = x->dims[1];
    out->c_out = y->dims[1];
    out->c_each = w_dims[1];
    out->m_each = out->c_out / out->group;
    out->x_batch = x->strides[0];
    out->x_channel = x->strides[1];
    return FERRY_OK;
}

bool ferry_conv_shape_is_pointwise(const ferry_conv_shape *s)
{
    if (s->taps != 1) return false;
    for (int32_t i = 0; i < 3; i++)
        if (s->window.stride[i] != 1 || s->window.pad_begin[i] != 0 || s->window.pad_end[i] != 0) return false;
    return true;
}

int32_t ferry_conv_residual_index(const ferry_node *node)
{
    return ferry_node_is(node, "QConv") ? 4 : ferry_node_is(node, "FusedConv") ? 3 : -1;
}

bool ferry_conv_node_is_offered(const ferry_graph_view *view, ferry_node_id root, ferry_conv_shape *shape)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    const int32_t residual = ferry_conv_residual_index(node);
    if (!ferry_node_is_plain(view, root) || !ferry_node_has_constant(g, node, 1)) return false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const bool constant = ferry_node_has_constant(g, node, i), bound = i == 0 || i == residual;
        if (node->inputs[i] != FERRY_NO_VALUE && constant == bound) return false;
    }
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    const ferry_value *y = ferry_node_result(g, node);
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST);
    const ferry_tensor_desc out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    return ferry_conv_shape_read(node, &in, w->shape.rank, w->shape.dims, &out, shape, NULL) == FERRY_OK;
}
