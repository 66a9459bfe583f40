// SPDX-License-Identifier: Apache-2.0
// Matrix products in float with constant weights: Gemm, FusedGemm, and MatMul with a matrix on the right.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/finish.h"
#include "backend/cpu/node.h"
#include "backend/cpu/product_f32.h"
#include "backend/cpu/tail.h"
#include "backend/reading/matrix_node.h"
#include "ops/op.h"

static const char tactic_name[] = "matrix_f32";

typedef struct matrix_kernel {
    ferry_cpu_kernel base;
    ferry_product_f32 product;
    const float *packed; // borrowed
    ferry_operand x, residual;
} matrix_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const matrix_kernel *k = (const matrix_kernel *)kernel;
    ferry_product_f32_run(&k->product, r->pool, ferry_cpu_operand_data(&k->x, r), k->packed,
                          k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL, r->out[0].data);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static bool packed_floats(const ferry_gemm_f32_row *row, const ferry_matrix *m, size_t *out)
{
    return ferry_gemm_f32_packed_floats(row, m->k, m->n, out);
}

// Copies scaled to alpha and beta; *out_w stays the given one when nothing changes.
static ferry_status pack_scaled(const ferry_heap *heap, const ferry_gemm_f32_row *row, const ferry_matrix *m,
                                const float *w, const float *bias, float *packed, ferry_error *err)
{
    float *scaled = NULL, *biases = ferry_heap_alloc_array(heap, m->n, sizeof *biases);
    ferry_status s = biases ? FERRY_OK : ferry_fail_memory(err, "packed weights");
    for (size_t i = 0; s == FERRY_OK && bias && i < m->n; i++) biases[i] = m->beta * bias[(int64_t)i * m->bias_step];
    if (s == FERRY_OK && m->alpha != 1) {
        scaled = ferry_heap_alloc_array(heap, m->k * m->n, sizeof *scaled);
        if (!scaled) s = ferry_fail_memory(err, "packed weights");
        for (size_t i = 0; scaled && i < m->k * m->n; i++) scaled[i] = m->alpha * w[i];
    }
    if (s == FERRY_OK)
        ferry_gemm_f32_pack(row, m->k, m->n, scaled ? scaled : w, m->k_stride, m->n_stride, biases, packed);
    ferry_heap_free(heap, scaled, m->k * m->n * sizeof *scaled);
    ferry_heap_free(heap, biases, m->n * sizeof *biases);
    return s;
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    const ferry_heap *heap = device->base.heap;
    ferry_matrix m;
    size_t floats = 0;
    if (!ferry_matrix_read(region->graph, node, &m) || !packed_floats(row, &m, &floats))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const ferry_value *b = ferry_node_is(node, "MatMul") ? NULL : ferry_node_value(region->graph, node, 2);
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    float *packed = NULL;
    ferry_status s = ferry_constant_f32(heap, ferry_node_value(region->graph, node, 1), &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) packed = ferry_heap_alloc_uninit(heap, floats * sizeof *packed);
    if (s == FERRY_OK)
        s = packed ? pack_scaled(heap, row, &m, weights, bias, packed, err) : ferry_fail_memory(err, "packed weights");
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    if (s != FERRY_OK) {
        ferry_heap_free(heap, packed, floats * sizeof *packed);
        return s;
    }
    *out_data = packed;
    *out_bytes = floats * sizeof *packed;
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    const ferry_operand x = ferry_operand_of(region, in, 0);
    ferry_operand residual = {.at = -1};
    ferry_matrix m;
    size_t floats = 0, rows = 0, y_rows = 0, r_rows = 0;
    if (!ferry_matrix_read(region->graph, node, &m) || !packed_floats(row, &m, &floats) ||
        floats * sizeof(float) != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    if (ferry_node_is(node, "FusedGemm")) residual = ferry_operand_of(region, in, 3);
    ferry_finish finish = ferry_finish_of(&m.epilogue);
    FERRY_TRY(ferry_tail_read(device, region, tactic, in, out, &finish, &residual, err));
    if (!x.present || !ferry_matrix_rows(&x.desc, FERRY_F32, m.k, &rows) ||
        !ferry_matrix_rows(&out[0], FERRY_F32, m.n, &y_rows) || rows != y_rows ||
        (residual.present && (!ferry_matrix_rows(&residual.desc, FERRY_F32, m.n, &r_rows) || r_rows != rows)))
        return ferry_misfit(tactic, "operands that do not fit together", err);
    matrix_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a matrix product");
    k->x = x;
    k->residual = residual;
    k->packed = packed;
    k->product = (ferry_product_f32){.row = row,
                                     .groups = 1,
                                     .columns = m.n,
                                     .group_floats = floats,
                                     .finish = finish,
                                     .source = {.kind = FERRY_ROWS_DENSE,
                                                .elem_bytes = sizeof(float),
                                                .rows = rows,
                                                .taps = 1,
                                                .kc = m.k,
                                                .row_stride = m.k}};
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
    ferry_matrix m;
    if (!ferry_matrix_read(g, node, &m) || !ferry_node_is_plain(view, tail.nodes[0])) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (!ferry_dtype_widens_to_f32(x->dtype) || ferry_value_is_constant(x) || x->shape.rank < 1 ||
        (ferry_node_is(node, "FusedGemm") && ferry_node_has_constant(g, node, 3)))
        return FERRY_OK;
    const double macs = ferry_value_elements(y) * (double)m.k;
    const double bytes = ferry_value_bytes(x) + (double)(m.k * m.n * sizeof(float)) + ferry_value_bytes(y);
    return ferry_tail_offer(sink, tactic_name, &tail, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN,
                            ferry_cpu_cost_us(device, FERRY_F32, macs + tail.macs, bytes + tail.bytes), err);
}

extern const ferry_cpu_family ferry_cpu_family_matrix_f32;
const ferry_cpu_family ferry_cpu_family_matrix_f32 = {
    .name = "matrix_f32",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
