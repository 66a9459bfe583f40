// SPDX-License-Identifier: Apache-2.0
// Products with constant weights as calls of NVIDIA's cuBLASLt: matrix products, and convolutions of single positions
// with channels last. A region is the product, its bias, and a residual and an activation behind it where the library
// computes those, too.
#include <math.h>
#include <string.h>

#include "backend/cuda/product.h"
#include "backend/cuda/resident.h"
#include "backend/cuda/vendor_blas_product.h"
#include "backend/reading/conv_shape.h"
#include "backend/reading/matrix_node.h"

// What the library's kernels reach was not fitted: prices only say in which order they are timed.
#define NEXT_BEST 1.1 // of an algorithm, over the one before it

static const ferry_blas_tactic tactics[] = {
    {"cublaslt_1", 0, false},     {"cublaslt_2", 1, false},     {"cublaslt_3", 2, false},
    {"cublaslt_tf32_1", 0, true}, {"cublaslt_tf32_2", 1, true},
};

static const ferry_blas_tactic *find(const char *name)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(tactics); i++)
        if (strcmp(tactics[i].name, name) == 0) return &tactics[i];
    return NULL;
}

static bool owns(const char *tactic)
{
    return find(tactic) != NULL;
}

static int64_t rows_of(const ferry_graph *g, const ferry_region *region, const ferry_blas_product *p)
{
    const double rows = ferry_value_elements(&g->values[region->outputs[0]]) / (double)p->columns;
    return rows >= 1 && rows <= INT32_MAX ? (int64_t)rows : 0;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *name,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_blas_tactic *tactic = find(name);
    ferry_blas_product p;
    ferry_blas_packed packed = {.rows = 0};
    if (!ferry_blas_product_read(region, &p)) return ferry_misfit(name, "nodes that are no such product", err);
    const int64_t rows = rows_of(region->graph, region, &p);
    if (device->driver && rows > 0) {
        FERRY_TRY(ferry_cuda_enter(device, err));
        const ferry_status s = ferry_blas_product_choose(device, &p, tactic, rows, &packed, err);
        ferry_cuda_leave(device);
        FERRY_TRY(s);
    }
    FERRY_TRY(ferry_blas_product_pack(&p, name, package, err));
    memcpy(package->constants, &packed, sizeof packed);
    return FERRY_OK;
}

// --- Where tensors lie ----------------------------------------------------------------------------------------------

static bool place_matrix(const ferry_region *region, const ferry_blas_product *p, const ferry_tensor_desc *x,
                         const ferry_tensor_desc *residual, const ferry_tensor_desc *y, ferry_blas_place *place)
{
    (void)region;
    size_t rows = 0, y_rows = 0;
    if (!ferry_matrix_rows(x, p->x_type, (size_t)p->channels, &rows) ||
        !ferry_matrix_rows(y, p->y_type, (size_t)p->columns, &y_rows) || rows != y_rows || rows > INT32_MAX ||
        (residual && !ferry_tensor_desc_is_dense(residual, FERRY_LAYOUT_PLAIN)))
        return false;
    *place = (ferry_blas_place){(int64_t)rows, p->channels, p->columns, p->columns};
    return true;
}

static bool place_conv(const ferry_region *region, const ferry_blas_product *p, const ferry_tensor_desc *x,
                       const ferry_tensor_desc *residual, const ferry_tensor_desc *y, ferry_blas_place *place)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    ferry_conv_shape shape;
    int64_t elements = 0;
    if (ferry_conv_shape_read(node, x, p->w->shape.rank, p->w->shape.dims, y, &shape, NULL) != FERRY_OK ||
        !ferry_cuda_elements(y, &elements) || !ferry_cuda_elements(x, &elements))
        return false;
    *place = (ferry_blas_place){.rows = shape.batch * shape.out_plane,
                                .x_pitch = ferry_tensor_desc_row(x),
                                .y_pitch = ferry_tensor_desc_row(y),
                                .r_pitch = residual ? ferry_tensor_desc_row(residual) : ferry_tensor_desc_row(y)};
    if (place->rows == 0) return true;
    const int64_t pitches[] = {place->x_pitch, place->y_pitch, place->r_pitch};
    for (size_t i = 0; i < FERRY_COUNT_OF(pitches); i++) {
        const ferry_dtype dtype = i == 0 ? p->x_type : p->y_type;
        if (pitches[i] < 1 || pitches[i] > INT32_MAX || pitches[i] * (int64_t)ferry_dtype_bytes(dtype) % 16 != 0)
            return false;
    }
    return true;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *name,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, name, in, out, err));
    ferry_blas_product p;
    ferry_blas_place place;
    if (!ferry_blas_product_read(region, &p)) return ferry_misfit(name, "nodes that are no such product", err);
    const int32_t x = ferry_region_input(region, region->graph->nodes[region->nodes[0]].inputs[0]);
    const int32_t r = p.residual == FERRY_NO_VALUE ? -1 : ferry_region_input(region, p.residual);
    bool fits = x >= 0 && in[x].dtype == p.x_type && out[0].dtype == p.y_type;
    if (p.residual != FERRY_NO_VALUE)
        fits &= r >= 0 && in[r].dtype == p.y_type && ferry_tensor_desc_same_dims(&in[r], &out[0]);
    fits = fits && (p.conv ? place_conv : place_matrix)(region, &p, &in[x], r >= 0 ? &in[r] : NULL, &out[0], &place);
    if (!fits) return ferry_misfit(name, "tensors that do not fit together", err);
    return ferry_blas_product_prepare(device, region, &p, find(name), &place, kernel, err);
}

