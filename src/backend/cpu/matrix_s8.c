// SPDX-License-Identifier: Apache-2.0
// QGemm: int8 matrix products with constant weights.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/node.h"
#include "backend/cpu/product_s8.h"
#include "ops/integer.h"
#include "ops/op.h"

static const char tactic_name[] = "matrix_s8";

typedef struct matrix_kernel {
    ferry_cpu_kernel base;
    ferry_product_s8 product;
    const char *packed; // borrowed
    ferry_operand x, residual;
} matrix_kernel;

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const matrix_kernel *k = (const matrix_kernel *)kernel;
    ferry_product_s8_run(&k->product, r->pool, ferry_cpu_operand_data(&k->x, r), k->packed,
                         k->residual.present ? ferry_cpu_operand_data(&k->residual, r) : NULL, r->out[0].data,
                         r->workspace);
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

typedef struct matrix {
    ferry_gemm_s8_shape shape;
    ferry_gemm_s8_weights weights;
    size_t bytes;
} matrix;

static bool read_matrix(const ferry_graph *g, const ferry_node *node, const ferry_gemm_s8_row *row, matrix *out)
{
    if (!ferry_node_is(node, "QGemm")) return false;
    const ferry_value *w = ferry_node_value(g, node, 1), *mult = ferry_node_value(g, node, 2);
    const ferry_value *bias = ferry_node_value(g, node, 3);
    if (!w || !w->data || w->dtype != FERRY_S8 || w->shape.rank != 2 || w->shape.dims[0] < 1 || w->shape.dims[1] < 1)
        return false;
    const bool trans_b = ferry_node_int(node, "transB", 0) != 0;
    const size_t k = (size_t)w->shape.dims[trans_b ? 1 : 0], n = (size_t)w->shape.dims[trans_b ? 0 : 1];
    if (!ferry_value_is_vector(mult, (int64_t)n) || !ferry_value_is_vector(bias, (int64_t)n) || k > FERRY_INT8_MAX_SUM)
        return false;
    *out = (matrix){.shape = {.taps = 1, .kc = k, .columns = n},
                    .weights = {.w = w->data,
                                .column_stride = trans_b ? k : 1,
                                .k_stride = trans_b ? 1 : n,
                                .mult = mult->data,
                                .bias = bias->data}};
    return ferry_gemm_s8_packed_bytes(row, &out->shape, &out->bytes);
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_gemm_s8_row *row = ferry_gemm_s8_pick(device->isa);
    matrix m;
    if (!read_matrix(region->graph, &region->graph->nodes[region->nodes[0]], row, &m))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    char *packed = ferry_heap_alloc_uninit(device->base.heap, m.bytes);
    if (!packed) return ferry_fail_memory(err, "packed weights");
    ferry_gemm_s8_pack(row, &m.shape, &m.weights, packed);
    *out_data = packed;
    *out_bytes = m.bytes;
    return FERRY_OK;
}

// Rows of `width` elements; false unless the tensor lies plain.
static bool count_rows(const ferry_tensor_desc *desc, size_t width, size_t *out)
{
    if (desc->rank < 1 || desc->dims[desc->rank - 1] != (int64_t)width) return false;
    if (!ferry_tensor_desc_is_dense(desc, FERRY_LAYOUT_PLAIN)) return false;
    *out = 1;
    for (int32_t d = 0; d + 1 < desc->rank; d++) *out *= (size_t)desc->dims[d];
    return true;
}

static bool s8_or_f32(ferry_dtype dtype)
{
    return dtype == FERRY_S8 || dtype == FERRY_F32;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_gemm_s8_row *row = ferry_gemm_s8_pick(device->isa);
    const ferry_operand x = ferry_operand_of(region, in, 0), residual = ferry_operand_of(region, in, 4);
    matrix m;
    ferry_epilogue epilogue;
    size_t rows = 0, y_rows = 0, r_rows = 0;
    if (!read_matrix(region->graph, node, row, &m) || m.bytes != packed_bytes)
        return ferry_misfit(tactic, "packed weights of another size", err);
    FERRY_TRY(ferry_epilogue_read(node, &epilogue, err));
    if (!x.present || x.desc.dtype != FERRY_S8 || !s8_or_f32(out[0].dtype) || !count_rows(&x.desc, m.shape.kc, &rows) ||
        !count_rows(&out[0], m.shape.columns, &y_rows) || rows != y_rows)
        return ferry_misfit(tactic, "operands that do not fit together", err);
    if (residual.present &&
        (!s8_or_f32(residual.desc.dtype) || !count_rows(&residual.desc, m.shape.columns, &r_rows) || r_rows != rows))
        return ferry_misfit(tactic, "a residual unlike its output", err);
    matrix_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a matrix product");
    k->x = x;
    k->residual = residual;
    k->packed = packed;
    k->product.row = row;
    k->product.finish = ferry_finish_of(&epilogue);
    k->product.y_float = out[0].dtype == FERRY_F32;
    k->product.r_float = residual.present && residual.desc.dtype == FERRY_F32;
    k->product.group_bytes = m.bytes;
    if (!ferry_product_s8_matrix(&k->product, rows, m.shape.kc, m.shape.columns)) {
        device->base.backend->release(&k->base.base);
        return ferry_misfit(tactic, "an input too large", err);
    }
    if (k->product.formed) k->base.base.workspace_bytes = k->product.form.bytes;
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    matrix m;
    if (!read_matrix(g, node, ferry_gemm_s8_pick(device->isa), &m) || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (ferry_value_is_constant(x) || x->shape.rank < 1 || ferry_node_has_constant(g, node, 4)) return FERRY_OK;
    const double macs = ferry_value_elements(y) * (double)m.shape.kc;
    return ferry_offer_node(
        sink, tactic_name, root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0,
        ferry_cpu_cost_us(device, FERRY_S8, macs, 2 * ferry_value_bytes(x) + (double)m.bytes + ferry_value_bytes(y)),
        err);
}

extern const ferry_cpu_family ferry_cpu_family_matrix_s8;
const ferry_cpu_family ferry_cpu_family_matrix_s8 = {
    .name = "matrix_s8",
    .via_f32 = true, // for residuals and outputs
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};
