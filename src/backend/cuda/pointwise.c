// SPDX-License-Identifier: Apache-2.0
// Chains of elementwise operators as kernels of their own.
#include <stdio.h>
#include <string.h>

#include "backend/cuda/node.h"
#include "backend/reading/conv_shape.h"

static const char *const tactics[] = {"pointwise_plain", "pointwise_channels_last"};

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static ferry_tensor_layout layout_of(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
}

static int64_t channels_of(const ferry_value *v)
{
    return v->shape.rank >= 2 ? v->shape.dims[1] : 1;
}

// Elements a thread takes: 16 bytes of the wider side.
static int width_of(const ferry_value *x, const ferry_value *y)
{
    const size_t bx = ferry_dtype_bytes(x->dtype), by = ferry_dtype_bytes(y->dtype);
    return (int)(16 / (bx > by ? bx : by));
}

static bool read_chain(const ferry_region *region, ferry_cuda_chain *chain)
{
    if (region->n_nodes < 1 || region->n_outputs != 1) return false;
    const ferry_node *first = &region->graph->nodes[region->nodes[0]];
    for (int32_t i = 0; i < first->n_inputs && i < 2; i++)
        if (first->inputs[i] != FERRY_NO_VALUE && ferry_region_input(region, first->inputs[i]) >= 0 &&
            ferry_cuda_chain_read(region, 0, first->inputs[i], chain) && chain->to == region->outputs[0])
            return true;
    return false;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    ferry_cuda_chain chain;
    if (!read_chain(region, &chain)) return ferry_misfit(tactic, "nodes that are no chain", err);
    const ferry_value *x = &g->values[chain.from], *y = &g->values[chain.to];
    const int64_t channels = channels_of(y);
    const size_t floats = (size_t)channels * (size_t)ferry_cuda_chain_count(&chain, FERRY_CUDA_CHANNEL);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#include \"functions.cuh\"\n");
    ferry_cuda_source_add(&s, "#define X_TYPE %s\n#define Y_TYPE %s\n", ferry_cuda_type_name(x->dtype),
                          ferry_cuda_type_name(y->dtype));
    ferry_cuda_source_define(&s, "WIDTH", width_of(x, y));
    ferry_cuda_source_define(&s, "CHANNELS_LAST", layout_of(tactic) == FERRY_LAYOUT_CHANNELS_LAST);
    ferry_cuda_chain_write(g, &chain, NULL, &s);
    ferry_cuda_source_add(&s, "#include \"pointwise.cuh\"\n");
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    if (floats == 0) return FERRY_OK;
    float *constants = ferry_cuda_package_constants(package, floats * sizeof *constants);
    if (!constants) return ferry_fail_memory(err, "packed constants");
    if (!ferry_cuda_chain_pack(g, &chain, channels, constants))
        return ferry_misfit(tactic, "a constant of another size", err);
    return FERRY_OK;
}

// Every tensor of the chain's shape lies as its output does.
static bool lie_alike(const ferry_region *region, const ferry_cuda_chain *chain, const ferry_tensor_desc *in,
                      const ferry_tensor_desc *out, ferry_tensor_layout layout)
{
    const int32_t x = ferry_region_input(region, chain->from);
    const ferry_value *values = region->graph->values;
    if (x < 0 || in[x].dtype != values[chain->from].dtype || out->dtype != values[chain->to].dtype ||
        !ferry_tensor_desc_is_dense(out, layout) || !ferry_tensor_desc_is_dense(&in[x], layout) ||
        !ferry_tensor_desc_same_dims(&in[x], out))
        return false;
    for (int32_t i = 0; i < chain->n_operands; i++) {
        const ferry_cuda_operand *o = &chain->operands[i];
        if (o->kind == FERRY_CUDA_CHANNEL) continue;
        const int32_t at = ferry_region_input(region, o->value);
        if (at < 0 || in[at].dtype != o->dtype || !ferry_tensor_desc_is_dense(&in[at], layout)) return false;
        if (o->kind == FERRY_CUDA_SAME && !ferry_tensor_desc_same_dims(&in[at], out)) return false;
        if (o->kind == FERRY_CUDA_GATE && (in[at].rank != out->rank || in[at].dims[0] != out->dims[0] ||
                                           in[at].dims[1] != out->dims[1] || ferry_cuda_plane(&in[at]) != 1))
            return false;
    }
    return true;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    ferry_cuda_chain chain;
    int64_t elements = 0;
    if (!read_chain(region, &chain) || !lie_alike(region, &chain, in, out, layout_of(tactic)) ||
        !ferry_cuda_elements(out, &elements))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const int64_t channels = out->rank >= 2 ? out->dims[1] : 1;
    if (ferry_cuda_kernel_constant_bytes(kernel) !=
        (size_t)channels * (size_t)ferry_cuda_chain_count(&chain, FERRY_CUDA_CHANNEL) * sizeof(float))
        return ferry_misfit(tactic, "packed constants of another size", err);
    const ferry_graph *g = region->graph;
    const int64_t block = 256 * width_of(&g->values[chain.from], &g->values[chain.to]);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_pointwise",
                                       (const uint64_t[3]){(uint64_t)((elements + block - 1) / block), 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, ferry_region_input(region, chain.from));
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, elements);
    ferry_cuda_pass_int(launch, channels);
    ferry_cuda_pass_int(launch, ferry_cuda_plane(out));
    ferry_cuda_pass_operands(launch, kernel, region, &chain, channels, 0);
    return FERRY_OK;
}

static ferry_status offer_chain(ferry_cuda_device *device, const ferry_graph *g, const ferry_cuda_chain *chain,
                                const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_value *x = &g->values[chain->from], *y = &g->values[chain->to];
    double bytes = ferry_value_bytes(x) + ferry_value_bytes(y);
    bool in_place = x->dtype == y->dtype;
    for (int32_t i = 0; i < chain->n_operands; i++) bytes += ferry_value_bytes(&g->values[chain->operands[i].value]);
    // Output 0 may lie in input 0's memory: that is the tensor which the chain begins with, unless another comes first.
    const ferry_node *first = &g->nodes[chain->nodes[0]];
    in_place &= first->inputs[0] == chain->from;
    ferry_offer offer = {.nodes = chain->nodes,
                         .n_nodes = chain->n_nodes,
                         .flags = in_place ? FERRY_OFFER_IN_PLACE : 0,
                         .cost_us =
                             ferry_cuda_cost_us(device, FERRY_F32, chain->flops * ferry_value_elements(y), bytes)};
    for (int layout = 0; layout < (y->shape.rank >= 3 ? 2 : 1); layout++) {
        offer.tactic = tactics[layout];
        offer.in_layout = offer.out_layout = layout ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cuda_chain longest, chain;
    ferry_cuda_chain_find(view, root, 0, &longest);
    if (longest.n_nodes == 0 || ferry_value_elements(&view->graph->values[longest.to]) > INT32_MAX) return FERRY_OK;
    for (int32_t n = longest.n_nodes; n > 0; n--) {
        ferry_cuda_chain_tail(view->graph, &longest, n, &chain);
        if (chain.n_nodes == n) FERRY_TRY(offer_chain(device, view->graph, &chain, sink, err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_pointwise;
const ferry_cuda_family ferry_cuda_family_pointwise = {
    .name = "pointwise",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
