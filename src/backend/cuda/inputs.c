// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/inputs.h"

#include <string.h>

#define ALIGN 16 // of each constant

static size_t bytes_of(const ferry_graph *g, const ferry_node *node, int32_t i)
{
    if (!ferry_node_has_constant(g, node, i)) return 0;
    const ferry_tensor t = ferry_value_tensor(ferry_node_value(g, node, i));
    return (size_t)ferry_tensor_elements(&t) * ferry_dtype_bytes(t.dtype);
}

size_t ferry_cuda_constant_at(const ferry_graph *g, const ferry_node *node, int32_t i)
{
    size_t at = 0;
    for (int32_t k = 0; k < i; k++) at += ferry_align_size(bytes_of(g, node, k), ALIGN);
    return at;
}

ferry_status ferry_cuda_pack_constants(const ferry_graph *g, const ferry_node *node, ferry_cuda_package *package,
                                       ferry_error *err)
{
    const size_t bytes = ferry_cuda_constant_at(g, node, node->n_inputs);
    if (bytes == 0) return FERRY_OK;
    char *to = ferry_cuda_package_constants(package, bytes);
    if (!to) return ferry_fail_memory(err, "packed constants");
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const size_t n = bytes_of(g, node, i);
        if (n) memcpy(to + ferry_cuda_constant_at(g, node, i), ferry_node_value(g, node, i)->data, n);
    }
    return FERRY_OK;
}

void ferry_cuda_pass_input(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel, const ferry_region *region,
                           int32_t i)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    if (ferry_node_has_constant(region->graph, node, i))
        ferry_cuda_pass_constants(launch, kernel, ferry_cuda_constant_at(region->graph, node, i));
    else
        ferry_cuda_pass_in(launch, ferry_region_input(region, node->inputs[i]));
}
