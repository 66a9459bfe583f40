// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of tensors that are broadcast to each other, of any types: what chains don't know.
#include <string.h>

#include "backend/cuda/broadcast_text.h"
#include "backend/cuda/inputs.h"
#include "backend/reading/conv_shape.h"
#include "backend/reading/nd.h"

static const char *const tactics[] = {"broadcast_plain", "broadcast_channels_last"};

#define OPERANDS FERRY_CUDA_BROADCAST_OPERANDS
#define DIMS 6 // in kernels/broadcast.cuh
#define MOST_BLOCKS 8192

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

// The walk over the output and what it reads at each step. False when there are too many dimensions, or elements.
static bool walk(const ferry_tensor_desc *y, const ferry_tensor_desc *x, int32_t n, ferry_nd *out)
{
    int64_t strides[OPERANDS][FERRY_MAX_RANK], elements = 0;
    const int64_t *all[1 + OPERANDS] = {y->strides};
    if (!ferry_cuda_elements(y, &elements) || !ferry_tensor_desc_is_dense(y, y->layout)) return false;
    for (int32_t i = 0; i < n; i++) {
        int64_t last = 0;
        if (!ferry_nd_broadcast(&x[i], y->rank, y->dims, strides[i])) return false;
        for (int32_t d = 0; d < x[i].rank; d++) last += x[i].dims[d] * x[i].strides[d];
        if (last > INT32_MAX) return false;
        all[1 + i] = strides[i];
    }
    ferry_nd_make(y->rank, y->dims, 1 + n, all, out);
    return out->rank <= DIMS;
}

static bool walk_graph(const ferry_graph *g, const ferry_node *node, ferry_tensor_layout layout, ferry_nd *out)
{
    ferry_tensor_desc x[OPERANDS];
    for (int32_t i = 0; i < node->n_inputs; i++)
        x[i] = ferry_value_describe(ferry_node_value(g, node, i), layout); // constants are plain
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, node), layout);
    return walk(&y, x, node->n_inputs, out);
}

static bool has_known_inputs(const ferry_graph *g, const ferry_node *node)
{
    if (node->n_inputs < 1 || node->n_inputs > OPERANDS) return false;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!ferry_node_value(g, node, i) || !ferry_cuda_any_type_name(ferry_node_value(g, node, i)->dtype))
            return false;
    return node->n_outputs >= 1 && node->outputs[0] != FERRY_NO_VALUE &&
           ferry_cuda_any_type_name(ferry_node_result(g, node)->dtype);
}

// --- Packing --------------------------------------------------------------------------------------------------------

static ferry_status compile(ferry_cuda_device *device, const ferry_graph *g, const ferry_node *node, int32_t rank,
                            const char *tactic, ferry_cuda_package *package, ferry_error *err)
{
    static const char *const names[OPERANDS] = {"A_TYPE", "B_TYPE", "C_TYPE"};
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"functions.cuh\"\n#include \"types.cuh\"\n#include \"arithmetic.cuh\"\n");
    for (int32_t i = 0; i < node->n_inputs; i++)
        ferry_cuda_source_add(&s, "#define %s %s\n", names[i],
                              ferry_cuda_any_type_name(ferry_node_value(g, node, i)->dtype));
    ferry_cuda_source_add(&s, "#define Y_TYPE %s\n", ferry_cuda_any_type_name(ferry_node_result(g, node)->dtype));
    ferry_cuda_source_define(&s, "OPERANDS", node->n_inputs);
    ferry_cuda_source_define(&s, "RANK", rank);
    const bool known = ferry_cuda_broadcast_write(g, node, &s);
    ferry_cuda_source_add(&s, "#include \"broadcast.cuh\"\n");
    if (known) return ferry_cuda_source_compile(&s, package, err);
    ferry_cuda_source_free(&s);
    return ferry_misfit(tactic, "an operator that it does not know", err);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_tensor_layout layout =
        strcmp(tactic, tactics[1]) == 0 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
    ferry_nd nd;
    if (region->n_nodes != 1 || !has_known_inputs(g, node) || !walk_graph(g, node, layout, &nd))
        return ferry_misfit(tactic, "a node that it does not know", err);
    FERRY_TRY(compile(device, g, node, nd.rank, tactic, package, err));
    return ferry_cuda_pack_constants(g, node, package, err);
}

