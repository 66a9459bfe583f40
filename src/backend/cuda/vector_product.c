// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with constant weights, as squeeze-and-excitation and classifiers have them at small batches:
// matrix products, and 1x1 convolutions of a single position.
#include <string.h>

#include "backend/cuda/tail.h"
#include "backend/cuda/weights.h"
#include "backend/reading/conv_shape.h"

#define THREADS 128
#define MOST_ROWS 8    // that it is offered for
#define BLOCKS 128     // at least, if the sums can be shared among so many
#define LATENCY_US 1.0 // from the first load to the last sum

static const char tactic_name[] = "vector_product";

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static bool is_conv(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv");
}

static bool is_product(const ferry_node *node)
{
    return is_conv(node) || ferry_node_is(node, "FusedGemm");
}

typedef struct vector {
    int64_t k, columns;
    bool by_column; // the node's weights lie [column][k]
    int width, group;
} vector;

// What the node's weights say of the product; false when it is none of this kind.
static bool read_weights(const ferry_graph *g, const ferry_node *node, ferry_dtype x, vector *out)
{
    const ferry_value *w = ferry_node_value(g, node, 1);
    if (!is_product(node) || !w || !ferry_value_is_constant(w) || !ferry_dtype_widens_to_f32(w->dtype) ||
        w->shape.rank < 2)
        return false;
    out->by_column = is_conv(node) || ferry_node_int(node, "transB", 0) != 0;
    out->columns = w->shape.dims[out->by_column ? 0 : 1];
    out->k = w->shape.dims[out->by_column ? 1 : 0];
    if (out->k < 1 || out->columns < 1 || out->k > 65536 || out->columns > 1 << 24) return false;
    if (is_conv(node)) {
        if (ferry_node_int(node, "group", 1) != 1) return false;
        for (int32_t d = 2; d < w->shape.rank; d++)
            if (w->shape.dims[d] != 1) return false;
    } else if (w->shape.rank != 2 || ferry_node_int(node, "transA", 0) != 0) {
        return false;
    }
    const size_t bytes =
        ferry_dtype_bytes(x) > ferry_dtype_bytes(w->dtype) ? ferry_dtype_bytes(x) : ferry_dtype_bytes(w->dtype);
    out->width = (int)(16 / bytes);
    while (out->k % out->width != 0) out->width /= 2;
    // Few vectors for each thread, and as many blocks as fill a GPU where the sums are long enough.
    const int64_t vectors = out->k / out->width;
    out->group = 1;
    while (out->group < THREADS && vectors > 4 * out->group) out->group *= 2;
    while (out->group < THREADS && vectors > out->group && out->columns * out->group < BLOCKS * THREADS)
        out->group *= 2;
    return true;
}

static size_t weight_bytes(const vector *v, ferry_dtype w)
{
    return ferry_align_size((size_t)(v->k * v->columns) * ferry_dtype_bytes(w), 256);
}

static size_t bias_bytes(const vector *v)
{
    return ferry_align_size((size_t)v->columns * sizeof(float), 256);
}

static int rows_at_once(const ferry_value *y, const vector *v)
{
    const double rows = ferry_value_elements(y) / (double)v->columns;
    int n = 1;
    while (n < rows && n < MOST_ROWS) n *= 2;
    return n;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    ferry_cuda_tail p;
    vector v;
    if (!ferry_cuda_tail_read(region, &p)) return ferry_misfit(tactic, "nodes that are no product", err);
    const ferry_node *node = &g->nodes[p.nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1), *y = &g->values[p.y];
    if (!read_weights(g, node, x->dtype, &v)) return ferry_misfit(tactic, "weights of another kind", err);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#include \"functions.cuh\"\n");
    ferry_cuda_source_add(&s, "#define X_TYPE %s\n#define W_TYPE %s\n#define Y_TYPE %s\n",
                          ferry_cuda_type_name(x->dtype), ferry_cuda_type_name(w->dtype),
                          ferry_cuda_type_name(y->dtype));
    ferry_cuda_source_define(&s, "K", v.k);
    ferry_cuda_source_define(&s, "WIDTH", v.width);
    ferry_cuda_source_define(&s, "GROUP", v.group);
    ferry_cuda_source_define(&s, "ROWS", rows_at_once(y, &v));
    ferry_cuda_chain_write(g, &p.chain, p.before, &s);
    ferry_cuda_source_add(&s, "#include \"vector_product.cuh\"\n");
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    const size_t bias = weight_bytes(&v, w->dtype), operands = bias + bias_bytes(&v);
    char *constants = ferry_cuda_package_constants(package, operands + ferry_cuda_tail_constant_bytes(&p, v.columns));
    if (!constants) return ferry_fail_memory(err, "packed weights");
    const int64_t dims[4] = {1, 1, v.by_column ? v.columns : v.k, v.by_column ? v.k : v.columns};
    ferry_cuda_weights_permute(w->data, ferry_dtype_bytes(w->dtype), dims,
                               v.by_column ? (const int[4]){0, 1, 2, 3} : (const int[4]){0, 1, 3, 2}, constants);
    if (!ferry_cuda_weights_floats(ferry_node_value(g, node, 2), v.columns, (float *)(void *)(constants + bias)) ||
        !ferry_cuda_chain_pack(g, &p.chain, v.columns, (float *)(void *)(constants + operands)))
        return ferry_misfit(tactic, "a constant of another size", err);
    return FERRY_OK;
}

// Elements from row to row of either side, and how many rows there are.
typedef struct places {
    int64_t x_row, y_row, rows;
} places;

