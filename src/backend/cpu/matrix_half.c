// SPDX-License-Identifier: Apache-2.0
// Matrix products of f16 or bf16 with constant weights and sums in f32: Gemm, FusedGemm, and MatMul with a matrix on
// the right.
#include <string.h>

#include "backend/cpu/finish.h"
#include "backend/cpu/product_half.h"
#include "backend/cpu/tail.h"
#include "backend/reading/matrix_node.h"
#include "ops/op.h"

static const struct {
    const char *tactic;
    ferry_dtype dtype;
} types[] = {{"matrix_bf16", FERRY_BF16}, {"matrix_f16", FERRY_F16}};

typedef struct matrix_kernel {
    ferry_cpu_kernel base;
    ferry_product_half product;
    const char *packed; // borrowed
    ferry_operand x, residual;
} matrix_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const matrix_kernel *k = (const matrix_kernel *)kernel;
    ferry_product_half_run(&k->product, r->pool, ferry_cpu_operand_data(&k->x, r), k->packed,
                           k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL, r->out[0].data);
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

static bool read_weights(const ferry_gemm_half_row *row, const ferry_graph *g, const ferry_node *node, ferry_matrix *m,
                         ferry_gemm_half_shape *shape, size_t *out_bytes)
{
    if (!row || !ferry_matrix_read(g, node, m)) return false;
    *shape = (ferry_gemm_half_shape){.taps = 1, .kc = m->k, .columns = m->n};
    return ferry_gemm_half_packed_bytes(row, shape, out_bytes);
}

// w and bias (NULL: none) are scaled in place: copies.
static void pack_scaled(const ferry_gemm_half_row *row, const ferry_matrix *m, const ferry_gemm_half_shape *shape,
                        float *w, float *bias, char *packed)
{
    for (size_t i = 0; m->alpha != 1 && i < m->k * m->n; i++) w[i] *= m->alpha;
    for (size_t i = 0; bias && i < m->n; i++) bias[i] *= m->beta;
    const ferry_gemm_half_weights weights = {
        .w = w, .column_stride = m->n_stride, .k_stride = m->k_stride, .bias = bias};
    ferry_gemm_half_pack(row, shape, &weights, packed);
}

// n elements of a constant as f32, `step` (0 or 1) apart; NULL when memory is gone.
static float *copy_f32(const ferry_heap *heap, const ferry_value *value, size_t n, int64_t step)
{
    const float *elements = NULL;
    size_t owned = 0;
    if (ferry_constant_f32(heap, value, &elements, &owned, NULL) != FERRY_OK) return NULL;
    float *copy = ferry_heap_alloc_array(heap, n, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++) copy[i] = elements[(int64_t)i * step];
    ferry_constant_free(heap, elements, owned);
    return copy;
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(device->isa, dtype_of(tactic));
    const ferry_heap *heap = device->base.heap;
    ferry_gemm_half_shape shape;
    ferry_matrix m;
    size_t bytes = 0;
    if (!read_weights(row, g, node, &m, &shape, &bytes))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const ferry_value *b = ferry_node_is(node, "MatMul") ? NULL : ferry_node_value(g, node, 2);
    char *packed = ferry_heap_alloc_uninit(heap, bytes);
    float *w = copy_f32(heap, ferry_node_value(g, node, 1), m.k * m.n, 1);
    float *bias = b ? copy_f32(heap, b, m.n, m.bias_step) : NULL;
    const bool whole = packed && w && (bias || !b);
    if (whole) pack_scaled(row, &m, &shape, w, bias, packed);
    ferry_heap_free(heap, w, m.k * m.n * sizeof *w);
    ferry_heap_free(heap, bias, m.n * sizeof *bias);
    if (!whole) {
        ferry_heap_free(heap, packed, bytes);
        return ferry_fail_memory(err, "packed weights");
    }
    *out_data = packed;
    *out_bytes = bytes;
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_dtype dtype = dtype_of(tactic);
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(device->isa, dtype);
    const ferry_operand x = ferry_operand_of(region, in, 0);
    ferry_operand residual = {.at = -1};
    ferry_gemm_half_shape shape;
    ferry_matrix m;
    size_t bytes = 0, rows = 0, y_rows = 0, r_rows = 0;
    if (!read_weights(row, region->graph, node, &m, &shape, &bytes) || bytes != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    if (ferry_node_is(node, "FusedGemm")) residual = ferry_operand_of(region, in, 3);
    ferry_finish finish = ferry_finish_of(&m.epilogue);
    FERRY_TRY(ferry_tail_read(device, region, tactic, in, out, &finish, &residual, err));
    if (!x.present || !ferry_matrix_rows(&x.desc, dtype, m.k, &rows) ||
        !ferry_matrix_rows(&out[0], dtype, m.n, &y_rows) || rows != y_rows ||
        (residual.present && (!ferry_matrix_rows(&residual.desc, dtype, m.n, &r_rows) || r_rows != rows)))
        return ferry_misfit(tactic, "operands that do not fit together", err);
    matrix_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a matrix product");
    k->x = x;
    k->residual = residual;
    k->packed = packed;
    k->product = (ferry_product_half){.row = row,
                                      .groups = 1,
                                      .shape = shape,
                                      .group_bytes = bytes,
                                      .finish = finish,
                                      .source = {.kind = FERRY_ROWS_DENSE,
                                                 .elem_bytes = sizeof(uint16_t),
                                                 .rows = rows,
                                                 .taps = 1,
                                                 .kc = m.k,
                                                 .row_stride = m.k}};
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
    ferry_matrix m;
    if (!ferry_gemm_half_pick(device->isa, dtype) || !ferry_matrix_read(g, node, &m) ||
        !ferry_node_is_plain(view, tail.nodes[0]))
        return FERRY_OK;
    const bool fused = ferry_node_is(node, "FusedGemm");
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const ferry_value *r = fused ? ferry_node_value(g, node, 3) : NULL;
    if (x->dtype != dtype || y->dtype != dtype || (r && r->dtype != dtype) || ferry_value_is_constant(x) ||
        x->shape.rank < 1 || (fused && ferry_node_has_constant(g, node, 3)))
        return FERRY_OK;
    const double macs = ferry_value_elements(y) * (double)m.k;
    const double bytes = ferry_value_bytes(x) + (double)(m.k * m.n * sizeof(uint16_t)) + ferry_value_bytes(y);
    return ferry_tail_offer(sink, types[type].tactic, &tail, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN,
                            ferry_cpu_cost_us(device, dtype, macs + tail.macs, bytes + tail.bytes), err);
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

extern const ferry_cpu_family ferry_cpu_family_matrix_bf16;
const ferry_cpu_family ferry_cpu_family_matrix_bf16 = {
    .name = "matrix_bf16",
    .multiplies_bf16 = true,
    .offer = offer_bf16,
    .owns = owns_bf16,
    .pack = pack,
    .prepare = prepare,
};

extern const ferry_cpu_family ferry_cpu_family_matrix_f16;
const ferry_cpu_family ferry_cpu_family_matrix_f16 = {
    .name = "matrix_f16",
    .offer = offer_f16,
    .owns = owns_f16,
    .pack = pack,
    .prepare = prepare,
};