// --- Preparing ------------------------------------------------------------------------------------------------------

static ferry_status launch_walk(const ferry_region *region, ferry_cuda_kernel *kernel, int32_t n, const ferry_nd *nd,
                                ferry_error *err)
{
    const int32_t skip = DIMS - nd->rank;
    const uint64_t elements = (uint64_t)nd->runs * (uint64_t)nd->dims[nd->rank - 1], blocks = (elements + 255) / 256;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_broadcast",
                                       (const uint64_t[3]){blocks > MOST_BLOCKS ? MOST_BLOCKS : blocks, 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, (int64_t)elements);
    for (int32_t d = 0; d < DIMS; d++) ferry_cuda_pass_int(launch, d >= skip ? nd->dims[d - skip] : 1);
    for (int32_t i = 0; i < n; i++) {
        ferry_cuda_pass_input(launch, kernel, region, i);
        for (int32_t d = 0; d < DIMS; d++) ferry_cuda_pass_int(launch, d >= skip ? nd->strides[1 + i][d - skip] : 0);
    }
    return FERRY_OK;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_tensor_layout layout =
        strcmp(tactic, tactics[1]) == 0 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
    ferry_operand x[OPERANDS];
    ferry_tensor_desc descs[OPERANDS];
    ferry_nd nd, packed;
    if (!has_known_inputs(g, node) || !walk_graph(g, node, layout, &packed))
        return ferry_misfit(tactic, "a node that it does not know", err);
    for (int32_t i = 0; i < node->n_inputs; i++) {
        x[i] = ferry_operand_of(region, in, i);
        descs[i] = x[i].desc;
        if (!x[i].present || descs[i].dtype != ferry_node_value(g, node, i)->dtype)
            return ferry_misfit(tactic, "an input of another type", err);
    }
    if (!walk(&out[0], descs, node->n_inputs, &nd) || nd.rank > packed.rank ||
        out[0].dtype != ferry_node_result(g, node)->dtype ||
        ferry_cuda_kernel_constant_bytes(kernel) != ferry_cuda_constant_at(g, node, node->n_inputs))
        return ferry_misfit(tactic, "shapes that do not fit together", err);
    return launch_walk(region, kernel, node->n_inputs, &nd, err);
}

// --- Offers ---------------------------------------------------------------------------------------------------------

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!has_known_inputs(g, node) || !ferry_node_is_plain(view, root)) return FERRY_OK;
    ferry_cuda_source probe = {.heap = device->base.heap};
    const bool known = ferry_cuda_broadcast_write(g, node, &probe);
    ferry_cuda_source_free(&probe);
    if (!known) return FERRY_OK;
    double bytes = ferry_value_bytes(ferry_node_result(g, node));
    for (int32_t i = 0; i < node->n_inputs; i++) bytes += ferry_value_bytes(ferry_node_value(g, node, i));
    for (int layout = 0; layout < (ferry_node_result(g, node)->shape.rank >= 3 ? 2 : 1); layout++) {
        ferry_nd nd;
        if (!walk_graph(g, node, (ferry_tensor_layout)layout, &nd)) continue;
        const double macs = ferry_value_elements(ferry_node_result(g, node)) * (8 + 8 * nd.rank);
        FERRY_TRY(ferry_offer_node(sink, tactics[layout], root, (ferry_tensor_layout)layout,
                                   (ferry_tensor_layout)layout, 0,
                                   ferry_cuda_cost_us(device, FERRY_F32, macs, 1.3 * bytes), err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_broadcast;
const ferry_cuda_family ferry_cuda_family_broadcast = {
    .name = "broadcast",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
