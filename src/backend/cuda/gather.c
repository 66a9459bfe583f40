// SPDX-License-Identifier: Apache-2.0
// Gather: rows taken by constant or computed indices.
#include <string.h>

#include "backend/cuda/inputs.h"
#include "backend/cuda/move.h"
#include "backend/reading/conv_shape.h"
#include "ops/element.h"

static const char tactic_name[] = "gather";

/// y[outer][picked][inner] = x[outer][indices[picked]][inner]
typedef struct gathering {
    int64_t outer, length, picked, width; // width: bytes of a row of `inner` elements
} gathering;

static bool read_shape(const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *indices,
                       const ferry_tensor_desc *y, gathering *out)
{
    int32_t axis = 0;
    int64_t elements = 0;
    if (ferry_axis(ferry_node_int(node, "axis", 0), x->rank, &axis, NULL) != FERRY_OK || x->dtype != y->dtype ||
        (indices->dtype != FERRY_S64 && indices->dtype != FERRY_S32) || y->rank != x->rank - 1 + indices->rank ||
        !ferry_tensor_desc_is_dense(x, FERRY_LAYOUT_PLAIN) || !ferry_tensor_desc_is_dense(y, FERRY_LAYOUT_PLAIN) ||
        !ferry_tensor_desc_is_dense(indices, FERRY_LAYOUT_PLAIN) || !ferry_cuda_elements(indices, &out->picked))
        return false;
    out->outer = 1;
    out->length = x->dims[axis];
    out->width = (int64_t)ferry_dtype_bytes(x->dtype);
    for (int32_t d = 0; d < y->rank; d++) {
        const int32_t behind = d - axis - indices->rank; // among x's dimensions behind the axis
        const int64_t wanted = d < axis     ? x->dims[d]
                               : behind < 0 ? indices->dims[d - axis]
                                            : x->dims[axis + 1 + behind];
        if (y->dims[d] != wanted) return false;
        if (d < axis) out->outer *= wanted;
        if (behind >= 0) out->width *= wanted;
    }
    return out->length > 0 && ferry_cuda_elements(y, &elements) && ferry_cuda_elements(x, &elements) &&
           elements <= INT32_MAX / 8 && out->width <= INT32_MAX;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (region->n_nodes != 1 || !ferry_node_is(node, "Gather") || node->n_inputs != 2)
        return ferry_misfit(tactic, "a node that it does not know", err);
    FERRY_TRY(ferry_cuda_pack_moves(device, ferry_node_result(g, node)->dtype, package, err));
    return ferry_cuda_pack_constants(g, node, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    gathering shape;
    if (!ferry_node_is(node, "Gather") || node->n_inputs != 2)
        return ferry_misfit(tactic, "a node that it does not know", err);
    const ferry_operand x = ferry_operand_of(region, in, 0), indices = ferry_operand_of(region, in, 1);
    if (!x.present || !indices.present || !read_shape(node, &x.desc, &indices.desc, &out[0], &shape) ||
        ferry_cuda_kernel_constant_bytes(kernel) != ferry_cuda_constant_at(g, node, 2))
        return ferry_misfit(tactic, "shapes that do not fit together", err);
    const double words = (double)shape.outer * (double)shape.picked * (double)shape.width / 8;
    const uint64_t blocks = words > 1e6 ? 4096 : (uint64_t)(words / 256) + 1;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(
        kernel, 0, indices.desc.dtype == FERRY_S32 ? "ferry_gather_s32" : "ferry_gather_s64",
        (const uint64_t[3]){words > 0 ? blocks : 0, 1, 1}, (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    for (int32_t i = 0; i < 2; i++) ferry_cuda_pass_input(launch, kernel, region, i);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, shape.outer);
    ferry_cuda_pass_int(launch, shape.length);
    ferry_cuda_pass_int(launch, shape.picked);
    ferry_cuda_pass_int(launch, shape.width);
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!ferry_node_is(node, "Gather") || node->n_inputs != 2 || !ferry_node_is_plain(view, root)) return FERRY_OK;
    gathering shape;
    const ferry_tensor_desc x = ferry_value_describe(ferry_node_value(g, node, 0), FERRY_LAYOUT_PLAIN);
    const ferry_tensor_desc indices = ferry_value_describe(ferry_node_value(g, node, 1), FERRY_LAYOUT_PLAIN);
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, node), FERRY_LAYOUT_PLAIN);
    if (!read_shape(node, &x, &indices, &y, &shape) || !ferry_cuda_word_name(y.dtype)) return FERRY_OK;
    const double bytes = 2 * ferry_value_bytes(ferry_node_result(g, node));
    return ferry_offer_node(sink, tactic_name, root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0,
                            ferry_cuda_cost_us(device, FERRY_F32, 0, bytes), err);
}

extern const ferry_cuda_family ferry_cuda_family_gather;
const ferry_cuda_family ferry_cuda_family_gather = {
    .name = "gather",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
