// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/index_node.h"

#include <string.h>

#include "backend/cuda/broadcast_text.h"
#include "backend/cuda/move.h"
#include "backend/reading/conv_shape.h"
#include "ops/element.h"
#include "ops/rules.h"

#define DIMS FERRY_CUDA_INDEX_DIMS

static const char *const names[] = {"GatherElements", "GatherND", "ScatterElements", "ScatterND", "OneHot"};

static bool read_kind(const ferry_node *node, ferry_cuda_index *n)
{
    static const char *const reductions[] = {"none", "add", "mul", "max", "min"};
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        if (!ferry_node_is(node, names[i]) && !(i == FERRY_CUDA_SCATTER_ELEMENTS && ferry_node_is(node, "Scatter")))
            continue;
        n->kind = (ferry_cuda_index_kind)i;
        if (node->n_inputs != (n->kind <= FERRY_CUDA_GATHER_ND ? 2 : 3)) return false;
        if (n->kind != FERRY_CUDA_SCATTER_ELEMENTS && n->kind != FERRY_CUDA_SCATTER_ND) return true;
        const char *reduction = ferry_node_string(node, "reduction", "none");
        for (size_t r = 0; r < FERRY_COUNT_OF(reductions); r++) {
            n->reduction = (ferry_cuda_reduction)r;
            if (strcmp(reduction, reductions[r]) == 0) return true;
        }
        return false;
    }
    return false;
}

static bool is_sized(const ferry_tensor_desc *desc)
{
    int64_t elements = 0;
    return ferry_cuda_elements(desc, &elements) && ferry_tensor_desc_is_dense(desc, FERRY_LAYOUT_PLAIN);
}

// Along an axis, the indices as a part of the data but for the axis.
static bool read_along(const ferry_node *node, const ferry_tensor_desc *data, const ferry_tensor_desc *indices,
                       ferry_cuda_index *n)
{
    int32_t axis = 0;
    if (data->rank < 1 || data->rank > DIMS || indices->rank != data->rank ||
        ferry_axis(ferry_node_int(node, "axis", 0), data->rank, &axis, NULL) != FERRY_OK)
        return false;
    const int32_t skip = DIMS - data->rank;
    const bool scatters = n->kind == FERRY_CUDA_SCATTER_ELEMENTS;
    n->lines = 1;
    for (int32_t d = 0; d < DIMS; d++) n->dims[d] = 1;
    for (int32_t d = 0; d < data->rank; d++) {
        if (d == axis && scatters) continue;
        n->dims[skip + d] = indices->dims[d];
        n->steps[skip + d] = d == axis ? 0 : data->strides[d];
        n->index_steps[skip + d] = indices->strides[d];
        n->lines *= indices->dims[d];
        if (d != axis && indices->dims[d] > data->dims[d]) return false;
    }
    n->length = data->dims[axis];
    n->axis_step = data->strides[axis];
    n->count = indices->dims[axis];
    n->index_step = indices->strides[axis];
    return n->length > 0 || n->lines == 0 || (scatters && n->count == 0);
}

static bool read_nd(const ferry_tensor_desc *data, const ferry_tensor_desc *indices, int32_t batch, ferry_cuda_index *n)
{
    if (indices->rank < 1 || batch < 0 || batch >= indices->rank || batch > data->rank) return false;
    n->depth = indices->dims[indices->rank - 1];
    if (n->depth < 1 || n->depth > DIMS || n->depth > data->rank - batch) return false;
    n->rows = n->part = n->slice = 1;
    for (int32_t d = 0; d < batch; d++)
        if (indices->dims[d] != data->dims[d]) return false;
    for (int32_t d = batch; d < indices->rank - 1; d++) n->rows *= indices->dims[d];
    for (int32_t d = batch; d < data->rank; d++) {
        n->part *= data->dims[d];
        if (d >= batch + n->depth) n->slice *= data->dims[d];
    }
    for (int32_t d = 0; d < n->depth; d++) {
        n->dims[d] = data->dims[batch + d];
        n->steps[d] = data->strides[batch + d];
    }
    return true;
}

