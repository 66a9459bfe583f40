// SPDX-License-Identifier: Apache-2.0
// Convolution of floats or int8 in one group, as a product of the windows of positions and the weights, channels last.
// What follows it elementwise is part of it.
#include <string.h>

#include "backend/cuda/product.h"
#include "backend/reading/conv_shape.h"

static const ferry_cuda_tile *tile_of(const char *tactic)
{
    const ferry_cuda_tile *tile = NULL;
    for (size_t i = 0; (tile = ferry_cuda_tile_at(i)) && strcmp(tile->conv, tactic) != 0; i++) continue;
    return tile;
}

static bool owns(const char *tactic)
{
    return tile_of(tactic) != NULL;
}

static bool is_conv(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv") || ferry_node_is(node, "QConv");
}

// What is known of a convolution without its input's size.
static bool read_product(const ferry_region *region, ferry_cuda_product *p)
{
    const ferry_graph *g = region->graph;
    if (region->n_nodes < 1 || region->n_outputs != 1) return false;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (!is_conv(node) || ferry_node_int(node, "group", 1) != 1) return false;
    const bool integer = ferry_node_is(node, "QConv");
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    if (!x || !w || !w->data || w->shape.rank < 3 || w->shape.rank > 5 ||
        (!integer && (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(w->dtype))))
        return false;
    *p = (ferry_cuda_product){.x_type = x->dtype,
                              .columns = w->shape.dims[0],
                              .channels = w->shape.dims[1],
                              .taps = 1,
                              .w = w,
                              .b = ferry_node_value(g, node, integer ? 3 : 2),
                              .channel_stride = 1,
                              .tap_stride = 1,
                              .bias_stride = 1,
                              .alpha = 1,
                              .beta = 1};
    size_t n = 0;
    if (p->b && (!p->b->data || !ferry_dtype_widens_to_f32(p->b->dtype) || !ferry_shape_elements(&p->b->shape, &n) ||
                 (int64_t)n != p->columns))
        return false;
    ferry_window *window = &p->window;
    if (ferry_window_read(node, w->shape.rank - 2, w->shape.dims + 2, window, NULL) != FERRY_OK) return false;
    for (int i = 0; i < 3; i++) {
        const bool trivial =
            window->kernel[i] == 1 && window->stride[i] == 1 && window->pad_begin[i] == 0 && window->pad_end[i] == 0;
        p->windowed |= !trivial;
        if ((i == 0 && !trivial) || window->kernel[i] > 1 << 12 || window->stride[i] > 1 << 12 ||
            window->dilation[i] > 1 << 12)
            return false; // windows have two dimensions here
        p->taps *= window->kernel[i];
    }
    p->column_stride = p->channels * p->taps;
    p->channel_stride = p->taps;
    if (integer) {
        if (!ferry_cuda_product_read_integer(region, p)) return false;
        ferry_cuda_product_form(p);
        return true;
    }
    ferry_cuda_product_form(p);
    if (!ferry_cuda_product_read_chain(region, p)) return false;
    p->y_type = g->values[region->outputs[0]].dtype;
    return ferry_dtype_widens_to_f32(p->y_type);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    ferry_cuda_product p;
    if (!read_product(region, &p)) return ferry_misfit(tactic, "nodes that are no convolution", err);
    return ferry_cuda_product_pack(device, region->graph, &p, tile_of(tactic), tactic, package, err);
}

// Steps along a dimension of one position are never taken, but would spoil what is known of alignment.
static int64_t step_of(const ferry_tensor_desc *x, int32_t d, int64_t otherwise)
{
    return d >= 0 && x->dims[d] > 1 ? x->strides[d] : otherwise;
}

static bool place_input(const ferry_cuda_product *p, const ferry_tensor_desc *x, const ferry_conv_shape *shape,
                        ferry_cuda_product_place *place)
{
    const int64_t row = ferry_tensor_desc_row(x);
    const int32_t w = x->rank - 1, h = x->rank > 3 ? x->rank - 2 : -1;
    place->x_channel_step = row > 0 ? 1 : x->strides[1];
    place->x_pitch = row > 0 ? row : x->strides[w];
    place->x_line = step_of(x, h, place->x_pitch * x->dims[w]);
    place->x_picture = step_of(x, 0, place->x_line * shape->in[1]);
    place->in_h = shape->in[1];
    place->in_w = shape->in[2];
    place->out_w = shape->out[2];
    place->plane = shape->out_plane;
    place->pad_h = shape->window.pad_begin[1];
    place->pad_w = shape->window.pad_begin[2];
    place->pictures = shape->batch;
    place->form_h =
        (shape->out[1] - 1) * shape->window.stride[1] + (shape->window.kernel[1] - 1) * shape->window.dilation[1] + 1;
    place->form_w = ((shape->out[2] - 1) * shape->window.stride[2] + shape->window.kernel[2] + 1) / 2 * 2;
    // Without windows positions have to lie evenly through all pictures.
    return row > 0 || (p->windowed && ferry_tensor_desc_is_dense(x, FERRY_LAYOUT_PLAIN));
}

