// SPDX-License-Identifier: Apache-2.0
// MatMul and QMatMul of two computed tensors, batch by batch.
#include <string.h>

#include "backend/cuda/node.h"
#include "backend/reading/conv_shape.h"
#include "backend/reading/matmul_shape.h"
#include "ops/integer.h"

static const char tactic_name[] = "batched_product";

#define TILE 64 // in kernels/batched.cuh
#define BATCH_DIMS 4

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static bool has_known_types(ferry_dtype a, ferry_dtype b, ferry_dtype y)
{
    if (a == FERRY_S8) return b == FERRY_S8 && (y == FERRY_S8 || ferry_dtype_widens_to_f32(y));
    return ferry_dtype_widens_to_f32(a) && a == b && a == y;
}

static bool read_shape(const ferry_tensor_desc *a, const ferry_tensor_desc *b, const ferry_tensor_desc *y,
                       ferry_matmul_shape *out)
{
    int64_t elements = 0;
    return has_known_types(a->dtype, b->dtype, y->dtype) && ferry_cuda_elements(a, &elements) &&
           ferry_cuda_elements(b, &elements) && ferry_cuda_elements(y, &elements) &&
           ferry_matmul_shape_read(a, b, y, out) && out->rank <= BATCH_DIMS && out->batches <= UINT16_MAX &&
           out->m / TILE < UINT16_MAX && (a->dtype != FERRY_S8 || out->k <= FERRY_INT8_MAX_SUM);
}

static bool is_known(const ferry_graph *g, const ferry_node *node)
{
    return (ferry_node_is(node, "MatMul") || ferry_node_is(node, "QMatMul")) && node->n_inputs == 2 &&
           ferry_node_value(g, node, 0) && ferry_node_value(g, node, 1) && !ferry_node_has_constant(g, node, 0) &&
           !ferry_node_has_constant(g, node, 1) &&
           ferry_node_is(node, "QMatMul") == (ferry_node_value(g, node, 0)->dtype == FERRY_S8) &&
           has_known_types(ferry_node_value(g, node, 0)->dtype, ferry_node_value(g, node, 1)->dtype,
                           ferry_node_result(g, node)->dtype);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (region->n_nodes != 1 || !is_known(g, node)) return ferry_misfit(tactic, "a node that it does not know", err);
    const ferry_dtype x = ferry_node_value(g, node, 0)->dtype;
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#define TYPE %s\n#define Y_TYPE %s\n", ferry_cuda_type_name(x),
                          ferry_cuda_type_name(ferry_node_result(g, node)->dtype));
    ferry_cuda_source_define(&s, "INTEGER", x == FERRY_S8);
    ferry_cuda_source_add(&s, "#include \"batched.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    ferry_matmul_shape s;
    if (!is_known(g, node)) return ferry_misfit(tactic, "a node that it does not know", err);
    const ferry_operand a = ferry_operand_of(region, in, 0), b = ferry_operand_of(region, in, 1);
    if (a.at < 0 || b.at < 0 || out[0].dtype != ferry_node_result(g, node)->dtype ||
        a.desc.dtype != ferry_node_value(g, node, 0)->dtype || !read_shape(&a.desc, &b.desc, &out[0], &s))
        return ferry_misfit(tactic, "shapes that do not fit together", err);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_batched",
                                       (const uint64_t[3]){(s.n + TILE - 1) / TILE, (s.m + TILE - 1) / TILE, s.batches},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, a.at);
    ferry_cuda_pass_in(launch, b.at);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, (int64_t)s.m);
    ferry_cuda_pass_int(launch, (int64_t)s.n);
    ferry_cuda_pass_int(launch, (int64_t)s.k);
    ferry_cuda_pass_float(launch, ferry_node_float(node, "mult", 1.0f));
    const int32_t skip = BATCH_DIMS - s.rank;
    for (int32_t d = 1; d < BATCH_DIMS; d++) ferry_cuda_pass_int(launch, d >= skip ? s.dims[d - skip] : 1);
    for (int32_t d = 0; d < BATCH_DIMS; d++) ferry_cuda_pass_long(launch, d >= skip ? s.a_steps[d - skip] : 0);
    for (int32_t d = 0; d < BATCH_DIMS; d++) ferry_cuda_pass_long(launch, d >= skip ? s.b_steps[d - skip] : 0);
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!is_known(g, node) || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *a = ferry_node_value(g, node, 0), *b = ferry_node_value(g, node, 1);
    const ferry_tensor_desc x[2] = {ferry_value_describe(a, FERRY_LAYOUT_PLAIN),
                                    ferry_value_describe(b, FERRY_LAYOUT_PLAIN)};
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, node), FERRY_LAYOUT_PLAIN);
    ferry_matmul_shape s;
    if (!read_shape(&x[0], &x[1], &y, &s)) return FERRY_OK;
    const double tiles = (double)((s.m + TILE - 1) / TILE * TILE) * (double)((s.n + TILE - 1) / TILE * TILE);
    const double bytes = ferry_value_bytes(a) + ferry_value_bytes(b) + ferry_value_bytes(ferry_node_result(g, node));
    return ferry_offer_node(sink, tactic_name, root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0,
                            ferry_cuda_cost_us(device, FERRY_F32, (double)s.batches * tiles * (double)s.k, bytes), err);
}

extern const ferry_cuda_family ferry_cuda_family_batched;
const ferry_cuda_family ferry_cuda_family_batched = {
    .name = "batched",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
