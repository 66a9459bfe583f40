// SPDX-License-Identifier: Apache-2.0
// Convolutions that no other family takes (grouped ones, those of three dimensions) and transposed ones, channels last,
// on the plain float units.
#include <string.h>

#include "backend/cuda/tail.h"
#include "backend/cuda/weights.h"
#include "backend/reading/conv_shape.h"
#include "ops/conv.h"

#define THREADS 128u
#define TILE 4
#define EFFICIENCY 0.3 // of the float units' peak, beside what ferry_cuda_cost_us takes off

static const char *const tactics[] = {"conv_simt", "conv_transpose_simt"};

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static bool is_transposed(const ferry_node *node)
{
    return ferry_node_is(node, "ConvTranspose");
}

static bool is_conv(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv") || is_transposed(node);
}

typedef struct conv {
    int64_t group, c_each, m_each, in[3], out[3], batch;
    ferry_window window; // pads resolved
    int c_width, m_width;
    int64_t taps;
} conv;

static int widest(int64_t channels, int most)
{
    while (channels % most != 0) most /= 2;
    return most;
}

static void spatial(const ferry_tensor_desc *desc, int64_t dims[3])
{
    for (int32_t i = 0; i < 3; i++) dims[i] = desc->rank - 3 + i >= 2 ? desc->dims[desc->rank - 3 + i] : 1;
}

static bool read_transposed(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank, const int64_t *w,
                            const ferry_tensor_desc *y, conv *out)
{
    ferry_transpose_sizes sizes;
    const int64_t group = ferry_node_int(node, "group", 1);
    if (x->rank < 3 || x->rank > 5 || w_rank != x->rank || y->rank != x->rank || group < 1 || w[0] < 1 || w[1] < 1 ||
        w[0] % group != 0 || x->dims[1] != w[0] || y->dims[1] % group != 0 || y->dims[1] / group != w[1] ||
        x->dims[0] != y->dims[0])
        return false;
    *out = (conv){.group = group, .c_each = w[0] / group, .m_each = w[1], .batch = x->dims[0]};
    spatial(x, out->in);
    spatial(y, out->out);
    if (ferry_transpose_sizes_read(node, x->rank - 2, w + 2, out->in, &sizes, NULL) != FERRY_OK) return false;
    out->window = sizes.window;
    return memcmp(sizes.out, out->out, sizeof sizes.out) == 0;
}

static bool read_plain(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank, const int64_t *w,
                       const ferry_tensor_desc *y, conv *out)
{
    ferry_conv_shape s;
    if (ferry_conv_shape_read(node, x, w_rank, w, y, &s, NULL) != FERRY_OK) return false;
    *out = (conv){.group = s.group, .c_each = s.c_each, .m_each = s.m_each, .batch = s.batch, .window = s.window};
    memcpy(out->in, s.in, sizeof out->in);
    memcpy(out->out, s.out, sizeof out->out);
    return true;
}

// Geometry of the node between such tensors; false when they don't belong together, or are beyond what kernels count.
static bool read(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank, const int64_t *w,
                 const ferry_tensor_desc *y, conv *out)
{
    int64_t elements = 0;
    if (!(is_transposed(node) ? read_transposed : read_plain)(node, x, w_rank, w, y, out)) return false;
    out->taps = 1;
    for (int i = 0; i < 3; i++) {
        const ferry_window *v = &out->window;
        if (out->in[i] > INT16_MAX || out->out[i] > INT16_MAX || v->kernel[i] > 1024 || v->stride[i] > 1024 ||
            v->dilation[i] > 1024 || v->pad_begin[i] > INT16_MAX)
            return false;
        out->taps *= v->kernel[i];
    }
    const size_t bytes = ferry_dtype_bytes(x->dtype);
    out->c_width = widest(out->c_each, (int)(bytes == 2 ? 8 : 4));
    out->m_width = widest(out->m_each, 4);
    return ferry_cuda_elements(x, &elements) && ferry_cuda_elements(y, &elements) &&
           out->taps * out->group <= INT32_MAX / out->c_each / out->m_each;
}

typedef struct places {
    size_t bias, operands, all;
} places;