// The indices' dims but the last, then the data's behind those that are indexed.
static bool is_result_of_nd(const ferry_tensor_desc *data, const ferry_tensor_desc *indices, int32_t first,
                            const ferry_tensor_desc *y)
{
    if (y->rank != indices->rank - 1 + data->rank - first) return false;
    for (int32_t d = 0; d < y->rank; d++)
        if (y->dims[d] != (d < indices->rank - 1 ? indices->dims[d] : data->dims[first + d - indices->rank + 1]))
            return false;
    return true;
}

static bool read_one_hot(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                         const ferry_tensor_desc *y, ferry_cuda_index *n)
{
    int32_t axis = 0;
    if (y->rank != x[0].rank + 1 || !ferry_node_has_constant(g, node, 1) ||
        ferry_axis(ferry_node_int(node, "axis", -1), y->rank, &axis, NULL) != FERRY_OK)
        return false;
    const ferry_tensor depth = ferry_value_tensor(ferry_node_value(g, node, 1));
    if (ferry_read_int(&depth, "depth", &n->depth, NULL) != FERRY_OK || y->dims[axis] != n->depth) return false;
    n->slice = 1;
    for (int32_t d = 0; d < x[0].rank; d++) {
        if (y->dims[d < axis ? d : d + 1] != x[0].dims[d]) return false;
        if (d >= axis) n->slice *= x[0].dims[d];
    }
    int64_t values = 0;
    return ferry_cuda_elements(&x[2], &values) && values == 2;
}

static bool read_shapes(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                        const ferry_tensor_desc *y, ferry_cuda_index *n)
{
    const int32_t batch = (int32_t)ferry_node_int(node, "batch_dims", 0);
    switch (n->kind) {
    case FERRY_CUDA_GATHER_ELEMENTS:
        return ferry_tensor_desc_same_dims(&x[1], y) && read_along(node, &x[0], &x[1], n);
    case FERRY_CUDA_GATHER_ND:
        return read_nd(&x[0], &x[1], batch, n) && is_result_of_nd(&x[0], &x[1], batch + (int32_t)n->depth, y) &&
               (n->part > 0 || n->elements == 0);
    case FERRY_CUDA_SCATTER_ELEMENTS:
        return ferry_tensor_desc_same_dims(&x[0], y) && ferry_tensor_desc_same_dims(&x[1], &x[2]) &&
               read_along(node, &x[0], &x[1], n);
    case FERRY_CUDA_SCATTER_ND:
        return ferry_tensor_desc_same_dims(&x[0], y) && read_nd(&x[0], &x[1], 0, n) &&
               is_result_of_nd(&x[0], &x[1], (int32_t)n->depth, &x[2]);
    case FERRY_CUDA_ONE_HOT:
        return read_one_hot(g, node, x, y, n);
    }
    return false;
}

bool ferry_cuda_index_read(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                           const ferry_tensor_desc *y, ferry_cuda_index *out)
{
    *out = (ferry_cuda_index){0};
    if (!read_kind(node, out)) return false;
    const bool hot = out->kind == FERRY_CUDA_ONE_HOT;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (!ferry_node_value(g, node, i) || !is_sized(&x[i])) return false;
        const bool is_data = hot ? i == 2 : i != 1;
        if (is_data && x[i].dtype != y->dtype) return false;
    }
    out->index_dtype = x[hot ? 0 : 1].dtype;
    if ((out->index_dtype != FERRY_S32 && out->index_dtype != FERRY_S64) || !ferry_cuda_word_name(y->dtype) ||
        (out->reduction && (!ferry_cuda_any_type_name(y->dtype) || y->dtype == FERRY_BOOL)))
        return false;
    return is_sized(y) && ferry_cuda_elements(y, &out->elements) && read_shapes(g, node, x, y, out);
}

bool ferry_cuda_index_read_graph(const ferry_graph *g, const ferry_node *node, ferry_cuda_index *out)
{
    ferry_tensor_desc x[3];
    for (int32_t i = 0; i < node->n_inputs && i < 3; i++) {
        if (!ferry_node_value(g, node, i)) return false;
        x[i] = ferry_value_describe(ferry_node_value(g, node, i), FERRY_LAYOUT_PLAIN);
    }
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, node), FERRY_LAYOUT_PLAIN);
    return node->n_inputs <= 3 && ferry_cuda_index_read(g, node, x, &y, out);
}
