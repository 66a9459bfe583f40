// SPDX-License-Identifier: Apache-2.0
// Cast between f32 and f16 or bf16, in any layout: what stands at the inputs and outputs of a network that computes in
// those.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/loops_half.h"
#include "backend/cpu/node.h"
#include "ops/op.h"

static const struct {
    const char *tactic;
    ferry_dtype dtype;
} types[] = {{"cast_bf16", FERRY_BF16}, {"cast_f16", FERRY_F16}};

#define CHUNK 8192 // elements that are worth a task

typedef struct cast_kernel {
    ferry_cpu_kernel base;
    const ferry_loops_half_row *row;
    bool widen;
    size_t elements;
    ferry_operand x;
} cast_kernel;

typedef struct cast_run {
    const cast_kernel *k;
    const void *x;
    void *y;
} cast_run;

static void run_some(void *context, size_t begin, size_t count)
{
    const cast_run *run = context;
    if (run->k->widen)
        run->k->row->widen((const uint16_t *)run->x + begin, (float *)run->y + begin, count);
    else
        run->k->row->narrow((const float *)run->x + begin, (uint16_t *)run->y + begin, count);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const cast_kernel *k = (const cast_kernel *)kernel;
    cast_run run = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data};
    ferry_parallel_even(r->pool, run_some, &run, k->elements, CHUNK);
    return FERRY_OK;
}

// The type on the other side of f32, by the tactic; NONE: it is none of these.
static ferry_dtype dtype_of(const char *tactic)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(types); i++)
        if (strcmp(types[i].tactic, tactic) == 0) return types[i].dtype;
    return FERRY_DTYPE_NONE;
}

static bool owns(const char *tactic)
{
    return dtype_of(tactic) != FERRY_DTYPE_NONE;
}

static bool knows_types(ferry_dtype half, ferry_dtype x, ferry_dtype y)
{
    return (x == FERRY_F32 && y == half) || (x == half && y == FERRY_F32);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_operand x = ferry_operand_of(region, in, 0);
    const ferry_dtype half = dtype_of(tactic);
    size_t bytes = 0;
    if (!ferry_node_is(&region->graph->nodes[region->nodes[0]], "Cast") || !x.present ||
        !knows_types(half, x.desc.dtype, out[0].dtype) || !ferry_tensor_desc_same_dims(&x.desc, &out[0]) ||
        memcmp(x.desc.strides, out[0].strides, (size_t)out[0].rank * sizeof *out[0].strides) != 0 ||
        !ferry_tensor_desc_is_dense(&out[0], out[0].layout) || !ferry_tensor_desc_bytes(&out[0], &bytes))
        return ferry_misfit(tactic, "an output unlike its input", err);
    cast_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a conversion");
    k->row = ferry_loops_half_pick(device->isa, half);
    k->widen = x.desc.dtype == half;
    k->elements = bytes / ferry_dtype_bytes(out[0].dtype);
    k->x = x;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!ferry_node_is(node, "Cast") || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (!x || ferry_value_is_constant(x)) return FERRY_OK;
    const double cost = ferry_cpu_cost_us(device, FERRY_F32, 0, ferry_value_bytes(x) + ferry_value_bytes(y));
    for (size_t i = 0; i < FERRY_COUNT_OF(types); i++)
        if (knows_types(types[i].dtype, x->dtype, y->dtype))
            return ferry_offer_layouts(sink, view, types[i].tactic, root, 0, cost, err);
    return FERRY_OK;
}

extern const ferry_cpu_family ferry_cpu_family_cast_half;
const ferry_cpu_family ferry_cpu_family_cast_half = {
    .name = "cast_half",
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
