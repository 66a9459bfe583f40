// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of f16 or bf16: one filter a channel, channels last.
#include <string.h>

#include "backend/cpu/depthwise_half.h"
#include "backend/cpu/depthwise_pack.h"
#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/node.h"
#include "backend/cpu/conv_node.h"
#include "backend/cpu/tail.h"
#include "ops/op.h"

static const struct {
    const char *tactic;
    ferry_dtype dtype;
} types[] = {{"conv_bf16_depthwise", FERRY_BF16}, {"conv_f16_depthwise", FERRY_F16}};

#define ROW(isa, vec, suffix) void ferry_depthwise_bf16__##suffix(const ferry_depthwise_half_strip *);
#include "backend/cpu/bf16_rows.inc"
#ifdef FERRY_HAVE_NEONFP16
void ferry_depthwise_f16__neonfp16(const ferry_depthwise_half_strip *);
#endif

static const ferry_depthwise_half_row rows[] = {
#define ROW(isa, vec, suffix) {#suffix, FERRY_BF16, isa, vec, ferry_depthwise_bf16__##suffix},
#include "backend/cpu/bf16_rows.inc"
#ifdef FERRY_HAVE_NEONFP16
    {"neonfp16", FERRY_F16, FERRY_ISA_NEONFP16, 4, ferry_depthwise_f16__neonfp16},
#endif
};

const ferry_depthwise_half_row *ferry_depthwise_half_pick(uint32_t isa, ferry_dtype dtype)
{
    const ferry_depthwise_half_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if (rows[i].dtype == dtype && (rows[i].isa & ~isa) == 0) best = &rows[i];
    return best && best->isa == FERRY_ISA_NONE && isa != FERRY_ISA_NONE ? NULL : best;
}

typedef struct depthwise_kernel {
    ferry_cpu_kernel base;
    const ferry_depthwise_half_row *row;
    ferry_conv_shape shape;
    ferry_finish finish;
    const float *packed; // borrowed
    size_t padded;
    ferry_operand x, residual;
} depthwise_kernel;

typedef struct depthwise_run {
    const depthwise_kernel *k;
    const uint16_t *x, *r;
    uint16_t *y;
    size_t row;
} depthwise_run;

static void run_span(void *user, const ferry_depthwise_span *span, const ferry_depthwise_tap *taps)
{
    const depthwise_run *run = user;
    const depthwise_kernel *k = run->k;
    const size_t channels = (size_t)k->shape.c_in;
    const size_t at = (run->row * (size_t)k->shape.out[2] + (size_t)span->first) * channels;
    const ferry_depthwise_half_strip strip = {
        .x = run->x + span->x_at,
        .taps = taps,
        .n_taps = span->n_taps,
        .positions = (size_t)span->count,
        .channels = channels,
        .x_step = (size_t)(k->shape.window.stride[2] * k->shape.x_step[2]),
        .packed = k->packed,
        .padded = k->padded,
        .y = run->y + at,
        .r = run->r ? run->r + at : NULL,
        .finish = &k->finish,
    };
    k->row->run(&strip);
}

static void run_rows(void *context, size_t begin, size_t count)
{
    depthwise_run run = *(const depthwise_run *)context;
    for (run.row = begin; run.row < begin + count; run.row++)
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

// The type of a tactic's tensors; NONE: it is none of these.
static ferry_dtype dtype_of(const char *tactic)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(types); i++)
        if (strcmp(types[i].tactic, tactic) == 0) return types[i].dtype;
    return FERRY_DTYPE_NONE;
}

static bool owns_bf16(const char *tactic)
{
    return dtype_of(tactic) == FERRY_BF16;
}

static bool owns_f16(const char *tactic)
{
    return dtype_of(tactic) == FERRY_F16;
}

static size_t place(size_t multiple, size_t channel)
{
    return ferry_depthwise_bf16_place(multiple / 2, channel);
}

static ferry_depthwise_packing packing_of(const ferry_depthwise_half_row *row)
{
    const bool half = row->dtype == FERRY_F16;
    return (ferry_depthwise_packing){.multiple = 2 * row->vec, .place = half ? NULL : place, .f16 = half};
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_depthwise_half_row *row = ferry_depthwise_half_pick(device->isa, dtype_of(tactic));
    if (!row) return ferry_misfit(tactic, "no kernel for this instruction set", err);
    const ferry_depthwise_packing packing = packing_of(row);
    return ferry_depthwise_pack(device, region, tactic, &packing, out_data, out_bytes, err);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    ferry_conv_node node;
    FERRY_TRY(ferry_conv_node_read(device, region, tactic, in, out, &node, err));
    const ferry_dtype dtype = dtype_of(tactic);
    const ferry_depthwise_half_row *row = ferry_depthwise_half_pick(device->isa, dtype);
    size_t padded = 0, floats = 0;
    if (!ferry_conv_is_depthwise(&node.shape) || !node.x_channels_last || node.x.desc.dtype != dtype ||
        out[0].dtype != dtype || ferry_finish_adds_last(&node.finish, node.residual.present) ||
        (node.residual.present && node.residual.desc.dtype != dtype))
        return ferry_misfit(tactic, "not a depthwise convolution of its type", err);
    if (!row) return ferry_misfit(tactic, "no kernel for this instruction set", err);
    const ferry_depthwise_packing packing = packing_of(row);
    if (!ferry_depthwise_packed_floats(&packing, node.w.desc.dims, node.w.desc.rank, &padded, &floats) ||
        floats * sizeof(float) != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    depthwise_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a convolution");
    k->row = row;
    k->shape = node.shape;
    k->finish = node.finish;
    k->packed = packed;
    k->padded = padded;
    k->x = node.x;
    k->residual = node.residual;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root, size_t type,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_dtype dtype = types[type].dtype;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_conv_shape shape;
    if (tail.adds) return FERRY_OK;
    if (!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) return FERRY_OK;
    if (!ferry_conv_node_is_offered(view, tail.nodes[0], &shape) || !ferry_conv_is_depthwise(&shape)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const ferry_value *r = ferry_node_value(g, node, 3);
    if (!ferry_depthwise_half_pick(device->isa, dtype) || x->dtype != dtype || y->dtype != dtype ||
        (r && r->dtype != dtype) || !ferry_dtype_widens_to_f32(ferry_node_value(g, node, 1)->dtype))
        return FERRY_OK;
    const double macs = ferry_value_elements(y) * (double)shape.taps;
    const double cost = ferry_cpu_cost_us(device, dtype == FERRY_F16 ? FERRY_F16 : FERRY_F32, 1.5 * macs + tail.macs,
                                          ferry_value_bytes(x) + ferry_value_bytes(y));
    return ferry_tail_offer(sink, types[type].tactic, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            cost, err);
}

static ferry_status offer_bf16(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, view, root, 0, sink, err);
}

static ferry_status offer_f16(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                              const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, view, root, 1, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_bf16;
const ferry_cpu_family ferry_cpu_family_conv_depthwise_bf16 = {
    .name = "conv_depthwise_bf16",
    .multiplies_bf16 = true,
    .offer = offer_bf16,
    .owns = owns_bf16,
    .pack = pack,
    .prepare = prepare,
};

extern const ferry_cpu_family ferry_cpu_family_conv_depthwise_f16;
const ferry_cpu_family ferry_cpu_family_conv_depthwise_f16 = {
    .name = "conv_depthwise_f16",
    .offer = offer_f16,
    .owns = owns_f16,
    .pack = pack,
    .prepare = prepare,
};
