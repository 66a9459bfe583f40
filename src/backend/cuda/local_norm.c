// SPDX-License-Identifier: Apache-2.0
// LRN, in either layout.
#include <string.h>

#include "backend/cuda/node.h"
#include "backend/cuda/source.h"
#include "backend/reading/conv_shape.h"

static const char *const tactics[] = {"local_norm_plain", "local_norm_channels_last"};

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static bool fits(const ferry_tensor_desc *x, const ferry_tensor_desc *y, ferry_tensor_layout layout)
{
    int64_t elements = 0;
    return ferry_dtype_widens_to_f32(x->dtype) && x->dtype == y->dtype && x->rank >= 2 && x->dims[1] > 0 &&
           ferry_tensor_desc_same_dims(x, y) && ferry_cuda_elements(x, &elements) &&
           ferry_tensor_desc_is_dense(x, layout) && ferry_tensor_desc_is_dense(y, layout);
}

static bool is_known(const ferry_graph *g, const ferry_node *node)
{
    const int64_t size = ferry_node_int(node, "size", 0);
    return ferry_node_is(node, "LRN") && size >= 1 && size < INT32_MAX && ferry_node_value(g, node, 0) &&
           !ferry_node_has_constant(g, node, 0) && ferry_dtype_widens_to_f32(ferry_node_value(g, node, 0)->dtype);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    if (region->n_nodes != 1 || !is_known(region->graph, node))
        return ferry_misfit(tactic, "a node that it does not know", err);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#define TYPE %s\n#include \"local_norm.cuh\"\n",
                          ferry_cuda_type_name(ferry_node_value(region->graph, node, 0)->dtype));
    return ferry_cuda_source_compile(&s, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const bool last = strcmp(tactic, tactics[1]) == 0;
    int64_t elements = 0;
    if (!is_known(region->graph, node) || region->n_inputs < 1 ||
        !fits(&in[0], &out[0], last ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN) ||
        in[0].dtype != ferry_node_value(region->graph, node, 0)->dtype || !ferry_cuda_elements(&in[0], &elements))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const int64_t size = ferry_node_int(node, "size", 1), before = (size - 1) / 2;
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_local_norm",
                                       (const uint64_t[3]){(uint64_t)(elements + 255) / 256, 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_in(l, 0);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, elements);
    ferry_cuda_pass_int(l, in[0].dims[1]);
    ferry_cuda_pass_int(l, last || elements == 0 ? 1 : ferry_cuda_plane(&in[0]));
    ferry_cuda_pass_int(l, before);
    ferry_cuda_pass_int(l, size - 1 - before);
    ferry_cuda_pass_float(l, ferry_node_float(node, "bias", 1.0f));
    ferry_cuda_pass_float(l, ferry_node_float(node, "alpha", 1e-4f) / (float)size);
    ferry_cuda_pass_float(l, ferry_node_float(node, "beta", 0.75f));
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!ferry_node_is_plain(view, root) || !is_known(g, node)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0);
    const double work = ferry_value_elements(x) * (double)(10 + ferry_node_int(node, "size", 1));
    for (int layout = 0; layout < (x->shape.rank >= 3 ? 2 : 1); layout++) {
        const ferry_tensor_desc in = ferry_value_describe(x, (ferry_tensor_layout)layout),
                                out = ferry_value_describe(ferry_node_result(g, node), (ferry_tensor_layout)layout);
        if (!fits(&in, &out, (ferry_tensor_layout)layout)) continue;
        FERRY_TRY(ferry_offer_node(sink, tactics[layout], root, (ferry_tensor_layout)layout,
                                   (ferry_tensor_layout)layout, 0,
                                   ferry_cuda_cost_us(device, FERRY_F32, work, 2 * ferry_value_bytes(x)), err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_local_norm;
const ferry_cuda_family ferry_cuda_family_local_norm = {
    .name = "local_norm",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
