// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution in float: one filter a channel, channels last.
#include <string.h>

#include "backend/cpu/depthwise_line_f32.h"
#include "backend/cpu/depthwise_pack.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/node.h"
#include "backend/cpu/conv_node.h"
#include "backend/cpu/tail.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_f32_depthwise";

#define ROW(isa, suffix) void ferry_depthwise_f32__##suffix(const ferry_depthwise_f32_strip *);
#include "backend/cpu/basic_rows.inc"

static const ferry_depthwise_f32_row rows[] = {
#define ROW(isa, suffix) {#suffix, isa, ferry_depthwise_f32__##suffix},
#include "backend/cpu/basic_rows.inc"
};

const ferry_depthwise_f32_row *ferry_depthwise_f32_pick(uint32_t isa)
{
    const ferry_depthwise_f32_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}

typedef struct depthwise_kernel {
    ferry_cpu_kernel base;
    const ferry_depthwise_f32_row *row;
    ferry_depthwise_line_kernel line; // NULL: `row` takes windows of depth, tall ones and residuals
    ferry_conv_shape shape;
    ferry_finish finish;
    const float *packed; // borrowed: biases, then weights tap by tap, each of `padded` channels
    size_t padded;
    ferry_operand x, residual;
} depthwise_kernel;

typedef struct depthwise_run {
    const depthwise_kernel *k;
    const float *x, *r;
    float *y;
    size_t row;
} depthwise_run;

static void run_span(void *user, const ferry_depthwise_span *span, const ferry_depthwise_tap *taps)
{
    const depthwise_run *run = user;
    const depthwise_kernel *k = run->k;
    const size_t channels = (size_t)k->shape.c_in;
    const size_t at = (run->row * (size_t)k->shape.out[2] + (size_t)span->first) * channels;
    const ferry_depthwise_f32_strip strip = {
        .x = run->x + span->x_at,
        .taps = taps,
        .n_taps = span->n_taps,
        .positions = (size_t)span->count,
        .channels = channels,
        .x_step = (size_t)(k->shape.window.stride[2] * k->shape.x_step[2]),
        .bias = k->packed,
        .w = k->packed + k->padded,
        .y = run->y + at,
        .r = run->r ? run->r + at : NULL,
        .finish = &k->finish,
    };
    k->row->run(&strip);
}

static void run_line(const depthwise_run *run)
{
    const depthwise_kernel *k = run->k;
    const ferry_conv_shape *s = &k->shape;
    const int64_t picture = (int64_t)run->row / s->out[1], out_line = (int64_t)run->row % s->out[1];
    ferry_depthwise_line line = {.w = k->packed + k->padded,
                                 .bias = k->packed,
                                 .w_step = k->padded,
                                 .y = run->y + run->row * (size_t)(s->out[2] * s->c_in),
                                 .y_step = (size_t)s->c_in,
                                 .channels = (size_t)s->c_in,
                                 .finish = &k->finish};
    ferry_depthwise_line_window(&line, s, out_line, run->x + picture * s->x_batch, 0);
    k->line(&line);
}

static void run_rows(void *context, size_t begin, size_t count)
{
    depthwise_run run = *(const depthwise_run *)context;
    for (run.row = begin; run.row < begin + count; run.row++)
        if (run.k->line)
            run_line(&run);
        else
            ferry_depthwise_row(&run.k->shape, run.row, run.k->padded, run_span, &run);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const depthwise_kernel *k = (const depthwise_kernel *)kernel;
    depthwise_run run = {.k = k,
                         .x = ferry_cpu_operand_data(&k->x, r),
                         .r = k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL,
                         .y = r->out[0].data};
    const ferry_conv_shape *s = &k->shape;
    const size_t lines = (size_t)(s->batch * s->out[0] * s->out[1]), line = (size_t)(s->out[2] * s->c_in * s->taps);
    ferry_parallel_even(r->pool, run_rows, &run, lines, line ? 1 + 32768 / line : 1);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static const ferry_depthwise_packing packing = {.multiple = FERRY_DEPTHWISE_PAD};

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    return ferry_depthwise_pack(device, region, tactic, &packing, out_data, out_bytes, err);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read(device, region, tactic, in, out, &node, err));
    size_t padded = 0, floats = 0;
    if (!ferry_conv_is_depthwise(&node.shape) || !node.x_channels_last || node.x.desc.dtype != FERRY_F32 ||
        out[0].dtype != FERRY_F32 || ferry_finish_adds_last(&node.finish, node.residual.present) ||
        (node.residual.present && node.residual.desc.dtype != FERRY_F32))
        return ferry_misfit(tactic, "not a depthwise convolution of floats", err);
    if (!ferry_depthwise_packed_floats(&packing, node.w.desc.dims, node.w.desc.rank, &padded, &floats) ||
        floats * sizeof(float) != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    depthwise_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->row = ferry_depthwise_f32_pick(device->isa);
    if (ferry_depthwise_line_takes(&node.shape) && !node.residual.present)
        k->line = ferry_depthwise_line_pick(device->isa);
    k->shape = node.shape;
    k->finish = node.finish;
    k->packed = packed;
    k->padded = padded;
    k->x = node.x;
    k->residual = node.residual;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_conv_shape shape;
    if (tail.adds || (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv"))) return FERRY_OK;
    if (!ferry_conv_node_is_offered(view, tail.nodes[0], &shape) || !ferry_conv_is_depthwise(&shape)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (!ferry_dtype_widens_to_f32(x->dtype)) return FERRY_OK;
    const double macs = ferry_value_elements(y) * (double)shape.taps;
    const double cost =
        ferry_cpu_cost_us(device, FERRY_F32, 2 * macs + tail.macs, ferry_value_bytes(x) + ferry_value_bytes(y));
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, cost,
                            err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_f32;
const ferry_cpu_family ferry_cpu_family_conv_depthwise_f32 = {
    .name = "conv_depthwise_f32",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
