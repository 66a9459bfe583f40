// SPDX-License-Identifier: Apache-2.0
// Which regions are products that cuBLASLt computes whole, and their constants as it reads them.
#include "backend/cuda/vendor_blas_product.h"

#include <string.h>

#include "backend/reading/matrix_node.h"
#include "base/f16.h"
#include "ops/epilogue.h"
#include "ops/window.h"

// --- What follows the sums ------------------------------------------------------------------------------------------

// The library adds bias and residual, then activates: a residual behind an activation is left to others.
static bool take_residual(const ferry_graph *g, ferry_value_id value, float multiplier, ferry_blas_product *p)
{
    if (p->residual != FERRY_NO_VALUE || p->activation != FERRY_CUBLASLT_PLAIN || value == FERRY_NO_VALUE ||
        ferry_value_is_constant(&g->values[value]))
        return false;
    p->residual = value;
    p->r_mult = multiplier;
    return true;
}

static bool take_activation(int activation, ferry_blas_product *p)
{
    if (p->activation != FERRY_CUBLASLT_PLAIN) return false;
    p->activation = activation;
    return true;
}

// The epilogue that a FusedConv or FusedGemm has of its own.
static bool take_own(const ferry_graph *g, const ferry_node *node, ferry_blas_product *p)
{
    if (!ferry_node_is(node, "FusedConv") && !ferry_node_is(node, "FusedGemm")) return true;
    ferry_epilogue e;
    if (ferry_epilogue_read(node, &e, NULL) != FERRY_OK) return false;
    const bool adds = ferry_node_value(g, node, 3) != NULL;
    if (adds && e.act_first && e.act != FERRY_ACT_NONE) return false;
    if (adds && !take_residual(g, node->inputs[3], e.r_mult, p)) return false;
    return e.act == FERRY_ACT_NONE || (e.act == FERRY_ACT_RELU && take_activation(FERRY_CUBLASLT_RELU, p));
}

// A node of the chain behind it; `operand` is the chain's next one.
static bool take_node(const ferry_graph *g, const ferry_cuda_chain *chain, const ferry_node *node, int32_t *operand,
                      ferry_blas_product *p)
{
    if (ferry_node_is(node, "Cast")) return true; // between floats: nothing is rounded before the end
    if (ferry_node_is(node, "Relu")) return take_activation(FERRY_CUBLASLT_RELU, p);
    if (ferry_node_is(node, "Gelu"))
        return strcmp(ferry_node_string(node, "approximate", "none"), "tanh") == 0 &&
               take_activation(FERRY_CUBLASLT_GELU, p);
    if (!ferry_node_is(node, "Add") || *operand >= chain->n_operands) return false;
    const ferry_cuda_operand *o = &chain->operands[(*operand)++];
    return o->kind == FERRY_CUDA_SAME && (node->inputs[0] == o->value || node->inputs[1] == o->value) &&
           take_residual(g, o->value, 1, p);
}

static bool take_chain(const ferry_region *region, ferry_blas_product *p)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    ferry_cuda_chain chain;
    int32_t operand = 0;
    if (!ferry_cuda_chain_read(region, 1, node->outputs[0], &chain) || !take_own(g, node, p)) return false;
    for (int32_t i = 0; i < chain.n_nodes; i++)
        if (!take_node(g, &chain, &g->nodes[chain.nodes[i]], &operand, p)) return false;
    return p->residual == FERRY_NO_VALUE || g->values[p->residual].dtype == p->y_type;
}

// --- The product ----------------------------------------------------------------------------------------------------

static bool read_matrix(const ferry_graph *g, const ferry_node *node, ferry_blas_product *p)
{
    ferry_matrix m;
    if (!ferry_matrix_read(g, node, &m)) return false;
    p->columns = (int64_t)m.n;
    p->channels = (int64_t)m.k;
    p->b = ferry_node_is(node, "MatMul") ? NULL : ferry_node_value(g, node, 2);
    p->column_stride = (int64_t)m.n_stride;
    p->channel_stride = (int64_t)m.k_stride;
    p->bias_stride = m.bias_step;
    p->alpha = m.alpha;
    p->beta = m.beta;
    return true;
}

static bool is_trivial(const ferry_window *w)
{
    bool trivial = true;
    for (int i = 0; i < 3; i++)
        trivial &= w->kernel[i] == 1 && w->stride[i] == 1 && w->pad_begin[i] == 0 && w->pad_end[i] == 0;
    return trivial;
}

