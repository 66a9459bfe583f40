// SPDX-License-Identifier: Apache-2.0
// Pooling, channels last: maximum and average over windows or whole planes, of floats, of bf16 and of int8.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/node.h"
#include "backend/cpu/pool_loops.h"
#include "ops/op.h"

static const char tactic_name[] = "pool";

#define ROW(bits, suffix) extern const ferry_pool_row ferry_pool__##suffix;
#include "backend/cpu/basic_rows.inc"

static const struct {
    uint32_t isa;
    const ferry_pool_row *row;
} rows[] = {
#define ROW(bits, suffix) {bits, &ferry_pool__##suffix},
#include "backend/cpu/basic_rows.inc"
};

const ferry_pool_row *ferry_pool_pick(uint32_t isa)
{
    const ferry_pool_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = rows[i].row;
    return best;
}

typedef enum pool_kind { POOL_NONE, POOL_MAX, POOL_AVERAGE } pool_kind;

typedef struct pool_node {
    pool_kind kind;
    bool global, integer; // integer: one of ferry's, with a multiplier
} pool_node;

static pool_node read_kind(const ferry_node *node)
{
    static const struct {
        const char *op;
        pool_node is;
    } ops[] = {
        {"MaxPool", {POOL_MAX, false, false}},         {"AveragePool", {POOL_AVERAGE, false, false}},
        {"GlobalMaxPool", {POOL_MAX, true, false}},    {"GlobalAveragePool", {POOL_AVERAGE, true, false}},
        {"QAveragePool", {POOL_AVERAGE, false, true}}, {"QGlobalAveragePool", {POOL_AVERAGE, true, true}},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(ops); i++)
        if (ferry_node_is(node, ops[i].op)) return ops[i].is;
    return (pool_node){POOL_NONE, false, false};
}

typedef struct pool_kernel {
    ferry_cpu_kernel base;
    pool_node what;
    ferry_dtype in, out;
    const ferry_pool_row *row;
    ferry_conv_shape shape; // of a global pool: plane in in[], nothing else
    bool count_pads;
    float mult, shift;
    ferry_operand x;
    int64_t x_row, y_row; // elements from a position to the next one
} pool_kernel;

typedef struct pool_run {
    const pool_kernel *k;
    const char *x;
    char *y;
    size_t row;
} pool_run;

static void run_window(const pool_kernel *k, const ferry_pool_window *window, const void *x, void *y)
{
    const bool max = k->what.kind == POOL_MAX;
    if (k->in == FERRY_BF16) {
        (max ? k->row->max_bf16 : k->row->average_bf16)(window, x, y);
    } else if (k->in == FERRY_F32) {
        (max ? k->row->max_f32 : k->row->average_f32)(window, x, y);
    } else if (k->in == FERRY_U8) {
        k->row->max_u8(window, x, y);
    } else if (k->out == FERRY_F32) {
        k->row->average_s8_f32(window, x, y);
    } else {
        (max ? k->row->max_s8 : k->row->average_s8)(window, x, y);
    }
}

// Elements of a window along an axis that count when padding does: those inside the padded input.
static int64_t counted(const ferry_conv_shape *s, int32_t axis, int64_t o)
{
    const ferry_window *w = &s->window;
    const int64_t room = s->in[axis] + w->pad_begin[axis] + w->pad_end[axis] - o * w->stride[axis];
    const int64_t taps = room <= 0 ? 0 : (room + w->dilation[axis] - 1) / w->dilation[axis];
    return taps < w->kernel[axis] ? taps : w->kernel[axis];
}

static void run_span(void *user, const ferry_depthwise_span *span, const ferry_depthwise_tap *taps)
{
    const pool_run *run = user;
    const pool_kernel *k = run->k;
    const ferry_conv_shape *s = &k->shape;
    const size_t in_bytes = ferry_dtype_bytes(k->in), out_bytes = ferry_dtype_bytes(k->out);
    ferry_pool_window window = {
        .taps = taps, .n = span->n_taps, .channels = (size_t)s->c_in, .mult = k->mult, .shift = k->shift};
    const int64_t out_h = (int64_t)run->row % s->out[1], out_d = (int64_t)run->row / s->out[1] % s->out[0];
    for (int64_t i = 0; i < span->count; i++) {
        const int64_t at = (int64_t)run->row * s->out[2] + span->first + i;
        const int64_t from = span->x_at + i * s->window.stride[2] * s->x_step[2];
        window.count = (float)(int32_t)span->n_taps;
        if (k->count_pads)
            window.count =
                (float)(int32_t)(counted(s, 0, out_d) * counted(s, 1, out_h) * counted(s, 2, span->first + i));
        run_window(k, &window, run->x + from * (int64_t)in_bytes, run->y + at * k->y_row * (int64_t)out_bytes);
    }
}

static void run_rows(void *context, size_t begin, size_t count)
{
    pool_run run = *(const pool_run *)context;
    for (run.row = begin; run.row < begin + count; run.row++)
        ferry_depthwise_row(&run.k->shape, run.row, 0, run_span, &run);
}