static places place(const conv *c, ferry_dtype w, const ferry_cuda_tail *p)
{
    const int64_t channels = c->group * c->m_each;
    places at;
    at.bias = ferry_align_size((size_t)(channels * c->c_each * c->taps) * ferry_dtype_bytes(w), 256);
    at.operands = at.bias + ferry_align_size((size_t)channels * sizeof(float), 256);
    at.all = at.operands + ferry_cuda_tail_constant_bytes(p, channels);
    return at;
}

static void define_window(ferry_cuda_source *s, const ferry_window *w)
{
    static const char axes[] = "DHW";
    for (int i = 0; i < 3; i++) {
        ferry_cuda_source_add(s, "#define K%c %d\n#define S%c %d\n#define D%c %d\n", axes[i], (int)w->kernel[i],
                              axes[i], (int)w->stride[i], axes[i], (int)w->dilation[i]);
    }
}

static ferry_status pack_constants(const ferry_graph *g, const ferry_cuda_tail *p, const conv *c, const char *tactic,
                                   ferry_cuda_package *package, ferry_error *err)
{
    const ferry_node *node = &g->nodes[p->nodes[0]];
    const ferry_value *w = ferry_node_value(g, node, 1);
    const int64_t channels = c->group * c->m_each;
    const places at = place(c, w->dtype, p);
    char *constants = ferry_cuda_package_constants(package, at.all);
    if (!constants) return ferry_fail_memory(err, "packed weights");
    // [group, out, in, tap], or [group, in, out, tap] of a transposed one, to [group, tap, in, out].
    if (is_transposed(node))
        ferry_cuda_weights_permute(w->data, ferry_dtype_bytes(w->dtype),
                                   (const int64_t[4]){c->group, c->c_each, c->m_each, c->taps},
                                   (const int[4]){0, 3, 1, 2}, constants);
    else
        ferry_cuda_weights_permute(w->data, ferry_dtype_bytes(w->dtype),
                                   (const int64_t[4]){c->group, c->m_each, c->c_each, c->taps},
                                   (const int[4]){0, 3, 2, 1}, constants);
    if (!ferry_cuda_weights_floats(ferry_node_value(g, node, 2), channels, (float *)(void *)(constants + at.bias)) ||
        !ferry_cuda_chain_pack(g, &p->chain, channels, (float *)(void *)(constants + at.operands)))
        return ferry_misfit(tactic, "a constant of another size", err);
    return FERRY_OK;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    ferry_cuda_tail p;
    conv c;
    if (!ferry_cuda_tail_read(region, &p)) return ferry_misfit(tactic, "nodes that are no product", err);
    const ferry_node *node = &g->nodes[p.nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1), *y = &g->values[p.y];
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST),
                            out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    if (!read(node, &in, w->shape.rank, w->shape.dims, &out, &c))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#include \"functions.cuh\"\n");
    ferry_cuda_source_add(&s, "#define X_TYPE %s\n#define W_TYPE %s\n#define Y_TYPE %s\n",
                          ferry_cuda_type_name(x->dtype), ferry_cuda_type_name(w->dtype),
                          ferry_cuda_type_name(y->dtype));
    ferry_cuda_source_define(&s, "C_WIDTH", c.c_width);
    ferry_cuda_source_define(&s, "M_WIDTH", c.m_width);
    ferry_cuda_source_define(&s, "TILE", TILE);
    ferry_cuda_source_define(&s, "TRANSPOSED", is_transposed(node));
    define_window(&s, &c.window);
    ferry_cuda_chain_write(g, &p.chain, p.before, &s);
    ferry_cuda_source_add(&s, "#include \"conv_simt.cuh\"\n");
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    return pack_constants(g, &p, &c, tactic, package, err);
}