static bool read_conv(const ferry_graph *g, const ferry_node *node, ferry_blas_product *p)
{
    ferry_window window;
    size_t n = 0;
    if ((!ferry_node_is(node, "Conv") && !ferry_node_is(node, "FusedConv")) || p->w->shape.rank < 3 ||
        p->w->shape.rank > 5 || ferry_node_int(node, "group", 1) != 1 ||
        ferry_window_read(node, p->w->shape.rank - 2, p->w->shape.dims + 2, &window, NULL) != FERRY_OK ||
        !is_trivial(&window))
        return false;
    p->conv = true;
    p->columns = p->w->shape.dims[0];
    p->channels = p->column_stride = p->w->shape.dims[1];
    p->channel_stride = 1;
    p->b = ferry_node_value(g, node, 2);
    p->bias_stride = 1;
    return !p->b || (p->b->data && ferry_dtype_widens_to_f32(p->b->dtype) && ferry_shape_elements(&p->b->shape, &n) &&
                     (int64_t)n == p->columns);
}

bool ferry_blas_product_read(const ferry_region *region, ferry_blas_product *p)
{
    const ferry_graph *g = region->graph;
    if (region->n_nodes < 1 || region->n_outputs != 1) return false;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    if (!x || !w || ferry_value_is_constant(x) || !ferry_dtype_widens_to_f32(x->dtype) || !w->data ||
        !ferry_dtype_widens_to_f32(w->dtype))
        return false;
    *p = (ferry_blas_product){.x_type = x->dtype,
                              .y_type = g->values[region->outputs[0]].dtype,
                              .w = w,
                              .alpha = 1,
                              .beta = 1,
                              .residual = FERRY_NO_VALUE,
                              .activation = FERRY_CUBLASLT_PLAIN};
    if (p->y_type != p->x_type && p->y_type != FERRY_F32) return false;
    if (!read_matrix(g, node, p) && !read_conv(g, node, p)) return false;
    // Rows in whole chunks of 16 bytes: of others the library's kernels are slow.
    const int64_t chunk = 16 / (int64_t)ferry_dtype_bytes(p->x_type);
    return p->columns % chunk == 0 && p->channels % chunk == 0 && take_chain(region, p);
}

// --- Constants ------------------------------------------------------------------------------------------------------

bool ferry_blas_product_sizes(const ferry_blas_product *p, size_t *bias_at, size_t *bytes)
{
    if (p->columns < 1 || p->columns > 1 << 24 || p->channels < 1 || p->channels > 1 << 24) return false;
    const size_t weights = (size_t)p->columns * (size_t)p->channels * ferry_dtype_bytes(p->x_type);
    *bias_at = FERRY_BLAS_WEIGHTS_AT + ferry_align_size(weights, 256);
    *bytes = *bias_at + (p->b ? (size_t)p->columns * ferry_dtype_bytes(p->y_type) : 0);
    return true;
}

static void put(ferry_dtype type, void *to, int64_t at, float value)
{
    if (type == FERRY_F32)
        ((float *)to)[at] = value;
    else
        ((uint16_t *)to)[at] = type == FERRY_F16 ? ferry_f16_from_f32(value) : ferry_bf16_from_f32(value);
}

ferry_status ferry_blas_product_pack(const ferry_blas_product *p, const char *tactic, ferry_cuda_package *package,
                                     ferry_error *err)
{
    const ferry_heap *heap = package->device->base.heap;
    const float *w = NULL, *b = NULL;
    size_t w_owned = 0, b_owned = 0, bias_at = 0, bytes = 0;
    if (!ferry_blas_product_sizes(p, &bias_at, &bytes)) return ferry_misfit(tactic, "too many weights", err);
    char *to = ferry_cuda_package_constants(package, bytes);
    if (!to) return ferry_fail_memory(err, "packed weights");
    ferry_status s = ferry_constant_f32(heap, p->w, &w, &w_owned, err);
    if (s == FERRY_OK && p->b) s = ferry_constant_f32(heap, p->b, &b, &b_owned, err);
    for (int64_t n = 0; s == FERRY_OK && n < p->columns; n++) {
        for (int64_t c = 0; c < p->channels; c++)
            put(p->x_type, to + FERRY_BLAS_WEIGHTS_AT, n * p->channels + c,
                w[n * p->column_stride + c * p->channel_stride] * p->alpha);
        if (b) put(p->y_type, to + bias_at, n, b[n * p->bias_stride] * p->beta);
    }
    ferry_constant_free(heap, w, w_owned);
    ferry_constant_free(heap, b, b_owned);
    return s;
}