// --- Offers ---------------------------------------------------------------------------------------------------------

// What the library needs of the driver to be part of a graph; and the library.
static bool is_here(const ferry_cuda_device *device)
{
    const ferry_cublaslt *library = NULL;
    return device->driver && ferry_cuda_captures_calls(device->driver) &&
           ferry_cublaslt_get(device->driver_version, &library, NULL) == FERRY_OK;
}

static ferry_status offer_region(ferry_cuda_device *device, const ferry_graph_view *view, const ferry_region *region,
                                 uint32_t flags, const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_blas_product p;
    if (!ferry_blas_product_read(region, &p)) return FERRY_OK;
    const ferry_value *y = &g->values[region->outputs[0]];
    double bytes = ferry_value_bytes(y) + (double)(p.columns * p.channels) * (double)ferry_dtype_bytes(p.x_type);
    for (int32_t i = 0; i < region->n_inputs; i++) bytes += ferry_value_bytes(&g->values[region->inputs[i]]);
    const double us = ferry_cuda_cost_us(device, p.x_type, ferry_value_elements(y) * (double)p.channels, bytes);
    for (size_t i = 0; i < FERRY_COUNT_OF(tactics); i++) {
        const bool tf32 = tactics[i].tf32;
        if (tf32 && (p.x_type != FERRY_F32 || !(view->permitted & FERRY_OFFER_TF32))) continue;
        const ferry_offer offer = {.tactic = tactics[i].name,
                                   .nodes = region->nodes,
                                   .n_nodes = region->n_nodes,
                                   .in_layout = p.conv ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN,
                                   .out_layout = p.conv ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN,
                                   .flags = flags |
                                            (p.conv ? FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES : 0) |
                                            (tf32 ? FERRY_OFFER_TF32 : 0),
                                   .cost_us = us * pow(NEXT_BEST, tactics[i].rank)};
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

static bool is_offered(const ferry_graph_view *view, ferry_node_id node)
{
    ferry_conv_shape shape;
    ferry_matrix m;
    return ferry_node_is_plain(view, node) && (ferry_conv_node_is_offered(view, node, &shape) ||
                                               ferry_matrix_read(view->graph, &view->graph->nodes[node], &m));
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    if (!(view->permitted & FERRY_OFFER_LIBRARY)) return FERRY_OK;
    ferry_cuda_product_root roots[2];
    const int32_t n = ferry_cuda_product_roots(view, root, roots);
    const uint32_t flags = FERRY_OFFER_LIBRARY | (n > 0 && !is_here(device) ? FERRY_OFFER_ABSENT : 0);
    if (flags & FERRY_OFFER_PERMITTED_ONLY & ~view->permitted) return FERRY_OK;
    for (int32_t i = 0; i < n; i++) {
        if (!is_offered(view, roots[i].nodes[0])) continue;
        ferry_arena arena;
        ferry_region region;
        ferry_arena_init(&arena, device->base.heap);
        ferry_status s = ferry_region_make(view->graph, view->user_offsets, view->users, roots[i].nodes,
                                           roots[i].n_nodes, &arena, &region, err);
        if (s == FERRY_OK) s = offer_region(device, view, &region, flags, sink, err);
        ferry_arena_deinit(&arena);
        FERRY_TRY(s);
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_vendor_blas;
const ferry_cuda_family ferry_cuda_family_vendor_blas = {
    .name = "vendor_blas",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