static ferry_status fill(ferry_cuda_kernel *kernel, const ferry_region *region, const ferry_cuda_tail *p, const conv *c,
                         const places *at, const ferry_tensor_desc *in, int32_t x_at, const ferry_tensor_desc *out,
                         ferry_error *err)
{
    const int64_t channels = c->group * c->m_each, tiles_w = (c->out[2] + TILE - 1) / TILE;
    const int64_t tiles = c->batch * c->out[0] * c->out[1] * tiles_w;
    const unsigned runs = (unsigned)(channels / c->m_width), tx = runs < 32 ? runs : 32, ty = THREADS / tx;
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_conv_simt",
                                       (const uint64_t[3]){((uint64_t)tiles + ty - 1) / ty, (runs + tx - 1) / tx, 1},
                                       (const unsigned[3]){tx, ty, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_in(l, x_at);
    ferry_cuda_pass_constants(l, kernel, 0);
    ferry_cuda_pass_constants(l, kernel, at->bias);
    ferry_cuda_pass_out(l, 0);
    const int64_t ints[] = {tiles, tiles_w, c->c_each, c->m_each, channels};
    for (size_t i = 0; i < FERRY_COUNT_OF(ints); i++) ferry_cuda_pass_int(l, ints[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, c->in[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, c->out[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, c->window.pad_begin[i]);
    ferry_cuda_pass_int(l, ferry_cuda_row(&in[x_at], c->c_width));
    ferry_cuda_pass_int(l, ferry_cuda_row(out, c->m_width));
    ferry_cuda_tail_pass_operands(l, kernel, region, p, in, channels, at->operands);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    ferry_cuda_tail p;
    if (!ferry_cuda_tail_read(region, &p) || !is_conv(&g->nodes[p.nodes[0]]))
        return ferry_misfit(tactic, "nodes that are no product", err);
    const ferry_operand x = ferry_operand_of(region, in, 0), w = ferry_operand_of(region, in, 1);
    conv c;
    if (x.at < 0 || !w.data) return ferry_misfit(tactic, "an input is missing", err);
    if (x.desc.dtype != g->values[region->inputs[x.at]].dtype || out[0].dtype != g->values[p.y].dtype ||
        !read(&g->nodes[p.nodes[0]], &x.desc, w.desc.rank, w.desc.dims, &out[0], &c) ||
        !ferry_cuda_row(&x.desc, c.c_width) || !ferry_cuda_row(&out[0], c.m_width) ||
        !ferry_cuda_tail_operands_fit(region, &p, in, &out[0], false, c.m_width))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const places at = place(&c, w.desc.dtype, &p);
    if (ferry_cuda_kernel_constant_bytes(kernel) != at.all)
        return ferry_misfit(tactic, "packed weights of another size", err);
    return fill(kernel, region, &p, &c, &at, in, x.at, &out[0], err);
}

static bool has_constants(const ferry_graph *g, const ferry_node *node)
{
    const ferry_value *w = ferry_node_value(g, node, 1), *bias = ferry_node_value(g, node, 2);
    return w && ferry_value_is_constant(w) && ferry_dtype_widens_to_f32(w->dtype) &&
           (!bias || ferry_value_is_constant(bias));
}

static ferry_status offer_tail(ferry_cuda_device *device, const ferry_graph_view *view, const ferry_cuda_tail *p,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[p->nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1), *y = &g->values[p->y];
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST),
                            out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    conv c;
    if (!is_transposed(node) && ferry_node_int(node, "group", 1) == 1 && x->shape.rank < 5) return FERRY_OK;
    if (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(y->dtype) || ferry_value_is_constant(x) ||
        !has_constants(g, node) || !read(node, &in, w->shape.rank, w->shape.dims, &out, &c))
        return FERRY_OK;
    double macs = ferry_value_elements(y) * (double)(c.taps * c.c_each);
    for (int i = 0; i < 3 && is_transposed(node); i++) macs /= (double)c.window.stride[i];
    const double bytes = ferry_value_bytes(x) + ferry_value_bytes(w) + ferry_cuda_tail_bytes(g, p);
    const ferry_offer offer = {.tactic = tactics[is_transposed(node)],
                               .nodes = p->nodes,
                               .n_nodes = p->n_nodes,
                               .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES,
                               .cost_us = ferry_cuda_cost_us(device, FERRY_F32, macs / EFFICIENCY, bytes)};
    return sink->take(sink->user, &offer, err);
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    return ferry_cuda_tail_offer(device, view, root, is_conv, offer_tail, sink, err);
}

extern const ferry_cuda_family ferry_cuda_family_conv_simt;
const ferry_cuda_family ferry_cuda_family_conv_simt = {
    .name = "conv_simt",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
