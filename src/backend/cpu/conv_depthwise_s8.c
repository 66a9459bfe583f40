// SPDX-License-Identifier: Apache-2.0
// QConv with one filter a channel, channels last: what conv_depthwise_lines_s8.c leaves.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/depthwise_lines_s8.h"
#include "backend/cpu/depthwise_s8.h"
#include "backend/cpu/depthwise_shape.h"
#include "ops/integer.h"
#include "ops/op.h"

static const char tactic_name[] = "conv_s8_depthwise";

typedef struct depthwise_kernel {
    ferry_cpu_kernel base;
    const ferry_depthwise_s8_row *row;
    ferry_conv_shape shape;
    ferry_finish finish;
    const char *packed; // borrowed
    bool y_float, r_float;
    ferry_operand x, residual;
    int8_t *zeros; // owned: positions of the padding, zero points
    size_t zeros_bytes;
} depthwise_kernel;

typedef struct depthwise_run {
    const depthwise_kernel *k;
    const int8_t *x;
    const char *r;
    char *y;
    size_t row;
} depthwise_run;

static void run_span(void *user, const ferry_depthwise_span *span, const ferry_depthwise_tap *taps)
{
    const depthwise_run *run = user;
    const depthwise_kernel *k = run->k;
    const size_t channels = (size_t)k->shape.c_in, n_taps = (size_t)k->shape.taps;
    const size_t at = (run->row * (size_t)k->shape.out[2] + (size_t)span->first) * channels;
    const int8_t *pointers[FERRY_DEPTHWISE_TAPS + 4];
    // Taps in the padding read zero points, and so do those that fill up the last few; a strip of several positions has
    // all columns inside, so that only whole rows of its taps are missing.
    if (span->n_taps < n_taps + k->row->tq)
        for (size_t t = 0; t < n_taps + k->row->tq; t++) pointers[t] = k->zeros;
    for (size_t t = 0; t < span->n_taps; t++) pointers[taps[t].w] = run->x + span->x_at + taps[t].x;
    const ferry_depthwise_s8_strip strip = {
        .x = pointers,
        .taps = n_taps,
        .positions = (size_t)span->count,
        .channels = channels,
        .x_step = (size_t)(k->shape.window.stride[2] * k->shape.x_step[2]),
        .w = k->packed,
        .y = run->y + at * (k->y_float ? sizeof(float) : 1),
        .r = run->r ? run->r + at * (k->r_float ? sizeof(float) : 1) : NULL,
        .y_float = k->y_float,
        .r_float = k->r_float,
        .finish = &k->finish,
    };
    k->row->run(&strip);
}

static void run_rows(void *context, size_t begin, size_t count)
{
    depthwise_run run = *(const depthwise_run *)context;
    for (run.row = begin; run.row < begin + count; run.row++)
        ferry_depthwise_row(&run.k->shape, run.row, 1, run_span, &run);
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
    ferry_parallel_even(r->pool, run_rows, &run, lines, line ? 1 + 65536 / line : 1);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    depthwise_kernel *k = (depthwise_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->zeros, k->zeros_bytes);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// Bytes of the packed blob; false when it cannot be.
static bool packed_bytes_of(const ferry_depthwise_s8_row *row, const int64_t *w_dims, int32_t w_rank, size_t *out_taps,
                            size_t *out)
{
    size_t taps = 1;
    for (int32_t d = 2; d < w_rank; d++)
        if (w_dims[d] < 1 || !ferry_mul_size(taps, (size_t)w_dims[d], &taps)) return false;
    if (w_dims[0] < 1 || w_dims[0] > INT32_MAX || taps > FERRY_DEPTHWISE_TAPS) return false;
    *out_taps = taps;
    const size_t blocks = ((size_t)w_dims[0] + row->block - 1) / row->block;
    return ferry_mul_size(blocks, ferry_depthwise_s8_block_bytes(row->block, row->tq, taps), out);
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(g, node, 1), *mult = ferry_node_value(g, node, 2);
    const ferry_value *bias = ferry_node_value(g, node, 3);
    const ferry_depthwise_s8_row *row = ferry_depthwise_s8_pick(device->isa);
    size_t taps = 0, bytes = 0;
    if (!w || !w->data || w->dtype != FERRY_S8 || w->shape.rank < 3 || w->shape.dims[1] != 1 ||
        !packed_bytes_of(row, w->shape.dims, w->shape.rank, &taps, &bytes) ||
        !ferry_value_is_vector(mult, w->shape.dims[0]) || !ferry_value_is_vector(bias, w->shape.dims[0]))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    char *packed = ferry_heap_alloc_uninit(device->base.heap, bytes);
    if (!packed) return ferry_fail_memory(err, "packed weights");
    ferry_depthwise_s8_pack(row, (size_t)w->shape.dims[0], taps, w->data, mult->data, bias->data, packed);
    *out_data = packed;
    *out_bytes = bytes;
    return FERRY_OK;
}

static bool s8_or_f32(ferry_dtype dtype)
{
    return dtype == FERRY_S8 || dtype == FERRY_F32;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read(device, region, tactic, in, out, &node, err));
    const ferry_depthwise_s8_row *row = ferry_depthwise_s8_pick(device->isa);
    size_t taps = 0, bytes = 0;
    if (!ferry_conv_is_depthwise(&node.shape) || !node.x_channels_last || node.x.desc.dtype != FERRY_S8 ||
        node.w.desc.dtype != FERRY_S8 || !s8_or_f32(out[0].dtype) ||
        (node.residual.present && !s8_or_f32(node.residual.desc.dtype)) || node.finish.table)
        return ferry_misfit(tactic, "not a depthwise convolution of int8", err);
    if (!packed_bytes_of(row, node.w.desc.dims, node.w.desc.rank, &taps, &bytes) || bytes != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    depthwise_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->base.deinit = deinit;
    k->row = row;
    k->shape = node.shape;
    k->finish = node.finish;
    k->packed = packed;
    k->y_float = out[0].dtype == FERRY_F32;
    k->r_float = node.residual.present && node.residual.desc.dtype == FERRY_F32;
    k->x = node.x;
    k->residual = node.residual;
    // A strip moves its pointers along, those to zeros too.
    const int64_t reach = node.shape.out[2] > 0 ? node.shape.window.stride[2] * (node.shape.out[2] - 1) + 1 : 1;
    if (ferry_mul_size((size_t)reach, (size_t)node.shape.c_in, &k->zeros_bytes))
        k->zeros = ferry_heap_alloc(device->base.heap, k->zeros_bytes);
    if (!k->zeros) {
        device->base.backend->release(&k->base.base);
        return ferry_fail_memory(err, "a convolution");
    }
    memset(k->zeros, ferry_zero_point(&region->graph->nodes[region->nodes[0]], "x_zero"), k->zeros_bytes);
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    ferry_conv_shape shape;
    if (!ferry_node_is(node, "QConv") || !ferry_conv_node_is_offered(view, root, &shape) ||
        !ferry_conv_is_depthwise(&shape) || ferry_depthwise_lines_takes(device, view, root))
        return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const double macs = ferry_value_elements(y) * (double)shape.taps;
    const double cost = ferry_cpu_cost_us(device, FERRY_S8, 4 * macs, ferry_value_bytes(x) + ferry_value_bytes(y));
    return ferry_offer_node(sink, tactic_name, root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST, 0, cost,
                            err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_s8;
const ferry_cpu_family ferry_cpu_family_conv_depthwise_s8 = {
    .name = "conv_depthwise_s8",
    .via_f32 = true, // for residuals and outputs
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
