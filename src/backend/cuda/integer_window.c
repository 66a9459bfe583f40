// SPDX-License-Identifier: Apache-2.0
// QConv of several groups (depthwise above all) or of three dimensions, channels last, with a QTable behind it.
#include <string.h>

#include "backend/cuda/integer_text.h"
#include "backend/cuda/product.h"
#include "backend/cuda/weights.h"
#include "backend/reading/conv_shape.h"

#define THREADS 128u
#define EFFICIENCY 0.15 // of the float units' peak, beside what ferry_cuda_cost_us takes off

static const char name[] = "integer_window";

static bool owns(const char *tactic)
{
    return strcmp(tactic, name) == 0;
}

static bool read_window(const ferry_region *region, ferry_cuda_product *p)
{
    if (region->n_nodes < 1 || region->n_outputs != 1) return false;
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1);
    if (!ferry_node_is(node, "QConv") || !w || w->shape.rank < 3 || w->shape.rank > 5) return false;
    *p = (ferry_cuda_product){.x_type = FERRY_S8,
                              .columns = w->shape.dims[0],
                              .channels = w->shape.dims[1],
                              .taps = 1,
                              .w = w,
                              .b = ferry_node_value(region->graph, node, 3)};
    if (ferry_window_read(node, w->shape.rank - 2, w->shape.dims + 2, &p->window, NULL) != FERRY_OK) return false;
    for (int i = 0; i < 3; i++) {
        const ferry_window *v = &p->window;
        if (v->kernel[i] > 1024 || v->stride[i] > 1024 || v->dilation[i] > 1024) return false;
        p->taps *= v->kernel[i];
    }
    return p->columns >= 1 && p->columns <= 1 << 24 && ferry_cuda_product_read_integer(region, p);
}

// What kernels count in ints: positions of an input and of an output beyond its borders, and threads.
static bool is_counted(const ferry_conv_shape *s)
{
    for (int i = 0; i < 3; i++)
        if (s->in[i] > INT16_MAX || s->out[i] > INT16_MAX || s->window.pad_begin[i] > INT16_MAX) return false;
    const double inputs = (double)s->batch * (double)s->in[0] * (double)s->in[1] * (double)s->in[2];
    const double outputs = (double)s->batch * (double)s->out_plane * (double)s->c_out;
    return inputs < INT32_MAX / 2 && outputs < INT32_MAX / 2;
}

static int64_t each_of(const ferry_region *region, const ferry_cuda_product *p)
{
    const int64_t group = ferry_node_int(&region->graph->nodes[region->nodes[0]], "group", 1);
    return group >= 1 && p->columns % group == 0 ? p->columns / group : 0;
}

static bool is_depthwise(const ferry_cuda_product *p, int64_t m_each)
{
    return m_each == 1 && p->channels == 1;
}

static int run_of(const ferry_cuda_product *p, int64_t m_each)
{
    return (is_depthwise(p, m_each) ? p->columns : m_each) % 4 == 0 ? 4 : 1;
}

static size_t bias_at(const ferry_cuda_product *p)
{
    return ferry_align_size((size_t)(p->columns * p->channels * p->taps), 256);
}

static size_t constant_bytes(const ferry_cuda_product *p)
{
    return bias_at(p) + 2 * (size_t)p->columns * sizeof(float) +
           (p->table ? 256 * ferry_dtype_bytes(p->table->dtype) : 0);
}

static ferry_status write_text(const ferry_cuda_product *p, int64_t m_each, ferry_cuda_source *s, ferry_error *err)
{
    static const char axes[] = "DHW";
    ferry_epilogue e;
    FERRY_TRY(ferry_epilogue_read(p->node, &e, err));
    ferry_cuda_source_add(s, "#include \"types.cuh\"\n#define Y_TYPE %s\n", ferry_cuda_type_name(p->y_type));
    for (int i = 0; i < 3; i++)
        ferry_cuda_source_add(s, "#define K%c %d\n#define S%c %d\n#define D%c %d\n", axes[i], (int)p->window.kernel[i],
                              axes[i], (int)p->window.stride[i], axes[i], (int)p->window.dilation[i]);
    ferry_cuda_source_define(s, "V", run_of(p, m_each));
    ferry_cuda_source_define(s, "DEPTHWISE", is_depthwise(p, m_each));
    ferry_cuda_source_define(s, "X_ZERO", p->x_zero);
    if (p->residual >= 0)
        ferry_cuda_source_add(s, "#define RESIDUAL_TYPE %s\n", ferry_cuda_type_name(p->chain.operands[0].dtype));
    if (p->table) ferry_cuda_source_add(s, "#define TABLE_TYPE %s\n", ferry_cuda_type_name(p->table->dtype));
    ferry_cuda_finish_write(&e, s);
    ferry_cuda_source_add(s, "#include \"integer_window.cuh\"\n");
    return FERRY_OK;
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    ferry_cuda_product p;
    if (!read_window(region, &p) || each_of(region, &p) == 0)
        return ferry_misfit(tactic, "nodes that are no convolution of int8", err);
    ferry_cuda_source s = {.heap = device->base.heap};
    FERRY_TRY(write_text(&p, each_of(region, &p), &s, err));
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    char *constants = ferry_cuda_package_constants(package, constant_bytes(&p));
    if (!constants) return ferry_fail_memory(err, "packed weights");
    ferry_cuda_weights_permute(p.w->data, 1, (const int64_t[4]){1, p.columns, p.channels, p.taps},
                               (const int[4]){0, 3, 2, 1}, constants);
    float *bias = (float *)(void *)(constants + bias_at(&p));
    memcpy(bias, p.b->data, (size_t)p.columns * sizeof *bias);
    memcpy(bias + p.columns, p.mult->data, (size_t)p.columns * sizeof *bias);
    if (p.table) memcpy(bias + 2 * p.columns, p.table->data, 256 * ferry_dtype_bytes(p.table->dtype));
    return FERRY_OK;
}

