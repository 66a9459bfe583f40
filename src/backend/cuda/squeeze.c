// SPDX-License-Identifier: Apache-2.0
// Squeeze and excitation as one region: the mean of each plane, a small product, an activation, another product and the
// gate's function; two launches instead of four.
#include <string.h>

#include "backend/cuda/pool_parts.h"
#include "backend/cuda/tail.h"
#include "backend/cuda/weights.h"
#include "backend/reading/conv_shape.h"

#define THREADS 256
#define MOST_HIDDEN 64
#define MOST_CHANNELS 4096 // whose means a block keeps
#define MOST_REGISTERS 128 // that weights are read ahead into
#define MOST_OF_FEW 80     // where a block has 32768 of them

static const char tactic_name[] = "squeeze";

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static bool is_conv(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv");
}

typedef struct squeeze {
    ferry_node_id nodes[1 + 2 * FERRY_CUDA_TAIL_NODES];
    int32_t n_nodes;
    ferry_cuda_tail first, second;
    const ferry_value *x, *w, *w_bias, *v, *v_bias, *y;
    int64_t channels, hidden, columns;
    int width; // weights of the first product that are read at once
} squeeze;

// Constant weights [out, in, 1, ...] of one group, and a chain that reads nothing else.
static bool read_product(const ferry_graph *g, const ferry_cuda_tail *tail, const ferry_value **w,
                         const ferry_value **bias)
{
    const ferry_node *node = &g->nodes[tail->nodes[0]];
    *w = ferry_node_value(g, node, 1);
    *bias = ferry_node_value(g, node, 2);
    if (!is_conv(node) || !*w || !ferry_value_is_constant(*w) || !ferry_dtype_widens_to_f32((*w)->dtype) ||
        (*bias && !ferry_value_is_constant(*bias)) || (*w)->shape.rank < 3 || tail->chain.n_operands > 0 ||
        ferry_node_int(node, "group", 1) != 1)
        return false;
    for (int32_t d = 2; d < (*w)->shape.rank; d++)
        if ((*w)->shape.dims[d] != 1) return false;
    return true;
}

static bool is_plain_window(const ferry_node *node)
{
    int32_t count = 0;
    const int64_t *pads = ferry_node_ints(node, "pads", &count);
    for (int32_t i = 0; pads && i < count; i++)
        if (pads[i] != 0) return false;
    return true;
}

static bool fits_registers(const ferry_cuda_device *device, const squeeze *s)
{
    const int64_t columns = (s->hidden + THREADS / 32 - 1) / (THREADS / 32);
    const int64_t vectors = (s->channels + 32 * s->width - 1) / (32 * s->width);
    const int64_t words = s->width * (int64_t)ferry_dtype_bytes(s->w->dtype) / 4;
    const bool few = device->target.chip == 53 || device->target.chip == 62;
    return columns * vectors * (words ? words : 1) <= (few ? MOST_OF_FEW : MOST_REGISTERS);
}

// Fills in what both tails say, whose nodes follow `pool`.
static bool read(const ferry_cuda_device *device, const ferry_graph *g, const ferry_node *pool, squeeze *s)
{
    const ferry_node *a = &g->nodes[s->first.nodes[0]], *b = &g->nodes[s->second.nodes[0]];
    if (!ferry_node_is(pool, "GlobalAveragePool") || a->inputs[0] != pool->outputs[0] || b->inputs[0] != s->first.y ||
        !read_product(g, &s->first, &s->w, &s->w_bias) || !read_product(g, &s->second, &s->v, &s->v_bias) ||
        !is_plain_window(a) || !is_plain_window(b))
        return false;
    s->x = ferry_node_value(g, pool, 0);
    s->y = &g->values[s->second.y];
    s->hidden = s->w->shape.dims[0];
    s->channels = s->w->shape.dims[1];
    s->columns = s->v->shape.dims[0];
    s->width = (int)(16 / ferry_dtype_bytes(s->w->dtype));
    if (s->channels < 1 || s->hidden < 1 || s->columns < 1 || s->hidden > MOST_HIDDEN || s->channels > MOST_CHANNELS)
        return false;
    while (s->channels % s->width != 0) s->width /= 2;
    return s->v->shape.dims[1] == s->hidden && fits_registers(device, s) && ferry_dtype_widens_to_f32(s->x->dtype) &&
           ferry_dtype_widens_to_f32(s->y->dtype) && s->x->shape.rank == s->y->shape.rank && s->x->shape.rank >= 3 &&
           s->x->shape.dims[1] == s->channels;
}

