// SPDX-License-Identifier: Apache-2.0
#include "backend/reading/matrix_node.h"

bool ferry_matrix_read(const ferry_graph *g, const ferry_node *node, ferry_matrix *out)
{
    const bool matmul = ferry_node_is(node, "MatMul"), fused = ferry_node_is(node, "FusedGemm");
    if (!matmul && !fused && !ferry_node_is(node, "Gemm")) return false;
    const ferry_value *w = ferry_node_value(g, node, 1), *bias = matmul ? NULL : ferry_node_value(g, node, 2);
    if (!w || !w->data || w->shape.rank != 2 || !ferry_dtype_widens_to_f32(w->dtype)) return false;
    if (!matmul && ferry_node_int(node, "transA", 0) != 0) return false;
    const bool trans_b = !matmul && ferry_node_int(node, "transB", 0) != 0;
    const size_t rows = (size_t)w->shape.dims[0], columns = (size_t)w->shape.dims[1];
    *out = (ferry_matrix){.k = trans_b ? columns : rows,
                          .n = trans_b ? rows : columns,
                          .k_stride = trans_b ? 1 : columns,
                          .n_stride = trans_b ? columns : 1,
                          .bias_step = 1,
                          .alpha = 1,
                          .beta = 1};
    if (out->k < 1 || out->n < 1) return false;
    out->epilogue = (ferry_epilogue){.r_mult = 1};
    if (fused && ferry_epilogue_read(node, &out->epilogue, NULL) != FERRY_OK) return false;
    if (!matmul && !fused) {
        out->alpha = ferry_node_float(node, "alpha", 1);
        out->beta = ferry_node_float(node, "beta", 1);
    }
    if (!bias) return true;
    size_t count = 0;
    if (!bias->data || !ferry_dtype_widens_to_f32(bias->dtype) || !ferry_shape_elements(&bias->shape, &count))
        return false;
    const ferry_shape *s = &bias->shape;
    if (s->rank > 0 && count == out->n && s->dims[s->rank - 1] == (int64_t)out->n) return true;
    out->bias_step = 0;
    return count == 1;
}

bool ferry_matrix_rows(const ferry_tensor_desc *desc, ferry_dtype dtype, size_t k, size_t *out)
{
    if (desc->rank < 1 || desc->dtype != dtype || desc->dims[desc->rank - 1] != (int64_t)k) return false;
    if (!ferry_tensor_desc_is_dense(desc, FERRY_LAYOUT_PLAIN)) return false;
    *out = 1;
    for (int32_t d = 0; d + 1 < desc->rank; d++) *out *= (size_t)desc->dims[d];
    return true;
}