static bool is_single_position(const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *y)
{
    ferry_window window;
    const int64_t ones[3] = {1, 1, 1};
    if (x->rank < 3 || x->rank > 5 || ferry_cuda_plane(x) != 1 || ferry_cuda_plane(y) != 1 ||
        ferry_window_read(node, x->rank - 2, ones, &window, NULL) != FERRY_OK)
        return false;
    ferry_window_resolve(&window, ones);
    return window.pad_begin[0] == 0 && window.pad_begin[1] == 0 && window.pad_begin[2] == 0;
}

static bool read_places(const ferry_node *node, const vector *v, const ferry_tensor_desc *x, const ferry_tensor_desc *y,
                        places *out)
{
    int64_t elements = 0;
    const int32_t at = is_conv(node) ? 1 : x->rank - 1;
    if (x->rank < 1 || x->rank != y->rank || x->dims[at] != v->k || y->dims[at] != v->columns ||
        !ferry_cuda_elements(x, &elements) || !ferry_cuda_elements(y, &elements))
        return false;
    for (int32_t d = 0; d < x->rank; d++)
        if (d != at && x->dims[d] != y->dims[d]) return false;
    out->rows = elements / v->columns;
    if (!is_conv(node)) {
        out->x_row = v->k;
        out->y_row = v->columns;
        return ferry_tensor_desc_is_dense(x, FERRY_LAYOUT_PLAIN) && ferry_tensor_desc_is_dense(y, FERRY_LAYOUT_PLAIN);
    }
    out->x_row = ferry_cuda_row(x, v->width);
    out->y_row = ferry_cuda_row(y, 1);
    return out->x_row && out->y_row && is_single_position(node, x, y);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    ferry_cuda_tail p;
    vector v;
    places at;
    if (!ferry_cuda_tail_read(region, &p)) return ferry_misfit(tactic, "nodes that are no product", err);
    const ferry_node *node = &g->nodes[p.nodes[0]];
    const ferry_operand x = ferry_operand_of(region, in, 0);
    if (x.at < 0 || x.desc.dtype != g->values[region->inputs[x.at]].dtype || out[0].dtype != g->values[p.y].dtype ||
        !read_weights(g, node, x.desc.dtype, &v) || !read_places(node, &v, &x.desc, &out[0], &at) ||
        !ferry_cuda_tail_operands_fit(region, &p, in, &out[0], !is_conv(node), 1))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const size_t bias = weight_bytes(&v, g->values[node->inputs[1]].dtype), operands = bias + bias_bytes(&v);
    if (ferry_cuda_kernel_constant_bytes(kernel) != operands + ferry_cuda_tail_constant_bytes(&p, v.columns))
        return ferry_misfit(tactic, "packed weights of another size", err);
    const int each = THREADS / v.group, rows = rows_at_once(&g->values[p.y], &v);
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(
        kernel, 0, "ferry_vector_product",
        (const uint64_t[3]){(uint64_t)((v.columns + each - 1) / each), (uint64_t)((at.rows + rows - 1) / rows), 1},
        (const unsigned[3]){THREADS, 1, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_in(l, x.at);
    ferry_cuda_pass_constants(l, kernel, 0);
    ferry_cuda_pass_constants(l, kernel, bias);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, at.rows);
    ferry_cuda_pass_int(l, v.columns);
    ferry_cuda_pass_int(l, at.x_row);
    ferry_cuda_pass_int(l, at.y_row);
    ferry_cuda_tail_pass_operands(l, kernel, region, &p, in, v.columns, operands);
    return FERRY_OK;
}

static ferry_status offer_tail(ferry_cuda_device *device, const ferry_graph_view *view, const ferry_cuda_tail *p,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[p->nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *y = &g->values[p->y], *bias = ferry_node_value(g, node, 2);
    const ferry_tensor_layout layout = is_conv(node) ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
    const ferry_tensor_desc in = ferry_value_describe(x, layout), out = ferry_value_describe(y, layout);
    vector v;
    places at;
    if (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(y->dtype) || ferry_value_is_constant(x) ||
        (bias && !ferry_value_is_constant(bias)) || !read_weights(g, node, x->dtype, &v) ||
        !read_places(node, &v, &in, &out, &at) || at.rows < 1 || at.rows > MOST_ROWS)
        return FERRY_OK;
    if (!is_conv(node) && y->shape.rank != 2 &&
        (ferry_cuda_chain_count(&p->chain, FERRY_CUDA_CHANNEL) || ferry_cuda_chain_count(&p->chain, FERRY_CUDA_GATE)))
        return FERRY_OK; // dimension 1 is not that of the columns
    const double macs = (double)(at.rows * v.k * v.columns);
    const double bytes =
        ferry_value_bytes(&g->values[node->inputs[1]]) + ferry_value_bytes(x) + ferry_cuda_tail_bytes(g, p);
    const ferry_offer offer = {.tactic = tactic_name,
                               .nodes = p->nodes,
                               .n_nodes = p->n_nodes,
                               .in_layout = layout,
                               .out_layout = layout,
                               .flags = is_conv(node) ? FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES : 0,
                               .cost_us = LATENCY_US + ferry_cuda_cost_us(device, FERRY_F32, macs, bytes)};
    return sink->take(sink->user, &offer, err);
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    return ferry_cuda_tail_offer(device, view, root, is_product, offer_tail, sink, err);
}

extern const ferry_cuda_family ferry_cuda_family_vector_product;
const ferry_cuda_family ferry_cuda_family_vector_product = {
    .name = "vector_product",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