// The region cut into pooling and two products; the second begins at the last convolution.
static bool read_region(const ferry_cuda_device *device, const ferry_region *region, squeeze *s)
{
    const ferry_graph *g = region->graph;
    *s = (squeeze){0};
    int32_t second = region->n_nodes - 1;
    while (second > 1 && !is_conv(&g->nodes[region->nodes[second]])) second--;
    if (second < 2 || region->n_inputs != 1 || region->n_outputs != 1) return false;
    const ferry_value_id between = g->nodes[region->nodes[second]].inputs[0];
    ferry_region a = *region, b = *region;
    a.nodes++;
    a.n_nodes = second - 1;
    a.outputs = &between;
    b.nodes += second;
    b.n_nodes -= second;
    return ferry_cuda_tail_read(&a, &s->first) && ferry_cuda_tail_read(&b, &s->second) &&
           read(device, g, &g->nodes[region->nodes[0]], s);
}

// Where constants lie, in bytes.
typedef struct places {
    size_t w_bias, v, v_bias, all;
} places;

static places place(const squeeze *s)
{
    places at;
    at.w_bias = ferry_align_size((size_t)(s->hidden * s->channels) * ferry_dtype_bytes(s->w->dtype), 256);
    at.v = at.w_bias + ferry_align_size((size_t)s->hidden * sizeof(float), 256);
    at.v_bias = at.v + ferry_align_size((size_t)(s->hidden * s->columns) * ferry_dtype_bytes(s->v->dtype), 256);
    at.all = at.v_bias + (size_t)s->columns * sizeof(float);
    return at;
}

static void write_text(const ferry_graph *g, const squeeze *s, ferry_cuda_source *text)
{
    ferry_cuda_source_add(text, "#include \"types.cuh\"\n#include \"functions.cuh\"\n");
    ferry_cuda_source_add(text, "#define W_TYPE %s\n#define V_TYPE %s\n#define Y_TYPE %s\n",
                          ferry_cuda_type_name(s->w->dtype), ferry_cuda_type_name(s->v->dtype),
                          ferry_cuda_type_name(s->y->dtype));
    ferry_cuda_source_define(text, "CHANNELS", s->channels);
    ferry_cuda_source_define(text, "HIDDEN", s->hidden);
    ferry_cuda_source_define(text, "WIDTH", s->width);
    ferry_cuda_source_add(text, "#define ferry_chain squeeze_chain\n");
    ferry_cuda_chain_write(g, &s->first.chain, s->first.before, text);
    ferry_cuda_source_add(text, "#undef ferry_chain\n#undef FERRY_OPERANDS\n#undef FERRY_EACH_OPERAND\n");
    ferry_cuda_chain_write(g, &s->second.chain, s->second.before, text);
    ferry_cuda_source_add(text, "#include \"squeeze.cuh\"\n");
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    squeeze s;
    if (!read_region(device, region, &s)) return ferry_misfit(tactic, "nodes of another kind", err);
    FERRY_TRY(ferry_cuda_pool_compile(s.x, false, true, package, err));
    ferry_cuda_source text = {.heap = device->base.heap};
    write_text(region->graph, &s, &text);
    FERRY_TRY(ferry_cuda_source_compile(&text, package, err));
    const places at = place(&s);
    char *constants = ferry_cuda_package_constants(package, at.all);
    if (!constants) return ferry_fail_memory(err, "packed weights");
    memcpy(constants, s.w->data, (size_t)(s.hidden * s.channels) * ferry_dtype_bytes(s.w->dtype));
    ferry_cuda_weights_permute(s.v->data, ferry_dtype_bytes(s.v->dtype), (const int64_t[4]){1, 1, s.columns, s.hidden},
                               (const int[4]){0, 1, 3, 2}, constants + at.v);
    if (!ferry_cuda_weights_floats(s.w_bias, s.hidden, (float *)(void *)(constants + at.w_bias)) ||
        !ferry_cuda_weights_floats(s.v_bias, s.columns, (float *)(void *)(constants + at.v_bias)))
        return ferry_misfit(tactic, "a constant of another size", err);
    return FERRY_OK;
}

