// SPDX-License-Identifier: Apache-2.0
// Matrix products with constant weights: Gemm, FusedGemm, QGemm, and MatMul with a matrix on the right. What follows
// elementwise is part of it.
#include <string.h>

#include "backend/cuda/product.h"
#include "backend/reading/conv_shape.h"
#include "backend/reading/matrix_node.h"

static const ferry_cuda_tile *tile_of(const char *tactic)
{
    const ferry_cuda_tile *tile = NULL;
    for (size_t i = 0; (tile = ferry_cuda_tile_at(i)) && strcmp(tile->matrix, tactic) != 0; i++) continue;
    return tile;
}

static bool owns(const char *tactic)
{
    return tile_of(tactic) != NULL;
}

static bool read_integer(const ferry_region *region, const ferry_node *node, ferry_cuda_product *p)
{
    const ferry_value *w = ferry_node_value(region->graph, node, 1);
    if (!w || w->shape.rank != 2) return false;
    const bool across = ferry_node_int(node, "transB", 0) != 0;
    *p = (ferry_cuda_product){.x_type = FERRY_S8,
                              .columns = w->shape.dims[across ? 0 : 1],
                              .channels = w->shape.dims[across ? 1 : 0],
                              .taps = 1,
                              .w = w,
                              .b = ferry_node_value(region->graph, node, 3)};
    p->column_stride = across ? p->channels : 1;
    p->channel_stride = across ? 1 : p->columns;
    return ferry_cuda_product_read_integer(region, p);
}

static bool read_product(const ferry_region *region, ferry_cuda_product *p)
{
    const ferry_graph *g = region->graph;
    ferry_matrix m;
    if (region->n_nodes < 1 || region->n_outputs != 1) return false;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (ferry_node_is(node, "QGemm")) return read_integer(region, node, p);
    if (!ferry_matrix_read(g, node, &m)) return false;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = &g->values[region->outputs[0]];
    *p = (ferry_cuda_product){.x_type = x->dtype,
                              .y_type = y->dtype,
                              .columns = (int64_t)m.n,
                              .channels = (int64_t)m.k,
                              .taps = 1,
                              .w = ferry_node_value(g, node, 1),
                              .b = ferry_node_is(node, "MatMul") ? NULL : ferry_node_value(g, node, 2),
                              .column_stride = (int64_t)m.n_stride,
                              .channel_stride = (int64_t)m.k_stride,
                              .bias_stride = m.bias_step,
                              .alpha = m.alpha,
                              .beta = m.beta};
    if (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(y->dtype) || ferry_value_is_constant(x) ||
        !ferry_cuda_product_read_chain(region, p))
        return false;
    // A chain's channels are dimension 1, a product's columns the last one.
    for (int32_t i = 0; i < p->chain.n_operands; i++)
        if (p->chain.operands[i].kind != FERRY_CUDA_SAME &&
            (p->chain.operands[i].kind == FERRY_CUDA_GATE || y->shape.rank != 2))
            return false;
    return true;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    ferry_cuda_product p;
    if (!read_product(region, &p)) return ferry_misfit(tactic, "nodes that are no matrix product", err);
    return ferry_cuda_product_pack(device, region->graph, &p, tile_of(tactic), tactic, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    ferry_cuda_product p;
    if (!read_product(region, &p)) return ferry_misfit(tactic, "nodes that are no matrix product", err);
    const int32_t x = ferry_region_input(region, region->graph->nodes[region->nodes[0]].inputs[0]);
    size_t rows = 0, y_rows = 0;
    bool fits = x >= 0 && ferry_matrix_rows(&in[x], p.x_type, (size_t)p.channels, &rows) &&
                ferry_matrix_rows(&out[0], p.y_type, (size_t)p.columns, &y_rows) && rows == y_rows && rows <= INT32_MAX;
    ferry_cuda_product_place place = {
        .rows = (int64_t)rows, .x_pitch = p.channels, .x_channel_step = 1, .plane = 1, .y_pitch = p.columns};
    for (int32_t i = 0; fits && i < p.chain.n_operands; i++) {
        const ferry_cuda_operand *o = &p.chain.operands[i];
        if (o->kind == FERRY_CUDA_CHANNEL) continue;
        const int32_t at = ferry_region_input(region, o->value);
        fits = at >= 0 && in[at].dtype == o->dtype && ferry_tensor_desc_same_dims(&in[at], &out[0]) &&
               ferry_tensor_desc_is_dense(&in[at], FERRY_LAYOUT_PLAIN);
        place.operand_pitch[i] = p.columns;
    }
    if (!fits) return ferry_misfit(tactic, "operands that do not fit together", err);
    return ferry_cuda_product_prepare(device, region, &p, tile_of(tactic), tactic, &place, kernel, err);
}

static ferry_status offer_region(ferry_cuda_device *device, const ferry_graph *g, const ferry_region *region,
                                 const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cuda_product p;
    if (!read_product(region, &p)) return FERRY_OK;
    const ferry_value *y = &g->values[region->outputs[0]];
    const double rows = ferry_value_elements(y) / (double)p.columns;
    double bytes = ferry_value_bytes(y);
    for (int32_t i = 0; i < region->n_inputs; i++) bytes += ferry_value_bytes(&g->values[region->inputs[i]]);
    const ferry_cuda_tile *tile;
    for (size_t i = 0; (tile = ferry_cuda_tile_at(i)); i++) {
        if (!ferry_cuda_tile_fits(&device->target, tile, &p, rows)) continue;
        const ferry_offer offer = {.tactic = tile->matrix,
                                   .nodes = region->nodes,
                                   .n_nodes = region->n_nodes,
                                   .in_layout = FERRY_LAYOUT_PLAIN,
                                   .out_layout = FERRY_LAYOUT_PLAIN,
                                   .flags = ferry_cuda_tile_is_tf32(tile, &p) ? FERRY_OFFER_TF32 : 0,
                                   .cost_us = ferry_cuda_product_cost_us(device, &p, tile, rows, bytes)};
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cuda_product_root roots[2];
    const int32_t n = ferry_cuda_product_roots(view, root, roots);
    for (int32_t i = 0; i < n; i++) {
        const ferry_node *node = &view->graph->nodes[roots[i].nodes[0]];
        ferry_matrix m;
        if ((!ferry_node_is(node, "QGemm") && !ferry_matrix_read(view->graph, node, &m)) ||
            !ferry_node_is_plain(view, roots[i].nodes[0]))
            continue;
        ferry_arena arena;
        ferry_region region;
        ferry_arena_init(&arena, device->base.heap);
        ferry_status s = ferry_region_make(view->graph, view->user_offsets, view->users, roots[i].nodes,
                                           roots[i].n_nodes, &arena, &region, err);
        if (s == FERRY_OK) s = offer_region(device, view->graph, &region, sink, err);
        ferry_arena_deinit(&arena);
        FERRY_TRY(s);
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_matrix;
const ferry_cuda_family ferry_cuda_family_matrix = {
    .name = "matrix",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