// i: a picture; j: channels.
static void run_planes(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const pool_run *run = context;
    const pool_kernel *k = run->k;
    const size_t plane = (size_t)k->shape.out_plane;
    const ferry_pool_window window = {.step = (ptrdiff_t)k->x_row,
                                      .n = plane,
                                      .channels = count_j,
                                      .count = (float)(int32_t)plane,
                                      .mult = k->mult,
                                      .shift = k->shift};
    for (size_t picture = i; picture < i + count_i; picture++)
        run_window(k, &window, run->x + (picture * plane * (size_t)k->x_row + j) * ferry_dtype_bytes(k->in),
                   run->y + (picture * (size_t)k->y_row + j) * ferry_dtype_bytes(k->out));
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const pool_kernel *k = (const pool_kernel *)kernel;
    const ferry_conv_shape *s = &k->shape;
    pool_run run = {.k = k, .x = ferry_cpu_operand_data(&k->x, r), .y = r->out[0].data};
    if (k->what.global)
        ferry_parallel_2d(r->pool, run_planes, &run, (size_t)s->batch, (size_t)s->c_in, 1, 64);
    else
        ferry_parallel_even(r->pool, run_rows, &run, (size_t)(s->batch * s->out[0] * s->out[1]), 1);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// The geometry of a window over each channel, as that of a depthwise convolution without weights.
static ferry_status read_shape(const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *y,
                               ferry_conv_shape *out, ferry_error *err)
{
    int32_t count = 0;
    const int64_t *kernel = ferry_node_ints(node, "kernel_shape", &count);
    if (!kernel || x->rank < 3 || x->rank > 5 || count != x->rank - 2 || x->dims[1] < 1)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a pooling window of another rank than its input");
    int64_t w_dims[5] = {x->dims[1], 1, 1, 1, 1};
    for (int32_t i = 0; i < count; i++) w_dims[2 + i] = kernel[i];
    return ferry_conv_shape_read_grouped(node, x, x->rank, w_dims, x->dims[1], y, out, err);
}

static ferry_status read_global(const ferry_tensor_desc *x, const ferry_tensor_desc *y, ferry_conv_shape *out,
                                ferry_error *err)
{
    bool fits = x->rank >= 3 && y->rank == x->rank && x->dims[0] == y->dims[0] && x->dims[1] == y->dims[1];
    *out = (ferry_conv_shape){.out_plane = 1};
    for (int32_t d = 2; fits && d < x->rank; d++) {
        fits = y->dims[d] == 1;
        out->out_plane *= x->dims[d];
    }
    if (!fits || out->out_plane < 1 || out->out_plane > INT32_MAX / 256)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a pooled plane of another shape");
    out->batch = x->dims[0];
    out->c_in = x->dims[1];
    return FERRY_OK;
}

static bool knows_types(pool_node what, ferry_dtype in, ferry_dtype out)
{
    if (what.integer) return in == FERRY_S8 && (out == FERRY_S8 || out == FERRY_F32);
    if (what.kind == POOL_MAX && (in == FERRY_S8 || in == FERRY_U8)) return in == out;
    return (in == FERRY_F32 || in == FERRY_BF16) && out == in;
}

static ferry_status read_pool(const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *y,
                              pool_node *what, ferry_conv_shape *shape, ferry_error *err)
{
    *what = read_kind(node);
    if (what->kind == POOL_NONE) return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "not a pooling");
    if (what->global) return read_global(x, y, shape, err);
    FERRY_TRY(read_shape(node, x, y, shape, err));
    if (!ferry_conv_is_depthwise(shape)) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a window too large");
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_operand x = ferry_operand_of(region, in, 0);
    pool_node what;
    ferry_conv_shape shape;
    const int64_t x_row = x.present ? ferry_tensor_desc_row(&x.desc) : 0, y_row = ferry_tensor_desc_row(&out[0]);
    if (x_row == 0 || y_row == 0 || region->n_outputs != 1)
        return ferry_misfit(tactic, "tensors without channels last", err);
    FERRY_TRY(read_pool(node, &x.desc, &out[0], &what, &shape, err));
    if (!knows_types(what, x.desc.dtype, out[0].dtype)) return ferry_misfit(tactic, "types it does not know", err);
    pool_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a pooling");
    k->what = what;
    k->shape = shape;
    k->in = x.desc.dtype;
    k->out = out[0].dtype;
    k->row = ferry_pool_pick(device->isa);
    k->count_pads = !what.global && ferry_node_int(node, "count_include_pad", 0) != 0;
    k->mult = ferry_node_float(node, "mult", 1);
    k->shift = ferry_node_float(node, "shift", 0);
    k->x = x;
    k->x_row = x_row;
    k->y_row = y_row;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (read_kind(node).kind == POOL_NONE || !ferry_node_is_plain(view, root)) return FERRY_OK;
    if (node->n_outputs > 1 && node->outputs[1] != FERRY_NO_VALUE) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (ferry_value_is_constant(x)) return FERRY_OK;
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST);
    const ferry_tensor_desc out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    pool_node what;
    ferry_conv_shape shape;
    const ferry_dtype x_dtype = ferry_dtype_widens_to_f32(x->dtype) ? FERRY_F32 : x->dtype;
    const ferry_dtype y_dtype = ferry_dtype_widens_to_f32(y->dtype) ? FERRY_F32 : y->dtype;
    if (read_pool(node, &in, &out, &what, &shape, NULL) != FERRY_OK || !knows_types(what, x_dtype, y_dtype))
        return FERRY_OK;
    const double taps = what.global ? ferry_value_elements(x) : ferry_value_elements(y) * (double)shape.taps;
    const double cost = ferry_cpu_cost_us(device, FERRY_F32, 4 * taps, ferry_value_bytes(x) + ferry_value_bytes(y));
    return ferry_offer_node(sink, tactic_name, root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES, cost, err);
}

extern const ferry_cpu_family ferry_cpu_family_pool;
const ferry_cpu_family ferry_cpu_family_pool = {
    .name = "pool",
    .via_f32 = true,
    .bf16 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