static ferry_status fill(ferry_cuda_kernel *kernel, const ferry_cuda_product *p, const ferry_conv_shape *shape,
                         int32_t x_at, int64_t x_row, int64_t y_row, int32_t r_at, int64_t r_row, ferry_error *err)
{
    const int64_t positions = shape->batch * shape->out_plane;
    const uint64_t threads = (uint64_t)positions * (uint64_t)(p->columns / run_of(p, shape->m_each));
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_integer_window",
                                       (const uint64_t[3]){(threads + THREADS - 1) / THREADS, 1, 1},
                                       (const unsigned[3]){THREADS, 1, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_in(l, x_at);
    ferry_cuda_pass_constants(l, kernel, 0);
    ferry_cuda_pass_constants(l, kernel, bias_at(p));
    ferry_cuda_pass_out(l, 0);
    const int64_t ints[] = {positions, p->columns, shape->c_each, shape->m_each};
    for (size_t i = 0; i < FERRY_COUNT_OF(ints); i++) ferry_cuda_pass_int(l, ints[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, shape->in[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, shape->out[i]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_int(l, shape->window.pad_begin[i]);
    ferry_cuda_pass_int(l, x_row);
    ferry_cuda_pass_int(l, y_row);
    if (r_at < 0) return FERRY_OK;
    ferry_cuda_pass_in(l, r_at);
    ferry_cuda_pass_int(l, r_row);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    ferry_cuda_product p;
    ferry_conv_shape shape;
    if (!read_window(region, &p)) return ferry_misfit(tactic, "nodes that are no convolution of int8", err);
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const int32_t x = ferry_region_input(region, node->inputs[0]);
    if (x < 0 || in[x].dtype != FERRY_S8 || out[0].dtype != p.y_type)
        return ferry_misfit(tactic, "tensors of another type", err);
    FERRY_TRY(ferry_conv_shape_read(node, &in[x], p.w->shape.rank, p.w->shape.dims, &out[0], &shape, err));
    const int64_t x_row = ferry_tensor_desc_row(&in[x]), y_row = ferry_tensor_desc_row(&out[0]);
    int32_t r = -1;
    int64_t r_row = 0;
    bool fits = x_row > 0 && y_row > 0 && x_row <= INT32_MAX && y_row <= INT32_MAX && is_counted(&shape);
    if (p.residual >= 0) {
        r = ferry_region_input(region, p.chain.operands[0].value);
        r_row = r >= 0 ? ferry_tensor_desc_row(&in[r]) : 0;
        fits = fits && r_row > 0 && r_row <= INT32_MAX && in[r].dtype == p.chain.operands[0].dtype &&
               ferry_tensor_desc_same_dims(&in[r], &out[0]);
    }
    if (!fits) return ferry_misfit(tactic, "tensors that do not fit together", err);
    if (ferry_cuda_kernel_constant_bytes(kernel) != constant_bytes(&p))
        return ferry_misfit(tactic, "packed weights of another size", err);
    return fill(kernel, &p, &shape, x, x_row, y_row, r, r_row, err);
}

static ferry_status offer_region(ferry_cuda_device *device, const ferry_region *region, const ferry_conv_shape *shape,
                                 const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cuda_product p;
    if (!read_window(region, &p) || !is_counted(shape)) return FERRY_OK;
    const ferry_value *y = &region->graph->values[region->outputs[0]];
    const double macs = ferry_value_elements(y) * (double)(p.taps * p.channels);
    double bytes = ferry_value_bytes(y) + ferry_value_bytes(p.w);
    for (int32_t i = 0; i < region->n_inputs; i++)
        bytes += ferry_value_bytes(&region->graph->values[region->inputs[i]]);
    const ferry_offer offer = {.tactic = name,
                               .nodes = region->nodes,
                               .n_nodes = region->n_nodes,
                               .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                               .flags = FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES,
                               .cost_us = ferry_cuda_cost_us(device, FERRY_F32, macs / EFFICIENCY, bytes)};
    return sink->take(sink->user, &offer, err);
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cuda_product_root roots[2];
    const int32_t n = ferry_cuda_product_roots(view, root, roots);
    for (int32_t i = 0; i < n; i++) {
        const ferry_node *node = &view->graph->nodes[roots[i].nodes[0]];
        ferry_conv_shape shape;
        if (!ferry_node_is(node, "QConv") || !ferry_conv_node_is_offered(view, roots[i].nodes[0], &shape) ||
            (shape.group == 1 && ferry_node_value(view->graph, node, 0)->shape.rank < 5))
            continue;
        ferry_arena arena;
        ferry_region region;
        ferry_arena_init(&arena, device->base.heap);
        ferry_status s = ferry_region_make(view->graph, view->user_offsets, view->users, roots[i].nodes,
                                           roots[i].n_nodes, &arena, &region, err);
        if (s == FERRY_OK) s = offer_region(device, &region, &shape, sink, err);
        ferry_arena_deinit(&arena);
        FERRY_TRY(s);
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_integer_window;
const ferry_cuda_family ferry_cuda_family_integer_window = {
    .name = "integer_window",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
