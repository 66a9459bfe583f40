// SPDX-License-Identifier: Apache-2.0
// Functions of one float tensor, element by element, in any layout and in place.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/loops_bf16.h"
#include "backend/cpu/unary_node.h"
#include "ops/op.h"

static const char tactic_name[] = "unary_f32";

#define CHUNK 4096   // elements of one task
#define WIDENED 1024 // elements of bf16 that are widened at a time

typedef struct unary_kernel {
    ferry_cpu_kernel base;
    ferry_unary_f32_loop loop;
    const ferry_loops_bf16_row *narrow; // NULL: x and y are f32
    float parameters[FERRY_UNARY_PARAMETERS];
    size_t elements;
    ferry_cpu_operand x;
} unary_kernel;

typedef struct unary_run {
    const unary_kernel *k;
    const void *x;
    void *y;
} unary_run;

static void run_bf16(const unary_kernel *k, const uint16_t *x, uint16_t *y, size_t count)
{
    float wide[WIDENED];
    for (size_t i = 0; i < count; i += WIDENED) {
        const size_t n = count - i < WIDENED ? count - i : WIDENED;
        k->narrow->widen(x + i, wide, n);
        k->loop(wide, wide, n, k->parameters);
        k->narrow->narrow(wide, y + i, n);
    }
}

static void run_some(void *context, size_t begin, size_t count)
{
    const unary_run *run = context;
    const unary_kernel *k = run->k;
    if (k->narrow)
        run_bf16(k, (const uint16_t *)run->x + begin, (uint16_t *)run->y + begin, count);
    else
        k->loop((const float *)run->x + begin, (float *)run->y + begin, count, k->parameters);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const unary_kernel *k = (const unary_kernel *)kernel;
    unary_run run = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data};
    ferry_parallel_1d(r->pool, run_some, &run, k->elements, CHUNK);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_cpu_check_region(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_cpu_operand x = ferry_cpu_input(region, in, 0);
    ferry_unary_node f;
    size_t bytes = 0;
    if (!ferry_unary_node_read(region->graph, node, &f) || !x.present ||
        (x.desc.dtype != FERRY_F32 && x.desc.dtype != FERRY_BF16) || out[0].dtype != x.desc.dtype ||
        !ferry_tensor_desc_same_dims(&x.desc, &out[0]) ||
        memcmp(x.desc.strides, out[0].strides, (size_t)out[0].rank * sizeof *out[0].strides) != 0 ||
        !ferry_tensor_desc_is_dense(&out[0], out[0].layout) || !ferry_tensor_desc_bytes(&out[0], &bytes))
        return ferry_cpu_misfit(tactic, "an output unlike its input", err);
    unary_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "an elementwise kernel");
    k->loop = ferry_elementwise_f32_pick(device->isa)->unary[f.loop];
    memcpy(k->parameters, f.parameters, sizeof k->parameters);
    if (x.desc.dtype == FERRY_BF16) k->narrow = ferry_loops_bf16_pick(device->isa);
    k->elements = bytes / ferry_dtype_bytes(x.desc.dtype);
    k->x = x;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    const ferry_value *x = ferry_cpu_value(g, node, 0);
    ferry_unary_node f;
    if (!x || ferry_value_is_constant(x) || !ferry_cpu_is_float(x->dtype) || !ferry_cpu_is_plain_node(view, root))
        return FERRY_OK;
    if (!ferry_unary_node_read(g, node, &f)) return FERRY_OK;
    const ferry_value *y = ferry_cpu_result(g, node);
    if (y->dtype != x->dtype || !ferry_shape_equal(&x->shape, &y->shape)) return FERRY_OK;
    const double cost =
        ferry_cpu_cost_us(device, FERRY_F32, f.macs * ferry_cpu_elements(x), ferry_cpu_bytes(x) + ferry_cpu_bytes(y));
    return ferry_cpu_offer_layouts(sink, view, tactic_name, root, FERRY_OFFER_IN_PLACE, cost, err);
}

extern const ferry_cpu_family ferry_cpu_family_unary_f32;
const ferry_cpu_family ferry_cpu_family_unary_f32 = {
    .name = "unary_f32",
    .via_f32 = true,
    .bf16 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