static bool tensors_fit(const squeeze *s, const ferry_tensor_desc *x, const ferry_tensor_desc *y, int width)
{
    return x->dtype == s->x->dtype && y->dtype == s->y->dtype && x->rank == y->rank && x->rank == s->x->shape.rank &&
           x->dims[0] == y->dims[0] && x->dims[1] == s->channels && y->dims[1] == s->columns &&
           ferry_cuda_plane(x) >= 1 && ferry_cuda_plane(y) == 1 && ferry_cuda_row(x, width) && ferry_cuda_row(y, 1);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    squeeze s;
    if (!read_region(device, region, &s)) return ferry_misfit(tactic, "nodes of another kind", err);
    const int width = ferry_cuda_pool_width(s.channels, s.x->dtype);
    const places at = place(&s);
    if (!tensors_fit(&s, &in[0], &out[0], width) || ferry_cuda_kernel_constant_bytes(kernel) != at.all)
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    int64_t parts = 0;
    FERRY_TRY(ferry_cuda_pool_parts(device, kernel, 0, &in[0], NULL, width, &parts, err));
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(
        kernel, 1, "ferry_squeeze",
        (const uint64_t[3]){(uint64_t)((s.columns + THREADS - 1) / THREADS), (uint64_t)in[0].dims[0], 1},
        (const unsigned[3]){THREADS, 1, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_workspace(l, 0);
    ferry_cuda_pass_constants(l, kernel, 0);
    ferry_cuda_pass_constants(l, kernel, at.w_bias);
    ferry_cuda_pass_constants(l, kernel, at.v);
    ferry_cuda_pass_constants(l, kernel, at.v_bias);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, parts);
    ferry_cuda_pass_int(l, ferry_cuda_plane(&in[0]));
    ferry_cuda_pass_int(l, s.columns);
    ferry_cuda_pass_int(l, ferry_cuda_row(&out[0], 1));
    return FERRY_OK;
}

static bool find(const ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root, squeeze *s)
{
    const ferry_graph *g = view->graph;
    *s = (squeeze){0};
    if (!ferry_cuda_tail_find(view, root, 0, is_conv, &s->second)) return false;
    const ferry_node_id before = ferry_maker_for_one(view, g->nodes[s->second.nodes[0]].inputs[0]);
    if (before == FERRY_NO_NODE || !ferry_cuda_tail_find(view, before, 0, is_conv, &s->first)) return false;
    const ferry_node_id pool = ferry_maker_for_one(view, g->nodes[s->first.nodes[0]].inputs[0]);
    if (pool == FERRY_NO_NODE || !ferry_node_is_plain(view, pool) || !read(device, g, &g->nodes[pool], s)) return false;
    s->nodes[s->n_nodes++] = pool;
    for (int32_t i = 0; i < s->first.n_nodes; i++) s->nodes[s->n_nodes++] = s->first.nodes[i];
    for (int32_t i = 0; i < s->second.n_nodes; i++) s->nodes[s->n_nodes++] = s->second.nodes[i];
    return true;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    squeeze s;
    if (!find(device, view, root, &s) || ferry_value_is_constant(s.x) || ferry_value_elements(s.x) > INT32_MAX)
        return FERRY_OK;
    const double blocks = (double)(s.x->shape.dims[0] * ((s.columns + THREADS - 1) / THREADS));
    const double pooled = ferry_cuda_cost_us(device, FERRY_F32, 2 * ferry_value_elements(s.x), ferry_value_bytes(s.x));
    const double products =
        1 + ferry_cuda_cost_us(device, FERRY_F32, blocks * (double)(s.channels * s.hidden), ferry_value_bytes(s.y));
    const ferry_offer offer = {.tactic = tactic_name,
                               .nodes = s.nodes,
                               .n_nodes = s.n_nodes,
                               .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES,
                               .cost_us = pooled + products};
    return sink->take(sink->user, &offer, err);
}

extern const ferry_cuda_family ferry_cuda_family_squeeze;
const ferry_cuda_family ferry_cuda_family_squeeze = {
    .name = "squeeze",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