static bool place_operand(const ferry_cuda_operand *o, const ferry_region *region, const ferry_tensor_desc *in,
                          const ferry_tensor_desc *out, int64_t *pitch)
{
    *pitch = 0;
    if (o->kind == FERRY_CUDA_CHANNEL) return true;
    const int32_t at = ferry_region_input(region, o->value);
    if (at < 0 || in[at].dtype != o->dtype || in[at].rank != out->rank) return false;
    const ferry_tensor_desc *d = &in[at];
    if (o->kind == FERRY_CUDA_SAME) {
        *pitch = ferry_tensor_desc_row(d);
        return *pitch > 0 && ferry_tensor_desc_same_dims(d, out);
    }
    *pitch = d->dims[0] > 1 ? d->strides[0] : d->dims[1];
    return d->dims[0] == out->dims[0] && d->dims[1] == out->dims[1] && ferry_cuda_plane(d) == 1 &&
           (d->dims[1] == 1 || d->strides[1] == 1);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    ferry_cuda_product p;
    ferry_conv_shape shape;
    if (!read_product(region, &p)) return ferry_misfit(tactic, "nodes that are no convolution", err);
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const int32_t x = ferry_region_input(region, node->inputs[0]);
    if (x < 0 || in[x].dtype != p.x_type || out[0].dtype != p.y_type)
        return ferry_misfit(tactic, "tensors of another type", err);
    FERRY_TRY(ferry_conv_shape_read(node, &in[x], p.w->shape.rank, p.w->shape.dims, &out[0], &shape, err));
    ferry_cuda_product_place place = {.rows = shape.batch * shape.out_plane, .y_pitch = ferry_tensor_desc_row(&out[0])};
    bool fits = place_input(&p, &in[x], &shape, &place) && place.y_pitch > 0;
    for (int32_t i = 0; fits && i < p.chain.n_operands; i++)
        fits = place_operand(&p.chain.operands[i], region, in, &out[0], &place.operand_pitch[i]);
    if (!fits) return ferry_misfit(tactic, "tensors that do not fit together", err);
    return ferry_cuda_product_prepare(device, region, &p, tile_of(tactic), tactic, &place, kernel, err);
}

static ferry_status offer_region(ferry_cuda_device *device, const ferry_graph *g, const ferry_region *region,
                                 const ferry_conv_shape *shape, const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cuda_product p;
    if (!read_product(region, &p)) return FERRY_OK;
    const double rows = (double)shape->batch * (double)shape->out_plane;
    double bytes = ferry_value_bytes(&g->values[region->outputs[0]]);
    for (int32_t i = 0; i < region->n_inputs; i++) bytes += ferry_value_bytes(&g->values[region->inputs[i]]);
    const bool few =
        p.windowed && (p.form_channels > 0 || p.channels < FERRY_CUDA_FEW_CHANNELS) && p.chain.n_operands == 0;
    const ferry_cuda_tile *tile;
    for (size_t i = 0; (tile = ferry_cuda_tile_at(i)); i++) {
        if (!ferry_cuda_tile_fits(&device->target, tile, &p, rows)) continue;
        ferry_offer offer = {.tactic = tile->conv,
                             .nodes = region->nodes,
                             .n_nodes = region->n_nodes,
                             .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                             .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                             .flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES |
                                      (ferry_cuda_tile_is_tf32(tile, &p) ? FERRY_OFFER_TF32 : 0),
                             .cost_us = ferry_cuda_product_cost_us(device, &p, tile, rows, bytes)};
        FERRY_TRY(sink->take(sink->user, &offer, err));
        if (!few) continue;
        offer.in_layout = FERRY_LAYOUT_PLAIN;
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
        ferry_conv_shape shape;
        if (!is_conv(node) || !ferry_conv_node_is_offered(view, roots[i].nodes[0], &shape) || shape.group != 1)
            continue;
        ferry_arena arena;
        ferry_region region;
        ferry_arena_init(&arena, device->base.heap);
        ferry_status s = ferry_region_make(view->graph, view->user_offsets, view->users, roots[i].nodes,
                                           roots[i].n_nodes, &arena, &region, err);
        if (s == FERRY_OK) s = offer_region(device, view->graph, &region, &shape, sink, err);
        ferry_arena_deinit(&arena);
        FERRY_TRY(s);
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_conv;
const ferry_cuda_family ferry_cuda_family_conv = {
    .name = "conv",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
