// SPDX-License-Identifier: Apache-2.0
// Reading Resize and QResize nodes.
#include "backend/reading/resize_node.h"

#include "ops/element.h"

bool ferry_resize_axis_is_identity(const ferry_resize_axis *axis)
{
    return axis->in == axis->out && axis->scale == 1;
}

bool ferry_resize_node_scale(const ferry_graph *graph, const ferry_node *node, int32_t input, int32_t i, double *out)
{
    const ferry_value *value = ferry_node_value(graph, node, input);
    if (!value || !ferry_value_is_constant(value) || !ferry_dtype_is_float(value->dtype) ||
        ferry_value_elements(value) <= (double)i)
        return false;
    const ferry_tensor t = ferry_value_tensor(value);
    *out = ferry_load_f64(&t, (size_t)i);
    return true;
}

// An input that is there but empty counts as absent.
static bool is_given(const ferry_graph *graph, const ferry_node *node, int32_t i)
{
    const ferry_value *value = ferry_node_value(graph, node, i);
    return value && ferry_value_elements(value) > 0;
}

bool ferry_resize_node_read(const ferry_graph *graph, const ferry_node *node, const ferry_tensor_desc *x,
                            const ferry_tensor_desc *y, ferry_resize_options *options, ferry_resize_axis *axes)
{
    if (x->rank != y->rank || x->rank < 1 || ferry_resize_options_read(node, options, NULL) != FERRY_OK) return false;
    if (options->coordinates == FERRY_COORDINATES_TF_CROP_AND_RESIZE || options->antialias ||
        options->exclude_outside || options->policy != FERRY_RESIZE_STRETCH || ferry_node_attr(node, "axes"))
        return false;
    const bool by_scales = !is_given(graph, node, 3);
    for (int32_t d = 0; d < x->rank; d++) {
        if (x->dims[d] < 1 || y->dims[d] < 1 || x->dims[d] > INT32_MAX || y->dims[d] > INT32_MAX) return false;
        double scale = (double)y->dims[d] / (double)x->dims[d], width = (double)y->dims[d];
        if (by_scales && !ferry_resize_node_scale(graph, node, 2, d, &scale)) return false;
        if (by_scales) width = scale * (double)x->dims[d];
        if (!(scale * (double)x->dims[d] >= 0.5)) return false;
        axes[d] = (ferry_resize_axis){
            .in = x->dims[d], .out = y->dims[d], .scale = scale, .width = width, .roi_begin = 0, .roi_end = 1};
    }
    return true;
}
